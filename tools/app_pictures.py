"""The pictures of docs/app-views.md: every view of the app, taken in Chromium before the real
server, over the demo's photographs, which are CC0 or in the public domain.

python tools/app_pictures.py [NAME ...]
"""

from __future__ import annotations

import contextlib
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import cv2
import numpy as np
from playwright.sync_api import Browser, Page, ViewportSize, expect, sync_playwright

from vhmae.work.demo import HEIGHT, WIDTH

PICTURES = Path(__file__).parents[1] / "docs" / "pictures"
PHOTOGRAPHS = Path(__file__).parents[1] / "src" / "vhmae" / "assets" / "demo"
SIZE = ViewportSize(width=1280, height=800)
TABLET = ViewportSize(width=820, height=1180)
MOST_BYTES = 150_000
PATIENCE_MS = 240_000
HAIR, STRIPE = (0.55, 0.12), (0.575, 0.72)
"""Places of the demo's first frame, in shares of its size: her hair, and a white of her suit."""
SIGN_IN = "app-sign-in"
SOFTWARE = ["--no-sandbox", "--use-angle=swiftshader", "--enable-unsafe-swiftshader"]

SCOPED = """() => {
  const scope = document.querySelector(".scopes canvas.waveform");
  const { width, height } = scope;
  return scope.getContext("2d").getImageData(0, 0, width, height).data.some(Boolean);
}"""
"""Scopes are drawn when nothing else is."""

View = Callable[[Page], None]
VIEWS: dict[str, View] = {}
"""By the name of the picture: each begins with the demo's first frame, as it came, and shows what
is to be taken; all on one page, one after the other."""


def view(taken: View) -> View:
    VIEWS[f"app-{taken.__name__.replace('_', '-')}"] = taken
    return taken


def begin(page: Page) -> None:
    """The demo as it came, whatever the view before has left."""
    for dialog in page.locator("dialog").all():
        dialog.press("Escape")
    page.set_viewport_size(SIZE)
    if page.locator(".stage").count() == 0:
        page.goto(page.url.partition("#")[0])
        expect(page.locator(".take").first).to_be_enabled(timeout=PATIENCE_MS)
    page.get_by_label("Language").or_(page.get_by_label("Sprache")).select_option("en")
    if page.get_by_role("button", name="Dark surroundings").count():
        page.get_by_role("button", name="Dark surroundings").click()
    page.evaluate("document.activeElement.blur()")
    page.keyboard.press("Escape")
    for key, shown in (("m", "[title^=Matte]"), ("o", "[title^=Scopes]"), ("q", "[title^=Queue]")):
        if page.locator(f"{shown}[aria-pressed=true]").count():
            page.keyboard.press(key)
    if page.locator("[title^=Fit][aria-pressed=false]").count():
        page.keyboard.press("f")
    settings = page.locator("details", has=page.locator("summary", has_text="Settings"))
    if settings.get_attribute("open") is not None:
        settings.locator("summary").click()
    while page.get_by_role("button", name="Undo", exact=False).first.is_enabled():
        page.keyboard.press("z")
    page.get_by_role("radio", name="Wipe", exact=False).click()
    page.evaluate("document.activeElement.blur()")
    settle(page)


def settle(page: Page) -> None:
    expect(page.locator(".stage[data-ready=true]")).to_be_visible(timeout=PATIENCE_MS)
    expect(page.locator(".clip small")).to_have_text("Saved", timeout=PATIENCE_MS)
    expect(page.locator(".take:disabled")).to_have_count(0, timeout=PATIENCE_MS)
    page.wait_for_timeout(800)  # their thumbnails are drawn a moment later


def click_picture(page: Page, share: tuple[float, float]) -> None:
    box = page.locator(".stage").bounding_box()
    assert box is not None
    scale = min((box["width"] - 24) / WIDTH, (box["height"] - 24) / HEIGHT)
    left = box["x"] + (box["width"] - scale * WIDTH) / 2
    top = box["y"] + (box["height"] - scale * HEIGHT) / 2
    page.mouse.click(left + share[0] * WIDTH * scale, top + share[1] * HEIGHT * scale)


