"""Studies that were made with the first version's tables."""

from __future__ import annotations

import contextlib
import json
import shutil
from pathlib import Path
from typing import Any

import pytest
from alembic import command
from alembic.config import Config
from sqlalchemy import text
from starlette.testclient import TestClient

from tests.support.databases import KINDS, fresh_database
from tests.support.study import Running
from tests.support.taking_part import next_ballot
from vhmae.study.folder import SECRETS, open_rows, read_study
from vhmae.study.report import read_rankings
from vhmae.web import database as databases
from vhmae.web.database import Database
from vhmae.web.secrets import fingerprint, read_secrets


@pytest.mark.parametrize("kind", KINDS)
def test_a_study_of_before_opens_and_goes_on_blind(
    small_study: Running, tmp_path: Path, kind: str
) -> None:
    """Made with the tables and secrets of the first version; somebody is in the midst of it."""
    with fresh_database(kind, tmp_path) as url:
        with (
            contextlib.closing(Database(url, "vhmae.study", fresh=True)) as rows,
            rows.engine.begin() as connection,
        ):
            config = Config()
            config.set_main_option(
                "script_location", str(Path(databases.__file__).parents[1] / "study" / "migrations")
            )
            config.attributes.update(connection=connection, table="study_version")
            command.downgrade(config, "0001")
            copy(small_study, connection)
        folder = tmp_path / "old"
        shutil.copytree(small_study.folder, folder)
        tree = json.loads((folder / "study.json").read_text())
        (folder / "study.json").write_text(json.dumps({**tree, "own_database": False}))
        kept = json.loads((folder / "secrets.json").read_text())
        (folder / "secrets.json").write_text(
            json.dumps({"session_key": kept["session_key"], "admin_token": kept["token"]})
        )
        description, secrets = read_study(folder), read_secrets(folder / SECRETS)
        assert secrets.token == kept["token"]
        with contextlib.closing(open_rows(folder, description, url)) as rows:
            study = Running(folder, description, secrets, rows, url)
            with rows.reading() as session:
                found = session.execute(text("SELECT secret FROM study")).scalars().all()
                tokens = session.execute(text("SELECT token FROM study_ballot")).scalars().all()
            assert [len(one) for one in found] == [64]
            assert len(set(tokens)) == len(tokens) == 3
            assert min(map(len, tokens)) >= 24
            client = TestClient(study.application())
            client.get("/p/key of before")
            ballot = next_ballot(client)
            assert ballot["position"] == 1  # the first was handed in before
            body = {"ballot": ballot["id"], "ranking": ballot["choices"]}
            assert client.post("/api/rankings", json=body).status_code == 201
            assert len(read_rankings(rows, description).ranks) == 2


def copy(study: Running, connection: Any) -> None:
    """A study's rows, as the first version kept them; one participant has ranked the first clip."""
    with study.database.reading() as session:
        for table, columns in (
            ("study", "id, title, seed, created_ms"),
            ("study_clip", "id, study_id, number, name, frames, fps"),
            ("study_stimulus", "id, clip_id, method, token"),
        ):
            for row in session.execute(text(f"SELECT {columns} FROM {table}")).mappings():
                marks = ", ".join(f":{name}" for name in row)
                connection.execute(
                    text(f"INSERT INTO {table} ({columns}) VALUES ({marks})"), dict(row)
                )
        clips = session.execute(text("SELECT id FROM study_clip ORDER BY number")).scalars().all()
        stimuli = [
            session.execute(
                text("SELECT id FROM study_stimulus WHERE clip_id = :c AND method != 'input'"),
                {"c": clip},
            )
            .scalars()
            .all()
            for clip in clips
        ]
    connection.execute(
        text(
            "INSERT INTO study_participant "
            "(id, study_id, key_fingerprint, answers, consented_ms) VALUES (1, :s, :f, '{}', 1)"
        ),
        {"s": study.description.id, "f": fingerprint("key of before")},
    )
    for position, (clip, order) in enumerate(zip(clips, stimuli, strict=True)):
        done = 9 if position == 0 else None
        connection.execute(
            text(
                "INSERT INTO study_ballot "
                "(id, participant_id, clip_id, position, stimulus_order, shown_ms, submitted_ms) "
                "VALUES (:id, 1, :clip, :position, :order, :shown, :done)"
            ),
            {
                "id": position + 1,
                "clip": clip,
                "position": position,
                "order": json.dumps(list(order)),
                "shown": done,
                "done": done,
            },
        )
    for rank, number in enumerate(stimuli[0], 1):
        connection.execute(
            text("INSERT INTO study_rank (ballot_id, stimulus_id, rank) VALUES (1, :s, :r)"),
            {"s": number, "r": rank},
        )
