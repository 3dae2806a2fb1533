"""The anatomy of an error: what a report says beside how large it is.

What was needed and made (change.py), what the best map would leave (ceiling.py), skin apart
(skin.py), parts of the set (groups.py). The runner measures each composite once, and sums up at the
end.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from vhmae.arrays import Array, Frames, Mask, Places
from vhmae.data.hyoutube import Sample
from vhmae.evaluation.ceiling import describe_ceiling, measure_ceiling, summarize_ceiling
from vhmae.evaluation.change import describe_change, measure_change, summarize_change
from vhmae.evaluation.groups import Pooled, read_journal, summarize_groups
from vhmae.evaluation.skin import describe_skin, measure_skin, skin_of, summarize_skin

PIXELS = 20_000
"""Foreground pixels of a clip that are looked at, evenly spaced."""


def measure(sample: Sample, result: Frames, truth: tuple[Frames, Frames, Mask]) -> dict[str, float]:
    """Measure one composite.

    Args:
        sample: where it lies; its set may know where skin is.
        result: (T, H, W, 3) uint8.
        truth: composite and target, likewise, and the mask (T, H, W) bool.
    Returns:
        Numbers by name, for :func:`summarize`.
    """
    composite, target, mask = truth
    places = spread_places(mask, PIXELS)
    before, after, wanted = (_colors(clip, places) for clip in (composite, result, target))
    found = {**measure_change(before, after, wanted), **measure_ceiling(before, wanted)}
    skin = skin_of(sample, mask.shape)
    if skin is not None:
        places = spread_places(skin & mask, PIXELS)
        colors = [_colors(clip, places) for clip in (composite, result, target)]
        found |= measure_skin(*colors)
    return found


def spread_places(mask: Mask, count: int) -> Places:
    """Flat places of at most ``count`` pixels of a mask (T, H, W), evenly spaced among them."""
    places = np.flatnonzero(mask)
    if len(places) <= count:
        return places
    return places[np.linspace(0, len(places) - 1, count).astype(int)]


def _colors(clip: Array, places: Array) -> Array:
    return np.asarray(clip.reshape(-1, 3)[places])


def summarize(
    scores: Sequence[Any], data: Path, pool: Callable[[Sequence[Any]], Pooled]
) -> dict[str, Any]:
    """The report's further keys.

    Args:
        scores: of all composites; ``parts`` holds what :func:`measure` returned.
        data: the set's folder, whose journal may know of groups.
        pool: sums scores up in the protocol's way.
    """
    whole = pool(scores)

    def mean(name: str) -> float:
        return whole.mean(name, "parts")

    report: dict[str, Any] = {"change": summarize_change(mean), "ceiling": summarize_ceiling(mean)}
    with_skin = [s.parts for s in scores if math.isfinite(s.parts.get("skin.fmse", math.nan))]
    if with_skin:
        report["skin"] = summarize_skin(mean, with_skin)
    return report | summarize_groups(read_journal(data), scores, pool)


def describe(report: dict[str, Any]) -> list[str]:
    """Lines for a terminal; those of groups stand apart (``groups.describe_groups``)."""
    lines = []
    if "change" in report:
        lines += describe_change(report["change"]) + describe_ceiling(report["ceiling"])
    return lines + (describe_skin(report["skin"]) if "skin" in report else [])
