"""Encoded frames in a file of their own kind, as an encoder gave them.

A run that can be resumed keeps its frames so: no container holds every codec, every time base and
what lies beside a packet. A file is a line of its kind, then packets: a head of fixed size, the
data, and each piece of side data behind a head of its own.
"""

from __future__ import annotations

import functools
import struct
from collections.abc import Iterable, Iterator
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
from av.packet import PacketSideData

KIND = b"vhmae packets 1\n"
SUFFIX = ".packets"
_HEAD = struct.Struct("<qqqIIBII")
"""pts, dts, duration, time base, key frame, size, pieces of side data."""
_BESIDE = struct.Struct("<II")
"""Kind and size of a piece of side data."""
_UNTOLD = -(1 << 63)


class PacketFile:
    """Takes packets; the file is whole when it is closed."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._file = path.open("xb")
        self._file.write(KIND)

    def add(self, packets: Iterable[Any]) -> None:
        """Append what an encoder gave."""
        for packet in packets:
            unit = Fraction(packet.time_base)
            times = (_UNTOLD if at is None else at for at in (packet.pts, packet.dts))
            beside = [(_kinds()[one.data_type], bytes(one)) for one in packet.iter_sidedata()]
            self._file.write(
                _HEAD.pack(
                    *times,
                    packet.duration or 0,
                    unit.numerator,
                    unit.denominator,
                    packet.is_keyframe,
                    packet.size,
                    len(beside),
                )
            )
            self._file.write(bytes(packet))
            for kind, data in beside:
                self._file.write(_BESIDE.pack(kind, len(data)) + data)

    def close(self) -> None:
        """Close it, with all that was added."""
        self._file.close()


def mend_decoding_times(packets: list[Any], longest: int) -> None:
    """Give packets that an encoder gave at once, in decoding order, times to decode them where it
    gave nonsense.

    x265 never sets those of clips that have fewer frames than it reorders: what stood in the memory
    before comes out, mostly 0, at times years away, and containers refuse it.

    Args:
        longest: how long before its time a frame may be decoded, in the packets' time base.
    """
    shown = [packet.pts for packet in packets if packet.size and packet.pts is not None]
    if len(shown) != len(packets) or all(
        packet.dts is not None and 0 <= packet.pts - packet.dts <= longest for packet in packets
    ):
        return
    due = sorted(shown)
    delay = max(early - at for early, at in zip(due, shown, strict=True))
    for packet, at in zip(packets, due, strict=True):
        packet.dts = at - delay


def read_packets(path: Path) -> Iterator[Any]:
    """The packets of a file, without a stream.

    Raises:
        ValueError: if it is no whole file of packets.
    """
    with path.open("rb") as file:

        def read(size: int) -> bytes:
            data = file.read(size)
            if len(data) < size:
                raise ValueError(f"{path.name} ends within a packet")
            return data

        if file.read(len(KIND)) != KIND:
            raise ValueError(f"{path.name} holds no packets")
        while head := file.read(_HEAD.size):
            head += read(_HEAD.size - len(head))
            pts, dts, duration, numerator, denominator, key, size, pieces = _HEAD.unpack(head)
            packet: Any = av.Packet(read(size))
            packet.pts, packet.dts = (None if at == _UNTOLD else at for at in (pts, dts))
            packet.duration, packet.time_base = duration, Fraction(numerator, denominator)
            packet.is_keyframe = bool(key)
            for _ in range(pieces):
                kind, length = _BESIDE.unpack(read(_BESIDE.size))
                piece = _piece(kind, length)
                piece.update(read(length))
                packet.set_sidedata(piece)
            yield packet


def presentation_times(path: Path) -> list[int]:
    """When the frames of a file are shown, in the order in which they are decoded."""
    return [packet.pts for packet in read_packets(path) if packet.size and packet.pts is not None]


@functools.cache
def _kinds() -> dict[str, int]:
    """FFmpeg's numbers of the kinds of side data by their names: PyAV reads names, and makes by
    numbers."""
    found: dict[str, int] = {}
    for number in range(256):
        try:
            found[str(_piece(number, 0).data_type)] = number
        except (KeyError, IndexError, ValueError):
            break  # those that this FFmpeg has come first
    return found


def _piece(kind: int, size: int) -> Any:
    return PacketSideData(kind, size)  # type: ignore[call-arg]  # its types do not tell this
