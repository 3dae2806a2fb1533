"""Words written into pictures that are shown to people."""

from __future__ import annotations

import cv2
import numpy as np

from vhmae.arrays import Picture

HALO = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (5, 5))


def write_label(picture: Picture, text: str, left: int, baseline: int, scale: float = 0.7) -> None:
    """Write a text into a picture (H, W, 3) uint8, in its place: white in a dark halo, readable on
    any ground.

    The halo is grown from the letters. Written twice in two widths, as is often done, the letters
    lie beside their halo: OpenCV's fonts grow with the width of their lines.
    """
    letters = np.zeros(picture.shape[:2], np.uint8)
    place = (left, baseline)
    cv2.putText(letters, text, place, cv2.FONT_HERSHEY_SIMPLEX, scale, 255, 1, cv2.LINE_AA)
    halo = cv2.dilate(letters, HALO)[..., None] / np.float32(255.0)
    share = letters[..., None] / np.float32(255.0)
    picture[:] = np.rint((picture * (1.0 - halo)) * (1.0 - share) + 255.0 * share)
