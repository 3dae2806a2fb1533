"""Which pixels stand for a look: importable without torch.

Four *pixel sets* describe a composite: the foreground, the background, and two rings along the
mask's edge, inside and outside it. Each set is drawn at evenly spaced ranks of its pixels, so that
few pixels stand for all of them. Letters: B batch, T frames, P pixels, S sets.
"""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np

from vhmae.arrays import Array, Mask, Numbers, Places, UnitFrame

SETS = ("foreground", "background", "inner_ring", "outer_ring")
FOREGROUND_SETS = ("foreground", "inner_ring")
RING_SHARE = 6 / 160
"""Width of a ring as a share of the frame's shorter side."""
PIXELS = (512, 512, 256, 256)
"""Pixels drawn for each set."""

ReadSets = tuple[list[Array], Array]
"""Drawn colors, one (B, P, 3) float32 per set, and the sets' shares of all pixels (B, S)."""


def ring_radius(height: int, width: int) -> int:
    """Width of a ring in frames of a size, in pixels."""
    return max(1, round(RING_SHARE * min(height, width)))


def grow(mask: Mask, radius: int) -> Mask:
    """Grow masks (..., H, W) bool by a square of the given radius."""
    kernel = np.ones((2 * radius + 1,) * 2, np.uint8)
    planes = np.ascontiguousarray(mask).reshape(-1, *mask.shape[-2:]).view(np.uint8)
    grown = [cv2.dilate(plane, kernel) for plane in planes]
    return np.stack(grown).reshape(mask.shape) > 0


def set_members(mask: Mask) -> Mask:
    """Split frames into the four pixel sets: (B, T, H, W) bool, True = foreground, to (B, S, T * H
    * W) bool in the order of ``SETS``."""
    radius = ring_radius(*mask.shape[-2:])
    inner, outer = mask & grow(~mask, radius), ~mask & grow(mask, radius)
    members = np.stack([mask, ~mask, inner, outer], axis=1)
    return members.reshape(*members.shape[:2], -1)


def draw_places(members: Mask, count: int, offset: Numbers | float = 0.5) -> tuple[Places, Mask]:
    """Draw places of a set at evenly spaced ranks; a smaller set repeats its places.

    Args:
        members: (B, L) bool.
        count: places to draw, P.
        offset: place of the draw within its rank interval, in [0, 1): 0.5 is the fixed choice of
            inference; training passes random numbers (B, P).
    Returns:
        (B, P) int64, and (B,) bool: whether the set has any place; 0 stands for each of those of an
        empty one.
    """
    places = np.zeros((len(members), count), np.int64)
    steps = np.arange(count, dtype=np.float32) + np.broadcast_to(
        np.asarray(offset, np.float32), places.shape
    )
    totals = np.count_nonzero(members, axis=1)
    for row, total in enumerate(totals):
        if total:
            ranks = np.floor(steps[row] * np.float32(total) / np.float32(count)).astype(np.int64)
            places[row] = np.flatnonzero(members[row])[np.minimum(ranks, total - 1)]
    return places, totals > 0


def read_frame(frame: UnitFrame, mask: Mask) -> ReadSets:
    """The pixel sets of one frame.

    Args:
        frame: (H, W, 3) float32 in [0, 1].
        mask: (H, W) bool, True = foreground.
    """
    members, colors = set_members(mask[None, None]), frame.reshape(-1, 3)
    sets = []
    for index, count in enumerate(PIXELS):
        places, has_any = draw_places(members[:, index], count)
        sets.append(colors[places] * has_any[:, None, None].astype(np.float32))
    return sets, members.mean(axis=2, dtype=np.float32)


def merge_sets(parts: Sequence[ReadSets]) -> ReadSets:
    """The pixel sets of several frames as those of one window; each frame counts the same."""
    sets = [np.concatenate(c, axis=1) for c in zip(*(sets for sets, _ in parts), strict=True)]
    return sets, np.stack([shares for _, shares in parts]).mean(axis=0, dtype=np.float32)
