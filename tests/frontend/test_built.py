"""The committed pages are those that the sources give; they are small and stay at home."""

from __future__ import annotations

import gzip
import json
import re
from pathlib import Path

import pytest

from tests.support.node import FRONTEND, run

APP = Path(__file__).parents[2] / "src" / "vhmae" / "app"
STATIC = APP / "static"
LARGEST_BYTES = 300_000
"""Of all built files together, compressed."""
SOURCES = sorted([*FRONTEND.glob("app/**/*.ts*"), *FRONTEND.glob("src/**/*.ts*")])


def files_of(folder: Path) -> dict[str, bytes]:
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


def test_the_sources_give_what_is_committed(tmp_path: Path) -> None:
    run(["node", "build.mjs", str(tmp_path)])
    built, committed = files_of(tmp_path), files_of(STATIC)
    assert built.keys() == committed.keys()
    stale = [name for name in built if built[name] != committed[name]]
    assert not stale, f"{stale}: run make frontend and commit what it built"


def test_types_hold() -> None:
    run(["node", "node_modules/typescript/bin/tsc", "--noEmit"])


def test_the_pages_are_small() -> None:
    total = sum(len(gzip.compress(data, 9)) for data in files_of(STATIC).values())
    assert 0 < total < LARGEST_BYTES


def test_nothing_is_loaded_from_elsewhere() -> None:
    for name, data in files_of(STATIC).items():
        # Names of XML's vocabularies are no addresses: nobody fetches them.
        links = re.findall(r"(?:https?:)?//[a-z0-9-]+\.[a-z0-9.-]+[^\"'` )]*", data.decode())
        assert not [link for link in links if "www.w3.org/" not in link], name


def test_the_page_keeps_to_the_policy_of_the_server() -> None:
    page = (STATIC / "index.html").read_text()
    assert not re.search(r"<script(?![^>]*\bsrc=)|<style|\sstyle=|\son[a-z]+=", page)
    script = (STATIC / "assets" / "app.js").read_text()
    assert not re.search(r"\beval\(|new Function\(", script)


CATALOGUES = {
    path.stem.removeprefix("page."): json.loads(path.read_text())
    for path in sorted((APP / "catalogue").glob("page.*.json"))
}


@pytest.mark.parametrize("language", sorted(CATALOGUES))
def test_every_language_says_all_that_english_says(language: str) -> None:
    english, other = CATALOGUES["en"], CATALOGUES[language]
    assert other.keys() == english.keys()
    for key, text in english.items():
        holes = sorted(re.findall(r"\{\w+\}", text))
        assert sorted(re.findall(r"\{\w+\}", other[key])) == holes, key
        assert other[key].strip(), key


def test_every_text_of_the_page_is_in_the_catalogue_and_used() -> None:
    code = "\n".join(path.read_text() for path in SOURCES)
    literal = set(re.findall(r"\bt\(\s*\"([^\"]+)\"", code))
    literal |= {
        key
        for pair in re.findall(r"\? \"([a-z-]+\.?[\w.-]*)\" : \"([a-z-]+\.?[\w.-]*)\"", code)
        for key in pair
        if key in CATALOGUES["en"]
    }
    patterns = [
        re.compile(re.sub(r"\\\$\\\{[^`]*?\\\}", r"[\\w-]+", re.escape(text)))
        for text in re.findall(r"`([a-z][\w.-]*\.\$\{[^`]+\}[\w.${}-]*)`", code)
    ]
    quoted = set(re.findall(r"\"((?:edit|help|word)\.[\w.-]+)\"", code))
    missing = (literal | quoted) - CATALOGUES["en"].keys()
    assert not missing
    used = literal | quoted | set(re.findall(r"\"([\w.-]+)\"", code))
    unused = [
        key
        for key in CATALOGUES["en"]
        if key not in used and not any(pattern.fullmatch(key) for pattern in patterns)
    ]
    assert not unused
