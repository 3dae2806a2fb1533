"""What a stream remembers, in a form that can be kept: numbers for JSON, and arrays."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Sequence
from typing import Any

from vhmae.arrays import Arrays
from vhmae.engine.estimation import KeyFrame
from vhmae.engine.rendering import FrameTransform, PixelChange
from vhmae.engine.smoothing import Estimate


@dataclasses.dataclass(frozen=True)
class Snapshot:
    """A stream's memory: numbers for JSON, and arrays."""

    numbers: dict[str, Any]
    arrays: Arrays


def window_arrays(window: Sequence[KeyFrame]) -> Arrays:
    """The pictures of key frames that wait; their numbers are kept apart."""
    arrays: Arrays = {}
    for place, (_, frame, mask) in enumerate(window):
        arrays |= {f"window{place}.frame": frame, f"window{place}.mask": mask}
    return arrays


def window_of(indices: Iterable[int], arrays: Arrays) -> list[KeyFrame]:
    return [
        (index, arrays[f"window{at}.frame"], arrays[f"window{at}.mask"])
        for at, index in enumerate(indices)
    ]


def estimate_arrays(estimates: Iterable[Estimate]) -> Arrays:
    """The changes of estimates; their shots and frames are kept apart."""
    return {
        f"estimate{place}.{name}": value
        for place, estimate in enumerate(estimates)
        for name, value in dataclasses.asdict(estimate.change).items()
    }


def estimates_of(
    kind: type[FrameTransform] | type[PixelChange],
    places: Iterable[Sequence[int]],
    arrays: Arrays,
) -> list[Estimate]:
    """Estimates again, from the shot and the frame of each."""
    names = [field.name for field in dataclasses.fields(kind)]
    return [
        Estimate(shot, index, kind(**{name: arrays[f"estimate{at}.{name}"] for name in names}))
        for at, (shot, index) in enumerate(places)
    ]
