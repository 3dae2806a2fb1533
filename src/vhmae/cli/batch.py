"""``vhmae batch``."""

from __future__ import annotations

import dataclasses
import sys
from pathlib import Path
from typing import Any

from vhmae.cli.parser import (
    add_command,
    add_device_options,
    add_report_options,
    add_strength_options,
    positive,
    write_report,
)
from vhmae.errors import VhmaeError


def add_batch(commands: Any) -> None:
    parser = add_command(commands, "batch", _batch, "harmonize the videos of a table, and go on where one fails")
    parser.add_argument("table", type=Path, metavar="JOBS.csv", help="columns composite, mask, out; and options by their names")
    parser.add_argument("--workers", type=positive, default=1, metavar="N", help="videos at once, each in a process (1)")
    parser.add_argument("--ray", action="store_true", help="spread the videos over a Ray cluster that shares their folders")
    parser.add_argument("--again", action="store_true", help="do what is done, too")
    add_strength_options(parser)
    parser.add_argument("--hold-last-mask", action="store_true", help="let masks that are too short stand still at their ends")
    parser.add_argument("--resume", action="store_true", help="write so that stopped videos can be gone on with, and go on with them")
    parser.add_argument("--strict", action="store_true", help="treat warnings as errors")
    add_device_options(parser)
    add_report_options(parser)


def _batch(args: Any) -> None:
    from vhmae.batch import read_jobs, run_batch
    from vhmae.harmonizer import HarmonizerSettings

    names = ("quality", "strength", "caution", "weights", "device", "precision", "threads")
    settings = HarmonizerSettings(**{name: getattr(args, name) for name in names})
    jobs = read_jobs(args.table, settings, hold_last_mask=args.hold_last_mask, resume=args.resume, strict=args.strict)
    outcomes = []
    for outcome in run_batch(jobs, args.workers, args.again, args.ray):
        outcomes.append(outcome)
        line = f"{len(outcomes)}/{len(jobs)} {outcome.out}: {outcome.status}"
        line += f", {outcome.frames} frames in {outcome.seconds:.1f} s" if outcome.status == "done" else ""
        line += f" ({outcome.message})" if outcome.message else ""
        if outcome.status == "failed":
            print(line, file=sys.stderr)
        elif not args.quiet:
            print(line)
    counts = {status: sum(outcome.status == status for outcome in outcomes) for status in ("done", "skipped", "failed")}
    write_report({"schema": 1, "jobs": [dataclasses.asdict(outcome) for outcome in outcomes], **counts}, args.json)
    if counts["failed"]:
        raise VhmaeError(
            f"{args.table}: {counts['failed']} of {len(jobs)} jobs failed; mend them and run it again (what is done is skipped)"
        )
