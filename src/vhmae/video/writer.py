"""Frames into a video file: colors tagged as they are, time stamps and other streams kept, whole
or not at all."""

from __future__ import annotations

import contextlib
import math
import os
import struct
from fractions import Fraction
from pathlib import Path
from typing import Any

import av

from vhmae.errors import DISK_ERRORS, InputError, VhmaeError, counted, mended_by
from vhmae.partial_output import OutputLock, partial_name
from vhmae.video.containers import MP4_FAMILY
from vhmae.video.delivery import delivery, lost_siting, siting_options
from vhmae.video.encoder_room import encoder_threads, sparing_options
from vhmae.video.encoders import (
    RATES_ONLY,
    UPPER_FIRST,
    check_raw,
    choose_encoder,
    encoder_options,
    field_options,
    has_alpha_channel,
    holds_fields,
    is_even,
    joined_options,
    pixel_format,
    profile_options,
    usual_priority,
)
from vhmae.video.frame_writer import FrameWriter, file_size
from vhmae.video.packets import PacketFile, mend_decoding_times, presentation_times, read_packets
from vhmae.video.passthrough import (
    Audio,
    Companions,
    Verification,
    broadcast_origin,
    keys_of_its_own,
    name_alike,
)
from vhmae.video.planes import PlanarFrame, format_bytes
from vhmae.video.probe import VideoInfo, open_video, video_stream
from vhmae.video.reader import TimedFrame
from vhmae.video.recode import delivered
from vhmae.video.tags import tag_colors, tag_frame, with_fields
from vhmae.video.timecode import moved_along, told_by, told_in

LONGEST_REORDERING = 64
"""Frames by which an encoder may decode one before it is shown; more is no time at all."""
_PROGRESSIVE = 1
"""FFmpeg's AVFieldOrder up to here: not told, or no fields."""
_KNOWS_SHAPE = ("h264", "hevc", "mjpeg", "mpeg4", "mpeg2video", "png")
"""These say themselves how wide a pixel is; for the others PyAV can tell .mp4 and .mov alone."""
_HOLDS_TIME_CODE = (".mp4", ".mov", ".mkv", ".webm")


