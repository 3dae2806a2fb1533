"""Transforms over time: averaged over the key frames of a shot, so that nothing flickers."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

import numpy as np

from vhmae.arrays import Array
from vhmae.engine.rendering import FrameTransform, PixelChange

SMOOTHING_FRAMES = 24.0
"""Standard deviation of the weights with which transforms are averaged over time, in frames."""


@dataclasses.dataclass(frozen=True)
class Estimate:
    """What the network said at a key frame."""

    shot: int
    index: int
    change: FrameTransform | PixelChange


def smoothed(
    estimates: list[Estimate], index: int, window: int, reach: int
) -> FrameTransform | PixelChange:
    """The transform of a frame, averaged over the estimates of its shot; drawn pixels are taken
    from the nearest frame.

    The overall map takes Gaussian weights, which fall to nothing ``reach`` frames ahead, where
    estimates come into sight: they would come in with a step. The local maps follow the subject, so
    they take a triangle as wide as a window on either side: it evens out whatever depends on a
    frame's place in its window, which a still picture would show.
    """
    places = np.array([estimate.index for estimate in estimates], dtype=float)
    distance = np.abs(places - index)
    nearest = estimates[int(distance.argmin())].change
    if isinstance(nearest, PixelChange):
        return nearest
    maps = [
        estimate.change for estimate in estimates if isinstance(estimate.change, FrameTransform)
    ]
    far = np.exp(-0.5 * ((distance - distance.min()) / SMOOTHING_FRAMES) ** 2)
    if reach > 0:
        far *= np.where(
            places > index, np.clip((reach - (places - index)) / min(window, reach), 0.0, 1.0), 1.0
        )
    if far.sum() <= 0.0:
        far = (distance == distance.min()).astype(float)

    # At the ends of a shot the estimates go on as in a mirror.
    def triangle(centers: Array) -> Array:
        return np.clip(1.0 - np.abs(centers - index) / window, 0.0, None)

    near = triangle(places)
    near[1:] += triangle(2.0 * places[0] - places[1:])
    near[:-1] += triangle(2.0 * places[-1] - places[:-1])
    if near.sum() <= 0.0:  # the subject was away for longer than a window
        near = (distance == distance.min()).astype(float)

    def mean(weights: Array, values: list[Array]) -> Array:
        return np.tensordot(weights / weights.sum(), np.stack(values), axes=1).astype(np.float32)

    return FrameTransform(
        mean(far, [one.overall for one in maps]), mean(near, [one.local for one in maps])
    )


def is_past(estimates: Sequence[Estimate], index: int) -> bool:
    """Whether the oldest estimate is too old to count at a frame, and a younger one stands in for
    it."""
    first = estimates[0]
    others = len(estimates) > 1 and estimates[1].shot == first.shot and estimates[1].index <= index
    return others and first.index < index - 3.0 * SMOOTHING_FRAMES
