"""Skin by its chroma: where the eye is least forgiving, found without a network.

Skin of every tone lies in a small part of the chroma plane, since its hue comes from blood and
melanin while its lightness varies (Chai and Ngan, "Face Segmentation Using Skin-Color Map in
Videophone Applications", 1999). Wood, sand and tan clothes lie there as well, so that this is an
indication, and only on pictures in natural colors.
"""

from __future__ import annotations

import cv2
import numpy as np

from vhmae.arrays import Frame, Mask

CR = (138, 173)
CB = (77, 122)
"""Bounds of skin in 8-bit BT.601 chroma; the map's own begin at 133 and end at 127, where most of
what they add on street portraits are beige coats and bags."""
LUMA = (40, 245)
"""Darker and lighter pixels have no chroma to go by."""


def find_skin(frame: Frame, mask: Mask) -> Mask:
    """Pixels of a foreground that look like skin.

    Args:
        frame: (H, W, 3) uint8 RGB in natural colors.
        mask: (H, W) bool.
    Returns:
        (H, W) bool inside the mask; specks are taken out by an opening of 3x3.
    """
    luma, red, blue = cv2.split(cv2.cvtColor(frame, cv2.COLOR_RGB2YCrCb))
    inside = [
        (plane >= low) & (plane <= high)
        for plane, (low, high) in ((luma, LUMA), (red, CR), (blue, CB))
    ]
    found = (inside[0] & inside[1] & inside[2] & mask).astype(np.uint8)
    opened = cv2.morphologyEx(found, cv2.MORPH_OPEN, np.ones((3, 3), np.uint8))
    return np.asarray(opened, dtype=bool)
