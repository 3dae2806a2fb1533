"""What HEVC carries for single frames, as small as a decoder takes it: Dolby Vision (ETSI GS CCM
001) and HDR10+ (SMPTE ST 2094-40 in the form of CTA-861)."""

from __future__ import annotations

import zlib
from pathlib import Path
from typing import Any

import av


class _Bits:
    def __init__(self) -> None:
        self.text = ""

    def put(self, value: int, count: int) -> None:
        self.text += f"{value:0{count}b}"

    def ue(self, value: int) -> None:
        """Exponential Golomb code of order 0."""
        word = f"{value + 1:b}"
        self.text += "0" * (len(word) - 1) + word

    def data(self) -> bytes:
        text = self.text + "0" * (-len(self.text) % 8)
        return bytes(int(text[at : at + 8], 2) for at in range(0, len(text), 8))


def _guarded(payload: bytes) -> bytes:
    """The bytes of a unit: no start code may stand in it."""
    guarded = bytearray()
    for byte in payload:
        if byte <= 3 and guarded[-2:] == b"\0\0":
            guarded.append(3)
        guarded.append(byte)
    return bytes(guarded)


def hdr10_plus() -> bytes:
    """A unit of HDR10+: one window, no curve."""
    bits = _Bits()
    bits.put(1, 2)  # windows
    bits.put(400, 27)  # cd/m2 of the display that is aimed at
    bits.put(0, 1)
    for level in (9000, 8000, 7000, 2000):  # the brightest red, green and blue; their mean
        bits.put(level, 17)
    bits.put(0, 4)  # percentiles
    bits.put(0, 10)
    bits.put(0, 1 + 1 + 1)
    body = bytes([0xB5, 0, 0x3C, 0, 1, 4, 1]) + bits.data()
    return b"\x4e\x01" + _guarded(bytes([4, len(body)]) + body + b"\x80")


def dolby_vision(vdr_profile: int, full_range: bool) -> bytes:
    """A metadata unit whose mapping leaves the base layer as it is.

    Args:
        vdr_profile: 0 in profile 5, 1 in profile 8.
        full_range: whether the base layer is, as in profile 5.
    """
    bits = _Bits()
    bits.put(2, 6)  # rpu_type
    bits.put(18, 11)  # rpu_format
    bits.put(vdr_profile, 4)
    bits.put(0, 4)  # vdr_rpu_level
    bits.put(1, 1)  # vdr_seq_info_present
    bits.put(0, 1)  # no explicit chroma filter
    bits.put(0, 2)  # coefficients of fixed point,
    bits.ue(23)  # of so many bits
    bits.put(1, 2)  # vdr_rpu_normalized_idc
    bits.put(full_range, 1)
    for depth in (10, 10, 12):  # base layer, enhancement, result
        bits.ue(depth - 8)
    bits.put(0, 1 + 3 + 1)
    bits.put(1, 1)  # disable_residual: there is no enhancement layer
    bits.put(0, 1)  # vdr_dm_metadata_present
    bits.put(0, 1)  # use_prev_vdr_rpu
    for _ in range(3):  # vdr_rpu_id, mapping_color_space, mapping_chroma_format
        bits.ue(0)
    for _ in range(3):  # two pivots a component: the whole range is one piece
        bits.ue(0)
        bits.put(0, 10)
        bits.put(1023, 10)
    bits.ue(0)
    bits.ue(0)  # one partition
    for _ in range(3):
        bits.ue(0)  # a polynomial
        bits.ue(0)  # of order 1
        bits.put(0, 1)
        for whole in (0, 1):  # 0 + 1 x
            bits.ue(2 * whole - 1 if whole else 0)
            bits.put(0, 23)
    body = bits.data()
    return b"\x7c\x01" + _guarded(b"\x19" + body + zlib.crc32(body).to_bytes(4, "big") + b"\x80")


def add_units(source: Path, target: Path, before: bytes = b"", after: bytes = b"") -> Path:
    """A HEVC file with units before and after each picture."""
    first, last = (len(one).to_bytes(4, "big") + one if one else b"" for one in (before, after))
    with av.open(str(source)) as container, av.open(str(target), "w") as made:
        stream = container.streams.video[0]
        copy: Any = made.add_stream_from_template(stream)
        for packet in container.demux(stream):
            if not packet.size:
                continue
            new = av.Packet(first + bytes(packet) + last)
            new.pts, new.dts, new.time_base = packet.pts, packet.dts, packet.time_base
            new.is_keyframe, new.stream = packet.is_keyframe, copy
            made.mux(new)
    return target
