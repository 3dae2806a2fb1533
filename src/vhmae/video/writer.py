"""Frames into a video file: colours tagged as they are, time stamps and other streams kept, whole or not at all."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path
from types import TracebackType
from typing import Any

import av
import numpy as np

from vhmae.errors import InputError, VhmaeError, did_you_mean
from vhmae.video.planes import PlanarFrame
from vhmae.video.probe import PLANAR, REPACKED, VideoInfo, open_video
from vhmae.video.reader import TimedFrame

Array = np.ndarray

CONTAINERS = (".mp4", ".mov", ".mkv", ".webm", ".avi", ".m4v")
# The encoder of the same family as the input's codec; what is not here falls to H.264.
ENCODERS = {
    "h264": "libx264", "hevc": "libx265", "vp8": "libvpx", "vp9": "libvpx-vp9", "av1": "libsvtav1", "ffv1": "ffv1", "prores": "prores_ks",
    "mjpeg": "mjpeg", "mpeg4": "mpeg4", "mpeg2video": "mpeg2video", "huffyuv": "huffyuv", "ffvhuff": "ffvhuff", "utvideo": "utvideo",
    "qtrle": "qtrle", "png": "png", "dnxhd": "dnxhd", "rawvideo": "rawvideo",
}  # fmt: skip
_WITH_CRF = ("libx264", "libx265", "libvpx-vp9", "libvpx", "libsvtav1")
DEFAULT_CRF = 16


def check_output(output: Path, inputs: list[Path]) -> None:
    """Refuse an output that cannot be written, before any work."""
    if output.suffix.lower() not in CONTAINERS:
        hint = did_you_mean(output.suffix, CONTAINERS)
        raise InputError(f"{output}: unknown container '{output.suffix}'{hint}; expected one of {', '.join(CONTAINERS)}")
    if not output.parent.is_dir():
        raise InputError(f"{output}: the folder {output.parent} does not exist; make it first")
    if output.is_dir():
        raise InputError(f"{output}: is a folder; give the name of a file")
    if not os.access(output.parent, os.W_OK):
        raise InputError(f"{output}: the folder {output.parent} cannot be written; choose another or change its permissions")
    for source in inputs:
        if output.exists() and source.exists() and output.samefile(source):
            raise InputError(f"{output}: is one of the inputs; choose another name for the output")


class VideoWriter:
    """Writes frames with the input's time stamps, tags, audio and subtitles.

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
    ) -> None:
        self.output = output
        self.part = output.with_name(f".{output.stem}.part{output.suffix}")
        self.source = source
        self.start_seconds = start_seconds
        self.end_seconds = end_seconds
        self.frames = 0
        encoder = codec or ENCODERS.get(source.codec, "libx264")
        encoder = ENCODERS.get(encoder, encoder)
        if encoder not in av.codecs_available or av.Codec(encoder, "w").type != "video":
            raise InputError(
                f"--codec {encoder}: unknown{did_you_mean(encoder, av.codecs_available)}; try libx264, libx265, prores_ks or ffv1"
            )
        self._original = open_video(source.path, "composite")
        self._last_pts: int | None = None
        options = self._options(encoder, crf, preset)
        try:
            self._container = av.open(
                f"file:{self.part.absolute()}", "w", options={"movflags": "+faststart"} if output.suffix in (".mp4", ".mov", ".m4v") else {}
            )
            self._stream = self._add_video(encoder, options, pix_fmt or source.pixel_format)
            self._copied = self._add_other_streams()
            self._container.start_encoding()
        except (av.error.FFmpegError, ValueError, OSError) as error:
            self.abandon()
            reason = str(getattr(error, "strerror", None) or error)
            odd = source.width % 2 or source.height % 2
            hint = "its size is odd: try --pix-fmt yuv444p" if odd else "try an .mkv file, or another --codec or --pix-fmt"
            raise InputError(
                f"{output}: {encoder} with {pix_fmt or source.pixel_format} cannot be written to it ({reason}); {hint}"
            ) from None
        self._packets = self._other_packets()
        self._next_packet = next(self._packets, None)

    def _options(self, encoder: str, crf: int | None, preset: str | None) -> dict[str, str]:
        options: dict[str, str] = {}
        if encoder in _WITH_CRF:
            options["crf"] = str(DEFAULT_CRF if crf is None else crf)
        elif crf is not None:
            raise InputError(f"--crf {crf}: {encoder} has no such setting; leave it out")
        if preset is not None:
            options["preset"] = preset
        if encoder == "libx265":
            options["x265-params"] = "log-level=error"
        if encoder == "libvpx-vp9":
            options |= {"b": "0", "row-mt": "1"}
        return options

    def _add_video(self, encoder: str, options: dict[str, str], pix_fmt: str) -> Any:
        original = self._original.streams.video[0]
        stream: Any = self._container.add_stream(encoder, rate=self.source.fps, options=options)
        context, before = stream.codec_context, original.codec_context
        context.width, context.height, context.pix_fmt = self.source.width, self.source.height, pix_fmt
        context.time_base = original.time_base or 1 / Fraction(self.source.fps)
        if encoder == "mpeg4":  # its time base has 16 bits
            context.time_base = 1 / Fraction(self.source.fps).limit_denominator(1001)
        context.thread_type, context.thread_count = "AUTO", 0
        for tag in ("colorspace", "color_primaries", "color_trc", "color_range"):
            with contextlib.suppress(ValueError, TypeError):
                setattr(context, tag, getattr(before, tag))
        if original.sample_aspect_ratio:
            context.sample_aspect_ratio = original.sample_aspect_ratio
        stream.time_base = context.time_base
        stream.metadata.update({key: value for key, value in original.metadata.items() if key in ("language", "title")})
        return stream

    def _add_other_streams(self) -> dict[int, Any]:
        """Audio and subtitles are copied packet by packet, never decoded."""
        copied = {}
        for stream in self._original.streams:
            if stream.type == "audio" or (stream.type == "subtitle" and self.output.suffix == ".mkv"):
                copied[stream.index] = self._container.add_stream_from_template(stream)
        return copied

    def _other_packets(self) -> Iterator[Any]:
        if not self._copied:
            return
        streams = [self._original.streams[index] for index in self._copied]
        for packet in self._original.demux(streams):
            if packet.dts is None:
                continue
            at = float(packet.pts if packet.pts is not None else packet.dts) * float(packet.time_base)
            # Encoders prime a stream with packets before time zero: those belong to an uncut file.
            before = self.start_seconds > 0.0 and at < self.start_seconds - 1e-6
            if before or (self.end_seconds is not None and at >= self.end_seconds):
                continue
            offset = round(Fraction(self.start_seconds).limit_denominator(10**6) / packet.time_base)
            if offset:
                packet.pts = None if packet.pts is None else packet.pts - offset
                packet.dts -= offset
            packet.stream = self._copied[packet.stream.index]
            yield packet

    def write(self, timed: TimedFrame, image: PlanarFrame) -> None:
        """Encode one frame at the time of ``timed``."""
        frame = timed.decoded if image is timed.image else self._encodable(image, timed.decoded)
        time_base = self._original.streams.video[0].time_base or 1 / Fraction(self.source.fps)
        seconds = Fraction(timed.pts) * time_base if timed.pts is not None else Fraction(self.frames) / Fraction(self.source.fps)
        seconds -= Fraction(self.start_seconds).limit_denominator(10**6)
        pts = round(seconds / self._stream.codec_context.time_base)
        if self._last_pts is not None and pts <= self._last_pts:
            pts = self._last_pts + 1
        self._last_pts = pts
        if frame.format.name != self._stream.codec_context.pix_fmt:
            frame = frame.reformat(format=self._stream.codec_context.pix_fmt)
        frame.pts, frame.time_base = pts, self._stream.codec_context.time_base
        frame.pict_type = 0
        self._mux_others_until(float(seconds))
        try:
            self._container.mux(self._stream.encode(frame))
        except av.error.FFmpegError as error:
            raise VhmaeError(
                f"{self.output}: encoding failed at frame {self.frames} ({error.strerror}); check the space on the disk"
            ) from None
        self.frames += 1

    def _encodable(self, image: PlanarFrame, like: av.VideoFrame) -> av.VideoFrame:
        name = REPACKED.get(like.format.name, like.format.name)
        assert name in PLANAR
        frame = av.VideoFrame(image.width, image.height, name)
        for plane, values in zip(frame.planes, image.planes, strict=True):
            rows = np.frombuffer(memoryview(plane), np.uint8).reshape(plane.height, plane.line_size).view(values.dtype)
            rows[:, : plane.width] = values
        for tag in ("colorspace", "color_range", "color_primaries", "color_trc"):
            with contextlib.suppress(ValueError, TypeError, AttributeError):
                setattr(frame, tag, getattr(like, tag))
        return frame

    def _mux_others_until(self, seconds: float) -> None:
        while self._next_packet is not None:
            packet = self._next_packet
            if float(packet.dts) * float(packet.time_base) > seconds:
                return
            self._container.mux_one(packet)
            self._next_packet = next(self._packets, None)

    def finish(self) -> None:
        """Flush everything and give the file its name."""
        try:
            self._container.mux(self._stream.encode(None))
            self._mux_others_until(float("inf"))
            self._container.close()
            self.part.replace(self.output)
        except BaseException:
            self.abandon()
            raise
        self._original.close()

    def abandon(self) -> None:
        """Leave nothing behind."""
        with contextlib.suppress(Exception):
            self._container.close()
        self._original.close()
        self.part.unlink(missing_ok=True)

    def __enter__(self) -> VideoWriter:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        if kind is None:
            self.finish()
        else:
            self.abandon()
