"""How far the work is, told without a terminal: when, and in which words."""

from __future__ import annotations

import io
import json
import time

import pytest

from vhmae.progress import Progress, ProgressMode


class Clock:
    """Time that goes on when it is told to."""

    def __init__(self) -> None:
        self.now = 100.0

    def monotonic(self) -> float:
        return self.now


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    made = Clock()
    monkeypatch.setattr(time, "monotonic", made.monotonic)
    return made


def told(mode: ProgressMode, clock: Clock, total: int, seconds_each: float) -> list[str]:
    """The lines of a work of so many frames, each of which takes so long and a megabyte."""
    stream = io.StringIO()
    size = 0
    with Progress("harmonize", total, mode, stream=stream, size=lambda: size) as advance:
        for done in range(1, total + 1):
            clock.now += seconds_each
            size = done * 1_000_000
            advance(done)
    return stream.getvalue().splitlines()


def test_a_long_work_tells_every_ten_seconds(clock: Clock) -> None:
    lines = told("auto", clock, 400, 1.0)  # no terminal
    assert 40 <= len(lines) <= 50
    assert lines[0] == "vhmae: harmonize: 10 of 400 frames (2 %), 10.0 MB, 6 min left"


def test_a_short_work_tells_every_tenth(clock: Clock) -> None:
    lines = told("lines", clock, 200, 0.1)
    assert [line.split("(")[1].split(" %")[0] for line in lines] == [
        str(10 * tenth) for tenth in range(1, 11)
    ]
    assert lines[4] == "vhmae: harmonize: 100 of 200 frames (50 %), 100.0 MB, 10 s left"


def test_a_work_of_an_instant_tells_nothing(clock: Clock) -> None:
    assert told("lines", clock, 200, 0.001) == []
    assert told("none", clock, 200, 1.0) == []


def test_programs_are_told_by_objects(clock: Clock) -> None:
    rows = [json.loads(line) for line in told("json", clock, 8, 0.5)]
    assert len(rows) == 4
    assert rows[1] == {
        "event": "progress",
        "what": "harmonize",
        "done": 4,
        "total": 8,
        "size_bytes": 4_000_000,
        "seconds_left": 2.0,
    }


def test_a_second_pass_begins_its_tenths_anew(clock: Clock) -> None:
    stream = io.StringIO()
    with Progress("harmonize", 10, "lines", stream=stream) as advance:
        for _ in range(2):
            for done in range(1, 11):
                clock.now += 2.0
                advance(done)
    assert stream.getvalue().count("(10 %)") == 2


def test_what_an_earlier_run_did_is_no_pace(clock: Clock) -> None:
    stream = io.StringIO()
    with Progress("harmonize", 10_000, "json", stream=stream, begun=5_000) as advance:
        clock.now += 10.0
        advance(5_010)
    assert json.loads(stream.getvalue())["seconds_left"] == 4990.0


def test_a_pass_over_all_frames_does_not_take_away_what_was_done_before(clock: Clock) -> None:
    stream = io.StringIO()
    with Progress("harmonize", 10_000, "json", stream=stream, begun=5_000) as advance:
        for done in (1, 9_001, 5_001):
            advance(done)
        clock.now += 10.0
        advance(5_011)
    assert json.loads(stream.getvalue().splitlines()[-1])["seconds_left"] == pytest.approx(
        4535.5, abs=0.1
    )
