"""Clips that give trouble in the browser: turned, cut off by a killed server, large, long."""

from __future__ import annotations

import itertools
import signal
from pathlib import Path

import av
import numpy as np
import pytest
from playwright.sync_api import Page, expect

from tests.frontend.app import (
    FRAMES,
    PATIENCE_MS,
    Calls,
    click_picture,
    open_clip,
    picture_of,
    project_of,
    saved,
    settle,
    wait_for,
)
from tests.support.browser import violations
from tests.support.scenes import moving_scene, write_video
from tests.support.server import served
from tests.support.turned import sideways

pytestmark = pytest.mark.timeout(900)  # where many tests share the processor
LARGE = (3840, 2160)
LONG_SECONDS, LONG_FPS, LONG = 20 * 60, 25, (160, 90)
MOST_GROWTH_MIB = 96
"""That memory may grow from a tenth of a long clip to its end."""


def test_a_phone_clip_on_its_side_stands_upright(
    page: Page, tmp_path: Path, weights: tuple[str, ...]
) -> None:
    sideways(tmp_path / "phone.mp4", 90)
    (tmp_path / "turned_mask.mkv").rename(tmp_path / "phone_mask.mkv")
    behind_a_proxy = ("--prefix", "/look")
    with served("app", str(tmp_path), "--no-browser", *behind_a_proxy, *weights) as (address, _):
        assert address.endswith("/look/")
        page.goto(address)
        page.get_by_role("button", name="phone.mp4").first.click()
        page.get_by_role("button", name="phone_mask.mkv").first.click()
        page.get_by_role("button", name="Open", exact=True).click()
        expect(page.locator(".take").first).to_be_enabled(timeout=PATIENCE_MS)
        page.get_by_role("radio", name="After", exact=True).click()
        page.keyboard.press("e")
        click_picture(page, 0.5, 0.64, (64, 96))
        expect(page.locator(".came")).to_be_visible(timeout=PATIENCE_MS)
        settle(page)
        [point] = saved(tmp_path, "phone")["guide"]["points"]
        assert np.allclose(point["at"], [32, 61], atol=1.5)
        page.keyboard.press("z")
        page.keyboard.press("f")
        page.keyboard.press("p")
        settle(page)
        wanted = Calls(address).drawn(project_of(page), 0)
        assert wanted.shape == (96, 64, 3)
        assert np.abs(picture_of(page, (64, 96)).astype(int) - wanted).max() <= 1
        assert not violations(page)


@pytest.mark.long  # tests/app/test_serving.py kills a server without a browser
def test_a_render_goes_on_after_the_server_was_killed(
    page: Page, tmp_path: Path, weights: tuple[str, ...]
) -> None:
    frames, masks = moving_scene(60, 96, 64)
    write_video(tmp_path / "clip.mp4", np.concatenate([frames] * 10), codec="libx264", audio=True)
    grays = np.concatenate([masks] * 10).astype(np.uint8) * 255
    write_video(tmp_path / "clip_mask.mp4", grays, codec="libx264")
    command = ("app", str(tmp_path), "--no-browser", *weights)
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    with served(*command) as (address, process):
        open_clip(page, address, "clip")
        page.get_by_role("button", name="Export").click()
        page.get_by_role("button", name="Add to the queue").click()
        part = tmp_path / ".clip.harmonized.mp4.part"
        wait_for(lambda: part.is_dir() and any(part.glob("*.json")))
        process.send_signal(signal.SIGKILL)
        process.communicate()
        # What holds for all of a clip is not asked for anew whenever its reading goes on.
        assert len([url for url in asked if "/api/prior" in url]) == 1
        page.get_by_label("Strength", exact=True).fill("90")
        expect(page.get_by_text("The server cannot be reached")).to_be_visible()
        assert not violations(page)
    with served(*command) as (address, _):
        page.goto(address)
        page.get_by_role("button", name="Go on").click()
        row = page.locator(".render")
        page.get_by_role("button", name="Queue").click()
        expect(row).to_contain_text("stopped")
        assert not violations(page)
        page.get_by_role("button", name="Resume clip.harmonized.mp4").click()
        expect(row).to_contain_text("finished", timeout=PATIENCE_MS)
        expect(page.locator(".reading-note")).to_have_count(0, timeout=PATIENCE_MS)
    with av.open(str(tmp_path / "clip.harmonized.mp4")) as video:
        assert sum(1 for _ in video.decode(video=0)) == 600
    assert not part.exists()


