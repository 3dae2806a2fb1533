"""What a run of the app keeps for as long as it lasts: uploads, proxies, maps."""

from __future__ import annotations

import contextlib
import secrets
import shutil
import tempfile
from pathlib import Path

from vhmae.errors import InputError
from vhmae.partial_output import OutputLock, locked_outputs

PREFIX = "vhmae-app-"


class RunFolder:
    """A folder of this run alone; what killed runs have left is removed."""

    def __init__(self, within: Path | None = None) -> None:
        """Make one; ``within`` is where, None the system's place for temporary files."""
        place = Path(tempfile.gettempdir()) if within is None else within
        _clear(place)
        self.path = place / f"{PREFIX}{secrets.token_hex(6)}"
        self._lock = OutputLock(self.path)  # first: another run may be clearing away
        self.path.mkdir(mode=0o700)

    def folder(self, name: str) -> Path:
        """A folder in it."""
        path = self.path / name
        path.mkdir(exist_ok=True)
        return path

    def close(self) -> None:
        """Remove it."""
        shutil.rmtree(self.path, ignore_errors=True)
        self._lock.release()


def _clear(place: Path) -> None:
    """Remove the folders that nobody holds any more; those without a lock are somebody else's."""
    for left in locked_outputs(place, PREFIX):
        with contextlib.suppress(InputError), OutputLock(left) as lock:
            if lock.excludes_others:
                shutil.rmtree(left, ignore_errors=True)
