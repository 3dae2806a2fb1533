"""A clip at the size of a screen, every frame by itself, in a file of this run: what is shown while
one scrubs and plays."""

from __future__ import annotations

import threading
from pathlib import Path

MOST_BYTES = 2 << 30
"""Of one clip; frames beyond are read from the source each time."""


class Proxy:
    """Encoded pictures by name and frame, in one growing file."""

    def __init__(self, path: Path, most_bytes: int = MOST_BYTES) -> None:
        """Begin an empty one."""
        self._file = path.open("w+b", buffering=0)
        self._places: dict[tuple[str, int], tuple[int, int]] = {}
        self._end = 0
        self._most_bytes = most_bytes
        self._lock = threading.Lock()

    def put(self, name: str, frame: int, data: bytes) -> None:
        """Keep a picture, where there is room; once the disk is full, no more."""
        with self._lock:
            if self._file.closed or self._end + len(data) > self._most_bytes:
                return
            try:
                self._file.seek(self._end)
                written = self._file.write(data)
            except OSError:  # the disk is full
                written = 0
            if written < len(data):
                self._most_bytes = self._end  # it is a cache: the clip goes on without
                return
            self._places[name, frame] = (self._end, len(data))
            self._end += len(data)

    def get(self, name: str, frame: int) -> bytes | None:
        """A picture; None where it was not kept."""
        with self._lock:
            place = self._places.get((name, frame))
            if place is None or self._file.closed:
                return None
            self._file.seek(place[0])
            return self._file.read(place[1])

    def __contains__(self, key: tuple[str, int]) -> bool:
        return key in self._places

    def close(self) -> None:
        """Forget everything; the file is removed with the run's folder."""
        with self._lock:
            self._file.close()