@pytest.mark.long
def test_a_clip_of_4k_is_shown_pixel_for_pixel(
    page: Page, tmp_path: Path, weights: tuple[str, ...]
) -> None:
    width, height = LARGE
    frames, masks = moving_scene(4, width, height)
    write_video(tmp_path / "large.mp4", frames, codec="libx264")
    write_video(tmp_path / "large_mask.mp4", masks.astype(np.uint8) * 255, codec="libx264")
    page.set_viewport_size({"width": 1600, "height": 900})
    with served("app", str(tmp_path), "--no-browser", *weights) as (address, _):
        open_clip(page, address, "large")
        page.get_by_role("radio", name="After", exact=True).click()
        page.keyboard.press("o")
        page.keyboard.press("f")
        settle(page)
        shown = page.locator(".stage canvas").evaluate("(one) => [one.width, one.height]")
        found = picture_of(page, (shown[0], shown[1]))
        wanted = Calls(address).drawn(project_of(page), 0)
        top, left = (height - shown[1]) // 2, (width - shown[0]) // 2
        near = [
            np.abs(found - wanted[y : y + shown[1], x : x + shown[0]].astype(int)).max()
            for y, x in itertools.product((top, top + 1), (left, left + 1))  # halves go either way
        ]
        assert min(near) <= 1


@pytest.mark.long
@pytest.mark.timeout(3600)
def test_memory_stays_flat_over_twenty_minutes(
    page: Page, tmp_path: Path, weights: tuple[str, ...]
) -> None:
    write_long(tmp_path)
    with served("app", str(tmp_path), "--no-browser", *weights) as (address, process):
        page.set_default_timeout(3_000_000)
        open_clip(page, address, "long")
        calls, project = Calls(address), project_of(page)

        def has_read(share: float) -> bool:
            return bool(calls.json(f"projects/{project}")["progress"]["maps"] >= share)

        wait_for(lambda: has_read(0.1))
        page.keyboard.press("l")
        early = memory_of(process.pid), heap_of(page)
        wait_for(lambda: has_read(1.0), 3000.0)
        page.keyboard.press("End")
        settle(page)
        late = memory_of(process.pid), heap_of(page)
    print(f"MiB of server and page: {early} after a tenth, {late} at the end")  # -s shows it
    for before, after in zip(early, late, strict=True):
        assert after - before < MOST_GROWTH_MIB, f"{early} MiB grew to {late} MiB"


def write_long(folder: Path) -> None:
    """A clip of twenty minutes, whose disc goes to and fro."""
    frames, masks = moving_scene(FRAMES, *LONG)
    there_and_back = [*range(FRAMES), *range(FRAMES - 2, 0, -1)]
    for name, pictures in (("long", frames), ("long_mask", masks.astype(np.uint8) * 255)):
        with av.open(str(folder / f"{name}.mp4"), "w") as container:
            stream = container.add_stream("libx264", rate=LONG_FPS)
            stream.width, stream.height, stream.pix_fmt = *LONG, "yuv420p"
            stream.options = {"crf": "20", "preset": "ultrafast"}
            kind = "rgb24" if pictures.ndim == 4 else "gray"
            for number in range(LONG_SECONDS * LONG_FPS):
                picture = pictures[there_and_back[number % len(there_and_back)]]
                frame = av.VideoFrame.from_ndarray(picture, format=kind)
                container.mux(stream.encode(frame))
            container.mux(stream.encode())


def memory_of(process: int) -> float:
    """What a process holds in memory, in MiB."""
    lines = Path(f"/proc/{process}/status").read_text().splitlines()
    [held] = [line for line in lines if line.startswith("VmRSS:")]
    return int(held.split()[1]) / 1024.0


def heap_of(page: Page) -> float:
    """What the scripts of a page hold, in MiB, once what is free was collected."""
    session = page.context.new_cdp_session(page)
    session.send("HeapProfiler.collectGarbage")
    used = session.send("Runtime.getHeapUsage")["usedSize"]
    session.detach()
    return float(used) / (1 << 20)
