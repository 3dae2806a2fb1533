"""The picture of docs/browser.md: the page without a server with its example, taken in Chromium.

make browser && python tools/browser_picture.py
"""

from __future__ import annotations

import contextlib
import functools
import http.server
import shutil
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

from app_pictures import PATIENCE_MS, SOFTWARE, click_picture, opened, save
from playwright.sync_api import expect, sync_playwright

BUILT = Path(__file__).parents[1] / "build" / "browser"
SUIT = (0.57, 0.66)
"""A place of the example's first frame, in shares of its size: the orange of her suit."""


class Quiet(http.server.SimpleHTTPRequestHandler):
    def log_message(self, *_: object) -> None:
        pass


@contextlib.contextmanager
def served(folder: Path) -> Iterator[str]:
    handler = functools.partial(Quiet, directory=str(folder))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}/"
        server.shutdown()


def main() -> None:
    if not BUILT.is_dir():
        sys.exit(f"{BUILT}: is not there; run make browser first")
    with sync_playwright() as playwright, served(BUILT) as address:
        browser = playwright.chromium.launch(
            executable_path=shutil.which("chromium"), args=SOFTWARE
        )
        with opened(browser) as page:
            page.goto(address)
            example = page.get_by_role("button", name="Show an example")
            expect(example).to_be_enabled(timeout=PATIENCE_MS)
            example.click()
            expect(page.locator(".take").nth(5)).to_be_visible(timeout=PATIENCE_MS)
            page.get_by_role("button", name="Keep", exact=True).click()
            click_picture(page, SUIT)
            page.locator(".point").wait_for()
            page.mouse.move(5, 5)
            page.wait_for_timeout(500)
            save(page, "browser")
        browser.close()


if __name__ == "__main__":
    main()
