"""Outputs that appear whole or not at all: they grow under hidden names beside their places.

A file grows as ``.NAME.part-RANDOM.SUFFIX``, a folder as ``.NAME.part-RANDOM``; names that nobody
can plant a link at. What a resumable run keeps lies in ``.NAME.part`` (:func:`resume_folder`).
"""

from __future__ import annotations

import collections
import contextlib
import glob
import os
import secrets
import shutil
import stat
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from vhmae.errors import InputError, VhmaeError

locks: Any = None
with contextlib.suppress(
    ImportError
):  # Windows has none; there a file that is open cannot be removed
    import fcntl as locks

_NO_LINKS = getattr(os, "O_NOFOLLOW", 0)
_LOCK_SUFFIX = ".part-lock"


def partial_name(output: Path) -> Path:
    """A name under which a file may grow, another one at each call."""
    return output.with_name(f".{_plain(output)}.part-{secrets.token_hex(6)}{output.suffix}")


def resume_folder(output: Path) -> Path:
    """The folder where a resumable run keeps what it has written: ``.NAME.part``."""
    return output.with_name(f".{_plain(output)}.part")


def lock_file(output: Path) -> Path:
    """The file that the run which writes an output holds locked: ``.NAME.part-lock``."""
    return output.with_name(f".{_plain(output)}{_LOCK_SUFFIX}")


def locked_outputs(folder: Path, prefix: str) -> list[Path]:
    """Outputs of a folder whose names begin so and that a run holds, or held when it was killed."""
    found = folder.glob(f".{glob.escape(prefix)}*{_LOCK_SUFFIX}")
    return [folder / path.name[1 : -len(_LOCK_SUFFIX)] for path in found]


def has_parts(output: Path) -> bool:
    """Whether a run is writing an output, or was killed before it was whole."""
    hidden = f".{_plain(output)}.part"
    return output.parent.is_dir() and any(
        path.name.startswith(hidden) for path in output.parent.iterdir()
    )


def _plain(output: Path) -> str:
    return output.name.replace("%", "")


def check_folder(output: Path) -> None:
    """Refuse a file whose folder is not there, or cannot be written."""
    if not output.parent.is_dir():
        raise InputError(f"{output}: the folder {output.parent} does not exist; make it first")
    if not os.access(output.parent, os.W_OK):
        raise InputError(
            f"{output}: the folder {output.parent} cannot be written; choose another or change its "
            "permissions"
        )


def check_apart(output: Path, inputs: Sequence[Path]) -> None:
    """Refuse inputs that lie where the output grows: they would be written over, or removed."""
    folder, hidden = resume_folder(output), f".{_plain(output)}.part-"
    for source in inputs:
        beside = (
            source.exists() and output.parent.exists() and source.parent.samefile(output.parent)
        )
        within = folder.exists() and folder.resolve() in (
            source.resolve(),
            *source.resolve().parents,
        )
        if (beside and source.name.startswith(hidden)) or within:
            raise InputError(
                f"{source}: lies where {output} grows until it is whole; give it another name"
            )


@contextlib.contextmanager
def whole_file(output: Path) -> Iterator[Path]:
    """Write a file whole: the body writes the path that it is given.

    Where the body fails, nothing is left, and a file that was there stays as it was.
    """
    part = partial_name(output)
    try:
        with _told(output):
            os.close(os.open(part, os.O_CREAT | os.O_EXCL | os.O_WRONLY | _NO_LINKS, 0o666))
        yield part
        part.replace(output)
    finally:
        with contextlib.suppress(OSError):  # where the name is none, there is nothing
            part.unlink(missing_ok=True)


@contextlib.contextmanager
def whole_folder(output: Path) -> Iterator[Path]:
    """Fill a folder whole: the body fills the one that it is given; the output must not be there
    yet."""
    part = output.with_name(f".{_plain(output)}.part-{secrets.token_hex(6)}")
    try:
        with _told(output):
            part.mkdir()
        yield part
        part.replace(output)
    finally:
        shutil.rmtree(part, ignore_errors=True)


@contextlib.contextmanager
def filled_folder(output: Path) -> Iterator[Path]:
    """As :func:`whole_folder`, for a folder that may be there as long as it is empty; folders above
    it are made.

    What fills an empty folder grows within it, so that it may be a link or another disk.

    Raises:
        InputError: for a file, a link that leads nowhere, and a folder that holds something.
    """
    if output.is_symlink() and not output.exists():
        raise InputError(f"{output}: is a link that leads nowhere; remove it, or give a new folder")
    if output.exists() and not output.is_dir():
        raise InputError(f"{output}: is a file; give a new folder")
    if not output.exists():
        missing = [folder for folder in output.parents if not folder.exists()]
        try:
            output.parent.mkdir(parents=True, exist_ok=True)
            with whole_folder(output) as part:
                yield part
        except BaseException:
            for folder in missing:
                with contextlib.suppress(OSError):  # another run may have put something there
                    folder.rmdir()
            raise
        return
    left = [child.name for child in output.iterdir()]
    if left and all(name.startswith(".part-") for name in left):
        raise InputError(
            f"{output}: holds {left[0]}, of a run that was killed or is still at work; wait for "
            "it, or remove it"
        )
    if left:
        raise InputError(
            f"{output}: is not empty; give a new folder, so that nothing old stays among what is "
            "made"
        )
    part = output / f".part-{secrets.token_hex(6)}"
    made = []
    try:
        with _told(output):
            part.mkdir()
        yield part
        for child in sorted(part.iterdir()):
            made.append(output / child.name)
            child.replace(made[-1])
    except BaseException:
        for child in made:
            shutil.rmtree(child) if child.is_dir() else child.unlink(missing_ok=True)
        raise
    finally:
        shutil.rmtree(part, ignore_errors=True)


