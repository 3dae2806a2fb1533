"""Taking part, by the calls that the pages make; on SQLite and on PostgreSQL."""

from __future__ import annotations

import concurrent.futures
from typing import Any

import numpy as np
import pytest
from sqlalchemy import inspect, select
from starlette.testclient import TestClient

from tests.support.study import METHODS, Running, job_of
from tests.support.taking_part import ANSWERS, enter, next_ballot
from vhmae.study.ballots import Ballots, drawn_for
from vhmae.study.create import create_study
from vhmae.study.folder import open_rows
from vhmae.study.report import read_rankings
from vhmae.study.tables import Ballot, Base, Participant, Study


def test_a_participant_goes_through_all_clips(study: Running) -> None:
    method_of = study.methods()
    client = TestClient(study.application())
    assert enter(client).status_code == 201
    seen = []
    for position in range(3):
        ballot = next_ballot(client)
        assert (ballot["position"], ballot["total"], ballot["done"]) == (position, 3, False)
        assert method_of[ballot["input"]] == "input"
        assert sorted(method_of[token] for token in ballot["choices"]) == sorted(METHODS)
        ranking = sorted(ballot["choices"], key=lambda token: METHODS.index(method_of[token]))
        assert (
            client.post(
                "/api/rankings", json={"ballot": ballot["id"], "ranking": ranking}
            ).status_code
            == 201
        )
        seen.append(ballot["input"])
    assert client.get("/api/ballot").json() == {"done": True}
    assert len(set(seen)) == 3
    rankings = read_rankings(study.database, study.description)
    assert np.array_equal(rankings.ranks, [[1, 2, 3, 4]] * 3)
    assert (rankings.seconds >= 0).all()


def test_migrations_make_the_tables_that_the_code_means(study: Running) -> None:
    from alembic.autogenerate import compare_metadata
    from alembic.migration import MigrationContext

    with study.database.engine.connect() as connection:
        context = MigrationContext.configure(connection, opts={"version_table": "study_version"})
        assert compare_metadata(context, Base.metadata) == []
    assert "study_rank" in inspect(study.database.engine).get_table_names()


def test_a_ranking_counts_once_even_when_handed_in_by_many_windows_at_once(study: Running) -> None:
    client = TestClient(study.application())
    enter(client)
    ballot = next_ballot(client)
    orders = [np.random.default_rng(n).permutation(ballot["choices"]).tolist() for n in range(8)]
    with concurrent.futures.ThreadPoolExecutor(8) as pool:
        codes = list(
            pool.map(
                lambda o: (
                    client.post(
                        "/api/rankings", json={"ballot": ballot["id"], "ranking": o}
                    ).status_code
                ),
                orders,
            )
        )
    assert sorted(codes) == [201] + [409] * 7
    first = orders[codes.index(201)]
    method_of = study.methods()
    kept = read_rankings(study.database, study.description)
    assert [kept.methods[index] for index in np.argsort(kept.ranks[0])] == [
        method_of[token] for token in first
    ]


def test_an_incomplete_ranking_is_refused_and_nothing_is_kept(study: Running) -> None:
    client = TestClient(study.application())
    enter(client)
    ballot = next_ballot(client)
    good = ballot["choices"]
    for wrong in (
        good[:3],
        [*good, good[0]],
        [good[0]] * 4,
        [*good[:3], ballot["input"]],
        [*good[:3], "x' OR 1=1 --"],
    ):
        assert (
            client.post(
                "/api/rankings", json={"ballot": ballot["id"], "ranking": wrong}
            ).status_code
            == 422
        )
    for odd in (
        {"ballot": ballot["id"]},
        {"ballot": 1, "ranking": good},
        {"ballot": ballot["id"], "ranking": good, "x": 1},
    ):
        assert client.post("/api/rankings", json=odd).status_code == 422
    assert len(read_rankings(study.database, study.description).ranks) == 0
    assert client.get("/api/ballot").json()["id"] == ballot["id"]


