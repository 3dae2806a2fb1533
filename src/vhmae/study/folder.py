"""A study as a folder: its description, its videos, its secrets."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path

from vhmae.config import build
from vhmae.errors import InputError
from vhmae.study.job import Question
from vhmae.study.tables import Study
from vhmae.web.database import Database
from vhmae.web.records import read_object
from vhmae.web.secrets import Secrets, keep_secrets

DESCRIPTION, SECRETS, VIDEOS, DATABASE = "study.json", "secrets.json", "videos", "study.db"


@dataclasses.dataclass(frozen=True, kw_only=True)
class Description:
    """What a study is; everything but this and the videos stands in the database."""

    id: str
    title: str
    criterion: str = ""
    """What attempts are ranked by; studies of before it was asked have none."""
    seed: int
    methods: tuple[str, ...]
    clips: tuple[str, ...]
    seconds: float
    questions: tuple[Question, ...]
    consent: str
    """What a participant agrees to, in paragraphs."""
    own_database: bool
    """The rows lie in the folder's own database; otherwise ``--database`` names it each time, for
    its password is kept nowhere."""


def write_study(folder: Path, description: Description, secrets: Secrets) -> None:
    """Write a study's files; the secrets are for the owner's eyes only."""
    text = json.dumps(
        {"schema": 1, **dataclasses.asdict(description)}, indent=1, ensure_ascii=False
    )
    (folder / DESCRIPTION).write_text(text + "\n", encoding="utf-8")
    keep_secrets(folder / SECRETS, secrets)


def read_study(folder: Path) -> Description:
    """Read a study's description.

    Raises:
        InputError: if the folder holds none.
    """
    path = folder / DESCRIPTION
    try:
        tree = read_object(path)
        tree.pop("schema")
        return build(Description, tree, str(path))
    except (FileNotFoundError, NotADirectoryError):
        raise InputError(
            f"{folder}: holds no study; make one with: vhmae study create --input DIR --method "
            f"NAME=DIR -o {folder}"
        ) from None
    except OSError as error:
        raise InputError(
            f"{path}: cannot be read ({error.strerror}); check its permissions"
        ) from None
    except (ValueError, KeyError) as error:
        reason = "lacks the key 'schema'" if isinstance(error, KeyError) else str(error)[:80]
        raise InputError(f"{path}: is damaged ({reason}); restore it from a copy") from None


def open_rows(
    folder: Path, description: Description, url: str | None, fresh: bool = False
) -> Database:
    """Open the database of a study.

    Args:
        url: address from ``--database`` or ``VHMAE_DATABASE``; None takes the folder's own.
        fresh: the study is being made; otherwise its rows must be there.
    """
    if description.own_database:
        url = None  # a variable that was set for another study must not lead this one astray
    elif url is None:
        raise InputError(
            f"{folder}: its rows lie in a database of yours; name it by `database` URL or "
            "VHMAE_DATABASE"
        )
    database = Database(url or f"sqlite:///{(folder / DATABASE).absolute()}", "vhmae.study", fresh)
    if not fresh:
        with database.reading() as session:
            known = session.get(Study, description.id) is not None
        if not known:
            database.engine.dispose()
            raise InputError(
                f"{folder}: its rows are not in this database; check `database`, or restore "
                f"{DATABASE} from a copy"
            )
    return database
