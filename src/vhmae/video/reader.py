"""Frames out of a video file, one at a time, as planes."""

from __future__ import annotations

import dataclasses
import itertools
from collections.abc import Generator, Iterator, Sequence
from pathlib import Path
from typing import Any

import av
import numpy as np

from vhmae.arrays import Array, Codes, Frame, UnitColors
from vhmae.errors import InputError, VhmaeError
from vhmae.memory import how_many
from vhmae.video.planes import PlanarFrame
from vhmae.video.probe import (
    MATRICES,
    REPACKED,
    VideoInfo,
    alpha_decoder,
    open_video,
    probe_video,
    video_stream,
)
from vhmae.video.sequence import read_pictures
from vhmae.video.side_data import is_marked
from vhmae.video.turning import turned_frame

_SAID: dict[str, dict[int, str]] = {
    "colorspace": {number: f"in {name}" for number, name in MATRICES.items()},
    "color_range": {1: "of limited range", 2: "of full range"},
}
"""What frames say of their colors, by FFmpeg's numbers."""

MOST_THREADS = 16
"""Threads that FFmpeg starts by itself at the most."""
DECODER_BYTES = 256 << 20
"""Of the frames that a decoder's threads may hold."""


@dataclasses.dataclass
class TimedFrame:
    """A frame with its place in time, as the file gives it."""

    index: int
    """Its number in the file: frames that could not be decoded leave gaps."""
    image: PlanarFrame
    pts: int | None
    """Presentation time in units of the stream's time base."""
    seconds: float | None
    """Presentation time."""
    decoded: av.VideoFrame
    """The frame as it was decoded: written again as it is where nothing changes."""
    cut: bool = False
    """Light above 1 is not in the planes (OpenEXR)."""
    marked: bool = False
    """It is one of two fields, or something travels beside its pixels; marks of pictures are kept
    file by file (``still_marks``)."""


def read_frames(info: VideoInfo, *, first: int = 0, threads: int = 0) -> Iterator[TimedFrame]:
    """Decode a video to its last frame; what cannot be decoded is left out.

    Args:
        first: number of the first frame that is wanted.
        threads: decoder threads, each of which holds a frame; 0 lets FFmpeg choose, where frames
            are not so large that some would be too many.
    Raises:
        VhmaeError: if the file cannot be read any further.
    """
    if info.files is not None:
        for index, frame, cut in read_pictures(info, first):
            yield TimedFrame(index, planar_frame(frame, info), None, None, frame, cut)
        return
    start, frames = first, _decoded(info, first, threads)
    begun = next(frames, None)
    # Seeking may land behind what it was asked for: the first pictures after a key frame can need
    # those before it.
    while start > 0 and (begun is None or begun.index > first):
        frames.close()
        start = max(0, start - max(16, 2 * (first - start)))
        frames = _decoded(info, start, threads)
        begun = next(frames, None)
    while begun is not None:
        if begun.index >= first:
            yield begun
        begun = next(frames, None)


