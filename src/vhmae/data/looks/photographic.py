"""Photographic looks: what exposure, light, air and a camera's curve do, in linear light.

Where :class:`ParametricLook` bends display values, this chain goes through light, as the world
does: a scene a stop darker, warmer light, a veil of haze or flare, then the camera's shoulder and
curve.
"""

from __future__ import annotations

import dataclasses

import numpy as np
import torch
from torch import Tensor

from vhmae.color.transform import luma_of
from vhmae.data.looks.parametric import log_uniform

EXPOSURE_DEVIATION = 0.8
"""Stops."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class PhotographicLook:
    """Exposure, temperature, haze, shoulder in light; curve, black, saturation as displayed."""

    stops: float = 0.0
    """Exposure; 1 doubles the light."""
    temperature: float = 0.0
    """Stops of red over blue, half up and half down; positive is warmer."""
    tint: float = 0.0
    """Stops of green."""
    haze: float = 0.0
    """Share of the light that a veil takes, in [0, 1)."""
    haze_color: tuple[float, float, float] = (0.5, 0.5, 0.5)
    """Light of the veil."""
    knee: float = 1.0
    """Light above this is compressed, so that highlights roll off; 1 clips them."""
    contrast: float = 1.0
    """Slope about the pivot."""
    pivot: float = 0.4
    gamma: float = 1.0
    black: float = 0.0
    """What black is lifted to; below 0 shadows are crushed."""
    saturation: float = 1.0

    def __call__(self, rgb: Tensor) -> Tensor:
        """Apply to sRGB colors (..., 3) in [0, 1]; clipped to [0, 1]."""
        stops = (
            self.stops + self.temperature / 2,
            self.stops + self.tint,
            self.stops - self.temperature / 2,
        )
        light = to_light(rgb) * rgb.new_tensor([2.0**stop for stop in stops])
        light = light + self.haze * (light.new_tensor(self.haze_color) - light)
        color = to_display(_rolled_off(light, self.knee)) ** self.gamma
        color = (color - self.pivot) * self.contrast + self.pivot
        color = self.black + (1.0 - self.black) * color
        grey = luma_of(color).unsqueeze(-1)
        return (grey + (color - grey) * self.saturation).clamp(0.0, 1.0)

    @classmethod
    def draw(cls, rng: np.random.Generator) -> PhotographicLook:
        """Draw a look; haze is left out half of the time, and either contrast or gamma."""
        hazy, curved = rng.random() < 0.5, rng.random() < 0.5
        veil = float(rng.uniform(0.1, 0.8)) * 2.0 ** rng.normal(0.0, 0.25, 3)
        red, green, blue = (float(value) for value in veil)
        return cls(
            stops=float(rng.normal(0.0, EXPOSURE_DEVIATION)),
            temperature=float(rng.normal(0.0, 0.5)),
            tint=float(rng.normal(0.0, 0.12)),
            haze=min(0.3, float(rng.exponential(0.06))) if hazy else 0.0,
            haze_color=(red, green, blue),
            knee=float(rng.uniform(0.5, 1.0)),
            contrast=log_uniform(rng, 0.75, 1.3) if curved else 1.0,
            pivot=float(rng.uniform(0.3, 0.5)),
            gamma=1.0 if curved else log_uniform(rng, 0.8, 1.25),
            black=float(rng.normal(0.0, 0.025)),
            saturation=log_uniform(rng, 0.7, 1.4),
        )


def to_light(rgb: Tensor) -> Tensor:
    """sRGB in [0, 1] -> light in [0, 1] (IEC 61966-2-1)."""
    curved = ((rgb.clamp_min(0.0) + 0.055) / 1.055) ** 2.4
    return torch.where(rgb <= 0.04045, rgb / 12.92, curved)


def to_display(light: Tensor) -> Tensor:
    """Light in [0, 1] -> sRGB in [0, 1]."""
    light = light.clamp(0.0, 1.0)
    curved = 1.055 * light.clamp_min(1e-8) ** (1.0 / 2.4) - 0.055
    return torch.where(light <= 0.0031308, 12.92 * light, curved)


def _rolled_off(light: Tensor, knee: float) -> Tensor:
    """Light above the knee runs towards 1 along an exponential of the same slope at the knee."""
    if knee >= 1.0:
        return light.clamp(0.0, 1.0)
    room = 1.0 - knee
    above = (light - knee).clamp_min(0.0) / room
    return torch.where(light > knee, knee + room * (1.0 - torch.exp(-above)), light)
