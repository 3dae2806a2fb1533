"""Colors of the foreground of each shot, with what the answer does to them: what a diagnosis is
made of, whatever is said afterwards."""

from __future__ import annotations

import dataclasses
import functools
import threading
from collections.abc import Sequence

import numpy as np

from vhmae.app.maps import Answered
from vhmae.arrays import Array, Thinned
from vhmae.color.basis import AFFINE
from vhmae.engine.fading import nearly_in_full
from vhmae.engine.rendering import FrameTransform, KeepingChange, RgbChange
from vhmae.engine.sampling import changed_pixels
from vhmae.engine.settings import Kept
from vhmae.guide.colors import added
from vhmae.video.planes import Box, PlanarFrame

SIDE = 64
"""A frame is looked at on a grid of this many places in a row and a column."""
EVERY_FRAMES = 6
"""Frames from one that is looked at to the next."""
MOST_PIXELS = 4096
"""Of an object in a shot; of a longer one, every second is dropped as often as needed."""


def unclipped_change(
    transform: FrameTransform, rgb: Array, box: Box, height: int, width: int
) -> Array:
    """What maps add to the pixels of a box, not clipped.

    Args:
        rgb: (3, h, w) float32.
        height, width: of the whole frame.
    Returns:
        (3, h, w) float64.
    """
    maps, steps, lower, share = transform.maps(box, height, width)
    affine = maps[lower] + share[:, None, None] * steps[lower]  # (h, 12, w)
    terms = affine.reshape(len(affine), 3, AFFINE, -1)
    ones = np.concatenate([rgb, np.ones_like(rgb[:1])])
    moved = np.einsum("hctw,thw->chw", terms, ones.astype(np.float64))
    quadratic = transform.overall.astype(np.float64).copy()
    quadratic[:, :AFFINE] = 0.0
    curved: Array = added(rgb.transpose(1, 2, 0), quadratic).transpose(2, 0, 1)
    return moved + curved


@dataclasses.dataclass(frozen=True)
class _Added:
    """A change that is known pixel by pixel, of pixels that are of no frame."""

    step: Array

    def scaled(self, strength: float) -> _Added:
        return _Added(self.step * strength)

    def change(self, rgb: Array, box: Box, height: int, width: int) -> Array:
        return np.clip(rgb + self.step, 0.0, 1.0) - rgb


class Pixels:
    """An object's pixels in a shot."""

    def __init__(self) -> None:
        self._seen = Thinned(2 * MOST_PIXELS)  # (P, 7): before, step, share

    def add(self, before: Array, step: Array, share: float) -> None:
        """Take pixels with what the answer adds to them in full, of which they get a share."""
        self._seen.add(np.column_stack([before, step, np.full(len(before), share)]))

    def both(self, said: Array, strength: float, keep: Sequence[Kept]) -> tuple[Array, Array]:
        """Colors before and after, (P, 3) float64: of frames that show the shot in full, or as
        much of it as any in a fade.

        Args:
            said: (30,), what the guide adds.
        """
        seen = np.concatenate(self._seen.parts)
        most = seen[:, 6].max()
        seen = seen[nearly_in_full(seen[:, 6])]
        before, share = seen[:, :3], most
        step = share * (seen[:, 3:6] + added(before, said))
        planes = before.T[:, None].astype(np.float32)
        change: RgbChange = _Added(step.T[:, None] * strength)
        if keep:
            change = KeepingChange(change, keep)
        moved = change.change(planes, Box(0, 0, 1, len(before)), 1, len(before))
        return before, before + moved[:, 0].T.astype(np.float64)


class Samples:
    """Pixels of all objects and shots; for any thread."""

    def __init__(self) -> None:
        self._pixels: dict[tuple[int, int], Pixels] = {}
        self._last: dict[tuple[int, int], int] = {}
        self._most: dict[tuple[int, int], float] = {}
        self._lock = threading.Lock()

    def look_at(
        self,
        index: int,
        shot: int,
        place: int,
        image: PlanarFrame,
        matte: Array,
        answer: Answered,
    ) -> None:
        """Take a frame's pixels, now and then."""
        key = place, shot
        often = index - self._last.get(key, -EVERY_FRAMES) < EVERY_FRAMES
        if often and answer.share <= self._most.get(key, 0.0):
            return
        before, step = pixels_of(image, matte, answer.maps)
        if not len(before):
            return
        with self._lock:
            self._last[key] = index
            self._most[key] = max(answer.share, self._most.get(key, 0.0))
            self._pixels.setdefault(key, Pixels()).add(before, step, answer.share)

    def both(
        self, shot: int, place: int, said: Array, strength: float, keep: Sequence[Kept]
    ) -> tuple[Array, Array] | None:
        """As :meth:`Pixels.both`; None where nothing was seen."""
        with self._lock:
            pixels = self._pixels.get((place, shot))
            return None if pixels is None else pixels.both(said, strength, keep)


def pixels_of(image: PlanarFrame, matte: Array, transform: FrameTransform) -> tuple[Array, Array]:
    """Foreground pixels of a frame on a grid, and what the answer adds to them: (P, 3) each."""
    change = functools.partial(unclipped_change, transform)
    before, step = changed_pixels(image, matte, SIDE, change)
    return before.astype(np.float64), step
