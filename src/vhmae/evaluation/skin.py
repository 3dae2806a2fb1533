"""Skin by itself: the error that everybody sees, in sets that know where skin is.

A face before a green wall that turns green is a small part of an error over whole foregrounds. Sets
made with ``skin: true`` keep where skin was before any look (color/skin.py finds it by its chroma);
error and hue are taken there.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from vhmae.arrays import Levels, Mask
from vhmae.data.hyoutube import SKIN, Sample, find_picture, read_picture
from vhmae.errors import counted

FEWEST_PIXELS = 200
"""Over all frames of a composite; fewer are no skin that anybody sees."""
GREY_CHROMA = 2.0
"""Lab chroma under which a color has no hue."""
KEYS = (
    *("skin.fmse", "skin.hue", "skin.grey"),
    *("skin.untouched", "skin.untouched_hue", "skin.untouched_grey"),
)


def skin_of(sample: Sample, shape: tuple[int, ...]) -> Mask | None:
    """Where a composite shows skin: (T, H, W) bool, or None in sets that do not say.

    Args:
        shape: of the mask as it is scored; the skin is resized to it.
    """
    parents = sample.mask.parents
    folder = parents[2] / SKIN / Path(*sample.mask.parts[-2:]) if len(parents) > 2 else None
    if folder is None or not folder.is_dir():
        return None
    size = (shape[2], shape[1])
    planes = []
    for name in sample.frame_names():
        plane = read_picture(find_picture(folder, name), color=False)
        planes.append(cv2.resize(plane, size, interpolation=cv2.INTER_NEAREST) > 127)
    return np.stack(planes)


def measure_skin(composite: Levels, result: Levels, target: Levels) -> dict[str, float]:
    """Error and hue of one composite's skin.

    Args:
        composite, result, target: colors of the same skin pixels, (P, 3) on the 0-255 scale.

    Returns:
        ``skin.fmse`` and ``skin.untouched`` in squared levels; ``skin.hue`` and
        ``skin.untouched_hue``: how far the hue of the mean color is from the target's, in degrees,
        NaN where a mean color is grey; ``skin.grey`` and ``skin.untouched_grey``: 1 where the
        result's (the composite's) mean color is grey and the target's is not, else 0: skin that was
        bleached has no hue to be wrong. All are NaN with too few pixels.
    """
    if len(composite) < FEWEST_PIXELS:
        return dict.fromkeys(KEYS, math.nan)
    wanted = target.astype(np.float64)
    found = {}
    for colors, (error, hue, grey) in zip((result, composite), (KEYS[:3], KEYS[3:]), strict=True):
        found[error] = float(np.square(colors - wanted).mean())
        found[hue] = hue_error(colors, target)
        found[grey] = float(_hue(colors) is None and _hue(target) is not None)
    return found


def hue_error(colors: Levels, target: Levels) -> float:
    """Angle between the Lab hues of two mean colors, 0 to 180 degrees; NaN where one is grey."""
    first, second = _hue(colors), _hue(target)
    if first is None or second is None:
        return math.nan
    turn = abs(first - second) % 360.0
    return min(turn, 360.0 - turn)


def _hue(colors: Levels) -> float | None:
    """The Lab hue of a mean color in degrees; None where it is grey."""
    mean = colors.astype(np.float64).mean(axis=0).astype(np.float32) / np.float32(255.0)
    _, a, b = (float(v) for v in cv2.cvtColor(mean.reshape(1, 1, 3), cv2.COLOR_RGB2LAB)[0, 0])
    return None if math.hypot(a, b) < GREY_CHROMA else math.degrees(math.atan2(b, a))


def summarize_skin(
    mean: Callable[[str], float], composites: Sequence[Mapping[str, float]]
) -> dict[str, Any]:
    """Sum up a set.

    Args:
        mean: the set's mean of what :func:`measure_skin` returns by that name.
        composites: what it returned of each that shows skin.

    Returns:
        ``composites``, ``fmse`` and its ``ratio``; ``hue_degrees`` of method and untouched
        composite, each over those that have a hue; ``grey``: how many of either have none where
        the target has one.
    """
    fmse, base = mean("skin.fmse"), mean("skin.untouched")
    hues = {"method": mean("skin.hue"), "composite": mean("skin.untouched_hue")}
    return {
        "composites": len(composites),
        "fmse": round(fmse, 4),
        "ratio": round(fmse / base, 4) if base > 0.0 else None,
        "hue_degrees": {
            name: round(hue, 3) if math.isfinite(hue) else None for name, hue in hues.items()
        },
        "grey": {
            "method": sum(one["skin.grey"] > 0.0 for one in composites),
            "composite": sum(one["skin.untouched_grey"] > 0.0 for one in composites),
        },
    }


def describe_skin(skin: dict[str, Any]) -> list[str]:
    """One line for a terminal."""
    ratio = "-" if skin["ratio"] is None else f"{skin['ratio']:.3f}"
    hue, before = ("-" if h is None else f"{h:.1f}" for h in skin["hue_degrees"].values())
    grey = skin["grey"]
    bleached = (
        f"; bleached to grey: {grey['method']} (untouched {grey['composite']})"
        if any(grey.values())
        else ""
    )
    return [
        f"  skin ({counted(skin['composites'], 'composite')}): ratio {ratio}, hue off by {hue} "
        f"degrees (untouched {before}){bleached}"
    ]
