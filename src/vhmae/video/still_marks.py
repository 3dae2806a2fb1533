"""What a picture says beside its pixels, kept in the pictures made of it: its ICC profile and its
resolution, or the shape of its pixels.

Sources: PNG specification 11.3 (iCCP, pHYs); JFIF 1.02 and ICC.1:2010 B.4 (JPEG); TIFF 6.0 and
ICC.1:2010 B.3; BITMAPINFOHEADER; WebP container specification ("Extended File Format").
"""

from __future__ import annotations

import dataclasses
import struct
import zlib
from fractions import Fraction

from vhmae.video.still_sizes import stored_size
from vhmae.video.stills import picture_kind

HOLD_PROFILES = (".png", ".jpg", ".jpeg", ".tif", ".tiff", ".webp")
_ICC_HEAD = b"ICC_PROFILE\0"
_ICC_PART = 65_000
_TIFF_ICC, _TIFF_X, _TIFF_Y, _TIFF_UNIT = 34675, 282, 283, 296
_METRE, _INCH, _CENTIMETRE = Fraction(1), Fraction(10_000, 254), Fraction(100)
_LARGEST_PROFILE = 1 << 24
_WEBP_PROFILE, _WEBP_ALPHA = 0x20, 0x10


@dataclasses.dataclass(frozen=True)
class StillMarks:
    """What is kept."""

    profile: bytes | None = None
    """An ICC profile."""
    density: tuple[Fraction, Fraction] | None = None
    """Pixels a metre, across and down; or, where ``shape`` is set, their relation alone."""
    shape: bool = False

    @property
    def aspect(self) -> Fraction | None:
        """How many times as wide a pixel is as it is high; None where that is not said. FFmpeg
        takes the densities of PNG and JPEG the other way about."""
        return None if self.density is None else self.density[1] / self.density[0]

    def profile_of(self, is_gray: bool) -> bytes | None:
        """The profile, where it is one of gray or of color as the picture is."""
        if self.profile is None or (self.profile[16:20] == b"GRAY") != is_gray:
            return None
        return self.profile

    def turned(self, swapped: bool) -> StillMarks:
        """As they are once the picture is upright."""
        if self.density is None or not swapped:
            return self
        return dataclasses.replace(self, density=self.density[::-1])


def of_pixels(aspect: Fraction | None) -> StillMarks:
    """The marks of a frame whose pixels are so many times as wide as they are high."""
    if aspect in (None, 0, 1):
        return StillMarks()
    assert aspect is not None
    return StillMarks(
        density=(Fraction(aspect.denominator), Fraction(aspect.numerator)), shape=True
    )


def marks_of(data: bytes) -> StillMarks:
    """The marks of a picture; none where it has none, or damaged ones."""
    read = {
        "png_pipe": _of_png,
        "jpeg_pipe": _of_jpeg,
        "tiff_pipe": _of_tiff,
        "bmp_pipe": _of_bmp,
        "webp_pipe": _of_webp,
    }
    try:
        return read.get(picture_kind(data) or "", lambda _: StillMarks())(data)
    except (struct.error, zlib.error, IndexError, ZeroDivisionError, ValueError):
        return StillMarks()


def marked(data: bytes, marks: StillMarks) -> bytes:
    """A picture just written, with marks: PNG, JPEG, TIFF, BMP, which has a resolution, and WebP,
    which has a profile."""
    write = {
        "png_pipe": _png,
        "jpeg_pipe": _jpeg,
        "tiff_pipe": _tiff,
        "bmp_pipe": _bmp,
        "webp_pipe": _webp,
    }
    kind = write.get(picture_kind(data) or "")
    return data if kind is None or marks == StillMarks() else kind(data, marks)


def _of_png(data: bytes) -> StillMarks:
    profile, density, shape, at = None, None, False, 8
    while at + 8 <= len(data):
        size, name = struct.unpack_from(">I4s", data, at)
        body = data[at + 8 : at + 8 + size]
        if name == b"iCCP":
            packed = body[body.index(b"\0") + 2 :]
            unpacker = zlib.decompressobj()
            profile = unpacker.decompress(packed, _LARGEST_PROFILE)
            profile = profile if unpacker.eof else None
        elif name == b"pHYs":
            across, down, unit = struct.unpack(">IIB", body)
            density, shape = (Fraction(across), Fraction(down)), unit == 0
        elif name == b"IDAT":
            break
        at += 12 + size
    return StillMarks(profile, density if density and all(density) else None, shape)


