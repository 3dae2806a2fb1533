"""The renderer's inner loop for arrays: compiled when it is first needed, and kept."""

from __future__ import annotations

import ctypes
import functools
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from vhmae.arrays import Array, ColorMap, Matrix, Numbers, Places, Plane, UnitMatte
from vhmae.engine.machine_code import load_function

_FLOATS = np.dtype(np.float32)
_POINTER, _NUMBER = ctypes.c_void_p, ctypes.c_int64
_ARGUMENTS = (
    *(_POINTER, _NUMBER, _NUMBER, _POINTER, _POINTER, _NUMBER, _NUMBER, _NUMBER, _NUMBER),
    *(_POINTER, _POINTER, _POINTER, _POINTER, _POINTER, _POINTER, _NUMBER),
    *(_POINTER, _POINTER, ctypes.c_float, _POINTER, _POINTER, _POINTER),
)
"""Those of ``kernels.recolor_pointers``."""


def recolor_rows(
    luma: Plane,
    chroma: Plane,
    cover: UnitMatte,
    top: int,
    left: int,
    decode: Matrix,
    offset: Numbers,
    encode: Matrix,
    quadratic: ColorMap,
    maps: Numbers,
    steps: Numbers,
    lower: Places,
    share: Numbers,
    limit: float,
    moved: Numbers,
) -> tuple[float, float]:
    """Recolor the box of a frame whose corner is (top, left), in place.

    Args:
        luma: (H, W) uint8 or uint16: the whole plane; written in the box.
        chroma: (2, h, w) of the same type: the box's chroma at full size.
        cover: (h, w) float32, the matte in the box.
        decode, offset: (3, 3) and (3,) float32: rgb = decode @ codes + offset.
        encode: (3, 3) float32: change of codes = encode @ change of rgb.
        quadratic: (3, 6) float32: the overall map's terms r^2, g^2, b^2, rg, gb, br.
        maps, steps: (N, 12, w) float32: affine terms at the rows of cells, and their way to the
            next row.
        lower, share: (h,) int64 and float32: the row of cells above each row of pixels, and how far
            it is to the next.
        limit: largest code value.
        moved: (2, h, w) float32, written: the change of chroma at full size.
    All arrays are in C order.

    Returns:
        The sum of absolute changes of color, and of the matte, over the box.
    """
    height, width = cover.shape
    room, sums = np.empty((7, width), np.float32), np.empty(2)
    codes = luma.dtype
    _recolor(codes.itemsize)(
        _at(luma, codes),
        *luma.shape,
        _at(chroma, codes),
        _at(cover),
        height,
        width,
        top,
        left,
        *map(_at, (decode, offset, encode, quadratic, maps, steps)),
        len(maps),
        _at(lower, np.dtype(np.int64)),
        _at(share),
        limit,
        *map(_at, (moved, room)),
        _at(sums, np.dtype(np.float64)),
    )
    return float(sums[0]), float(sums[1])


def _at(values: Array, kind: np.dtype[Any] = _FLOATS) -> int:
    """Where an array lies."""
    assert values.dtype == kind, "as it is compiled for"
    assert values.flags.c_contiguous, "as it is compiled for"
    return values.ctypes.data


@functools.cache
def _recolor(code_bytes: int) -> Callable[..., None]:
    """The compiled loop, for codes of one byte or of two."""

    def module_of() -> tuple[str, str]:
        from vhmae.engine.kernels import module_of  # by numba, which is slow to import

        return module_of(code_bytes)

    sources = [Path(__file__).with_name("kernels.py")]
    return load_function(f"recolor{8 * code_bytes}", sources, _ARGUMENTS, module_of)
