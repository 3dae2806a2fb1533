"""Files on their way into the app: dropped, sent, laid over one another; and named versions."""

from __future__ import annotations

import base64
import json
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from playwright.sync_api import APIResponse, Page, Route, expect

from tests.frontend.app import (
    FRAMES,
    HEIGHT,
    PATIENCE_MS,
    WIDTH,
    Calls,
    choose,
    open_clip,
    picture_of,
    project_of,
    saved,
    settle,
    wait_for,
    wait_for_takes,
    write_clip,
)
from tests.support.browser import intercept, violations
from tests.support.scenes import moving_scene, write_video

pytestmark = pytest.mark.timeout(900)  # where many tests share the processor

DROP = """([name, text]) => {
  const bytes = Uint8Array.from(atob(text), (letter) => letter.charCodeAt(0));
  const data = new DataTransfer();
  data.items.add(new File([bytes], name));
  const main = document.querySelector("main");
  const how = { dataTransfer: data, bubbles: true, cancelable: true };
  main.dispatchEvent(new DragEvent("drop", how));
}"""


DRAWN = """async () => {
  for (let i = 0; i < 3; i++) await new Promise((drawn) => requestAnimationFrame(drawn));
}"""
# Notices go after seconds: what is told is written down as it comes.
RECORD = """() => {
  const told = (window.told = []);
  const look = () => told.push(document.querySelector(".notices")?.textContent ?? "");
  const how = { childList: true, subtree: true, characterData: true };
  new MutationObserver(look).observe(document.body, how);
}"""


