"""A table of jobs: one video a line, options in columns by their names (docs/cli.md, "batch")."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from fractions import Fraction
from pathlib import Path
from typing import Any

from vhmae.errors import InputError, did_you_mean
from vhmae.options import Option, build_options, options_of, told_of_key
from vhmae.work.job import HarmonizeJob
from vhmae.work.sheets import read_sheet

REQUIRED = ("composite", "mask", "out")
NAMES = {"masks": "mask", "output": "out"}
"""What columns are called that are not called as their options are."""


def columns() -> dict[str, Option]:
    """The columns that a table may have, with their options."""
    return {NAMES.get(one.name, one.name): one for one in options_of(HarmonizeJob)}


def read_jobs(table: Path, shared: Mapping[str, Any]) -> list[HarmonizeJob]:
    """Read a table with a heading: composite, mask, out, and options by their names.

    Commas, semicolons or tabs separate its fields; UTF-8 and UTF-16 are read, headings in capitals
    too. Paths count from the table's folder. Several masks are separated by ``|``.

    Args:
        shared: values of options (``options.values_of``) that empty fields and missing columns
            take.
    Raises:
        InputError: for a table that cannot be read, or two jobs with one output.
    """
    from vhmae.video.sequence import numbered_alike  # with what reads videos: help needs none

    known = columns()
    jobs = [(line, _job(table, line, row, known, shared)) for line, row in _rows(table, known)]
    if not jobs:
        raise InputError(f"{table}: holds no job; write one a line")
    seen: set[Path] = set()
    folders: dict[Path, Path] = {}  # thousands of outputs lie in a few
    for line, job in jobs:
        folder = job.output.parent
        if folder not in folders:
            folders[folder] = folder.resolve()
        output = folders[folder] / numbered_alike(job.output.name)
        output = output.resolve() if output.is_symlink() else output
        if output in seen:
            told = (
                f"line {line} writes {job.output.name}, which another line writes too; give each "
                "its own output"
            )
            raise InputError(f"{table}: {told}")
        seen.add(output)
    return [job for _, job in jobs]


def _rows(table: Path, known: Mapping[str, Option]) -> Iterator[tuple[int, dict[str, str]]]:
    """The lines of a table, each with its number and its fields by their columns."""
    sheet = read_sheet(table)
    names = [name.replace("-", "_") for name in sheet.names]
    missing = [
        name
        for name in REQUIRED
        if name not in names and not (name == "mask" and {"foreground", "matte"} & {*names})
    ]
    if missing:
        told = f"has no column '{missing[0]}'; its first line must name {', '.join(REQUIRED)}"
        raise InputError(f"{table}: {told}")
    for name in names:
        if name not in known:
            told = (
                f"column '{name}' is unknown{did_you_mean(name, known)}; expected "
                f"{', '.join(known)}"
            )
            raise InputError(f"{table}: {told}")
        if names.count(name) > 1:
            raise InputError(f"{table}: has two columns '{name}'; leave one")
    for line, fields in sheet.rows:
        if len(fields) != len(names):
            told = (
                f"line {line} does not have the fields of the first line; quote fields with commas"
            )
            raise InputError(f"{table}: {told}")
        if any("\0" in field for field in fields):
            raise InputError(f"{table}: line {line} holds a NUL, which no name can; mend the table")
        row = {name: field.strip() for name, field in zip(names, fields, strict=True)}
        if sheet.separator != ",":  # where semicolons separate fields, a comma stands in numbers
            row = {name: _with_point(known[name], field) for name, field in row.items()}
        yield line, row


def _with_point(option: Option, field: str) -> str:
    """A number with a comma, as half of the world writes it, with a point."""
    is_number = option.hint in (float, Fraction) and re.fullmatch(r"-?\d*,\d+", field)
    return field.replace(",", ".") if is_number else field


def _job(
    table: Path,
    line: int,
    row: dict[str, str],
    known: Mapping[str, Option],
    shared: Mapping[str, Any],
) -> HarmonizeJob:
    if not row["composite"] or not row["out"]:
        raise InputError(f"{table}: line {line} names no composite or no output; fill both in")
    values = dict(shared)
    for name, text in row.items():
        if not text:
            continue
        one = known[name]
        try:
            value = one.parse(text, table.parent)
        except InputError as error:
            raise InputError(f"{table}: line {line}: {told_of_key(error, name)}") from None
        if name == "weights" and (table.parent / text).is_file():
            value = str(table.parent / text)
        values[one.name] = value
    if values.get("matte") and "resume" not in row:  # it is made anew each time
        values.pop("resume", None)
    try:
        return build_options(HarmonizeJob, values)
    except InputError as error:
        raise InputError(f"{table}: line {line}: {error}") from None
