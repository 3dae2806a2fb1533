"""Every command, and every command of a command, explains itself: they are read off the parser."""

from __future__ import annotations

import argparse
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from vhmae import cli
from vhmae.cli import build_parser
from vhmae.evaluation.grammar import CLASSICAL, METHODS
from vhmae.options import options_of
from vhmae.work.job import HarmonizeJob


def commands_of(
    parser: argparse.ArgumentParser, words: tuple[str, ...] = ()
) -> Iterator[tuple[tuple[str, ...], argparse.ArgumentParser]]:
    """A parser and all that it hands over to, with the words that lead there."""
    yield words, parser
    for action in parser._actions:
        if isinstance(action, argparse._SubParsersAction):
            for name, inner in action.choices.items():
                yield from commands_of(inner, (*words, name))


COMMANDS = list(commands_of(build_parser()))


def test_a_command_that_is_built_alone_is_as_it_is_among_all() -> None:
    whole = [(words, parser) for words, parser in COMMANDS if words]
    assert list(cli.COMMANDS) == [words[0] for words, _ in whole if len(words) == 1]
    for name in cli.COMMANDS:
        alone = [one for one in commands_of(build_parser(name)) if one[0]]
        among = [one for one in whole if one[0][0] == name]
        assert [(words, parser.format_help()) for words, parser in alone] == [
            (words, parser.format_help()) for words, parser in among
        ]


def test_other_commands_are_not_imported() -> None:
    code = (
        "import sys; from vhmae.cli import build_parser; build_parser('harmonize'); "
        "print(*sys.modules)"
    )
    told = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    ).stdout.split()
    assert "vhmae.cli.harmonize" in told
    assert not {"vhmae.cli.app", "vhmae.cli.study", "vhmae.cli.train"} & {*told}


@pytest.mark.parametrize("words", [words for words, _ in COMMANDS], ids=" ".join)
def test_every_command_explains_itself(
    words: tuple[str, ...], capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as stop:
        cli.main([*words, "--help"])
    assert stop.value.code == 0
    assert capsys.readouterr().out.startswith(" ".join(("usage: vhmae", *words)))


def test_commands_of_commands_are_among_them() -> None:
    found = {words for words, _ in COMMANDS}
    assert {(), ("demo",), ("doctor",), ("study", "create"), ("rcvh", "build")} <= found


@pytest.mark.parametrize(("words", "parser"), COMMANDS[1:])
def test_every_command_says_what_it_does(
    words: tuple[str, ...], parser: argparse.ArgumentParser
) -> None:
    assert parser.description, words


def test_a_flag_that_leaves_out_says_what_it_leaves_out(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        cli.main(["harmonize", "--help"])
    told = " ".join(capsys.readouterr().out.split())
    done_by_default = [one for one in options_of(HarmonizeJob) if one.is_switch and one.default]
    assert len(done_by_default) == 3
    for one in done_by_default:
        assert one.without, one.name
        assert f"{one.flags[0]} {one.without}" in told
        assert one.help.rstrip(".") not in told


LEAVES = [(words, parser) for words, parser in COMMANDS if not parser._subparsers]


@pytest.mark.parametrize(("words", "parser"), LEAVES, ids=[" ".join(words) for words, _ in LEAVES])
def test_what_may_be_left_out_leaves_no_mark_behind(
    words: tuple[str, ...], parser: argparse.ArgumentParser
) -> None:
    """argparse's mark of what is not there is a text, which Python before 3.12 reads as a value."""
    given = list(words)
    for action in parser._actions:
        if action.required and action.nargs != 0:
            given += [*action.option_strings[:1], next(iter(action.choices or ("a.mp4",)))]
    values = vars(build_parser().parse_args(given))
    assert [name for name, value in values.items() if argparse.SUPPRESS in str(value)] == []
    left_out = [action.dest for action in parser._actions if action.nargs == "?"]
    assert {name: values[name] for name in left_out if values.get(name) is not None} == {}


def read(*words: str) -> dict[str, Any]:
    """The values that a command line stands for."""
    values = vars(build_parser().parse_args(words))
    return {name: value for name, value in values.items() if name != "parser"}


@pytest.mark.parametrize("words", [("export", "cube"), ("harmonize",), ("preview",), ("compare",)])
def test_the_composite_may_stand_behind_options(words: tuple[str, ...]) -> None:
    orders = [("a.mp4", "--mask", "m.mp4", "-o", "out"), ("--mask", "m.mp4", "a.mp4", "-o", "out")]
    orders += [("--mask", "m.mp4", "-o", "out", "a.mp4")]
    more = ("--method", "mkl") if words == ("compare",) else ()
    parsed = [read(*words, *order, *more) for order in orders]
    named = "composite" if words == ("compare",) else "composite_given"
    assert parsed[0][named] == Path("a.mp4")
    assert parsed[1:] == parsed[:1] * 2


def test_a_word_too_many_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["export", "cube", "a.mp4", "--mask", "m.mp4", "-o", "o", "b.mp4"]) == 2
    assert "b.mp4: is a word too many" in capsys.readouterr().err
    assert cli.main(["weights", "join", "a", "b", "-o", "o", "c.mp4"]) == 2
    assert "c.mp4: is a word too many" in capsys.readouterr().err


def test_the_help_of_evaluate_knows_every_method(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        cli.main(["evaluate", "--help"])
    told = " ".join(capsys.readouterr().out.split())
    named = re.search(r"NAME is one of (.*?); repeatable", told)
    assert named is not None
    names = re.sub(r"\(.*?\)", "", named[1]).split(",")
    assert {name.strip() for name in names} == {*METHODS}
    mixed = re.search(r"How far (.*?) go; of gain", told)
    assert mixed is not None
    assert {*re.split(r", | and ", mixed[1]), "gain"} == {*CLASSICAL}