def was_told(page: Page, text: str) -> None:
    """Wait until a page that records its notices has told something."""
    wait_for(lambda: any(text in one for one in page.evaluate("told")), seconds=60)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("clips")
    write_clip(root, "here")
    write_clip(root, "kept")
    frames, masks = moving_scene(FRAMES, WIDTH // 2, HEIGHT // 2)
    write_video(root / "front.mp4", 255 - frames, codec="libx264")
    grays = np.where(masks, 255, 0).astype(np.uint8)
    write_video(root / "front_mask.mp4", grays, codec="libx264")
    green = np.where(masks[..., None], frames, np.array([20, 200, 60], np.uint8))
    write_video(root / "green.mp4", green, codec="libx264")
    return root


def test_open_clips_are_gone_back_to_and_closed(page: Page, address: str) -> None:
    calls = Calls(address)
    for number in calls.json("session")["open"]:
        calls.bytes(f"projects/{number}", method="DELETE")
    open_clip(page, address, "here")
    other = page.context.new_page()
    other.goto(page.url)
    wait_for_takes(other)
    page.keyboard.press("End")
    expect(page.locator(".stage")).to_have_attribute("data-frame", str(FRAMES - 1))
    page.get_by_role("button", name="Back to the files").click()
    opened = page.get_by_role("region", name="Open clips")
    row = opened.locator("li", has_text="here.mp4")
    expect(row).to_contain_text("ready", timeout=PATIENCE_MS)
    assert not violations(page)
    row.get_by_role("button").first.click()
    expect(page.locator(".stage")).to_have_attribute("data-frame", "0")
    settle(page)
    page.get_by_role("button", name="Back to the files").click()
    page.evaluate(RECORD)
    other.evaluate(RECORD)
    row.get_by_role("button", name="Close here.mp4").click()
    expect(opened).to_have_count(0)
    was_told(page, "here.mp4 is closed")
    was_told(other, "This clip was closed in another tab. Its project is saved.")
    assert not any("another tab" in one for one in page.evaluate("told"))
    assert calls.json("projects") == []


@pytest.mark.long
def test_keys_close_clips_too_in_german(page: Page, address: str) -> None:
    calls = Calls(address)
    for number in calls.json("session")["open"]:
        calls.bytes(f"projects/{number}", method="DELETE")
    page.goto(address)
    page.get_by_label("Language").select_option("de")
    open_clip(page, address, "here", "Öffnen")
    page.evaluate(RECORD)
    page.keyboard.press("Shift+Q")
    expect(page.get_by_role("region", name="Geöffnete Clips")).to_have_count(0)
    was_told(page, "here.mp4 ist geschlossen")
    assert not any("anderen Tab" in one for one in page.evaluate("told"))
    open_clip(page, address, "here", "Öffnen")
    page.get_by_role("button", name="Zurück zu den Dateien").click()
    page.get_by_role("region", name="Geöffnete Clips").get_by_role("button").first.focus()
    page.keyboard.press("Delete")
    expect(page.get_by_role("region", name="Geöffnete Clips")).to_have_count(0)
    assert calls.json("projects") == []


def test_what_another_tab_closes_before_it_is_saved_stays_here(page: Page, address: str) -> None:
    calls = Calls(address)
    open_clip(page, address, "here")
    number = project_of(page)
    page.evaluate(RECORD)

    def close_first(route: Route) -> None:
        if route.request.method == "PUT" and number in calls.json("session")["open"]:
            calls.bytes(f"projects/{number}", method="DELETE")
        route.continue_()

    let_through = intercept(page, "**/api/projects/*/document", close_first)
    page.get_by_label("Strength", exact=True).fill("37")
    was_told(page, "was closed before your last change was saved")
    assert not any("is saved" in one for one in page.evaluate("told"))
    expect(page.get_by_label("Strength as a number")).to_have_value("37")
    expect(page.locator(".clip small")).to_have_class("problem")
    let_through()
    calls.json("projects", {"composite": "here.mp4", "masks": ["here_mask.mp4"]})
    page.get_by_label("Strength", exact=True).fill("38")
    document = f"projects/{number}"

    def is_saved() -> bool:
        page.wait_for_timeout(100)  # requests are let through in here
        return calls.json(document)["document"]["job"].get("strength") == 0.38

    wait_for(is_saved, seconds=60)
    calls.bytes(document, method="DELETE")
    was_told(page, "This clip was closed in another tab. Its project is saved.")


def test_a_clip_that_may_not_be_closed_stays_in_view(page: Page, address: str) -> None:
    open_clip(page, address, "here")
    number = project_of(page)
    page.evaluate(RECORD)
    refused = {"detail": "busy", "key": "server.exporting", "values": {"path": "out.mp4"}}

    def refuse(route: Route) -> None:
        if route.request.method == "DELETE":
            route.fulfill(status=409, json=refused)
        else:
            route.continue_()

    page.route("**/api/projects/*", refuse)
    page.keyboard.press("Shift+Q")
    was_told(page, "out.mp4")
    assert project_of(page) == number
    settle(page)
    Calls(address).bytes(f"projects/{number}", method="DELETE")
    was_told(page, "This clip was closed in another tab. Its project is saved.")


def test_an_answer_that_is_late_lists_no_clip_that_is_closed(page: Page, address: str) -> None:
    calls = Calls(address)
    open_clip(page, address, "here")
    number = project_of(page)
    held: list[tuple[Route, APIResponse]] = []

    def hold_the_first(route: Route) -> None:
        if held:
            route.continue_()
        else:
            held.append((route, route.fetch()))

    page.goto("about:blank")
    page.route(re.compile("/api/projects$"), hold_the_first)
    with page.expect_response(re.compile("/api/renders$")):  # it hears what is told
        page.goto(address)
    wait_for(lambda: page.evaluate("true") and bool(held))
    with page.expect_response(re.compile("/api/projects$")):
        calls.bytes(f"projects/{number}", method="DELETE")
    (route, answer) = held[0]
    assert [one["id"] for one in answer.json()] == [number]
    with page.expect_response(re.compile("/api/projects$")):
        route.fulfill(response=answer)
    page.evaluate(DRAWN)
    expect(page.get_by_role("region", name="Open clips")).to_have_count(0)


def drop(page: Page, name: str, data: bytes) -> None:
    page.evaluate(DROP, [name, base64.b64encode(data).decode()])


def test_a_dropped_file_is_found_or_sent(
    page: Page, address: str, folder: Path, tmp_path: Path
) -> None:
    page.goto(address)
    expect(page.get_by_role("button", name="here.mp4").first).to_be_visible()
    drop(page, "here.mp4", (folder / "here.mp4").read_bytes())
    expect(page.get_by_text("Found in the folder: here.mp4")).to_be_visible()
    write_clip(tmp_path, "away")
    drop(page, "away_mask.mp4", (tmp_path / "away_mask.mp4").read_bytes())
    slot = page.locator(".slot", has_text="Mask")
    expect(slot.get_by_text("away_mask.mp4")).to_be_visible()
    assert not (folder / "away_mask.mp4").exists()
    page.get_by_role("button", name="Open", exact=True).click()
    expect(page.locator(".take").first).to_be_enabled(timeout=PATIENCE_MS)


def test_a_foreground_is_placed_by_dragging(page: Page, address: str, folder: Path) -> None:
    page.goto(address)
    page.get_by_role("radio", name="Two layers").click()
    choose(page, "here.mp4", "front.mp4", "front_mask.mp4")
    page.get_by_role("button", name="Open", exact=True).click()
    expect(page.locator(".take").first).to_be_enabled(timeout=PATIENCE_MS)
    page.locator("summary", has_text="Settings").click()
    page.get_by_role("button", name="Place the foreground").click()
    dialog = page.get_by_role("dialog")
    layer = dialog.get_by_role("group", name="Foreground at")
    expect(layer.locator("img")).to_be_visible()
    assert not violations(page)

    def boxes() -> tuple[Any, Any]:
        return layer.bounding_box(), dialog.locator(".board").bounding_box()

    def is_half() -> bool:
        box, board = boxes()
        return bool(box and board and abs(box["width"] - board["width"] / 2) < 3.0)

    wait_for(is_half, seconds=60)
    box, board = boxes()
    shown = board["width"] / WIDTH
    x, y = box["x"] + box["width"] / 2, box["y"] + box["height"] / 2
    page.mouse.move(x, y)
    page.mouse.down()
    page.mouse.move(x + 80 * shown, y + 40 * shown, steps=4)
    page.mouse.up()
    layer.focus()
    page.keyboard.press("ArrowRight")
    assert np.isclose(board["width"] / board["height"], WIDTH / HEIGHT, rtol=0.01)  # not stretched
    scale = dialog.get_by_label("Scale", exact=True)
    corner = dialog.locator(".corner").bounding_box()
    assert corner is not None
    x, y = corner["x"] + corner["width"] / 2, corner["y"] + corner["height"] / 2
    page.mouse.move(x, y)
    page.mouse.down()
    page.mouse.move(x + 40 * shown, y, steps=4)
    page.mouse.up()
    assert np.isclose(float(scale.input_value()), 1.25, atol=0.02)
    page.mouse.move(board["x"] + 81 * shown, board["y"] + 40 * shown)  # its first corner stays
    page.mouse.wheel(0, -1200)
    expect(scale).not_to_have_value(re.compile(r"^1\.2"))
    far = dialog.locator(".corner").bounding_box()  # though it lies outside the picture by now
    assert far is not None
    assert far["x"] + far["width"] <= board["x"] + board["width"] + 1
    assert far["y"] + far["height"] <= board["y"] + board["height"] + 1
    scale.select_text()
    scale.press_sequentially("0.5")  # key by key: "0" and "0." are on the way to it
    scale.press("Enter")
    expect(scale).to_have_value("0.5")
    scale.select_text()
    scale.press_sequentially("1.25")
    dialog.get_by_role("button", name="Place", exact=True).click()
    settle(page)
    (file,) = [path for path in folder.glob("*.json") if "front" in path.name]
    job = json.loads(file.read_text())["job"]
    assert np.allclose(job["position"], [81, 40], atol=2)
    assert job["scale"] == 1.25
    page.get_by_role("radio", name="After", exact=True).click()
    page.keyboard.press("f")
    settle(page)
    wanted = Calls(address).drawn(project_of(page), 0)  # the foreground where it lies now
    assert np.abs(picture_of(page).astype(int) - wanted).max() <= 1


def test_a_foreground_without_a_mask_is_cut_out(page: Page, address: str, folder: Path) -> None:
    page.goto(address)
    page.get_by_role("radio", name="Two layers").click()
    choose(page, "here.mp4", "green.mp4")
    page.get_by_role("button", name="Open", exact=True).click()
    told = page.locator(".failed")
    expect(told).to_contain_text("nothing says where the foreground is", timeout=PATIENCE_MS)
    assert not violations(page)
    told.get_by_role("button", name="Green screen").click()
    wait_for_takes(page)
    (file,) = [path for path in folder.glob("*.json") if "green" in path.name]
    assert ".cutout." in json.loads(file.read_text())["job"]["foreground"]


def test_versions_are_kept_and_come_back(page: Page, address: str, folder: Path) -> None:
    open_clip(page, address, "kept")
    page.get_by_label("Strength", exact=True).fill("40")
    page.locator("summary", has_text="Versions").click()
    page.get_by_label("Name of the version").fill("half way")
    page.get_by_role("button", name="Save", exact=True).click()
    page.get_by_label("Strength", exact=True).fill("100")
    settle(page)
    page.get_by_role("button", name="half way").first.click()
    expect(page.get_by_label("Strength as a number")).to_have_value("40")
    settle(page)
    document = saved(folder, "kept")
    assert document["job"]["strength"] == 0.4
    assert [one["name"] for one in document["versions"]] == ["half way"]
    page.get_by_label("Name of the version").fill("half way")
    page.get_by_role("button", name="Save", exact=True).click()
    expect(page.get_by_text("There is a version half way already.")).to_be_visible()
    assert not violations(page)
    page.get_by_role("button", name="Replace it").click()
    settle(page)
    (version,) = saved(folder, "kept")["versions"]
    assert version["saved"] > document["versions"][0]["saved"]
    page.keyboard.press("z")
    expect(page.get_by_label("Strength as a number")).to_have_value("100")
    settle(page)
    page.goto(address)
    choose(page, "kept.mp4")  # alone: the mask is as it was saved
    page.get_by_role("button", name="Open", exact=True).click()
    expect(page.locator(".take").first).to_be_enabled(timeout=PATIENCE_MS)
    page.locator("summary", has_text="Versions").click()
    expect(page.get_by_role("button", name="half way").first).to_be_visible()
    assert saved(folder, "kept")["job"]["masks"] == ["kept_mask.mp4"]
