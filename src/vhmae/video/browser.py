"""Video as every browser plays it: H.264, 8 bit 4:2:0, BT.709, the index in front, key frames close
together."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import cv2
import numpy as np

from vhmae.arrays import Array, Frame, Picture
from vhmae.errors import InputError
from vhmae.video.probe import VideoInfo, open_video, video_stream
from vhmae.video.reader import read_frames, to_uint8

STILL_RATE = Fraction(25)
"""Frames a second of a still that is shown as a video."""
KEY_FRAME_EVERY = 12
"""Players jump back to the start of a clip, and pages move several videos to the same frame."""


def display_size(info: VideoInfo) -> tuple[int, int]:
    """Width and height as players show a video: turned upright, its pixels made square."""
    frame = next(read_frames(info))
    width, height = info.width, info.height
    if info.files is None:
        with open_video(info.path, "video") as container:
            aspect = video_stream(container).sample_aspect_ratio
        width = round(width * (aspect or 1))
    return (height, width) if round(frame.decoded.rotation / 90) % 2 else (width, height)


def shown_size(width: int, height: int, lines: int) -> tuple[int, int]:
    """Width and height for at most so many lines (on the shorter side), even as the format needs
    them."""
    scale = min(1.0, lines / min(width, height))
    return max(2, 2 * int(width * scale / 2)), max(2, 2 * int(height * scale / 2))


def read_upright(info: VideoInfo, first: int, count: int) -> Iterator[Frame]:
    """Frames as a viewer sees them, turned upright: (H, W, 3) uint8 RGB. One still is repeated.

    Raises:
        InputError: if the file breaks off before.
    """
    frames: Iterator[Array] = (
        upright(to_uint8(timed.image.rgb()), timed.decoded.rotation)
        for timed in read_frames(info, first=first)
    )
    if info.files is not None and info.frames == 1:
        frames = itertools.repeat(next(frames))
    given = 0
    for frame in itertools.islice(frames, count):
        given += 1
        yield frame
    if given < count:
        raise InputError(f"{info.path}: breaks off at frame {first + given}; repair the file")


def resized(frames: Iterable[Picture], size: tuple[int, int]) -> Iterator[Picture]:
    """Frames at a size (width, height)."""
    for frame in frames:
        how = cv2.INTER_AREA if frame.shape[0] > size[1] else cv2.INTER_CUBIC
        yield frame if frame.shape[1::-1] == size else cv2.resize(frame, size, interpolation=how)


def upright(frame: Picture, degrees: int) -> Picture:
    """Turn a frame as its file tells players to: degrees counterclockwise."""
    turns = round(degrees / 90) % 4
    return np.ascontiguousarray(np.rot90(frame, turns)) if turns else frame


def add_bt709_stream(container: Any, fps: Fraction | int, options: dict[str, str]) -> Any:
    """Add H.264 that every player shows alike: 4:2:0, BT.709 of limited range, and marked so; its
    size is still to be told.

    Args:
        options: of x264.
    """
    stream = container.add_stream("libx264", rate=fps, options=options)
    stream.pix_fmt = "yuv420p"
    context = stream.codec_context
    context.colorspace = context.color_primaries = context.color_trc = 1  # BT.709
    context.color_range = 1  # limited
    return stream


def to_bt709(frame: Frame) -> av.VideoFrame:
    """A frame (H, W, 3) uint8 RGB as such a stream takes it."""
    rgb = av.VideoFrame.from_ndarray(frame, format="rgb24")
    return rgb.reformat(format="yuv420p", dst_colorspace="ITU709", dst_color_range="MPEG")


def write_browser_video(path: Path, frames: Iterator[Frame], fps: Fraction, crf: int = 14) -> int:
    """Write frames (H, W, 3) uint8 RGB of even size; returns their number."""
    count = 0
    options = {"crf": str(crf), "preset": "medium", "g": str(KEY_FRAME_EVERY), "bf": "0"}
    with av.open(f"file:{path.absolute()}", "w", options={"movflags": "+faststart"}) as container:
        stream = add_bt709_stream(container, fps, options)
        for frame in frames:
            if count == 0:
                stream.height, stream.width = frame.shape[:2]
            picture = to_bt709(frame)
            picture.pts, picture.time_base = count, 1 / fps
            container.mux(stream.encode(picture))
            count += 1
        container.mux(stream.encode(None))
    return count
