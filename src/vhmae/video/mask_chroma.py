"""Masks that are videos of luma and chroma, as most videos are: whether they are coloured, and
whether their colours are those of a map of labels, which a codec has blurred."""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np

from vhmae.arrays import Matte, UnitFrame
from vhmae.video.mask_meaning import MOST_COLORS
from vhmae.video.planes import PlanarFrame

NEUTRAL = 12
"""Levels of 255 that chroma may be off where a video is grey."""
LEAST_SHARE = 0.0005
"""Of the chroma samples, so many must be further off."""
NOT_BLACK = 40 / 255
"""The brightest channel of what is a colour, and no trace of one that a codec left beside it."""
FLAT = 12 / 255
"""Within a label, neighbours differ by no more."""
MOST_FLAT, MOST_OF = 0.5, 0.98
"""So much of what is not black is flat in a map of labels, and so much of that has one of few
colours."""
STEP = 16
"""Levels that a codec may part the pixels of one label by."""


def is_tinted(image: PlanarFrame) -> bool:
    """Whether a frame of luma and chroma has colours."""
    if image.encoding.matrix == "rgb" or len(image.planes) < 3:
        return False
    bits = image.encoding.bits
    middle, far = 1 << (bits - 1), NEUTRAL << (bits - 8)
    return any(
        np.count_nonzero((plane < middle - far) | (plane > middle + far)) > LEAST_SHARE * plane.size
        for plane in image.planes[1:3]
    )


def are_blurred_labels(frames: Sequence[UnitFrame]) -> bool:
    """Whether frames (H, W, 3) of RGB show flat colours on black."""
    counts: dict[int, int] = {}
    flat = told = black = 0
    for frame in frames:
        brightest = frame.max(axis=2)
        seen = brightest >= NOT_BLACK
        black += int(np.count_nonzero(~seen))
        told += int(np.count_nonzero(seen))
        size = np.ones((3, 3), np.uint8)
        spread = (cv2.dilate(frame, size) - cv2.erode(frame, size)).max(axis=2)
        even = seen & (spread <= FLAT)
        flat += int(np.count_nonzero(even))
        steps = np.rint(frame[even] * (255.0 / STEP)).astype(np.int64)
        packed = (steps[:, 0] << 16) | (steps[:, 1] << 8) | steps[:, 2]
        codes, found = np.unique(packed, return_counts=True)
        for code, count in zip(codes.tolist(), found.tolist(), strict=True):
            counts[code] = counts.get(code, 0) + count
    most = sum(sorted(counts.values(), reverse=True)[:MOST_COLORS])
    return bool(told and black and flat >= MOST_FLAT * told and most >= MOST_OF * flat)


def blurred_all_but_black(image: PlanarFrame) -> Matte:
    """A frame of such labels as a matte (H, W) uint8."""
    return np.where(image.rgb().max(axis=2) >= NOT_BLACK, 255, 0).astype(np.uint8)
