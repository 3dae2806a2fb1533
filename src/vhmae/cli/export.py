"""``vhmae export``."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

from vhmae.cli.parser import add_command, add_device_options, add_report_options, names, positive, rate, write_report


def add_export(commands: Any) -> None:
    parser = add_command(commands, "export", _export, "write the grades of a video's shots for another suite")
    kinds = ["cube", "dctl", "cdl", "edl", "otio"]
    parser.add_argument("kind", choices=kinds, metavar="KIND", help="cube (LUT), dctl (Resolve), cdl (.cc, .ccc, .cdl), edl or otio")
    parser.add_argument("composite", type=Path, metavar="COMPOSITE", help="video, picture, folder or sequence (shot.%%04d.png)")
    parser.add_argument(
        "--mask", type=Path, action="append", default=[], help="video, picture, folder, sequence or .npz; else its own alpha"
    )
    parser.add_argument("-o", "--output", type=Path, required=True, metavar="FILE", help="file to write; numbered where shots are many")
    parser.add_argument("--key-frames", type=positive, metavar="N", help="cube: a LUT every N frames; dctl: a map every N frames (24)")
    parser.add_argument("--quality", default="balanced", choices=["fast", "balanced", "best"], help="how often the network looks")
    parser.add_argument("--strength", type=float, default=1.0, metavar="0..1", help="how far to go (1)")
    parser.add_argument("--caution", type=float, default=6.0, metavar="LEVELS", help="small changes are left undone below this (6)")
    parser.add_argument("--start", type=float, default=0.0, metavar="SECONDS")
    parser.add_argument("--end", type=float, metavar="SECONDS")
    parser.add_argument("--cuts", type=Path, metavar="FILE", help="numbers of the frames that begin a shot, one a line")
    parser.add_argument("--no-cut-detection", action="store_true", help="take the video as one shot")
    parser.add_argument("--rate", type=rate, metavar="N", help="frames a second of pictures (24)")
    parser.add_argument("--reference", type=Path, metavar="PICTURE", help="harmonize to this picture, not to the background")
    parser.add_argument("--keep", type=names, default=(), metavar="hue,luma,saturation", help="what of the foreground stays as it is")
    parser.add_argument("--colorspace", choices=["bt601", "bt709", "bt2020"], help="overrules the input's colour matrix")
    parser.add_argument("--hold-last-mask", action="store_true", help="let a mask that is too short stand still at its end")
    parser.add_argument("--strict", action="store_true", help="treat warnings as errors")
    add_device_options(parser)
    add_report_options(parser)


def _export(args: Any) -> None:
    from vhmae.grade.export import ExportJob, export_grades

    options = (
        "kind", "composite", "output", "key_frames", "quality", "strength", "caution", "start", "end", "cuts", "colorspace", "rate",
        "reference", "keep",
        "hold_last_mask", "strict", "weights", "device", "precision", "threads",
    )  # fmt: skip
    job = ExportJob(**{name: getattr(args, name) for name in options}, masks=tuple(args.mask), cut_detection=not args.no_cut_detection)
    report = export_grades(job)
    write_report(report, args.json)
    if args.quiet:
        return
    for warning in report["warnings"]:
        print(f"vhmae: warning: {warning}", file=sys.stderr)
    for shot in report["shots"]:
        print(f"shot {shot['shot']}, frames {shot['first']}-{shot['last']}: changes the foreground by {shot['change']:.1f} levels, "
              f"{shot['left']:.1f} are left ({shot['share_left']:.0%})")  # fmt: skip
    print(f"{args.output}: {len(report['files'])} files; not held: {report['dropped']}")
