"""A browser that draws, and the app of a module's folder in it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page

from tests.frontend.app import PATIENCE_MS
from tests.support.browser import graphics
from tests.support.scenes import save_bold_weights
from tests.support.server import served

__all__ = ["graphics"]


@pytest.fixture(scope="module")
def weights(tmp_path_factory: pytest.TempPathFactory) -> tuple[str, ...]:
    """Options of a command that runs a tiny network, which changes what it sees by a lot."""
    bold = save_bold_weights(tmp_path_factory.mktemp("weights") / "bold.safetensors")
    return ("--weights", str(bold), "--precision", "fp32", "--device", "cpu")


@pytest.fixture(scope="module")
def address(folder: Path, weights: tuple[str, ...]) -> Iterator[str]:
    """Where the app of a module's ``folder`` is served."""
    with served("app", str(folder), "--no-browser", *weights) as (found, _):
        yield found


@pytest.fixture
def page(graphics: Browser) -> Iterator[Page]:
    """A page of its own, whose scripts must not fail."""
    context = graphics.new_context(
        viewport={"width": 1100, "height": 700}, locale="en-US", color_scheme="dark"
    )
    faults: list[str] = []
    context.on("weberror", lambda one: faults.append(str(one.error)))  # of its other pages, too
    opened = context.new_page()
    opened.set_default_timeout(PATIENCE_MS)
    yield opened
    context.close()
    assert not faults
