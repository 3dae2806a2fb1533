"""Writers of one process wait for each other; another program's lock is told."""

from __future__ import annotations

import sqlite3
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import text

from vhmae.web import database as module
from vhmae.web.database import Database
from vhmae.web.trouble import DatabaseTrouble, told

WRITERS = 12


@pytest.fixture
def database(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Database:
    """One that waits for other programs for half a second."""
    monkeypatch.setattr(module, "LOCK_SECONDS", 0.5)
    monkeypatch.setattr(module, "_prepare_sqlite", prepared)
    made = Database(f"sqlite:///{tmp_path / 'd.sqlite'}", "vhmae.study", fresh=True)
    with made.writing() as session:
        session.execute(text("CREATE TABLE kept (number INTEGER)"))
    return made


def prepared(connection: sqlite3.Connection, record: object) -> None:
    connection.isolation_level = None
    for setting in ("busy_timeout=500", "journal_mode=WAL"):
        connection.execute(f"PRAGMA {setting}")


def together(work: Callable[[int], None]) -> list[BaseException]:
    """Work in as many threads as there are writers; what went wrong."""
    failed: list[BaseException] = []

    def one(number: int) -> None:
        try:
            work(number)
        except DatabaseTrouble as trouble:
            failed.append(trouble)

    threads = [threading.Thread(target=one, args=(number,)) for number in range(WRITERS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return failed


def test_writers_that_take_longer_together_than_a_lock_is_waited_for_all_write(
    database: Database,
) -> None:
    def slow(number: int) -> None:
        with database.writing() as session:
            session.execute(text("INSERT INTO kept VALUES (:n)"), {"n": number})
            time.sleep(0.15)

    assert together(slow) == []
    with database.reading() as session:
        assert sorted(session.scalars(text("SELECT number FROM kept"))) == list(range(WRITERS))


def test_what_another_program_holds_is_told_to_all_and_nobody_waits_for_everybody(
    database: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tried: list[object] = []

    def listened(*words: Any) -> Any:
        tried.append(words)
        return told(*words)

    monkeypatch.setattr(module, "told", listened)

    def write(number: int) -> None:
        with database.writing() as session:
            session.execute(text("INSERT INTO kept VALUES (:n)"), {"n": number})

    other = sqlite3.connect(tmp_path / "d.sqlite", isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    failed = together(write)
    assert len(failed) == WRITERS
    assert all("is locked by another program" in str(one) for one in failed)
    assert len(tried) <= WRITERS // 2
    other.execute("ROLLBACK")
    other.close()
    assert together(write) == []


def test_a_writer_that_fails_lets_the_next_one_in(database: Database) -> None:
    with pytest.raises(ZeroDivisionError), database.writing():
        raise ZeroDivisionError
    with database.writing() as session:
        session.execute(text("INSERT INTO kept VALUES (1)"))
    with database.reading() as session:
        assert session.scalar(text("SELECT count(*) FROM kept")) == 1
