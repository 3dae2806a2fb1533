"""Files that are sent to this run in pieces: they lie in its own folder, which goes when it
ends."""

from __future__ import annotations

import dataclasses
import re
import secrets
import shutil
import threading
import time
from pathlib import Path

from vhmae.app.refusals import Refused

CHUNK_BYTES = 1 << 20
LEFT_SECONDS = 3600.0
"""What no piece came of for so long, and no project was opened with, gives way to others."""
LONGEST_NAME_BYTES = 180
"""Of a file; the 255 that file systems know hold what is written beside it, too."""


@dataclasses.dataclass
class _Upload:
    path: Path
    size: int
    received: int = 0
    touched: float = dataclasses.field(default_factory=time.monotonic)
    """When a piece came last."""
    is_used: bool = False
    """Whether a project was opened with it."""


class Uploads:
    """What was sent."""

    def __init__(self, folder: Path, most_bytes: int) -> None:
        """Take a folder of the run's own; ``most_bytes`` may lie there at a time."""
        self.folder = folder
        self.most_bytes = most_bytes
        self._files: dict[str, _Upload] = {}
        self._lock = threading.Lock()

    def begin(self, name: str, size: int) -> str:
        """Make room for a file; returns its number.

        Raises:
            Refused: where there is no room, or nothing to send.
        """
        if size < 1:
            raise Refused("server.empty")
        with self._lock:
            taken = self._taken()
            if taken + size > self.most_bytes:
                self._drop_left()
                taken = self._taken()
            if taken + size > self.most_bytes:
                raise Refused("server.uploads-full", most_bytes=self.most_bytes)
            number = secrets.token_hex(8)
            own = self.folder / number
            own.mkdir(parents=True)
            path = own / _plain(name)
            path.touch()
            self._files[number] = _Upload(path, size)
        return number

    def add(self, number: str, offset: int, data: bytes) -> tuple[int, bool]:
        """Add a piece; returns how many bytes have come, and whether that is all.

        Raises:
            Refused: where it is not the next piece.
        """
        one = self._known(number)
        with self._lock:
            if offset != one.received or one.received + len(data) > one.size:
                raise Refused("server.offset", received=one.received)
            with one.path.open("r+b") as file:
                file.seek(offset)
                file.write(data)
            one.received += len(data)
            one.touched = time.monotonic()
        return one.received, one.received == one.size

    def forget(self, number: str) -> None:
        """Remove a file, whole or not, and what lies beside it."""
        one = self._known(number)
        with self._lock:
            self._files.pop(number, None)
            shutil.rmtree(one.path.parent, ignore_errors=True)

    def file(self, number: str) -> Path:
        """A file that came whole."""
        one = self._known(number)
        if one.received < one.size:
            raise Refused("server.offset", received=one.received)
        return one.path

    def keep(self, number: str) -> None:
        """Note that a project is opened with a file: it gives way to no other."""
        self._known(number).is_used = True

    def _taken(self) -> int:
        return sum(one.size for one in self._files.values())

    def _drop_left(self) -> None:
        """Remove what was sent and never opened: a page that was closed or loaded anew knows of it
        no more."""
        old = time.monotonic() - LEFT_SECONDS
        for number, one in list(self._files.items()):
            if not one.is_used and one.touched < old:
                del self._files[number]
                shutil.rmtree(one.path.parent, ignore_errors=True)

    def name_of(self, path: Path) -> str | None:
        """The number of a file; None for one that was not sent."""
        found = [number for number, one in self._files.items() if one.path == path]
        return found[0] if found else None

    def _known(self, number: str) -> _Upload:
        if number not in self._files:
            raise Refused("server.no-upload")
        return self._files[number]


def _plain(name: str) -> str:
    """A name without anything that leads elsewhere or means something to us: its ending stays."""
    last = name.replace("\\", "/").rsplit("/", 1)[-1]
    kept = re.sub(r"[^\w. ()-]", "_", last).encode()[-LONGEST_NAME_BYTES:]
    return kept.decode(errors="ignore").lstrip(". ") or "file"
