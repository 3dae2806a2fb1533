"""Looks: what a camera, its light or a grade does to colours.

A look is a map of colours: a LUT, or a parametric chain of exposure, white balance, gamma, contrast, saturation and
shifts by hue. It goes ``strength`` of the way from the identity. For training, every look is baked into one small 3-D
table, so that a batch of looks is a single trilinear look-up on whatever device trains.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from vhmae.color.lut import Lut3D, apply_luts
from vhmae.color.transform import luma_of
from vhmae.errors import InputError

SHIFTS = ("lut", "parametric", "lighting", "hue")
"""The first two are looks; lighting and hue are added to the foreground alone."""
TABLE_SIZE = 17
"""Grid of the baked tables in training; the shortest LUTs of the HYouTube bank have 16 points."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class ParametricLook:
    """Exposure, white balance, gamma, contrast, saturation and per-hue shifts, in this order."""

    gain: tuple[float, float, float] = (1.0, 1.0, 1.0)
    """Exposure times white balance, one factor a channel."""
    gamma: float = 1.0
    contrast: float = 1.0
    """Slope about mid-grey."""
    saturation: float = 1.0
    hue_shifts: tuple[float, ...] = ()
    """Saturation factor minus one at evenly spaced hues, interpolated between them; empty for none."""

    def __call__(self, rgb: Tensor) -> Tensor:
        """Apply to colours (..., 3) in [0, 1]; clipped to [0, 1]."""
        color = (rgb * rgb.new_tensor(self.gain)).clamp(1e-4, 1.0) ** self.gamma
        color = (color - 0.5) * self.contrast + 0.5
        grey = luma_of(color).unsqueeze(-1)
        factor: Tensor | float = self.saturation
        if self.hue_shifts:
            factor = self.saturation * (1.0 + _hue_curve(color, color.new_tensor(self.hue_shifts))).unsqueeze(-1)
        return (grey + (color - grey) * factor).clamp(0.0, 1.0)

    @classmethod
    def draw(cls, rng: np.random.Generator, hue: bool = True) -> ParametricLook:
        """Draw a look at full strength: gain .65-1.4, gamma .65-1.5, saturation .5-1.6, contrast .75-1.35."""
        shifts = draw_hue_shifts(rng) if hue and rng.random() < 0.5 else ()
        red, green, blue = (_log_uniform(rng, 0.65, 1.4) for _ in range(3))
        return cls(
            gain=(red, green, blue),
            gamma=_log_uniform(rng, 0.65, 1.5),
            contrast=_log_uniform(rng, 0.75, 1.35),
            saturation=_log_uniform(rng, 0.5, 1.6),
            hue_shifts=shifts,
        )


def draw_hue_shifts(rng: np.random.Generator) -> tuple[float, ...]:
    """Draw saturation shifts at six hues."""
    return tuple(float(value) for value in rng.uniform(-0.5, 0.5, 6))


@dataclasses.dataclass(frozen=True)
class Look:
    """A map of colours that goes ``strength`` of the way from the identity."""

    map: Lut3D | ParametricLook | None
    """None is the identity."""
    strength: float = 1.0
    name: str = "identity"

    def __call__(self, rgb: Tensor) -> Tensor:
        """Apply to colours (..., 3) in [0, 1]."""
        return rgb if self.map is None else rgb + self.strength * (self.map(rgb) - rgb)


IDENTITY = Look(None)


@dataclasses.dataclass(frozen=True, kw_only=True)
class Lighting:
    """A smooth gradient of light across the frame: gains ``low`` to ``high`` along ``angle``."""

    angle: float
    """Direction in radians, 0 points right."""
    low: tuple[float, float, float]
    high: tuple[float, float, float]

    def gain(self, height: int, width: int) -> Tensor:
        """Gains per pixel, (3, height, width)."""
        return lighting_gains([self], height, width)[0]

    @classmethod
    def draw(cls, rng: np.random.Generator) -> Lighting:
        exposure = [_log_uniform(rng, 0.7, 1.35) for _ in range(2)]
        tint = [[_log_uniform(rng, 0.92, 1.08) for _ in range(3)] for _ in range(2)]
        ends = [(t[0] * e, t[1] * e, t[2] * e) for t, e in zip(tint, exposure, strict=True)]
        return cls(angle=float(rng.uniform(0.0, 2.0 * math.pi)), low=ends[0], high=ends[1])


def lighting_gains(lights: Sequence[Lighting], height: int, width: int, device: torch.device | None = None) -> Tensor:
    """Gains per pixel of several gradients, (len(lights), 3, height, width)."""
    y = torch.linspace(-1.0, 1.0, height, device=device).unsqueeze(1)
    x = torch.linspace(-1.0, 1.0, width, device=device).unsqueeze(0)
    ways = torch.tensor([[math.cos(one.angle), math.sin(one.angle)] for one in lights], device=device).view(-1, 2, 1, 1)
    ramp = torch.sigmoid(3.0 * ((x * ways[:, 0] + y * ways[:, 1]) / math.sqrt(2.0))).unsqueeze(1)
    low = torch.tensor([one.low for one in lights], device=device).view(-1, 3, 1, 1)
    high = torch.tensor([one.high for one in lights], device=device).view(-1, 3, 1, 1)
    return low + (high - low) * ramp


def draw_look(rng: np.random.Generator, luts: Sequence[Lut3D], shifts: Sequence[str], strength: tuple[float, float]) -> Look:
    """Draw a look for evaluation: one kind of ``shifts`` ('lut', 'parametric'), its strength uniform in the range."""
    kinds = [shift for shift in shifts if shift in SHIFTS[:2]]
    if not kinds:
        raise InputError("--shifts: needs 'lut' or 'parametric' beside 'lighting' and 'hue'; add one of them")
    kind = kinds[int(rng.integers(len(kinds)))]
    amount = float(rng.uniform(*strength))
    if kind == "lut":
        if not luts:
            raise InputError("--shifts lut: no LUTs were given; pass --luts FILE or leave 'lut' out of --shifts")
        lut = luts[int(rng.integers(len(luts)))]
        return Look(lut, amount, lut.name)
    return Look(ParametricLook.draw(rng), amount, "parametric")