class VideoWriter(FrameWriter):
    """Writes frames with the input's time stamps, tags, rotation, audio and subtitles.

    The file grows under a hidden name beside its place and takes its name only when it is whole.
    """

    def __init__(
        self,
        output: Path,
        source: VideoInfo,
        *,
        codec: str | None = None,
        crf: int | None = None,
        preset: str | None = None,
        pix_fmt: str | None = None,
        start_seconds: float = 0.0,
        end_seconds: float | None = None,
        verify: bool = True,
        audio: Audio = "copy",
        pictures_only: bool = False,
        store: PacketFile | None = None,
        joined: bool = False,
        lock: OutputLock | None = None,
    ) -> None:
        """Open the output.

        Args:
            start_seconds, end_seconds: what is kept, counted from the first frame of the source.
            verify: read the finished file again and compare it with what was written.
            audio: what becomes of the sound.
            pictures_only: leave audio and subtitles out.
            store: takes the encoded frames, in the output's place, which is not written then.
            joined: frames come by :meth:`copy`, encoded already by the same settings, instead of
                frames to encode.
            lock: the output's, where the caller holds it already.
        """
        container = output.suffix.lower()
        self.output = output
        self.part = partial_name(output)
        self.source = source
        # The file's own clock: a whole copy keeps it, a cut one begins at zero.
        self._start_seconds = start_seconds
        cut = start_seconds > 0.0
        self.origin = _exact(source.start_seconds + start_seconds) if cut else Fraction(0)
        self.frames = 0
        self.left_out = []
        self._times: list[Fraction] | None = [] if verify else None
        self._companions: Companions | None = None
        self._flushed = False
        self._store, self._encodes = store, not joined
        encoder = choose_encoder(codec, source, pix_fmt)
        name = pixel_format(encoder, source, pix_fmt)
        if output.suffix.lower() == ".avi" and not is_even(source):
            raise InputError(
                f"{output}: .avi holds even rates only, and the frames of {source.path} are not; "
                "write an .mkv file"
            )
        if encoder == "rawvideo":
            check_raw(name, container)
        self._delivery = delivery(source, encoder, container, name)
        if self._delivery.told is not None:
            self.recoded = (
                f"is converted from {self._delivery.told}, as {encoder} in {container} is read: "
                "the background is within rounding of the composite's, not bit for bit"
            )
        if (lost := lost_siting(source, self._delivery)) is not None:
            self.left_out.append(f"where its chroma lies ({lost})")
        self._frame_bytes = format_bytes(name, source.width, source.height)
        # Pictures have no stream whose tags, audio and times could be kept.
        self._original = open_video(source.path, "composite") if source.files is None else None
        self._time_base, self._fields = 1 / Fraction(source.fps), 0
        if self._original is not None:
            self._time_base = video_stream(self._original).time_base or self._time_base
            if not cut:
                self.origin = broadcast_origin(self._original)
            self._fields = self._field_order(encoder)
        options = self._options(encoder, name, crf, preset)
        self._last_pts: int | None = None
        self._decoded: int | None = None
        """When the last packet that was copied is decoded."""
        self._delay = 0
        """How long before it is shown the first one is."""
        self._lock = OutputLock(output) if lock is None else None
        end = None if end_seconds is None else _exact(source.start_seconds + end_seconds)
        try:
            self._writing_process = os.getpid()
            self._container = av.open(
                f"file:{self.part.absolute()}", "w", options=self._container_options(container)
            )
            self._stream = self._add_video(encoder, options, name)
            if not pictures_only:
                self._companions = self._taken_along(end, audio)
            with usual_priority():
                self._container.start_encoding()
            if self._companions is not None:
                self._companions.begin()
        except (av.error.FFmpegError, ValueError, OSError) as error:
            self.abandon()
            raise self._refusal(encoder, name, error) from None
        except BaseException:  # Ctrl-C while the file is opened
            self.abandon()
            raise

    def _container_options(self, suffix: str) -> dict[str, str]:
        if suffix not in MP4_FAMILY:
            return {}
        flags = "+faststart"
        if suffix == ".mov" and self._original is not None and keys_of_its_own(self._original):
            flags += "+use_metadata_tags"  # without it, FFmpeg drops what it has no name for
        return {"movflags": flags}

    def _options(
        self, encoder: str, pix_fmt: str, crf: int | None, preset: str | None
    ) -> dict[str, str]:
        """What the encoder is told."""
        options = encoder_options(encoder, crf, preset, pix_fmt, self.output.suffix.lower())
        options |= siting_options(self._delivery)
        options = joined_options(options, sparing_options(encoder, preset, self._frame_bytes))
        options = self.source.hdr.added(options, encoder)
        if self._original is not None:
            own = video_stream(self._original).codec_context
            options |= profile_options(encoder, str(own.profile or ""), pix_fmt)
        if self._fields:
            fields = field_options(encoder, self._fields)
            flags = options.get("flags", "") + fields.get("flags", "")
            options |= fields | ({"flags": flags} if flags else {})
        return options

    def _taken_along(self, end: Fraction | None, audio: Audio) -> Companions | None:
        """The streams beside the source's pictures."""
        if self._original is None:
            return None
        taken = Companions(self._original, self._container, self.output, self.origin, end, audio)
        taken.check(self.source.path, self.output)
        self.left_out += taken.left_out
        return taken

    def _refusal(self, encoder: str, pix_fmt: str, error: Exception) -> VhmaeError:
        """Why the file cannot be written, and what to try."""
        reason = str(getattr(error, "strerror", None) or error)
        if getattr(error, "errno", None) in DISK_ERRORS:  # nothing that another form would mend
            return VhmaeError(
                f"{self.output}: cannot be written ({reason}); check the space on the disk"
            )
        if self.source.width % 2 or self.source.height % 2:
            hint = "its size is odd: try `pix_fmt` yuv444p"
        else:
            file = "" if self.output.suffix.lower() == ".mkv" else "an .mkv file, or "
            hint = f"try {file}another `codec` or `pix_fmt`"
        return InputError(
            f"{self.output}: {encoder} with {pix_fmt} cannot be written to it ({reason}); {hint}"
        )

    def _add_video(self, encoder: str, options: dict[str, str], pix_fmt: str) -> Any:
        source = self.source
        stream: Any = self._container.add_stream(encoder, rate=source.fps, options=options)
        context = stream.codec_context
        context.width, context.height, context.pix_fmt = source.width, source.height, pix_fmt
        context.time_base = self._time_base
        if encoder in RATES_ONLY or self.output.suffix.lower() == ".avi":
            context.time_base = 1 / Fraction(source.fps).limit_denominator(1001)
        context.thread_type = "AUTO"
        context.thread_count = encoder_threads(self._frame_bytes)
        self._tag(stream, pix_fmt)
        self._keep_time_code(stream)
        self._name_for_apple(stream)
        if encoder == "libvpx-vp9" and has_alpha_channel(pix_fmt):
            stream.metadata["alpha_mode"] = (
                "1"  # the alpha lies beside the packets: without this nobody looks for it
            )
        if source.display_matrix is not None:
            stream.set_display_matrix(struct.unpack("<9i", source.display_matrix))
        stream.time_base = context.time_base
        return stream

    def _name_for_apple(self, stream: Any) -> None:
        """QuickTime, iOS and Safari play HEVC under one of its two names alone: that of streams
        whose parameter sets are in the header, as ours are."""
        context = stream.codec_context
        if self.output.suffix.lower() in MP4_FAMILY and context.codec.canonical_name == "hevc":
            context.codec_tag = "hvc1"

    def _tag(self, stream: Any, pix_fmt: str) -> None:
        """What the source says of its pictures, and of the stream."""
        original = video_stream(self._original) if self._original is not None else None
        tag_colors(
            stream.codec_context,
            self.source,
            pix_fmt,
            None if original is None else original.codec_context,
            self._delivery,
        )
        aspect = self.source.pixel_aspect
        if aspect is not None:
            stream.codec_context.sample_aspect_ratio = aspect
            in_container = self.output.suffix.lower() in MP4_FAMILY
            if (
                aspect != 1
                and not in_container
                and stream.codec_context.codec.canonical_name not in _KNOWS_SHAPE
            ):
                self.left_out.append(f"pixels that are not square ({aspect})".replace("/", ":"))
        if original is None:
            return
        name_alike(stream, original)
        stream.disposition = int(original.disposition)
        if self._fields:
            stream.codec_context.field_order = self._fields
        elif original.codec_context.field_order > _PROGRESSIVE:
            self.left_out.append("the marks of interlaced fields")

    def _keep_time_code(self, stream: Any) -> None:
        """Tell the time code of the first frame that is written, where the source's tell theirs."""
        original = self._original
        told = told_in(self.source) if original is None else told_by(original)
        if "timecode" not in told:
            return
        moved = moved_along(told["timecode"], self.source, self._start_seconds)
        if moved is not None and self.output.suffix.lower() in _HOLDS_TIME_CODE:
            stream.metadata["timecode"] = moved
            if "reel_name" in told:  # lies with the time code, and .mp4 has no place for it
                stream.metadata["reel_name"] = told["reel_name"]
                if self.output.suffix.lower() == ".mp4":
                    self.left_out.append(f"the reel's name ({told['reel_name'][:20]})")
        else:
            self.left_out.append(f"the time code ({told['timecode'][:20]})")

    def _field_order(self, encoder: str) -> int:
        """Which field of the source's frames is first, where they are interlaced and the file can
        tell; else 0. Such frames are worked on as they are."""
        assert self._original is not None
        order = int(video_stream(self._original).codec_context.field_order)
        # Macroblocks of both fields span 32 rows; what is cut of them is counted in fours.
        coded = encoder != "libx264" or self.source.height % 4 == 0
        held = coded and holds_fields(encoder, self.output.suffix.lower())
        return order if order > _PROGRESSIVE and held else 0

    def copy(self, encoded: Path) -> None:
        """Bring over the frames of a file as they were encoded; those of the next one come behind.

        Each file's first frames are decoded before their time, and so while the last ones of the
        file before are: of the first file all is decoded when its encoder says, of the others after
        what is there, and as regularly as may be.
        """
        ordered = iter(sorted(presentation_times(encoded)))
        first = self._decoded is None
        for packet in read_packets(encoded):
            if not packet.size or packet.pts is None:
                continue
            due = next(ordered)
            told = packet.pts if packet.dts is None else packet.dts
            if self._decoded is None:
                self._delay = due - told
            elif not first:
                told = max(self._decoded + 1, min(told, due - self._delay))
            packet.dts = self._decoded = told
            if self._times is not None:
                self._times.append(packet.pts * packet.time_base)
            self._copy_companions(float(packet.dts * packet.time_base))
            packet.stream = self._stream
            try:
                self._container.mux_one(packet)
            except (av.error.FFmpegError, OSError) as error:
                raise VhmaeError(
                    f"{self.output}: joining failed at frame {self.frames} ({error.strerror}); "
                    f"{mended_by(error)}{', and resume' if error.errno in DISK_ERRORS else ''}"
                ) from None
            self.frames += 1

    @property
    def size_bytes(self) -> int:
        return file_size(self.part) or file_size(self.output)

    def write(self, timed: TimedFrame, image: PlanarFrame) -> None:
        frame = delivered(timed, image, self._delivery)
        if self._fields:
            frame = with_fields(frame, self._fields in UPPER_FIRST)
        tag_frame(frame, self._stream.codec_context)
        seconds = Fraction(timed.index) / Fraction(self.source.fps) + _exact(
            self.source.start_seconds
        )
        if timed.pts is not None:
            seconds = Fraction(timed.pts) * self._time_base
        seconds -= self.origin
        pts = round(seconds / self._stream.codec_context.time_base)
        if self._last_pts is not None and pts <= self._last_pts:
            pts = self._last_pts + 1
        self._last_pts = pts
        if self._times is not None:
            self._times.append(pts * self._stream.codec_context.time_base)
        frame.pts, frame.time_base = pts, self._stream.codec_context.time_base
        frame.pict_type = 0
        self._copy_companions(float(seconds))
        try:
            self._take(self._stream.encode(frame))
        except (av.error.FFmpegError, OSError) as error:
            raise VhmaeError(
                f"{self.output}: encoding failed at frame {self.frames} ({error.strerror}); "
                f"{mended_by(error)}"
            ) from None
        self.frames += 1

    def _take(self, packets: list[Any]) -> None:
        """Bring encoded frames where they belong."""
        context = self._stream.codec_context
        frame = 1 / (Fraction(self.source.fps) * context.time_base)
        mend_decoding_times(packets, math.ceil(LONGEST_REORDERING * frame))
        if self._store is None:
            self._container.mux(packets)
        else:
            self._store.add(packets)

    def _copy_companions(self, seconds: float) -> None:
        if self._companions is not None:
            self._companions.copy_until(seconds, remembered=self._times is not None)

    def flush(self) -> None:
        try:
            if self._encodes:
                self._take(self._stream.encode(None))
            if self._store is not None:
                self._store.close()
                self._flushed = True
                return
            self._copy_companions(float("inf"))
            self._container.close()
        except (av.error.FFmpegError, OSError) as error:
            raise VhmaeError(
                f"{self.output}: writing failed at its end ({error.strerror}); check the space on "
                "the disk"
            ) from None
        self._flushed = True
        if self._times is not None:
            self._verify(self._times)

    def _verify(self, meant: list[Fraction]) -> None:
        """Compare the file with what it was meant to hold: its frames by their times, audio and
        subtitles byte for byte."""
        others = (
            Verification({}, {}) if self._companions is None else self._companions.verification()
        )
        found = []
        with open_video(self.part, "output") as container:
            stream = container.streams.video[0]
            decoded = False
            for packet in container.demux():
                if packet.stream.index == stream.index and not decoded:
                    with contextlib.suppress(av.error.FFmpegError):
                        decoded = bool(packet.decode())
                if packet.stream.index != stream.index:
                    others.read(packet)
                elif packet.size and packet.pts is not None and not packet.is_discard:
                    found.append(packet.pts * packet.time_base)
            tick = stream.time_base or Fraction(0)
        if not decoded:
            raise VhmaeError(
                f"{self.output}: its frames cannot be decoded; try an .mkv file, or another `codec`"
            )
        if len(found) != len(meant):
            raise VhmaeError(
                f"{self.output}: of {counted(len(meant), 'frame')} that went in, {len(found)} "
                "can be "
                "found in the file; try an .mkv file"
            )
        # Matroska knows no times below zero: sound that begins before the pictures moves all
        # streams, by as much.
        late = min(found, default=Fraction(0)) - min(meant, default=Fraction(0))
        together = (
            bool(others.shifts) and max(abs(late - other) for other in others.shifts) <= 2 * tick
        )
        # .mp4 and .mov tell in thousandths of a second when the first frame is shown.
        shift = late if together or abs(late) <= Fraction(1, 1000) else Fraction(0)
        moved = max(
            (abs(a - shift - b) for a, b in zip(sorted(found), sorted(meant), strict=True)),
            default=Fraction(0),
        )
        if moved > tick:
            raise VhmaeError(
                f"{self.output}: cannot hold the time stamps (moved by {float(moved):.4f} s); try "
                "an .mkv file"
            )
        if others.altered:
            raise VhmaeError(
                f"{self.output}: audio or subtitles were altered by the container; try the input's "
                "own container"
            )

    def finish(self) -> None:
        try:
            if not self._flushed:
                self.flush()
            if self._store is not None:
                self.abandon()
                return
            self.part.replace(self.output)
        except BaseException:
            self.abandon()
            raise
        self._writing_process = None
        if self._lock is not None:
            self._lock.release()
        self._close_original()

    def abandon(self) -> None:
        """Leave nothing behind."""
        # Gone before it is closed: closing an .mp4 would move its index to the front, which reads a
        # long file twice.
        self.part.unlink(missing_ok=True)
        with contextlib.suppress(Exception):
            self._container.close()
        self._close_original()
        if self._lock is not None:
            self._lock.release()
        self._writing_process = None

    def _close_original(self) -> None:
        if self._original is not None:
            self._original.close()


def _exact(seconds: float) -> Fraction:
    return Fraction(seconds).limit_denominator(10**6)
