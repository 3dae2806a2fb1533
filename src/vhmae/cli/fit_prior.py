"""``vhmae fit-prior``: what is known beforehand of the change that a network's answers lack."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

from vhmae.cli.options import add_options, given_options
from vhmae.cli.parser import add_command, add_report_options, write_report
from vhmae.engine.settings import HarmonizerSettings
from vhmae.errors import InputError
from vhmae.options import build_options


def add_fit_prior(commands: Any) -> None:
    text = "fit what guided harmonizing knows beforehand: how answers are wrong"
    parser = add_command(commands, "fit-prior", _fit_prior, text)
    parser.add_argument(
        "--data",
        type=Path,
        required=True,
        nargs="+",
        metavar="DIR",
        help="sets of composites with targets, of several kinds of look",
    )
    parser.add_argument("-o", "--output", type=Path, required=True, metavar="FILE")
    add_options(
        parser, HarmonizerSettings, only=["caution", "weights", "device", "precision", "threads"]
    )
    add_report_options(parser)


def _fit_prior(args: Any) -> None:
    if not args.output.resolve().parent.is_dir():
        raise InputError(f"-o {args.output}: its folder does not exist; make it first")
    if args.output.is_dir():
        raise InputError(f"-o {args.output}: is a folder; give a file")
    given = given_options(args, HarmonizerSettings)
    # A composite of a set is one shot.
    settings = build_options(HarmonizerSettings, {**given, "cut_detection": False})
    from vhmae.engine.harmonizer import Harmonizer
    from vhmae.evaluation.leftovers import fit_prior_to

    harmonizer = Harmonizer.from_settings(settings)
    progress = sys.stderr.isatty() and not args.quiet
    names = " ".join(folder.name for folder in args.data)
    command = f"vhmae fit-prior --weights {Path(settings.weights).name} --data {names}"
    prior = fit_prior_to(args.data, harmonizer, settings.weights, command, progress)
    prior.write(args.output)
    write_report({"schema": 1, "output": str(args.output), **prior.provenance}, args.json)
    if not args.quiet:
        print(f"{args.output}: fitted on {prior.provenance['composites']} composites")
