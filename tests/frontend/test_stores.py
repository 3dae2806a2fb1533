"""What the app keeps, asks of the server and hears of keys, in Node."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.support.node import bundle, run


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return bundle("tests/page.ts", tmp_path_factory.mktemp("page") / "page.mjs")


@pytest.mark.parametrize("tests", ["page.mjs", "saving.mjs"])
def test_the_page_keeps_what_is_said_and_asks_for_no_more(tests: str, page: Path) -> None:
    run(["node", f"tests/{tests}", str(page)])  # its tests, by name
