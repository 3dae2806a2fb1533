"""``vhmae export``."""

from __future__ import annotations

from typing import Any, get_args

from vhmae.cli.harmonize import (
    add_composite,
    add_file_options,
    fetched_inputs,
    require_output,
)
from vhmae.cli.options import add_options, given_options
from vhmae.cli.parser import add_command, add_report_options, write_report
from vhmae.cli.preview import composite_given
from vhmae.cli.words import print_warnings
from vhmae.errors import InputError
from vhmae.grade.job import ExportJob, Kind
from vhmae.nuke.job import CatteryJob
from vhmae.options import build_options, options_of

CATTERY = "cattery"


def add_export(commands: Any) -> None:
    parser = add_command(
        commands, "export", _export, "write the grades of a video's shots for another suite"
    )
    text = (
        "cube (LUT), dctl (Resolve), cdl (.cc, .ccc, .cdl), edl or otio; cattery: the network "
        "itself for Nuke, of --weights alone"
    )
    kinds = (*get_args(Kind), CATTERY)
    parser.add_argument("kind", choices=kinds, metavar="KIND", help=text)
    add_composite(parser, "; the background, where --foreground is given")
    add_options(parser, ExportJob, leave_out=["composite", "kind"])
    add_file_options(parser)
    add_report_options(parser)


def _export(args: Any) -> None:
    if args.kind == CATTERY:
        _export_cattery(args)
        return
    values = composite_given(args, given_options(args, ExportJob))
    from vhmae.grade.export import export_grades

    with fetched_inputs(values, ExportJob, args.allow_url) as local:
        report = export_grades(build_options(ExportJob, local))
    write_report(report, args.json)
    print_warnings(report["warnings"], args.quiet)
    if args.quiet:
        return
    for shot in report["shots"]:
        side = shot.get("side", "foreground")
        print(
            f"shot {shot['shot']}, frames {shot['first']}-{shot['last']}: changes the {side} "
            f"by {shot['change']:.1f} levels, "
            f"{shot['left']:.1f} are left ({shot['share_left']:.0%})"
        )
    print(f"{values['output']}: {len(report['files'])} files; not held: {report['dropped']}")


def _export_cattery(args: Any) -> None:
    known = {"kind", *(one.name for one in options_of(CatteryJob))}
    values = given_options(args, ExportJob)
    flags = {one.name: one.flags[0] for one in options_of(ExportJob)}
    others = [flags[name] for name in values if name not in known]
    if args.composite_given is not None or others:
        unwanted = str(args.composite_given) if args.composite_given is not None else others[0]
        raise InputError(
            f"{unwanted}: export cattery is of weights, not of a video; leave it out and write "
            "vhmae export cattery -o FOLDER"
        )
    require_output(values)
    values.pop("kind")
    from vhmae.nuke.cattery import export_cattery

    report = export_cattery(build_options(CatteryJob, values))
    write_report(report, args.json)
    if not args.quiet:
        print(
            f"{values['output']}: {len(report['files'])} files, {report['bytes'] / 1e6:.0f} MB; "
            f"{report['levels_apart']:.4f} levels from the Harmonizer; docs/nuke.md says the two "
            "clicks in Nuke"
        )
