"""Databases, files and folders that have come to harm: told in one line, and nothing is lost."""

from __future__ import annotations

import contextlib
import sqlite3
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from sqlalchemy import event
from starlette.testclient import TestClient

from tests.support.study import Running
from tests.support.taking_part import enter, next_ballot
from vhmae.cli import main
from vhmae.study.folder import open_rows
from vhmae.study.report import read_rankings
from vhmae.web import database as databases
from vhmae.web.database import Database
from vhmae.web.trouble import DatabaseTrouble

DEEP = "[" * 200_000


@pytest.fixture
def ranked(small_study: Running) -> Running:
    """A study that two people took part in."""
    app = small_study.application()
    for _ in range(2):
        client = TestClient(app)
        enter(client)
        while not (ballot := next_ballot(client))["done"]:
            body = {"ballot": ballot["id"], "ranking": ballot["choices"]}
            assert client.post("/api/rankings", json=body).status_code == 201
    return small_study


@contextlib.contextmanager
def held(path: Path) -> Iterator[None]:
    """Another program keeps a database to itself."""
    other = sqlite3.connect(path, isolation_level=None)
    other.execute("BEGIN EXCLUSIVE")
    try:
        yield
    finally:
        other.execute("ROLLBACK")
        other.close()


def test_a_locked_database_is_told_and_what_was_ranked_can_be_handed_in_later(
    small_study: Running, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(databases, "LOCK_SECONDS", 1)
    small_study.database.close()
    with contextlib.closing(open_rows(small_study.folder, small_study.description, None)) as rows:
        client = TestClient(
            Running(
                small_study.folder, small_study.description, small_study.secrets, rows, ""
            ).application()
        )
        enter(client)
        ballot = next_ballot(client)
        body = {"ballot": ballot["id"], "ranking": ballot["choices"]}
        with held(small_study.folder / "study.db"):
            for _ in range(3):
                answer = client.post("/api/rankings", json=body)
                assert answer.status_code == 503
                assert "held by another program" in answer.json()["detail"]
                assert "nothing that was handed in is lost" in answer.json()["detail"]
                assert str(small_study.folder) not in answer.text
                assert answer.headers["retry-after"] == "30"
            assert client.get("/healthz").status_code == 200
            assert enter(TestClient(client.app)).status_code == 503
        assert client.post("/api/rankings", json=body).status_code == 201
        told = [record.getMessage() for record in caplog.records if record.name == "vhmae.web"]
        assert len(told) == 1
        assert "is locked by another program" in told[0]
        assert len(read_rankings(rows, small_study.description).ranks) == 1


def test_a_full_disk_is_told_and_keeps_nothing_in_part(small_study: Running) -> None:
    client = TestClient(small_study.application())
    enter(client)
    ballot = next_ballot(client)
    engine = small_study.database.engine

    def full(connection: Any, *_: Any) -> None:
        pages = connection.execute("PRAGMA page_count").fetchone()[0]
        connection.execute(f"PRAGMA max_page_count = {pages}")

    event.listen(engine, "checkout", full)
    codes, answers = set(), []
    for _ in range(400):  # until the pages that are there are used up
        answer = enter(TestClient(client.app), answers={"Screen": "phone", "Years": "x" * 200})
        codes.add(answer.status_code)
        answers.append(answer)
        if answer.status_code != 201:
            break
    assert codes == {201, 507}
    assert "disk is full" in answers[-1].json()["detail"]
    page = client.post(
        "/api/participants",
        json={"consent": True, "answers": {"Screen": "phone", "Years": "x" * 200}},
        headers={"accept": "text/html"},
    )
    assert page.status_code == 507
    assert "Not at the moment" in page.text
    event.remove(engine, "checkout", full)
    engine.dispose()
    body = {"ballot": ballot["id"], "ranking": ballot["choices"]}
    assert client.post("/api/rankings", json=body).status_code == 201


@pytest.mark.parametrize("step", ["report", "serve"])
@pytest.mark.parametrize(
    ("harm", "said"),
    [
        (b"", "rows are not in this database"),
        (b"no database at all, but a text of some length" * 50, "is damaged"),
        (b"SQLite format 3\0" + bytes(4000), "is damaged"),
    ],
)
def test_what_is_no_database_is_told(
    ranked: Running, capsys: pytest.CaptureFixture[str], step: str, harm: bytes, said: str
) -> None:
    ranked.database.close()
    (ranked.folder / "study.db").write_bytes(harm)
    assert main(["study", step, str(ranked.folder)]) == 2
    line = capsys.readouterr().err.strip()
    assert said in line
    assert "restore" in line
    assert len(line.splitlines()) == 1


def test_a_database_with_bytes_changed_anywhere_is_read_or_told(
    ranked: Running, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    ranked.database.close()
    whole = (ranked.folder / "study.db").read_bytes()
    rng = np.random.default_rng(0)
    codes = []
    for trial in range(80):
        harmed = bytearray(whole)
        if trial % 4 == 0:
            del harmed[int(rng.integers(len(whole))) :]
        else:
            used = np.flatnonzero(np.frombuffer(whole, np.uint8))  # most of the file is empty
            for place in rng.choice(used, 1 + trial % 7):
                harmed[place] = int(rng.integers(256))
        for left in ranked.folder.glob("study.db*"):
            left.unlink()
        (ranked.folder / "study.db").write_bytes(harmed)
        codes.append(
            main(["study", "report", str(ranked.folder), "-q", "-o", str(tmp_path / "report")])
        )
        line = capsys.readouterr().err.strip()
        assert "internal error" not in line, (trial, line)
        assert len(line.splitlines()) == (codes[-1] != 0)
    assert set(codes) <= {0, 2}
    assert codes.count(2) > 20


def test_values_that_were_changed_within_the_database_are_told(
    ranked: Running, capsys: pytest.CaptureFixture[str]
) -> None:
    changes = [
        "UPDATE study_ballot SET stimulus_order = '[1'",
        "UPDATE study_ballot SET stimulus_order = '[]'",
        f"UPDATE study_participant SET answers = '{DEEP}'",
        "UPDATE study_participant SET answers = '[1]'",
        "UPDATE study_participant SET answers = x'ff'",
        "UPDATE study_rank SET rank = 'first' WHERE rank = 1",
        "UPDATE study_rank SET rank = rank + 70",
        "UPDATE study_clip SET fps = 0",
        "UPDATE study_stimulus SET method = method || 'x'",
        "UPDATE study_ballot SET submitted_ms = 'soon'",
        "DELETE FROM study_rank WHERE rank = 2",
    ]
    ranked.database.close()
    whole = (ranked.folder / "study.db").read_bytes()
    for change in changes:
        for left in ranked.folder.glob("study.db*"):
            left.unlink()
        (ranked.folder / "study.db").write_bytes(whole)
        with contextlib.closing(sqlite3.connect(ranked.folder / "study.db")) as rows:
            rows.execute(change)
            rows.commit()
        assert main(["study", "report", str(ranked.folder)]) == 2, change
        line = capsys.readouterr().err.strip()
        assert "is damaged" in line, (change, line)
        assert len(line.splitlines()) == 1


@pytest.mark.parametrize("name", ["study.json", "secrets.json"])
@pytest.mark.parametrize(
    "harm",
    [
        "",
        "{",
        DEEP,
        '{"a":' * 50_000,
        "[]",
        "null",
        "1" * 5000,
        "\udcff",
        '{"schema": 1}',
        '{"token": 7}',
    ],
)
def test_files_of_a_study_that_are_damaged_are_told(
    small_study: Running, capsys: pytest.CaptureFixture[str], name: str, harm: str
) -> None:
    (small_study.folder / name).write_text(harm, errors="surrogateescape")
    assert main(["study", "serve", str(small_study.folder)]) == 2
    line = capsys.readouterr().err.strip()
    assert name in line
    assert len(line.splitlines()) == 1
    assert len(line) <= 400


def test_requests_with_deep_nests_are_refused(small_study: Running) -> None:
    client = TestClient(small_study.application())
    for body in ("[" * 60_000, '{"a":' * 12_000, "1" * 60_000, "\0", "{"):
        answer = client.post(
            "/api/participants", content=body, headers={"content-type": "application/json"}
        )
        assert answer.status_code in (400, 422)


def test_a_video_that_is_gone_is_told_before_anybody_takes_part(
    small_study: Running, capsys: pytest.CaptureFixture[str]
) -> None:
    lost = next((small_study.folder / "videos").iterdir())
    lost.unlink()
    assert main(["study", "serve", str(small_study.folder)]) == 2
    assert f"{lost}: no such file" in capsys.readouterr().err


def test_a_newer_database_is_told(ranked: Running, capsys: pytest.CaptureFixture[str]) -> None:
    ranked.database.close()
    with contextlib.closing(sqlite3.connect(ranked.folder / "study.db")) as rows:
        rows.execute("UPDATE study_version SET version_num = '9999'")
        rows.commit()
    assert main(["study", "report", str(ranked.folder)]) == 2
    assert "newer vhmae" in capsys.readouterr().err


def test_a_trouble_says_what_to_do_and_names_no_password() -> None:
    with pytest.raises(DatabaseTrouble, match="check the address") as refused:
        Database(f"postgresql://a:hidden@127.0.0.1:1/{uuid.uuid4().hex}", "vhmae.study")
    assert "hidden" not in str(refused.value)
