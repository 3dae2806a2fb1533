"""Where an output grows: under a hidden name beside its place, held by one run at a time."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from vhmae.errors import InputError

locks: Any = None
with contextlib.suppress(ImportError):  # Windows has none; there a file that is open cannot be taken away
    import fcntl as locks


def growing(output: Path) -> Path:
    """The name under which a file grows: ``.NAME.part.SUFFIX``."""
    return output.with_name(f".{output.name}.part{output.suffix}")


def growing_folder(output: Path) -> Path:
    """The folder where the parts of an output, or its pictures, wait until all of them are there: ``.NAME.part``."""
    return output.with_name(f".{output.name.replace('%', '')}.part")


def check_apart(output: Path, inputs: Sequence[Path]) -> None:
    """Refuse inputs that lie where the output would grow: they would be written over."""
    for place in (growing(output), growing_folder(output)):
        for source in inputs:
            if place.exists() and source.exists() and (place.samefile(source) or place.resolve() in source.resolve().parents):
                raise InputError(f"{source}: lies where {output} grows until it is whole; give it another name")


class Held:
    """A file or folder that no other run writes to as long as this one holds it; a run that is killed lets go."""

    def __init__(self, path: Path, output: Path, folder: bool = False) -> None:
        """Make it, and hold it.

        Raises:
            InputError: if another run holds it.
        """
        self._descriptor: int | None = None
        while self._descriptor is None:
            try:
                if folder:
                    path.mkdir(exist_ok=True)
                if locks is None:
                    return
                descriptor = os.open(path, os.O_RDONLY if folder else os.O_RDWR | os.O_CREAT, 0o666)
            except OSError as error:
                if isinstance(error, FileNotFoundError) and path.parent.is_dir():
                    continue  # the run before has taken it away since it was made
                raise InputError(
                    f"{output}: cannot be written beside its place ({error.strerror}); check the name and the permissions"
                ) from None
            try:
                locks.flock(descriptor, locks.LOCK_EX | locks.LOCK_NB)
            except BlockingIOError:
                os.close(descriptor)
                raise InputError(f"{output}: is being written by another run; wait for it, or choose another name") from None
            except OSError:  # a file system without locks
                self._descriptor = descriptor
                return
            # The run before may have given it its name, or taken it away, between the two calls.
            with contextlib.suppress(FileNotFoundError):
                if os.path.samestat(os.fstat(descriptor), path.stat()):
                    self._descriptor = descriptor
                    return
            os.close(descriptor)

    def let_go(self) -> None:
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None
