"""``vhmae pack-mask``: the masks of one's own clips in the form that training and sets read."""

from __future__ import annotations

from typing import Any

from vhmae.cli.options import add_options, add_report_options, given_options
from vhmae.cli.parser import add_command, write_report
from vhmae.cli.words import print_warnings
from vhmae.data.job import PackMaskJob
from vhmae.errors import InputError, counted
from vhmae.options import build_options


def add_pack_mask(commands: Any) -> None:
    text = "pack a clip's mask, from videos or pictures, for training and evaluation sets"
    parser = add_command(commands, "pack-mask", _pack_mask, text)
    add_options(parser, PackMaskJob, required=True)
    add_report_options(parser)


def _pack_mask(args: Any) -> None:
    job = build_options(PackMaskJob, given_options(args, PackMaskJob))
    if not job.output.resolve().parent.is_dir():
        raise InputError(f"-o {job.output}: its folder does not exist; make it first")
    if job.output.resolve() in [mask.resolve() for mask in job.masks]:
        raise InputError(f"-o {job.output}: is an input, too; choose another name")
    from vhmae.data.mask_files import pack_masks

    packed = pack_masks(job.masks, job.output, job.mask_label)
    write_report({"schema": 1, "output": str(job.output), **packed._asdict()}, args.json)
    print_warnings(packed.warnings, args.quiet)
    if not args.quiet:
        print(f"{job.output}: {counted(packed.frames, 'frame')} of {packed.width}x{packed.height}")
