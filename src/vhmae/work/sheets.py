"""Tables as spreadsheets write them: with commas, semicolons or tabs, in UTF-8 or UTF-16."""

from __future__ import annotations

import csv
import dataclasses
import io
import re
from pathlib import Path

from vhmae.errors import InputError
from vhmae.memory import bounded

SEPARATORS = ",;\t"
_SAID = re.compile(rf'"?sep=([{SEPARATORS}])"?[{SEPARATORS}]*(?:\n|\Z)', re.IGNORECASE)
"""A first line by which Excel is told what separates fields."""


@dataclasses.dataclass(frozen=True)
class Sheet:
    """A table with a heading."""

    separator: str
    names: list[str]
    """Of the columns, small and without blanks around them; empty ones at the end are none."""
    rows: list[tuple[int, list[str]]]
    """Lines that hold anything: their numbers, from 1, and fields; empty ones behind the last
    column are none."""


def read_sheet(path: Path) -> Sheet:
    """Read a table.

    Raises:
        InputError: for one that cannot be read.
    """
    try:
        text = _decoded(bounded(path).read_bytes())
        said = _SAID.match(text)
        before = 0 if said is None else text.count("\n", 0, said.end())
        text = text if said is None else text[said.end() :]
        heading = text.lstrip("\n").partition("\n")[0]
        separator = max(SEPARATORS, key=heading.count) if said is None else said[1]
        reader = csv.reader(io.StringIO(text, newline=""), delimiter=separator)
        lines = [
            (before + reader.line_num, fields)
            for fields in reader
            if any(field.strip() for field in fields)
        ]
    except UnicodeDecodeError:
        told = "is neither UTF-8 nor UTF-16; save it as CSV UTF-8"
        raise InputError(f"{path}: {told}") from None
    except (OSError, csv.Error) as error:
        reason = getattr(error, "strerror", None) or error
        raise InputError(f"{path}: cannot be read ({reason}); give a CSV file") from None
    if not lines:
        return Sheet(separator, [], [])
    names = _short([name.strip().lower() for name in lines[0][1]], 0)
    return Sheet(separator, names, [(line, _short(row, len(names))) for line, row in lines[1:]])


def _short(fields: list[str], least: int) -> list[str]:
    """Fields without empty ones at the end, beyond the ``least`` first."""
    count = len(fields)
    while count > least and not fields[count - 1].strip():
        count -= 1
    return fields[:count]


def _decoded(data: bytes) -> str:
    """Text of a spreadsheet: UTF-8, or UTF-16 as Excel writes it, also without its mark."""
    encoding = "utf-8-sig"
    if data[:2] in (b"\xff\xfe", b"\xfe\xff"):
        encoding = "utf-16"
    elif b"\0" in data[:2]:  # the first letter is of a column's name
        encoding = "utf-16-be" if data[0] == 0 else "utf-16-le"
    return data.decode(encoding).replace("\r\n", "\n").replace("\r", "\n")
