"""What a run of the app keeps for as long as it lasts: uploads, proxies, maps."""

from __future__ import annotations

import contextlib
import os
import shutil
import tempfile
from pathlib import Path
from typing import Any

locks: Any = None
with contextlib.suppress(ImportError):  # Windows has none; there nothing is cleared away
    import fcntl as locks

PREFIX = "vhmae-app-"
LOCK = "lock"


class RunFolder:
    """A folder of this run alone; what killed runs have left is removed."""

    def __init__(self, within: Path | None = None) -> None:
        """Make one; ``within`` is where, None the system's place for temporary files."""
        place = Path(tempfile.gettempdir()) if within is None else within
        _clear(place)
        # Another run that begins now clears away what has the name and is not held yet.
        hidden = "" if locks is None else "."
        made = Path(tempfile.mkdtemp(prefix=hidden + PREFIX, dir=place))
        self._lock = os.open(made / LOCK, os.O_RDWR | os.O_CREAT, 0o600)
        if locks is not None:
            locks.flock(self._lock, locks.LOCK_EX | locks.LOCK_NB)
        self.path = made.rename(place / made.name.removeprefix(hidden)) if hidden else made

    def folder(self, name: str) -> Path:
        """A folder in it."""
        path = self.path / name
        path.mkdir(exist_ok=True)
        return path

    def close(self) -> None:
        """Remove it."""
        # Windows removes no file that is open: the lock is let go first. Who clears the folder away
        # in between does what is done here.
        if self._lock >= 0:
            os.close(self._lock)
            self._lock = -1
        shutil.rmtree(self.path, ignore_errors=True)


def _clear(place: Path) -> None:
    """Remove the folders that nobody holds any more."""
    if locks is None:
        return
    for left in place.glob(f"{PREFIX}*"):
        with contextlib.suppress(OSError):
            descriptor = os.open(left / LOCK, os.O_RDWR | getattr(os, "O_NOFOLLOW", 0))
            try:
                locks.flock(descriptor, locks.LOCK_EX | locks.LOCK_NB)
                shutil.rmtree(left, ignore_errors=True)
            finally:
                os.close(descriptor)
