"""What goes along with the pictures of a video: sound, subtitles, chapters and names, copied and
never decoded."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path
from typing import Any

from vhmae.errors import InputError

_OF_THE_FILE_ITSELF = ("encoder", "major_brand", "minor_version", "compatible_brands", "duration")
_BROADCAST = ("mpegts", "mpeg")
_QUICKTIME = (".mp4", ".mov", ".m4v")


def broadcast_origin(original: Any) -> Fraction:
    """When a transport or program stream begins, in seconds of its own clock, which counts from
    anywhere; zero for files, whose clocks begin with them."""
    if original.format.name not in _BROADCAST or original.start_time is None:
        return Fraction(0)
    return max(Fraction(0), Fraction(original.start_time, 1_000_000))


class Companions:
    """The other streams of a file on their way into another one."""

    def __init__(
        self, original: Any, container: Any, output: Path, origin: Fraction, end: Fraction | None
    ) -> None:
        """Add the streams, before the container is begun.

        Args:
            output: the file, whose suffix tells what its container can hold.
            origin, end: seconds of the original's clock at which the output begins and ends; from
                an origin above zero on, times count from it.
        Raises:
            InputError: if the container cannot hold the sound.
        """
        self._original = original
        self._container = container
        self._suffix = output.suffix.lower()
        self._origin, self._end = origin, end
        self.left_out: list[str] = []
        """What the container cannot hold."""
        self._digests: dict[int, Any] = {}
        self._begins: dict[int, Fraction] = {}
        """When the first packet of each stream was due."""
        self._copied: dict[int, Any] = {}
        chapters = self._chapters()
        for stream in original.streams:
            name = _codec(stream)
            if stream.type == "audio" and name not in container.supported_codecs:
                raise InputError(
                    f"{output}: cannot hold the sound ({name}); take another container, or a "
                    "composite without it"
                )
            if stream.type == "audio" or (
                stream.type == "subtitle" and self._holds_subtitles(stream)
            ):
                copied = self._copied[stream.index] = container.add_stream_from_template(stream)
                name_alike(copied, stream)
                copied.disposition = int(stream.disposition)
            elif stream.type == "subtitle":
                self.left_out.append(f"subtitles ({name}, stream {stream.index})")
            elif stream.index != original.streams.video[0].index and not _is_made_anew(
                stream, bool(chapters)
            ):
                self.left_out.append(
                    f"{'pictures' if stream.type == 'video' else stream.type} (stream "
                    f"{stream.index})"
                )
        left = {*_OF_THE_FILE_ITSELF, *(["timecode"] if origin else [])}
        container.metadata.update(
            {key: value for key, value in original.metadata.items() if key.lower() not in left}
        )
        if chapters and self._suffix == ".avi":
            self.left_out.append("chapters")
        elif chapters:
            container.set_chapters(chapters)
        self._packets = self._read()
        self._next: Any = None

    def begin(self) -> None:
        """Take up the first packet, once the container is begun."""
        self._next = next(self._packets, None)

    def copy_until(self, seconds: float, remembered: bool) -> None:
        """Copy what is due up to a time; what is remembered can be verified."""
        while self._next is not None:
            packet = self._next
            if float(packet.dts) * float(packet.time_base) > seconds:
                return
            if remembered:
                self._digests.setdefault(packet.stream.index, hashlib.sha256()).update(
                    _payload(packet)
                )
                self._begins.setdefault(
                    packet.stream.index, Fraction(packet.dts) * packet.time_base
                )
            self._container.mux_one(packet)
            self._next = next(self._packets, None)

    def verification(self) -> Verification:
        """What to compare the written file with."""
        return Verification(
            {index: digest.digest() for index, digest in self._digests.items()}, self._begins
        )

    def _holds_subtitles(self, stream: Any) -> bool:
        """MP4 and MOV hold subtitles of one kind, Matroska all others."""
        timed_text = _codec(stream) == "mov_text"
        return (
            timed_text
            if self._suffix in _QUICKTIME
            else self._suffix == ".mkv" and _codec(stream) not in ("mov_text", "unknown")
        )

    def _chapters(self) -> list[Any]:
        """The chapters of the part that is kept, on the output's clock."""
        kept = []
        for chapter in self._original.chapters():
            unit = chapter["time_base"]
            if chapter["end"] * unit <= self._origin or (
                self._end is not None and chapter["start"] * unit >= self._end
            ):
                continue
            until = (
                chapter["end"] * unit
                if self._end is None
                else min(chapter["end"] * unit, self._end)
            )
            first, last = (
                max(0, round((at - self._origin) / unit)) for at in (chapter["start"] * unit, until)
            )
            kept.append({**chapter, "start": first, "end": last})
        return kept

    def _read(self) -> Iterator[Any]:
        if not self._copied:
            return
        streams = [self._original.streams[index] for index in self._copied]
        for packet in self._original.demux(streams):
            if packet.dts is None:
                continue
            at = float(packet.pts if packet.pts is not None else packet.dts) * float(
                packet.time_base
            )
            # Encoders prime a stream with packets before time zero: those belong to an uncut file.
            before = self._origin > 0 and at < float(self._origin) - 1e-6
            if before or (self._end is not None and at >= float(self._end)):
                continue
            offset = round(self._origin / packet.time_base)
            if offset:
                packet.pts = None if packet.pts is None else packet.pts - offset
                packet.dts -= offset
            packet.stream = self._copied[packet.stream.index]
            yield packet


class Verification:
    """Reads the packets of a written file, and tells whether they are those that were meant."""

    def __init__(self, digests: dict[int, bytes], begins: dict[int, Fraction]) -> None:
        self._meant, self._due = digests, begins
        self._found = {index: hashlib.sha256() for index in digests}
        self._begins: dict[int, Fraction] = {}

    def read(self, packet: Any) -> None:
        """Take the next packet of another stream than the pictures'."""
        if packet.stream.index in self._found and packet.size:
            self._found[packet.stream.index].update(_payload(packet))
            if packet.dts is not None:
                self._begins.setdefault(
                    packet.stream.index, Fraction(packet.dts) * packet.time_base
                )

    @property
    def shifts(self) -> set[Fraction]:
        """By how much the streams begin later than was meant, in seconds."""
        return {
            self._begins[index] - due for index, due in self._due.items() if index in self._begins
        }

    @property
    def altered(self) -> bool:
        return any(digest != self._found[index].digest() for index, digest in self._meant.items())


def _codec(stream: Any) -> str:
    return "unknown" if stream.codec_context is None else str(stream.codec_context.name)


def name_alike(stream: Any, original: Any) -> None:
    """Give a stream the language and title of another one."""
    stream.metadata.update(
        {key: value for key, value in original.metadata.items() if key in ("language", "title")}
    )


def _is_made_anew(stream: Any, chapters: bool) -> bool:
    """Whether a stream comes of the file's names: a time code track, or the texts of chapters,
    which QuickTime keeps as data."""
    return stream.type == "data" and ("timecode" in stream.metadata or chapters)


def _payload(packet: Any) -> bytes:
    """A packet without the header that AAC has in broadcast streams, and loses in files."""
    data = bytes(packet)
    if _codec(packet.stream) != "aac" or data[:1] != b"\xff" or data[1] & 0xF6 != 0xF0:
        return data
    return data[7 if data[1] & 1 else 9 :]
