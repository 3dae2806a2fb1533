"""Parametric looks: exposure, white balance, gamma, contrast, saturation, on display values."""

from __future__ import annotations

import dataclasses
import math

import numpy as np
import torch
from torch import Tensor

from vhmae.color.transform import luma_of


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
    """Saturation factor minus one at evenly spaced hues, interpolated between; empty for none."""

    def __call__(self, rgb: Tensor) -> Tensor:
        """Apply to colors (..., 3) in [0, 1]; clipped to [0, 1]."""
        color = (rgb * rgb.new_tensor(self.gain)).clamp(1e-4, 1.0) ** self.gamma
        color = (color - 0.5) * self.contrast + 0.5
        grey = luma_of(color).unsqueeze(-1)
        factor: Tensor | float = self.saturation
        if self.hue_shifts:
            shifts = _hue_curve(color, color.new_tensor(self.hue_shifts))
            factor = self.saturation * (1.0 + shifts).unsqueeze(-1)
        return (grey + (color - grey) * factor).clamp(0.0, 1.0)

    @classmethod
    def draw(cls, rng: np.random.Generator, hue: bool = True) -> ParametricLook:
        """Draw at full strength: gain .65-1.4, gamma .65-1.5, contrast .75-1.35, and so on."""
        shifts = draw_hue_shifts(rng) if hue and rng.random() < 0.5 else ()
        red, green, blue = (log_uniform(rng, 0.65, 1.4) for _ in range(3))
        return cls(
            gain=(red, green, blue),
            gamma=log_uniform(rng, 0.65, 1.5),
            contrast=log_uniform(rng, 0.75, 1.35),
            saturation=log_uniform(rng, 0.5, 1.6),
            hue_shifts=shifts,
        )


def draw_hue_shifts(rng: np.random.Generator) -> tuple[float, ...]:
    """Draw saturation shifts at six hues."""
    return tuple(float(value) for value in rng.uniform(-0.5, 0.5, 6))


def log_uniform(rng: np.random.Generator, low: float, high: float) -> float:
    """Draw a factor whose logarithm is uniform."""
    return float(np.exp(rng.uniform(np.log(low), np.log(high))))


def _hue_curve(color: Tensor, knots: Tensor) -> Tensor:
    """Interpolate a periodic curve over hue: colors (..., 3) -> (...)."""
    red, green, blue = color.unbind(-1)
    angle = torch.atan2(math.sqrt(3.0) * (green - blue), 2.0 * red - green - blue)
    hue = angle / (2.0 * math.pi) % 1.0
    place = hue * len(knots)
    lower = place.floor()
    index = lower.long() % len(knots)
    return torch.lerp(knots[index], knots[(index + 1) % len(knots)], place - lower)
