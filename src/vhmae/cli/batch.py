"""``vhmae batch``."""

from __future__ import annotations

import dataclasses
import sys
from typing import Any

from vhmae.cli.options import add_options, add_report_options, given_options
from vhmae.cli.parser import add_command, write_report
from vhmae.cli.words import with_flags
from vhmae.errors import VhmaeError, counted
from vhmae.memory import keep_one_heap
from vhmae.options import build_options, options_of
from vhmae.work.job import BatchJob, HarmonizeJob
from vhmae.work.jobs_table import read_jobs


def add_batch(commands: Any) -> None:
    parser = add_command(
        commands, "batch", _batch, "harmonize the videos of a table, and go on where one fails"
    )
    add_options(parser, BatchJob, required=True)
    files = [one.name for one in options_of(HarmonizeJob) if one.role != "plain"]
    add_options(parser, HarmonizeJob, leave_out=[*files, "progress"])
    add_report_options(parser)


def _batch(args: Any) -> None:
    keep_one_heap()
    work = build_options(BatchJob, given_options(args, BatchJob))
    jobs = read_jobs(work.table, given_options(args, HarmonizeJob))
    from vhmae.work.batch import run_batch
    from vhmae.work.ledger import Ledger

    outcomes = []
    ledger = Ledger.beside(work.table)
    for outcome in run_batch(jobs, work.workers, work.again, work.ray, ledger):
        outcomes.append(outcome)
        line = f"{len(outcomes)}/{len(jobs)} {outcome.out}: {outcome.status}"
        line += (
            f", {counted(outcome.frames, 'frame')} in {outcome.seconds:.1f} s"
            if outcome.status == "done"
            else f", would be {counted(outcome.frames, 'frame')}"
            if outcome.status == "checked" and outcome.frames
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
            f"{work.table}: {counts['failed']} of {counted(len(jobs), 'job')} failed; mend that "
            "and run it "
            "again (what is done is skipped)"
        )
