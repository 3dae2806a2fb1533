"""Pixels of a foreground with what is done to them: what grades and diagnoses are fitted to."""

from __future__ import annotations

from collections.abc import Callable

import cv2
import numpy as np

from vhmae.arrays import Array, Colors, Matte, Planes, PlaneSteps
from vhmae.engine.solid import most_of, solid_of
from vhmae.video.planes import Box, PlanarFrame, matte_box

LEAST_PIXELS = 64
"""Where the grid meets fewer, a grade would rest on too few colors."""


def changed_pixels(
    image: PlanarFrame,
    matte: Matte,
    side: int,
    change: Callable[[Planes, Box, int, int], PlaneSteps],
) -> tuple[Colors, Colors]:
    """Pixels of a foreground where a grid over the frame meets it; where it meets next to none of
    them, since the foreground is small, pixels of its own rows.

    Args:
        image: the frame, (H, W).
        matte: (H, W), as :func:`vhmae.arrays.to_unit` takes it.
        side: places of the grid in a row and in a column.
        change: of the pixels of a box, as :meth:`vhmae.engine.rendering.RgbChange.change`.
    Returns:
        Colors before, in [0, 1], and what is added to them: (P, 3) each, with no P where the matte
        is empty.
    """
    grid = cv2.resize(_plain(matte), (side, side), interpolation=cv2.INTER_NEAREST)
    inside = solid_of(grid, most_of(matte))
    if np.count_nonzero(inside) < LEAST_PIXELS:
        return _of_its_rows(image, matte, side, change)
    before = image.sample(side, side)
    added = change(before, Box(0, 0, side, side), side, side)
    return before[:, inside].T, added[:, inside].T


def _of_its_rows(
    image: PlanarFrame,
    matte: Matte,
    side: int,
    change: Callable[[Planes, Box, int, int], PlaneSteps],
) -> tuple[Colors, Colors]:
    box = matte_box(matte, image.chroma_x, image.chroma_y)
    if box is None:
        return np.zeros((0, 3), np.float32), np.zeros((0, 3), np.float32)
    height, width = matte.shape
    solid = solid_of(matte[box.rows, box.columns])
    rows = np.flatnonzero(solid.any(axis=1))
    rows = rows[_spread(len(rows), side)]
    before: list[Array] = []
    added: list[Array] = []
    for top in np.unique(rows - rows % image.chroma_y).tolist():
        bottom = min(top + image.chroma_y, box.bottom - box.top)
        strip = Box(box.top + top, box.left, box.top + bottom, box.right)
        inside = solid[top:bottom]
        rgb = image.rgb_planes(strip)
        before.append(rgb[:, inside].T)
        added.append(change(rgb, strip, height, width)[:, inside].T)
    both = np.concatenate(before), np.concatenate(added)
    picks = _spread(len(both[0]), side * side)
    return both[0][picks], both[1][picks]


def _spread(count: int, most: int) -> Array:
    """So many of a number of things, evenly spread, or all of them."""
    return np.linspace(0, count - 1, min(most, count)).astype(int)


def _plain(matte: Matte) -> Array:
    """A matte in a type that OpenCV scales."""
    return matte if matte.dtype in (np.uint8, np.uint16) else matte.astype(np.float32)
