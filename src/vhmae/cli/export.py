"""``vhmae export``."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

from vhmae.cli.fetch import fetched
from vhmae.cli.parser import (
    add_command,
    add_device_options,
    add_part_options,
    add_report_options,
    add_source_options,
    add_strength_options,
    location,
    positive,
    write_report,
)


def add_export(commands: Any) -> None:
    parser = add_command(commands, "export", _export, "write the grades of a video's shots for another suite")
    kinds = ["cube", "dctl", "cdl", "edl", "otio"]
    parser.add_argument("kind", choices=kinds, metavar="KIND", help="cube (LUT), dctl (Resolve), cdl (.cc, .ccc, .cdl), edl or otio")
    parser.add_argument("composite", type=location, metavar="COMPOSITE", help="video, picture, folder or sequence (shot.%%04d.png)")
    parser.add_argument(
        "--mask", type=location, action="append", default=[], help="video, picture, folder, sequence or .npz; else its own alpha"
    )
    parser.add_argument("-o", "--output", type=Path, required=True, metavar="FILE", help="file to write; numbered where shots are many")
    parser.add_argument("--key-frames", type=positive, metavar="N", help="cube: a LUT every N frames; dctl: a map every N frames (24)")
    add_strength_options(parser)
    add_part_options(parser)
    add_source_options(parser)
    parser.add_argument("--strict", action="store_true", help="treat warnings as errors")
    add_device_options(parser)
    add_report_options(parser)


def _export(args: Any) -> None:
    from vhmae.grade.export import ExportJob, export_grades

    options = (
        "kind", "output", "key_frames", "quality", "strength", "caution", "start", "end", "cuts", "colorspace", "rate",
        "keep",
        "hold_last_mask", "strict", "weights", "device", "precision", "threads",
    )  # fmt: skip
    given = {name: getattr(args, name) for name in options}
    with fetched([args.composite, args.reference, *args.mask], args.allow_url) as (composite, reference, *masks):
        files: dict[str, Any] = {"composite": composite, "reference": reference, "masks": tuple(masks)}
        report = export_grades(ExportJob(**given, **files, cut_detection=not args.no_cut_detection))
    write_report(report, args.json)
    if args.quiet:
        return
    for warning in report["warnings"]:
        print(f"vhmae: warning: {warning}", file=sys.stderr)
    for shot in report["shots"]:
        print(f"shot {shot['shot']}, frames {shot['first']}-{shot['last']}: changes the foreground by {shot['change']:.1f} levels, "
              f"{shot['left']:.1f} are left ({shot['share_left']:.0%})")  # fmt: skip
    print(f"{args.output}: {len(report['files'])} files; not held: {report['dropped']}")
