"""What the network sees of a frame, and what whole shots look like before they are harmonized.

Where the camera or the subject moves, a whole shot shows more background than the few frames that a window holds; what reading it is
worth stands in docs/decisions.md, "Whole shots".
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch

from vhmae.color.statistics import PixelSets, draw_pixel_sets, merge_pixel_sets
from vhmae.errors import ShapeError
from vhmae.rendering import as_matte
from vhmae.video.cuts import THUMBNAIL, CutDetector
from vhmae.video.planes import shrink

Array = np.ndarray
Thumbnail = Callable[[int, int], Array]
"""(height, width) -> the frame at this size, (height, width, 3) float32 RGB in [0, 1]."""
MINIMUM_BACKGROUND = 0.002
"""A frame with a smaller share of background says nothing of the scene's look."""
LOOKED_AT = 256
"""A large matte is looked at in about as many rows and columns first."""
KEPT = 16
"""Frames of a shot that count at least, if it has as many; twice as many at most, evenly spread."""
FULL = 4
"""Frames of which all drawn pixels count; of more frames, every second, third ... pixel does, so that reading takes no longer."""


def shows_background(matte: Array) -> bool:
    """Whether a frame shows enough background to be read."""
    top = {np.dtype(np.uint8): 255, np.dtype(np.uint16): 65535}.get(matte.dtype, 1)
    # A coarse look finds it where there is plenty; where it finds none, a thin strip may lie between its rows.
    for step in dict.fromkeys((max(2, min(matte.shape) // LOOKED_AT), 2)):
        looked_at = matte[::step, ::step]
        if np.count_nonzero(looked_at < 0.5 * top) >= MINIMUM_BACKGROUND * looked_at.size:
            return True
    return False


def check_frame(frame: Array, mask: Array) -> None:
    """Refuse a frame and mask that :meth:`Harmonizer.step` does not take."""
    if frame.ndim != 3 or frame.shape[2] != 3 or mask.shape != frame.shape[:2]:
        raise ShapeError(f"expected a frame (H, W, 3) and a mask (H, W) of the same size, got {frame.shape} and {mask.shape}")
    for what, values, stored in (("frame", frame, (np.uint8,)), ("mask", mask, (np.bool_, np.uint8, np.uint16))):
        if values.dtype in stored:
            continue
        if values.dtype not in (np.float32, np.float64):
            kinds = ", ".join(np.dtype(kind).name for kind in stored)
            raise ShapeError(f"expected a {what} of {kinds} or float32 in [0, 1], got {values.dtype}")
        if not (values.min() >= -0.001 and values.max() <= 1.001):  # false for what is no number, too
            raise ShapeError(f"expected a {what} in [0, 1], got values from {values.min():g} to {values.max():g}")


def thumbnail_of(frame: Array, height: int, width: int) -> Array:
    """Shrink a frame (H, W, 3), uint8 or float32 in [0, 1], as :data:`Thumbnail` gives it."""
    small = shrink(frame, height, width)
    return small.astype(np.float32) / 255.0 if frame.dtype == np.uint8 else small.astype(np.float32)


def small_mask(matte: Array, size: int) -> Array:
    """The mask that the network sees: half-covered pixels count; a subject thinner than that counts wherever it is."""
    stored = matte.astype(np.float32) if matte.dtype not in (np.uint8, np.uint16) else matte
    small = as_matte(shrink(stored, size, size))
    mask = small >= 0.5
    return mask if mask.any() else small > 0.0


class Survey:
    """The colours of every shot of a stream, drawn from frames spread over it; shots are numbered as the harmonizer numbers them."""

    def __init__(self, see: Callable[[Thumbnail, Array], tuple[Array, Array]], cut_detection: bool = True) -> None:
        """Begin a survey.

        Args:
            see: a frame's thumbnail and matte as the network sees them, (S, S, 3) float32 and (S, S) bool.
            cut_detection: False takes the stream as one shot, but for the cuts that :meth:`look_at` is told.
        """
        self._see = see
        self._cuts = CutDetector() if cut_detection else None
        self._ended: list[PixelSets | None] = []
        self._shot: list[PixelSets] = []
        self._usable = 0
        self._step = 1

    def look_at(self, thumbnail: Thumbnail, matte: Array, cut: bool = False) -> None:
        """Take the next frame; the arguments are those of ``Harmonizer.push``."""
        if self._cuts is not None:
            cut = self._cuts.step(thumbnail(*THUMBNAIL)) or cut
        if cut:  # all that is kept of an ended shot is what will be read: hours of shots take little room
            self._ended.append(_read_as_one(self._shot))
            self._shot, self._usable, self._step = [], 0, 1
        if not (matte.any() and shows_background(matte)):
            return
        if self._usable % self._step == 0:
            self._draw(*self._see(thumbnail, matte))
        self._usable += 1

    def _draw(self, frame: Array, mask: Array) -> None:
        if mask.all():
            return
        frames, masks = torch.from_numpy(frame).permute(2, 0, 1)[None, None], torch.from_numpy(mask)[None, None, None]
        self._shot.append(draw_pixel_sets(frames, masks))
        if len(self._shot) == 2 * KEPT:  # every other frame goes, and from now on every other is taken
            del self._shot[1::2]
            self._step *= 2

    def sets_of(self, shot: int) -> PixelSets | None:
        """The pixel sets of a shot; None where it has shown nothing to read."""
        if shot < len(self._ended):
            return self._ended[shot]
        return _read_as_one(self._shot) if shot == len(self._ended) else None


def _read_as_one(frames: list[PixelSets]) -> PixelSets | None:
    """The pixel sets of a shot's frames together, thinned to those of a few."""
    step = max(1, len(frames) // FULL)
    return merge_pixel_sets([([colors[:, ::step] for colors in sets], shares) for sets, shares in frames]) if frames else None
