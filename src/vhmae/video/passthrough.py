"""What goes along with the pictures of a video: sound, subtitles, chapters and names, copied and
never decoded, but for sound that is asked for as AAC."""

from __future__ import annotations

import contextlib
import hashlib
import io
import itertools
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path
from typing import Any, Literal

import av

from vhmae.errors import DISK_ERRORS, InputError, VhmaeError, mended_by
from vhmae.video.containers import MP4_FAMILY
from vhmae.video.probe import video_stream

Audio = Literal["copy", "aac", "none"]
TRIED_PACKETS = 8
"""Packets of sound that are written to memory before the work, to see whether they can be."""
AAC_BITS_PER_CHANNEL = 96_000
AAC_RATES = (96000, 88200, 64000, 48000, 44100, 32000, 24000, 22050, 16000, 12000, 11025, 8000)
_USUAL_LAYOUTS = {
    1: "mono",
    2: "stereo",
    3: "2.1",
    4: "4.0",
    5: "5.0",
    6: "5.1",
    7: "6.1",
    8: "7.1",
}
"""Which channels there are where a file tells how many alone."""
_OF_THE_FILE_ITSELF = (
    *("encoder", "major_brand", "minor_version", "compatible_brands", "duration"),
    "timecode",  # of the first frame, which another one may be
    "com.android.version",  # of the phone's system
)
_KNOWN_TO_APPLE = ("title", "artist", "album", "comment", "copyright", "description", "genre")
_BROADCAST = ("mpegts", "mpeg")
_TEXTS = ("subrip", "srt", "ass", "ssa", "webvtt", "text")
"""Subtitles that can be read as text, by PyAV's names."""


def broadcast_origin(original: Any) -> Fraction:
    """When a transport or program stream begins, in seconds of its own clock, which counts from
    anywhere, below zero where it is set back soon; zero for files, whose clocks begin with them."""
    if original.format.name not in _BROADCAST or original.start_time is None:
        return Fraction(0)
    return Fraction(original.start_time, 1_000_000)


def keys_of_its_own(original: Any) -> list[str]:
    """What QuickTime calls metadata keys of a maker's own, as com.apple.quicktime.make, of a file:
    FFmpeg writes them into MP4 only in the place of those that players know there."""
    return [
        key
        for key in original.metadata
        if key.count(".") > 1 and key.lower() not in _OF_THE_FILE_ITSELF
    ]


def _kept_metadata(original: Any, suffix: str) -> dict[str, str]:
    """What is said of a file and holds of a copy of it."""
    kept = {
        key: value
        for key, value in original.metadata.items()
        if key.lower() not in _OF_THE_FILE_ITSELF
    }
    if suffix == ".mov" and keys_of_its_own(original):  # all are written as keys then
        named = {f"com.apple.quicktime.{key}": kept[key] for key in _KNOWN_TO_APPLE if key in kept}
        kept = named | kept
    return kept


