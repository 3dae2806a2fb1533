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
    if not args.quiet:
        change = f"mean change {report['mean_change']:.1f} levels"
        print(f"{job.output}: frame {report['frame']}, {change}")
