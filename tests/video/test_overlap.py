"""Stages that overlap: order, errors in their place, and nothing that goes on after the end."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator

import pytest

from vhmae.video.overlap import BusyTimes, map_ahead, run_ahead


def test_several_threads_keep_the_order_of_the_items() -> None:
    seen = set()

    def work(number: int) -> int:
        seen.add(threading.get_ident())
        time.sleep(0.02 if number % 2 == 0 else 0.0)
        return number * number

    assert list(map_ahead(work, iter(range(12)), 3)) == [number * number for number in range(12)]
    assert len(seen) > 1


def test_an_error_comes_in_the_place_of_its_item() -> None:
    values = map_ahead(lambda number: 6 // (3 - number), iter(range(10)), 2)
    assert [next(values) for _ in range(3)] == [2, 3, 6]
    with pytest.raises(ZeroDivisionError):
        next(values)


def test_a_closed_chain_of_stages_stops_drawing() -> None:
    drawn = []

    def items() -> Iterator[int]:
        for number in range(1000):
            drawn.append(number)
            yield number

    chain = run_ahead(map_ahead(lambda number: number, run_ahead(items(), 2), 2), 2)
    assert next(chain) == 0
    chain.close()
    before = len(drawn)
    time.sleep(0.05)
    assert len(drawn) == before < 20


def test_time_that_threads_share_counts_once() -> None:
    busy = BusyTimes(("render",))
    for _ in map_ahead(lambda _: _work(busy), iter(range(8)), 4):
        pass
    assert 0.03 <= busy.seconds["render"] <= 0.3


def _work(busy: BusyTimes) -> None:
    with busy.working("render", 4):
        time.sleep(0.02)
