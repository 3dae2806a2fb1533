"""``vhmae aligned``."""

from __future__ import annotations

import dataclasses
import os
from pathlib import Path
from typing import Any

from vhmae.cli.parser import add_command, add_report_options, names, write_report
from vhmae.errors import InputError, counted


def add_aligned(commands: Any) -> None:
    text = (
        "make an evaluation set of real light: pictures of one view at other times, regions, pairs"
    )
    parser = add_command(commands, "aligned", _aligned, text)
    parser.set_defaults(
        kept_when_stopped="what was made so far stays, without its list; delete the folder"
    )
    parser.add_argument(
        "--takes", type=Path, metavar="DIR", help="VIEW/TIME.jpg, aligned to a pixel"
    )
    parser.add_argument("--masks", type=Path, metavar="DIR", help="VIEW/NAME.png, regions in white")
    parser.add_argument(
        "--pairs",
        type=Path,
        metavar="FILE",
        help="VIEW MASK A B a line: MASK of time B over time A",
    )
    parser.add_argument("--views", type=names, metavar="VIEW,...", help="which views (all)")
    parser.add_argument(
        "--least-fmse", type=_error, metavar="N", help="leave out what differs less (20)"
    )
    parser.add_argument(
        "--config", type=Path, metavar="FILE", help="a set by its recipe; options overrule it"
    )
    parser.add_argument(
        "--data", type=Path, metavar="DIR", help="where the recipe's paths begin (VHMAE_DATA)"
    )
    parser.add_argument("-o", "--output", type=Path, required=True, metavar="SET")
    add_report_options(parser)


def _error(text: str) -> float:
    import argparse

    try:
        value = float(text)
    except ValueError:
        value = -1.0
    if not 0.0 <= value < float("inf"):
        raise argparse.ArgumentTypeError(f"'{text}' is not a number from 0 up")
    return value


def _aligned(args: Any) -> None:
    from vhmae.config import read_config
    from vhmae.data.aligned import AlignedRecipe, write_aligned

    keys = [field.name for field in dataclasses.fields(AlignedRecipe)]
    given = {name: getattr(args, name) for name in keys if getattr(args, name) is not None}
    if args.config is not None:
        recipe = read_config(AlignedRecipe, args.config)
        recipe = recipe.below(args.data or os.environ.get("VHMAE_DATA"))
        recipe = dataclasses.replace(recipe, **given)
    else:
        for name in ("takes", "masks", "pairs"):
            if name not in given:
                raise InputError(f"--{name}: missing; see vhmae aligned --help, or pass --config")
        recipe = AlignedRecipe(**given)
    count, left_out = write_aligned(recipe, args.output)
    report = {"schema": 1, "composites": count, "left_out": left_out, "output": str(args.output)}
    write_report(report, args.json)
    if not args.quiet:
        less = f", {left_out} left out (under {recipe.least_fmse:g} fMSE)" if left_out else ""
        print(f"{args.output}: {counted(count, 'composite')}{less}")