def test_a_clip_that_was_not_played_cannot_be_ranked(study: Running) -> None:
    client = TestClient(study.application())
    enter(client)
    ballot = client.get("/api/ballot").json()
    body = {"ballot": ballot["id"], "ranking": ballot["choices"]}
    assert client.post("/api/rankings", json=body).status_code == 422
    assert client.post("/api/playing", json={"ballot": ballot["id"]}).status_code == 204
    assert client.post("/api/rankings", json=body).status_code == 201


def test_the_time_that_people_take_counts_from_the_first_play(
    small_study: Running, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = iter([1_000, 5_000, 31_000])  # when the person enters, and then looks, once or twice
    monkeypatch.setattr("vhmae.study.ballots.now_ms", lambda: next(clock))
    ballots = Ballots(small_study.database, small_study.description.id)
    person = ballots.find(ballots.enter(ANSWERS))
    assert person is not None
    ballot = ballots.next(person)
    assert ballot is not None
    ballots.playing(person, ballot.id)
    ballots.playing(person, ballot.id)  # looks twice
    with small_study.database.reading() as session:
        seen = session.scalars(select(Ballot).where(Ballot.token == ballot.id)).one()
        assert seen.shown_ms == 5_000


def test_progress_counts_people_what_is_handed_in_and_all_ballots(small_study: Running) -> None:
    ballots = Ballots(small_study.database, small_study.description.id)
    assert ballots.progress() == (0, 0, 0)
    client = TestClient(small_study.application())
    enter(client)
    ballot = next_ballot(client)
    client.post("/api/rankings", json={"ballot": ballot["id"], "ranking": ballot["choices"]})
    next_ballot(client)  # looked at, not handed in
    assert ballots.progress() == (1, 1, 3)
    enter(TestClient(small_study.application()))
    assert ballots.progress() == (2, 1, 6)


def test_another_person_takes_part_on_the_same_device(study: Running) -> None:
    client = TestClient(study.application())
    enter(client)
    assert client.post("/api/leave").status_code == 204
    assert client.get("/api/ballot").status_code == 401
    assert "I have read this" in client.get("/").text
    assert enter(client).status_code == 201


def test_two_sites_on_one_host_leave_each_others_people_in(
    study: Running, material: Any, tmp_path: Any
) -> None:
    description, secrets = create_study(job_of(material, tmp_path / "other"))
    other = Running(
        tmp_path / "other",
        description,
        secrets,
        open_rows(tmp_path / "other", description, None),
        "",
    )
    client = TestClient(study.application())
    enter(client)
    elsewhere = TestClient(other.application(), cookies=client.cookies)
    enter(elsewhere)
    again = TestClient(study.application(), cookies=elsewhere.cookies)
    assert again.get("/api/ballot").status_code == 200
    other.database.close()


def test_nobody_ranks_for_somebody_else(study: Running) -> None:
    app = study.application()
    one, other, nobody = TestClient(app), TestClient(app), TestClient(app)
    enter(one), enter(other)
    ballot = next_ballot(one)
    body = {"ballot": ballot["id"], "ranking": ballot["choices"]}
    assert other.post("/api/rankings", json=body).status_code == 404
    assert nobody.post("/api/rankings", json=body).status_code == 401
    assert nobody.get("/api/ballot").status_code == 401
    assert one.post("/api/rankings", json=body).status_code == 201


def test_the_personal_link_goes_on_elsewhere(study: Running) -> None:
    app = study.application()
    client = TestClient(app)
    link = enter(client).json()["link"]
    ballot = next_ballot(client)
    client.post("/api/rankings", json={"ballot": ballot["id"], "ranking": ballot["choices"]})
    elsewhere = TestClient(app)
    page = elsewhere.get(link)
    assert page.url.path == "/rank"
    assert link in page.text
    assert elsewhere.get("/api/ballot").json()["position"] == 1
    assert elsewhere.get(link[:-1] + ("a" if link[-1] != "a" else "b")).status_code == 404


def test_consent_and_the_organizers_questions_are_needed(study: Running) -> None:
    client = TestClient(study.application())
    wrong: list[dict[str, Any]] = [
        {"consent": False},
        {"answers": {}},
        {"answers": {**ANSWERS, "Name": "x"}},
        {"answers": {**ANSWERS, "Screen": "wall"}},
        {"answers": {**ANSWERS, "Years": " "}},
        {"answers": {**ANSWERS, "Years": "x" * 201}},
        {"answers": {**ANSWERS, "Years": "\0"}},
    ]
    for changes in wrong:
        assert enter(client, **changes).status_code == 422
    with study.database.reading() as session:
        assert session.scalars(select(Participant)).all() == []


def test_orders_are_shuffled_for_each_person_and_clip_by_the_studys_secret(study: Running) -> None:
    app = study.application()
    for _ in range(12):
        enter(TestClient(app))
    with study.database.reading() as session:
        ballots = session.scalars(select(Ballot)).all()
        number_of = {
            person: n
            for n, person in enumerate(sorted({ballot.participant_id for ballot in ballots}))
        }
        assert len(number_of) == 12
        assert (
            len(
                {
                    tuple(ballot.stimulus_order)
                    for ballot in ballots
                    if ballot.clip_id == ballots[0].clip_id
                }
            )
            > 5
        )
        assert (
            len(
                {
                    tuple(b.clip_id for b in ballots if b.participant_id == person)
                    for person in number_of
                }
            )
            > 2
        )
        # The stored order is the one that secret and number give.
        secret = session.scalars(select(Study.secret)).one()
        person = ballots[0].participant_id
        clips = sorted({ballot.clip_id for ballot in ballots})
        drawn = drawn_for(secret, person).permutation(len(clips))
        assert [b.clip_id for b in ballots if b.participant_id == person] == [
            clips[place] for place in drawn
        ]


def test_only_the_cookie_of_the_session_is_set_and_nothing_personal_is_kept(study: Running) -> None:
    client = TestClient(study.application())
    answer = enter(client)
    client.get("/rank")
    assert list(client.cookies.keys()) == [f"session-{study.description.id[:12]}"]
    cookie = answer.headers["set-cookie"].lower()
    assert "httponly" in cookie
    assert "samesite=lax" in cookie
    assert {column.name for column in Participant.__table__.columns} == {
        "id",
        "study_id",
        "key_fingerprint",
        "answers",
        "consented_ms",
    }
    with study.database.reading() as session:
        kept = session.scalars(select(Participant)).one()
        assert kept.answers == ANSWERS
        assert kept.key_fingerprint not in answer.text


def test_videos_are_for_participants_and_can_be_sought_in(study: Running) -> None:
    app = study.application()
    client = TestClient(app)
    token = next(iter(study.methods()))
    assert client.get(f"/media/{token}.mp4").status_code == 401
    enter(client)
    whole = client.get(f"/media/{token}.mp4")
    assert (whole.status_code, whole.headers["content-type"]) == (200, "video/mp4")
    part = client.get(f"/media/{token}.mp4", headers={"range": "bytes=10-19"})
    assert (part.status_code, part.content) == (206, whole.content[10:20])


def test_two_studies_share_a_database_and_keep_apart(
    study: Running, material: Any, tmp_path: Any
) -> None:
    if not study.url:
        pytest.skip("needs a database by address")
    description, secrets = create_study(job_of(material, tmp_path / "other", database=study.url))
    other = Running(
        tmp_path / "other",
        description,
        secrets,
        open_rows(tmp_path / "other", description, study.url),
        study.url,
    )
    client, elsewhere = TestClient(study.application()), TestClient(other.application())
    link = enter(client).json()["link"]
    assert elsewhere.get(link).status_code == 404
    ballot = next_ballot(client)
    client.post("/api/rankings", json={"ballot": ballot["id"], "ranking": ballot["choices"]})
    assert len(read_rankings(other.database, description).ranks) == 0
    enter(elsewhere)
    assert elsewhere.get(f"/media/{ballot['input']}.mp4").status_code == 404
    other.database.engine.dispose()
