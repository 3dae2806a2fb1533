"""The app as a person uses it, in a real browser before the real server."""

from __future__ import annotations

import dataclasses
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest
from playwright.sync_api import Browser, Page, expect

from tests.frontend.app import (
    CUT,
    FRAMES,
    HEIGHT,
    PATIENCE_MS,
    WIDTH,
    Calls,
    canvas_of,
    click_picture,
    open_clip,
    picture_of,
    project_of,
    saved,
    settle,
    wait_for,
    wait_for_takes,
    write_clip,
)
from tests.support.browser import abort, intercept, violations
from tests.support.server import served, serving
from vhmae.engine.rendering import KeepingChange, render_rgb

pytestmark = pytest.mark.timeout(900)  # where many tests share the processor
CLIPS = ("walk", "look", "dial", "tabs", "queue", "keys", "read", "watch", "both")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("clips")
    for name in CLIPS:
        write_clip(root, name)
    (root / "broken.mp4").write_bytes(b"\0" * 4096)
    return root


@pytest.fixture(autouse=True)
def closed_clips(address: str) -> Iterator[None]:
    """Close what a test has opened: a server holds a few clips open, and here are more."""
    yield
    calls = Calls(address)
    for number in calls.json("session")["open"]:
        calls.bytes(f"projects/{number}", method="DELETE")


def test_from_files_to_an_exported_clip(page: Page, address: str, folder: Path) -> None:
    page.goto(address)
    expect(page.get_by_role("heading", name="What shall be harmonized?")).to_be_visible()
    assert not violations(page)
    open_clip(page, address, "walk")
    assert not violations(page)

    page.locator(".take").nth(2).click()
    expect(page.locator(".take").first).to_contain_text("as chosen", timeout=PATIENCE_MS)
    page.keyboard.press("a")
    expect(page.get_by_text("Click the place of the foreground, then")).to_be_visible()
    click_picture(page, 0.35, 0.5)
    click_picture(page, 0.85, 0.2)
    card = page.locator(".point")
    expect(card.locator(".came")).to_contain_text("asked", timeout=PATIENCE_MS)
    assert not violations(page)
    settle(page)
    guide = saved(folder, "walk")["guide"]
    assert [choice["chosen"] for choice in guide["choices"]] == [3]
    point = guide["points"][0]
    assert point["is"] == "match"
    assert np.allclose(point["at"], [0.35 * WIDTH, 0.5 * HEIGHT], atol=1.5)
    assert np.allclose(point["to"], [0.85 * WIDTH, 0.2 * HEIGHT], atol=1.5)

    page.keyboard.press("z")
    expect(card).to_have_count(0)
    page.keyboard.press("Shift+Z")
    expect(card).to_have_count(1)
    settle(page)

    page.get_by_role("button", name="Export").click()
    dialog = page.get_by_role("dialog")
    expect(dialog.locator(".command code")).to_contain_text("vhmae harmonize walk.mp4")
    assert not violations(page)
    for offer in dialog.locator(".offers input").all()[1:]:
        offer.check()
        assert not violations(page)
    expect(dialog.locator(".command")).to_have_count(0)  # no command makes the last, a parcel
    dialog.get_by_role("radio", name="Video", exact=False).check()
    dialog.get_by_role("button", name="Add to the queue").click()
    row = page.locator(".render").first
    expect(row).to_contain_text("finished", timeout=PATIENCE_MS)
    assert not violations(page)
    with av.open(str(folder / "walk.harmonized.mp4")) as video:
        assert sum(1 for _ in video.decode(video=0)) == FRAMES
        assert len(video.streams.audio) == 1
    with page.expect_download() as download:
        row.locator("a").click()
    assert download.value.path().read_bytes() == (folder / "walk.harmonized.mp4").read_bytes()


