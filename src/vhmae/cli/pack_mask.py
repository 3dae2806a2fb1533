"""``vhmae pack-mask``: the masks of one's own clips in the form that training and sets read."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from vhmae.cli.parser import add_command, add_report_options, write_report
from vhmae.errors import InputError, counted


def add_pack_mask(commands: Any) -> None:
    text = "pack a clip's mask, from videos or pictures, for training and evaluation sets"
    parser = add_command(commands, "pack-mask", _pack_mask, text)
    parser.add_argument(
        "masks",
        type=Path,
        nargs="+",
        metavar="MASK",
        help="white where the foreground is: a video, pictures, a folder or sequence of pictures",
    )
    parser.add_argument(
        "-o", "--output", type=Path, required=True, metavar="FILE.mask.npz", help="beside FILE.mp4"
    )
    add_report_options(parser)


def _pack_mask(args: Any) -> None:
    if not args.output.resolve().parent.is_dir():
        raise InputError(f"-o {args.output}: its folder does not exist; make it first")
    if args.output.resolve() in [mask.resolve() for mask in args.masks]:
        raise InputError(f"-o {args.output}: is an input, too; choose another name")
    from vhmae.data.mask_files import pack_masks

    frames, height, width = pack_masks(args.masks, args.output)
    facts = {"output": str(args.output), "frames": frames, "width": width, "height": height}
    write_report({"schema": 1, **facts}, args.json)
    if not args.quiet:
        print(f"{args.output}: {counted(frames, 'frame')} of {width}x{height}")
