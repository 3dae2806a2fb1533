"""Processor time of runs."""

from __future__ import annotations

import multiprocessing
import sys
import time

import pytest

from vhmae.training.clock import ProcessorClock

ENOUGH = 0.3
"""CPU seconds that a test burns; clocks tick by hundredths."""


def burn(seconds: float) -> None:
    until = time.process_time() + seconds
    while time.process_time() < until:
        sum(range(1000))


def burn_and_wait(burnt: object, go: object) -> None:
    burn(ENOUGH)
    burnt.set()  # type: ignore[attr-defined]  # an event of multiprocessing
    go.wait()  # type: ignore[attr-defined]


def test_waiting_costs_nothing_and_work_counts_once() -> None:
    clock = ProcessorClock()
    time.sleep(ENOUGH)
    assert clock.lap() < ENOUGH / 2
    burn(ENOUGH)
    assert clock.lap() == pytest.approx(ENOUGH, abs=0.1)
    assert clock.lap() < ENOUGH / 2


def test_what_is_done_apart_does_not_count() -> None:
    clock = ProcessorClock()
    with clock.apart():
        burn(ENOUGH)
    assert clock.lap() < ENOUGH / 2


@pytest.mark.skipif(sys.platform != "linux", reason="reads workers that run from /proc")
def test_a_worker_counts_while_it_runs_and_not_twice_when_it_has_ended() -> None:
    context = multiprocessing.get_context("fork")
    burnt, go = context.Event(), context.Event()
    clock = ProcessorClock()
    worker = context.Process(target=burn_and_wait, args=(burnt, go))
    worker.start()
    assert burnt.wait(60)
    running = clock.lap()
    assert ENOUGH * 0.9 < running < ENOUGH + 0.5
    go.set()
    worker.join()
    assert clock.lap() < ENOUGH / 2
