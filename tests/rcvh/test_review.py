"""Reviewing a set: by calls on both databases, and in headless Chromium."""

from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from playwright.sync_api import Browser, expect
from starlette.testclient import TestClient

from tests.support.browser import chromium, violations
from tests.support.review import RATIOS
from tests.support.server import served
from vhmae.cli import main
from vhmae.data.hyoutube import read_list
from vhmae.rcvh.decisions import SECRETS, Review, verdict
from vhmae.rcvh.manifest import read_manifest
from vhmae.rcvh.pages import make_review_application
from vhmae.rcvh.tables import Base
from vhmae.web.database import Database
from vhmae.web.secrets import open_secrets

__all__ = ["chromium"]


def reviewer(review: Review, name: str) -> TestClient:
    client = TestClient(make_review_application(review))
    assert (
        client.post(
            "/api/admin/session", json={"name": name, "token": review.secrets.token}
        ).status_code
        == 204
    )
    return client


def test_several_reviewers_decide_and_the_majority_goes_into_the_manifest(review: Review) -> None:
    votes = {
        "Ann": ("keep", "reject", "keep", None),
        "Bo": ("keep", "reject", "reject", None),
        "Cy": ("keep", "keep", None, None),
    }
    for name, said in votes.items():
        client = reviewer(review, name)
        for number, decision in enumerate(said):
            if decision:
                assert (
                    client.post(
                        "/api/decisions", json={"name": f"{number:05d}", "decision": decision}
                    ).status_code
                    == 204
                )
        mine = [
            {True: "keep", False: "reject", None: None}[item["mine"]]
            for item in client.get("/api/composites").json()
        ]
        assert mine == list(said)
    assert reviewer(review, "Ann").post("/api/export").json() == {
        "keep": 1,
        "reject": 1,
        "undecided": 2,
    }
    lines = read_manifest(review.folder)
    assert [line["review"]["verdict"] for line in lines] == [
        "keep",
        "reject",
        "undecided",
        "undecided",
    ]
    assert lines[0]["review"] == {"keep": 3, "reject": 0, "verdict": "keep"}
    assert lines[0]["foreground_ratio"] == RATIOS[0]
    assert [sample.video for sample in read_list(review.folder)] == ["00000", "00002", "00003"]


def test_the_last_word_counts_and_can_be_taken_back(review: Review) -> None:
    client = reviewer(review, "Ann")
    for decision in ("keep", "reject"):
        client.post("/api/decisions", json={"name": "00001", "decision": decision})
    assert [(item.keeps, item.rejects) for item in review.items("Ann")][1] == (0, 1)
    client.post("/api/decisions", json={"name": "00001", "decision": None})
    assert review.items("Ann")[1].mine is None


def test_migrations_make_the_tables_that_the_code_means(review: Review) -> None:
    from alembic.autogenerate import compare_metadata
    from alembic.migration import MigrationContext

    with review.database.engine.connect() as connection:
        context = MigrationContext.configure(connection, opts={"version_table": "rcvh_version"})
        assert compare_metadata(context, Base.metadata) == []


def test_nobody_sees_or_decides_anything_without_the_token(review: Review) -> None:
    client = TestClient(make_review_application(review))
    assert (
        client.post("/api/admin/session", json={"name": "Eve", "token": "wrong"}).status_code == 401
    )
    assert client.get("/media/00000.mp4").status_code == 401
    assert client.get("/api/composites").status_code == 401
    assert (
        client.post("/api/decisions", json={"name": "00000", "decision": "keep"}).status_code == 401
    )
    assert client.post("/api/export").status_code == 401
    inside = reviewer(review, "<script>alert(1)</script>")
    assert "<script>alert" not in inside.get("/").text
    for path in ("/media/../manifest.mp4", "/media/..%2freview.db.mp4", "/media/manifest.mp4"):
        assert inside.get(path).status_code == 404
    assert (
        inside.post(
            "/api/decisions", json={"name": "'; DROP TABLE review_decision; --", "decision": "keep"}
        ).status_code
        == 404
    )
    assert (
        inside.post("/api/decisions", json={"name": "00000", "decision": "burn"}).status_code == 422
    )
    assert inside.get("/media/00000.mp4", headers={"range": "bytes=0-9"}).status_code == 206


def test_verdicts() -> None:
    assert [verdict(*votes) for votes in ((0, 0), (1, 0), (0, 1), (2, 2), (3, 2))] == [
        "undecided",
        "keep",
        "reject",
        "undecided",
        "keep",
    ]


