"""``vhmae preview``."""

from __future__ import annotations

from typing import Any

from vhmae.cli.looking import add_looking, report_of
from vhmae.cli.parser import add_command
from vhmae.work.job import PreviewJob


def add_preview(commands: Any) -> None:
    text = "show one frame before and after, the difference and the matte"
    add_looking(add_command(commands, "preview", _preview, text), PreviewJob)


def _preview(args: Any) -> None:
    def work(job: PreviewJob) -> dict[str, Any]:
        from vhmae.work.preview import preview

        return preview(job)

    job, report = report_of(args, PreviewJob, work)
    if args.quiet:
        return
    change = f"mean change {report['mean_change']:.1f} levels"
    print(f"{job.output}: frame {report['frame']}, {change}")
    several = sum(one["side"] == "foreground" for one in report["objects"]) > 1
    for one in report["objects"]:
        name = f"object {one['object']}" if several and one["object"] else one["side"]
        print(
            f"{name}: {one['share']:.1%} of the frame, "
            f"red green blue {_colors(one['before'])} became {_colors(one['after'])} (mean "
            f"{one['mean_change']:.1f}, most {one['largest_change']:.1f}); around it "
            f"{_colors(one['around'])}"
        )


def _colors(levels: list[float]) -> str:
    return " ".join(f"{level:.1f}" for level in levels)
