"""``vhmae harmonize - -o -``: Y4M or raw video in by a pipe, harmonized frames out by a pipe, with
bounded latency."""

from __future__ import annotations

import contextlib
import dataclasses
import itertools
import os
import queue
import re
import select
import sys
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from fractions import Fraction
from pathlib import Path
from typing import Any, BinaryIO

import av

from vhmae.arrays import Array
from vhmae.color.spaces import named_space
from vhmae.engine.backends import idle_gpu
from vhmae.engine.harmonizer import Harmonizer
from vhmae.engine.remarks import told_of_unread
from vhmae.engine.rendering import Released, render_planes
from vhmae.engine.stepping import covered_by
from vhmae.errors import InputError, VhmaeError, counted
from vhmae.options import values_to_json
from vhmae.overlap import BusyTimes, run_ahead
from vhmae.progress import Progress
from vhmae.video.matte import MatteSource, open_matte
from vhmae.video.planes import PlanarFrame, format_bytes
from vhmae.video.probe import VideoInfo, describe_stream, video_stream
from vhmae.video.reader import planar_frame
from vhmae.video.tags import encodable, tag_colors
from vhmae.work.analysis import told_of_move
from vhmae.work.guiding import hear_stream, stream_report, stream_warnings
from vhmae.work.harmonize import check_strict
from vhmae.work.job import StreamJob
from vhmae.work.report import Report, Tally, where_it_runs

FRAMES_AHEAD = 2
WATCHES_PIPES = sys.platform != "win32"
"""Whether ``select`` takes pipes; Windows has it for sockets alone."""
STAGES = ("decode", "network", "render", "encode")


@dataclasses.dataclass(frozen=True)
class RawFormat:
    """What raw video does not say of itself."""

    width: int
    height: int
    pixel_format: str
    rate: Fraction

    @classmethod
    def parse(cls, text: str) -> RawFormat:
        """``1920x1080:yuv420p:25`` or ``...:30000/1001``."""
        form = re.fullmatch(r"(\d+)x(\d+):(\w+):(\d+(?:/\d+)?)", text)
        if (
            form is None
            or not int(form[1])
            or not int(form[2])
            or 0 in map(int, form[4].split("/"))
        ):
            raise InputError(
                "expected WIDTHxHEIGHT:PIXEL_FORMAT:RATE, as in 1920x1080:yuv420p:25",
                field="raw",
                value=text,
            )
        try:
            av.VideoFormat(form[3], 2, 2)
        except ValueError:
            told = f"unknown pixel format {form[3]}; FFmpeg's names are meant, as in yuv420p"
            raise InputError(told, field="raw", value=text) from None
        return cls(int(form[1]), int(form[2]), form[3], Fraction(form[4]))


def harmonize_stream(job: StreamJob, source: BinaryIO, sink: BinaryIO) -> dict[str, Any]:
    """Harmonize until the source ends; the sink, which should hold nothing back, has the source's
    format. Returns the report of docs/cli.md."""
    with _Stoppable(source) as stoppable:
        return _harmonize(job, stoppable, sink)


