"""Pages below a path of somebody else's server, whether the proxy takes it away or leaves it in."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from playwright.sync_api import Browser, expect
from starlette.testclient import TestClient

from tests.support.browser import chromium
from tests.support.server import served
from tests.support.study import Running, brief_study, material
from vhmae.cli import main
from vhmae.errors import InputError
from vhmae.rcvh.decisions import Review
from vhmae.rcvh.pages import make_review_application
from vhmae.web.application import Site
from vhmae.web.job import BELOW
from vhmae.web.secrets import new_secrets

__all__ = ["brief_study", "chromium", "material"]


@pytest.mark.parametrize("stripped", [False, True])
def test_a_study_is_taken_part_in_below_a_prefix(brief_study: Running, stripped: bool) -> None:
    app = brief_study.application(prefix="/a/study")
    browser = TestClient(app, base_url="http://lab.example", follow_redirects=False)
    sent = "" if stripped else "/a/study"

    page = browser.get(f"{sent}/")
    assert page.status_code == 200
    for asset in re.findall(r'(?:src|href)="(/[^"]+)"', page.text):
        assert asset.startswith("/a/study/static/")
        assert browser.get(asset.removeprefix("/a/study") if stripped else asset).status_code == 200
    body = {"consent": True, "answers": {"Screen": "phone", "Years": "3"}}
    entered = browser.post(f"{sent}/api/participants", json=body)
    assert entered.json()["link"].startswith("http://lab.example/a/study/p/")
    assert "path=/a/study;" in entered.headers["set-cookie"].lower()
    browser.cookies.set(*next((c.name, c.value or "") for c in browser.cookies.jar), path="/")
    assert browser.get(f"{sent}/").headers["location"] == "/a/study/rank"
    ballot = browser.get(f"{sent}/api/ballot").json()
    assert browser.get(f"{sent}/media/{ballot['input']}.mp4").status_code == 200
    missing = browser.get(f"{sent}/nowhere", headers={"accept": "text/html"})
    assert 'href="/a/study/"' in missing.text


def test_a_review_works_below_a_prefix(made: Path) -> None:
    review = Review(made)
    client = TestClient(make_review_application(review, prefix="/r"))
    body = {"name": "Ann", "token": review.secrets.token}
    assert 'data-next="/r/"' in client.get("/r").text
    assert client.post("/r/api/admin/session", json=body).status_code == 204
    assert len(client.get("/r/api/composites").json()) == 4
    assert client.get("/r/media/00000.mp4").status_code == 200
    assert client.get("/r/healthz").json() == {"status": "ok"}
    review.database.close()


def test_behind_a_proxy_that_names_another_host_the_browsers_word_counts(
    brief_study: Running,
) -> None:
    client = TestClient(brief_study.application())
    asked = {"origin": "https://lab.example", "host": "127.0.0.1:8000"}
    assert client.post("/api/leave", headers=asked).status_code == 403
    assert (
        client.post("/api/leave", headers={**asked, "sec-fetch-site": "same-origin"}).status_code
        == 204
    )
    for site in ("cross-site", "same-site"):
        assert (
            client.post("/api/leave", headers={**asked, "sec-fetch-site": site}).status_code == 403
        )
        assert client.post("/api/leave", headers={"sec-fetch-site": site}).status_code == 403


@pytest.mark.parametrize(
    "wrong",
    [
        "study",
        "/",
        "/a//b",
        "/a b",
        "/..",
        "/a/../b",
        '/"',
        "/api",
        "/static/x",
        "/%41",
        "/é",
        "/a\n",
    ],
)
def test_a_prefix_that_is_none_is_refused(wrong: str) -> None:
    with pytest.raises(InputError, match="`prefix`"):
        Site("t", new_secrets(), "n", prefix=wrong)


def test_a_prefix_is_written_with_or_without_its_ends() -> None:
    assert [BELOW.read(text) for text in ("study", "/study", "study/", "/a/b/", "", "/")] == [
        "/study",
        "/study",
        "/study",
        "/a/b",
        "",
        "",
    ]


def test_a_wrong_prefix_gets_one_line(
    brief_study: Running, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["study", "serve", str(brief_study.folder), "--prefix", "/media"]) == 2
    assert "--prefix /media" in capsys.readouterr().err


def test_the_pages_work_below_a_prefix_in_the_browser(
    chromium: Browser, brief_study: Running
) -> None:
    with served("study", "serve", str(brief_study.folder), "--prefix", "/a/study") as (url, _):
        assert url.endswith("/a/study")
        page = chromium.new_page()
        page.goto(url)
        page.get_by_label("Screen").select_option("phone")
        page.get_by_label("Years").fill("3")
        page.get_by_label("I have read this").check()
        page.get_by_role("button", name="Begin").click()
        expect(page.locator("#stage")).to_have_attribute(
            "data-ready", re.compile(".+"), timeout=30_000
        )
        assert page.url == f"{url}/rank"
        for key in "abcd":
            page.keyboard.press(key)
        page.get_by_role("button", name="Hand in").click()
        expect(page.locator("#progress")).to_have_text("Clip 2 of 2")
        page.close()
