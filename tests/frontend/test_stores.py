"""What the app keeps, asks of the server and hears of keys, in Node."""

from __future__ import annotations

from pathlib import Path

from tests.support.node import bundle, run


def test_the_page_keeps_what_is_said_and_asks_for_no_more(tmp_path: Path) -> None:
    page = bundle("tests/page.ts", tmp_path / "page.mjs")
    run(["node", "tests/page.mjs", str(page)])  # its tests, by name
