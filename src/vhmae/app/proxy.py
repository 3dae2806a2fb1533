"""A clip at the size of a screen, every frame by itself, in a file of this run: what is shown while
one scrubs and plays."""

from __future__ import annotations

import threading
from pathlib import Path

import numpy as np

from vhmae.arrays import Array

MOST_BYTES = 2 << 30
"""Of one clip; frames beyond are read from the source each time."""


class Proxy:
    """Encoded pictures by name and frame, in one growing file."""

    def __init__(self, path: Path, frames: int, most_bytes: int = MOST_BYTES) -> None:
        """Begin an empty one, of a clip of so many frames."""
        self._file = path.open("w+b", buffering=0)
        self._frames = frames
        self._places: dict[str, Array] = {}
        """By name: where each frame's picture begins, and its bytes: none where it is not kept."""
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
            places = self._places.setdefault(name, np.zeros((self._frames, 2), np.int64))
            places[frame] = self._end, len(data)
            self._end += len(data)

    def get(self, name: str, frame: int) -> bytes | None:
        """A picture; None where it was not kept."""
        with self._lock:
            if self._file.closed or (name, frame) not in self:
                return None
            begin, size = self._places[name][frame].tolist()
            self._file.seek(begin)
            return self._file.read(size)

    def __contains__(self, key: tuple[str, int]) -> bool:
        name, frame = key
        return name in self._places and bool(self._places[name][frame, 1])

    def close(self) -> None:
        """Forget everything; the file is removed with the run's folder."""
        with self._lock:
            self._file.close()
