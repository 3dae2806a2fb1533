"""``vhmae export``."""

from __future__ import annotations

from typing import Any, get_args

from vhmae.cli.harmonize import (
    add_composite,
    add_file_options,
    composite_given,
    fetched_inputs,
)
from vhmae.cli.options import add_options, given_options
from vhmae.cli.parser import add_command, add_report_options, write_report
from vhmae.cli.words import print_warnings
from vhmae.grade.job import ExportJob, Kind
from vhmae.options import build_options


def add_export(commands: Any) -> None:
    parser = add_command(
        commands, "export", _export, "write the grades of a video's shots for another suite"
    )
    text = "cube (LUT), dctl (Resolve), cdl (.cc, .ccc, .cdl), edl or otio"
    parser.add_argument("kind", choices=get_args(Kind), metavar="KIND", help=text)
    add_composite(parser, "; the background, where --foreground is given")
    add_options(parser, ExportJob, leave_out=["composite", "kind"])
    add_file_options(parser)
    add_report_options(parser)


def _export(args: Any) -> None:
    values = composite_given(args, given_options(args, ExportJob))
    from vhmae.grade.export import export_grades

    with fetched_inputs(values, ExportJob, args.allow_url) as local:
        report = export_grades(build_options(ExportJob, local))
    write_report(report, args.json)
    print_warnings(report["warnings"], args.quiet)
    if args.quiet:
        return
    for shot in report["shots"]:
        print(
            f"shot {shot['shot']}, frames {shot['first']}-{shot['last']}: changes the foreground "
            f"by {shot['change']:.1f} levels, "
            f"{shot['left']:.1f} are left ({shot['share_left']:.0%})"
        )
    print(f"{values['output']}: {len(report['files'])} files; not held: {report['dropped']}")
