"""Files that would need more memory than there is, refused by what their heads say of them, and
what has no end; memory that nothing uses any more, given back.

glibc keeps what was freed for what comes next, a heap for each few threads: of large frames that
go from thread to thread, heaps hold a good deal that none of them uses.
"""

from __future__ import annotations

import contextlib
import ctypes
import errno
import functools
import math
import os
import stat
import sys
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import IO, Any

import numpy as np

from vhmae.errors import InputError

GIB = 2**30
_ARENA_MAX = -8
"""glibc's number of the most heaps that ``malloc`` keeps (malloc.h)."""


def how_many(most: int, each_bytes: int, room_bytes: int) -> int:
    """How many things may wait at once: at most ``most``, fewer or none where they are large."""
    return min(most, room_bytes // max(1, each_bytes))


def available_bytes() -> int | None:
    """Memory that is to be had, by the system and by the limits of this process's group; None where
    nothing says."""
    found = []
    with contextlib.suppress(OSError, ValueError, StopIteration):
        lines = Path("/proc/meminfo").read_text(encoding="ascii").splitlines()
        line = next(line for line in lines if line.startswith("MemAvailable:"))
        found.append(1024 * int(line.split()[1]))
    group = Path("/sys/fs/cgroup")
    with contextlib.suppress(OSError, ValueError):  # "max" is no number
        limit = int((group / "memory.max").read_text(encoding="ascii"))
        found.append(limit - int((group / "memory.current").read_text(encoding="ascii")))
    with contextlib.suppress(ImportError):
        import resource  # Windows has none

        limit = resource.getrlimit(resource.RLIMIT_AS)[0]
        if limit != resource.RLIM_INFINITY:
            found.append(limit)
    if not found and hasattr(os, "sysconf") and "SC_PHYS_PAGES" in os.sysconf_names:
        found.append(os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE"))
    return max(0, min(found)) if found else None


def check_memory(path: Path, needed_bytes: int, remedy: str) -> None:
    """Refuse what needs more memory than there is.

    Args:
        path: the file that needs it.
        remedy: what to do about it.
    """
    available = available_bytes()
    if available is not None and needed_bytes > available:
        raise InputError(
            f"{path}: needs {needed_bytes / GIB:.1f} GiB of memory, of which "
            f"{available / GIB:.1f} GiB are free; {remedy}"
        )


def read_array_header(member: IO[bytes]) -> tuple[tuple[int, ...], np.dtype[Any]]:
    """Read an .npy header and leave the stream at the first value.

    Raises:
        ValueError: for what is none, and for Fortran's order.
    """
    version = np.lib.format.read_magic(member)
    read = (
        np.lib.format.read_array_header_1_0
        if version == (1, 0)
        else np.lib.format.read_array_header_2_0
    )
    shape, fortran, dtype = read(member)
    if fortran:
        raise ValueError("in Fortran order")
    return shape, dtype


def check_archive(path: Path, remedy: str, times: float = 1.0) -> None:
    """Refuse an .npz whose arrays would not fit the memory: a small file can stand for any number
    of zeros.

    Args:
        times: bytes of memory for one of the arrays'.
    Raises:
        zipfile.BadZipFile, ValueError: for what is no .npz.
    """
    needed = 0
    with zipfile.ZipFile(path) as archive:
        for name in archive.namelist():
            if name.endswith(".npy"):
                with archive.open(name) as member:
                    shape, dtype = read_array_header(member)
                needed += math.prod(shape) * dtype.itemsize
    check_memory(path, round(times * needed), remedy)


def bounded(path: Path) -> Path:
    """The same path, where it is a file to be read as a whole.

    Raises:
        OSError: for a pipe, which would be waited for, and a device, which has no end; and for what
            is not there.
    """
    mode = path.stat().st_mode
    if not (stat.S_ISREG(mode) or stat.S_ISDIR(mode)):
        raise OSError(errno.EINVAL, "it is a pipe or a device, not a file", str(path))
    return path


def keep_one_heap() -> None:
    """Have all threads that follow share a heap, where glibc would give them several; for a process
    of our own, before it has threads."""
    setting = _glibc("mallopt")
    if setting is not None:
        setting(_ARENA_MAX, 1)


def give_back() -> None:
    """Give the system what was freed and is kept for later; does nothing where glibc is not
    there."""
    trim = _glibc("malloc_trim")
    if trim is not None:
        trim(ctypes.c_size_t(0))


@functools.cache
def _glibc(name: str) -> Callable[..., int] | None:
    """A function of glibc's that other C libraries have no twin of; None where it is not there."""
    if not sys.platform.startswith("linux"):
        return None
    try:
        found: Callable[..., int] = getattr(ctypes.CDLL(None), name)
    except (OSError, AttributeError):  # musl has no malloc_trim
        return None
    return found