def _harmonize(job: StreamJob, stoppable: _Stoppable, sink: BinaryIO) -> dict[str, Any]:
    began = time.monotonic()
    if len(job.masks) != 1:
        raise InputError(
            "a stream takes one; give a video, picture, folder, sequence or .npz", field="masks"
        )
    raw = RawFormat.parse(job.raw) if job.raw else None
    mattes = open_matte(job.masks[0])
    harmonizer = Harmonizer.from_settings(job, lookahead=job.lookahead)
    busy, tally = BusyTimes(STAGES), Tally()
    written = 0
    container = _opened(raw, stoppable)
    info = describe_stream(
        video_stream(container), Path("-"), job.colorspace, named_space(job.input_space)
    )
    misfit = mattes.check_fits(info, hold_last=True)
    hear_stream(job, harmonizer, info)
    header = None if raw else stoppable.beginning.partition(b"\n")[0]
    writer = _PipeWriter(sink, info, video_stream(container), header)
    decoded = busy.drawing("decode", _frames(container, info, mattes, job, raw is not None))
    frames = run_ahead(decoded, FRAMES_AHEAD, wake=stoppable.stop)
    # How long a stream is, nobody says; its mask may, where it has to last.
    total = mattes.frames if not job.hold_last_mask and (mattes.frames or 0) > 1 else None
    tells: dict[str, Any] = {"note": lambda: f"slowest: {busy.slowest}"}
    tells["size"] = lambda: written * writer.frame_bytes
    try:
        with Progress("harmonize", total, job.progress, **tells) as progress:
            for parts in _harmonized(frames, harmonizer, busy):
                _pass_on(parts, harmonizer, writer, busy, tally)
                written += 1
                progress(written)
    finally:
        stoppable.stop()
        frames.close()
        container.close()
    writer.close()
    _check_whole(stoppable, writer.frame_bytes, written, raw is not None)
    if not written:
        raise InputError(
            "-: no frame came through the pipe; expected Y4M, or raw video described by `raw`"
        )
    seconds = time.monotonic() - began
    idle = idle_gpu(harmonizer.network, job.device)
    longer = None
    if total is not None and written < total:
        longer = (
            f"{mattes.path}: has {counted(total, 'frame')}, the stream had {written}: the mask's "
            f"last {total - written} were not used; see that both begin at the same frame"
        )
    told = [*mattes.warnings, misfit, longer, *info.warnings]
    warnings = [warning for warning in told if warning]
    warnings += [*told_of_unread(harmonizer), *idle, *stream_warnings(job, harmonizer)]
    check_strict(job.strict, warnings)
    warnings += told_of_move(job)
    return Report(
        frames=written,
        fps=round(written / seconds, 3),
        seconds=round(seconds, 3),
        size_bytes=written * writer.frame_bytes,
        seconds_by_stage=busy.rounded(),
        mean_change=tally.mean_change,
        outside_change=tally.outside_change,
        passed_through=tally.passed_through,
        skipped=0,
        warnings=warnings,
        **where_it_runs(harmonizer.network),
        quality=job.quality,
        latency_frames=harmonizer.latency_frames,
        input_space=info.space_name,
        output_space=info.space_name,
        job=values_to_json(job),
        **stream_report(harmonizer),
    ).as_dict()


def _pass_on(
    parts: tuple[Released, ...],
    harmonizer: Harmonizer,
    writer: _PipeWriter,
    busy: BusyTimes,
    tally: Tally,
) -> None:
    """Render what the sides say of a frame, and write it."""
    decoded, image, _ = parts[0].payload
    rendered, moved = image, dict.fromkeys(("foreground", "background"), None)
    for side, (payload, change, *_) in zip(harmonizer.moving, parts, strict=True):
        if change is not None:
            with busy.working("render"):
                rendered, moved[side.side.of] = render_planes(rendered, payload[2], change)
    tally.count(moved["foreground"], moved["background"])
    with busy.working("encode"):
        writer.write(decoded, rendered, same=rendered is image)


class _Watched:
    """A pipe that the system says of whether anything has come."""

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor
        self._woken, self._waker = os.pipe()

    def read(self, size: int) -> bytes:
        """What has come, for which it waits; empty at the end, and once it was woken."""
        came = select.select([self._descriptor, self._woken], [], [])[0]
        return b"" if self._woken in came else os.read(self._descriptor, size)

    def wake(self) -> None:
        """Let nobody wait in :meth:`read` from now on."""
        os.write(self._waker, b"!")

    def close(self) -> None:
        os.close(self._woken)
        os.close(self._waker)


