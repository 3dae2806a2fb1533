"""``vhmae matte``."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

from vhmae.cli.parser import Parser, add_command, add_report_options, positive, write_report
from vhmae.errors import InputError, counted

WAYS = ["chroma", "rvm", "salient", "plate", "file"]


def add_matte(commands: Any) -> None:
    parser = add_command(commands, "matte", _matte, "cut the foreground out of a video")
    parser.add_argument(
        "video", type=Path, metavar="VIDEO", help="video, folder or sequence (shot.%%04d.png)"
    )
    parser.add_argument(
        "-o",
        "--output",
        type=Path,
        metavar="MATTE",
        help="video (.mkv is exact) or pictures (matte.%%04d.png)",
    )
    parser.add_argument(
        "--foreground",
        type=Path,
        metavar="FILE",
        help="the foreground with alpha: .mov, .webm, .mkv or .png pictures",
    )
    parser.add_argument(
        "--with",
        dest="way",
        required=True,
        choices=WAYS,
        help="people: rvm; any object: salient; screens: chroma",
    )
    add_network_options(parser)
    parser.add_argument(
        "--keep-largest", action="store_true", help="leave out all but the largest part"
    )
    parser.add_argument(
        "--refine", action="store_true", help="let the edge follow the picture (guided filter)"
    )
    parser.add_argument(
        "--no-steady", action="store_true", help="salient: do not steady the mattes over time"
    )
    add_key(parser)
    parser.add_argument(
        "--garbage", type=Path, metavar="PICTURE", help="chroma: white where nothing is to be kept"
    )
    parser.add_argument(
        "--no-despill",
        action="store_true",
        help="chroma: leave the screen's light on the foreground",
    )
    parser.add_argument(
        "--plate",
        type=Path,
        metavar="PICTURE",
        help="plate: the scene without its subject; a picture or a video",
    )
    parser.add_argument(
        "--matte", type=Path, help="file: the matte that is there already; video, pictures or .npz"
    )
    parser.add_argument(
        "--cuts",
        type=Path,
        metavar="FILE",
        help="numbers of the frames that begin a shot, one a line",
    )
    parser.add_argument(
        "--no-cut-detection", action="store_true", help="take the video as one shot"
    )
    add_report_options(parser)


def add_weights(parser: Parser) -> None:
    """The file of the network that cuts out."""
    parser.add_argument(
        "--weights",
        type=Path,
        metavar="FILE",
        help="rvm, salient: the network's .onnx file (VHMAE_RVM, VHMAE_ISNET)",
    )


def add_key(parser: Parser) -> None:
    """The screen that is keyed."""
    parser.add_argument(
        "--key",
        choices=["auto", "green", "blue"],
        default="auto",
        help="chroma: the screen's colour (auto)",
    )


def add_network_options(parser: Parser) -> None:
    """Which network cuts out, and how."""
    add_weights(parser)
    parser.add_argument(
        "--matte-ratio",
        type=float,
        metavar="N",
        help="rvm: size inside, of the frame's; more for whole bodies",
    )
    parser.add_argument(
        "--threads", type=positive, metavar="N", help="rvm, salient: CPU threads (all)"
    )


def _matte(args: Any) -> None:
    from vhmae.matting.run import MatteJob, matte_video

    if args.output is None and args.foreground is None:
        raise InputError("-o: missing; name the matte, or the foreground by --foreground, or both")
    _check_options(args)
    report = matte_video(
        MatteJob(
            video=args.video,
            output=args.output,
            way=args.way,
            foreground=args.foreground,
            weights=args.weights,
            ratio=args.matte_ratio,
            steady=not args.no_steady,
            keep_largest=args.keep_largest,
            refine=args.refine,
            key=args.key,
            garbage=args.garbage,
            despill=not args.no_despill,
            plate=args.plate,
            matte=args.matte,
            cuts=args.cuts,
            cut_detection=not args.no_cut_detection,
            threads=args.threads,
            progress=sys.stderr.isatty() and not args.quiet,
        )
    )
    write_report(report, args.json)
    if not args.quiet:
        for warning in report["warnings"]:
            print(f"vhmae: warning: {warning}", file=sys.stderr)
        made = " and ".join(
            str(path) for path in (args.output, args.foreground) if path is not None
        )
        print(
            f"{made}: {counted(report['frames'], 'frame')} in {report['seconds']:.1f} s, "
            f"foreground "
            f"{100 * report['foreground_ratio']:.0f} %"
        )


def _check_options(args: Any) -> None:
    """Refuse options that are another way's: left unheeded they would seem to work."""
    given = {
        "--weights": (args.weights, ("rvm", "salient")),
        "--matte-ratio": (args.matte_ratio is not None, ("rvm",)),
        "--threads": (args.threads, ("rvm", "salient")),
        "--no-steady": (args.no_steady, ("salient",)),
        "--key": (args.key != "auto", ("chroma",)),
        "--garbage": (args.garbage, ("chroma",)),
        "--no-despill": (args.no_despill, ("chroma",)),
        "--plate": (args.plate, ("plate",)),
        "--matte": (args.matte, ("file",)),
    }
    for option, (value, ways) in given.items():
        if value and args.way not in ways:
            raise InputError(
                f"{option}: is for --with {' or '.join(ways)}, not for {args.way}; leave it out"
            )