def take_places(files: Sequence[tuple[Path, Path]]) -> None:
    """Give files that were written whole their names: none, where a folder lies in the way of one.

    Where that is interrupted, the others still take their places: half of them new and half of them
    old would be neither.

    Args:
        files: where each lies, and where it belongs.
    Raises:
        VhmaeError: where one cannot take its place; the others may have taken theirs.
    """
    for _, place in files:
        if place.is_dir():
            raise VhmaeError(f"{place}: is a folder where a file belongs; move it away")
    left = collections.deque(files)
    try:
        while left:
            part, place = left[0]
            part.replace(place)
            left.popleft()
    except BaseException as error:
        for part, place in left:
            with contextlib.suppress(OSError):
                part.replace(place)
        if isinstance(error, OSError):
            told = f"cannot take its place ({error.strerror}); check the permissions"
            raise VhmaeError(f"{left[0][1]}: {told}") from None
        raise


def write_text_whole(output: Path, text: str, errors: str = "strict") -> None:
    """Write a text file whole, as UTF-8; ``errors`` as :func:`open` takes it."""
    with whole_file(output) as part:
        part.write_text(text, encoding="utf-8", errors=errors)


@contextlib.contextmanager
def working_folder(output: Path) -> Iterator[Path]:
    """A hidden folder beside an output, for what is made on the way to it; gone afterwards.

    What killed runs have left of the same output is cleared away first, so that one run at a time
    may work on an output.
    """
    _clear(output)
    part = output.with_name(f".{_plain(output)}.part-{secrets.token_hex(6)}")
    try:
        with _told(output):
            part.mkdir()
        yield part
    finally:
        shutil.rmtree(part, ignore_errors=True)


@contextlib.contextmanager
def _told(output: Path) -> Iterator[None]:
    """Say of an output what the system says of its part."""
    try:
        yield
    except OSError as error:
        told = (
            f"cannot be written beside its place ({error.strerror}); check the name and the "
            "permissions"
        )
        raise InputError(f"{output}: {told}") from None


class OutputLock:
    """An output that no other run writes as long as this one holds it; a run that is killed lets
    go."""

    # Of the class, so that one that an interrupt came before is released without an error.
    _descriptor: int | None = None
    _held = False
    _process: int | None = None
    excludes_others = False
    """Whether another run would be refused: not on Windows, nor on file systems without locks."""

    def __init__(self, output: Path, wait_seconds: float = 0.0) -> None:
        """Hold it, and clear away what killed runs have left.

        Args:
            wait_seconds: how long to wait for another run to release it.
        Raises:
            InputError: if another run holds it.
        """
        self._process = os.getpid()
        self.path = lock_file(output)
        try:
            self._hold(output, time.monotonic() + wait_seconds)
        except KeyboardInterrupt:
            self.release()
            self._remove_if_free()
            raise

    def _hold(self, output: Path, deadline: float) -> None:
        # An interrupt may come between any two of these steps. The descriptor is kept where
        # release() finds it before it is locked, so that no lock outlives its holder.
        while not self._held:
            if locks is None:
                return
            with _told(output):
                self._descriptor = os.open(self.path, os.O_RDWR | os.O_CREAT | _NO_LINKS, 0o666)
            try:
                locks.flock(self._descriptor, locks.LOCK_EX | locks.LOCK_NB)
            except BlockingIOError:
                self.release()
                if time.monotonic() < deadline:
                    time.sleep(0.05)
                    continue
                told = "is being written by another run; wait for it, or choose another name"
                raise InputError(f"{output}: {told}") from None
            except OSError:  # a file system without locks
                self._held = True
                return
            # The run before may have removed it between the two calls.
            with contextlib.suppress(FileNotFoundError):
                self._held = os.path.samestat(os.fstat(self._descriptor), self.path.stat())
            if not self._held:
                self.release()
        self.excludes_others = True
        _clear(output)

    def _remove_if_free(self) -> None:
        """Take away the file of a lock that an interrupt came before; what another run holds
        stays."""
        with contextlib.suppress(OSError):
            descriptor = os.open(self.path, os.O_RDWR | _NO_LINKS)
            try:
                locks.flock(descriptor, locks.LOCK_EX | locks.LOCK_NB)
                self.path.unlink()
            finally:
                os.close(descriptor)

    def release(self) -> None:
        self.excludes_others = False
        if self._held:
            self.path.unlink(missing_ok=True)
            self._held = False
        if self._descriptor is not None:
            descriptor, self._descriptor = self._descriptor, None
            os.close(descriptor)

    def __del__(self) -> None:
        """Release what an interrupt took from its holder before it had a name; never what the
        process holds that this one was forked from."""
        if self._process == os.getpid():
            self.release()

    def __enter__(self) -> OutputLock:
        return self

    def __exit__(self, *_: object) -> None:
        self.release()


def _clear(output: Path) -> None:
    """Remove the parts of runs that were killed."""
    hidden = f".{_plain(output)}.part-"
    for left in output.parent.iterdir():
        if not left.name.startswith(hidden) or left == lock_file(output):
            continue
        with contextlib.suppress(OSError):
            if stat.S_ISDIR(left.lstat().st_mode):
                shutil.rmtree(left)
            else:
                left.unlink()
