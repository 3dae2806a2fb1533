"""Pictures read back by tests."""

from __future__ import annotations

from pathlib import Path

import cv2

from vhmae.arrays import Array


def read_picture(path: str | Path, flags: int = cv2.IMREAD_COLOR) -> Array:
    """As OpenCV reads it, BGR; one that cannot be read fails the test."""
    picture = cv2.imread(str(path), flags)
    assert picture is not None, f"{path}: cannot be read"
    return picture