@pytest.mark.parametrize(
    "viewport",
    [{"width": 1280, "height": 860}, {"width": 390, "height": 844}],
    ids=["wide", "narrow"],
)
def test_a_review_by_keys_in_the_browser(
    chromium: Browser, made: Path, viewport: dict[str, int]
) -> None:
    with served("rcvh", "review", str(made)) as (url, _):
        page = chromium.new_page(viewport=viewport)  # type: ignore[arg-type]
        page.goto(url)
        assert violations(page) == []
        page.get_by_label("Your name").fill("Ann")
        page.get_by_label("Token").fill(
            json.loads((made / "review-secrets.json").read_text())["token"]
        )
        page.get_by_role("button", name="Sign in").click()
        name, progress = page.locator("#name"), page.locator("#progress")
        expect(name).to_have_text("00000")
        page.keyboard.press("k")
        expect(name).to_have_text("00001")
        page.keyboard.press("r")
        expect(progress).to_have_text("2 of 4 decided")
        page.keyboard.press("u")
        expect(name).to_have_text("00001")
        expect(progress).to_have_text("1 of 4 decided")
        page.keyboard.press("ArrowRight")
        expect(name).to_have_text("00002")
        page.get_by_label("Foreground from").fill("45")
        page.get_by_label("Foreground from").press("Enter")
        page.locator("#high").fill("60")
        page.locator("#high").press("Enter")
        expect(name).to_have_text("00001")
        assert violations(page) == []
        assert page.evaluate("document.documentElement.scrollWidth <= window.innerWidth")
        page.get_by_role("button", name="Keep").click()
        expect(page.locator("#nothing")).to_be_visible()
        page.close()
    assert main(["rcvh", "review", str(made), "--export", "-q"]) == 0
    assert [line["review"]["verdict"] for line in read_manifest(made)] == [
        "keep",
        "keep",
        "undecided",
        "undecided",
    ]


def test_a_folder_without_a_set_is_told(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["rcvh", "review", str(tmp_path)]) == 2
    assert "vhmae rcvh build" in capsys.readouterr().err


def test_an_export_takes_decisions_from_where_they_are(
    made: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    url = f"sqlite:///{tmp_path / 'elsewhere.db'}"
    review = Review(made, url)
    name = review.items("Ann")[0].name
    review.decide("Ann", name, keep=False)
    review.export()
    review.database.close()
    verdicts = [line.get("review") for line in read_manifest(made)]
    export = ["rcvh", "review", str(made), "--export"]
    assert main(export) == 2
    assert "holds no decisions; name where they lie by --database" in capsys.readouterr().err
    other = f"sqlite:///{tmp_path / 'other.db'}"
    Database(other, "vhmae.rcvh", fresh=True).close()
    assert main([*export, "--database", other]) == 2
    assert "nothing was decided of this set in --database" in capsys.readouterr().err
    assert [line.get("review") for line in read_manifest(made)] == verdicts
    assert main([*export, "--database", url, "-q"]) == 0
    assert [line.get("review") for line in read_manifest(made)] == verdicts


def test_many_exports_at_once_lose_nothing(made: Path) -> None:
    review = Review(made)
    before = read_manifest(made)
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(lambda _: review.export(), range(40)))
    assert [line["name"] for line in read_manifest(made)] == [line["name"] for line in before]
    assert len(read_list(made)) == len(before)
    review.database.close()


def test_a_composite_that_was_built_since_is_not_decided(review: Review) -> None:
    line = {**read_manifest(review.folder)[0], "name": "00099"}
    with (review.folder / "manifest.jsonl").open("a") as file:
        file.write(json.dumps(line) + "\n")
    review.decide("Ann", "00000", keep=False)
    assert review.export() == {"keep": 0, "reject": 1, "undecided": 4}


def test_one_decision_pressed_twice_at_once_is_one(review: Review) -> None:
    with ThreadPoolExecutor(2) as pool:
        list(pool.map(lambda _: review.decide("Ann", "00000", keep=True), range(40)))
    assert review.items("Ann")[0].keeps == 1


def test_a_review_that_is_opened_twice_at_once_has_one_token(made: Path) -> None:
    with ThreadPoolExecutor(8) as pool:
        tokens = set(pool.map(lambda _: open_secrets(made / SECRETS).token, range(32)))
    assert len(tokens) == 1
    assert (made / SECRETS).stat().st_mode & 0o077 == 0
    assert not list(made.glob(f".{SECRETS}.*"))
