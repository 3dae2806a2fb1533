"""``vhmae preview``."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

from vhmae.cli.fetch import fetched
from vhmae.cli.parser import (
    add_command,
    add_device_options,
    add_report_options,
    add_source_options,
    add_strength_options,
    location,
    natural,
    write_report,
)


def add_preview(commands: Any) -> None:
    parser = add_command(commands, "preview", _preview, "show one frame before and after, the difference and the matte")
    parser.add_argument("composite", type=location, metavar="COMPOSITE", help="video, picture, folder or sequence (shot.%%04d.png)")
    parser.add_argument("--mask", type=location, action="append", default=[], help="as for harmonize; several times for several objects")
    parser.add_argument("-o", "--output", type=Path, required=True, metavar="SHEET", help="picture to write (.png, .jpg)")
    parser.add_argument("--frame", type=natural, metavar="N", help="number of the frame, from 0 (the middle one)")
    add_strength_options(parser)
    add_source_options(parser)
    add_device_options(parser)
    add_report_options(parser)


def _preview(args: Any) -> None:
    from vhmae.preview import PreviewJob, preview

    options = (
        "output", "frame", "quality", "strength", "caution", "rate", "colorspace", "keep",
        "hold_last_mask", "weights", "device",
        "precision", "threads",
    )  # fmt: skip
    given = {name: getattr(args, name) for name in options}
    with fetched([args.composite, args.reference, *args.mask], args.allow_url) as (composite, reference, *masks):
        files: dict[str, Any] = {"composite": composite, "reference": reference, "masks": tuple(masks)}
        report = preview(PreviewJob(**given, **files))
    write_report(report, args.json)
    if not args.quiet:
        for warning in report["warnings"]:
            print(f"vhmae: warning: {warning}", file=sys.stderr)
        print(f"{args.output}: frame {report['frame']}, mean change {report['mean_change']:.1f} levels")