def _png(data: bytes, marks: StillMarks) -> bytes:
    chunks = b""
    if marks.profile is not None:
        chunks += _chunk(b"iCCP", b"profile\0\0" + zlib.compress(marks.profile))
    if marks.density is not None:
        across, down = (round(one) for one in marks.density)
        chunks += _chunk(b"pHYs", struct.pack(">IIB", across, down, 0 if marks.shape else 1))
    kept, at = data[:33], 33  # the signature and the header, which is first
    while at + 8 <= len(data):
        size, name = struct.unpack_from(">I4s", data, at)
        dropped = (name == b"pHYs" and marks.density is not None) or (
            name in (b"iCCP", b"sRGB") and marks.profile is not None
        )
        chunks += b"" if dropped else data[at : at + 12 + size]
        at += 12 + size
    return kept + chunks


def _chunk(name: bytes, body: bytes) -> bytes:
    return struct.pack(">I", len(body)) + name + body + struct.pack(">I", zlib.crc32(name + body))


def _of_jpeg(data: bytes) -> StillMarks:
    parts: dict[int, bytes] = {}
    density, shape, count = None, False, 0
    for name, body in _segments(data):
        if name == 0xE0 and body.startswith(b"JFIF\0"):
            unit, across, down = struct.unpack_from(">BHH", body, 7)
            scale = {1: _INCH, 2: _CENTIMETRE}.get(unit, _METRE)
            if across and down and (unit or across != down):
                density, shape = (across * scale, down * scale), unit == 0
        elif name == 0xE2 and body.startswith(_ICC_HEAD):
            number, count = body[len(_ICC_HEAD) : len(_ICC_HEAD) + 2]
            parts[number] = body[len(_ICC_HEAD) + 2 :]
    profile = b"".join(parts[number] for number in sorted(parts))
    profile = profile if len(parts) == count else b""
    return StillMarks(profile or None, density, shape)


def _segments(data: bytes) -> list[tuple[int, bytes]]:
    found, at = [], 2
    while at + 4 <= len(data) and data[at] == 0xFF and data[at + 1] not in (0xDA, 0xD9):
        size = struct.unpack_from(">H", data, at + 2)[0]
        if at + 2 + size > len(data):  # cut off
            break
        found.append((data[at + 1], data[at + 4 : at + 2 + size]))
        at += 2 + max(2, size)
    return found


def _jpeg(data: bytes, marks: StillMarks) -> bytes:
    across, down, unit = 1, 1, 0
    if marks.density is not None and marks.shape:
        across, down = (min(round(one), 65535) for one in marks.density)
    elif marks.density is not None:
        across, down = (min(round(one / _INCH), 65535) for one in marks.density)
        unit = 1
    head = b"JFIF\0" + struct.pack(">HBHHBB", 0x0102, unit, max(1, across), max(1, down), 0, 0)
    body = _segment(0xE0, head)
    profile = marks.profile or b""
    pieces = [profile[at : at + _ICC_PART] for at in range(0, len(profile), _ICC_PART)]
    for number, piece in enumerate(pieces, 1):
        body += _segment(0xE2, _ICC_HEAD + bytes([number, len(pieces)]) + piece)
    kept = data[2:]
    if kept[:2] == b"\xff\xe0":  # the encoder's own
        kept = kept[2 + struct.unpack_from(">H", kept, 2)[0] :]
    return data[:2] + body + kept


def _segment(name: int, body: bytes) -> bytes:
    return struct.pack(">BBH", 0xFF, name, len(body) + 2) + body


def _of_tiff(data: bytes) -> StillMarks:
    order, entries, _ = _directory(data)
    profile, ends, unit = None, [], 2
    for tag, kind, count, value in entries:
        at = struct.unpack(order + "I", value)[0]
        if tag == _TIFF_ICC and kind == 7 and at + count <= len(data):
            profile = data[at : at + count]
        elif tag in (_TIFF_X, _TIFF_Y):
            ends.append(Fraction(*struct.unpack_from(order + "II", data, at)))
        elif tag == _TIFF_UNIT:
            unit = struct.unpack(order + "HH", value)[0]
    scale = {2: _INCH, 3: _CENTIMETRE}.get(unit, _METRE)
    told = len(ends) == 2 and all(ends) and (unit != 1 or ends[0] != ends[1])
    return StillMarks(profile, (ends[0] * scale, ends[1] * scale) if told else None, unit == 1)


