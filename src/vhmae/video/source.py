"""A source of frames, whatever it is: a video, pictures or one still."""

from __future__ import annotations

import math
from fractions import Fraction
from pathlib import Path

import numpy as np

from vhmae.color.light import LightSpace
from vhmae.color.yuv import Matrix
from vhmae.errors import InputError
from vhmae.video.probe import VideoInfo, probe_video
from vhmae.video.sequence import is_pictures, probe_pictures
from vhmae.video.turning import unmirrored


def probe_source(
    path: Path,
    what: str,
    colorspace: Matrix | None = None,
    rate: Fraction | None = None,
    space: LightSpace | None = None,
    gaps: bool = False,
) -> VideoInfo:
    """Probe a video or pictures.

    Args:
        what: what the source is to the work, for messages.
        colorspace: overrules the matrix that it says.
        rate: frames a second of pictures, which do not say.
        space: what its values stand for; None is what it says.
        gaps: let numbers be missing between the first and the last of numbered pictures, whose
            partners are found by their numbers.
    Raises:
        InputError: for what cannot be read, and for a rate of what has one of its own.
    """
    if is_pictures(path):
        return probe_pictures(path, what, colorspace, rate, space, gaps)
    if rate is not None:
        raise InputError(
            f"is for pictures; {path} has a rate of its own, leave it out", field="rate", value=rate
        )
    return unmirrored(probe_video(path, what, colorspace, space))


def frames_between(info: VideoInfo, start: float, end: float | None) -> range:
    """Numbers of the frames from one time to another, in seconds from the first frame, without
    decoding any; all of them where the file does not say when they are shown."""
    first = frame_at(info, start)
    last = info.frames if end is None else frame_at(info, end)
    return range(first, max(first, min(last or info.frames, info.frames)))


def shown_until(info: VideoInfo, number: int) -> float:
    """A time within a frame, in seconds from the first one: until then, it has been shown."""
    seconds = number / float(info.fps)
    if info.timestamps is not None and info.time_base is not None and number < info.frames:
        ticks = info.timestamps[number] - info.timestamps[0]
        seconds = float(ticks * info.time_base)
    return seconds + 0.5 / float(info.fps)


def frame_at(info: VideoInfo, seconds: float) -> int:
    """The number of the first frame that is shown so many seconds after the first, or later; 0
    where the file does not say."""
    if info.files is not None:
        return max(0, math.ceil((seconds - 1e-6) * float(info.fps)))
    if info.timestamps is None or info.time_base is None:
        return 0
    shown = (info.timestamps - info.timestamps[0]) * float(info.time_base)
    return int(np.searchsorted(shown, seconds - 1e-6))
