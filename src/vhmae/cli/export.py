"""``vhmae export``."""

from __future__ import annotations

from typing import Any, get_args

from vhmae.cli.looking import add_looking, report_of
from vhmae.cli.parser import add_command
from vhmae.grade.job import ExportJob, Kind


def add_export(commands: Any) -> None:
    parser = add_command(
        commands, "export", _export, "write the grades of a video's shots for another suite"
    )
    text = "cube (LUT), dctl (Resolve), cdl (.cc, .ccc, .cdl), edl or otio"
    parser.add_argument("kind", choices=get_args(Kind), metavar="KIND", help=text)
    add_looking(parser, ExportJob, ("kind",))


def _export(args: Any) -> None:
    def work(job: ExportJob) -> dict[str, Any]:
        from vhmae.grade.export import export_grades

        return export_grades(job)

    job, report = report_of(args, ExportJob, work)
    if args.quiet:
        return
    for shot in report["shots"]:
        side = shot.get("side", "foreground")
        print(
            f"shot {shot['shot']}, frames {shot['first']}-{shot['last']}: changes the {side} "
            f"by {shot['change']:.1f} levels, "
            f"{shot['left']:.1f} are left ({shot['share_left']:.0%})"
        )
    print(f"{job.output}: {len(report['files'])} files; not held: {report['dropped']}")
