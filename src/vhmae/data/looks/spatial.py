"""What is laid over a foreground after its look, place by place: light, haze, noise.

``ADDED`` is where another one goes: a class with a ``draw`` and a call on colors (H, W, 3), which
is told the number of the frame. Whatever it draws for a composite holds for all of its frames.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable, Sequence
from typing import Protocol

import numpy as np
import torch
from torch import Tensor

from vhmae.data.looks.parametric import ParametricLook, draw_hue_shifts, log_uniform
from vhmae.data.looks.photographic import to_display, to_light

Color = tuple[float, float, float]


class Added(Protocol):
    """Something that is laid over the colors of a frame."""

    def __call__(self, colors: Tensor, frame: int) -> Tensor:
        """Colors (H, W, 3), nominally in [0, 1], and the frame's number -> colors, not clipped."""
        ...


@dataclasses.dataclass(frozen=True, kw_only=True)
class Lighting:
    """A smooth gradient of light across the frame: gains ``low`` to ``high`` along ``angle``."""

    angle: float
    """Direction in radians, 0 points right."""
    low: Color
    high: Color

    def gain(self, height: int, width: int) -> Tensor:
        """Gains per pixel, (3, height, width)."""
        return lighting_gains([self], height, width)[0]

    def __call__(self, colors: Tensor, frame: int = 0) -> Tensor:
        return colors * self.gain(*colors.shape[:2]).permute(1, 2, 0)

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

    angle: float
    near: float
    """Share of the veil where it is thinnest."""
    far: float
    color: Color
    """Its light."""

    def __call__(self, colors: Tensor, frame: int = 0) -> Tensor:
        ramp = _ramps([self.angle], *colors.shape[:2])[0].permute(1, 2, 0)
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
class Noise:
    """A sensor's noise, new in each frame: shot noise grows with the light, read noise does not."""

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

    @classmethod
    def draw(cls, rng: np.random.Generator) -> Noise:
        shot, read = log_uniform(rng, 1e-5, 2e-3), log_uniform(rng, 5e-4, 1e-2)
        return cls(shot=shot, read=read, seed=int(rng.integers(1 << 31)))


ADDED: dict[str, Callable[[np.random.Generator], Added]] = {
    "lighting": Lighting.draw,
    "hue": HueShift.draw,
    "haze": Haze.draw,
    "noise": Noise.draw,
}
"""In the order in which they are drawn, which sets on disk depend on."""

APPLIED = ("hue", "lighting", "haze", "noise")
"""In the order in which they are laid on: a surface's color, light, air, the sensor."""


def draw_added(rng: np.random.Generator, shifts: Sequence[str]) -> list[Added]:
    """Draw what ``shifts`` asks for, in the order in which it is laid on."""
    drawn = {name: draw(rng) for name, draw in ADDED.items() if name in shifts}
    return [drawn[name] for name in APPLIED if name in drawn]
