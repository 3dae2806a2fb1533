"""What of the change that was needed was made: exposure, color, black level, contrast.

One error says how much is left, not what. A method may mend every hue and leave each subject a stop
too dark; its fMSE does not tell. Here the foreground's mean luma, mean chroma, black level and
contrast are compared: the step from composite to target is what was *needed*, the step from
composite to result what was *made*.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np

from vhmae.arrays import Levels

TRAITS = ("luma", "chroma", "black", "contrast")
BLACK_QUANTILE = 0.05
"""Share of a foreground that is darker than its black level; less would be noise."""
_LUMA = np.array([0.299, 0.587, 0.114])


def traits(colors: Levels) -> dict[str, Levels]:
    """Sum up a foreground's colors.

    Args:
        colors: (P, 3) RGB on the 0-255 scale.

    Returns:
        In levels: mean luma (1,), mean chroma (2,) as Cb and Cr of BT.601, black level (1,) as the
        5 % quantile of luma, contrast (1,) as its standard deviation.
    """
    values = colors.astype(np.float64)
    luma = values @ _LUMA
    mean = values.mean(axis=0)
    chroma = np.array([(mean[2] - luma.mean()) / 1.772, (mean[0] - luma.mean()) / 1.402])
    return {
        "luma": np.array([luma.mean()]),
        "chroma": chroma,
        "black": np.array([np.quantile(luma, BLACK_QUANTILE)]),
        "contrast": np.array([luma.std()]),
    }


def measure_change(composite: Levels, result: Levels, target: Levels) -> dict[str, float]:
    """Compare what was needed with what was made, for one composite.

    Args:
        composite, result, target: colors of the same foreground pixels, (P, 3) on the 0-255 scale.

    Returns:
        For each trait ``TRAIT.needed`` (squared step to the target), ``TRAIT.along`` (product of
        the steps made and needed) and ``TRAIT.left`` (squared step from the result to the target),
        in squared levels.
    """
    before, after, wanted = (traits(colors) for colors in (composite, result, target))
    found = {}
    for name in TRAITS:
        needed, made = wanted[name] - before[name], after[name] - before[name]
        found[f"{name}.needed"] = float(needed @ needed)
        found[f"{name}.along"] = float(made @ needed)
        found[f"{name}.left"] = float(np.square(needed - made).sum())
    return found


def summarize_change(mean: Callable[[str], float]) -> dict[str, Any]:
    """Sum up a set.

    Args:
        mean: the set's mean of what :func:`measure_change` returns by that name.

    Returns:
        For each trait ``needed_levels`` (root of the mean squared step that was needed), ``slope``
        (levels made for a level needed: the regression of one on the other through the origin; 1
        is right, 0 is untouched) and ``cut`` (share of the squared error that is gone; below 0 it
        grew). A trait that needed no change has none of the last two.
    """
    rows: dict[str, Any] = {}
    for name in TRAITS:
        needed = mean(f"{name}.needed")
        if not math.isfinite(needed):
            continue
        row: dict[str, float | None] = {"needed_levels": round(math.sqrt(needed), 3)}
        some = needed > 1e-9
        row["slope"] = round(mean(f"{name}.along") / needed, 4) if some else None
        row["cut"] = round(1.0 - mean(f"{name}.left") / needed, 4) if some else None
        rows[name] = row
    return rows


def describe_change(rows: dict[str, Any]) -> list[str]:
    """One line for a terminal: slopes, in brackets the cut."""
    words = [
        f"{name} {row['slope']:.2f} ({row['cut']:.0%})"
        for name, row in rows.items()
        if row["slope"] is not None
    ]
    return [f"  made of what was needed (error cut): {', '.join(words)}"] if words else []
