"""``vhmae preview``."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

from vhmae.cli.parser import add_command, add_device_options, add_report_options, names, natural, rate, write_report


def add_preview(commands: Any) -> None:
    parser = add_command(commands, "preview", _preview, "show one frame before and after, the difference and the matte")
    parser.add_argument("composite", type=Path, metavar="COMPOSITE", help="video, picture, folder or sequence (shot.%%04d.png)")
    parser.add_argument("--mask", type=Path, action="append", default=[], help="as for harmonize; several times for several objects")
    parser.add_argument("-o", "--output", type=Path, required=True, metavar="SHEET", help="picture to write (.png, .jpg)")
    parser.add_argument("--frame", type=natural, metavar="N", help="number of the frame, from 0 (the middle one)")
    parser.add_argument("--quality", default="balanced", choices=["fast", "balanced", "best"], help="how often the network looks")
    parser.add_argument("--strength", type=float, default=1.0, metavar="0..1", help="how far to go (1)")
    parser.add_argument("--caution", type=float, default=6.0, metavar="LEVELS", help="small changes are left undone below this (6)")
    parser.add_argument("--rate", type=rate, metavar="N", help="frames a second of pictures (24)")
    parser.add_argument("--reference", type=Path, metavar="PICTURE", help="harmonize to this picture, not to the background")
    parser.add_argument("--keep", type=names, default=(), metavar="hue,luma,saturation", help="what of the foreground stays as it is")
    parser.add_argument("--colorspace", choices=["bt601", "bt709", "bt2020"], help="overrules the input's colour matrix")
    parser.add_argument("--hold-last-mask", action="store_true", help="let a mask that is too short stand still at its end")
    add_device_options(parser)
    add_report_options(parser)


def _preview(args: Any) -> None:
    from vhmae.preview import PreviewJob, preview

    options = (
        "composite", "output", "frame", "quality", "strength", "caution", "rate", "colorspace", "reference", "keep",
        "hold_last_mask", "weights", "device",
        "precision", "threads",
    )  # fmt: skip
    report = preview(PreviewJob(**{name: getattr(args, name) for name in options}, masks=tuple(args.mask)))
    write_report(report, args.json)
    if not args.quiet:
        for warning in report["warnings"]:
            print(f"vhmae: warning: {warning}", file=sys.stderr)
        print(f"{args.output}: frame {report['frame']}, mean change {report['mean_change']:.1f} levels")
