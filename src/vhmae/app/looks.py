"""Frames that were looked at so that points can be set in them: their pixels, mattes and the
network's answer."""

from __future__ import annotations

import dataclasses
import secrets
import threading
from collections import OrderedDict
from collections.abc import Collection
from pathlib import Path

import numpy as np

from vhmae.app.maps import Answered
from vhmae.arrays import Array

MOST_KEPT = 48
"""Frames beside those that the guide names: what one has stood at lately."""


@dataclasses.dataclass(frozen=True)
class Look:
    """A frame as points see it; as it is stored, not turned."""

    frame: Array
    """(H, W, 3) uint8 RGB, of a file in memory."""
    mattes: tuple[Array, ...]
    answers: tuple[Answered | None, ...]
    """Of each object; None where it is away."""
    trouble: str | None = None
    """Why nothing can be said of the frame."""
    file: Path | None = None


class Looks:
    """Frames that were looked at, by number; for any thread."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._looks: OrderedDict[int, Look] = OrderedDict()
        self._lapsed: set[int] = set()
        self._lock = threading.Lock()

    def put(
        self,
        number: int,
        frame: Array,
        mattes: tuple[Array, ...],
        answers: tuple[Answered | None, ...],
        named: Collection[int] = (),
    ) -> Look:
        """Keep a look; pixels go to a file, of which the system keeps in memory what is used.

        Args:
            named: frames of the guide, which are kept longest.
        """
        path = self.folder / f"{number}-{secrets.token_hex(4)}.raw"
        with path.open("wb") as file:
            for one in (frame, *mattes):
                file.write(np.ascontiguousarray(one).tobytes())
        mapped, offset = [], 0
        for one in (frame, *mattes):
            mapped.append(np.memmap(path, one.dtype, "r", offset, one.shape))
            offset += one.nbytes
        look = Look(mapped[0], tuple(mapped[1:]), answers, None, path)
        self._keep(number, look, named)
        return look

    def fail(self, number: int, trouble: str) -> None:
        """Remember that nothing can be said of a frame, and why."""
        nothing = np.zeros((0, 0, 3), np.uint8)
        self._keep(number, Look(nothing, (), (), trouble), ())

    def get(self, number: int) -> Look | None:
        """A look; None where there is none."""
        with self._lock:
            found = self._looks.get(number)
            if found is not None:
                self._looks.move_to_end(number)
            return found

    def has(self, number: int) -> bool:
        """Whether there is a look that nothing better is to be had for."""
        with self._lock:
            return number in self._looks and number not in self._lapsed

    def lapse(self) -> None:
        """More is known of the clip now: what was seen so far stands until it is looked at anew."""
        with self._lock:
            self._lapsed = set(self._looks)

    def _keep(self, number: int, look: Look, named: Collection[int]) -> None:
        with self._lock:
            before = self._looks.pop(number, None)
            self._lapsed.discard(number)
            self._looks[number] = look
            free = [one for one in self._looks if one not in named]
            spare = max(0, len(free) - MOST_KEPT)
            gone = [before] + [self._looks.pop(one) for one in free[:spare]]
        for one in gone:
            if one is not None and one.file is not None:
                one.file.unlink(missing_ok=True)

    def close(self) -> None:
        """Forget everything; the files are removed with the run's folder."""
        with self._lock:
            looks, self._looks = list(self._looks.values()), OrderedDict()
        for one in looks:
            if one.file is not None:
                one.file.unlink(missing_ok=True)
