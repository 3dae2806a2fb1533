"""The answer's maps of all frames of a clip, kept in a file of this run, and told in binary.

The layout (little endian) is that of docs/app-calls.md: a head, and for each frame its number, shot
and flags and for each object whether it is there, how much of its change the frame is given, its
overall map (3, 10) and its local maps (G, G, 3, 4).
"""

from __future__ import annotations

import errno
import struct
import threading
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

from vhmae.app.refusals import Refused
from vhmae.engine.rendering import FrameTransform
from vhmae.errors import DISK_ERRORS

MAGIC = b"VMAP"
VERSION = 2
FINAL, UNKNOWN = 1, 2
"""Flags of a frame: its maps will not change any more; nothing is known of it yet."""
OVERALL, AFFINE = 30, 12


class Answered(NamedTuple):
    """What is said of an object in a frame."""

    maps: FrameTransform
    """At full strength and without any guide; in full, where the frame fades."""
    share: float = 1.0
    """How much of its change, and of what a guide adds, the frame is given: less of it in a
    fade."""


Answer = Sequence[Answered | None]
"""What is said of each object of a frame; None where it is away."""


def unfaded(change: FrameTransform, share: float) -> FrameTransform:
    """What is said in full of a frame that was given a share of it; of one that was given nothing
    nothing is known, and nothing is drawn in it."""
    return change.scaled(1.0 / share) if 0.0 < share < 1.0 else change


class MapStore:
    """Maps by frame; records of one size, so that a file of them can be read anywhere."""

    def __init__(self, path: Path, frames: int, objects: int) -> None:
        """Begin an empty one."""
        self.frames, self.objects = frames, objects
        self.grid = 0
        """Cells a side of the local maps; 0 until the first answer has come."""
        self.shots = np.full(frames, -1, np.int32)
        self.known = np.zeros(frames, bool)
        self._file = path.open("w+b", buffering=0)
        self._lock = threading.Lock()

    @property
    def _record_bytes(self) -> int:
        return self.objects * record_bytes(self.grid)

    def put(self, frame: int, shot: int, answer: Answer) -> None:
        """Keep what is said of a frame."""
        with self._lock:
            if self._file.closed:
                return
            if not self.grid:
                self.grid = grid_of(answer)
            if self.grid:  # else nothing but empty frames so far: they need no room
                self._write(frame * self._record_bytes, pack_answer(answer, self.grid))
            self.shots[frame] = shot
            self.known[frame] = True

    def _write(self, begin: int, data: bytes) -> None:
        """Write a record whole.

        Raises:
            Refused: where the disk is full; what is written of it is never read.
        """
        try:
            self._file.seek(begin)
            whole = self._file.write(data) == len(data)
        except OSError as error:
            if error.errno not in (*DISK_ERRORS, errno.EFBIG):
                raise
            whole = False
        if not whole:
            raise Refused("server.disk-full")

    def get(self, frame: int) -> list[Answered | None] | None:
        """What is said of a frame; None where nothing is yet."""
        with self._lock:
            if not self.known[frame] or self._file.closed:
                return None
            if not self.grid:
                return [None] * self.objects
            size = self._record_bytes
            self._file.seek(frame * size)
            data = self._file.read(size)
        return unpack_answer(data.ljust(size, b"\0"), self.objects, self.grid)

    def close(self) -> None:
        with self._lock:
            self._file.close()


def grid_of(answer: Answer) -> int:
    """Cells a side of the local maps; 0 where no object is there."""
    return next((len(one.maps.local) for one in answer if one is not None), 0)


def record_bytes(grid: int) -> int:
    """Of an object in a frame."""
    return 4 * (2 + OVERALL + grid**2 * AFFINE)


def pack_answer(answer: Answer, grid: int) -> bytes:
    """The objects' part of a frame's record."""
    parts = []
    for one in answer:
        if one is None:
            parts.append(bytes(record_bytes(grid)))
            continue
        numbers = np.concatenate([one.maps.overall.ravel(), one.maps.local.ravel()])
        parts.append(struct.pack("<If", 1, one.share) + numbers.astype("<f4").tobytes())
    return b"".join(parts)


def unpack_answer(data: bytes, objects: int, grid: int) -> list[Answered | None]:
    """The inverse of :func:`pack_answer`."""
    found: list[Answered | None] = []
    for row in np.frombuffer(data, "<f4").reshape(objects, record_bytes(grid) // 4):
        if row[:1].view("<u4")[0] == 0:
            found.append(None)
            continue
        overall, local = row[2 : 2 + OVERALL], row[2 + OVERALL :]
        shape = (grid, grid, 3, 4)
        maps = FrameTransform(overall.reshape(3, 10).copy(), local.reshape(shape).copy())
        found.append(Answered(maps, float(row[1])))
    return found


def turned_answer(answer: Answer, degrees: int) -> list[Answered | None]:
    """An answer whose local maps lie as players turn the frame: degrees counterclockwise."""
    turns = round(degrees / 90) % 4
    if not turns:
        return list(answer)
    return [
        None if one is None else Answered(_turned(one.maps, turns), one.share) for one in answer
    ]


def _turned(maps: FrameTransform, turns: int) -> FrameTransform:
    return FrameTransform(maps.overall, np.ascontiguousarray(np.rot90(maps.local, turns)))


def told_maps(rows: Sequence[tuple[int, int, int, Answer]], objects: int, grid: int) -> bytes:
    """What ``GET maps`` answers.

    Args:
        rows: number, shot, flags and answer of each frame.
    """
    parts = [MAGIC, struct.pack("<5I", VERSION, len(rows), objects, grid, 0)]
    for frame, shot, flags, answer in rows:
        parts += [struct.pack("<4I", frame, max(0, shot), flags, 0), pack_answer(answer, grid)]
    return b"".join(parts)
