"""``vhmae aligned``."""

from __future__ import annotations

import dataclasses
import os
from typing import Any

from vhmae.cli.options import add_options, add_report_options, given_options
from vhmae.cli.parser import add_command, write_report
from vhmae.data.job import AlignedRecipe, SetJob
from vhmae.errors import InputError, counted
from vhmae.options import build_options


def add_aligned(commands: Any) -> None:
    text = (
        "make an evaluation set of real light: pictures of one view at other times, regions, pairs"
    )
    parser = add_command(commands, "aligned", _aligned, text)
    parser.set_defaults(
        kept_when_stopped="what was made so far stays, without its list; delete the folder"
    )
    add_options(parser, AlignedRecipe)
    add_options(parser, SetJob, required=True)
    add_report_options(parser)


def _aligned(args: Any) -> None:
    job = build_options(SetJob, given_options(args, SetJob))
    given = given_options(args, AlignedRecipe)
    from vhmae.config import read_config
    from vhmae.data.aligned import write_aligned

    if job.config is not None:
        recipe = read_config(AlignedRecipe, job.config)
        recipe = recipe.below(job.data or os.environ.get("VHMAE_DATA"))
        recipe = dataclasses.replace(recipe, **given)
    else:
        for name in ("takes", "masks", "pairs"):
            if name not in given:
                raise InputError(f"--{name}: missing; see vhmae aligned --help, or pass --config")
        recipe = build_options(AlignedRecipe, given)
    count, left_out = write_aligned(recipe, job.output)
    report = {"schema": 1, "composites": count, "left_out": left_out, "output": str(job.output)}
    write_report(report, args.json)
    if not args.quiet:
        less = f", {left_out} left out (under {recipe.least_fmse:g} fMSE)" if left_out else ""
        print(f"{job.output}: {counted(count, 'composite')}{less}")
