"""Which packets of a video are shown as frames of their own.

H.264 may code the two fields of a frame apart (PAFF: AVCHD, broadcasts), and FFmpeg hands out each
of them as a packet; VP8 has packets that are decoded and never shown. Counted as frames, either
would put every mask, cut and time beside another frame than its own.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from fractions import Fraction
from typing import Any

_SPS, _SLICES = 7, (1, 5)
_WITH_CHROMA = (100, 110, 122, 244, 44, 83, 86, 118, 128, 138, 139, 134, 135)
"""Profiles whose parameters tell a chroma format (H.264, 7.3.2.1.1)."""
_HEAD = 64
"""Bytes of a slice that hold what is read of its header."""
_LOOKED_AT = 1 << 16
"""Bytes of a packet in which its first slice begins."""
_SHOWN = 0x10
"""Of a VP8 packet's first byte: it is shown (RFC 6386, 9.1)."""


def frame_counter(codec: str, extradata: bytes | None) -> Callable[[Any], bool]:
    """What tells, packet (anything with bytes) by packet in the order of the file, whether one
    begins a frame.

    Args:
        codec: FFmpeg's name.
        extradata: the codec's own head, as the container holds it.
    """
    if codec == "vp8":
        return lambda packet: bool(memoryview(packet)[0] & _SHOWN)
    if codec == "h264":
        return _Fields(extradata or b"").begins_frame
    return lambda packet: True


def rate_of_frames(told: Fraction, packets: int, frames: int, seconds: float) -> Fraction:
    """Frames a second, where what a file tells may count the fields of its frames.

    Args:
        told: what it tells.
        seconds: from the first frame to the last.
    """
    if packets == frames or frames < 2 or seconds <= 0.0:
        return told
    measured = (frames - 1) / seconds
    counted = told * frames / packets  # where the mean of a file counts its packets
    return min((told, told / 2, counted), key=lambda rate: abs(float(rate) - measured))


class _Fields:
    """H.264's fields: the second of a pair has the frame number of the first, and the other
    parity."""

    def __init__(self, extradata: bytes) -> None:
        self._length = 0  # of the sizes before its units; 0: start codes
        self._codes_fields: bool | None = None
        self._number_bits = 4
        self._planes_apart = False
        self._open: tuple[int, bool] | None = None
        """Frame number and parity of a field that waits for its other one."""
        with contextlib.suppress(IndexError, ValueError):  # damaged: packets may have them, too
            self._read_head(extradata)

    def _read_head(self, extradata: bytes) -> None:
        if extradata[:1] == b"\x01" and len(extradata) > 6:
            self._length = (extradata[4] & 3) + 1
            place = 6
            for _ in range(extradata[5] & 31):
                size = int.from_bytes(extradata[place : place + 2], "big")
                self._read_parameters(extradata[place + 2 : place + 2 + size])
                place += 2 + size
        elif extradata:
            for unit in _after_start_codes(extradata):
                if unit[0] & 31 == _SPS:
                    self._read_parameters(unit)

    def begins_frame(self, packet: Any) -> bool:
        if (
            self._codes_fields is False and self._length
        ):  # as nearly every file: nothing to look for
            return True
        try:
            return self._begins(bytes(memoryview(packet)[:_LOOKED_AT]))
        except (IndexError, ValueError):  # damaged
            self._open = None
            return True

    def _begins(self, packet: bytes) -> bool:
        for unit in self._units(packet):
            kind = unit[0] & 31
            if kind == _SPS:
                self._read_parameters(unit)
            if kind not in _SLICES:
                continue
            if not self._codes_fields:
                return True
            bits = _Bits(unit[1:_HEAD])
            bits.skip("uuu")  # first macroblock, kind of slice, parameters
            if self._planes_apart:
                bits.take(2)
            number = bits.take(self._number_bits)
            if not bits.take(1):
                self._open = None
                return True
            bottom = bool(bits.take(1))
            if self._open == (number, not bottom):
                self._open = None
                return False
            self._open = number, bottom
            return True
        return True

    def _units(self, packet: bytes) -> Iterator[bytes]:
        if not self._length:
            yield from _after_start_codes(packet)
            return
        place = 0
        while place + self._length < len(packet):
            size = int.from_bytes(packet[place : place + self._length], "big")
            place += self._length
            if size:
                yield packet[place : place + size]
            place += size

    def _read_parameters(self, unit: bytes) -> None:
        """Of a sequence parameter set (7.3.2.1.1), what slices are read by."""
        bits = _Bits(unit[1:])
        profile = bits.take(8)
        bits.take(16)
        bits.unsigned()
        self._planes_apart = False
        if profile in _WITH_CHROMA:
            chroma = bits.unsigned()
            if chroma == 3:
                self._planes_apart = bool(bits.take(1))
            bits.skip("uu1")
            if bits.take(1):
                for place in range(12 if chroma == 3 else 8):
                    if bits.take(1):
                        _skip_scaling(bits, 16 if place < 6 else 64)
        self._number_bits = bits.unsigned() + 4
        order = bits.unsigned()
        if order == 0:
            bits.skip("u")
        elif order == 1:
            bits.skip("1uu")
            for _ in range(bits.unsigned()):
                bits.skip("u")  # signed ones are as long
        bits.skip("u1uu")
        self._codes_fields = not bits.take(1)


def _skip_scaling(bits: _Bits, count: int) -> None:
    last = following = 8
    for _ in range(count):
        if following:
            following = (last + bits.signed()) % 256
        last = following or last


def _after_start_codes(data: bytes) -> Iterator[bytes]:
    """The units of a stream, each from behind its start code to the next one."""
    at = data.find(b"\0\0\1")
    while at >= 0:
        following = data.find(b"\0\0\1", at + 3)
        unit = data[at + 3 : following if following >= 0 else len(data)]
        if unit:
            yield unit
        at = following


class _Bits:
    """Bits of a unit, most significant first, without the bytes that keep start codes out of it."""

    def __init__(self, data: bytes) -> None:
        self._data = data.replace(b"\0\0\3", b"\0\0")
        self._at = 0

    def take(self, count: int) -> int:
        found = 0
        for _ in range(count):
            byte = self._data[self._at >> 3]
            found = found << 1 | (byte >> (7 - (self._at & 7)) & 1)
            self._at += 1
        return found

    def unsigned(self) -> int:
        """ue(v), 9.1."""
        zeros = 0
        while not self.take(1):
            zeros += 1
            if zeros > 32:
                raise ValueError("no number of H.264")
        return (1 << zeros) - 1 + self.take(zeros)

    def skip(self, form: str) -> None:
        """Leave out what is not needed: u is a number, 1 a bit."""
        for one in form:
            self.unsigned() if one == "u" else self.take(1)

    def signed(self) -> int:
        """se(v), 9.1.1."""
        number = self.unsigned()
        return (number + 1) // 2 if number % 2 else -(number // 2)
