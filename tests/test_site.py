"""The pages of the site that are made of the package hold all that it offers. `make docs` builds
the site and follows its links."""

from __future__ import annotations

import argparse
import ast
import importlib.util
import re
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import pytest
import yaml

import vhmae
from tests.support.pages import MADE
from vhmae.cli import build_parser
from vhmae.config import keys_of
from vhmae.training.recipe import Recipe

ROOT = Path(__file__).parents[1]


@pytest.fixture(scope="module")
def site() -> ModuleType:
    pytest.importorskip("mkdocs")
    spec = importlib.util.spec_from_file_location("site_pages", ROOT / "tools" / "site_pages.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def parsers(parser: argparse.ArgumentParser) -> Iterator[argparse.ArgumentParser]:
    for action in parser._actions:
        if isinstance(action, argparse._SubParsersAction):
            for inner in action.choices.values():
                yield inner
                yield from parsers(inner)


def test_every_command_and_option_stands_on_the_page(site: ModuleType) -> None:
    sections = {
        part.splitlines()[0]: part for part in site.made_pages()["commands"].split("\n## ")[1:]
    }
    alone = [one for one in parsers(build_parser()) if not list(parsers(one))]
    assert [one.prog for one in alone] == list(sections)
    for parser in alone:
        for flag in parser._option_string_actions:
            assert flag in ("-h", "--help") or flag in sections[parser.prog], flag
    assert "Go on" not in sections["vhmae demo"]
    assert "| `--strength" in sections["vhmae harmonize"]
    assert "MASK` | White where the foreground is" in sections["vhmae harmonize"]


def test_sections_of_docstrings_begin_lines() -> None:
    """A section that a wrapped line has swallowed would be read as part of an argument."""
    swallowed = re.compile(
        r"(\S +(Args|Returns|Raises):(\s|$))|(^ *(Args|Returns|Raises): *\S)", re.M
    )
    found = []
    for path in sorted((ROOT / "src").rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, (ast.FunctionDef, ast.ClassDef, ast.Module, ast.AsyncFunctionDef)):
                match = swallowed.search(ast.get_docstring(node) or "")
                found += [f"{path.name}: {match[0]}"] if match else []
    assert not found


def test_every_name_and_key_stands_on_its_page(site: ModuleType) -> None:
    pages = site.made_pages()
    assert {*MADE} == {*pages}
    named = [line.rpartition(".")[2] for line in pages["api"].splitlines() if line[:4] == "::: "]
    assert sorted([*named, "__version__"]) == sorted(vhmae.__all__)
    for key in keys_of(Recipe):
        assert f"| `{key.name.rpartition('.')[2]}` | " in pages["recipe"], key.name
    for recipe in (ROOT / "configs").rglob("*.yaml"):
        assert f'"{recipe.stem}: ' in pages["recipes"], recipe


def test_every_page_is_found_from_the_menu() -> None:
    menu = str(yaml.safe_load((ROOT / "mkdocs.yml").read_text())["nav"])
    pages = [path.relative_to(ROOT / "docs") for path in (ROOT / "docs").rglob("*.md")]
    assert [str(page) for page in pages if f"'{page}'" not in menu] == []
