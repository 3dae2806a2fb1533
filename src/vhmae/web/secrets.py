"""The secrets of a site, kept beside what it serves: readable by their owner alone, made once."""

from __future__ import annotations

import contextlib
import dataclasses
import hashlib
import json
import os
import secrets
import tempfile
from pathlib import Path

from vhmae.errors import InputError
from vhmae.web.records import NotReadable, read_object

EARLIER_NAMES = {"admin_token": "token", "set_id": "site"}
"""What fields were called when each room had secrets of its own."""


@dataclasses.dataclass(frozen=True)
class Secrets:
    """What must not leave the folder."""

    session_key: str
    """Signs the sessions; whoever has it can make them up."""
    token: str
    """Lets the organizer, or the reviewers, in."""
    site: str = ""
    """Tells one site from another in a database that they share."""


def new_token() -> str:
    """A secret that nobody guesses."""
    return secrets.token_urlsafe(24)


def fingerprint(token: str) -> str:
    """What a table or a session keeps of a secret: it can be checked, not read back."""
    return hashlib.sha256(token.encode()).hexdigest()


def new_secrets() -> Secrets:
    """Secrets for a new site."""
    return Secrets(new_token(), new_token(), new_token())


def keep_secrets(path: Path, made: Secrets) -> None:
    """Write secrets where there are none; those of whoever was first stay."""
    handle, part = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)
    try:
        with open(handle, "w", encoding="utf-8") as file:
            json.dump(dataclasses.asdict(made), file)
        try:
            os.link(part, path)
        except FileExistsError:
            pass
        except OSError:  # a file system without links
            with contextlib.suppress(FileExistsError), path.open("x", encoding="utf-8") as file:
                json.dump(dataclasses.asdict(made), file)
    finally:
        os.unlink(part)


def read_secrets(path: Path) -> Secrets:
    """Read the secrets of a site.

    Raises:
        InputError: if they are damaged, or not there.
    """
    try:
        tree = {EARLIER_NAMES.get(key, key): value for key, value in read_object(path).items()}
        if not all(isinstance(value, str) and value.strip() for value in tree.values()):
            raise NotReadable("a secret is empty or no text")
        return Secrets(**tree)
    except (OSError, ValueError, TypeError) as error:
        reason = error.strerror if isinstance(error, OSError) else str(error)[:80]
        raise InputError(f"{path}: cannot be read ({reason}); restore it from a copy") from None


def open_secrets(path: Path) -> Secrets:
    """The secrets of a site, made at its first opening."""
    if not path.exists():
        keep_secrets(path, new_secrets())
    return read_secrets(path)