class _ReadAhead:
    """A pipe read by a thread, where the system says nothing of pipes; it ends with the process."""

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor
        self._came: queue.Queue[bytes] = queue.Queue(maxsize=8)
        self._rest = b""
        threading.Thread(target=self._fill, daemon=True).start()

    def _fill(self) -> None:
        while True:
            data = os.read(self._descriptor, 1 << 16)
            self._came.put(data)
            if not data:
                return

    def read(self, size: int) -> bytes:
        """As :meth:`_Watched.read`."""
        if not self._rest:
            self._rest = self._came.get()
            if not self._rest:
                self.wake()  # the end stays the end
        data, self._rest = self._rest[:size], self._rest[size:]
        return data

    def wake(self) -> None:
        """As :meth:`_Watched.wake`."""
        with contextlib.suppress(queue.Full):  # then nobody waits
            self._came.put_nowait(b"")

    def close(self) -> None:
        """There is nothing to close: the thread keeps the pipe."""


class _Stoppable:
    """A pipe that can be read from until the work is stopped: a read that waits for a silent sender
    would hold Ctrl-C up. A context manager."""

    def __init__(self, source: BinaryIO) -> None:
        self._pipe = (_Watched if WATCHES_PIPES else _ReadAhead)(source.fileno())
        self.stopped = False
        self.received = 0
        """Bytes so far."""
        self.beginning = b""
        """The first of them: Y4M's header, and that of its first frame."""

    def __enter__(self) -> _Stoppable:
        return self

    def __exit__(self, *_: object) -> None:
        self._pipe.close()

    def stop(self) -> None:
        """Let whoever waits for the sender go on: the pipe is at its end."""
        self.stopped = True
        self._pipe.wake()

    def read(self, size: int) -> bytes:
        data = b"" if self.stopped else self._pipe.read(size)
        self.received += len(data)
        if len(self.beginning) < 1024:
            self.beginning = (self.beginning + data)[:1024]
        return data


def _check_whole(source: _Stoppable, size: int, frames: int, raw: bool) -> None:
    """Refuse a stream that ends within a frame, which the demuxer leaves out without a word; what
    came whole has been passed on."""
    header, first = (b"", b"") if raw else source.beginning.split(b"\n", 2)[:2]
    newline = 0 if raw else 1
    whole = len(first) + newline + size
    left = source.received - (len(header) + newline) - frames * whole
    if 0 < left < whole:
        doubt = ", and see that `raw` says what it is" if raw else ""
        raise VhmaeError(
            f"-: the stream ends within frame {frames}, {left} of its {whole} bytes came; send it "
            f"again{doubt}"
        )


def _opened(raw: RawFormat | None, source: _Stoppable) -> Any:
    """Open the stream in a thread: PyAV holds an interrupt back that comes within its reading."""
    with ThreadPoolExecutor(1) as pool:
        try:
            return pool.submit(_open, raw, source).result()
        except BaseException:
            source.stop()
            raise


def _open(raw: RawFormat | None, source: _Stoppable) -> Any:
    options = {}
    if raw is not None:
        options = {
            "video_size": f"{raw.width}x{raw.height}",
            "pixel_format": raw.pixel_format,
            "framerate": str(raw.rate),
        }
    try:
        return av.open(
            source, format="yuv4mpegpipe" if raw is None else "rawvideo", options=options
        )
    except (av.error.FFmpegError, ValueError) as error:
        reason = getattr(error, "strerror", None) or error
        raise InputError(
            f"-: is not Y4M ({reason}); pipe it with -f yuv4mpegpipe, or describe raw video by "
            "`raw`"
        ) from None


def _frames(
    container: Any, info: VideoInfo, mattes: MatteSource, job: StreamJob, raw: bool
) -> Iterator[tuple[av.VideoFrame, PlanarFrame, Array]]:
    """The frames of a stream; of raw video a packet of fewer bytes than the first is the rest of
    one, which :func:`_check_whole` tells of once the whole ones have been passed on."""
    matte_of = mattes.read(info)
    packets = _whole_packets(container) if raw else container.demux(video=0)
    decoded = itertools.chain.from_iterable(packet.decode() for packet in packets)
    number = -1
    try:
        for number, frame in enumerate(decoded):
            if mattes.frames is not None and number >= mattes.frames and not job.hold_last_mask:
                raise InputError(
                    f"{mattes.path}: has {counted(mattes.frames, 'frame')} but the stream goes "
                    "on; pass "
                    "`hold_last_mask`"
                )
            yield frame, planar_frame(frame, info), next(matte_of)
    except av.error.FFmpegError as error:
        if raw and number < 0:  # less than a frame came
            return
        raise VhmaeError(f"-: the stream is damaged ({error.strerror}); send it again") from None


