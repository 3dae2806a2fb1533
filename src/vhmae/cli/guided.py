"""``vhmae diagnose`` and ``vhmae alternatives``: what a person is told, and asked."""

from __future__ import annotations

from typing import Any

from vhmae.cli.looking import add_looking, report_of
from vhmae.cli.parser import add_command
from vhmae.work.job import AlternativesJob, AnalysisJob


def add_diagnose(commands: Any) -> None:
    text = "tell in a compositor's words what each shot lacks, and how sure that is"
    add_looking(add_command(commands, "diagnose", _diagnose, text), AnalysisJob)


def _diagnose(args: Any) -> None:
    def work(job: AnalysisJob) -> dict[str, Any]:
        from vhmae.work.diagnosis import diagnose

        return diagnose(job)

    report = report_of(args, AnalysisJob, work, has_output=False)[1]
    if args.quiet:
        return
    several = len({shot["object"] for shot in report["shots"]}) > 1
    for shot in report["shots"]:
        name = f"object {shot['object']}" if shot["object"] else "the background"
        whose = f", {name}" if several or not shot["object"] else ""
        sure = f"; {shot['sure']:.0%} sure to come nearer" if "sure" in shot else ""
        print(
            f"shot {shot['shot']}, frames {shot['first']}-{shot['last']}{whose}: {shot['words']}; "
            f"changes {shot['change_levels']:.1f} levels, {shot['left_levels']:.1f} of them not "
            f"said{sure}"
        )
        if args.verbose and "deviations" in shot:
            off = shot["deviations"].items()
            print("  " + ", ".join(f"{dial} {shot[dial]:+.2f} ±{value:.2f}" for dial, value in off))


def add_alternatives(commands: Any) -> None:
    text = "show numbered takes of a frame to choose from, each with the guide that gives it"
    add_looking(add_command(commands, "alternatives", _alternatives, text), AlternativesJob)


def _alternatives(args: Any) -> None:
    def work(job: AlternativesJob) -> dict[str, Any]:
        from vhmae.work.alternatives import show_alternatives

        return show_alternatives(job)

    job, report = report_of(args, AlternativesJob, work)
    if not args.quiet:
        named = ", ".join(f"{row['take']} {row['word']}" for row in report["takes"])
        print(f"{job.output}: frame {report['frame']}, round {report['round']}: {named}")
        print("take number N is given by the guide beside the sheet that is named takeN.json")
