"""``vhmae matte``."""

from __future__ import annotations

import sys
from typing import Any

from vhmae.cli.options import add_options, add_report_options, given_options
from vhmae.cli.parser import add_command, write_report
from vhmae.cli.words import print_warnings
from vhmae.errors import InputError, counted
from vhmae.matting.job import MatteJob
from vhmae.options import build_options, check_ways


def add_matte(commands: Any) -> None:
    parser = add_command(commands, "matte", _matte, "cut the foreground out of a video")
    add_options(parser, MatteJob, leave_out=["progress"], required=True)
    add_report_options(parser)


def _matte(args: Any) -> None:
    given = given_options(args, MatteJob)
    job = build_options(MatteJob, {**given, "progress": sys.stderr.isatty() and not args.quiet})
    if job.output is None and job.foreground is None:
        raise InputError("-o: missing; name the matte, or the foreground by --foreground, or both")
    check_ways(job, job.way, "with")
    from vhmae.matting.run import matte_video

    report = matte_video(job)
    write_report(report, args.json)
    print_warnings(report["warnings"], args.quiet)
    if not args.quiet:
        made = " and ".join(str(path) for path in (job.output, job.foreground) if path is not None)
        print(
            f"{made}: {counted(report['frames'], 'frame')} in {report['seconds']:.1f} s, "
            "foreground "
            f"{100 * report['foreground_ratio']:.0f} %"
        )
