"""``vhmae harmonize`` and ``vhmae demo``."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

from vhmae.cli.fetch import fetched, refuse_addresses
from vhmae.cli.parser import (
    add_command,
    add_device_options,
    add_part_options,
    add_report_options,
    add_source_options,
    add_strength_options,
    location,
    natural,
    position,
    write_report,
)
from vhmae.errors import InputError


def add_harmonize(commands: Any) -> None:
    parser = add_command(commands, "harmonize", _harmonize, "harmonize the foreground of a composite video")
    parser.add_argument(
        "composite",
        nargs="?",
        type=location,
        metavar="COMPOSITE",
        help="video, picture, folder or sequence (shot.%%04d.png); - for Y4M or raw video by a pipe",
    )
    parser.add_argument(
        "--mask",
        type=location,
        action="append",
        default=[],
        help="video, picture, folder, sequence or .npz; white = foreground, grey = soft; several times for several objects",
    )
    parser.add_argument(
        "--matte", choices=["rvm", "salient"], help="make the mask here where none is given: people, or whatever stands out; look at it"
    )
    parser.add_argument("--matte-weights", type=Path, metavar="FILE", help="the network of --matte (VHMAE_RVM, VHMAE_ISNET)")
    parser.add_argument(
        "-o", "--output", type=Path, required=True, metavar="OUT", help="video or picture (frame.%%04d.png) to write; - with -"
    )
    add_strength_options(parser)
    add_part_options(parser)
    parser.add_argument("--raw", metavar="WxH:PIX_FMT:RATE", help="the pipe carries raw video: 1920x1080:yuv420p:25")
    parser.add_argument("--lookahead", type=natural, metavar="N", help="pipe: frames that the output may lag behind; 0 is live")
    layers = parser.add_argument_group("two layers in the place of a composite")
    layers.add_argument("--background", type=location, metavar="VIDEO", help="what the foreground is laid over: in the place of COMPOSITE")
    layers.add_argument(
        "--foreground", type=location, metavar="VIDEO", help="video or pictures with alpha, or with the --mask of this layer"
    )
    layers.add_argument("--position", type=position, default=(0.0, 0.0), metavar="X,Y", help="of its upper left corner, in pixels (0,0)")
    layers.add_argument("--scale", type=float, default=1.0, metavar="N", help="of the foreground (1)")
    layers.add_argument("--premultiplied", action="store_true", help="its colours have been multiplied by its alpha")
    parser.add_argument("--layer", default="composite", choices=["composite", "foreground"], help="what to write: foreground has alpha")
    parser.add_argument("--codec", metavar="NAME", help="output codec (the input's family)")
    parser.add_argument("--crf", type=int, metavar="N", help="quality of x264, x265, VP9 and AV1 (16)")
    parser.add_argument("--preset", metavar="NAME", help="speed preset of the encoder")
    parser.add_argument("--pix-fmt", metavar="NAME", help="output pixel format (the input's)")
    add_source_options(parser)
    parser.add_argument("--resume", action="store_true", help="write so that a stopped run can be gone on with, and go on with it")
    parser.add_argument("--strict", action="store_true", help="treat warnings as errors")
    parser.add_argument("--no-verify", action="store_true", help="do not read the written file again")
    add_device_options(parser)
    add_report_options(parser)


def _harmonize(args: Any) -> None:
    if "-" in (str(args.composite), str(args.output)):
        _harmonize_pipe(args)
        return
    if args.raw is not None or args.lookahead is not None:
        raise InputError("--raw and --lookahead: are for pipes; write vhmae harmonize - --mask MASK -o -")
    if (args.composite is None) == (args.background is None) or (args.background is None) != (args.foreground is None):
        raise InputError("harmonize: needs COMPOSITE, or --foreground and --background; see vhmae harmonize --help")
    if args.foreground is None and (args.position != (0.0, 0.0) or args.scale != 1.0 or args.premultiplied):
        raise InputError("--position, --scale and --premultiplied: say how --foreground is laid; give one, or leave them out")
    given = [args.background or args.composite, args.foreground, args.reference, *args.mask]
    if args.resume and any(isinstance(one, str) for one in given):
        raise InputError("--resume: cannot go on with what is fetched anew each time; download it and name the file")
    if args.matte is not None and (args.mask or args.foreground is not None or args.resume):
        raise InputError("--matte: makes a mask where none is given, and anew each time; leave out --mask, --foreground and --resume")
    with fetched(given, args.allow_url) as files:
        report = _harmonize_matted(args, *files) if args.matte is not None else _harmonize_files(args, *files)
    write_report(report, args.json)
    if not args.quiet:
        for warning in report["warnings"]:
            print(f"vhmae: warning: {warning}", file=sys.stderr)
        print(f"{args.output}: {report['frames']} frames in {report['seconds']:.1f} s ({report['fps']:.1f} fps), "
              f"mean change {report['mean_change']:.1f} levels, {report['device']} {report['precision']}")  # fmt: skip
    if args.verbose:
        stages = ", ".join(f"{stage} {seconds:.1f} s" for stage, seconds in report["seconds_by_stage"].items())
        print(f"{stages}; {report['passed_through']} frames without foreground, {report['skipped']} left out", file=sys.stderr)


def _harmonize_matted(args: Any, composite: Any, foreground: Any, reference: Any) -> dict[str, Any]:
    """Cut the foreground out first; the mask is gone afterwards."""
    from vhmae.matting.run import made_matte

    options = {
        "weights": args.matte_weights, "threads": args.threads, "cuts": args.cuts, "cut_detection": not args.no_cut_detection,
        "progress": sys.stderr.isatty() and not args.quiet,
    }  # fmt: skip
    with made_matte(composite, args.matte, args.output, **options) as mask:
        report = _harmonize_files(args, composite, foreground, reference, mask)
    advice = f"the mask was made by {args.matte}: look at it (vhmae matte {composite} -o matte.mkv --with {args.matte})"
    return {**report, "warnings": [*report["warnings"], advice]}


def _harmonize_files(args: Any, composite: Any, foreground: Any, reference: Any, *masks: Any) -> dict[str, Any]:
    from vhmae.pipeline import HarmonizeJob, harmonize_job
    from vhmae.video.layers import Placement

    placement = Placement(x=args.position[0], y=args.position[1], scale=args.scale, premultiplied=args.premultiplied)
    job = HarmonizeJob(
        composite=composite, foreground=foreground, placement=placement, masks=masks, output=args.output,
        start=args.start, end=args.end, cuts=args.cuts, codec=args.codec, crf=args.crf, preset=args.preset, pix_fmt=args.pix_fmt,
        colorspace=args.colorspace, rate=args.rate, reference=reference, layer=args.layer, hold_last_mask=args.hold_last_mask,
        resume=args.resume, strict=args.strict, verify=not args.no_verify,
        progress=sys.stderr.isatty() and not args.quiet,
        **_settings(args),
    )  # fmt: skip
    return harmonize_job(job)


def _settings(args: Any) -> dict[str, Any]:
    """The options that say how to harmonize, and where."""
    options = ("quality", "strength", "caution", "keep", "weights", "device", "precision", "threads")
    return {**{name: getattr(args, name) for name in options}, "cut_detection": not args.no_cut_detection}


def _harmonize_pipe(args: Any) -> None:
    """From stdin to stdout: stdout carries the video, so that what is said goes to stderr."""
    if not str(args.composite) == str(args.output) == "-":
        raise InputError("harmonize -: a pipe goes to a pipe; write -o - and let the next program write the file")
    for_files = {
        "start": 0.0, "end": None, "codec": None, "crf": None, "preset": None, "pix_fmt": None, "cuts": None, "resume": False,
        "rate": None, "reference": None, "foreground": None, "background": None,
        "position": (0.0, 0.0), "scale": 1.0, "premultiplied": False,
        "layer": "composite", "allow_url": False, "matte": None, "matte_weights": None,
        "no_verify": False,
    }  # fmt: skip
    for name, default in for_files.items():
        if getattr(args, name) != default:
            raise InputError(f"--{name.replace('_', '-')}: is for files, not for pipes; leave it out")
    if any(stream is None or stream.isatty() or not hasattr(stream, "buffer") for stream in (sys.stdin, sys.stdout)):
        raise InputError(
            "harmonize -: needs a pipe on both sides; as in ffmpeg ... -f yuv4mpegpipe - | vhmae harmonize - ... -o - | ffmpeg ..."
        )
    if len(args.mask) != 1:
        raise InputError("harmonize -: takes one --mask; give a video, picture, folder, sequence or .npz")
    from vhmae.streaming import RawFormat, StreamJob, harmonize_stream

    refuse_addresses(args.mask)
    job = StreamJob(
        mask=args.mask[0], raw=RawFormat.parse(args.raw) if args.raw else None, lookahead=args.lookahead, colorspace=args.colorspace,
        hold_last_mask=args.hold_last_mask, strict=args.strict, **_settings(args),
    )  # fmt: skip
    report = harmonize_stream(job, sys.stdin.buffer, sys.stdout.buffer)
    write_report(report, args.json)
    for warning in report["warnings"] if not args.quiet else ():
        print(f"vhmae: warning: {warning}", file=sys.stderr)


# --- demo


def add_demo(commands: Any) -> None:
    parser = add_command(commands, "demo", _demo, "build a composite of photographs, harmonize it and show before and after")
    parser.set_defaults(kept_when_stopped="files that were whole stay in the folder")
    parser.add_argument("-o", "--output", type=Path, default=Path("demo"), metavar="DIR")
    add_device_options(parser)
    add_report_options(parser)


def _demo(args: Any) -> None:
    from vhmae.demo import run_demo

    report = run_demo(args.output, weights=args.weights, device=args.device, precision=args.precision, threads=args.threads)
    write_report(report, args.json)
    if not args.quiet:
        for line in report["lines"]:
            print(line)
