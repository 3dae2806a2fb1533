"""What is seen of a frame: small pictures and masks for the network, and whether there is anything
to read."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from vhmae.arrays import Array, Mask, Matte, Picture, UnitFrame, to_unit, top_of
from vhmae.errors import ShapeError
from vhmae.video.planes import shrink

Thumbnail = Callable[[int, int], Array]
"""(height, width) -> the frame at this size, (height, width, 3) float32 RGB in [0, 1]."""
FindBackground = Callable[[Any], tuple[Thumbnail, Array] | None]
"""Payload -> thumbnail and matte of the next frame of its shot that shows background; None where it
is known that none does."""
MINIMUM_BACKGROUND = 0.002
"""A frame with a smaller share of background says nothing of the scene's look."""
LOOKED_AT = 256
"""A large matte is looked at in about as many rows and columns first."""


def shows_background(matte: Matte) -> bool:
    """Whether a frame shows enough background to be read."""
    top = top_of(matte)
    # A coarse look finds it where there is plenty; where it finds none, a thin strip may lie
    # between its rows.
    for step in dict.fromkeys((max(2, min(matte.shape) // LOOKED_AT), 2)):
        looked_at = matte[::step, ::step]
        if np.count_nonzero(looked_at < 0.5 * top) >= MINIMUM_BACKGROUND * looked_at.size:
            return True
    return False


def one_before_another(mattes: Sequence[Matte]) -> tuple[tuple[Matte, ...], bool]:
    """What is seen of each object: the later one is in front, so that no pixel's shares exceed one.

    Args:
        mattes: (H, W) each, as :func:`vhmae.arrays.to_unit` takes them.
    Returns:
        The mattes, each less what lies before it, and whether any two overlap.
    """
    shown, free, overlap = list(mattes), None, False
    for place in reversed(range(len(shown) if len(shown) > 1 else 0)):
        matte = mattes[place]
        cover = to_unit(matte)
        if free is not None:
            hidden = (matte > 0) & (free < 1.0)
            if hidden.any():
                overlap = True
                left = cover[hidden] * free[hidden]
                whole = matte.dtype in (np.uint8, np.uint16)
                shown[place] = matte.copy() if whole else cover.copy()
                # Rounded down: sums of shares stay within one.
                shown[place][hidden] = np.floor(left * top_of(matte) + 1e-3) if whole else left
        free = 1.0 - cover if free is None else free * (1.0 - cover)
    return tuple(shown), overlap


class MaskKind:
    """What the whole numbers of a stream's masks stand for: 1 alone beside 0, as masks made of
    bools hold it, is white, until a mask has had more; a matte that has all but faded out stays
    one."""

    def __init__(self) -> None:
        self._has_levels = False

    def checked(self, frame: Picture, mask: Matte) -> Matte:
        """The mask of the next frame, as bool where it holds ones.

        Raises:
            ShapeError: for what :func:`check_frame` refuses.
        """
        check_frame(frame, mask)
        top = int(mask.max(initial=0)) if mask.dtype in (np.uint8, np.uint16) else 0
        self._has_levels |= top > 1
        return mask > 0 if top == 1 and not self._has_levels else mask


def reference_of(picture: Picture, size: int) -> UnitFrame:
    """A picture to harmonize to, as the network sees it, (size, size, 3).

    Raises:
        ShapeError: for what is none.
    """
    _check_array("reference", picture)
    if picture.ndim != 3 or picture.shape[2] != 3 or 0 in picture.shape:
        raise ShapeError(f"expected a reference (H, W, 3), got {picture.shape}")
    _check_values("reference", picture, (np.uint8,))
    return thumbnail_of(picture, size, size)


def check_frame(frame: Picture, mask: Matte) -> None:
    """Refuse a frame and mask that :meth:`Harmonizer.step` does not take."""
    _check_array("frame", frame)
    _check_array("mask", mask)
    if frame.ndim != 3 or frame.shape[2] != 3 or mask.shape != frame.shape[:2] or 0 in mask.shape:
        raise ShapeError(
            f"expected a frame (H, W, 3) and a mask (H, W) of the same size, got {frame.shape} and "
            f"{mask.shape}"
        )
    _check_values("frame", frame, (np.uint8,))
    _check_values("mask", mask, (np.bool_, np.uint8, np.uint16))


def _check_array(what: str, given: object) -> None:
    if not isinstance(given, np.ndarray):
        raise ShapeError(f"expected a {what} as a NumPy array, got {type(given).__name__}")


def _check_values(what: str, values: Array, stored: Sequence[type[np.generic]]) -> None:
    if values.dtype in stored:
        return
    if values.dtype not in (np.float32, np.float64):
        kinds = ", ".join(np.dtype(kind).name for kind in stored)
        raise ShapeError(f"expected a {what} of {kinds} or float32 in [0, 1], got {values.dtype}")
    if not (values.min() >= -0.001 and values.max() <= 1.001):  # false for what is no number, too
        raise ShapeError(
            f"expected a {what} in [0, 1], got values from {values.min():g} to {values.max():g}"
        )


def thumbnail_of(frame: Picture, height: int, width: int) -> UnitFrame:
    """Shrink a frame (H, W, 3), uint8 or float32 in [0, 1], as :data:`Thumbnail` gives it."""
    small = shrink(frame, height, width)
    return to_unit(small)


def small_mask(matte: Matte, size: int) -> Mask:
    """The mask that the network sees: half-covered pixels count; a subject thinner than that counts
    wherever it is."""
    stored = matte.astype(np.float32) if matte.dtype not in (np.uint8, np.uint16) else matte
    small = to_unit(shrink(stored, size, size))
    mask = small >= 0.5
    return mask if mask.any() else small > 0.0
