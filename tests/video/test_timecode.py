"""Time code, beside a count of every frame."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import opentimelineio as otio
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.support.scenes import moving_scene, write_video
from vhmae.video.probe import probe_video
from vhmae.video.reader import read_frames
from vhmae.video.timecode import Counting, read_timecode, told_in
from vhmae.video.writer import VideoWriter


def counted(base: int, drop: bool) -> Iterator[str]:
    """Time codes one after the other, as clocks show them: the slow and obvious way."""
    for hours, minutes, seconds, frame in itertools.product(
        range(24), range(60), range(60), range(base)
    ):
        if drop and seconds == 0 and minutes % 10 and frame < base // 15:
            continue
        yield f"{hours:02d}:{minutes:02d}:{seconds:02d}{';' if drop else ':'}{frame:02d}"


@pytest.mark.parametrize(
    ("base", "drop"), [(24, False), (25, False), (30, False), (30, True), (60, True)]
)
def test_time_code_matches_the_count_frame_by_frame(base: int, drop: bool) -> None:
    counting = Counting(base, drop)
    for number, text in enumerate(itertools.islice(counted(base, drop), 22 * 60 * base)):
        assert counting.text(number) == text
        assert read_timecode(text, base) == (number, drop)


@given(st.integers(0, 10**9), st.sampled_from([(24, False), (30, True), (60, True), (60, False)]))
@settings(max_examples=300, deadline=None)
def test_time_code_comes_back_and_begins_anew_at_midnight(
    number: int, how: tuple[int, bool]
) -> None:
    counting = Counting(*how)
    assert read_timecode(counting.text(number), how[0]) == (number % counting.frames_a_day, how[1])


@pytest.mark.parametrize("rate", [30000 / 1001, 60000 / 1001])
def test_dropped_numbers_are_those_that_opentimelineio_drops(rate: float) -> None:
    base = round(rate)
    for number in (0, 1799, 1800, 17982, 107892, 107893, 2589407):
        theirs = otio.opentime.to_timecode(otio.opentime.RationalTime(number, rate), rate, True)
        assert Counting(base, True).text(number) == theirs


@pytest.mark.parametrize(
    "text",
    ["", "1:2:3:4", "24:00:00:00", "01:00:60:00", "01:00:00:30", "00:01:00;01", "x", "01:00:00"],
)
def test_what_is_no_time_code_is_none(text: str) -> None:
    assert read_timecode(text, 30) is None


RATES = {"25": Fraction(25), "29.97": Fraction(30000, 1001), "23.976": Fraction(24000, 1001)}


def clip(path: Path, rate: Fraction, timecode: str, **more: str) -> Path:
    """Twelve frames whose container tells a time code."""
    with av.open(str(path), "w") as container:
        stream: Any = container.add_stream("mpeg4", rate=rate)
        stream.width, stream.height, stream.pix_fmt = 64, 48, "yuv420p"
        place = stream if path.suffix == ".mov" else container
        place.metadata.update({"timecode": timecode, **more})
        for picture in moving_scene(12, 64, 48)[0]:
            container.mux(stream.encode(av.VideoFrame.from_ndarray(picture, format="rgb24")))
        container.mux(stream.encode(None))
    return path


def written(source: Path, output: Path, start: float) -> list[str]:
    """Write what is kept of a clip; returns what is told to be left out."""
    info = probe_video(source)
    with VideoWriter(output, info, codec="mpeg4", start_seconds=start) as writer:
        for timed in read_frames(info):
            if timed.index / float(info.fps) >= start - 1e-6:
                writer.write(timed, timed.image)
    return writer.left_out


@pytest.mark.parametrize("kept", [".mov", ".mkv"])
@pytest.mark.parametrize("suffix", [".mov", ".mp4", ".mkv"])
@pytest.mark.parametrize(
    ("rate", "first", "frames", "expected"),
    [
        ("25", "01:00:00:00", 0, "01:00:00:00"),
        ("25", "01:00:00:20", 7, "01:00:01:02"),
        ("29.97", "00:00:59;27", 5, "00:01:00;04"),  # two numbers are dropped
        ("29.97", "00:00:59:27", 5, "00:01:00:02"),
        ("23.976", "23:59:59:22", 3, "00:00:00:01"),
    ],
)
def test_time_code_moves_along_into_every_container(
    kept: str, suffix: str, rate: str, first: str, frames: int, expected: str, tmp_path: Path
) -> None:
    source = clip(tmp_path / f"in{kept}", RATES[rate], first)
    output = tmp_path / f"out{suffix}"
    start = max(0.0, frames - 0.5) / float(RATES[rate])  # stamps of .mkv are whole milliseconds
    assert not written(source, output, start)
    assert told_in(probe_video(output))["timecode"] == expected


@pytest.mark.parametrize(("suffix", "first"), [(".avi", "01:00:00:00"), (".mkv", "01:00:00:47")])
def test_time_code_that_is_lost_is_told(suffix: str, first: str, tmp_path: Path) -> None:
    """In a container that holds none, and where it is none of the clip's rate."""
    source = clip(tmp_path / "in.mkv", Fraction(25), first)
    assert written(source, tmp_path / f"out{suffix}", 0.2) == [f"the time code ({first})"]


@pytest.mark.parametrize("kept", [".mov", ".mkv"])
@pytest.mark.parametrize("suffix", [".mov", ".mp4", ".mkv"])
def test_a_reels_name_is_kept_or_told(kept: str, suffix: str, tmp_path: Path) -> None:
    reel = "A001C003_230412_R1AB"
    source = clip(tmp_path / f"in{kept}", Fraction(25), "01:00:00:00", reel_name=reel)
    left_out = written(source, tmp_path / f"out{suffix}", 0.2)
    found = told_in(probe_video(tmp_path / f"out{suffix}")).get("reel_name")
    told = [f"the reel's name ({reel})"]
    assert (found, left_out) == ((None, told) if suffix == ".mp4" else (reel, []))


@pytest.mark.parametrize(
    ("rate", "word", "told"),
    [
        (25, 0x24000000, "00:00:00:24"),
        (50, 0x12000000, "00:00:00:24"),
        (50, 0x12000080, "00:00:00:25"),
        (60, 0x29800000, "00:00:00:59"),
    ],
)
def test_a_time_code_beside_a_frame_counts_pairs_above_30_frames_a_second(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, rate: int, word: int, told: str
) -> None:
    """As FFmpeg stores what H.264 and HEVC say: half the number, and a bit for which of both."""
    path = write_video(tmp_path / "in.mkv", moving_scene(2, 96, 64)[0], fps=rate)
    smpte = {"S12M_TIMECODE": (1).to_bytes(4, "little") + word.to_bytes(4, "little")}
    monkeypatch.setattr("vhmae.video.timecode.beside", lambda frame: smpte)
    assert told_in(probe_video(path))["timecode"] == told
