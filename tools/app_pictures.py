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

PICTURES = Path(__file__).parents[1] / "docs" / "pictures"
PHOTOGRAPHS = Path(__file__).parents[1] / "src" / "vhmae" / "assets" / "demo"
SIZE = ViewportSize(width=1280, height=800)
TABLET = ViewportSize(width=820, height=1180)
MOST_BYTES = 150_000
PATIENCE_MS = 900_000
HAIR, STRIPE = (0.55, 0.12), (0.575, 0.72)
"""Places of the demo's first frame, in shares of its size: her hair, and a white of her suit."""
SOFTWARE = ["--no-sandbox", "--use-angle=swiftshader", "--enable-unsafe-swiftshader"]

View = Callable[[Page, str], None]
VIEWS: dict[str, View] = {}
"""By the name of the picture: each begins with the address of the app and leaves the page as it is
to be taken."""


def view(taken: View) -> View:
    VIEWS[f"app-{taken.__name__}"] = taken
    return taken


def forget(page: Page, address: str) -> None:
    """Take back what an earlier view has said of the clip."""
    session = page.request.get(f"{address}api/session").json()
    headers = {"x-csrf-token": session["csrf"]}
    for number in session["open"]:
        facts = page.request.get(f"{address}api/projects/{number}").json()
        document = {**facts["document"], "guide": {"schema": 1}}
        body = {"revision": facts["revision"], "document": document}
        page.request.put(f"{address}api/projects/{number}/document", data=body, headers=headers)


def demo(page: Page, address: str) -> None:
    """The demo, read and shown."""
    forget(page, address)
    page.goto(address)
    expect(page.locator(".take").first).to_be_enabled(timeout=PATIENCE_MS)
    page.locator(".reading-note").wait_for(state="detached", timeout=PATIENCE_MS)
    settle(page)


def settle(page: Page) -> None:
    expect(page.locator(".stage[data-ready=true]")).to_be_visible(timeout=PATIENCE_MS)
    expect(page.locator(".clip small")).to_have_text("Saved", timeout=PATIENCE_MS)
    page.wait_for_timeout(600)  # thumbnails of takes, and scopes, are drawn a moment later


def click_picture(page: Page, share: tuple[float, float]) -> None:
    box = page.locator(".stage").bounding_box()
    assert box is not None
    scale = min((box["width"] - 24) / 854, (box["height"] - 24) / 480)
    left = box["x"] + (box["width"] - scale * 854) / 2
    top = box["y"] + (box["height"] - scale * 480) / 2
    page.mouse.click(left + share[0] * 854 * scale, top + share[1] * 480 * scale)


@view
def bring(page: Page, address: str) -> None:
    demo(page, address)
    page.get_by_role("button", name="Back to the files").click()
    page.get_by_role("button", name="composite.mp4").first.click()
    page.wait_for_timeout(1500)


@view
def layers(page: Page, address: str) -> None:
    demo(page, address)
    page.get_by_role("button", name="Back to the files").click()
    page.get_by_role("radio", name="Two layers").click()
    page.get_by_role("button", name="rocket.jpg").first.click()
    page.get_by_role("button", name="astronaut.png").first.click()
    page.get_by_role("button", name="Open", exact=True).click()
    expect(page.locator(".take").first).to_be_enabled(timeout=PATIENCE_MS)
    page.locator("summary", has_text="Settings").click()
    page.get_by_role("button", name="Place the foreground").click()
    expect(page.get_by_role("group", name="Foreground at").locator("img")).to_be_visible()
    page.get_by_label("Left").fill("150")
    page.get_by_label("Scale", exact=True).fill("0.85")
    page.wait_for_timeout(800)


@view
def wipe(page: Page, address: str) -> None:
    demo(page, address)


@view
def takes(page: Page, address: str) -> None:
    demo(page, address)
    page.keyboard.press("v")
    page.locator(".take").nth(2).click()
    expect(page.locator(".take").first).to_contain_text("as chosen", timeout=PATIENCE_MS)
    settle(page)


@view
def points(page: Page, address: str) -> None:
    demo(page, address)
    page.keyboard.press("e")
    click_picture(page, HAIR)
    page.keyboard.press("n")
    click_picture(page, STRIPE)
    expect(page.locator(".came")).to_have_count(2, timeout=PATIENCE_MS)
    settle(page)
    page.keyboard.press("a")
    page.locator(".points").scroll_into_view_if_needed()


