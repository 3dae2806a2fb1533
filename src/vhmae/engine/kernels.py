"""The renderer's inner loop, compiled: decode, map, blend, encode; a frame's pixels are read and
written once.

Compiled by numba at first use and kept on the disk. Its answers are those of the plain path in
``rendering`` (within a level, under test), at a tenth of the time. A row is worked off in short
loops over few arrays, since only such loops become vector code.
"""

from __future__ import annotations

import numpy as np

from vhmae.arrays import Array, ColorMap, Matrix, Numbers, Places, Plane, UnitMatte
from vhmae.color.compiled import compiled


@compiled
def _decode(
    y: Array, u: Array, v: Array, a: float, b: float, c: float, offset: float, out: Array
) -> None:
    """One channel of a row of colours, clipped to [0, 1]."""
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
    """Turn a change into that of the clipped colour under the matte; returns the sum of its
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
) -> tuple[float, float]:
    """Recolour the box of a frame whose corner is (top, left), in place.

    Args:
        luma: (H, W) uint8 or uint16, C order: the whole plane; written in the box.
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
    Returns:
        The sum of absolute changes of colour, and of the matte, over the box.
    """
    height, width = cover.shape
    room = np.empty((7, width), np.float32)
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
