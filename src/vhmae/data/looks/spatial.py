"""What is laid over a foreground after its look, place by place: light, haze, blur, noise.

``ADDED`` is where another one goes: a class with a ``draw`` and a call on colors (H, W, 3), which
is told the number of the frame. Whatever it draws for a composite holds for all of its frames.
Evaluation sets name it in ``shifts``, training draws it by its share in ``LookMixture``.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable, Mapping, Sequence
from typing import ClassVar, Protocol, runtime_checkable

import cv2
import numpy as np
import torch
from torch import Tensor

from vhmae.data.looks.parametric import ParametricLook, draw_hue_shifts, log_uniform
from vhmae.data.looks.photographic import to_display, to_light

Color = tuple[float, float, float]
LINES = 288
"""Of the frame that sizes in pixels are stated for."""


class Added(Protocol):
    """Something that is laid over the colors of a frame."""

    def __call__(self, colors: Tensor, frame: int) -> Tensor:
        """Colors (H, W, 3), nominally in [0, 1], and the frame's number -> colors, not clipped."""
        ...


@runtime_checkable
class Placed(Added, Protocol):
    """Something that can be told pixel by pixel, so that drawn pixels can be under it."""

    averages_out: ClassVar[bool]
    """Whether the mean color of a cell hardly has it."""

    def at(self, colors: Tensor, places: Tensor) -> Tensor:
        """Colors (P, 3) and where they lie, (P, 2) as x and y in [-1, 1] -> colors, not clipped."""
        ...


@dataclasses.dataclass(frozen=True, kw_only=True)
class Lighting:
    """A smooth gradient of light across the frame: gains ``low`` to ``high`` along ``angle``."""

    averages_out: ClassVar[bool] = False
    angle: float
    """Direction in radians, 0 points right."""
    low: Color
    high: Color

    def gain(self, height: int, width: int, device: torch.device | None = None) -> Tensor:
        """Gains per pixel, (3, height, width)."""
        return lighting_gains([self], height, width, device)[0]

    def __call__(self, colors: Tensor, frame: int = 0) -> Tensor:
        height, width = colors.shape[:2]
        return colors * self.gain(height, width, colors.device).permute(1, 2, 0)

    def at(self, colors: Tensor, places: Tensor) -> Tensor:
        low, high = colors.new_tensor(self.low), colors.new_tensor(self.high)
        return colors * (low + (high - low) * _ramp_at(self.angle, places))

    @classmethod
    def draw(cls, rng: np.random.Generator) -> Lighting:
        exposure = [log_uniform(rng, 0.7, 1.35) for _ in range(2)]
        tint = [[log_uniform(rng, 0.92, 1.08) for _ in range(3)] for _ in range(2)]
        ends = [(t[0] * e, t[1] * e, t[2] * e) for t, e in zip(tint, exposure, strict=True)]
        return cls(angle=float(rng.uniform(0.0, 2.0 * math.pi)), low=ends[0], high=ends[1])


def lighting_gains(
    lights: Sequence[Lighting], height: int, width: int, device: torch.device | None = None
) -> Tensor:
    """Gains per pixel of several gradients, (len(lights), 3, height, width)."""
    ramp = _ramps([one.angle for one in lights], height, width, device)
    low = torch.tensor([one.low for one in lights], device=device).view(-1, 3, 1, 1)
    high = torch.tensor([one.high for one in lights], device=device).view(-1, 3, 1, 1)
    return low + (high - low) * ramp


def _ramps(
    angles: Sequence[float], height: int, width: int, device: torch.device | None = None
) -> Tensor:
    """Smooth ramps from 0 to 1 across a frame, (len(angles), 1, height, width)."""
    y = torch.linspace(-1.0, 1.0, height, device=device).unsqueeze(1)
    x = torch.linspace(-1.0, 1.0, width, device=device).unsqueeze(0)
    ways = torch.tensor([[math.cos(a), math.sin(a)] for a in angles], device=device)
    ways = ways.view(-1, 2, 1, 1)
    return torch.sigmoid(3.0 * ((x * ways[:, 0] + y * ways[:, 1]) / math.sqrt(2.0))).unsqueeze(1)


def _ramp_at(angle: float, places: Tensor) -> Tensor:
    """The ramp of :func:`_ramps` at places (P, 2), (P, 1)."""
    along = places[:, :1] * math.cos(angle) + places[:, 1:] * math.sin(angle)
    return torch.sigmoid(3.0 * (along / math.sqrt(2.0)))


@dataclasses.dataclass(frozen=True, kw_only=True)
class HueShift:
    """Saturation shifted by hue: a map of colors, but added to a foreground alone."""

    shifts: tuple[float, ...]

    def __call__(self, colors: Tensor, frame: int = 0) -> Tensor:
        return ParametricLook(hue_shifts=self.shifts)(colors)

    @classmethod
    def draw(cls, rng: np.random.Generator) -> HueShift:
        return cls(shifts=draw_hue_shifts(rng))


