"""What the commands that look at a composite have in common: its name, the options of their job,
its report."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

from vhmae.cli.harmonize import (
    add_composite,
    composite_given,
    fetched_inputs,
)
from vhmae.cli.options import add_options, add_report_options, given_options
from vhmae.cli.parser import Parser, write_report
from vhmae.cli.words import print_warnings
from vhmae.options import build_options

Job = TypeVar("Job")


def add_looking(parser: Parser, kind: type, leave_out: tuple[str, ...] = ()) -> None:
    """Add COMPOSITE and the options of a job to a command.

    Args:
        leave_out: options that the command takes otherwise.
    """
    add_composite(parser, "; the background, where --foreground is given")
    add_options(parser, kind, leave_out=["composite", *leave_out])
    add_report_options(parser)


def report_of(
    args: Any, kind: type[Job], work: Callable[[Job], dict[str, Any]], has_output: bool = True
) -> tuple[Job, dict[str, Any]]:
    """Run a command's job: the job, and its report, which is written where it is asked for and
    whose warnings are told.

    Args:
        work: takes the job.
        has_output: whether the job writes a file, which must be named.
    """
    values = composite_given(args, given_options(args, kind), has_output)
    with fetched_inputs(values, kind, args.allow_url) as local:
        job = build_options(kind, local)
        report = work(job)
    write_report(report, args.json)
    print_warnings(report["warnings"], args.quiet)
    return job, report
