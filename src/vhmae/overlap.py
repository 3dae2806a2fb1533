"""Stages of work that overlap: each runs in a thread of its own, a few items ahead of the next."""

from __future__ import annotations

import contextlib
import dataclasses
import queue
import threading
import time
from collections import deque
from collections.abc import Callable, Generator, Iterator
from concurrent.futures import Future, InvalidStateError, ThreadPoolExecutor
from typing import Any, TypeVar

T = TypeVar("T")
R = TypeVar("R")


@dataclasses.dataclass(frozen=True)
class _End:
    """The last thing that a stage hands on: nothing more comes, or it failed."""

    error: BaseException | None = None


def begin(work: Callable[..., R], *arguments: object) -> Future[R]:
    """Do something in a thread of its own beside what follows.

    Returns:
        What becomes of it, its error too. Nobody has to ask: neither an error elsewhere nor the end
        of the process waits for it. Cancelling it lets whoever waits for it go, and leaves the work
        to itself.
    """
    future: Future[R] = Future()

    def run() -> None:
        with contextlib.suppress(InvalidStateError):  # cancelled: nobody asks any more
            try:
                future.set_result(work(*arguments))
            except BaseException as error:
                future.set_exception(error)

    threading.Thread(target=run, daemon=True).start()
    return future


def run_ahead(
    items: Iterator[T], size: int, wake: Callable[[], None] = lambda: None
) -> Generator[T, None, None]:
    """Draw from ``items`` in a thread, at most ``size`` items ahead; 0 draws them one by one, as
    they are asked for, and without a thread.

    Args:
        wake: called before the thread is waited for: ends what ``items`` may wait for without end,
            such as a pipe whose sender is silent.

    An error of the thread is raised here, in its place. Closing the generator (also by an error or
    Ctrl-C in its consumer) stops the thread, closes ``items`` in it, and waits for both.
    """
    if size < 1:
        yield from items
        return
    handed: queue.Queue[Any] = queue.Queue(size)
    stop = threading.Event()

    def work() -> None:
        end = _End()
        try:
            for item in items:
                handed.put(item)
                if stop.is_set():
                    break
        except BaseException as error:
            end = _End(error)
        try:
            if isinstance(items, Generator):
                items.close()
        except BaseException as error:
            end = _End(end.error or error)
        handed.put(end)

    thread = threading.Thread(target=work, daemon=True)
    thread.start()
    try:
        while not isinstance(item := handed.get(), _End):
            yield item
        if item.error is not None:
            raise item.error
    finally:
        stop.set()
        wake()
        while thread.is_alive():
            with contextlib.suppress(queue.Empty):
                handed.get(timeout=0.05)  # makes room for a thread that waits to hand on
        thread.join()


def map_ahead(work: Callable[[T], R], items: Iterator[T], threads: int) -> Generator[R, None, None]:
    """What ``work`` makes of each of the items, in their order; so many of them are worked on at a
    time.

    An error, of ``work`` or of ``items``, is raised in its item's place. Closing the generator, or
    an error, waits for what is being worked on and closes ``items``.
    """
    begun: deque[Future[R]] = deque()
    failed: Exception | None = None
    with ThreadPoolExecutor(threads) as pool:
        try:
            while True:
                try:
                    item = next(items)
                except StopIteration:
                    break
                except Exception as error:
                    failed = error
                    break
                begun.append(pool.submit(work, item))
                if len(begun) == threads:
                    yield begun.popleft().result()
            while begun:
                yield begun.popleft().result()
            if failed is not None:
                raise failed
        finally:
            for future in begun:
                future.cancel()
            if isinstance(items, Generator):
                items.close()


class BusyTimes:
    """Seconds that each stage worked, without what it waited for others."""

    def __init__(self, stages: tuple[str, ...]) -> None:
        self.seconds = dict.fromkeys(stages, 0.0)
        self._lock = threading.Lock()

    @contextlib.contextmanager
    def working(self, stage: str, threads: int = 1) -> Iterator[None]:
        """Count the time within to a stage that so many threads share."""
        began = time.monotonic()
        try:
            yield
        finally:
            with self._lock:
                self.seconds[stage] += (time.monotonic() - began) / threads

    def drawing(self, stage: str, items: Iterator[T]) -> Iterator[T]:
        """Count the time that ``items`` takes for each item to a stage."""
        while True:
            with self.working(stage):
                item = next(items, _End)
            if item is _End:
                return
            yield item  # type: ignore[misc]  # mypy cannot tell the sentinel apart

    def rounded(self) -> dict[str, float]:
        """Seconds of each stage, to thousandths."""
        return {stage: round(spent, 3) for stage, spent in self.seconds.items()}

    @property
    def slowest(self) -> str:
        """The stage that worked longest: what the others wait for."""
        return max(self.seconds, key=lambda stage: self.seconds[stage])
