"""Processor time of a run: what it computes, whoever else computes on the machine.

Time by the clock on the wall tells as much of the other work on a machine as of the run's own.
"""

from __future__ import annotations

import contextlib
import multiprocessing
import os
import time
from collections.abc import Iterator
from pathlib import Path


class ProcessorClock:
    """CPU seconds of this process and of the worker processes that it has started.

    Workers that still run are read where the system keeps /proc; elsewhere they count when they
    have ended.
    """

    def __init__(self) -> None:
        self._read = _spent()

    def lap(self) -> float:
        """The CPU seconds since the clock was made or last read, all threads together."""
        now = _spent()
        since, self._read = now - self._read, now
        return since

    @contextlib.contextmanager
    def apart(self) -> Iterator[None]:
        """What this process does within is no part of the run; its workers go on counting."""
        began = time.process_time()
        yield
        self._read += time.process_time() - began


def _spent() -> float:
    times = os.times()
    running = sum(_of_worker(child.pid) for child in multiprocessing.active_children())
    return times.user + times.system + times.children_user + times.children_system + running


def _of_worker(pid: int | None) -> float:
    """CPU seconds of a worker that runs; 0 where the system does not say, or it has just ended."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return 0.0
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
