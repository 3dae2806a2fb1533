"""``vhmae preview``."""

from __future__ import annotations

from typing import Any

from vhmae.cli.harmonize import add_composite, add_file_options, fetched_inputs, require_output
from vhmae.cli.options import add_options, given_options
from vhmae.cli.parser import add_command, add_report_options, write_report
from vhmae.cli.words import print_warnings
from vhmae.errors import InputError
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


def composite_given(args: Any, values: dict[str, Any], has_output: bool = True) -> dict[str, Any]:
    """The options with the composite among them."""
    if args.composite_given is not None:
        values["composite"] = args.composite_given
    if "composite" not in values:
        raise InputError("COMPOSITE: missing; name the video")
    if has_output:
        require_output(values)
    return values


def _preview(args: Any) -> None:
    values = composite_given(args, given_options(args, PreviewJob))
    from vhmae.work.preview import preview

    with fetched_inputs(values, PreviewJob, args.allow_url) as local:
        report = preview(build_options(PreviewJob, local))
    write_report(report, args.json)
    print_warnings(report["warnings"], args.quiet)
    if not args.quiet:
        print(
            f"{values['output']}: frame {report['frame']}, mean change {report['mean_change']:.1f} "
            "levels"
        )
