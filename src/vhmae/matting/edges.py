"""What happens at the edge of a matte: colors without what was behind, edges that follow the
picture, the largest part alone."""

from __future__ import annotations

import cv2
import numpy as np

from vhmae.arrays import Array, Frame, Mask, UnitMatte

WIDE, NARROW = 90, 6
"""Blurs of the two passes, in pixels of a frame of about 720 lines."""
REFERENCE_LINES = 720
GUIDED_RADIUS, GUIDED_EPSILON = 8, 1e-4


def foreground_colors(frame: Frame, matte: UnitMatte) -> Frame:
    """Estimate foreground colors at soft edges (blur fusion, Forte 2021: a wide pass, then a
    narrow one).

    Args:
        frame: (H, W, 3) uint8 RGB.
        matte: (H, W) float32 in [0, 1].
    Returns:
        (H, W, 3) uint8: the frame itself where the matte is 0 or 1, but for colors that the edge
        lends to what is transparent beside it.
    """
    box = _box_around(matte)
    if box is None:
        return frame
    rows, columns = box
    alpha = matte[rows, columns, None]
    image = frame[rows, columns].astype(np.float32)
    scale = max(1.0, frame.shape[0] / REFERENCE_LINES)
    foreground = background = image
    for size in (round(WIDE * scale), round(NARROW * scale)):
        weight = cv2.blur(alpha, (size, size))[..., None]
        near = cv2.blur(foreground * alpha, (size, size)) / (weight + 1e-5)
        far = cv2.blur(background * (1.0 - alpha), (size, size)) / (1.0 - weight + 1e-5)
        foreground = np.clip(
            near + alpha * (image - alpha * near - (1.0 - alpha) * far), 0.0, 255.0
        )
        background = far
    out = frame.copy()
    out[rows, columns] = np.rint(foreground)
    return out


def _box_around(matte: UnitMatte) -> tuple[slice, slice] | None:
    """The part of a frame where foreground is, with what a wide blur reaches."""
    rows, columns = np.flatnonzero(matte.any(axis=1)), np.flatnonzero(matte.any(axis=0))
    if not len(rows):
        return None
    reach = round(WIDE * max(1.0, matte.shape[0] / REFERENCE_LINES) / 2)
    return (
        slice(max(0, int(rows[0]) - reach), int(rows[-1]) + reach + 1),
        slice(max(0, int(columns[0]) - reach), int(columns[-1]) + reach + 1),
    )


def refined(frame: Frame, matte: UnitMatte) -> UnitMatte:
    """Let the edge of a hard or coarse matte follow the picture (guided filter, He 2010, on luma):
    (H, W) float32."""
    guide = cv2.cvtColor(frame, cv2.COLOR_RGB2GRAY).astype(np.float32) / 255.0
    radius = max(2, round(GUIDED_RADIUS * frame.shape[0] / REFERENCE_LINES))
    size = (2 * radius + 1, 2 * radius + 1)

    def mean(values: Array) -> Array:
        return cv2.boxFilter(values, cv2.CV_32F, size, borderType=cv2.BORDER_REFLECT)

    mean_guide, mean_matte = mean(guide), mean(matte)
    slope = (mean(guide * matte) - mean_guide * mean_matte) / (
        mean(guide * guide) - mean_guide**2 + GUIDED_EPSILON
    )
    offset = mean_matte - slope * mean_guide
    return np.clip(mean(slope) * guide + mean(offset), 0.0, 1.0)


SPECK = 0.1
"""Connected parts under this share of the largest one's area are specks."""


def largest_part(matte: UnitMatte) -> UnitMatte:
    """Keep the largest connected part and what belongs to its soft edge."""
    return _large_parts(matte, 1.0)


def without_specks(matte: UnitMatte) -> UnitMatte:
    """Keep the larger connected parts and what belongs to their soft edges."""
    return _large_parts(matte, SPECK)


def _large_parts(matte: UnitMatte, share: float) -> UnitMatte:
    count, labels, facts, _ = cv2.connectedComponentsWithStats((matte > 0.5).astype(np.uint8))
    if count < 2:
        return matte
    areas = facts[1:, cv2.CC_STAT_AREA]
    large = np.concatenate([[False], areas >= share * areas.max()])
    if share == 1.0:
        large[2 + int(np.argmax(areas)) :] = False  # of two as large as each other, one
    kept = large[labels]
    reach = max(3, matte.shape[0] // 60)
    near = cv2.dilate(kept.astype(np.uint8), np.ones((2 * reach + 1, 2 * reach + 1), np.uint8))
    return np.where((near > 0) & (kept | (labels == 0)), matte, np.float32(0.0)).astype(np.float32)


def without_holes(mask: Mask) -> Mask:
    """Close the holes of a mask (H, W) bool."""
    outlines, _ = cv2.findContours(mask.astype(np.uint8), cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
    filled = np.zeros(mask.shape, np.uint8)
    cv2.drawContours(filled, outlines, -1, 1, thickness=cv2.FILLED)
    return filled > 0