def test_the_canvas_shows_what_the_renderer_renders(page: Page, address: str) -> None:
    open_clip(page, address, "look")
    page.keyboard.press("b")  # brighter by half a stop
    click_picture(page, 0.36, 0.5)
    expect(page.locator(".came")).to_be_visible(timeout=PATIENCE_MS)
    page.get_by_text("Settings").click()
    page.get_by_label("Hue", exact=True).focus()
    page.keyboard.press("Space")  # a box keeps the key, which plays elsewhere
    page.get_by_label("Strength", exact=True).fill("80")
    page.get_by_role("radio", name="After", exact=True).click()
    page.keyboard.press("p")
    page.keyboard.press("f")  # pixel for pixel
    settle(page)

    calls, project = Calls(address), project_of(page)
    document = calls.json(f"projects/{project}")["document"]
    assert (document["job"]["strength"], document["job"]["keep"]) == (0.8, ["hue"])
    asked = {"guide": document["guide"], "frame": 0}
    (row,) = calls.json(f"projects/{project}/guide", asked)["changes"]
    maps = calls.maps(project, 0)
    added = np.array(row["change"], np.float32).reshape(3, 10)
    change = dataclasses.replace(maps, overall=maps.overall + added).scaled(0.8)
    frame = calls.picture(f"projects/{project}/frames/0?size=full&as=exact")
    matte = calls.picture(f"projects/{project}/frames/0/matte?size=full")
    expected = render_rgb(frame, matte, KeepingChange(change, ("hue",)))
    found = picture_of(page)
    assert np.abs(found.astype(int) - expected.astype(int)).max() <= 1
    assert np.abs(expected.astype(int) - frame.astype(int))[matte > 0].mean() > 3.0
    written = calls.picture(f"projects/{project}/rendered/0?size=full")
    assert np.abs(found.astype(int) - written.astype(int)).mean() < 1.0

    page.get_by_role("radio", name="Before", exact=True).click()
    assert (picture_of(page) == frame).all()


def test_the_canvas_shows_both_sides_meet(page: Page, address: str) -> None:
    open_clip(page, address, "both")
    page.locator("summary", has_text="Settings").click()
    page.get_by_role("radio", name="Both", exact=True).click()
    expect(page.get_by_label("Share of the foreground", exact=True)).to_be_visible()
    page.get_by_role("radio", name="After", exact=True).click()
    page.keyboard.press("f")
    calls, project = Calls(address), project_of(page)
    expect(page.locator(".clip small")).to_have_text("Saved")
    wait_for(lambda: calls.json(f"projects/{project}")["state"] == "ready")
    wait_for_takes(page)
    before = calls.picture(f"projects/{project}/frames/0?size=full&as=exact")
    matte = calls.picture(f"projects/{project}/frames/0/matte?size=full&object=0")

    def drawn() -> np.ndarray:
        """By what the server says now: its maps are finer once it has seen the whole clip."""
        picture = before
        for part, maps in zip((1, 0), calls.parts(project, 0), strict=True):
            cover = calls.picture(f"projects/{project}/frames/0/matte?size=full&object={part}")
            picture = render_rgb(picture, cover, maps.scaled(0.5))
        return picture.astype(int)

    # The server is ready before the page has heard so: until then it shows the foreground's move.
    wait_for(lambda: np.abs(picture_of(page).astype(int) - drawn()).max() <= 1)
    assert np.abs(drawn() - before.astype(int))[matte > 0].mean() > 3.0
    assert not violations(page)


def test_a_dial_turns_without_the_server(page: Page, address: str) -> None:
    open_clip(page, address, "dial")
    page.get_by_role("radio", name="After", exact=True).click()
    settle(page)
    before = canvas_of(page)
    answer_again = intercept(page, "**/api/**", abort)
    page.get_by_label("Exposure", exact=True).fill("2")
    typed = page.get_by_label("Exposure as a number")
    expect(typed).to_have_value("+2.00")
    for text in ("4", ""):  # farther than the slider goes; nothing leaves it there
        typed.fill(text)
        typed.press("Enter")
        expect(typed).to_have_value("+4.00")
    assert canvas_of(page).astype(int).mean() > before.astype(int).mean() + 5.0
    answer_again()
    page.get_by_role("button", name="Reset dials").click()
    settle(page)
    assert np.abs(canvas_of(page).astype(int) - before.astype(int)).max() <= 1


