"""``vhmae rcvh build`` and ``review``."""

from __future__ import annotations

import contextlib
import sys
from typing import Any

from vhmae.cli.options import add_options, add_report_options, given_options
from vhmae.cli.parser import Parser, add_command, check_web, write_report
from vhmae.cli.words import print_warnings
from vhmae.errors import counted
from vhmae.options import build_options, check_ways
from vhmae.rcvh.job import BuildJob, ReviewJob


def add_rcvh(commands: Any) -> None:
    parser = commands.add_parser(
        "rcvh",
        help="build real composites from footage, review them",
        description="RCVH (Sec. 3.4).",
    )
    steps = parser.add_subparsers(metavar="STEP", required=True, parser_class=Parser)
    _add_build(steps)
    _add_review(steps)


def _add_build(steps: Any) -> None:
    parser = add_command(
        steps, "build", _build, "cut footage, lay foregrounds over backgrounds of other sources"
    )
    parser.set_defaults(kept_when_stopped="what was built stays; run it again to go on")
    add_options(parser, BuildJob, leave_out=["threads", "progress"], required=True)
    add_report_options(parser)


def _build(args: Any) -> None:
    given = given_options(args, BuildJob)
    job = build_options(BuildJob, {**given, "progress": sys.stderr.isatty() and not args.quiet})
    from vhmae.rcvh.build import build_set
    from vhmae.rcvh.manifest import read_manifest
    from vhmae.video.pictures import check_still

    if job.sheet is not None:
        check_still(job.sheet, [])
    check_web("rcvh build")  # its statistics are a figure
    check_ways(job.footage, job.footage.way, "way")
    report = build_set(job)
    out = job.footage.out
    if job.sheet is not None:
        from vhmae.rcvh.figures import draw_sheet

        draw_sheet(out, read_manifest(out)[:60], job.sheet)
    write_report(report, args.json)
    print_warnings(report["warnings"], args.quiet)
    if not args.quiet:
        refused = (
            ", ".join(f"{count} as {part}" for part, count in report["refused"].items())
            or "nothing"
        )
        print(
            f"{out}: {report['composites']} composites ({report['built']} new) of "
            f"{counted(report['clips'], 'clip')}; refused: {refused}"
        )


def _add_review(steps: Any) -> None:
    parser = add_command(
        steps, "review", _review, "serve a page to keep or reject each composite, until Ctrl-C"
    )
    parser.set_defaults(
        kept_when_stopped="decisions are kept; --export writes them into the manifest"
    )
    add_options(parser, ReviewJob, required=True)
    add_report_options(parser)


def _review(args: Any) -> None:
    check_web("rcvh review")
    job = build_options(ReviewJob, given_options(args, ReviewJob))
    from vhmae.rcvh.decisions import Review
    from vhmae.rcvh.pages import make_review_application
    from vhmae.web.serving import address_of, listen, serve

    review = Review(job.set, job.database, fresh=not job.export)
    with contextlib.closing(review.database):
        if job.export:
            counts = review.export()
            write_report({"schema": 1, **counts}, args.json)
            if not args.quiet:
                print(
                    f"{job.set}: {counts['keep']} kept, {counts['reject']} rejected, "
                    f"{counts['undecided']} undecided"
                )
            return
        bound = listen(job.host, job.port)
        write_report({"schema": 1, "address": f"{address_of(bound)}{job.prefix}"}, args.json)
        if not args.quiet:
            print(
                f"{address_of(bound)}{job.prefix}\ntoken for reviewers: {review.secrets.token}",
                flush=True,
            )
        serve(make_review_application(review, job.rate, job.https, job.prefix), bound)
