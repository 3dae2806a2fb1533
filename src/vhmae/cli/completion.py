"""``vhmae completion``: a script by which a shell completes commands, options and files."""

from __future__ import annotations

import argparse
import dataclasses
import typing
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Literal

from vhmae.cli.options import add_options, add_report_options, given_options, option_of
from vhmae.cli.parser import add_command, write_report
from vhmae.options import build_options, option

Shell = Literal["bash", "zsh", "tcsh"]


@dataclasses.dataclass(frozen=True, kw_only=True)
class CompletionJob:
    """A script to print."""

    shell: Shell = option(positional=True)
    """The shell that completes."""


def add_completion(commands: Any) -> None:
    """Add the command."""
    text = "print a script by which a shell completes commands, options and files"
    parser = add_command(commands, "completion", _completion, text)
    add_options(parser, CompletionJob, required=True)
    add_report_options(parser)


def _completion(args: Any) -> None:
    job = build_options(CompletionJob, given_options(args, CompletionJob))
    import shtab

    from vhmae.cli import build_parser  # of all commands: what the script knows is read off it

    program = build_parser()
    for action in _actions(program):
        one = option_of(action)
        if one is not None and Path in (one.hint, *typing.get_args(one.hint)):
            action.complete = shtab.FILE  # type: ignore[attr-defined]  # where shtab looks for it
    script = shtab.complete(program, job.shell)
    write_report({"schema": 1, "shell": job.shell, "script": script}, args.json)
    print(script)


def _actions(parser: argparse.ArgumentParser) -> Iterator[argparse.Action]:
    for action in parser._actions:
        yield action
        if isinstance(action, argparse._SubParsersAction):
            for inner in action.choices.values():
                yield from _actions(inner)
