"""A participant who wants to know which attempt is whose plays the cheater: with all that the
server tells, and with the public source; and does no better than whoever guesses."""

from __future__ import annotations

import contextlib
import dataclasses
import os
import re
from collections import defaultdict
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from fastapi import Request, Response
from sqlalchemy import select
from starlette.testclient import TestClient

from tests.support.scenes import moving_scene, write_video
from tests.support.study import FPS, METHODS, Running, job_of
from tests.support.taking_part import enter, next_ballot
from vhmae.study.create import create_study
from vhmae.study.folder import open_rows
from vhmae.study.tables import Study

PEOPLE, CLIPS = 8, 12
WAYS: tuple[tuple[str, dict[str, str]], ...] = (
    ("GET", {}),
    ("GET", {"range": "bytes=0-0"}),
    ("GET", {"range": "bytes=-1"}),
    ("GET", {"range": "bytes=0-99,200-299"}),
    ("GET", {"range": "bytes=999999999-"}),
    ("GET", {"range": "nonsense"}),
    ("GET", {"range": "bytes=0-9", "if-range": "Mon, 01 Jan 2035 00:00:00 GMT"}),
    ("GET", {"if-modified-since": "Mon, 01 Jan 2035 00:00:00 GMT"}),
    ("GET", {"if-none-match": "*"}),
    ("GET", {"accept-encoding": "identity"}),
    ("HEAD", {}),
    ("OPTIONS", {}),
)


@dataclasses.dataclass(frozen=True)
class Seen:
    """A ballot as a participant sees it: what is told of each attempt, in the order of the page."""

    told: list[dict[str, Any]]
    truth: tuple[str, ...]


def look(client: TestClient, token: str) -> dict[str, Any]:
    """Every header, status and count of bytes that can be had of a video; and its name."""
    found: dict[str, Any] = {"name": token}
    for number, (method, headers) in enumerate(WAYS):
        answer = client.request(method, f"/media/{token}.mp4", headers=headers)
        found[f"{number} status"] = answer.status_code
        found[f"{number} bytes"] = len(answer.content)
        found |= {
            f"{number} {name}": value for name, value in answer.headers.items() if name != "date"
        }
    return found


def take_part(study: Running, people: int) -> list[Seen]:
    """Several people rank everything, and look at all there is."""
    method_of, app = study.methods(), study.application()
    seen: list[Seen] = []
    looked: dict[str, dict[str, Any]] = {}
    for _ in range(people):
        client = TestClient(app)
        assert enter(client).status_code == 201
        while not (ballot := next_ballot(client))["done"]:
            for token in ballot["choices"]:
                looked[token] = looked.get(token) or look(client, token)
            told = [
                {**looked[token], "place": place} for place, token in enumerate(ballot["choices"])
            ]
            seen.append(Seen(told, tuple(method_of[t] for t in ballot["choices"])))
            client.post(
                "/api/rankings", json={"ballot": ballot["id"], "ranking": ballot["choices"]}
            )
    return seen


def numbers(value: Any) -> tuple[float, ...]:
    """What can be sorted by: the numbers in a text, or the text itself as one."""
    text = str(value)
    parts = re.findall(r"\d+", text)
    whole = float(int.from_bytes(text.encode()[:6], "big"))
    return (*map(float, parts), whole)


def ranks_by(one: Seen, name: str, part: int) -> list[int]:
    """The attempts of a ballot in the order of one thing that was told; all first if equal."""
    values = [dict(enumerate(numbers(told.get(name)))).get(part, 0.0) for told in one.told]
    if len(set(values)) == 1:
        return [0] * len(values)
    return np.argsort(np.argsort(values, kind="stable"), kind="stable").tolist()


