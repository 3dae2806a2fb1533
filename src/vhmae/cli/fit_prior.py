"""``vhmae fit-prior``: what is known beforehand of the change that a network's answers lack."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

from vhmae.cli.options import add_options, add_report_options, given_options
from vhmae.cli.parser import add_command, write_report
from vhmae.engine.settings import HarmonizerSettings
from vhmae.errors import InputError
from vhmae.evaluation.job import PriorJob
from vhmae.options import build_options


def add_fit_prior(commands: Any) -> None:
    text = "fit what guided harmonizing knows beforehand: how answers are wrong"
    parser = add_command(commands, "fit-prior", _fit_prior, text)
    add_options(parser, PriorJob, required=True)
    add_options(
        parser, HarmonizerSettings, only=["caution", "weights", "device", "precision", "threads"]
    )
    add_report_options(parser)


def _fit_prior(args: Any) -> None:
    job = build_options(PriorJob, given_options(args, PriorJob))
    if not job.output.resolve().parent.is_dir():
        raise InputError(f"-o {job.output}: its folder does not exist; make it first")
    if job.output.is_dir():
        raise InputError(f"-o {job.output}: is a folder; give a file")
    if job.output.exists():
        from vhmae.guide.prior import read_prior

        try:
            read_prior(job.output)
        except InputError:
            told = "is there already and is no prior; choose another name"
            raise InputError(f"-o {job.output}: {told}") from None
    given = given_options(args, HarmonizerSettings)
    # A composite of a set is one shot.
    settings = build_options(HarmonizerSettings, {**given, "cut_detection": False})
    from vhmae.engine.harmonizer import Harmonizer
    from vhmae.evaluation.leftovers import fit_prior_to

    harmonizer = Harmonizer.from_settings(settings)
    progress = sys.stderr.isatty() and not args.quiet
    names = " ".join(folder.name for folder in job.data)
    command = f"vhmae fit-prior --weights {Path(settings.weights).name} --data {names}"
    command += f" -o {job.output.name}"
    prior = fit_prior_to(job.data, harmonizer, settings.weights, command, progress)
    prior.write(job.output)
    write_report({"schema": 1, "output": str(job.output), **prior.provenance}, args.json)
    if not args.quiet:
        print(f"{job.output}: fitted on {prior.provenance['composites']} composites")
