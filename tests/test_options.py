"""Options are fields of dataclasses: what is typed, shown and refused is read off them."""

from __future__ import annotations

import argparse
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from vhmae.cli import build_parser, main
from vhmae.cli.options import option_of
from vhmae.options import NATURAL, POSITIVE, RANGE, WORDS, Form

BY_HAND = {"composite_given", "kind", "keys", "help", "version", argparse.SUPPRESS}
"""Of `harmonize`, what may be a pipe or lie behind --background; of `export`, kinds of two jobs; of
`train`, what only lists."""
SOURCE = Path(__file__).parents[1] / "src" / "vhmae"


def actions(
    parser: argparse.ArgumentParser, words: str = "vhmae"
) -> Iterator[tuple[str, argparse.Action]]:
    for action in parser._actions:
        if isinstance(action, argparse._SubParsersAction):
            for name, inner in action.choices.items():
                yield from actions(inner, f"{words} {name}")
        else:
            yield words, action


def test_every_option_of_every_command_is_a_field() -> None:
    others = [
        (words, action.dest)
        for words, action in actions(build_parser())
        if option_of(action) is None and action.dest not in BY_HAND
    ]
    assert others == []


def test_every_option_says_what_it_means() -> None:
    silent = [(words, action.dest) for words, action in actions(build_parser()) if not action.help]
    assert silent == []


def test_the_library_names_options_by_their_fields() -> None:
    """Not by flags, which only the command line has: it puts them in the place of `fields`."""
    for path in SOURCE.rglob("*.py"):
        if "cli" in path.parts or path.name in ("job.py", "commands.py", "taking.py"):
            continue
        for error in re.findall(r"InputError\((?:[^()]|\([^()]*\))*\)", path.read_text()):
            if "vhmae " not in error:  # a command that helps, to be typed
                assert not re.search(r"(?<![\w-])--[a-z]", error), f"{path}: {error}"


@pytest.mark.parametrize(
    ("form", "text", "value"),
    [
        (NATURAL, "0", 0),
        (POSITIVE, "3", 3),
        (RANGE, "0.3:0.8", (0.3, 0.8)),
        (RANGE, "2", (2.0, 2.0)),
        (WORDS, "a, b,,c", ("a", "b", "c")),
    ],
)
def test_what_texts_stand_for(form: Form, text: str, value: object) -> None:
    assert form.read(text) == value


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["matte", "a.mp4", "-o", "m.mkv"], "--with: missing"),
        (["matte", "--with", "rvm", "-o", "m.mkv"], "VIDEO: missing"),
        (["matte", "a", "--with", "cutter"], "--with cutter: unknown"),
        (["matte", "a", "--with", "rvm", "--threads", "0", "-o", "m.mkv"], "from 1 up"),
        (["matte", "a", "--with", "rvm", "--matte-ratio", "x"], "--matte-ratio: 'x' is not"),
        (
            ["matte", "a", "--with", "rvm", "--no-despill", "-o", "m.mkv"],
            "--no-despill: is for --with chroma, not for rvm; leave it out",
        ),
        (
            ["matte", "a", "--with", "chroma", "--matte-ratio", ".5", "-o", "m.mkv"],
            "--matte-ratio: is for --with rvm, not for chroma; leave it out",
        ),
        (
            ["rcvh", "build", "--raw", "r", "--out", "o", "--matte", "rvm", "--key", "blue"],
            "--key: is for --matte chroma, not for rvm; leave it out",
        ),
        (["rcvh", "build", "--raw", "r", "--out", "o"], "--matte: missing"),
        (["study", "create", "--input", "i", "-o", "s"], "--method: missing"),
        (["study", "create", "--input", "i", "-o", "s", "--method", "a="], "--method a=: is empty"),
        (["synthesize", "--videos", "v", "--strength", "a:b", "-o", "s"], "'a:b' is not LOW:HIGH"),
        (["evaluate", "--data", "d", "--size", "0"], "'0' is not a number from 1 up"),
        (["weights", "join", "-o", "w.safetensors"], "missing"),
    ],
)
def test_what_is_refused(words: list[str], told: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(words) == 2
    assert told in capsys.readouterr().err
