"""The parser of the command line: one-line errors, and the options that commands share."""

from __future__ import annotations

import argparse
import json
import os
import re
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NoReturn

from vhmae.errors import InputError, did_you_mean, lacks_torch, needs_torch
from vhmae.options import path_of
from vhmae.partial_output import write_text_whole


class Parser(argparse.ArgumentParser):
    """argparse, with our one-line errors instead of a usage block."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**{**kwargs, "allow_abbrev": False})

    def options(self) -> list[str]:
        return [option for action in self._actions for option in action.option_strings]

    def error(self, message: str) -> NoReturn:
        required = re.match(r"the following arguments are required: (.+)", message)
        choice = re.match(
            r"argument (\S+?)(?:/\S+)?: invalid choice: '?(.*?)'? \(choose from (.+)\)", message
        )
        value = re.match(r"argument (\S+?)(?:/\S+)?: (.+)", message)
        if required:
            raise InputError(f"{required[1]}: missing; see {self.prog} --help")
        if choice:
            known = [word.strip(" '") for word in choice[3].split(",")]
            raise InputError(
                f"{choice[1]} {choice[2]}: unknown{did_you_mean(choice[2], known)}; expected one "
                f"of {', '.join(known)}"
            )
        if value:
            raise InputError(f"{value[1]}: {value[2]}; see {self.prog} --help")
        raise InputError(f"{message}; see {self.prog} --help")

    def parse_known_args(self, args: Any = None, namespace: Any = None) -> Any:
        try:
            return super().parse_known_args(args, namespace)
        except ModuleNotFoundError as error:  # a value is read by what needs it
            if not lacks_torch(error):
                raise
            raise InputError(needs_torch(self.prog)) from None

    def parse_args(self, args: Any = None, namespace: Any = None) -> Any:
        parsed, rest = self.parse_known_args(
            _joined(list(sys.argv[1:] if args is None else args)), namespace
        )
        if len(rest) == 1 and not rest[0].startswith("-") and _lacks_composite(parsed):
            parsed.composite_given, rest = location(rest[0]), []
        if rest and hasattr(parsed, "overrides"):
            parsed.overrides = read_overrides(rest, parsed.keys_without_section)
        elif rest:
            command = getattr(parsed, "parser", self)
            typed = [word.partition("=")[0] for word in sys.argv[1:] if args is None]
            typed += [str(word).partition("=")[0] for word in args or ()]
            told = _told_of_rest(rest[0], command.options(), typed)
            raise InputError(f"{rest[0]}: {told}; see {command.prog} --help")
        return parsed


def _told_of_rest(word: str, options: Sequence[str], typed: Sequence[str]) -> str:
    """What is wrong with a word that no argument and no option takes."""
    if word.startswith("-"):
        hint = f" (the file is ./{word})" if Path(word).exists() else did_you_mean(word, options)
        return f"unknown option{hint}"
    wanted = (one for one in ("--mask", "--data") if one in options and one not in typed)
    named = next(wanted, None)
    return "is a word too many" + (f"; name it by its option, as {named} {word}" if named else "")


def _lacks_composite(parsed: argparse.Namespace) -> bool:
    """Whether a command's COMPOSITE may be a word that is left: argparse finds an argument that
    may be left out missing as soon as an option follows the one before it (KIND)."""
    return hasattr(parsed, "composite_given") and parsed.composite_given is None


def _joined(words: list[str]) -> list[str]:
    """``--position -10,5`` as one word: argparse takes what begins with a dash for an option."""
    for place, word in enumerate(words[:-1]):
        if word == "--position" and re.match(r"-[\d.]", words[place + 1]):
            return [*words[:place], f"{word}={words[place + 1]}", *words[place + 2 :]]
    return words


def read_overrides(words: Sequence[str], without_section: Sequence[str] = ()) -> dict[str, str]:
    """``--section.key value`` or ``--section.key=value`` -> {"section.key": "value"}.

    Args:
        without_section: keys that stand in no section.
    """
    overrides: dict[str, str] = {}
    rest = list(words)
    while rest:
        word = rest.pop(0)
        key, equals, value = word.removeprefix("--").partition("=")
        written = key in without_section or re.fullmatch(r"\w+(\.\w+)+", key)
        if not word.startswith("--") or not written:
            known = ["--config", "--resume", "--from", "-o", "--device"]
            known += [f"--{one}" for one in without_section]
            raise InputError(
                f"{word}: unknown option{did_you_mean(word, known)}; a recipe's keys are set by "
                "--section.key value"
            )
        if not equals:
            if not rest:
                raise InputError(f"{word}: has no value; write {word} VALUE")
            value = rest.pop(0)
        overrides[key] = value
    return overrides


def write_report(report: dict[str, Any], path: Path | None) -> None:
    if path is None:
        return
    text = json.dumps(report, indent=1, allow_nan=False) + "\n"
    if is_device(path):
        descriptor = _descriptor(path)
        sys.stdout.flush()
        with (
            path.open("w", encoding="utf-8")
            if descriptor is None
            else os.fdopen(os.dup(descriptor), "w", encoding="utf-8") as device
        ):
            device.write(text)
        return
    target = path.resolve()  # a link stays a link
    write_text_whole(target, text)


def is_device(path: Path) -> bool:
    """Whether a path stands for a pipe, a terminal or the like, which is written to and not
    replaced."""
    return (path.exists() and not path.is_file()) or _descriptor(path) is not None


def _descriptor(path: Path) -> int | None:
    """The number of an open file that a path stands for, as /dev/stdout does: opened by its name,
    it would be cut off."""
    for end in (path, path.readlink()) if path.is_symlink() else (path,):
        number = re.fullmatch(r"(?:/dev|/proc/(?:self|thread-self|\d+))/fd/(\d+)", str(end))
        if number or str(end) in ("/dev/stdout", "/dev/stderr"):
            return int(number[1]) if number else 1 + (str(end) == "/dev/stderr")
    return None


NOTHING_LEFT = "nothing half-written was left"
"""What is said when a command is stopped; commands that work into folders say what stays there."""


def add_command(commands: Any, name: str, run: Callable[[Any], None], text: str) -> Parser:
    parser: Parser = commands.add_parser(name, help=text, description=text)
    parser.set_defaults(run=run, parser=parser, kept_when_stopped=NOTHING_LEFT)
    return parser


def check_web(command: str) -> None:
    """Refuse where the libraries of the pages are not installed."""
    try:
        import alembic  # noqa: F401 - whether it is there
        import fastapi  # noqa: F401 - whether it is there
        import matplotlib  # noqa: F401 - whether it is there
        import scipy  # noqa: F401 - whether it is there
        import uvicorn  # noqa: F401 - whether it is there
    except ImportError as error:
        raise InputError(
            f"{command}: needs {error.name}; install it with: pip install 'vhmae[web]'"
        ) from None


Location = Path | str
"""A path, or an address as it was written: a path would fold its slashes."""


def location(text: str) -> Location:
    if not text.strip():
        raise argparse.ArgumentTypeError("is empty; name a file")
    return text if is_address(text) else path_of(text)


def is_address(text: Any) -> bool:
    """Whether it is written as an address of the web."""
    return isinstance(text, str) and re.match(r"https?://", text, re.IGNORECASE) is not None
