"""Flags read off the fields of jobs (``vhmae.options``): added to a parser, and read again."""

from __future__ import annotations

import argparse
import dataclasses
import functools
import json
from collections.abc import Callable, Collection, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any

from vhmae.cli.parser import Parser, location
from vhmae.errors import InputError
from vhmae.options import MISSING, Option, options_of, values_from_json
from vhmae.work.project import is_project, project_values


def add_options(
    parser: Parser,
    kind: type,
    leave_out: Collection[str] = (),
    only: Collection[str] | None = None,
    usual: Mapping[str, Any] = MappingProxyType({}),
) -> None:
    """Add the options of a job; ``usual`` is told in the place of what an option usually is.

    Flags that are not given are not set, so that a job file's values can stand in for them; see
    :func:`given_options`.
    """
    groups: dict[str, Any] = {}
    for one in options_of(kind):
        if one.name in leave_out or (only is not None and one.name not in only):
            continue
        if one.group and one.group not in groups:
            groups[one.group] = parser.add_argument_group(one.group)
        own = dataclasses.replace(one, default=usual.get(one.name, one.default))
        _add(groups.get(one.group, parser), own)


def _add(parser: Any, one: Option) -> None:
    means = one.without or one.help
    told = f"{means.rstrip('.')}{_usual(one)}".replace("%", "%%")
    more: dict[str, Any] = {"dest": one.name, "default": argparse.SUPPRESS, "help": told}
    if one.is_switch:
        parser.add_argument(*one.flags, action="store_const", const=not one.default, **more)
        return
    more["type"] = _type(one)
    if one.choices and not one.metavar:
        more["choices"] = one.choices
    else:
        more["metavar"] = one.metavar or one.name.upper()
    if one.is_list:
        more["action"] = "append"
    parser.add_argument(*one.flags, **more)


def _usual(one: Option) -> str:
    """The default, where the help does not say it."""
    if one.is_switch or one.default in (MISSING, None, ()) or one.help.rstrip(".").endswith(")"):
        return ""
    number = f"{one.default:g}" if isinstance(one.default, float) else one.default
    return f" ({number})"


def _type(one: Option) -> Callable[[str], Any]:
    if one.role == "input":
        return location
    if one.is_list:
        return str
    if one.choices and not one.metavar:
        return str  # argparse tells what is known
    return functools.partial(_parsed, one)


def _parsed(one: Option, text: str) -> Any:
    try:
        return one.parse(text)
    except InputError:
        raise argparse.ArgumentTypeError(f"'{text}' is not {one.expected}") from None


def given_options(args: Any, kind: type) -> dict[str, Any]:
    """The options of a job that were given, on the command line or else by ``--job``."""
    values: dict[str, Any] = {}
    if getattr(args, "job", None) is not None:
        values = read_job_file(args.job, kind)
    for one in options_of(kind):
        if hasattr(args, one.name):
            value = getattr(args, one.name)
            values[one.name] = tuple(value) if one.is_list else value
    return values


def read_job_file(path: Path, kind: type) -> dict[str, Any]:
    """The options of a job file: a JSON object of options, a report that holds them under "job", or
    a project."""
    try:
        tree = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        reason = getattr(error, "strerror", None) or error
        told = f"is no job file ({reason}); give JSON with options by their names, or a report"
        raise InputError(f"{path}: {told}") from None
    if is_project(tree):
        return project_values(tree, path, kind)
    if isinstance(tree, dict) and isinstance(tree.get("job"), dict):
        tree = tree["job"]
    if not isinstance(tree, dict):
        raise InputError(
            f"{path}: holds no options; give JSON with options by their names, or a report"
        )
    return values_from_json(kind, {k: v for k, v in tree.items() if k != "schema"}, str(path))
