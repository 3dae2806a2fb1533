"""Writers one after the other, in the order in which they came.

SQLite lets one write at a time, and whoever happens to ask when the last one is done is next: who
asks at the wrong moments, on a machine with other work, waits until his patience ends, though
nobody holds the database. A queue of this process's own writers knows no such bad luck.
"""

from __future__ import annotations

import contextlib
import threading
import time
from collections import deque
from collections.abc import Iterator

from vhmae.web.trouble import DatabaseTrouble


class Turns:
    """A queue for writers."""

    def __init__(self, patience: float) -> None:
        """``patience``: seconds after which a writer in the queue is told of trouble that the one
        before him had, and does not look for it himself: else each would wait for all before."""
        self._patience = patience
        self._lock = threading.Lock()
        self._waiting: deque[threading.Event] = deque()
        self._taken = False
        self._trouble: DatabaseTrouble | None = None
        """Of the last writer."""

    @contextlib.contextmanager
    def mine(self) -> Iterator[None]:
        """Wait for one's turn, and keep it.

        Raises:
            DatabaseTrouble: that of the one before, after a long wait.
        """
        came, called = time.monotonic(), threading.Event()
        with self._lock:
            if self._taken:
                self._waiting.append(called)
            else:
                self._taken = True
                called.set()
        called.wait()
        met = self._trouble
        try:
            if met is not None and time.monotonic() - came > self._patience:
                raise met
            met = None
            yield
        except DatabaseTrouble as trouble:
            met = trouble
            raise
        finally:
            self._trouble = met
            with self._lock:
                if self._waiting:
                    self._waiting.popleft().set()
                else:
                    self._taken = False
