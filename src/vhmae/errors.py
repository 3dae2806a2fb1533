"""The errors a user can meet. Each carries one line: what is wrong, why, and what to do."""

from __future__ import annotations

import difflib
import errno
import lzma
import zipfile
import zlib
from collections.abc import Iterable

DAMAGED_ARCHIVE = (
    zipfile.BadZipFile,
    zlib.error,
    lzma.LZMAError,
    KeyError,
    ValueError,
    TypeError,
    OSError,
    EOFError,
    SyntaxError,
    NotImplementedError,
    RuntimeError,
)
"""What numpy and zipfile raise when they read a damaged .npz."""


DISK_ERRORS = (errno.ENOSPC, errno.EIO, getattr(errno, "EDQUOT", errno.ENOSPC))
"""Numbers of errors that no other name, form or codec would mend."""


_NOT_TOLD = object()


class VhmaeError(Exception):
    """Base of every error that this package raises on purpose."""

    exit_code = 1


class InputError(VhmaeError):
    """Something the user can mend: an option, a configuration, a file or a mask.

    Messages name an option by its field, in backticks; the command line puts the flag in its place.
    """

    exit_code = 2

    def __init__(
        self, message: str, *, field: str | None = None, value: object = _NOT_TOLD
    ) -> None:
        """Say what is wrong.

        Args:
            field: the option that is wrong, by the name of its field.
            value: what it was.
        """
        self.field, self.reason = field, message
        told = "" if value is _NOT_TOLD else f" {value}"
        super().__init__(message if field is None else f"`{field}`{told}: {message}")


def mended_by(error: Exception) -> str:
    """What mends that a file could not be written: room on the disk, or another form of it."""
    code = getattr(error, "errno", None)
    if code in (*DISK_ERRORS, errno.EFBIG):
        return "check the space on the disk"
    if code in (errno.EACCES, errno.EPERM, errno.EROFS, errno.ENOENT):
        return "check the disk and the permissions"
    return "try another `codec` or `pix_fmt`"


class MissingMatte(InputError):
    """Nothing marks the foreground: there is neither a mask nor an alpha channel."""


class MissingForeground(InputError):
    """A frame that something is said of shows no foreground, or nothing beside it."""


class PointError(InputError):
    """A point of a guide that cannot be heard; ``reason`` says why, without naming it."""

    def __init__(
        self, message: str, *, number: int = 0, point: str = "", outside_mask: bool = False
    ) -> None:
        """Say what is wrong.

        Args:
            number: of the point in its guide, from 1.
            point: the point in words; empty where the message names it already.
            outside_mask: whether it lies outside the mask of its object.
        """
        super().__init__(f"point {number} ({point}): {message}" if point else message)
        self.number, self.reason, self.outside_mask = number, message, outside_mask


class ShapeError(VhmaeError, ValueError):
    """A tensor or array has another shape than the function's contract says."""


def did_you_mean(word: str, known: Iterable[str]) -> str:
    """Return ``' (did you mean X?)'`` for the closest known word, or an empty string."""
    close = difflib.get_close_matches(word, list(known), n=1, cutoff=0.5)
    return f" (did you mean {close[0]}?)" if close else ""


def counted(number: int, one: str, more: str = "") -> str:
    """``1 frame``, ``24 frames``; ``more`` names things whose plural takes no s."""
    return f"{number} {one if number == 1 else more or f'{one}s'}"


def is_interrupted(error: BaseException) -> bool:
    """Whether Ctrl-C is behind an error: compiled modules that are being loaded make one of their
    own of it."""
    known: set[int] = set()
    one: BaseException | None = error
    while one is not None and id(one) not in known:
        if isinstance(one, KeyboardInterrupt):
            return True
        known.add(id(one))
        one = one.__cause__ or one.__context__
    return False


def lacks_torch(error: BaseException) -> bool:
    """Whether an error is that torch is not installed."""
    return isinstance(error, ModuleNotFoundError) and (error.name or "").split(".")[0] == "torch"


def needs_torch(what: str) -> str:
    """What is said where torch is not installed; ``what`` needs it."""
    return f"{what} needs torch; install it with: pip install 'vhmae[torch]'"
