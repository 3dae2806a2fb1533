"""The words of the command line: flags in the place of the options that the library names."""

from __future__ import annotations

import functools
import re
import sys
from collections.abc import Sequence

from vhmae.options import options_of


@functools.cache
def flags() -> dict[str, str]:
    """The flag of each option that is not called as its field is."""
    from vhmae.grade.job import ExportJob
    from vhmae.nuke.job import CatteryJob
    from vhmae.work.job import AlternativesJob, HarmonizeJob, PreviewJob, StreamJob

    jobs: tuple[type, ...] = (HarmonizeJob, PreviewJob, StreamJob, AlternativesJob)
    jobs += (ExportJob, CatteryJob)
    return {one.name: one.flags[0] for job in jobs for one in options_of(job)}


def with_flags(message: str) -> str:
    """A message of the library with the flags of the command line in the place of options."""

    def flag(found: re.Match[str]) -> str:
        return flags().get(found[1]) or f"--{found[1].replace('_', '-')}"

    return re.sub(r"`([a-z][a-z_.]*)`", flag, message)


def print_warnings(warnings: Sequence[str], quiet: bool = False) -> None:
    """Tell what the user should know, on stderr."""
    for warning in () if quiet else warnings:
        print(f"vhmae: warning: {with_flags(warning)}", file=sys.stderr)
