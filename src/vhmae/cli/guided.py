"""``vhmae diagnose`` and ``vhmae alternatives``: what a person is told, and asked."""

from __future__ import annotations

from typing import Any

from vhmae.cli.harmonize import (
    add_composite,
    add_file_options,
    composite_given,
    fetched_inputs,
)
from vhmae.cli.options import add_options, given_options
from vhmae.cli.parser import add_command, add_report_options, write_report
from vhmae.cli.words import print_warnings
from vhmae.options import build_options
from vhmae.work.job import AlternativesJob, AnalysisJob


def add_diagnose(commands: Any) -> None:
    text = "tell in a compositor's words what each shot lacks, and how sure that is"
    parser = add_command(commands, "diagnose", _diagnose, text)
    add_composite(parser, "; the background, where --foreground is given")
    add_options(parser, AnalysisJob, leave_out=["composite"])
    add_file_options(parser)
    add_report_options(parser)


def _diagnose(args: Any) -> None:
    values = composite_given(args, given_options(args, AnalysisJob), has_output=False)
    from vhmae.work.diagnosis import diagnose

    with fetched_inputs(values, AnalysisJob, args.allow_url) as local:
        report = diagnose(build_options(AnalysisJob, local))
    write_report(report, args.json)
    print_warnings(report["warnings"], args.quiet)
    if args.quiet:
        return
    several = len({shot["object"] for shot in report["shots"]}) > 1
    for shot in report["shots"]:
        thing = f", object {shot['object']}" if several else ""
        sure = f"; {shot['sure']:.0%} sure to come nearer" if "sure" in shot else ""
        print(
            f"shot {shot['shot']}, frames {shot['first']}-{shot['last']}{thing}: {shot['words']}; "
            f"changes {shot['change_levels']:.1f} levels, {shot['left_levels']:.1f} of them not "
            f"said{sure}"
        )
        if args.verbose and "deviations" in shot:
            off = shot["deviations"].items()
            print("  " + ", ".join(f"{dial} {shot[dial]:+.2f} ±{value:.2f}" for dial, value in off))


def add_alternatives(commands: Any) -> None:
    text = "show numbered takes of a frame to choose from, each with the guide that gives it"
    parser = add_command(commands, "alternatives", _alternatives, text)
    add_composite(parser, "; the background, where --foreground is given")
    add_options(parser, AlternativesJob, leave_out=["composite"])
    add_file_options(parser)
    add_report_options(parser)


def _alternatives(args: Any) -> None:
    values = composite_given(args, given_options(args, AlternativesJob))
    from vhmae.work.alternatives import show_alternatives

    with fetched_inputs(values, AlternativesJob, args.allow_url) as local:
        report = show_alternatives(build_options(AlternativesJob, local))
    write_report(report, args.json)
    print_warnings(report["warnings"], args.quiet)
    if not args.quiet:
        named = ", ".join(f"{row['take']} {row['word']}" for row in report["takes"])
        print(f"{values['output']}: frame {report['frame']}, round {report['round']}: {named}")
        print("take number N is given by the guide beside the sheet that is named takeN.json")
