"""The renderer's inner loop, compiled: decode, map, blend, encode; a frame's pixels are read and
written once.

Compiled by numba when it is first used on a machine (``recoloring``). Its answers are those of the
plain path in ``rendering`` (within a level, under test), at a tenth of the time. A row is worked
off in short loops over few arrays, since only such loops become vector code.
"""

from __future__ import annotations

from typing import Any

import numba
import numpy as np
from numba import types

from vhmae.arrays import Array, ColorMap, Matrix, Numbers, Places, Plane, UnitMatte

_array_at: Any = numba.carray  # type: ignore[attr-defined]  # which it hands on without naming it


def compiled(function: Any) -> Any:
    """Compile as a part of what calls it."""
    return numba.njit(nogil=True, fastmath=True)(function)


@compiled
def _decode(
    y: Array, u: Array, v: Array, a: float, b: float, c: float, offset: float, out: Array
) -> None:
    """One channel of a row of colors, clipped to [0, 1]."""
    for x in range(len(out)):
        value = a * np.float32(y[x]) + b * np.float32(u[x]) + c * np.float32(v[x]) + offset
        out[x] = min(max(value, np.float32(0.0)), np.float32(1.0))


@compiled
def _start(base: Array, step: Array, share: float, out: Array) -> None:
    for x in range(len(out)):
        out[x] = base[x] + share * step[x]


@compiled
def _multiply_add(base: Array, step: Array, share: float, color: Array, out: Array) -> None:
    for x in range(len(out)):
        out[x] += (base[x] + share * step[x]) * color[x]


@compiled
def _quadratic(
    r: Array,
    g: Array,
    b: Array,
    rr: float,
    gg: float,
    bb: float,
    rg: float,
    gb: float,
    br: float,
    out: Array,
) -> None:
    for x in range(len(out)):
        out[x] += (
            r[x] * (rr * r[x] + rg * g[x])
            + g[x] * (gg * g[x] + gb * b[x])
            + b[x] * (bb * b[x] + br * r[x])
        )


@compiled
def _blend(color: Array, cover: Array, out: Array) -> float:
    """Turn a change into that of the clipped color under the matte; returns the sum of its
    absolute values."""
    total = np.float32(0.0)
    for x in range(len(out)):
        change = (min(max(color[x] + out[x], np.float32(0.0)), np.float32(1.0)) - color[x]) * cover[
            x
        ]
        out[x] = change
        total += abs(change)
    return float(total)


@compiled
def _encode(r: Array, g: Array, b: Array, m0: float, m1: float, m2: float, out: Array) -> None:
    for x in range(len(out)):
        out[x] = m0 * r[x] + m1 * g[x] + m2 * b[x]


@compiled
def _add(step: Array, limit: float, codes: Array) -> None:
    for x in range(len(codes)):
        codes[x] = np.int32(
            min(max(np.float32(codes[x]) + step[x], np.float32(0.0)), limit) + np.float32(0.5)
        )


@compiled
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
    room: Numbers,
) -> tuple[float, float]:
    """As ``recoloring.recolor_rows``; ``room`` is (7, w) float32, for anything."""
    height, width = cover.shape
    top_code = np.float32(limit)
    change = 0.0
    area = 0.0
    for y in range(height):
        first, last = 0, width
        while first < width and cover[y, first] == 0.0:
            first += 1
        while last > first and cover[y, last - 1] == 0.0:
            last -= 1
        moved[:, y, :first] = 0.0
        moved[:, y, last:] = 0.0
        if first == last:
            continue
        codes = luma[top + y, left + first : left + last]
        u, v, m = chroma[0, y, first:last], chroma[1, y, first:last], cover[y, first:last]
        cell = lower[y]
        # Rows are taken out one by one: only a row alone is known to lie in one piece.
        r, g, b = room[0, first:last], room[1, first:last], room[2, first:last]
        for c in range(3):
            _decode(
                codes,
                u,
                v,
                decode[c, 0],
                decode[c, 1],
                decode[c, 2],
                offset[c],
                room[c, first:last],
            )
        for c in range(3):
            out = room[3 + c, first:last]
            _start(
                maps[cell, 4 * c + 3, first:last], steps[cell, 4 * c + 3, first:last], share[y], out
            )
            for k in range(3):
                _multiply_add(
                    maps[cell, 4 * c + k, first:last],
                    steps[cell, 4 * c + k, first:last],
                    share[y],
                    room[k, first:last],
                    out,
                )
            q = quadratic[c]
            _quadratic(r, g, b, q[0], q[1], q[2], q[3], q[4], q[5], out)
            change += _blend(room[c, first:last], m, out)
        dr, dg, db, step = (
            room[3, first:last],
            room[4, first:last],
            room[5, first:last],
            room[6, first:last],
        )
        _encode(dr, dg, db, encode[0, 0], encode[0, 1], encode[0, 2], step)
        _add(step, top_code, codes)
        for c in range(2):
            _encode(
                dr,
                dg,
                db,
                encode[c + 1, 0],
                encode[c + 1, 1],
                encode[c + 1, 2],
                moved[c, y, first:last],
            )
        area += m.sum()
    return change, area


def recolor_pointers(
    luma: Any,
    rows: int,
    columns: int,
    chroma: Any,
    cover: Any,
    height: int,
    width: int,
    top: int,
    left: int,
    decode: Any,
    offset: Any,
    encode: Any,
    quadratic: Any,
    maps: Any,
    steps: Any,
    cells: int,
    lower: Any,
    share: Any,
    limit: float,
    moved: Any,
    room: Any,
    sums: Any,
) -> None:
    """As :func:`recolor_rows`, for pointers; ``sums`` is (2,) float64, what it returns."""
    told = _array_at(sums, 2)
    told[0], told[1] = recolor_rows(
        _array_at(luma, (rows, columns)),
        _array_at(chroma, (2, height, width)),
        _array_at(cover, (height, width)),
        top,
        left,
        _array_at(decode, (3, 3)),
        _array_at(offset, 3),
        _array_at(encode, (3, 3)),
        _array_at(quadratic, (3, 6)),
        _array_at(maps, (cells, 12, width)),
        _array_at(steps, (cells, 12, width)),
        _array_at(lower, height),
        _array_at(share, height),
        limit,
        _array_at(moved, (2, height, width)),
        _array_at(room, (7, width)),
    )


def module_of(code_bytes: int) -> tuple[str, str]:
    """:func:`recolor_pointers` for codes of one byte or of two in LLVM's language, and its name
    there."""
    codes = types.CPointer(types.uint8 if code_bytes == 1 else types.uint16)
    floats, number = types.CPointer(types.float32), types.int64
    arguments = (
        *(codes, number, number, codes, floats, number, number, number, number),
        *(floats,) * 6,
        *(number, types.CPointer(types.int64), floats, types.float32, floats, floats),
        types.CPointer(types.float64),
    )
    entry = numba.cfunc(types.void(*arguments), fastmath=True)(recolor_pointers)
    return entry.inspect_llvm(), entry.native_name
