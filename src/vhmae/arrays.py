"""Arrays by what they hold: aliases that say shape and range, and the way from codes to [0, 1].

Letters: T frames, H and W height and width.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]
"""What a private step works on; the code around it says its shape. What others call is typed by the
names below."""
Arrays = dict[str, NDArray[Any]]
"""Arrays by names: what a stopped run keeps of its memory."""

Frame = NDArray[np.uint8]
"""(H, W, 3) sRGB-encoded RGB, 0-255."""
Frames = NDArray[np.uint8]
"""(T, H, W, 3) sRGB-encoded RGB, 0-255."""
UnitFrame = NDArray[np.float32]
"""(H, W, 3) sRGB-encoded RGB in [0, 1]."""
UnitFrames = NDArray[np.float32]
"""(T, H, W, 3) sRGB-encoded RGB in [0, 1]."""
Picture = NDArray[Any]
"""(H, W, 3), or (H, W, C) of a stored one: codes (uint8 in 0-255, uint16 in 0-65535), or float in
[0, 1]."""
Mask = NDArray[np.bool_]
"""(H, W), or (T, H, W) of a clip: True is foreground."""
Matte = NDArray[Any]
"""(H, W): uint8 in 0-255, uint16 in 0-65535, bool, or float in [0, 1]; 0 is background."""
UnitMatte = NDArray[np.floating[Any]]
"""(H, W) float in [0, 1]."""
Plane = NDArray[Any]
"""(H, W), or (2, H, W) of chroma: codes (uint8, uint16) of a plane, or its light (half, float)."""
Planes = NDArray[np.float32]
"""(3, h, w) RGB planes in [0, 1]."""
PlaneSteps = NDArray[np.floating[Any]]
"""(3, h, w) what is added to RGB planes, in [-1, 1]."""
PixelSteps = NDArray[np.float32]
"""(S, S, 3), or (T, S, S, 3) of a window: what is added to drawn pixels, in [-1, 1]."""
Light = NDArray[np.floating[Any]]
"""(3, ...) light, or a space's values, of red, green and blue: 0 and up, not bounded by 1."""
Codes = NDArray[np.uint8]
"""Any shape, 0-255."""

Color = NDArray[Any]
"""(3,) a color, float in [0, 1]."""
Colors = NDArray[Any]
"""(P, 3) colors, float in [0, 1]."""
UnitColors = NDArray[Any]
"""(..., 3) or planes (..., H, W) of colors, float in [0, 1]."""
Levels = NDArray[Any]
"""Colors on the scale 0-255, whole numbers or float: pixels (P, 3), or a frame (H, W, 3)."""
TableColors = NDArray[np.float32]
"""(S, S, S, 3) the colors of a table's nodes, by blue, green and red, in [0, 1]."""
ColorMap = NDArray[Any]
"""(3, 10) float, or (30,) row by row: residual coefficients of a map over ``color.basis``,
(3, 4) of an affine one."""
Covariance = NDArray[Any]
"""(30, 30) float: of the numbers of a map, or what it is the square of."""
MapGrid = NDArray[np.float32]
"""(N, N, 3, 4), or (T, N, N, 3, 4) of a window: affine residual maps per cell, bilinear between the
cells' centers."""
RowMaps = NDArray[np.float32]
"""(N, 12, w): the affine terms of N rows of cells, at each column of a box."""
Matrix = NDArray[Any]
"""(3, 3) float between color spaces, or (2, 3) between places."""
Numbers = NDArray[Any]
"""(N,) or (M, N) numbers of one kind, which the docstring names."""
Places = NDArray[Any]
"""Whole numbers: flat places of pixels, or indices into rows."""

TOPS = {np.dtype(np.uint8): 255, np.dtype(np.uint16): 65535}
"""The code that means 1, by type; others hold units already."""


def top_of(codes: NDArray[Any]) -> int:
    """The code that means 1."""
    return TOPS.get(codes.dtype, 1)


def to_unit(codes: NDArray[Any]) -> NDArray[np.float32]:
    """Codes of a picture or a matte in [0, 1]: uint8, uint16, bool, or float as it is."""
    top = top_of(codes)
    return codes.astype(np.float32) if top == 1 else codes.astype(np.float32) / np.float32(top)


class Thinned:
    """Rows that come in parts, as many as are to be kept: once they are more, every second is
    dropped, as often as needed."""

    def __init__(self, most: int) -> None:
        """Keep at most so many rows, but for one of each part."""
        self.most = most
        self.one_in = 1
        self.parts: list[Array] = []

    def add(self, rows: NDArray[Any]) -> None:
        """Take the rows (P, N) of the next part."""
        # Copies: a view of some rows would keep all of them in memory.
        self.parts.append(rows[:: self.one_in].copy())
        if sum(map(len, self.parts)) > self.most:
            self.one_in *= 2
            self.parts = [part[::2].copy() for part in self.parts]
