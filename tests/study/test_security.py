"""What people try who do not mean well."""

from __future__ import annotations

import base64
import json
from pathlib import Path
from typing import Any

import itsdangerous
import pytest
from hypothesis import given, settings
from starlette.testclient import TestClient

from tests.support.study import Running, job_of
from tests.support.taking_part import enter, next_ballot
from vhmae.study.create import create_study
from vhmae.study.folder import open_rows
from vhmae.study.job import Question

NASTY = (
    "<script>alert(1)</script>",
    "'; DROP TABLE study_rank; --",
    '"><img src=x onerror=alert(1)>',
    "{{ 7*7 }}",
    "../../etc/passwd",
    "%00",
)


def signed(data: dict[str, object], key: str) -> str:
    return (
        itsdangerous.TimestampSigner(key).sign(base64.b64encode(json.dumps(data).encode())).decode()
    )


def test_forged_sessions_are_nobodys(small_study: Running) -> None:
    app = small_study.application()
    genuine = TestClient(app)
    key = enter(genuine).json()["link"].rpartition("/")[2]
    (name,) = genuine.cookies
    for cookie in (
        signed({"participant": key}, "another secret"),
        signed({"admin": "0" * 64}, small_study.secrets.session_key),
        base64.b64encode(json.dumps({"participant": key}).encode()).decode(),
        genuine.cookies[name][:-3] + "abc",
        "rubbish",
    ):
        forger = TestClient(app, cookies={name: cookie})
        assert forger.get("/api/ballot").status_code == 401
        assert forger.get("/admin").status_code == 401
        assert forger.get("/admin/rankings.csv").status_code == 401
    oddities: list[dict[str, object]] = [{"participant": ["x"]}, {"participant": 1}]
    oddities += [{"admin": 7}, {"admin": None}]
    for odd in oddities:
        strange = TestClient(app, cookies={name: signed(odd, small_study.secrets.session_key)})
        assert strange.get("/api/ballot").status_code == 401
        assert strange.get("/admin").status_code == 401


def test_the_organizers_pages_need_the_token(small_study: Running) -> None:
    app = small_study.application()
    client = TestClient(app)
    token = small_study.secrets.token
    assert client.get("/admin").status_code == 401
    assert client.get("/admin?token=wrong").status_code == 401
    assert client.post("/api/admin/session", json={"token": "wrong"}).status_code == 401
    assert (
        client.get("/admin/rankings.csv", headers={"authorization": "Bearer wrong"}).status_code
        == 401
    )
    assert (
        client.get("/admin/rankings.csv", headers={"authorization": f"Bearer {token}"}).status_code
        == 200
    )
    by_form, by_address = TestClient(app), TestClient(app)
    assert by_form.post("/api/admin/session", json={"token": token}).status_code == 204
    assert "Participants" in by_form.get("/admin").text
    page = by_address.get(f"/admin?token={token}")
    assert page.status_code == 200
    assert "token" not in str(page.url)


def test_tokens_cannot_be_guessed_by_trying(small_study: Running) -> None:
    client = TestClient(small_study.application())
    codes = [
        client.post("/api/admin/session", json={"token": str(number)}).status_code
        for number in range(25)
    ]
    assert codes[:20] == [401] * 20
    assert set(codes[20:]) == {429}


def test_the_right_token_is_never_too_often(small_study: Running) -> None:
    client = TestClient(small_study.application())
    bearer = {"authorization": f"Bearer {small_study.secrets.token}"}
    codes = {
        TestClient(client.app).get("/admin/participants.csv", headers=bearer).status_code
        for _ in range(25)
    }
    assert codes == {200}


def test_an_origin_that_is_no_address_is_foreign(small_study: Running) -> None:
    client = TestClient(small_study.application())
    assert client.post("/api/leave", headers={"origin": "http://["}).status_code == 403


@pytest.mark.parametrize(
    "path",
    [
        "/media/../secrets.json",
        "/media/..%2fsecrets.json.mp4",
        "/media/%2e%2e/study.db",
        "/media/study.mp4",
        "/media/.mp4",
        "/media/%00.mp4",
        "/static/room/../folder.py",
        "/static/room/..%2f..%2fstudy%2fpages.py",
        "/p/../admin",
        "/secrets.json",
        "/study.db",
    ],
)
def test_no_path_leaves_the_study(small_study: Running, path: str) -> None:
    client = TestClient(small_study.application())
    enter(client)
    answer = client.get(path)
    assert answer.status_code in (401, 404)
    assert small_study.secrets.session_key not in answer.text


def test_markup_and_queries_in_every_field_are_text(material: Path, tmp_path: Path) -> None:
    for number, nasty in enumerate(NASTY):
        folder = tmp_path / str(number)
        job = job_of(
            material,
            folder,
            title=nasty,
            consent=nasty,
            questions=(Question(label=nasty), Question(label="b", choices=(nasty,))),
        )
        description, secrets = create_study(job)
        database = open_rows(folder, description, None)
        study = Running(folder, description, secrets, database, "")
        client = TestClient(study.application())
        page = client.get("/").text
        assert "<script>alert" not in page
        assert "<img src=x" not in page
        assert ">49<" not in page
        assert enter(client, answers={nasty: nasty, "b": nasty}).status_code == 201
        for call in (f"/p/{nasty}", f"/media/{nasty}.mp4", f"/{nasty}"):
            answer = client.get(call, headers={"accept": "text/html"})
            assert answer.status_code == 404
            assert "<script>alert" not in answer.text
        ballot = next_ballot(client)
        assert (
            client.post(
                "/api/rankings", json={"ballot": ballot["id"], "ranking": [nasty] * 4}
            ).status_code
            == 422
        )
        assert (
            client.post(
                "/api/rankings", json={"ballot": ballot["id"], "ranking": ballot["choices"]}
            ).status_code
            == 201
        )
        admin = client.get("/admin", headers={"authorization": f"Bearer {secrets.token}"}).text
        assert "<script>alert" not in admin
        database.engine.dispose()


def test_oversized_bodies_are_refused(small_study: Running) -> None:
    client = TestClient(small_study.application())
    enter(client)
    assert (
        client.post(
            "/api/rankings", json={"ballot": "a", "ranking": ["x" * 199] * 1000}
        ).status_code
        == 413
    )
    assert (
        client.post("/api/participants", content=(b"{" * 9000 for _ in range(9))).status_code == 413
    )
    assert (
        client.post("/api/rankings", json={"ballot": "a", "ranking": ["x"] * 51}).status_code == 422
    )
    assert (
        client.post("/api/rankings", json={"ballot": "a" * 201, "ranking": ["x"]}).status_code
        == 422
    )


def test_every_call_keeps_to_its_schema(small_study: Running) -> None:
    # Seconds to import, which each of several processes would spend while it collects.
    import schemathesis
    from schemathesis.core.result import Ok
    from schemathesis.specs.openapi.checks import positive_data_acceptance

    app = small_study.application()
    client = TestClient(app)
    enter(client)
    session = dict(client.cookies)
    schema = schemathesis.openapi.from_asgi("/openapi.json", app)
    calls = 0
    for found in schema.get_all_operations():
        assert isinstance(found, Ok), found
        operation = found.ok()

        @settings(max_examples=25, deadline=None, database=None)
        @given(case=operation.as_strategy())
        def check(case: schemathesis.Case[Any]) -> None:
            nonlocal calls
            calls += 1
            # What the schema cannot say, that a token belongs to the ballot, is refused too.
            case.call_and_validate(cookies=session, excluded_checks=[positive_data_acceptance])

        check()
    assert calls > 60
    assert client.get("/api/ballot").json()["position"] == 0
