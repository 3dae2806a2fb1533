"""``vhmae batch``."""

from __future__ import annotations

import dataclasses
import sys
from pathlib import Path
from typing import Any

from vhmae.cli.options import add_options, given_options
from vhmae.cli.parser import add_command, add_report_options, positive, write_report
from vhmae.cli.words import with_flags
from vhmae.errors import VhmaeError, counted
from vhmae.options import options_of
from vhmae.work.job import HarmonizeJob
from vhmae.work.jobs_table import read_jobs


def add_batch(commands: Any) -> None:
    parser = add_command(
        commands, "batch", _batch, "harmonize the videos of a table, and go on where one fails"
    )
    parser.add_argument(
        "table",
        type=Path,
        metavar="JOBS.csv",
        help="columns composite, mask, out; and options by their names",
    )
    parser.add_argument(
        "--workers",
        type=positive,
        default=1,
        metavar="N",
        help="videos at once, each in a process (1)",
    )
    parser.add_argument(
        "--ray",
        action="store_true",
        help="spread the videos over a Ray cluster that shares their folders",
    )
    parser.add_argument("--again", action="store_true", help="do what is done, too")
    files = [one.name for one in options_of(HarmonizeJob) if one.role != "plain"]
    add_options(parser, HarmonizeJob, leave_out=[*files, "progress"])
    add_report_options(parser)


def _batch(args: Any) -> None:
    jobs = read_jobs(args.table, given_options(args, HarmonizeJob))
    from vhmae.work.batch import run_batch

    outcomes = []
    for outcome in run_batch(jobs, args.workers, args.again, args.ray):
        outcomes.append(outcome)
        line = f"{len(outcomes)}/{len(jobs)} {outcome.out}: {outcome.status}"
        line += (
            f", {counted(outcome.frames, 'frame')} in {outcome.seconds:.1f} s"
            if outcome.status == "done"
            else f", would be {counted(outcome.frames, 'frame')}"
            if outcome.status == "checked"
            else ""
        )
        line += f" ({with_flags(outcome.message)})" if outcome.message else ""
        if outcome.status == "failed":
            print(line, file=sys.stderr)
        elif not args.quiet:
            print(line)
            for shot in outcome.needed:
                print(f"  shot {shot['shot']} still needed: {shot['words']}")
    counts = {
        status: sum(outcome.status == status for outcome in outcomes)
        for status in ("done", "checked", "skipped", "failed")
    }
    write_report(
        {"schema": 1, "jobs": [dataclasses.asdict(outcome) for outcome in outcomes], **counts},
        args.json,
    )
    if counts["failed"]:
        raise VhmaeError(
            f"{args.table}: {counts['failed']} of {counted(len(jobs), 'job')} failed; mend that "
            f"and run it "
            "again (what is done is skipped)"
        )
