"""The ceiling: what the best color map of each composite would leave, if somebody knew the answer.

A method that paints one map of colors over a foreground cannot do better than this, however well it
guesses. What a set's ceiling leaves is light that differs from place to place, noise, clipped
colors and compression.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import torch

from vhmae.arrays import Levels
from vhmae.color.basis import AFFINE, QUADRATIC, apply_transform, fit_transform

MAPS = {"affine": AFFINE, "quadratic": QUADRATIC}
RIDGE = 1e-6
"""As in the oracle methods: enough for a foreground of one color, too little to be seen."""


def measure_ceiling(composite: Levels, target: Levels) -> dict[str, float]:
    """Fit the best maps of one composite and measure what they leave.

    Args:
        composite, target: colors of the same foreground pixels, (P, 3) on the 0-255 scale.

    Returns:
        ``ceiling.affine``, ``ceiling.quadratic``: mean squared error after the best map, clipped;
        ``ceiling.untouched``: that of the composite. All in squared levels over these pixels.
    """
    source = torch.from_numpy(composite.astype(np.float64)) / 255.0
    wanted = torch.from_numpy(target.astype(np.float64)) / 255.0
    found = {"ceiling.untouched": float((source - wanted).square().mean()) * 255.0**2}
    for name, size in MAPS.items():
        coefficients = fit_transform(source, wanted, size, ridge=RIDGE)
        mapped = apply_transform(source, coefficients).clamp(0.0, 1.0)
        found[f"ceiling.{name}"] = float((mapped - wanted).square().mean()) * 255.0**2
    return found


def summarize_ceiling(mean: Callable[[str], float]) -> dict[str, Any]:
    """Ratios of a set's means, best map over untouched composite; None where nothing differs."""
    base = mean("ceiling.untouched")
    return {name: round(mean(f"ceiling.{name}") / base, 4) if base > 0.0 else None for name in MAPS}


def describe_ceiling(rows: dict[str, Any]) -> list[str]:
    """One line for a terminal."""
    words = [f"{name} {ratio:.3f}" for name, ratio in rows.items() if ratio is not None]
    return [f"  the best map of each composite would leave: {', '.join(words)}"] if words else []