def test_a_change_outlives_its_server(page: Page, weights: tuple[str, ...], tmp_path: Path) -> None:
    write_clip(tmp_path, "kept")
    options = ("app", str(tmp_path), "--no-browser", *weights)
    with served(*options) as (address, _):
        open_clip(page, address, "kept")
        port = address.rstrip("/").rsplit(":", 1)[1]
    page.get_by_label("Exposure", exact=True).fill("2")
    expect(page.locator(".clip small")).to_have_text("Not saved")
    with serving([sys.executable, "-m", "vhmae", *options, "--port", port]):
        wait_for_takes(page)
        assert saved(tmp_path, "kept")["guide"]["dials"]["exposure"] > 1.0
        page.get_by_role("radio", name="After", exact=True).click()
        settle(page)


# What draws the pictures of takes is in no page: it is noted down when it is made.
NOTED = """
const plain = OffscreenCanvas.prototype.getContext;
OffscreenCanvas.prototype.getContext = function (kind, ...more) {
  const made = plain.call(this, kind, ...more);
  if (kind === "webgl2") window.unseen = made;
  return made;
};
"""
TAKES = """() => [...document.querySelectorAll(".take canvas")].map((canvas) => {
  const { data } = canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height);
  return data.filter((_, i) => i % 4 < 3).reduce((sum, value) => sum + value, 0) / data.length;
})"""


def test_a_picture_comes_back_with_the_graphics(page: Page, address: str) -> None:
    """Where the GPU gives up, the frame is not said to stand there until it is drawn anew."""
    page.add_init_script(NOTED)
    open_clip(page, address, "dial")
    wait_for(lambda: min(page.evaluate(TAKES)) > 10.0, seconds=60)
    before = canvas_of(page)
    page.evaluate(
        """() => {
          const gl = document.querySelector(".stage canvas").getContext("webgl2");
          window.lost = gl.getExtension("WEBGL_lose_context");
          window.lost.loseContext();
        }"""
    )
    expect(page.get_by_text("The graphics card was lost")).to_be_visible()
    assert page.locator(".stage[data-ready=true]").count() == 0
    page.evaluate("() => window.lost.restoreContext()")
    page.evaluate("""() => {
      window.unseen.getExtension("WEBGL_lose_context").loseContext();
      for (const take of document.querySelectorAll(".take canvas")) take.width = take.width;
    }""")
    page.get_by_label("Strength", exact=True).fill("99")  # they are drawn anew
    wait_for(lambda: min(page.evaluate(TAKES)) > 10.0, seconds=60)
    page.get_by_label("Strength", exact=True).fill("100")
    settle(page)
    assert np.abs(canvas_of(page).astype(int) - before.astype(int)).max() <= 1


NO_GRAPHICS = """
for (const kind of [HTMLCanvasElement, OffscreenCanvas]) {
  const plain = kind.prototype.getContext;
  kind.prototype.getContext = function (name, ...more) {
    return name === "webgl2" ? null : plain.call(this, name, ...more);
  };
}
"""
DRAWN = """() => {
  const image = document.querySelector(".stage img.glance");
  if (!image?.src.startsWith("blob:") || !image.naturalWidth) return null;
  const flat = document.createElement("canvas");
  [flat.width, flat.height] = [image.naturalWidth, image.naturalHeight];
  flat.getContext("2d").drawImage(image, 0, 0);
  const { data } = flat.getContext("2d").getImageData(0, 0, flat.width, flat.height);
  return data.filter((_, i) => i % 4 < 3).reduce((sum, value) => sum + value, 0) / data.length;
}"""


def test_without_graphics_the_server_draws_what_is_said(page: Page, address: str) -> None:
    page.add_init_script(NO_GRAPHICS)
    open_clip(page, address, "dial")
    wait_for(lambda: page.evaluate(DRAWN) is not None, seconds=60)
    before = page.evaluate(DRAWN)
    page.get_by_label("Exposure", exact=True).fill("2")
    wait_for(lambda: (page.evaluate(DRAWN) or 0.0) > before + 3.0, seconds=60)
    assert page.locator(".notices .problem").count() == 0
    page.get_by_role("button", name="Reset dials").click()
    settle(page)


