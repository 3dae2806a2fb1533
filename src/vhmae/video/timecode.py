"""Time code: hours, minutes, seconds and frames, with and without the numbers that 29.97 drops."""

from __future__ import annotations

import dataclasses
import re

import av

from vhmae.video.exr import ExrPicture, is_exr
from vhmae.video.probe import VideoInfo, open_video, video_stream
from vhmae.video.side_data import beside
from vhmae.video.source import frame_at

_FORM = re.compile(r"(\d{1,2}):(\d\d)[:.](\d\d)([:;.,])(\d{1,3})")
_MINUTES_A_DAY = 24 * 60


@dataclasses.dataclass(frozen=True)
class Counting:
    """How frames are counted in time code."""

    base: int
    """Frame numbers in a second: 30 for 29.97."""
    drop: bool = False
    """Whether numbers are left out (two a minute at 29.97, but not every tenth minute), so that the
    count keeps to the clock; no frame is left out."""

    @property
    def _left_out(self) -> int:
        return self.base // 15 if self.drop else 0

    @property
    def frames_a_day(self) -> int:
        """Frames until the count begins anew."""
        return self.base * 60 * _MINUTES_A_DAY - self._left_out * (_MINUTES_A_DAY * 9 // 10)

    def number(self, hours: int, minutes: int, seconds: int, frames: int) -> int:
        """The frame of a time code, counted from midnight."""
        passed = 60 * hours + minutes
        whole = (60 * passed + seconds) * self.base + frames
        return whole - self._left_out * (passed - passed // 10)

    def text(self, number: int) -> str:
        """The time code of a frame; counts on past midnight as clocks do."""
        number %= self.frames_a_day
        tens, rest = divmod(number, 600 * self.base - 9 * self._left_out)
        if rest >= 60 * self.base:  # past the first minute of ten, which leaves nothing out
            minutes = 1 + (rest - 60 * self.base) // (60 * self.base - self._left_out)
            rest += minutes * self._left_out
        number = tens * 600 * self.base + rest
        seconds, frames = divmod(number, self.base)
        minutes, seconds = divmod(seconds, 60)
        hours, minutes = divmod(minutes, 60)
        mark = ";" if self.drop else ":"
        return f"{hours:02d}:{minutes:02d}:{seconds:02d}{mark}{frames:02d}"


def read_timecode(text: str, base: int) -> tuple[int, bool] | None:
    """The frame that a time code means, and whether it drops numbers; None if it is none here."""
    match = _FORM.fullmatch(text.strip())
    if match is None:
        return None
    hours, minutes, seconds, frames = (int(match[place]) for place in (1, 2, 3, 5))
    drop = match[4] != ":" and base % 30 == 0
    dropped = drop and seconds == 0 and minutes % 10 and frames < base // 15
    if hours > 23 or minutes > 59 or seconds > 59 or frames >= base or dropped:
        return None
    return Counting(base, drop).number(hours, minutes, seconds, frames), drop


def told_in(info: VideoInfo) -> dict[str, str]:
    """What a clip says of its place on a tape: "timecode" and "reel_name", where it does.

    Containers keep it with the file, with the picture, or on a track of its own; some codecs with
    their frames, and OpenEXR pictures in their headers. Of pictures the first is asked.
    """
    if info.files is not None:
        first = info.files[0]
        picture = ExrPicture(first) if is_exr(first) else None
        code, reel = (None, None) if picture is None else (picture.time_code, picture.reel)
        named = {} if reel is None else {"reel_name": reel}
        return named if code is None else {"timecode": _written(list(code[:4]), code[4]), **named}
    with open_video(info.path, "composite") as container:
        found = told_by(container)
        if "timecode" not in found:
            text = _in_frame(container, info)
            if text is not None:
                found["timecode"] = text
    return found


def told_by(container: av.container.InputContainer) -> dict[str, str]:
    """What an open file says beside its frames; see :func:`told_in`."""
    found: dict[str, str] = {}
    video = video_stream(container)
    others = [stream for stream in container.streams if stream is not video]
    for metadata in (*(stream.metadata for stream in (video, *others)), container.metadata):
        for key, value in metadata.items():
            if key.lower() in ("timecode", "reel_name") and value.strip():
                found.setdefault(key.lower(), value.strip())
    return found


def moved_along(text: str, info: VideoInfo, start_seconds: float) -> str | None:
    """The time code of the first frame that is kept of a clip.

    Args:
        text: that of the clip's first frame.
        start_seconds: when what is kept begins, counted from the first frame.
    Returns:
        None where the clip's is none of its rate.
    """
    base = max(1, round(info.fps))
    read = read_timecode(text, base)
    if read is None:
        return None
    number, drop = read
    return Counting(base, drop).text(number + frame_at(info, start_seconds))


def _in_frame(container: av.container.InputContainer, info: VideoInfo) -> str | None:
    """The time code that the first frame carries."""
    try:
        frame = next(container.decode(video=0))
    except (StopIteration, av.error.FFmpegError):
        return None
    told = beside(frame)
    smpte = told.get("S12M_TIMECODE")
    if smpte is not None:
        word = int.from_bytes(smpte[4:8], "little")
        codes = [(word & 0x3F), *(word >> shift & 0x7F for shift in (8, 16)), word >> 24 & 0x3F]
        parts = [_decimal(code) for code in codes]
        rate = info.fps  # of frames: a file's own may count fields
        if rate > 30:  # pairs of frames are counted, and which of the two
            parts[3] = 2 * parts[3] + (word >> (7 if rate == 50 else 23) & 1)
        return _written(parts, bool(word >> 30 & 1))
    gop = told.get("GOP_TIMECODE")
    if gop is not None:
        word = int.from_bytes(gop[:8], "little")
        masks = ((19, 0x1F), (13, 0x3F), (6, 0x3F), (0, 0x3F))
        return _written([word >> shift & mask for shift, mask in masks], bool(word >> 24 & 1))
    return None


def _decimal(word: int) -> int:
    """A number whose digits take four bits each."""
    return 10 * (word >> 4) + (word & 0xF)


def _written(parts: list[int], drop: bool) -> str:
    hours, minutes, seconds, frames = parts
    return f"{hours:02d}:{minutes:02d}:{seconds:02d}{';' if drop else ':'}{frames:02d}"
