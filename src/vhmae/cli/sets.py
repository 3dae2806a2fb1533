"""``vhmae synthesize`` and ``aligned``: sets whose true answers are known."""

from __future__ import annotations

import dataclasses
import json
import os
from pathlib import Path
from typing import Any, TypeVar

from vhmae.cli.options import add_options, add_report_options, given_options
from vhmae.cli.parser import add_command, write_report
from vhmae.cli.words import print_warnings
from vhmae.data.job import AlignedRecipe, SetJob, SynthesisRecipe
from vhmae.errors import InputError, counted
from vhmae.options import MISSING, build_options, options_of

Recipe = TypeVar("Recipe", SynthesisRecipe, AlignedRecipe)


def add_synthesize(commands: Any) -> None:
    text = "make an evaluation set of composites from videos with masks"
    _add(add_command(commands, "synthesize", _synthesize, text), SynthesisRecipe)


def add_aligned(commands: Any) -> None:
    text = (
        "make an evaluation set of real light: pictures of one view at other times, regions, pairs"
    )
    _add(add_command(commands, "aligned", _aligned, text), AlignedRecipe)


def _add(parser: Any, recipe: type) -> None:
    add_options(parser, recipe)
    add_options(parser, SetJob, required=True)
    add_report_options(parser)


def _synthesize(args: Any) -> None:
    job = build_options(SetJob, given_options(args, SetJob))
    recipe = _recipe(args, job, SynthesisRecipe)
    if recipe is None:
        raise InputError("--videos: missing; name a folder of clips, or a recipe by --config")
    from vhmae.data.evaluation_sets import synthesize

    warnings: list[str] = []
    count = synthesize(recipe, job.output, warnings.append)
    report = {"schema": 1, "composites": count, "warnings": warnings, "output": str(job.output)}
    write_report(report, args.json)
    print_warnings(warnings, args.quiet)
    if not args.quiet:
        print(f"{job.output}: {counted(count, 'composite')}")


def _aligned(args: Any) -> None:
    job = build_options(SetJob, given_options(args, SetJob))
    recipe = _recipe(args, job, AlignedRecipe)
    if recipe is None:
        lacks = next(name for name in ("takes", "masks", "pairs") if not hasattr(args, name))
        raise InputError(f"--{lacks}: missing; see vhmae aligned --help, or pass --config")
    from vhmae.data.aligned import write_aligned

    count, left_out = write_aligned(recipe, job.output)
    report = {"schema": 1, "composites": count, "left_out": left_out, "output": str(job.output)}
    write_report(report, args.json)
    if not args.quiet:
        less = f", {left_out} left out (under {recipe.least_fmse:g} fMSE)" if left_out else ""
        print(f"{job.output}: {counted(count, 'composite')}{less}")


def _recipe(args: Any, job: SetJob, kind: type[Recipe]) -> Recipe | None:
    """The recipe of a set: a file's with options over it, or that of options alone; None where
    these lack what must be given."""
    from vhmae.config import read_config

    given = given_options(args, kind)
    if job.config is not None:
        own = {one.name: one for one in options_of(kind)}
        plain = {name: own[name].to_json(value) for name, value in given.items()}
        # As JSON: text of a recipe's overrides is read as YAML, and a path may look like a number.
        over = {k: json.dumps(v) if isinstance(v, str) else v for k, v in plain.items()}
        recipe = dataclasses.replace(read_config(kind, job.config, over), **given)
        said = {name: given[name] for name in given if isinstance(given[name], Path)}
        # What is typed counts from where one stands, what a recipe names from the data.
        typed = {name: path.absolute() for name, path in said.items()}
        below = dataclasses.replace(recipe, **typed).below(job.data or os.environ.get("VHMAE_DATA"))
        return dataclasses.replace(below, **said)
    if job.data is not None:
        raise InputError(
            "is where a recipe's paths begin; give `config` FILE, or leave it out",
            field="data",
            value=job.data,
        )
    needed: set[str] = {one.name for one in options_of(kind) if one.default is MISSING}
    return build_options(kind, given) if needed <= given.keys() else None
