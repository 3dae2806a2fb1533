"""The one thread that owns the network: what a person waits for comes first, and long work is done
in short turns between."""

from __future__ import annotations

import heapq
import itertools
import logging
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from typing import Any, TypeVar

T = TypeVar("T")
AWAITED, PREPARED, READING = 0, 1, 2
"""How urgent work is: somebody waits for it; somebody may ask for it soon; all of a clip."""


class Worker:
    """A thread that does what it is given, the most urgent first."""

    def __init__(self) -> None:
        self._waiting: list[tuple[int, int, Callable[[], None]]] = []
        self._numbers = itertools.count()
        self._changed = threading.Condition()
        self._ended = False
        self._thread = threading.Thread(target=self._run, name="vhmae-network", daemon=True)
        self._thread.start()

    def ask(self, urgency: int, work: Callable[[], T]) -> Future[T]:
        """Have work done; returns at once."""
        future: Future[T] = Future()

        def run() -> None:
            if not future.set_running_or_notify_cancel():
                return
            try:
                future.set_result(work())
            except BaseException as error:
                future.set_exception(error)

        self._add(urgency, run, future)
        return future

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
            heapq.heappush(self._waiting, (urgency, next(self._numbers), run))
            self._changed.notify()

    def _run(self) -> None:
        while True:
            with self._changed:
                while not self._waiting and not self._ended:
                    self._changed.wait()
                if self._ended:
                    return
                _, _, run = heapq.heappop(self._waiting)
            run()

    def end(self) -> None:
        """Let what is being done be finished, and the rest be."""
        with self._changed:
            self._ended = True
            self._waiting.clear()
            self._changed.notify()
        self._thread.join(timeout=30.0)
