"""Headless Chromium for the tests of pages."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterator

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, Page, Route, sync_playwright

# Without these Chromium asks its maker's hosts for things in the background.
QUIET = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
SOFTWARE_GRAPHICS = ["--use-angle=swiftshader", "--enable-unsafe-swiftshader"]


def find_chromium() -> str:
    """Where Chromium is; a test is skipped where there is none, but not in CI."""
    found = os.environ.get("VHMAE_CHROMIUM") or shutil.which("chromium")
    if found is None:
        assert not os.environ.get("CI"), "Chromium is missing; .ci/run installs it"
        pytest.skip(
            "Chromium is not installed (Debian: apt install chromium); VHMAE_CHROMIUM may name it"
        )
    return found


# For a module, not longer: while it runs, its event loop is in the way of tests that have their
# own.
@pytest.fixture(scope="module")
def chromium() -> Iterator[Browser]:
    found = find_chromium()
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=found, args=QUIET)
        yield browser
        browser.close()


@pytest.fixture(scope="module")
def graphics() -> Iterator[Browser]:
    """Headless Chromium that draws by software: WebGL2 without a graphics card."""
    found = find_chromium()
    arguments = [one for one in QUIET if one != "--disable-gpu"] + SOFTWARE_GRAPHICS
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=found, args=arguments)
        yield browser
        browser.close()


def intercept(page: Page, pattern: str, handle: Callable[[Route], None]) -> Callable[[], None]:
    """Have requests handled; calling what is returned lets them through again.

    The route stays: where ``page.unroute`` takes a page's last one away, Chromium never answers
    what the page asks in the same milliseconds. Requests go on while Playwright is waited for, not
    in loops that call none of it.
    """
    held = {"is": True}
    page.route(pattern, lambda route: handle(route) if held["is"] else route.continue_())
    return lambda: held.update({"is": False})


def abort(route: Route) -> None:
    """Fail a request, as if nobody answered."""
    route.abort()


def violations(page: Page) -> list[str]:
    """What axe finds wrong with a page."""
    return [
        f"{found['id']}: {found['nodes'][0]['html'][:120]}"
        for found in Axe().run(page).response["violations"]
    ]