@view
def dials(page: Page, address: str) -> None:
    demo(page, address)
    page.get_by_label("Temperature as a number").scroll_into_view_if_needed()
    page.get_by_label("Exposure", exact=True).fill("0.3")
    settle(page)
    page.locator("summary", has_text="Settings").click()
    page.get_by_label("Hue", exact=True).scroll_into_view_if_needed()


@view
def sides(page: Page, address: str) -> None:
    demo(page, address)
    page.keyboard.press("s")
    page.wait_for_timeout(400)


@view
def difference(page: Page, address: str) -> None:
    demo(page, address)
    page.keyboard.press("d")
    page.wait_for_timeout(400)


@view
def matte(page: Page, address: str) -> None:
    demo(page, address)
    page.keyboard.press("m")
    page.wait_for_timeout(400)


@view
def zoom(page: Page, address: str) -> None:
    demo(page, address)
    for _ in range(7):
        page.keyboard.press("+")
    box = page.locator(".stage").bounding_box()
    assert box is not None
    page.mouse.move(box["x"] + 0.6 * box["width"], box["y"] + 0.5 * box["height"])
    page.wait_for_timeout(1500)


@view
def scopes(page: Page, address: str) -> None:
    page.set_viewport_size({"width": 1600, "height": 1000})
    demo(page, address)
    page.wait_for_timeout(1500)


@view
def export(page: Page, address: str) -> None:
    demo(page, address)
    page.get_by_role("button", name="Export").click()
    expect(page.locator(".command code")).to_contain_text("vhmae", timeout=PATIENCE_MS)


@view
def queue(page: Page, address: str) -> None:
    demo(page, address)
    for offer in ("Before and after", "Grade"):
        page.get_by_role("button", name="Export").click()
        page.get_by_role("radio", name=offer).check()
        page.get_by_label("Write over a file of that name").check()
        page.get_by_role("button", name="Add to the queue").click()
    expect(page.locator(".render", has_text="finished").first).to_be_visible(timeout=PATIENCE_MS)


@view
def keys(page: Page, address: str) -> None:
    demo(page, address)
    page.keyboard.press("?")
    page.wait_for_timeout(400)


@view
def german(page: Page, address: str) -> None:
    demo(page, address)
    page.get_by_label("Language").select_option("de")
    page.get_by_role("button", name="Dunkle Umgebung").click()
    page.wait_for_timeout(800)


@view
def tablet(page: Page, address: str) -> None:
    page.set_viewport_size(TABLET)
    demo(page, address)


@view
def damaged(page: Page, address: str) -> None:
    demo(page, address)
    page.get_by_role("button", name="Back to the files").click()
    page.get_by_role("button", name="damaged.mp4").first.click()
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
    """What a page shows, as WebP."""
    data = np.frombuffer(page.screenshot(), np.uint8)
    picture = cv2.imdecode(data, cv2.IMREAD_COLOR)
    assert picture is not None
    path = PICTURES / f"{name}.webp"
    cv2.imwrite(str(path), picture, [cv2.IMWRITE_WEBP_QUALITY, 80])
    size = path.stat().st_size
    print(f"{path}: {size} bytes", flush=True)
    if size > MOST_BYTES:
        sys.exit(f"{path}: larger than {MOST_BYTES} bytes")


def taken(browser: Browser, take: Callable[[Page], None], name: str) -> None:
    """A picture of a page of its own."""
    context = browser.new_context(viewport=SIZE, locale="en-US", color_scheme="dark")
    page = context.new_page()
    page.set_default_timeout(PATIENCE_MS)
    take(page)
    save(page, name)
    context.close()


def main() -> None:
    wanted = sys.argv[1:] or [*VIEWS, "app-sign-in"]
    unknown = set(wanted) - {*VIEWS, "app-sign-in"}
    if unknown:
        sys.exit(f"{min(unknown)}: no such view; there are {', '.join([*VIEWS, 'app-sign-in'])}")
    with tempfile.TemporaryDirectory() as place, sync_playwright() as playwright:
        folder = Path(place)
        fill(folder)
        browser = playwright.chromium.launch(
            executable_path=shutil.which("chromium"), args=SOFTWARE
        )
        views = [name for name in wanted if name in VIEWS]
        with served(folder, "--demo") as address:
            for name in views:
                take = VIEWS[name]
                taken(browser, lambda page, take=take: take(page, address), name)  # type: ignore[misc]  # of a lambda's default mypy knows no type
        if len(views) < len(wanted):
            taken(browser, lambda page: sign_in(page, folder), "app-sign-in")
        browser.close()


if __name__ == "__main__":
    main()