@dataclasses.dataclass(frozen=True, kw_only=True)
class Haze:
    """A veil of light that grows across the frame along ``angle``, mixed in linear light."""

    averages_out: ClassVar[bool] = False
    angle: float
    near: float
    """Share of the veil where it is thinnest."""
    far: float
    color: Color
    """Its light."""

    def __call__(self, colors: Tensor, frame: int = 0) -> Tensor:
        height, width = colors.shape[:2]
        ramp = _ramps([self.angle], height, width, colors.device)[0].permute(1, 2, 0)
        return self._veiled(colors, ramp)

    def at(self, colors: Tensor, places: Tensor) -> Tensor:
        return self._veiled(colors, _ramp_at(self.angle, places))

    def _veiled(self, colors: Tensor, ramp: Tensor) -> Tensor:
        share = self.near + (self.far - self.near) * ramp
        light = to_light(colors)
        return to_display(light + share * (light.new_tensor(self.color) - light))

    @classmethod
    def draw(cls, rng: np.random.Generator) -> Haze:
        near, far = sorted(min(0.5, float(rng.exponential(0.12))) for _ in range(2))
        level = float(rng.uniform(0.2, 0.9))
        red, green, blue = (level * log_uniform(rng, 0.8, 1.25) for _ in range(3))
        angle = float(rng.uniform(0.0, 2.0 * math.pi))
        return cls(angle=angle, near=near, far=far, color=(red, green, blue))


@dataclasses.dataclass(frozen=True, kw_only=True)
class Blur:
    """A lens out of focus, in linear light."""

    deviation: float
    """Of the Gaussian, in pixels of a frame with 288 lines."""

    def __call__(self, colors: Tensor, frame: int = 0) -> Tensor:
        deviation = self.deviation * len(colors) / LINES
        light = to_light(colors).cpu().numpy()
        blurred = cv2.GaussianBlur(light, (0, 0), deviation, borderType=cv2.BORDER_REPLICATE)
        return to_display(torch.from_numpy(blurred).to(colors))

    @classmethod
    def draw(cls, rng: np.random.Generator) -> Blur:
        return cls(deviation=log_uniform(rng, 0.5, 3.0))


@dataclasses.dataclass(frozen=True, kw_only=True)
class Noise:
    """A sensor's noise, new in each frame: shot noise grows with the light, read noise does not."""

    averages_out: ClassVar[bool] = True
    shot: float
    """Variance a unit of light, of linear light in [0, 1]."""
    read: float
    """Deviation in the dark."""
    seed: int

    def __call__(self, colors: Tensor, frame: int = 0) -> Tensor:
        light = to_light(colors).clamp_min(0.0)
        drawn = np.random.default_rng([self.seed, frame]).standard_normal(tuple(colors.shape))
        spread = (self.shot * light + self.read**2).sqrt()
        return to_display(light + spread * torch.from_numpy(drawn).to(light))

    def at(self, colors: Tensor, places: Tensor) -> Tensor:
        return self(colors)

    @classmethod
    def draw(cls, rng: np.random.Generator) -> Noise:
        shot, read = log_uniform(rng, 1e-5, 2e-3), log_uniform(rng, 5e-4, 1e-2)
        return cls(shot=shot, read=read, seed=int(rng.integers(1 << 31)))


@dataclasses.dataclass(frozen=True, kw_only=True)
class Compression:
    """A lossy file in between: blocks of JPEG, chroma at half the size."""

    quality: int
    """Of OpenCV, 1 to 100."""

    def __call__(self, colors: Tensor, frame: int = 0) -> Tensor:
        levels = (colors.clamp(0.0, 1.0) * 255.0).round().byte().cpu().numpy()
        flags = [
            *(cv2.IMWRITE_JPEG_QUALITY, self.quality),
            *(cv2.IMWRITE_JPEG_SAMPLING_FACTOR, cv2.IMWRITE_JPEG_SAMPLING_FACTOR_420),
        ]
        codes = cv2.imencode(".jpg", levels[..., ::-1], flags)[1]
        decoded = cv2.imdecode(codes, cv2.IMREAD_COLOR)
        assert decoded is not None, "what was encoded can be decoded"
        return torch.from_numpy(decoded[..., ::-1].copy()).to(colors) / 255.0

    @classmethod
    def draw(cls, rng: np.random.Generator) -> Compression:
        return cls(quality=int(rng.integers(20, 91)))


ADDED: dict[str, Callable[[np.random.Generator], Added]] = {
    "lighting": Lighting.draw,
    "hue": HueShift.draw,
    "haze": Haze.draw,
    "noise": Noise.draw,
    "blur": Blur.draw,
    "compression": Compression.draw,
}
"""In the order in which they are drawn, which sets on disk depend on: another one goes to the
end."""

APPLIED = ("hue", "lighting", "haze", "blur", "noise", "compression")
"""In the order in which they are laid on: a surface's color, light, air, lens, sensor, file; what
is not named here comes last."""


def draw_added(rng: np.random.Generator, shifts: Sequence[str]) -> list[Added]:
    """Draw what ``shifts`` asks for, in the order in which it is laid on."""
    drawn = {name: draw(rng) for name, draw in ADDED.items() if name in shifts}
    return _in_order(drawn)


def draw_layers(
    rng: np.random.Generator, shares: Mapping[str, float], count: int
) -> list[list[Added]]:
    """Draw what is laid over the foregrounds of a batch, each in the order in which it is laid on.

    Args:
        shares: share of the foregrounds by the name of a kind; but for lighting, which was always
            drawn, a share of 0 draws nothing, so that other draws stay.
    """
    drawn: list[dict[str, Added]] = [{} for _ in range(count)]
    for name, draw in ADDED.items():
        share = shares.get(name, 0.0)
        if share > 0.0 or name == "lighting":
            for row in drawn:
                if rng.random() < share:
                    row[name] = draw(rng)
    return [_in_order(row) for row in drawn]


def _in_order(drawn: Mapping[str, Added]) -> list[Added]:
    names = (*APPLIED, *(name for name in drawn if name not in APPLIED))
    return [drawn[name] for name in names if name in drawn]