def spread_frames(info: VideoInfo, count: int) -> Iterator[TimedFrame]:
    """A few frames of a video, in order and spread over it, however long it is.

    Each is the last key frame before its place, so that it is decoded alone; where there are fewer
    key frames, and in a file that cannot be sought in, the first frames of the video follow.

    Raises:
        VhmaeError: as :func:`read_frames`.
    """
    last, found = -1, 0
    if info.files is None and info.stamped and info.timestamps is not None:
        for place in range(count):
            frames = _decoded(info, place * (info.frames - 1) // max(1, count - 1), 1)
            frame = next(frames, None)
            frames.close()
            if frame is not None and frame.index > last:
                last, found = frame.index, found + 1
                yield frame
    if found < min(count, info.frames):
        yield from itertools.islice(read_frames(info), count)


def _decoded(info: VideoInfo, start: int, threads: int) -> Generator[TimedFrame, None, None]:
    """All frames from about a number on: where a file can be sought in, those before its key frame
    are left out."""
    with open_video(info.path, "video") as container:
        stream = video_stream(container)
        beside = alpha_decoder(stream)
        decoder: Any = (
            stream.codec_context if beside is None else av.CodecContext.create(beside, "r")
        )
        decoder.thread_type = "AUTO"
        most = how_many(MOST_THREADS, info.frame_bytes, DECODER_BYTES)
        decoder.thread_count = threads or (0 if most == MOST_THREADS else max(1, most))
        if start and info.stamped and info.timestamps is not None:
            container.seek(int(info.timestamps[min(start, info.frames - 1)]), stream=stream)
        index = -1
        told: dict[str, int] = {}
        try:
            for packet in container.demux(stream):
                try:
                    frames = decoder.decode(packet)
                except av.error.InvalidDataError:
                    # Those after it keep their numbers, where each packet is a frame by itself.
                    if packet.size and not info.stamped:
                        index += 1
                    continue
                for stored in frames:
                    index = _number(stored, info, index)
                    frame = turned_frame(stored, info.righted)
                    _check_alike(frame, info, index, told)
                    pts = seconds = None  # without time stamps of its own a file has an even rate
                    if info.timestamps is not None and info.time_base is not None:
                        pts = (
                            frame.pts
                            if info.stamped
                            else int(info.timestamps[min(index, info.frames - 1)])
                        )
                    if pts is not None and info.time_base is not None:
                        seconds = float(pts * info.time_base)
                    marked = is_marked(frame, info.codec)
                    yield TimedFrame(
                        index, planar_frame(frame, info), pts, seconds, frame, marked=marked
                    )
        except av.error.FFmpegError as error:
            raise VhmaeError(
                f"{info.path}: cannot be read after frame {index} ({error.strerror}); repair the "
                "file"
            ) from None


def _check_alike(frame: av.VideoFrame, info: VideoInfo, index: int, told: dict[str, int]) -> None:
    """Refuse a frame that is stored otherwise than those before it, as in recordings of broadcasts.

    Args:
        told: matrix and range as frames before it told them.
    """
    was, now = f"{info.width}x{info.height}", f"{frame.width}x{frame.height}"
    if was == now:
        was, now = (REPACKED.get(n, n) for n in (info.pixel_format, frame.format.name))
    if was == now:
        for name, said in _SAID.items():
            value = int(getattr(frame, name))
            if value in said and told.setdefault(name, value) != value:
                was, now = said[told[name]], said[value]
    if was != now:
        raise InputError(
            f"{info.path}: is {was}, but {now} from frame {index} on; cut it there, or bring it to "
            "one kind first"
        )


def _number(frame: av.VideoFrame, info: VideoInfo, before: int) -> int:
    """A frame's number, by its time stamp where the file has them."""
    if info.timestamps is not None and info.stamped and frame.pts is not None:
        place = int(np.searchsorted(info.timestamps, frame.pts))
        if place < info.frames and info.timestamps[place] == frame.pts and place > before:
            return place
    return before + 1


def planar_frame(frame: av.VideoFrame, info: VideoInfo) -> PlanarFrame:
    """View a decoded frame's planes as arrays (without copying where the format is planar)."""
    name = frame.format.name
    if name in REPACKED:
        frame = frame.reformat(format=REPACKED[name])
    depth = np.uint8 if info.encoding.bits == 8 else np.uint16
    planes = []
    for plane in frame.planes:
        rows = (
            np.frombuffer(memoryview(plane), np.uint8)
            .reshape(plane.height, plane.line_size)
            .view(depth)
        )
        planes.append(rows[:, : plane.width])
    components = frame.format.components
    chroma_x = -(-frame.width // components[1].width) if len(components) > 1 else 1
    chroma_y = -(-frame.height // components[1].height) if len(components) > 1 else 1
    return PlanarFrame(planes, info.encoding, chroma_x, chroma_y)


def read_rgb_frames(path: Path, indexes: Sequence[int]) -> list[Frame]:
    """Read chosen frames of a small clip as RGB: a list of (H, W, 3) uint8 in the order of
    ``indexes``."""
    return rgb_frames_of(probe_video(path), indexes)


def rgb_frames_of(info: VideoInfo, indexes: Sequence[int]) -> list[Frame]:
    """As :func:`read_rgb_frames`, of a clip or pictures that were looked at."""
    wanted = set(indexes)
    found: dict[int, Array] = {}
    for frame in read_frames(info):
        if frame.index in wanted:
            found[frame.index] = to_uint8(frame.image.rgb())
            if len(found) == len(wanted):
                break
    missing = wanted - found.keys()
    if missing:
        raise InputError(
            f"{info.path}: has no frame {min(missing)}: it has {info.frames}; give a longer video "
            "or an earlier frame"
        )
    return [found[index] for index in indexes]


def to_uint8(rgb: UnitColors) -> Codes:
    """Round colors in [0, 1] to 0-255."""
    return np.rint(np.clip(rgb, 0.0, 1.0) * 255.0).astype(np.uint8)
