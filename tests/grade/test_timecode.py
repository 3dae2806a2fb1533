"""Time code, beside a count of every frame."""

from __future__ import annotations

import itertools
from collections.abc import Iterator

import opentimelineio as otio
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from vhmae.grade.timecode import Counting, read_timecode


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