@view
def wipe(page: Page) -> None:
    page.mouse.move(5, 5)


@view
def sides(page: Page) -> None:
    page.keyboard.press("s")


@view
def difference(page: Page) -> None:
    page.keyboard.press("d")


@view
def matte(page: Page) -> None:
    page.keyboard.press("m")


@view
def pixels(page: Page) -> None:
    for _ in range(8):
        page.keyboard.press("+")
    box = page.locator(".stage").bounding_box()
    assert box is not None
    page.mouse.move(box["x"] + 0.6 * box["width"], box["y"] + 0.5 * box["height"])


@view
def scopes(page: Page) -> None:
    page.set_viewport_size({"width": 1600, "height": 1000})
    page.keyboard.press("o")
    page.wait_for_function(SCOPED)


@view
def keys(page: Page) -> None:
    page.keyboard.press("?")


@view
def export(page: Page) -> None:
    page.get_by_role("button", name="Export").click()
    expect(page.locator(".command code")).to_contain_text("vhmae", timeout=PATIENCE_MS)


@view
def takes(page: Page) -> None:
    page.locator(".take").nth(2).click()
    expect(page.locator(".take").first).to_contain_text("as chosen", timeout=PATIENCE_MS)
    settle(page)


@view
def points(page: Page) -> None:
    page.keyboard.press("e")
    click_picture(page, HAIR)
    page.keyboard.press("n")
    click_picture(page, STRIPE)
    expect(page.locator(".came")).to_have_count(2, timeout=PATIENCE_MS)
    settle(page)
    page.keyboard.press("a")
    page.locator(".point").last.scroll_into_view_if_needed()


@view
def dials(page: Page) -> None:
    page.get_by_label("Exposure", exact=True).fill("0.3")
    page.locator("summary", has_text="Settings").click()
    page.get_by_label("Caution").scroll_into_view_if_needed()
    settle(page)


@view
def queue(page: Page) -> None:
    for offer in ("to show a client", "LUT, DCTL"):
        page.get_by_role("button", name="Export").click()
        page.get_by_role("dialog").get_by_role("radio", name=offer).check()
        if offer == "to show a client":
            page.get_by_label("Format").select_option("picture")
        page.get_by_label("Write over a file of that name").check()
        page.get_by_role("button", name="Add to the queue").click()
        page.locator("dialog").wait_for(state="detached")
    expect(page.locator(".render", has_text="finished").first).to_be_visible(timeout=PATIENCE_MS)


@view
def german(page: Page) -> None:
    page.get_by_label("Language").select_option("de")
    page.get_by_role("button", name="Helle Umgebung").click()


@view
def tablet(page: Page) -> None:
    page.set_viewport_size(TABLET)


@view
def bring(page: Page) -> None:
    page.get_by_role("button", name="Back to the files").click()
    page.get_by_role("radio", name="Composite", exact=True).click()
    page.locator(".list .entry", has_text="composite.mp4").first.click()  # beside it: what is open
    expect(page.locator(".slot.filled")).to_be_visible()
    page.mouse.move(5, 5)
    page.wait_for_timeout(1000)


@view
def layers(page: Page) -> None:
    page.get_by_role("button", name="Back to the files").click()
    page.get_by_role("radio", name="Two layers").click()
    page.get_by_role("button", name="rocket.jpg").first.click()
    page.get_by_role("button", name="astronaut.png").first.click()
    page.get_by_role("button", name="Open", exact=True).click()
    expect(page.locator(".take").first).to_be_enabled(timeout=PATIENCE_MS)
    page.locator("summary", has_text="Settings").click()
    page.get_by_role("button", name="Place the foreground").click()
    expect(page.get_by_role("group", name="Foreground at").locator("img")).to_be_visible()
    page.get_by_label("Left", exact=True).fill("150")
    page.get_by_label("Scale", exact=True).fill("0.85")


