"""Flags read off the fields of jobs (``vhmae.options``): added to a parser, and read again."""

from __future__ import annotations

import argparse
import dataclasses
import functools
import json
import typing
from collections.abc import Callable, Collection, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any

from vhmae.cli.parser import Parser, is_address, location
from vhmae.errors import InputError
from vhmae.options import MISSING, Option, option, options_of, values_from_json, values_of
from vhmae.work.job import AnalysisJob
from vhmae.work.project import is_project, project_values, reported_values

REPORTED = "what is reported"


@dataclasses.dataclass(frozen=True, kw_only=True)
class ReportOptions:
    """What every command tells."""

    json: Path | None = option(None, metavar="FILE", group=REPORTED)
    """Write the report."""
    quiet: bool = option(False, flag="-q/--quiet", group=REPORTED)
    """Print errors only."""
    verbose: bool = option(False, flag="-v/--verbose", group=REPORTED)
    """Print more: where the time went, and where an internal error lies."""


def add_report_options(parser: Parser) -> None:
    add_set_options(parser, ReportOptions)


def add_set_options(parser: Parser, kind: type) -> None:
    """Add options that are always there, with what they usually are where they are not given."""
    add_options(parser, kind)
    parser.set_defaults(**values_of(kind()))


def add_options(
    parser: Parser,
    kind: type,
    leave_out: Collection[str] = (),
    only: Collection[str] | None = None,
    usual: Mapping[str, Any] = MappingProxyType({}),
    required: bool = False,
) -> None:
    """Add the options of a job.

    Flags that are not given are not set, so that a job file's values can stand in for them; see
    :func:`given_options`.

    Args:
        usual: told in the place of what an option usually is.
        required: whether what has no default must be on the command line, since no file can say it.
    """
    groups: dict[str, Any] = {}
    for one in options_of(kind):
        if one.name in leave_out or (only is not None and one.name not in only):
            continue
        if one.group and one.group not in groups:
            groups[one.group] = parser.add_argument_group(one.group)
        own = dataclasses.replace(one, default=usual.get(one.name, one.default))
        _add(groups.get(one.group, parser), own, required)


def _add(parser: Any, one: Option, required: bool) -> None:
    means = one.without or one.help
    told = f"{means.rstrip('.')}{_usual(one)}".replace("%", "%%")
    more: dict[str, Any] = {"default": argparse.SUPPRESS, "help": told}
    if one.is_switch:
        more |= {"dest": one.name, "action": "store_const", "const": not one.default}
        _named(parser.add_argument(*one.flags, **more), one)
        return
    more["type"] = _type(one)
    if one.choices and not one.metavar:
        more["choices"] = one.choices
    else:
        more["metavar"] = one.metavar or one.name.upper()
    several = ("+" if one.default is MISSING else "*") if one.is_list else None
    if not one.flags:
        more["nargs"] = several or (None if one.default is MISSING else "?")
        more["type"] = functools.partial(_unless_absent, more["type"])
        _named(parser.add_argument(one.name, **more), one)
        return
    if one.is_list and one.together:
        more["nargs"] = several
    elif one.is_list:
        more["action"] = "append"
    more |= {"dest": one.name, "required": required and one.default is MISSING}
    _named(parser.add_argument(*one.flags, **more), one)


def _named(action: Any, one: Option) -> None:
    action.option = one


def option_of(action: argparse.Action) -> Option | None:
    """The option that a flag, or an argument without one, was made of; None of others."""
    return getattr(action, "option", None)


def _usual(one: Option) -> str:
    """The default, where the help does not say it."""
    if one.is_switch or one.default in (MISSING, None, (), "") or one.help.rstrip(".")[-1:] == ")":
        return ""
    return f" ({_written(one, one.default)})"


def _written(one: Option, value: Any) -> str:
    if isinstance(value, tuple) and one.form is not None:
        return one.form.between.join(_written(one, part) for part in value)
    return f"{value:g}" if isinstance(value, float) else str(value)


def _type(one: Option) -> Callable[[str], Any]:
    if one.role == "input":
        return location
    if one.is_list and one.form is None:
        kind: type = typing.get_args(one.hint)[0]
        return kind
    if one.choices and not one.metavar:
        return str  # argparse tells what is known
    return functools.partial(_parsed, one)


def _unless_absent(read: Callable[[str], Any], text: str) -> Any:
    """What a text stands for. Python before 3.12 reads a default, too, if it is a text: the mark of
    an argument that is not there is one."""
    return text if text is argparse.SUPPRESS else read(text)


def _parsed(one: Option, text: str) -> Any:
    if one.form is not None:  # it may say in its own words what is wrong
        try:
            return one.form.read(text.strip())
        except ValueError:
            raise argparse.ArgumentTypeError(f"'{text}' is not {one.expected}") from None
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
        if issubclass(kind, AnalysisJob):
            return _with_addresses(reported_values(tree["job"], path, kind), tree["job"])
        tree = tree["job"]
    if not isinstance(tree, dict):
        raise InputError(
            f"{path}: holds no options; give JSON with options by their names, or a report"
        )
    if {"points", "choices", "dials"} & tree.keys():
        raise InputError(f"{path}: is a guide and no job; give it by `guide`")
    if "warnings" in tree and "job" not in tree:
        raise InputError(
            f"{path}: is the report of a command that keeps no job; give that of harmonize, or "
            "JSON with options by their names"
        )
    said = {k: v for k, v in tree.items() if k != "schema"}
    return _with_addresses(values_from_json(kind, said, str(path)), said)


def _with_addresses(values: dict[str, Any], said: dict[str, Any]) -> dict[str, Any]:
    """Values with addresses as they stand in the file: a path folds their slashes."""

    def kept(value: Any, text: Any) -> Any:
        return text if isinstance(value, Path) and is_address(text) else value

    for name, value in values.items():
        text = said.get(name)
        if isinstance(value, tuple) and isinstance(text, list) and len(text) == len(value):
            values[name] = tuple(map(kept, value, text))
        else:
            values[name] = kept(value, text)
    return values
