"""Who may use the app: this machine alone, or whoever has the token; and its own page alone may
change anything."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from starlette.testclient import TestClient

import vhmae
from tests.app.page import Page, app_of
from tests.support.commands import error_of
from vhmae.app.site import App

CHANGES = (
    ("POST", "projects"),
    ("DELETE", "projects/x"),
    ("PUT", "projects/x/document"),
    ("POST", "projects/x/guide"),
    ("POST", "projects/x/takes"),
    ("POST", "projects/x/look"),
    ("POST", "projects/x/renders"),
    ("POST", "projects/x/command"),
    ("POST", "renders/x/cancel"),
    ("POST", "renders/x/resume"),
    ("DELETE", "renders/x"),
    ("POST", "uploads"),
    ("PUT", "uploads/x?offset=0"),
    ("DELETE", "uploads/x"),
    ("POST", "files/find"),
)
LOOKS = (
    "files",
    "files/glance?path=clip.mkv",
    "options",
    "renders",
    "renders/x/files/0",
    "events",
    "prior?project=x",
    "projects",
    "projects/x",
    "projects/x/glance",
    "projects/x/path?of=clip.mkv",
    "projects/x/frames?first=0&count=2",
    "projects/x/frames/0",
    "projects/x/frames/0/matte",
    "projects/x/frames/0/pixel?x=0&y=0",
    "projects/x/layers/foreground/frames/0",
    "projects/x/rendered/0",
    "projects/x/maps",
    "projects/x/colors",
)


@pytest.fixture(scope="module")
def remote(folder: Path, bold_weights: Path) -> Iterator[App]:
    app = app_of(folder, bold_weights, remote=True, token="right-token")
    try:
        yield app
    finally:
        app.close()


def stranger(app: App, host: str = "far.example") -> TestClient:
    return TestClient(app.application, base_url=f"http://{host}")


def test_every_call_of_the_application_is_asked_here(page: Page) -> None:
    known = {(way, path.partition("?")[0]) for way, path in CHANGES}
    known |= {("GET", path.partition("?")[0]) for path in LOOKS}
    free = {("GET", "session"), ("POST", "session"), ("GET", "catalogue/en")}
    schema = page.client.get("/openapi.json").json()["paths"]
    shapes = {(way, _shape(path)) for way, path in known | free}
    for path, ways in schema.items():
        for way in ways:
            assert (way.upper(), _shape(path.removeprefix("/api/"))) in shapes, (way, path)


def _shape(path: str) -> str:
    parts = path.split("/")
    fixed = {"api", "projects", "files", "glance", "options", "renders", "events", "prior", "path"}
    fixed |= {"frames", "matte", "pixel", "layers", "rendered", "maps", "document", "guide"}
    fixed |= {
        "takes",
        "look",
        "colors",
        "command",
        "cancel",
        "resume",
        "uploads",
        "find",
        "session",
    }
    fixed |= {"catalogue"}
    return "/".join(part if part in fixed else "*" for part in parts)


@pytest.mark.parametrize(("way", "path"), CHANGES)
def test_a_change_needs_the_token_of_the_page(way: str, path: str, page: Page) -> None:
    for headers in ({}, {"x-csrf-token": "wrong"}):
        answer = page.client.request(way, f"/api/{path}", headers=headers, json={})
        assert (answer.status_code, answer.json()["key"]) == (403, "server.csrf")
    evil = {"x-csrf-token": page.csrf, "origin": "http://evil.example"}
    answer = page.client.request(way, f"/api/{path}", headers=evil, json={})
    assert answer.status_code == 403
    answer = page.send(way, path, {})
    assert answer.status_code != 403


@pytest.mark.parametrize(("way", "path"), [*CHANGES, *(("GET", path) for path in LOOKS)])
def test_strangers_are_let_into_nothing(way: str, path: str, remote: App) -> None:
    client = stranger(remote)
    headers = {"x-csrf-token": client.get("/api/session").json()["csrf"]}
    answer = client.request(way, f"/api/{path}", headers=headers)
    assert (answer.status_code, answer.json()["key"]) == (401, "server.sign-in")


def test_strangers_are_told_nothing_of_the_folder(remote: App) -> None:
    told = stranger(remote).get("/api/session").json()
    assert set(told) == {"version", "csrf", "remote", "signed_in", "language"}
    assert told["signed_in"] is False


def test_the_token_lets_in_by_the_address_and_by_a_call(remote: App) -> None:
    by_address = stranger(remote)
    assert by_address.get("/?token=right-token").status_code == 200
    assert by_address.get("/api/files").status_code == 200
    by_call = stranger(remote)
    headers = {"x-csrf-token": by_call.get("/api/session").json()["csrf"]}
    wrong = by_call.post("/api/session", json={"token": "wrong"}, headers=headers)
    assert (wrong.status_code, wrong.json()["key"]) == (401, "server.wrong-token")
    assert by_call.get("/api/files").status_code == 401
    right = by_call.post("/api/session", json={"token": "right-token"}, headers=headers)
    assert right.status_code == 204
    assert by_call.get("/api/files").status_code == 200
    program = stranger(remote)
    bearer = {"authorization": "Bearer right-token"}
    assert program.get("/api/files", headers=bearer).status_code == 200


def test_tokens_cannot_be_guessed_at_will(remote: App) -> None:
    client = stranger(remote)
    answers = [client.get(f"/?token=guess{number}").status_code for number in range(25)]
    assert 429 in answers
    assert client.get("/api/files").status_code == 401


def test_another_name_for_this_machine_is_refused(page: Page) -> None:
    for host in ("evil.example", "evil.example:8765", "127.0.0.1.evil.example"):
        answer = page.client.get("/api/files", headers={"host": host})
        assert (answer.status_code, answer.json()["key"]) == (403, "server.host")
    for host in ("localhost:8765", "127.0.0.1", "[::1]:99"):
        assert page.client.get("/api/files", headers={"host": host}).status_code == 200


def test_the_page_stands_below_a_prefix(folder: Path, bold_weights: Path) -> None:
    app = app_of(folder, bold_weights, prefix="/look")
    try:
        page = Page(app)
        assert page.get("files").status_code == 200
        assert page.client.get("/look/").status_code == 200
        assert page.client.get("/api/files").status_code == 200  # a proxy took the prefix away
        bare = page.client.get("/look", follow_redirects=False)
        assert (bare.status_code, bare.headers["location"]) == (307, "/look/")
        assert page.client.post("/look/api/uploads", json={}).status_code == 403
    finally:
        app.close()


def test_the_page_comes_with_guards(page: Page) -> None:
    answer = page.client.get("/")
    assert answer.status_code == 200
    policy = answer.headers["content-security-policy"]
    assert "script-src 'self';" in policy
    assert "img-src 'self' data: blob:" in policy
    assert "unsafe" not in policy
    assert answer.headers["x-frame-options"] == "DENY"


def test_the_language_is_that_of_the_browser(page: Page) -> None:
    for accepted, language in (
        ("de-AT,de;q=0.9,en;q=0.5", "de"),
        ("fr,en;q=0.2,de;q=0.7", "de"),
        ("fr", "en"),
        ("", "en"),
        ("x;q=nan,;;,", "en"),
    ):
        told = page.get("session", headers={"accept-language": accepted}).json()
        assert told["language"] == language


def test_both_catalogues_have_the_same_keys_and_places(page: Page) -> None:
    import re

    from vhmae.app.refusals import SENTENCES

    english, german = (page.get(f"catalogue/{name}").json() for name in ("en", "de"))
    assert english.keys() == german.keys() >= SENTENCES.keys()
    for key, text in english.items():
        assert set(re.findall(r"{\w+}", text)) == set(re.findall(r"{\w+}", german[key])), key
    for key, (_, sentence) in SENTENCES.items():
        assert english[key] == sentence
    package = Path(vhmae.__file__).parent
    code = "".join(path.read_text() for path in package.glob("**/*.py"))
    own = json.loads((package / "app" / "catalogue" / "server.en.json").read_text())
    for key in own:  # in the table of refusals, and where it is told
        word = key.removeprefix("take.").replace("-", " ")
        assert code.count(f'"{key}"') > (key in SENTENCES) or f'"{word}"' in code, key
    assert page.get("catalogue/xx").status_code == 404
    assert page.get("catalogue/..%2Fen").status_code == 404


def test_other_machines_need_a_token(capsys: pytest.CaptureFixture[str]) -> None:
    told = error_of("app", "--host", "0.0.0.0", capsys=capsys)
    assert "--remote" in told


def test_a_folder_that_is_none_is_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    told = error_of("app", tmp_path / "none", "--port", "0", "--no-browser", capsys=capsys)
    assert "is no folder" in told
