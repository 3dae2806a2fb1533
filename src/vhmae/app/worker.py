"""The one thread that owns the network: what a person waits for comes first, and long work is done
in short turns between."""

from __future__ import annotations

import contextlib
import heapq
import itertools
import logging
import os
import sys
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Future, InvalidStateError
from typing import Any, TypeVar

T = TypeVar("T")
OPENING, AWAITED, PREPARED, READING = range(4)
"""How urgent work is: a clip is to open; somebody waits for it, of which what was asked for last is
done first; somebody may ask for it soon; all of a clip."""
NICENESS = 10
"""Of the network's thread, as of ``nice``."""
GRACE_SECONDS = 1.0
"""For what is being done at the end; it is to look itself whether it is still wanted."""


def step_back() -> None:
    """Let whoever waits for a picture go first: the calling thread, and those that it begins, get
    the processors that nothing else of this machine needs. Elsewhere than on Linux priorities are
    those of whole processes, and nothing is done."""
    if sys.platform == "linux":
        thread = threading.get_native_id()
        now = os.getpriority(os.PRIO_PROCESS, thread)
        os.setpriority(os.PRIO_PROCESS, thread, max(now, NICENESS))  # less nice needs a privilege


class Worker:
    """A thread that does what it is given, the most urgent first."""

    def __init__(self) -> None:
        self._waiting: list[tuple[int, int, Callable[[], None]]] = []
        self._promised: dict[Future[Any], Callable[[], None]] = {}
        """What somebody may be waiting for, and how it is done."""
        self._numbers = itertools.count()
        self._changed = threading.Condition()
        self._ended = False
        self._thread = threading.Thread(target=self._run, name="vhmae-network", daemon=True)
        self._thread.start()

    def ask(self, urgency: int, work: Callable[[], T]) -> Future[T]:
        """Have work done; returns at once."""
        future: Future[T] = Future()

        def run() -> None:
            if future.done():  # it was hurried
                return
            with contextlib.suppress(InvalidStateError):  # at the end they are given up
                try:
                    future.set_result(work())
                except BaseException as error:
                    future.set_exception(error)
            with self._changed:
                self._promised.pop(future, None)

        self._add(urgency, run, future)
        return future

    def hurry(self, future: Future[Any]) -> None:
        """Do what was asked for before anything that was asked for until now, if it is still to be
        done: somebody waits for it."""
        with self._changed:
            run = self._promised.get(future)
        if run is not None:
            self._add(AWAITED, run)

    def take_turns(self, urgency: int, work: Iterator[Any]) -> None:
        """Draw an iterator to its end, one item a turn: it ends by itself, and tells its errors
        itself."""

        def turn() -> None:
            try:
                next(work)
            except StopIteration:
                return
            except Exception:
                logging.getLogger("vhmae.app").exception("work in turns failed")
                return
            self._add(urgency, turn)

        self._add(urgency, turn)

    def _add(
        self, urgency: int, run: Callable[[], None], future: Future[Any] | None = None
    ) -> None:
        with self._changed:
            if self._ended:
                if future is not None:
                    future.cancel()
                return
            if future is not None:
                self._promised[future] = run
            number = next(self._numbers)
            place = -number if urgency == AWAITED else number
            heapq.heappush(self._waiting, (urgency, place, run))
            self._changed.notify()

    def _run(self) -> None:
        step_back()
        while True:
            with self._changed:
                while not self._waiting and not self._ended:
                    self._changed.wait()
                if self._ended:
                    return
                _, _, run = heapq.heappop(self._waiting)
            run()

    def stop(self) -> None:
        """Begin nothing more; whoever waits for something is told at once that it does not come."""
        with self._changed:
            self._ended = True
            waiting, self._waiting = self._waiting, []
            promised, self._promised = list(self._promised), {}
            self._changed.notify()
        for future in promised:
            future.cancel()
        waiting.clear()  # here: what is closed with it takes its time

    def end(self) -> None:
        """Stop, and let what is being done be finished, if that does not take long."""
        self.stop()
        self._thread.join(timeout=GRACE_SECONDS)