@dataclasses.dataclass(frozen=True, kw_only=True)
class LookMixture:
    """How training draws its looks, and how composites pair them (two-look synthesis)."""

    strength: tuple[float, float] = (0.0, 1.0)
    """Range of the way from the identity; from 0, since real pastes are mostly mild mismatches."""
    lut: float = 0.35
    """Share of plain LUTs."""
    blended_lut: float = 0.2
    """Share of random blends of two LUTs: looks that no file holds."""
    graded_lut: float = 0.15
    """Share of LUTs after a mild parametric look; the rest of the shares is parametric."""
    one_look: float = 0.25
    """Share of composites in HYouTube's way: A is the identity, B goes the whole way."""
    same_look: float = 0.15
    """Share of composites with A = B, where the right answer is to do nothing."""
    lighting: float = 0.15
    """Share of composites with a smooth gradient of light across the foreground."""


class LookSampler:
    """Draws looks as baked tables, from the training LUTs only.

    Full-strength looks are baked once into a pool (drawing each anew took longer than a training step); every composite
    takes two of them at strengths of its own.
    """

    def __init__(self, luts: Tensor, pool: Tensor, mixture: LookMixture) -> None:
        self.luts = luts  # (LUTs, n, n, n, 3)
        self.pool = pool  # (looks, n, n, n, 3)
        self.mixture = mixture
        self.grid = Lut3D.identity(TABLE_SIZE).table.to(pool.device)

    @classmethod
    def from_luts(cls, luts: Sequence[Lut3D], mixture: LookMixture, pool_size: int = 4096, seed: int = 0) -> LookSampler:
        """Bake LUTs and a pool of looks in the shares of the mixture."""
        rng = np.random.default_rng([seed, pool_size])
        tables = torch.stack([lut.resampled(TABLE_SIZE).table.clamp(0.0, 1.0) for lut in luts])
        pool = torch.stack([_full_look(rng, tables, mixture) for _ in range(pool_size)])
        return cls(tables, pool, mixture)

    def with_mixture(self, mixture: LookMixture) -> LookSampler:
        """The same looks, paired and weakened in another way."""
        return LookSampler(self.luts, self.pool, mixture)

    def to(self, device: torch.device) -> LookSampler:
        """The same looks on another device: their tables are made there."""
        return LookSampler(self.luts.to(device), self.pool.to(device), self.mixture)

    def draw_pairs(self, rng: np.random.Generator, count: int) -> tuple[Tensor, Tensor]:
        """Draw the tables of A (background and target) and B (foreground of the composite), each (count, n, n, n, 3)."""
        mixture = self.mixture
        kind = rng.random(count)
        one_look = self._there(kind < mixture.one_look).view(-1, 1, 1, 1, 1)
        same = self._there(kind >= 1.0 - mixture.same_look).view(-1, 1, 1, 1, 1)
        background, foreground = self._weakened(rng, count), self._weakened(rng, count)
        full = self.luts[self._there(rng.integers(len(self.luts), size=count))]
        background = torch.where(one_look, self.grid, background)
        foreground = torch.where(same, background, torch.where(one_look, full, foreground))
        return background, foreground

    def _weakened(self, rng: np.random.Generator, count: int) -> Tensor:
        looks = self.pool[self._there(rng.integers(len(self.pool), size=count))]
        strength = self._there(rng.uniform(*self.mixture.strength, count).astype(np.float32))
        return torch.lerp(self.grid, looks, strength.view(-1, 1, 1, 1, 1))

    def _there(self, numbers: np.ndarray) -> Tensor:
        return torch.from_numpy(numbers).to(self.pool.device)


def _full_look(rng: np.random.Generator, luts: Tensor, mixture: LookMixture) -> Tensor:
    """A look at full strength: a LUT, a blend of two, a LUT after a mild grade, or parametric; (n, n, n, 3)."""

    def lut() -> Tensor:
        return luts[int(rng.integers(len(luts)))]

    grid = Lut3D.identity(TABLE_SIZE).table
    kind = rng.random()
    if kind < mixture.lut:
        return lut()
    if kind < mixture.lut + mixture.blended_lut:
        return torch.lerp(lut(), lut(), float(rng.uniform(-0.3, 1.3))).clamp(0.0, 1.0)
    parametric = ParametricLook.draw(rng)
    if kind < mixture.lut + mixture.blended_lut + mixture.graded_lut:
        mild = Look(parametric, float(rng.uniform(0.2, 0.7)))(grid)
        return apply_luts(mild.reshape(1, -1, 3), lut()[None]).reshape(grid.shape).clamp(0.0, 1.0)
    return parametric(grid)


def _log_uniform(rng: np.random.Generator, low: float, high: float) -> float:
    return float(np.exp(rng.uniform(np.log(low), np.log(high))))


def _hue_curve(color: Tensor, knots: Tensor) -> Tensor:
    """Interpolate a periodic curve over hue: colours (..., 3) -> (...)."""
    red, green, blue = color.unbind(-1)
    hue = torch.atan2(math.sqrt(3.0) * (green - blue), 2.0 * red - green - blue) / (2.0 * math.pi) % 1.0
    place = hue * len(knots)
    lower = place.floor()
    index = lower.long() % len(knots)
    return torch.lerp(knots[index], knots[(index + 1) % len(knots)], place - lower)
