"""Stages that overlap: order, errors in their place, and nothing that goes on after the end."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator

import pytest

from vhmae.overlap import BusyTimes, map_ahead, run_ahead


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


def test_an_error_of_the_source_comes_after_all_that_came_before_it() -> None:
    def items() -> Iterator[int]:
        yield from range(6)
        raise OSError("the disk is gone")

    values = map_ahead(lambda number: number, items(), 4)
    assert [next(values) for _ in range(6)] == list(range(6))
    with pytest.raises(OSError, match="gone"):
        next(values)


@pytest.mark.parametrize("ends", ["closed", "failed"])
def test_a_chain_that_ends_early_closes_its_source_and_leaves_no_thread(ends: str) -> None:
    closed = []

    def items() -> Iterator[int]:
        try:
            yield from range(1000)
        finally:
            closed.append(True)

    before = threading.active_count()
    chain = run_ahead(map_ahead(lambda number: 6 // (3 - number), run_ahead(items(), 2), 2), 2)
    assert next(chain) == 2
    if ends == "closed":
        chain.close()
    else:
        with pytest.raises(ZeroDivisionError):
            list(chain)
    assert closed == [True]
    assert threading.active_count() == before


def test_time_that_threads_share_counts_once(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = iter([10.0, 14.0])
    monkeypatch.setattr("vhmae.overlap.time.monotonic", lambda: next(clock))
    busy = BusyTimes(("render",))
    with busy.working("render", 4):
        pass
    assert busy.seconds["render"] == 1.0
