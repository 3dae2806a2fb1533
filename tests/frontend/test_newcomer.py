"""A newcomer's path: from ``vhmae app --demo`` to an exported clip that heard a word."""

from __future__ import annotations

import os
import time
from pathlib import Path

import av
import pytest
from playwright.sync_api import Page, expect

from tests.frontend.app import PATIENCE_MS, click_picture, saved, wait_for_takes
from tests.support.server import served
from vhmae.work.demo import FPS, HEIGHT, SECONDS_A_SHOT, SHOTS, WIDTH

MOST_CLICKS = 6
MOST_SECONDS = 60.0
COLLAR, GROUND = (0.555, 0.44), (0.1, 0.985)
"""Places of the demo's first frame, in shares of its size: her black collar, and the dark ground
behind her."""


def processor_seconds() -> dict[int, float]:
    """By process, what this one's children and theirs have used, ended ones with their parents:
    time that other work on this machine does not count in."""
    parents, used = {}, {}
    tick = os.sysconf("SC_CLK_TCK")
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            fields = (folder / "stat").read_text().rpartition(")")[2].split()
        except OSError:
            continue  # has ended meanwhile
        number = int(folder.name)
        parents[number] = int(fields[1])
        used[number] = sum(map(int, fields[11:15])) / tick
    return {number: seconds for number, seconds in used.items() if _is_ours(number, parents)}


def _is_ours(number: int, parents: dict[int, int]) -> bool:
    while number in parents:
        number = parents[number]
        if number == os.getpid():
            return True
    return False


@pytest.mark.long  # each of its steps is a test of its own, too
@pytest.mark.timeout(900)
def test_from_the_demo_to_an_exported_clip(page: Page, tmp_path: Path) -> None:
    before, begun = sum(processor_seconds().values()), time.monotonic()
    clicks = 0
    with served("app", "--demo", str(tmp_path), "--no-browser") as (address, _):
        page.goto(address)
        wait_for_takes(page)
        page.locator(".take").nth(2).click()
        clicks += 1
        expect(page.locator(".take").first).to_contain_text("as chosen", timeout=PATIENCE_MS)
        page.get_by_role("button", name="Match", exact=True).click()
        click_picture(page, *COLLAR, (WIDTH, HEIGHT))
        click_picture(page, *GROUND, (WIDTH, HEIGHT))
        clicks += 3
        expect(page.locator(".came")).to_contain_text("asked", timeout=PATIENCE_MS)
        page.get_by_role("button", name="Export").click()
        page.get_by_role("button", name="Add to the queue").click()
        clicks += 2
        row = page.locator(".render").first
        expect(row).to_contain_text("finished", timeout=PATIENCE_MS)
        seconds = sum(processor_seconds().values()) - before
    guide = saved(tmp_path, "composite")["guide"]
    assert [one["chosen"] for one in guide["choices"]] == [3]
    assert [one["is"] for one in guide["points"]] == ["match"]
    with av.open(str(tmp_path / "composite.harmonized.mp4")) as video:
        frames = sum(1 for _ in video.decode(video=0))
    assert frames == len(SHOTS) * SECONDS_A_SHOT * FPS
    print(f"{clicks} clicks, {seconds:.1f} s of processor time, {time.monotonic() - begun:.1f} s")
    assert clicks <= MOST_CLICKS
    assert seconds < MOST_SECONDS, f"{seconds:.0f} s of processor time"