def test_what_the_page_works_out_is_what_the_server_says(page: Page, address: str) -> None:
    """The picture does not jump when the server's own answer comes."""
    open_clip(page, address, "watch")
    page.get_by_role("radio", name="After", exact=True).click()
    settle(page)
    answer_again = intercept(page, "**/guide", abort)
    page.get_by_label("Exposure", exact=True).fill("1.5")
    page.get_by_label("Temperature", exact=True).fill("40")
    own = canvas_of(page)
    answer_again()
    page.get_by_label("Temperature", exact=True).fill("40.5")
    page.get_by_label("Temperature", exact=True).fill("40")
    settle(page)
    assert np.abs(canvas_of(page).astype(int) - own.astype(int)).mean() < 1.0


def test_two_tabs_take_each_others_words(page: Page, address: str, folder: Path) -> None:
    open_clip(page, address, "tabs")
    other = page.context.new_page()
    other.goto(page.url)
    wait_for_takes(other)
    other.locator(".take").nth(4).click()
    settle(other)
    expect(page.locator(".take").first).to_contain_text("as chosen", timeout=PATIENCE_MS)
    page.keyboard.press("z")  # one's own state stands a step back
    settle(page)
    assert saved(folder, "tabs")["guide"]["choices"] == []
    expect(other.locator(".take").first).to_contain_text("plain", timeout=PATIENCE_MS)


def test_more_tabs_are_served_than_a_browser_connects(page: Page, address: str) -> None:
    tabs = [page, *(page.context.new_page() for _ in range(7))]  # Chromium connects six times
    for tab in tabs:
        tab.goto(address)
        expect(tab.get_by_role("button", name="walk.mp4").first).to_be_visible()


def test_what_is_queued_can_be_cancelled(page: Page, address: str, folder: Path) -> None:
    open_clip(page, address, "queue")
    for name in ("one.mp4", "two.mp4"):
        page.get_by_role("button", name="Export").click()
        page.get_by_label("Name", exact=True).fill(name)
        page.get_by_role("button", name="Add to the queue").click()
        expect(page.locator(".render", has_text=name)).to_be_visible()
    page.get_by_role("button", name="Cancel two.mp4").click()
    expect(page.locator(".render", has_text="two.mp4")).to_contain_text("cancelled")
    expect(page.locator(".render", has_text="one.mp4")).to_contain_text(
        "finished", timeout=PATIENCE_MS
    )
    assert not (folder / "two.mp4").exists()
    page.get_by_role("button", name="Resume two.mp4").click()
    expect(page.locator(".render", has_text="two.mp4")).to_contain_text(
        "finished", timeout=PATIENCE_MS
    )
    assert (folder / "two.mp4").read_bytes() == (folder / "one.mp4").read_bytes()


def test_keys_go_through_the_clip(page: Page, address: str) -> None:
    open_clip(page, address, "keys")
    stage, first = page.locator(".stage"), page.locator(".point").first
    page.keyboard.press("ArrowRight")
    expect(stage).to_have_attribute("data-frame", "1")
    page.keyboard.press("Shift+ArrowRight")
    expect(stage).to_have_attribute("data-frame", "11")
    page.keyboard.press("ArrowRight")
    page.keyboard.press("n")
    click_picture(page, 0.5, 0.5)
    expect(first).to_contain_text(f"frame {CUT}")  # though the wipe's handle lies there
    page.keyboard.press("e")
    click_picture(page, 0.5, 0.5)
    expect(page.locator(".point")).to_have_count(2)  # though the first point's handle does
    page.keyboard.press("Home")
    expect(stage).to_have_attribute("data-frame", "0")
    page.keyboard.press("]")
    expect(stage).to_have_attribute("data-frame", str(CUT))
    page.keyboard.press("End")
    expect(stage).to_have_attribute("data-frame", str(FRAMES - 1))
    page.keyboard.press("[")
    expect(stage).to_have_attribute("data-frame", str(CUT))
    page.keyboard.press("Home")
    page.keyboard.press("l")
    expect(stage).not_to_have_attribute("data-frame", "0", timeout=PATIENCE_MS)
    page.keyboard.press("k")
    expect(page.get_by_role("button", name="Play")).to_be_visible()
    page.keyboard.press("?")
    expect(page.get_by_role("dialog", name="Keys")).to_be_visible()
    assert not violations(page)


