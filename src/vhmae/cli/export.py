"""``vhmae export``."""

from __future__ import annotations

from typing import Any, get_args

from vhmae.cli.harmonize import require_output
from vhmae.cli.looking import add_looking, report_of
from vhmae.cli.options import given_options
from vhmae.cli.parser import add_command, write_report
from vhmae.cli.words import print_warnings
from vhmae.errors import InputError, counted
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
        "itself for Nuke, of --weights (free) alone"
    )
    parser.add_argument("kind", choices=(*get_args(Kind), CATTERY), metavar="KIND", help=text)
    add_looking(parser, ExportJob, ("kind",))


def _export(args: Any) -> None:
    if args.kind == CATTERY:
        _export_cattery(args)
        return

    def work(job: ExportJob) -> dict[str, Any]:
        from vhmae.grade.export import export_grades

        return export_grades(job)

    job, report = report_of(args, ExportJob, work)
    if args.quiet:
        return
    for shot in report["shots"]:
        side = f"the {shot.get('side', 'foreground')}"
        side = f"object {shot['object']}" if shot.get("object") else side
        print(
            f"shot {shot['shot']}, frames {shot['first']}-{shot['last']}: changes {side} "
            f"by {shot['change']:.1f} levels, "
            f"{shot['left']:.1f} are left ({shot['share_left']:.0%})"
        )
    print(f"{job.output}: {counted(len(report['files']), 'file')}; not held: {report['dropped']}")


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
    print_warnings(report["warnings"], args.quiet)
    if not args.quiet:
        print(
            f"{values['output']}: {counted(len(report['files']), 'file')}, "
            f"{report['bytes'] / 1e6:.0f} MB; "
            f"{report['levels_apart']:.4f} levels from the Harmonizer; docs/nuke.md says the two "
            "clicks in Nuke"
        )
