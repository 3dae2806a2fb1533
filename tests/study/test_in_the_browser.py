"""Whole studies in headless Chromium."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pytest
from playwright.sync_api import Browser, Page, expect

from tests.support.browser import abort, intercept, violations
from tests.support.server import served
from tests.support.study import FPS, METHODS, Running
from vhmae.study.report import read_rankings, study_report

PEOPLE = 50
STRENGTHS = np.array([0.62, 0.25, 0.1, 0.03])
WIDE, SMALL, NARROW = (
    {"width": 1440, "height": 900},
    {"width": 640, "height": 480},
    {"width": 390, "height": 844},
)


@pytest.fixture
def url(small_study: Running) -> Iterator[str]:
    with served("study", "serve", str(small_study.folder), "--rate", "0") as (address, _):
        yield address


@pytest.fixture
def brief_url(brief_study: Running) -> Iterator[str]:
    with served("study", "serve", str(brief_study.folder), "--rate", "0") as (address, _):
        yield address


def begin(page: Page, url: str) -> None:
    page.goto(url)
    page.get_by_label("Screen").select_option("desktop")
    page.get_by_label("Years").fill("7")
    page.get_by_label("I have read this").check()
    page.get_by_role("button", name="Begin").click()


def choices(page: Page, number: int) -> list[str]:
    """Tokens in the order of the page, once the clip of that number is there and plays."""
    page.get_by_text(f"Clip {number} of").wait_for()
    page.locator("#stage[data-ready]").wait_for()
    sources = page.locator(".card:not(.input) video").evaluate_all(
        "videos => videos.map((video) => video.dataset.source)"
    )
    return [source.removeprefix("/media/").removesuffix(".mp4") for source in sources]


@pytest.mark.long
def test_fifty_people_take_part_and_the_report_knows_what_they_like(
    chromium: Browser, brief_study: Running, brief_url: str
) -> None:
    method_of = brief_study.methods()
    rng = np.random.default_rng(1)
    said = []
    for person in range(PEOPLE):
        narrow = person % 10 == 9
        context = chromium.new_context(viewport=NARROW if narrow else SMALL, has_touch=narrow)  # type: ignore[arg-type]
        page = context.new_page()
        begin(page, brief_url)
        for clip in range(2):
            methods = [method_of[token] for token in choices(page, clip + 1)]
            times = rng.exponential(1.0, 4) / STRENGTHS
            wanted = [METHODS[index] for index in times.argsort()]
            for rank, method in enumerate(wanted):
                place = methods.index(method)
                if narrow:
                    page.locator(f".card[data-place='{place}'] .ranks button").nth(rank).tap()
                else:
                    page.keyboard.press("abcd"[place])
            page.get_by_role("button", name="Hand in").click()
            said.append([wanted.index(method) + 1 for method in METHODS])
        page.get_by_text("All your rankings are kept").wait_for()
        context.close()
    rankings = read_rankings(brief_study.database, brief_study.description)
    assert np.array_equal(rankings.ranks, said)
    report = study_report(rankings, keep_flagged=True)  # simulated people are fast
    assert (report["participants"], report["rankings"]) == (PEOPLE, 2 * PEOPLE)
    assert np.allclose([row["strength"] for row in report["methods"]], STRENGTHS, atol=0.12)
    means = [row["mean_rank"]["mean"] for row in report["methods"]]
    assert means == sorted(means)
    assert report["friedman"]["p"] < 1e-6


def test_a_ranking_by_dragging_by_keys_and_taken_back(
    chromium: Browser, small_study: Running, url: str
) -> None:
    page = chromium.new_page(viewport=WIDE)  # type: ignore[arg-type]
    begin(page, url)
    tokens = choices(page, 1)
    hand_in = page.get_by_role("button", name="Hand in")
    for place, rank in enumerate((3, 1, 4, 2)):
        expect(hand_in).to_be_disabled()
        grip, slot = (
            page.locator(".grip").nth(place).bounding_box(),
            page.locator("#slots li").nth(rank - 1).bounding_box(),
        )
        assert grip is not None
        assert slot is not None
        page.mouse.move(grip["x"] + 9, grip["y"] + 9)
        page.mouse.down()
        page.mouse.move(grip["x"] + 40, grip["y"] + 40)
        page.mouse.move(slot["x"] + 20, slot["y"] + 20, steps=3)
        page.mouse.up()
    expect(page.locator("#slots b")).to_have_text(["B", "D", "A", "C"])
    expect(page.locator("#said")).to_have_text("1st: B, 2nd: D, 3rd: A, 4th: C")
    grip = page.locator(".grip").nth(1).bounding_box()
    assert grip is not None
    page.get_by_role("button", name="Clear").click()
    page.mouse.move(grip["x"] + 9, grip["y"] + 9)
    page.mouse.down()
    page.mouse.move(grip["x"] + 60, grip["y"] - 60, steps=3)
    page.mouse.up()  # on no place: nothing is ranked
    expect(page.locator("#slots b")).to_have_text(["", "", "", ""])
    for key in "bdac":
        page.keyboard.press(key)
    page.keyboard.press("Backspace")
    expect(page.locator("#slots b")).to_have_text(["B", "D", "A", ""])
    expect(hand_in).to_be_disabled()
    page.locator(".card[data-place='2'] .ranks button").nth(0).click()  # C takes the place of B
    expect(page.locator("#slots b")).to_have_text(["C", "D", "A", ""])
    page.keyboard.press("b")
    expect(page.locator("#slots b")).to_have_text(["C", "D", "A", "B"])
    page.get_by_role("status").first.focus()
    page.keyboard.press("Enter")
    choices(page, 2)
    method_of = small_study.methods()
    kept = read_rankings(small_study.database, small_study.description)
    assert [kept.methods[index] for index in np.argsort(kept.ranks[0])] == [
        method_of[tokens[place]] for place in (2, 3, 0, 1)
    ]
    page.close()


def test_all_videos_stay_within_one_frame_of_each_other(chromium: Browser, url: str) -> None:
    page = chromium.new_page(viewport=WIDE)  # type: ignore[arg-type]
    begin(page, url)
    choices(page, 1)
    page.wait_for_timeout(500)
    spreads = page.evaluate(
        """async () => {
          const { player } = document.getElementById("stage");
          const videos = [...document.querySelectorAll("video")], spreads = [];
          for (let i = 0; i < 60; i += 1) {
            await new Promise((resolve) => setTimeout(resolve, 37));
            if (player.rewinding) continue;
            const times = videos.map((video) => video.currentTime);
            spreads.push([Math.max(...times) - Math.min(...times), player.rounds]);
          }
          return spreads;
        }"""
    )
    assert len(spreads) > 20
    assert spreads[-1][1] > spreads[0][1]  # they do play, over and over
    late = sorted(spread for spread, _ in spreads)[int(0.9 * len(spreads))]
    assert late <= 1.0 / FPS, f"nine in ten moments are within {late * FPS:.2f} frames"
    page.get_by_role("button", name="Pause").click()
    page.wait_for_timeout(300)
    times = page.evaluate(
        "[...document.querySelectorAll('video')].map((video) => video.currentTime)"
    )
    assert max(times) - min(times) < 0.25 / FPS
    page.close()


@pytest.mark.parametrize("viewport", [WIDE, NARROW], ids=["wide", "narrow"])
def test_no_page_has_what_axe_finds_wrong_and_none_is_wider_than_its_window(
    chromium: Browser, small_study: Running, url: str, viewport: dict[str, int]
) -> None:
    page = chromium.new_page(viewport=viewport)  # type: ignore[arg-type]
    faults: list[str] = []
    page.on("pageerror", lambda error: faults.append(str(error)))

    def check() -> None:
        assert violations(page) == []
        assert page.evaluate("document.documentElement.scrollWidth <= window.innerWidth")

    page.goto(url)
    check()
    page.get_by_role("button", name="Begin").click()
    expect(page.get_by_role("alert")).to_contain_text("consent")
    check()
    begin(page, url)
    for clip in range(3):
        choices(page, clip + 1)
        if clip == 0:
            page.locator("summary").click()
            check()
        for key in "abcd":
            page.keyboard.press(key)
        page.get_by_role("button", name="Hand in").click()
    page.get_by_text("All your rankings are kept").wait_for()
    check()
    page.goto(f"{url}/admin")
    check()
    page.get_by_label("Token").fill("wrong")
    page.get_by_role("button", name="Sign in").click()
    expect(page.get_by_role("alert")).to_contain_text("not the study's")
    page.get_by_label("Token").fill(small_study.secrets.token)
    page.get_by_role("button", name="Sign in").click()
    page.get_by_text("Rankings handed in").wait_for()
    check()
    page.goto(f"{url}/nowhere")
    check()
    assert faults == []
    page.close()


def test_a_clip_that_cannot_be_loaded_is_not_ranked_and_can_be_tried_again(
    chromium: Browser, small_study: Running, url: str
) -> None:
    page = chromium.new_page(viewport=WIDE)  # type: ignore[arg-type]
    load_again = intercept(page, "**/media/**", abort)
    begin(page, url)
    expect(page.get_by_role("alert")).to_contain_text("cannot be shown")
    for key in "abcd":
        page.keyboard.press(key)
    expect(page.get_by_role("button", name="Hand in")).to_be_disabled()
    load_again()
    page.get_by_role("button", name="Try again").click()
    choices(page, 1)
    expect(page.locator("#problem")).to_have_text("")
    assert len(read_rankings(small_study.database, small_study.description).ranks) == 0
    page.close()


def test_going_on_by_the_personal_link_in_another_browser(chromium: Browser, url: str) -> None:
    page = chromium.new_page(viewport=WIDE)  # type: ignore[arg-type]
    begin(page, url)
    choices(page, 1)
    for key in "dcba":
        page.keyboard.press(key)
    page.keyboard.press("Enter")
    choices(page, 2)
    link = page.locator("#link").get_attribute("href")
    assert link is not None
    elsewhere = chromium.new_context(viewport=NARROW).new_page()  # type: ignore[arg-type]
    elsewhere.goto(link)
    choices(elsewhere, 2)
    elsewhere.context.close()
    page.close()
