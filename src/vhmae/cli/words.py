"""The words of the command line: flags in the place of the options that the library names."""

from __future__ import annotations

import argparse
import functools
import re
import sys
from collections.abc import Sequence

from vhmae.cli.options import option_of
from vhmae.options import options_of


@functools.cache
def flags() -> dict[str, str]:
    """The flag of each option that is not called as its field is."""
    from vhmae.evaluation.job import Comparison, EvaluateJob
    from vhmae.grade.job import ExportJob
    from vhmae.matting.job import MatteJob
    from vhmae.nuke.job import CatteryJob
    from vhmae.rcvh.job import BuildJob
    from vhmae.study.job import StudyJob
    from vhmae.work.job import AlternativesJob, HarmonizeJob, PreviewJob, StreamJob

    jobs: tuple[type, ...] = (BuildJob, StudyJob, MatteJob, EvaluateJob, Comparison)
    jobs += (HarmonizeJob, PreviewJob, StreamJob, AlternativesJob, ExportJob, CatteryJob)
    return {one.name: one.flags[0] for job in jobs for one in options_of(job) if one.flags}


def with_flags(message: str, command: argparse.ArgumentParser | None = None) -> str:
    """A message of the library with the flags of the command line in the place of options.

    Args:
        command: whose flags come first; two commands may call one field differently.
    """
    options = [] if command is None else map(option_of, command._actions)
    own = {one.name: one.flags[0] for one in options if one is not None and one.flags}

    def flag(found: re.Match[str]) -> str:
        return own.get(found[1]) or flags().get(found[1]) or f"--{found[1].replace('_', '-')}"

    return re.sub(r"`([a-z][a-z_.]*)`", flag, message)


def print_warnings(warnings: Sequence[str], quiet: bool = False) -> None:
    """Tell what the user should know, on stderr."""
    for warning in () if quiet else warnings:
        print(f"vhmae: warning: {with_flags(warning)}", file=sys.stderr)