@view
def damaged(page: Page) -> None:
    page.get_by_role("button", name="Back to the files").click()
    page.get_by_role("radio", name="Composite", exact=True).click()
    page.locator(".list .entry", has_text="damaged.mp4").click()
    page.get_by_role("button", name="Open", exact=True).click()
    page.locator(".failed").wait_for(timeout=PATIENCE_MS)


def sign_in(page: Page, folder: Path) -> None:
    """The one view that another server shows: one for other machines."""
    with served(folder, "--remote", "--host", "127.0.0.1") as address:
        page.goto(address.partition("?")[0])
        page.get_by_role("heading", name="Sign in").wait_for()


@contextlib.contextmanager
def served(folder: Path, *options: str) -> Iterator[str]:
    command = [sys.executable, "-m", "vhmae", "app", str(folder), "--no-browser", "--port", "0"]
    with subprocess.Popen([*command, *options], stdout=subprocess.PIPE, text=True) as server:
        assert server.stdout is not None
        try:
            yield server.stdout.readline().split()[0]
        finally:
            server.terminate()


def fill(folder: Path) -> None:
    """Two layers, and a file that is cut off."""
    shutil.copy(PHOTOGRAPHS / "photographs" / "rocket.jpg", folder)
    colors = cv2.imread(str(PHOTOGRAPHS / "photographs" / "astronaut.png"))
    alpha = cv2.imread(str(PHOTOGRAPHS / "astronaut.png"), cv2.IMREAD_GRAYSCALE)
    assert colors is not None
    assert alpha is not None
    cv2.imwrite(str(folder / "astronaut.png"), np.dstack([colors, alpha]))
    (folder / "damaged.mp4").write_bytes(bytes(4096))


def save(page: Page, name: str) -> None:
    """What a page shows, as JPEG: as good as the most bytes let it be."""
    data = np.frombuffer(page.screenshot(), np.uint8)
    picture = cv2.imdecode(data, cv2.IMREAD_COLOR)
    assert picture is not None
    path = PICTURES / f"{name}.jpg"
    for quality in range(84, 50, -4):
        cv2.imwrite(str(path), picture, [cv2.IMWRITE_JPEG_QUALITY, quality])
        if path.stat().st_size < MOST_BYTES:
            print(f"{path}: {path.stat().st_size} bytes", flush=True)
            return
    sys.exit(f"{path}: larger than {MOST_BYTES} bytes")


@contextlib.contextmanager
def opened(browser: Browser) -> Iterator[Page]:
    context = browser.new_context(viewport=SIZE, locale="en-US", color_scheme="dark")
    page = context.new_page()
    page.set_default_timeout(PATIENCE_MS)
    yield page
    context.close()


def main() -> None:
    wanted = sys.argv[1:] or [*VIEWS, SIGN_IN]
    unknown = set(wanted) - {*VIEWS, SIGN_IN}
    if unknown:
        sys.exit(f"{min(unknown)}: no such view; there are {', '.join([*VIEWS, SIGN_IN])}")
    with tempfile.TemporaryDirectory() as place, sync_playwright() as playwright:
        folder = Path(place)
        fill(folder)
        browser = playwright.chromium.launch(
            executable_path=shutil.which("chromium"), args=SOFTWARE
        )
        with served(folder, "--demo") as address, opened(browser) as page:
            page.goto(address)
            expect(page.locator(".take").first).to_be_enabled(timeout=PATIENCE_MS)
            page.locator(".reading-note").wait_for(state="detached", timeout=PATIENCE_MS)
            for name in (one for one in wanted if one in VIEWS):
                begin(page)
                VIEWS[name](page)
                page.wait_for_timeout(500)
                save(page, name)
        if SIGN_IN in wanted:
            with opened(browser) as page:
                sign_in(page, folder)
                save(page, SIGN_IN)
        browser.close()


if __name__ == "__main__":
    main()
