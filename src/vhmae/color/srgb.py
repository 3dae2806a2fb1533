"""The sRGB curve (IEC 61966-2-1): between light and what a display is sent."""

from __future__ import annotations

import numpy as np

from vhmae.arrays import UnitColors


def encoded(light: UnitColors) -> UnitColors:
    """Light in [0, 1] -> sRGB in [0, 1], in float32."""
    light = light.astype(np.float32, copy=False)
    return np.where(
        light <= 0.0031308,
        np.float32(12.92) * light,
        np.float32(1.055) * light ** np.float32(1 / 2.4) - np.float32(0.055),
    )


def linear(values: UnitColors) -> UnitColors:
    """sRGB in [0, 1] -> light in [0, 1], in float32."""
    values = values.astype(np.float32, copy=False)
    return np.where(
        values <= 0.04045,
        values / np.float32(12.92),
        ((values + np.float32(0.055)) / np.float32(1.055)) ** np.float32(2.4),
    )