def test_words_can_be_read_in_german_and_in_the_light(page: Page, address: str) -> None:
    open_clip(page, address, "read")
    page.get_by_label("Language").select_option("de")
    expect(page.get_by_role("button", name="Export")).to_be_visible()
    expect(page.get_by_text("Was geschieht")).to_be_visible()
    expect(page.locator("html")).to_have_attribute("lang", "de")
    page.get_by_role("button", name="Helle Umgebung").click()
    expect(page.locator("html")).to_have_attribute("data-theme", "light")
    refused: dict[str, Any] = {"detail": "crf: expected less", "key": None, "values": {}}
    page.route("**/renders", lambda route: route.fulfill(status=400, json=refused))
    page.get_by_role("button", name="Export").click()
    page.get_by_role("button", name="In die Warteschlange").click()
    expect(page.get_by_text("Das geht so nicht: crf: expected less")).to_be_visible()
    page.get_by_role("button", name="Abbrechen", exact=True).click()
    for name in page.locator("summary").all():
        if name.locator("..").get_attribute("open") is None:
            name.click()
    assert not violations(page)


# Sizes are told until the page has let go of what it showed, which is some time after it is gone.
TOLD_LATE = """
const Plain = window.ResizeObserver;
window.ResizeObserver = class extends Plain {
  constructor(hear) {
    super(hear);
    this.changes = new MutationObserver(() => hear([], this));
    this.changes.observe(document, { childList: true, subtree: true });
  }
  disconnect() {
    this.changes.disconnect();
    super.disconnect();
  }
};
"""


def test_a_damaged_file_is_told_in_words(page: Page, address: str) -> None:
    page.add_init_script(TOLD_LATE)
    page.goto(address)
    page.get_by_role("button", name="broken.mp4").first.click()
    page.get_by_role("button", name="Open", exact=True).click()
    expect(page.locator(".failed, .notices .problem").first).to_be_visible(timeout=PATIENCE_MS)
    assert "broken.mp4" in page.inner_text("body")
    assert not violations(page)
    page.get_by_label("Language").select_option("de")
    expect(page.get_by_role("heading", name="broken.mp4 lässt sich nicht öffnen")).to_be_visible()
    expect(page.locator(".failed p[lang=en]")).to_contain_text("broken.mp4")


def test_a_finger_moves_the_wipe(graphics: Browser, address: str) -> None:
    context = graphics.new_context(
        viewport={"width": 820, "height": 1180}, has_touch=True, locale="en-US"
    )
    faults: list[str] = []
    context.on("weberror", lambda one: faults.append(str(one.error)))
    page = context.new_page()
    open_clip(page, address, "walk")
    handle = page.get_by_role("slider", name="Wipe")
    expect(handle).to_have_attribute("aria-valuenow", "50")
    box = page.locator(".stage").bounding_box()
    assert box is not None
    x, y = box["x"] + 0.25 * box["width"], box["y"] + 0.5 * box["height"]

    def is_heard() -> bool:
        # A browser hands on touches of what its compositor has taken up, which no page is told of.
        page.touchscreen.tap(x, y)
        page.wait_for_timeout(500)
        return handle.get_attribute("aria-valuenow") != "50"

    wait_for(is_heard)
    expect(handle).to_have_attribute("aria-valuenow", re.compile("2[2-8]"))
    assert not violations(page)
    context.close()
    assert not faults


def test_strangers_are_asked_for_the_token(page: Page, tmp_path: Path) -> None:
    options = ("--remote", "--host", "127.0.0.1", "--no-browser")
    with served("app", str(tmp_path), *options) as (found, _):
        page.goto(re.sub(r"\?.*", "", found))
        expect(page.get_by_role("heading", name="Sign in")).to_be_visible()
        assert not violations(page)
        page.get_by_label("Token").fill("not this")
        page.get_by_role("button", name="Sign in").click()
        expect(page.get_by_role("alert")).to_be_visible()
        page.goto(found)
        expect(page.get_by_role("heading", name="What shall be harmonized?")).to_be_visible()
        expect(page.get_by_text("What is dropped here is sent to the server")).to_be_visible()
        assert "token" not in page.url
