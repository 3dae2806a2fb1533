"""When a database does not do what it is asked: told in words, with what becomes of the work."""

from __future__ import annotations

import contextlib
import dataclasses
from collections.abc import Iterator

from sqlalchemy.exc import DBAPIError, SQLAlchemyError
from sqlalchemy.exc import TimeoutError as PoolTimeout

from vhmae.errors import InputError
from vhmae.web.records import NotReadable

LATER = "nothing that was handed in is lost: try again in a minute"
CROWDED = f"Too many people are here at once; {LATER}."


class DatabaseTrouble(InputError):
    """A database that cannot be used as things are; what was asked of it was not done at all."""

    def __init__(self, message: str, status: int, public: str) -> None:
        super().__init__(message)
        self.status = status
        """For a page that was asked for."""
        self.public = public
        """What visitors are told: no path, no host."""


@dataclasses.dataclass(frozen=True)
class _Kind:
    signs: tuple[str, ...]
    """Parts of what SQLite says, and the whole of PostgreSQL's five letters."""
    status: int
    what: str
    remedy: str
    public: str


_DAMAGED = _Kind(
    (
        "not a database",
        "malformed",
        "no such table",
        "no such column",
        "decode to UTF-8",
        "unsupported file format",
        "XX001",
        "XX002",
    ),
    500,
    "is damaged",
    "restore it from a copy",
    "The database is damaged; tell the organizer.",
)
_KINDS = (
    _Kind(
        ("is locked", "55P03", "40001", "40P01"),
        503,
        "is locked by another program",
        "end that program, or wait for it, and try again",
        f"The database is held by another program at the moment; {LATER}.",
    ),
    _Kind(
        ("is full", "53100", "No space left", "quota exceeded"),
        507,
        "cannot grow, for the disk is full",
        "free some space and try again",
        "The server's disk is full, so this was not kept; what was handed in before is. "
        "Tell the organizer, leave this page open, and try again later.",
    ),
    _Kind(
        ("readonly", "read-only", "25006", "unable to open database file", "Permission denied"),
        503,
        "cannot be written",
        "check its permissions and those of its folder",
        f"The database cannot be written at the moment; tell the organizer. And {LATER}.",
    ),
    _Kind(
        ("53300", "too many clients", "too many connections"),
        503,
        "has no connection left",
        "end other programs that use it, and try again",
        CROWDED,
    ),
    _DAMAGED,
)
_SILENT = _Kind(
    (),
    503,
    "cannot be used",
    "check the address and that the server runs",
    f"The database does not answer; {LATER}.",
)


def told(error: SQLAlchemyError | NotReadable, where: str) -> DatabaseTrouble:
    """The trouble behind an error of a database.

    Args:
        where: the database, as its owner names it.
    """
    if isinstance(error, PoolTimeout):
        return DatabaseTrouble(f"{where}: too much is asked of it at once; try again", 503, CROWDED)
    raw = error.orig if isinstance(error, DBAPIError) else error
    said = " ".join(str(raw).split())
    code = str(getattr(raw, "sqlstate", None) or "")
    kind = _DAMAGED if isinstance(error, NotReadable) else _SILENT
    kind = next((one for one in _KINDS if _shows(one, said, code)), kind)
    line = f"{where}: {kind.what} ({said[:120]}); {kind.remedy}"
    return DatabaseTrouble(line, kind.status, kind.public)


def _shows(kind: _Kind, said: str, code: str) -> bool:
    return any(sign in said or sign == code for sign in kind.signs)


@contextlib.contextmanager
def rows_that_fit(where: str) -> Iterator[None]:
    """Around work on rows as they were read: tells where some are lost, or of other types.

    A database that is damaged in the middle of a value still opens, so anything may stand in a row.
    """
    try:
        yield
    except (
        LookupError,
        ValueError,
        TypeError,
        AttributeError,
        ArithmeticError,
        StopIteration,
    ) as error:
        reason = f"its rows do not fit together: {type(error).__name__}"
        raise told(NotReadable(reason), where) from error
