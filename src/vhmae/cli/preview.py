"""``vhmae preview``."""

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
from vhmae.work.job import PreviewJob


def add_preview(commands: Any) -> None:
    parser = add_command(
        commands,
        "preview",
        _preview,
        "show one frame before and after, the difference and the matte",
    )
    add_composite(parser, "; the background, where --foreground is given")
    add_options(parser, PreviewJob, leave_out=["composite"])
    add_file_options(parser)
    add_report_options(parser)


def _preview(args: Any) -> None:
    values = composite_given(args, given_options(args, PreviewJob))
    from vhmae.work.preview import preview

    with fetched_inputs(values, PreviewJob, args.allow_url) as local:
        report = preview(build_options(PreviewJob, local))
    write_report(report, args.json)
    print_warnings(report["warnings"], args.quiet)
    if args.quiet:
        return
    frame, change = report["frame"], report["mean_change"]
    print(f"{values['output']}: frame {frame}, mean change {change:.1f} levels")
    several = len(report["objects"]) > 1
    for number, one in enumerate(report["objects"], 1):
        print(
            f"{f'object {number}' if several else 'foreground'}: {one['share']:.1%} of the frame, "
            f"red green blue {_colors(one['before'])} became {_colors(one['after'])} (mean "
            f"{one['mean_change']:.1f}, most {one['largest_change']:.1f}); around it "
            f"{_colors(one['around'])}"
        )


def _colors(levels: list[float]) -> str:
    return " ".join(f"{level:.1f}" for level in levels)
