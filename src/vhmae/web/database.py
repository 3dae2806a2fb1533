"""A real database behind an address: SQLite by default, PostgreSQL by URL; tables are made and
changed by migrations."""

from __future__ import annotations

import contextlib
import importlib
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from alembic import command, context
from alembic.config import Config
from alembic.util import CommandError
from sqlalchemy import Connection, Engine, MetaData, create_engine, event
from sqlalchemy.engine import make_url
from sqlalchemy.exc import (
    ArgumentError,
    DatabaseError,
    DataError,
    IntegrityError,
    InterfaceError,
    NoSuchModuleError,
)
from sqlalchemy.exc import TimeoutError as PoolTimeout
from sqlalchemy.orm import Session

from vhmae.errors import InputError
from vhmae.web.records import NotReadable, parse_json
from vhmae.web.trouble import told
from vhmae.web.turns import Turns

LOCK_SECONDS = 15
"""How long a write waits for other programs before it is refused."""


class Database:
    """Transactions on a database whose tables are up to date."""

    def __init__(self, url: str, room: str, fresh: bool = False) -> None:
        """Connect, and bring the tables of a room up to date.

        Args:
            url: ``sqlite:///FILE`` or ``postgresql://USER:PASSWORD@HOST/NAME``.
            room: the package whose ``migrations`` folder makes the tables, ``vhmae.study``.
            fresh: make the file of a SQLite database where there is none.
        Raises:
            InputError: if the address is none, or nobody answers there.
        """
        self.engine = _connect(url, fresh)
        self.where = f"`database` {_shown(url)}"
        self._turns = Turns(LOCK_SECONDS) if self.engine.dialect.name == "sqlite" else None
        try:
            with self._told(), self.engine.execution_options(immediate=True).begin() as connection:
                _check_whole(connection)
                _migrate(connection, room)
        except CommandError:
            raise InputError(f"{self.where}: was made by a newer vhmae; update this one") from None

    def close(self) -> None:
        """Let go of the database; SQLite folds what it wrote aside into its file."""
        self.engine.dispose()

    @contextlib.contextmanager
    def reading(self) -> Iterator[Session]:
        """A session that only reads.

        Raises:
            DatabaseTrouble: where the database cannot be used as things are.
        """
        with self._told(), Session(self.engine) as session:
            yield session

    @contextlib.contextmanager
    def writing(self) -> Iterator[Session]:
        """A session whose changes are all kept at its end, or none.

        Raises:
            DatabaseTrouble: where the database cannot be used as things are; nothing is kept.
        """
        # SQLite: taking the lock at the start makes writers queue; taking it later can only fail.
        engine = self.engine.execution_options(immediate=True)
        with (
            self._turns.mine() if self._turns is not None else contextlib.nullcontext(),
            self._told(),
            Session(engine, expire_on_commit=False) as session,
            session.begin(),
        ):
            yield session

    @contextlib.contextmanager
    def _told(self) -> Iterator[None]:
        """Tell in words what a database says in its own."""
        try:
            yield
        except (
            IntegrityError,
            DataError,
        ):  # these are about what was written, not about the database
            raise
        except (DatabaseError, InterfaceError, PoolTimeout, NotReadable) as error:
            raise told(error, self.where) from None
        except UnicodeDecodeError:  # names of tables and columns are text, too
            raise told(NotReadable("bytes in the place of text"), self.where) from None


def _connect(url: str, fresh: bool) -> Engine:
    try:
        address = make_url(url)
        if address.drivername in ("postgresql", "postgres"):
            address = address.set(drivername="postgresql+psycopg")
        kind = address.get_backend_name()
        if kind not in ("sqlite", "postgresql"):
            raise InputError(
                f"`database` {_shown(url)}: {kind} is not served; expected sqlite:///FILE or "
                "postgresql://..."
            )
        if kind == "sqlite":
            _check_file(url, address.database, fresh)
        engine = create_engine(
            address,
            pool_size=20,
            max_overflow=40,
            pool_pre_ping=kind == "postgresql",
            json_deserializer=parse_json,
        )
    except (ArgumentError, NoSuchModuleError, ValueError):
        raise InputError(
            f"`database` {_shown(url)}: is no address; expected sqlite:///FILE or "
            "postgresql://USER@HOST/NAME"
        ) from None
    if kind == "sqlite":
        event.listen(engine, "connect", _prepare_sqlite)
        event.listen(engine, "begin", _begin_sqlite)
    return engine


def _check_file(url: str, name: str | None, fresh: bool) -> None:
    if not name or name == ":memory:":
        raise InputError(f"`database` {url}: names no file; expected sqlite:///FILE")
    file = Path(name)
    if not file.parent.is_dir():
        raise InputError(
            f"`database` {url}: the folder {file.parent} does not exist; make it first"
        )
    if not fresh and not file.is_file():
        raise InputError(f"{file}: no such database; restore it from a copy, or check the address")


def _prepare_sqlite(connection: Any, record: Any) -> None:
    connection.isolation_level = None  # transactions begin where we say so
    for setting in (
        "foreign_keys=ON",
        f"busy_timeout={LOCK_SECONDS * 1000}",
        "journal_mode=WAL",
        "synchronous=FULL",
    ):
        connection.execute(f"PRAGMA {setting}")


def _check_whole(connection: Connection) -> None:
    """Have SQLite look at its file, before anybody's work is put into a damaged one."""
    if connection.dialect.name == "sqlite":
        said = str(connection.exec_driver_sql("PRAGMA quick_check(1)").scalar())
        if said != "ok":
            raise NotReadable(said.splitlines()[-1])


def _begin_sqlite(connection: Connection) -> None:
    immediate = connection.get_execution_options().get("immediate", False)
    connection.exec_driver_sql("BEGIN IMMEDIATE" if immediate else "BEGIN")


def _shown(url: str) -> str:
    """An address without its password."""
    try:
        return make_url(url).render_as_string(hide_password=True)
    except ArgumentError:
        return "(unreadable)"


def now_ms() -> int:
    """The time as tables keep it: milliseconds since 1970, UTC."""
    return time.time_ns() // 1_000_000


# --- migrations: each room has its own, and its own note of where they stand


def _migrate(connection: Connection, room: str) -> None:
    config = Config()
    config.set_main_option(
        "script_location",
        str(Path(str(importlib.import_module(room).__file__)).parent / "migrations"),
    )
    config.attributes.update(connection=connection, table=f"{room.rpartition('.')[2]}_version")
    command.upgrade(config, "head")


def run_migrations(metadata: MetaData) -> None:
    """What a room's ``migrations/env.py`` calls."""
    attributes = context.config.attributes
    context.configure(
        connection=attributes["connection"],
        target_metadata=metadata,
        version_table=attributes["table"],
    )
    context.run_migrations()