def _whole_packets(container: Any) -> Iterator[Any]:
    first = 0
    for packet in container.demux(video=0):
        first = first or packet.size
        if not 0 < packet.size < first:
            yield packet


def _harmonized(
    frames: Iterator[tuple[av.VideoFrame, PlanarFrame, Array]],
    harmonizer: Harmonizer,
    busy: BusyTimes,
) -> Iterator[tuple[Released, ...]]:
    """What is to be done to each frame by every side that moves; a side's payload is the frame
    with its own matte."""
    for decoded, image, matte in frames:
        with busy.working("network"):
            ready = [
                side.push((decoded, image, cover), image.thumbnail, cover)
                for side in harmonizer.moving
                for cover in (covered_by(side, matte),)
            ]
        yield from zip(*ready, strict=True)
    rest = zip(*(side.drain_lazily() for side in harmonizer.moving), strict=True)
    yield from busy.drawing("network", rest)


class _Muxed:
    """What the muxer makes, held until it is sent: PyAV would swallow an interrupt that came while
    a reader lets it wait, and wait on."""

    def __init__(self, header: bytes | None) -> None:
        """``header`` takes the first line's place: FFmpeg's own would say another place of chroma
        and square pixels, and leave out what it does not know."""
        self._header, self._held = header, bytearray()

    def write(self, data: bytes) -> int:
        self._held += data
        return len(data)

    def taken(self) -> bytes:
        """All that has come since."""
        data, self._held = bytes(self._held), bytearray()
        if self._header is not None and data:
            data, self._header = self._header + data[data.index(b"\n") :], None
        return data


def _send(sink: BinaryIO, data: bytes) -> None:
    """Write all of it to a sink that may take a part at a time."""
    rest = memoryview(data)
    while rest:
        rest = rest[sink.write(rest) :]


class _PipeWriter:
    """Frames into a pipe, in the format they came in; each is pushed out at once."""

    def __init__(
        self, sink: BinaryIO, info: VideoInfo, source: av.VideoStream, header: bytes | None
    ) -> None:
        """``header`` is Y4M's first line as it came; None for raw video."""
        raw = header is None
        # Y4M of more than 8 bit or with alpha is not in its first description.
        options = {
            "flush_packets": "1",
            "strict": "-1",
        }
        self._sink, self._muxed = sink, _Muxed(header)
        muxer = "rawvideo" if raw else "yuv4mpegpipe"
        self._container: Any = av.open(self._muxed, "w", format=muxer, options=options)
        self._stream: Any = self._container.add_stream("rawvideo", rate=info.fps)
        self._stream.width, self._stream.height, self._stream.pix_fmt = (
            info.width,
            info.height,
            info.pixel_format,
        )
        context = self._stream.codec_context
        tag_colors(context, info, info.pixel_format, source.codec_context)
        if hasattr(context, "field_order"):
            context.field_order = source.codec_context.field_order
        self._count = 0
        self.frame_bytes = format_bytes(info.pixel_format, info.width, info.height)
        """What a frame takes in the pipe, on either side."""

    def write(self, decoded: av.VideoFrame, image: PlanarFrame, same: bool) -> None:
        frame = decoded if same else encodable(image, decoded)
        if frame.format.name != self._stream.pix_fmt:
            frame = frame.reformat(format=self._stream.pix_fmt)
        frame.pts, frame.time_base = self._count, 1 / Fraction(self._stream.average_rate or 25)
        self._count += 1
        packets = self._stream.encode(frame)
        # Some formats store more than their components.
        self.frame_bytes = packets[0].size if packets else self.frame_bytes
        self._container.mux(packets)
        _send(self._sink, self._muxed.taken())

    def close(self) -> None:
        self._container.mux(self._stream.encode(None))
        self._container.close()
        _send(self._sink, self._muxed.taken())
