"""Width and height of a picture, by its first bytes and without decoding any of it; and whether its
end is there.

Sources: PNG specification 11.2.2; ITU-T T.81 B.2.2; TIFF 6.0; BITMAPINFOHEADER; WebP container
specification; RFC 6386 9.1; WebP lossless bitstream specification 4.
"""

from __future__ import annotations

import struct
from collections.abc import Set

_SCAN, _END = 0xDA, b"\xff\xd9"
_FRAMES = {*range(0xC0, 0xD0)} - {0xC4, 0xC8, 0xCC}
"""JPEG's markers of a frame header."""


def stored_size(data: bytes, kind: str) -> tuple[int, int] | None:
    """Width and height of a picture as it is stored; None where it does not say.

    Args:
        kind: FFmpeg's name of what reads it (``stills.picture_kind``).
    """
    read = {"png_pipe": _png, "jpeg_pipe": _jpeg, "tiff_pipe": _tiff, "bmp_pipe": _bmp}
    try:
        return read.get(kind, _webp)(data)
    except (struct.error, IndexError):  # cut short
        return None


def _png(data: bytes) -> tuple[int, int]:
    width, height = struct.unpack_from(">II", data, 16)
    return width, height


def _bmp(data: bytes) -> tuple[int, int]:
    width, height = struct.unpack_from("<ii", data, 18)
    return abs(width), abs(height)  # a negative height begins with the upper row


def _jpeg(data: bytes) -> tuple[int, int] | None:
    at = _segment(data, _FRAMES)
    if at is None or at + 9 > len(data):
        return None
    height, width = struct.unpack_from(">HH", data, at + 5)
    return width, height


def _segment(data: bytes, markers: Set[int]) -> int | None:
    """Where the first segment of a JPEG begins that has one of these markers."""
    at = 2
    while at + 4 <= len(data) and data[at] == 0xFF:
        if data[at + 1] in markers:
            return at
        at += 2 + max(2, struct.unpack_from(">H", data, at + 2)[0])
    return None


def breaks_off(data: bytes, kind: str) -> bool:
    """Whether the end of a picture is missing, where its decoders do not mind: those of JPEG fill
    what is missing with grey.

    Args:
        kind: as :func:`stored_size` takes it.
    """
    if kind != "jpeg_pipe":
        return False
    scan = _segment(data, {_SCAN})  # what stands before it may hold a small picture, whole
    return scan is None or _END not in data[scan:]


def _tiff(data: bytes) -> tuple[int, int] | None:
    order = "<" if data[:2] == b"II" else ">"
    first = struct.unpack_from(order + "I", data, 4)[0]
    found: dict[int, int] = {}
    for place in range(struct.unpack_from(order + "H", data, first)[0]):
        tag, kind = struct.unpack_from(order + "HH", data, first + 2 + 12 * place)
        if tag in (256, 257):
            found[tag] = struct.unpack_from(
                order + ("H" if kind == 3 else "I"), data, first + 10 + 12 * place
            )[0]
    return (found[256], found[257]) if len(found) == 2 else None


def _webp(data: bytes) -> tuple[int, int] | None:
    if data[12:16] == b"VP8X":
        across, down = (int.from_bytes(data[at : at + 3], "little") for at in (24, 27))
        return 1 + across, 1 + down
    if data[12:16] == b"VP8L":
        bits = int.from_bytes(data[21:25], "little")
        return 1 + (bits & 0x3FFF), 1 + (bits >> 14 & 0x3FFF)
    width, height = struct.unpack_from("<HH", data, 26)
    return width & 0x3FFF, height & 0x3FFF