def _tiff(data: bytes, marks: StillMarks) -> bytes:
    order, entries, following = _directory(data)
    new: dict[int, tuple[int, int, bytes]] = {}
    more = b""
    at = len(data) + len(data) % 2

    def placed(tag: int, kind: int, count: int, body: bytes) -> None:
        nonlocal more
        new[tag] = (kind, count, struct.pack(order + "I", at + len(more)))
        more += body + b"\0" * (len(body) % 2)

    if marks.profile is not None:
        placed(_TIFF_ICC, 7, len(marks.profile), marks.profile)
    if marks.density is not None:
        scale = _METRE if marks.shape else _INCH
        for tag, one in zip((_TIFF_X, _TIFF_Y), marks.density, strict=True):
            exact = (one / scale).limit_denominator(10_000)
            pair = struct.pack(order + "II", exact.numerator, exact.denominator)
            placed(tag, 5, 1, pair)
        new[_TIFF_UNIT] = (3, 1, struct.pack(order + "HH", 1 if marks.shape else 2, 0))
    own = {tag: (kind, count, value) for tag, kind, count, value in entries}
    rows = b"".join(
        struct.pack(order + "HHI", tag, kind, count) + value
        for tag, (kind, count, value) in sorted({**own, **new}.items())
    )
    table = struct.pack(order + "H", len({**own, **new})) + rows + following
    first = struct.pack(order + "I", at + len(more))
    return data[:4] + first + data[8:] + b"\0" * (len(data) % 2) + more + table


def _directory(data: bytes) -> tuple[str, list[tuple[int, int, int, bytes]], bytes]:
    """A TIFF's order of bytes, the entries of its first directory, and where the next one is."""
    order = "<" if data[:2] == b"II" else ">"
    first = struct.unpack_from(order + "I", data, 4)[0]
    count = struct.unpack_from(order + "H", data, first)[0]
    entries = []
    for place in range(count):
        at = first + 2 + 12 * place
        entries.append((*struct.unpack_from(order + "HHI", data, at), data[at + 8 : at + 12]))
    return order, entries, data[first + 2 + 12 * count :][:4]


def _of_bmp(data: bytes) -> StillMarks:
    across, down = struct.unpack_from("<ii", data, 38)
    told = across > 0 and down > 0
    return StillMarks(density=(Fraction(across), Fraction(down)) if told else None)


def _bmp(data: bytes, marks: StillMarks) -> bytes:
    if marks.density is None or marks.shape:
        return data
    ends = struct.pack("<ii", *(round(one) for one in marks.density))
    return data[:38] + ends + data[46:]


def _of_webp(data: bytes) -> StillMarks:
    return StillMarks(next((body for name, body in _chunks(data) if name == b"ICCP"), None))


def _chunks(data: bytes) -> list[tuple[bytes, bytes]]:
    """The chunks of a WebP: names and contents."""
    found, at = [], 12
    while at + 8 <= len(data):
        name, size = struct.unpack_from("<4sI", data, at)
        if at + 8 + size > len(data):  # cut off
            break
        found.append((name, data[at + 8 : at + 8 + size]))
        at += 8 + size + size % 2
    return found


def _webp(data: bytes, marks: StillMarks) -> bytes:
    if marks.profile is None:
        return data
    size = stored_size(data, "webp_pipe")
    chunks = [one for one in _chunks(data) if one[0] not in (b"VP8X", b"ICCP")]
    if size is None:
        return data
    # A lossless picture says in its head whether it has alpha, others have it beside them.
    coded = dict(chunks)
    alpha = b"ALPH" in coded or bool(coded.get(b"VP8L", bytes(5))[4] & 0x10)
    ends = b"".join((side - 1).to_bytes(3, "little") for side in size)
    head = bytes([_WEBP_PROFILE | _WEBP_ALPHA * alpha, 0, 0, 0]) + ends
    body = b"WEBP"
    for name, content in [(b"VP8X", head), (b"ICCP", marks.profile), *chunks]:
        body += struct.pack("<4sI", name, len(content)) + content + b"\0" * (len(content) % 2)
    return struct.pack("<4sI", b"RIFF", len(body)) + body
