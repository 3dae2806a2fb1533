"""The server as a process: many people at once, a kill in the middle, bad options."""

from __future__ import annotations

import asyncio
import signal
import threading
import time
from typing import Any

import httpx2
import numpy as np
import pytest

from tests.support.server import served
from tests.support.study import METHODS, Running
from tests.support.taking_part import ANSWERS
from vhmae.cli import main
from vhmae.study.report import read_rankings

CROWD = (40, pytest.param(500, marks=pytest.mark.long))
LONGEST_SECONDS = 120
"""For up to 200 people; more have as much longer."""


def options_of(study: Running) -> list[str]:
    """SQLite's rows may lie elsewhere too."""
    return [str(study.folder), "--rate", "0", *(["--database", study.url] if study.url else [])]


async def take_part(url: str, seed: int, clips: int = 3) -> list[tuple[str, list[str]]]:
    """One person; gives what was acknowledged."""
    kept = []
    rng = np.random.default_rng(seed)
    async with httpx2.AsyncClient(base_url=url, timeout=LONGEST_SECONDS) as client:
        (
            await client.post("/api/participants", json={"consent": True, "answers": ANSWERS})
        ).raise_for_status()
        for _ in range(clips):
            ballot = (await client.get("/api/ballot")).json()
            (await client.post("/api/playing", json={"ballot": ballot["id"]})).raise_for_status()
            ranking = rng.permutation(ballot["choices"]).tolist()
            answer = await client.post(
                "/api/rankings", json={"ballot": ballot["id"], "ranking": ranking}
            )
            answer.raise_for_status()
            kept.append((ballot["id"], ranking))
    return kept


@pytest.mark.parametrize("people", CROWD)
def test_people_at_once_lose_no_ranking(people: int, study: Running) -> None:
    async def crowd(url: str) -> list[list[tuple[str, list[str]]]]:
        return await asyncio.wait_for(
            asyncio.gather(*(take_part(url, seed) for seed in range(people))),
            LONGEST_SECONDS * max(1.0, people / 200),
        )

    with served("study", "serve", *options_of(study)) as (url, _):
        acknowledged = [one for person in asyncio.run(crowd(url)) for one in person]
    assert len(acknowledged) == 3 * people
    assert_kept(study, acknowledged)


def assert_kept(study: Running, acknowledged: list[tuple[str, list[str]]]) -> None:
    """Every ranking that was acknowledged is there as it was said."""
    from sqlalchemy import select
    from sqlalchemy.orm import selectinload

    from vhmae.study.tables import Ballot, Stimulus

    with study.database.reading() as session:
        token_of = {stimulus.id: stimulus.token for stimulus in session.scalars(select(Stimulus))}
        ballots = session.scalars(
            select(Ballot)
            .where(Ballot.submitted_ms.is_not(None))
            .options(selectinload(Ballot.ranks))
        )
        kept = {
            ballot.token: [token_of[rank.stimulus_id] for rank in ballot.ranks]
            for ballot in ballots
        }
    assert all(kept[number] == ranking for number, ranking in acknowledged)
    assert all(
        len(ranking) == len(METHODS) for ranking in kept.values()
    )  # and none is there in part


def test_a_kill_in_the_middle_loses_nothing_that_was_acknowledged(study: Running) -> None:
    acknowledged: list[tuple[str, list[str]]] = []
    stop = threading.Event()

    def people(url: str) -> None:
        client = httpx2.Client(base_url=url, timeout=10)
        try:
            while not stop.is_set():
                client.post("/api/participants", json={"consent": True, "answers": ANSWERS})
                for _ in range(3):
                    ballot: dict[str, Any] = client.get("/api/ballot").json()
                    client.post("/api/playing", json={"ballot": ballot["id"]})
                    body = {"ballot": ballot["id"], "ranking": ballot["choices"][::-1]}
                    if client.post("/api/rankings", json=body).status_code == 201:
                        acknowledged.append((ballot["id"], body["ranking"]))
        except httpx2.HTTPError:
            pass  # the server is gone: that is the test
        finally:
            client.close()

    with served("study", "serve", *options_of(study)) as (url, process):
        crowd = [threading.Thread(target=people, args=(url,)) for _ in range(4)]
        for person in crowd:
            person.start()
        deadline = time.monotonic() + 60
        while len(acknowledged) < 25 and time.monotonic() < deadline:
            time.sleep(0.01)
        process.send_signal(signal.SIGKILL)
        process.wait(timeout=20)
        stop.set()
        for person in crowd:
            person.join(timeout=20)
    assert len(acknowledged) >= 25
    with served("study", "serve", *options_of(study)) as (url, _):  # and it starts again
        assert httpx2.get(f"{url}/healthz").json() == {"status": "ok"}
    assert_kept(study, acknowledged)


def test_ctrl_c_ends_the_server_as_every_command(small_study: Running) -> None:
    with served("study", "serve", str(small_study.folder)) as (where, process):
        assert httpx2.get(where, timeout=60.0).status_code == 200  # it is at work
        process.send_signal(signal.SIGINT)
        process.communicate(timeout=20)
        said = process.told
    assert process.returncode == 130, said
    assert "Traceback" not in said
    assert said.strip().splitlines()[-1].startswith("vhmae: error: stopped")


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["serve", "nowhere"], "holds no study"),
        (["report", "nowhere"], "holds no study"),
        (
            ["create", "--input", "nowhere", "--method", "a=b", "--method", "c=d", "-o", "new"],
            "no such folder",
        ),
        (["create", "--method", "a=b", "-o", "new"], "--input"),
        (["grow"], "expected one of create, serve, report"),
    ],
)
def test_bad_options_get_one_line(
    arguments: list[str], said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["study", *arguments]) == 2
    line = capsys.readouterr().err.strip()
    assert said in line
    assert len(line.splitlines()) == 1


def test_a_study_without_its_rows_is_not_served(
    small_study: Running, capsys: pytest.CaptureFixture[str]
) -> None:
    small_study.database.close()
    (small_study.folder / "study.db").unlink()
    for step in ("report", "serve"):
        assert main(["study", step, str(small_study.folder)]) == 2
        assert "no such database" in capsys.readouterr().err
    assert not (small_study.folder / "study.db").exists()


def test_what_was_written_is_in_the_file_when_the_server_has_stopped(small_study: Running) -> None:
    with served("study", "serve", str(small_study.folder)) as (url, _):
        asyncio.run(take_part(url, 0))
    small_study.database.close()
    assert not (small_study.folder / "study.db-wal").exists()


def test_a_study_whose_rows_lie_elsewhere_asks_for_the_address(
    study: Running, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["study", "report", str(study.folder)]) == 2
    assert "--database" in capsys.readouterr().err
    assert len(read_rankings(study.database, study.description).ranks) == 0