class Companions:
    """The other streams of a file on their way into another one."""

    def __init__(
        self,
        original: Any,
        container: Any,
        output: Path,
        origin: Fraction,
        end: Fraction | None,
        audio: Audio = "copy",
    ) -> None:
        """Add the streams, before the container is begun.

        Args:
            output: the file, whose suffix tells what its container can hold.
            origin, end: seconds of the original's clock at which the output begins and ends; from
                an origin that is not zero on, times count from it.
            audio: what becomes of the sound.
        Raises:
            InputError: if the container cannot hold the sound.
        """
        self._original = original
        self._container = container
        self._output, self._suffix = output, output.suffix.lower()
        self._origin, self._end = origin, end
        self.left_out: list[str] = []
        """What the container cannot hold."""
        self._digests: dict[int, Any] = {}
        self._begins: dict[int, Fraction] = {}
        """When the first packet of each stream was due."""
        self._copied: dict[int, Any] = {}
        self._encoders: dict[int, Any] = {}
        """Streams of sound that are made anew."""
        self._texts: dict[int, Any] = {}
        """Encoders of subtitles that become another kind of text."""
        chapters = self._chapters()
        for stream in original.streams:
            name = _codec(stream)
            if stream.type == "audio":
                self._add_sound(stream, output, audio)
            elif stream.type == "subtitle" and self._holds_subtitles(stream):
                copied = self._copied[stream.index] = container.add_stream_from_template(stream)
                name_alike(copied, stream)
                copied.disposition = int(stream.disposition)
            elif stream.type == "subtitle" and name == "mov_text" and self._suffix == ".mkv":
                self._add_text(stream, "subrip")
            elif stream.type == "subtitle" and name in _TEXTS and self._suffix in MP4_FAMILY:
                self._add_text(stream, "mov_text")
            elif stream.type == "subtitle":
                self.left_out.append(f"subtitles ({name}, stream {stream.index})")
            elif stream.index != video_stream(original).index and not _is_made_anew(
                stream, bool(chapters)
            ):
                self.left_out.append(
                    f"{'pictures' if stream.type == 'video' else stream.type} (stream "
                    f"{stream.index})"
                )
        container.metadata.update(_kept_metadata(original, self._suffix))
        if self._suffix in (".mp4", ".m4v") and (own := keys_of_its_own(original)):
            self.left_out.append(f"metadata ({', '.join(own)})")
        if chapters and self._suffix == ".avi":
            self.left_out.append("chapters")
        elif chapters:
            container.set_chapters(chapters)
        self._packets = self._read()
        self._next: Any = None

    def _add_sound(self, stream: Any, output: Path, audio: Audio) -> None:
        """Add a stream of sound as it is asked for; what cannot be decoded can be kept by none."""
        if audio == "none":
            return
        name = _codec(stream)
        if name == "unknown":
            known = [one for one in self._original.streams.audio if _codec(one) != "unknown"]
            if not known:
                raise InputError(
                    f"{output}: the sound's codec is unknown here, so that it cannot be kept; pass "
                    "`audio` none"
                )
            self.left_out.append(f"sound of an unknown codec (stream {stream.index})")
            return
        written = "aac" if audio == "aac" else name
        if written not in self._container.supported_codecs:
            other = (
                " aac or" if written != "aac" and "aac" in self._container.supported_codecs else ""
            )
            raise InputError(
                f"{output}: cannot hold the sound ({written}); take another container, or pass "
                f"`audio`{other} none"
            )
        if audio == "aac" and name != "aac":
            copied = self._encoders[stream.index] = added_aac(self._container, stream)
        else:
            copied = copied_sound(self._container, stream)
        self._copied[stream.index] = copied
        name_alike(copied, stream)
        copied.disposition = int(stream.disposition)

    def _add_text(self, stream: Any, codec: str) -> None:
        """Add subtitles that the container does not know as a kind of text that it does."""
        stream.codec_context.open()
        written = self._copied[stream.index] = self._container.add_stream(codec)
        written.codec_context.subtitle_header = stream.codec_context.subtitle_header
        self._texts[stream.index] = written.codec_context
        name_alike(written, stream)
        written.disposition = int(stream.disposition)

    def check(self, source: Path, output: Path) -> None:
        """Refuse sound that the container takes, and fails over when it is written.

        Args:
            source: the file that the sound comes from.
        """
        for index, written in self._copied.items():
            if written.type == "audio" and index not in self._encoders:
                check_sound(source, index, output)

    def begin(self) -> None:
        """Take up the first packet, once the container is begun."""
        self._next = self._drawn()

    def copy_until(self, seconds: float, remembered: bool) -> None:
        """Copy what is due up to a time; what is remembered can be verified."""
        while self._next is not None:
            packet = self._next
            if float(packet.dts) * float(packet.time_base) > seconds:
                return
            if remembered and not _is_pause(packet):
                self._digests.setdefault(packet.stream.index, hashlib.sha256()).update(
                    _payload(packet)
                )
                self._begins.setdefault(
                    packet.stream.index, Fraction(packet.dts) * packet.time_base
                )
            try:
                self._container.mux_one(packet)
            except av.error.FFmpegError as error:
                is_full = error.errno in DISK_ERRORS
                mended = "repair the composite, or pass `audio` none"
                raise VhmaeError(
                    f"{self._output}: the {packet.stream.type} could not be written at "
                    f"{seconds_of(packet):.2f} s ({error.strerror}); "
                    f"{mended_by(error) if is_full else mended}"
                ) from None
            self._next = self._drawn()

    def _drawn(self) -> Any:
        """The next packet to write, None at the end."""
        try:
            return next(self._packets, None)
        except av.error.FFmpegError as error:
            raise VhmaeError(
                f"{self._output}: the sound or the subtitles of the composite are damaged "
                f"({error.strerror}); repair it, or pass `audio` none"
            ) from None

    def verification(self) -> Verification:
        """What to compare the written file with."""
        return Verification(
            {index: digest.digest() for index, digest in self._digests.items()}, self._begins
        )

    def _holds_subtitles(self, stream: Any) -> bool:
        """MP4 and MOV hold subtitles of one kind, WebM of another, Matroska all but the former."""
        name = _codec(stream)
        if self._suffix in MP4_FAMILY:
            return name == "mov_text"
        if self._suffix == ".webm":
            return name == "webvtt"
        return self._suffix == ".mkv" and name not in ("mov_text", "unknown")

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
            before = self._origin != 0 and at < float(self._origin) - 1e-6
            if before and packet.stream.type == "subtitle":
                before = not self._begun_late(packet)
            if before or (self._end is not None and at >= float(self._end)):
                continue
            if packet.stream.index in self._encoders:
                yield from self._made_anew(packet)
                continue
            offset = round(self._origin / packet.time_base)
            if offset:
                packet.pts = None if packet.pts is None else packet.pts - offset
                packet.dts -= offset
            taken = self._as_text(packet) if packet.stream.index in self._texts else packet
            if taken is not None:
                taken.stream = self._copied[packet.stream.index]
                yield taken
        for encoder in self._encoders.values():
            yield from encoder.encode(None)

    def _begun_late(self, packet: Any) -> bool:
        """Whether words that are shown before the output begins are still shown then: from there on
        they are kept."""
        first = round(self._origin / packet.time_base)
        left = (packet.pts or packet.dts) + (packet.duration or 0) - first
        if left > 0:
            packet.pts = packet.dts = first
            packet.duration = left
        return bool(left > 0)

    def _as_text(self, packet: Any) -> Any:
        """A packet of subtitles as other text; None for an empty one, which ends the one before."""
        words = packet.stream.codec_context.decode2(packet)
        if words is None:
            return None
        text = self._texts[packet.stream.index].encode_subtitle(words)
        text.pts, text.dts, text.time_base = packet.pts, packet.dts, packet.time_base
        text.duration = packet.duration
        return text

    def _made_anew(self, packet: Any) -> Iterator[Any]:
        """A packet of sound as AAC; what is damaged is left out, as players do."""
        encoder = self._encoders[packet.stream.index]
        with contextlib.suppress(av.error.InvalidDataError):
            for frame in packet.decode():
                if frame.pts is not None:
                    frame.pts -= round(self._origin / frame.time_base)
                yield from encoder.encode(frame)


