"""A table of jobs: one video a line, options in columns by their names (docs/cli.md, "batch")."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from vhmae.errors import InputError, did_you_mean
from vhmae.options import Option, build_options, options_of
from vhmae.work.job import HarmonizeJob

REQUIRED = ("composite", "mask", "out")
NAMES = {"masks": "mask", "output": "out"}
"""What columns are called that are not called as their options are."""
SEPARATORS = ",;\t"


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
    rows = list(_rows(table))
    jobs = [(line, _job(table, line, row, shared)) for line, row in rows]
    if not jobs:
        raise InputError(f"{table}: holds no job; write one a line")
    seen: set[Path] = set()
    for line, job in jobs:
        output = job.output.resolve()
        if output in seen:
            told = (
                f"line {line} writes {output.name}, which another line writes too; give each its "
                "own output"
            )
            raise InputError(f"{table}: {told}")
        seen.add(output)
    return [job for _, job in jobs]


def _rows(table: Path) -> Iterator[tuple[int, dict[str, str]]]:
    """The lines of a table, each with its number and its fields by their columns."""
    try:
        text = _decoded(table.read_bytes())
        heading = text.lstrip("\n").partition("\n")[0]
        separator = max(SEPARATORS, key=heading.count)
        reader = csv.reader(io.StringIO(text, newline=""), delimiter=separator)
        lines = [(reader.line_num, fields) for fields in reader if any(fields)]
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        reason = getattr(error, "strerror", None) or error
        raise InputError(f"{table}: cannot be read ({reason}); give a CSV file") from None
    names = [name.strip().lower().replace("-", "_") for name in lines[0][1]] if lines else []
    missing = [
        name
        for name in REQUIRED
        if name not in names and not (name == "mask" and "foreground" in names)
    ]
    if missing:
        told = f"has no column '{missing[0]}'; its first line must name {', '.join(REQUIRED)}"
        raise InputError(f"{table}: {told}")
    known = columns()
    for name in names:
        if name not in known:
            told = (
                f"column '{name}' is unknown{did_you_mean(name, known)}; expected "
                f"{', '.join(known)}"
            )
            raise InputError(f"{table}: {told}")
        if names.count(name) > 1:
            raise InputError(f"{table}: has two columns '{name}'; leave one")
    for line, fields in lines[1:]:
        if len(fields) != len(names):
            told = (
                f"line {line} does not have the fields of the first line; quote fields with commas"
            )
            raise InputError(f"{table}: {told}")
        if any("\0" in field for field in fields):
            raise InputError(f"{table}: line {line} holds a NUL, which no name can; mend the table")
        yield line, {name: field.strip() for name, field in zip(names, fields, strict=True)}


def _decoded(data: bytes) -> str:
    """Text of a spreadsheet: UTF-8, or UTF-16 as Excel writes it."""
    is_wide = data[:2] in (b"\xff\xfe", b"\xfe\xff")
    return (
        data.decode("utf-16" if is_wide else "utf-8-sig").replace("\r\n", "\n").replace("\r", "\n")
    )


def _job(table: Path, line: int, row: dict[str, str], shared: Mapping[str, Any]) -> HarmonizeJob:
    if not row["composite"] or not row["out"]:
        raise InputError(f"{table}: line {line} names no composite or no output; fill both in")
    values = dict(shared)
    for name, one in columns().items():
        text = row.get(name, "")
        if not text:
            continue
        try:
            value = one.parse(text)
        except InputError as error:
            raise InputError(f"{table}: line {line}: {error}") from None
        if isinstance(value, Path):
            value = table.parent / value
        elif one.is_list and one.role == "input":
            value = tuple(table.parent / path for path in value)
        values[one.name] = value
    try:
        return build_options(HarmonizeJob, values)
    except InputError as error:
        raise InputError(f"{table}: line {line}: {error}") from None
