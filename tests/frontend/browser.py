"""Headless Chromium that draws by software: WebGL2 without a graphics card."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, sync_playwright

from tests.web.browser import QUIET, find_chromium

SOFTWARE_GRAPHICS = ["--use-angle=swiftshader", "--enable-unsafe-swiftshader"]


@pytest.fixture(scope="module")
def graphics() -> Iterator[Browser]:
    found = find_chromium()
    arguments = [one for one in QUIET if one != "--disable-gpu"] + SOFTWARE_GRAPHICS
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=found, args=arguments)
        yield browser
        browser.close()