class Verification:
    """Reads the packets of a written file, and tells whether they are those that were meant."""

    def __init__(self, digests: dict[int, bytes], begins: dict[int, Fraction]) -> None:
        self._meant, self._due = digests, begins
        self._found = {index: hashlib.sha256() for index in digests}
        self._begins: dict[int, Fraction] = {}

    def read(self, packet: Any) -> None:
        """Take the next packet of another stream than the pictures'."""
        if packet.stream.index in self._found and packet.size and not _is_pause(packet):
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


def check_sound(source: Path, index: int, output: Path) -> None:
    """Refuse a stream of sound that a container fails over, by writing its beginning to memory."""
    suffix = output.suffix.lower().removeprefix(".")
    form = {"mkv": "matroska", "m4v": "ipod"}.get(suffix, suffix)
    with av.open(f"file:{source.absolute()}", metadata_errors="replace") as original:
        stream: Any = original.streams[index]
        try:
            with av.open(io.BytesIO(), "w", format=form) as trial:
                copied = copied_sound(trial, stream)
                for packet in itertools.islice(original.demux(stream), TRIED_PACKETS):
                    if packet.dts is not None:
                        packet.stream = copied
                        trial.mux_one(packet)
        except (av.error.FFmpegError, ValueError) as error:
            reason = getattr(error, "strerror", None) or error
            other = "" if output.suffix.lower() == ".mkv" else ", or take an .mkv file"
            raise InputError(
                f"{output}: cannot hold the sound ({_codec(stream)}, stream {index}: {reason}); "
                f"pass `audio` aac or none{other}"
            ) from None


def copied_sound(container: Any, stream: Any) -> Any:
    """A stream that packets of another one are copied into."""
    copied = container.add_stream_from_template(stream)
    # .mkv and .avi tell how many channels there are, not which: .mp4 and .mov will know.
    own = stream.codec_context
    if (layout := _layout_of(own)) != own.layout.name:
        copied.codec_context.layout = layout
    return copied


def _layout_of(sound: Any) -> str:
    """FFmpeg's name of the channels of a stream: its own, or the usual ones of their number."""
    told = sound.layout.name
    untold = sound.channels <= 2 or told.endswith(" channels")
    return _USUAL_LAYOUTS.get(sound.channels, told) if untold else told


def added_aac(container: Any, stream: Any) -> Any:
    """A stream of AAC that sound is encoded into, at its own rate where AAC has that."""
    own = stream.codec_context
    rate = own.sample_rate if own.sample_rate in AAC_RATES else 48000
    layout = _layout_of(own)
    added = container.add_stream("aac", rate=rate, layout=layout)
    added.bit_rate = AAC_BITS_PER_CHANNEL * own.channels
    try:
        added.codec_context.open()
    except (av.error.FFmpegError, ValueError):
        raise InputError(
            f"`audio` aac: holds no {own.channels} channels ({layout}) at {rate} Hz; pass `audio` "
            "copy or none"
        ) from None
    return added


def seconds_of(packet: Any) -> float:
    """When a packet is due, in seconds."""
    return float((packet.dts or 0) * packet.time_base)


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


def _is_pause(packet: Any) -> bool:
    """Whether a packet only says that no words are shown: QuickTime's containers put one wherever
    there are none."""
    return packet.stream.type == "subtitle" and packet.size == 2 and bytes(packet) == b"\0\0"


def _payload(packet: Any) -> bytes:
    """A packet without the header that AAC has in broadcast streams, and loses in files."""
    data = bytes(packet)
    if _codec(packet.stream) != "aac" or data[:1] != b"\xff" or data[1] & 0xF6 != 0xF0:
        return data
    return data[7 if data[1] & 1 else 9 :]
