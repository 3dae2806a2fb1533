"""Commands that the README and the docs show are commands that exist; their tables are those of the
result files."""

from __future__ import annotations

import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.pages import MADE
from vhmae.cli import build_parser
from vhmae.errors import InputError

ROOT = Path(__file__).parents[1]
PAGES = [
    ROOT / "README.md",
    *sorted((ROOT / "docs").rglob("*.md")),
    *sorted((ROOT / "src" / "vhmae" / "assets").glob("*.md")),
]


def commands(page: Path) -> list[str]:
    """Calls of vhmae in code blocks: whole lines, or parts of a pipe."""
    blocks = re.findall(r"```\w*\n(.*?)```", page.read_text(), flags=re.DOTALL)
    parts = [one for block in blocks for line in block.splitlines() for one in line.split(" | ")]
    bare = [re.sub(r"^\s*(?:[A-Z_]+=\S+ )*", "", part) for part in parts]
    return [part for part in bare if part.startswith("vhmae ")]


CODE = re.DOTALL | re.MULTILINE
RECIPES = [
    p.read_text().splitlines()[0].removeprefix("# ")
    for p in sorted((ROOT / "configs").glob("*.yaml"))
]


@pytest.mark.parametrize("command", [*(c for page in PAGES for c in commands(page)), *RECIPES])
def test_a_command_that_is_shown_is_understood(command: str) -> None:
    try:
        build_parser().parse_args(shlex.split(command, comments=True)[1:])
    except InputError as error:
        pytest.fail(f"{command}: {error}")
    except SystemExit as end:  # what only lists things, as --keys does
        if end.code:
            pytest.fail(f"{command}: ends with {end.code}")


def test_there_are_commands_to_check() -> None:
    assert len(commands(ROOT / "README.md")) >= 4


def test_make_targets_that_are_shown_exist() -> None:
    targets = set(re.findall(r"^([\w-]+):", (ROOT / "Makefile").read_text(), flags=re.MULTILINE))
    shown = {
        target
        for page in [*PAGES, ROOT / "CONTRIBUTING.md"]
        for code in re.findall(r"^ *```\w*\n.*?^ *```|`[^`\n]+`", page.read_text(), CODE)
        for words in re.findall(r"(?:^|[`;&|]) *make((?: +[\w=.-]+)+)", code, re.MULTILINE)
        for target in words.split()
        if "=" not in target and not target.startswith("-")
    }
    assert {"demo", "test", "guided", "platforms", "rvm-weights"} <= shown
    assert shown - targets == set()


def test_links_within_the_repository_lead_somewhere() -> None:
    for page in PAGES:
        for target in re.findall(r"\]\(([^)#]+)(?:#[^)]*)?\)", page.read_text()):
            place = page.parent / target
            made = place.parent.name == "reference" and place.stem in MADE
            assert "://" in target or made or place.exists(), f"{page.name}: {target}"


def test_tables_are_those_of_the_result_files() -> None:
    run = subprocess.run(
        [sys.executable, "tables.py", "--check"],
        cwd=ROOT / "benchmarks",
        capture_output=True,
        text=True,
        check=False,
    )
    assert run.returncode == 0, run.stdout + run.stderr


def test_the_examples_run() -> None:
    for example in sorted((ROOT / "examples").glob("*.py")):
        run = subprocess.run(
            [sys.executable, str(example)], capture_output=True, text=True, timeout=120, check=False
        )
        assert run.returncode == 0, run.stderr