def best_cheat(seen: list[Seen]) -> tuple[str, float]:
    """The statistics that did best on one half of the clips, and how well they do on the other.

    The cheater may know the truth of the first half: they may be the author of a method. The
    halves share no video, for a video that was seen is known.
    """
    clips: defaultdict[frozenset[str], list[Seen]] = defaultdict(list)
    for one in seen:
        clips[frozenset(told["name"] for told in one.told)].append(one)
    groups = list(clips.values())
    learned = [one for group in groups[: len(groups) // 2] for one in group]
    tried = [one for group in groups[len(groups) // 2 :] for one in group]
    best = ("", -1.0, -1.0)
    for name in sorted({name for one in seen for told in one.told for name in told}):
        for part in range(8):
            given = [
                (rank, method)
                for one in learned
                for rank, method in zip(ranks_by(one, name, part), one.truth, strict=True)
            ]
            means = {m: np.mean([rank for rank, method in given if method == m]) for m in METHODS}
            order = sorted(METHODS, key=means.__getitem__)
            first, second = (
                float(
                    np.mean(
                        [
                            order[rank] == method
                            for one in half
                            for rank, method in zip(
                                ranks_by(one, name, part), one.truth, strict=True
                            )
                        ]
                    )
                )
                for half in (learned, tried)
            )
            best = max(best, (f"{name} [{part}]", first, second), key=lambda rule: rule[1])
    return best[0], best[2]


@pytest.fixture(scope="module")
def many_clips(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Twelve clips, for statistics need some."""
    root = tmp_path_factory.mktemp("many")
    for folder in ("input", *METHODS):
        (root / folder).mkdir()
    for number in range(CLIPS):
        frames, masks = moving_scene(6, 64, 48)
        frames, masks = (np.roll(part, 5 * number, axis=2) for part in (frames, masks))
        write_video(root / "input" / f"{number}.mp4", frames, codec="libx264", fps=FPS)
        for strength, method in enumerate(METHODS):
            changed = frames.copy()
            changed[masks] = np.clip(
                changed[masks] + np.array([20 * strength, 0, -20 * strength]), 0, 255
            )
            write_video(root / method / f"{number}.mp4", changed, codec="libx264", fps=FPS)
    return root


@pytest.fixture
def aged_study(many_clips: Path, tmp_path: Path) -> Iterator[Running]:
    """A study whose files were written one after the other, as where methods take their time."""
    folder = tmp_path / "study"
    description, secrets = create_study(job_of(many_clips, folder, clips=CLIPS, seconds=0.1))
    with contextlib.closing(open_rows(folder, description, None)) as database:
        study = Running(folder, description, secrets, database, "")
        for number, method in enumerate(("input", *METHODS)):
            for token, own in study.methods().items():
                if own == method:
                    os.utime(folder / "videos" / f"{token}.mp4", (1.7e9 + 60 * number,) * 2)
        yield study


def test_nothing_that_is_told_of_a_video_differs_within_a_clip(aged_study: Running) -> None:
    stored = {path.stat().st_size for path in (aged_study.folder / "videos").iterdir()}
    assert len(stored) > 3  # the files themselves do differ
    for one in take_part(aged_study, 2):
        for told in one.told:
            same = {name: value for name, value in told.items() if name not in ("name", "place")}
            assert same == {name: one.told[0][name] for name in same}
            assert not any(
                word in str(sorted(told)).lower()
                for word in ("etag", "last-modified", "x-accel", "content-disposition")
            )


def test_the_composite_that_is_shown_is_no_shorter_than_the_attempts(aged_study: Running) -> None:
    client = TestClient(aged_study.application())
    enter(client)
    ballot = next_ballot(client)
    lengths = {
        client.head(f"/media/{t}.mp4").status_code for t in (ballot["input"], *ballot["choices"])
    }
    assert len(lengths) == 1
    counts = {
        len(client.get(f"/media/{t}.mp4").content) for t in (ballot["input"], *ballot["choices"])
    }
    assert len(counts) == 1


def test_a_cheater_with_statistics_does_no_better_than_chance(aged_study: Running) -> None:
    rule, share = best_cheat(take_part(aged_study, PEOPLE))
    # Guessing puts one attempt of four right, give or take one: so far off it is never.
    assert share < 0.25 + 4.0 * 0.25 / np.sqrt(CLIPS / 2), rule


def test_the_cheater_finds_a_leak_where_there_is_one(aged_study: Running) -> None:
    """The same statistics, on a server that tells a little too much."""
    method_of, app = aged_study.methods(), aged_study.application()

    @app.middleware("http")
    async def leak(request: Request, call_next: Callable[[Request], Any]) -> Response:
        answer: Response = await call_next(request)
        token = request.url.path.removeprefix("/media/").removesuffix(".mp4")
        if token in method_of:
            answer.headers["x-made"] = str(1000 + ("input", *METHODS).index(method_of[token]))
        return answer

    leaky = dataclasses.replace(aged_study)
    object.__setattr__(leaky, "application", lambda: app)
    rule, share = best_cheat(take_part(leaky, 4))
    assert share == 1.0
    assert "x-made" in rule


def test_orders_cannot_be_computed_from_seed_and_numbers(small_study: Running) -> None:
    """The cheater has the source: every generator that seed, ids and positions lead to is tried."""
    method_of, app = small_study.methods(), small_study.application()
    hits: defaultdict[tuple[Any, ...], int] = defaultdict(int)
    people, ballots = 40, 0
    for person in range(1, people + 1):
        client = TestClient(app)
        enter(client)
        truths = []
        while not (ballot := next_ballot(client))["done"]:
            truths.append([METHODS.index(method_of[token]) for token in ballot["choices"]])
            client.post(
                "/api/rankings", json={"ballot": ballot["id"], "ranking": ballot["choices"]}
            )
        ballots += len(truths)
        for entropy in (
            [5, person],
            [person, 5],
            [person],
            [5, person - 1],
            [0, person],
            person,
            [5, 0, person],
        ):
            for warm in (True, False):
                rng = np.random.default_rng(entropy)
                if warm:
                    rng.permutation(len(truths))
                for truth in truths:
                    hits[str(entropy).replace(str(person), "N"), warm] += (
                        rng.permutation(4).tolist() == truth
                    )
    chance, deviation = ballots / 24, np.sqrt(ballots / 24)
    assert max(hits.values()) < chance + 5 * deviation


def test_nothing_that_participants_are_given_counts_up(small_study: Running) -> None:
    app = small_study.application()
    ids = []
    for _ in range(6):
        client = TestClient(app)
        enter(client)
        ballot = next_ballot(client)
        ids.append(ballot["id"])
        assert not any(
            isinstance(value, int) and key not in ("position", "total", "frames")
            for key, value in ballot.items()
            if key != "done"
        )
    assert len(set(ids)) == 6
    assert all(len(one) >= 24 for one in ids)


def test_the_secret_leaves_the_database_by_no_page(small_study: Running) -> None:
    with small_study.database.reading() as session:
        secret = session.scalars(select(Study.secret)).one()
    assert len(secret) == 64
    texts = [path.read_text(errors="replace") for path in small_study.folder.glob("*.json")]
    app = small_study.application()
    client = TestClient(app)
    enter(client)
    bearer = {"authorization": f"Bearer {small_study.secrets.token}"}
    pages = (
        "/",
        "/rank",
        "/api/ballot",
        "/openapi.json",
        "/admin",
        "/admin/rankings.csv",
        "/admin/participants.csv",
    )
    texts += [client.get(page, headers=bearer).text for page in pages]
    assert not any(secret in text for text in texts)
