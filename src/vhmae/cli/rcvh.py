"""``vhmae rcvh build`` and ``review``."""

from __future__ import annotations

import contextlib
import sys
from pathlib import Path
from typing import Any

from vhmae.cli.matte import add_key, add_weights
from vhmae.cli.parser import (
    Parser,
    add_command,
    add_report_options,
    add_serve_options,
    check_web,
    natural,
    positive,
    value_range,
    write_report,
)
from vhmae.errors import InputError, counted

WAYS = ["rvm", "salient", "chroma", "file"]


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
    parser.add_argument(
        "--raw",
        type=Path,
        required=True,
        metavar="DIR",
        help="footage; sources.csv in it (file, source, licence) is read",
    )
    parser.add_argument(
        "--out",
        type=Path,
        required=True,
        metavar="DIR",
        help="the set; what is there already is not made again",
    )
    parser.add_argument(
        "--count", type=positive, default=3148, metavar="N", help="composites (3148)"
    )
    parser.add_argument(
        "--seed", type=natural, default=0, metavar="N", help="draws pairs and placements (0)"
    )
    parser.add_argument("--matte", required=True, choices=WAYS, help="how foregrounds are cut out")
    parser.add_argument(
        "--mattes", type=Path, metavar="DIR", help="file: the mattes by the names of the raw files"
    )
    add_weights(parser)
    add_key(parser)
    parser.add_argument(
        "--foreground-ratio",
        type=value_range,
        default=(0.3, 0.8),
        metavar="LOW:HIGH",
        help="share of the frame that is covered (0.3:0.8)",
    )
    parser.add_argument(
        "--seconds",
        type=value_range,
        default=(2.0, 4.0),
        metavar="LOW:HIGH",
        help="length of a clip (2:4)",
    )
    parser.add_argument(
        "--lines",
        type=positive,
        default=480,
        metavar="N",
        help="lines of a composite at most, on the shorter side (480)",
    )
    parser.add_argument(
        "--workers",
        type=positive,
        metavar="N",
        help="processes (one a core; salient: fewer where memory is short)",
    )
    parser.add_argument(
        "--ray",
        action="store_true",
        help="spread the work over a Ray cluster that shares these folders",
    )
    parser.add_argument(
        "--sheet", type=Path, metavar="PICTURE", help="draw a sheet of the first 60 composites"
    )
    add_report_options(parser)


def _build(args: Any) -> None:
    from vhmae.rcvh.build import BuildJob, build_set, default_workers
    from vhmae.rcvh.footage import Footage
    from vhmae.rcvh.manifest import read_manifest
    from vhmae.video.pictures import check_still

    if args.sheet is not None:
        check_still(args.sheet, [])
    for option, value, ways in (
        ("--mattes", args.mattes, ("file",)),
        ("--weights", args.weights, ("rvm", "salient")),
        ("--key", args.key != "auto", ("chroma",)),
    ):
        if value and args.matte not in ways:
            raise InputError(
                f"{option}: is for --matte {' or '.join(ways)}, not for {args.matte}; leave it out"
            )
    workers = args.workers or default_workers(args.matte)

    footage = Footage(
        raw=args.raw,
        out=args.out,
        way=args.matte,
        mattes=args.mattes,
        weights=args.weights,
        seconds=args.seconds,
        lines=args.lines,
        key=args.key,
    )
    report = build_set(
        BuildJob(
            footage=footage,
            count=args.count,
            seed=args.seed,
            ratios=args.foreground_ratio,
            workers=workers,
            ray=args.ray,
            progress=sys.stderr.isatty() and not args.quiet,
        )
    )
    if args.sheet is not None:
        from vhmae.rcvh.figures import draw_sheet

        draw_sheet(args.out, read_manifest(args.out)[:60], args.sheet)
    write_report(report, args.json)
    if not args.quiet:
        refused = (
            ", ".join(f"{count} as {part}" for part, count in report["refused"].items())
            or "nothing"
        )
        for warning in report["warnings"]:
            print(f"vhmae: warning: {warning}", file=sys.stderr)
        print(
            f"{args.out}: {report['composites']} composites ({report['built']} new) of "
            f"{counted(report['clips'], 'clip')}; refused: {refused}"
        )


def _add_review(steps: Any) -> None:
    parser = add_command(
        steps, "review", _review, "serve a page to keep or reject each composite, until Ctrl-C"
    )
    parser.set_defaults(
        kept_when_stopped="decisions are kept; --export writes them into the manifest"
    )
    parser.add_argument("set", type=Path, metavar="DIR", help="a set that vhmae rcvh build made")
    parser.add_argument(
        "--export",
        action="store_true",
        help="write the decisions into the manifest, and serve nothing",
    )
    add_serve_options(parser)
    add_report_options(parser)


def _review(args: Any) -> None:
    check_web("rcvh review")
    from vhmae.rcvh.decisions import Review
    from vhmae.rcvh.pages import make_review_application
    from vhmae.web.serving import address_of, listen, serve

    review = Review(args.set, args.database)
    with contextlib.closing(review.database):
        if args.export:
            counts = review.export()
            write_report({"schema": 1, **counts}, args.json)
            if not args.quiet:
                print(
                    f"{args.set}: {counts['keep']} kept, {counts['reject']} rejected, "
                    f"{counts['undecided']} undecided"
                )
            return
        bound = listen(args.host, args.port)
        if not args.quiet:
            print(
                f"{address_of(bound)}{args.prefix}\ntoken for reviewers: {review.secrets.token}",
                flush=True,
            )
        serve(make_review_application(review, args.rate, args.https, args.prefix), bound)
