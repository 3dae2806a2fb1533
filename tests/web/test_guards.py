"""What stands before every page."""

from __future__ import annotations

from pathlib import Path

import pytest
from fastapi import FastAPI, Request
from starlette.testclient import TestClient

from vhmae.errors import InputError
from vhmae.web.admission import Admission
from vhmae.web.application import Site, make_application
from vhmae.web.guards import MOST_ADDRESSES, Buckets
from vhmae.web.secrets import Secrets, fingerprint
from vhmae.web.serving import listen


def make_client(folder: Path, rate: int = 0) -> TestClient:
    for name in ("templates", "static"):
        (folder / name).mkdir(exist_ok=True)
    (folder / "static" / "a.css").write_text("b {}")
    app, _ = make_application(
        folder, Site("A <b>title</b>", Secrets("secret", "token"), "test", rate)
    )
    add_echo(app)
    return TestClient(app)


def add_echo(app: FastAPI) -> None:
    @app.post("/api/echo")
    async def echo(request: Request) -> dict[str, int]:
        return {"bytes": len(await request.body())}


def test_every_answer_carries_the_headers(tmp_path: Path) -> None:
    client = make_client(tmp_path)
    for path in (
        "/healthz",
        "/nowhere",
        "/static/room/a.css",
        "/static/web/base.css",
        "/api/nowhere",
    ):
        headers = client.get(path).headers
        assert "default-src 'none'" in headers["content-security-policy"]
        assert headers["x-content-type-options"] == "nosniff"
        assert headers["x-frame-options"] == "DENY"
        assert headers["referrer-policy"] == "no-referrer"


def test_a_missing_page_says_so_in_words_and_a_missing_call_in_json(tmp_path: Path) -> None:
    client = make_client(tmp_path)
    page = client.get("/nowhere", headers={"accept": "text/html,*/*"})
    assert page.status_code == 404
    assert "A &lt;b&gt;title&lt;/b&gt;" in page.text
    assert client.get("/api/nowhere").json() == {"detail": "Not Found"}


def test_large_bodies_are_refused_whether_they_say_so_or_not(tmp_path: Path) -> None:
    client = make_client(tmp_path)
    assert client.post("/api/echo", content=b"x" * 60_000).json() == {"bytes": 60_000}
    assert client.post("/api/echo", content=b"x" * 70_000).status_code == 413
    assert (
        client.post("/api/echo", content=(b"x" * 10_000 for _ in range(7))).status_code == 413
    )  # chunked: no length is sent


def test_changes_asked_for_by_other_sites_are_refused(tmp_path: Path) -> None:
    client = make_client(tmp_path)
    assert client.post("/api/echo", headers={"origin": "https://evil.example"}).status_code == 403
    assert client.post("/api/echo", headers={"sec-fetch-site": "cross-site"}).status_code == 403
    assert client.post("/api/echo", headers={"origin": "http://testserver"}).status_code == 200
    # Hosts that look alike, at either end.
    for origin in (
        "http://evil-testserver",
        "http://testserver.evil",
        "http://evil.example/testserver",
        "http://testserver@evil.example",
    ):
        assert client.post("/api/echo", headers={"origin": origin}).status_code == 403


def test_whoever_asks_too_fast_is_told_to_wait(tmp_path: Path) -> None:
    client = make_client(tmp_path, rate=5)
    codes = [client.get("/healthz").status_code for _ in range(7)]
    assert codes == [200] * 5 + [429] * 2


def test_a_bucket_fills_again_and_forgets_those_unheard_of() -> None:
    now = 0.0
    buckets = Buckets(60, clock=lambda: now)
    assert [buckets.take("a") for _ in range(61)] == [True] * 60 + [False]
    now = 2.0
    assert [buckets.take("a") for _ in range(3)] == [True, True, False]
    for number in range(MOST_ADDRESSES + 5):
        buckets.take(str(number))
    assert len(buckets.left) == MOST_ADDRESSES


def test_a_flood_of_addresses_makes_room_for_the_newest_and_forgets_the_oldest() -> None:
    buckets = Buckets(1, clock=lambda: 0.0)
    for number in range(MOST_ADDRESSES + 5):
        assert buckets.take(str(number))
    assert not buckets.take(
        str(MOST_ADDRESSES + 4)
    )  # it is still known, and has had its one request
    assert not buckets.take("5")
    assert buckets.take("4")  # it was forgotten, so it begins anew


def test_static_files_end_at_their_folder(tmp_path: Path) -> None:
    (tmp_path / "secret.txt").write_text("secret")
    client = make_client(tmp_path)
    for path in ("../secret.txt", "%2e%2e/secret.txt", "..%2fsecret.txt", "/etc/passwd"):
        assert client.get(f"/static/room/{path}").status_code == 404


def test_a_secret_is_kept_as_what_cannot_be_read_back() -> None:
    assert fingerprint("a") != fingerprint("b")
    assert "token" not in Admission("token").fingerprint


def test_an_address_that_is_taken_is_told() -> None:
    with listen("127.0.0.1", 0) as bound, pytest.raises(InputError, match="choose another port"):
        listen("127.0.0.1", bound.getsockname()[1])
    with pytest.raises(InputError):
        listen("127.0.0.1", 70_000)
