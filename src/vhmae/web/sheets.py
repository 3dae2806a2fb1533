"""Tables as CSV for spreadsheets: what people wrote stays text, and never runs as a formula."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterable, Sequence
from typing import Any

FORMULA = re.compile(r"[\s\0]*[=+\-@\uFF1D\uFF0B\uFF0D\uFF20]|[\t\r\n]")
"""How text begins that a spreadsheet takes for a formula, or for the end of the cell before it.
The wide forms count too: where they are typed, spreadsheets read them as the narrow ones."""
SEPARATOR = re.compile(r"([;|\t\r\n]+)")
"""What other countries' spreadsheets, and pasting, end a cell at, whatever we quote."""
NUMBER = re.compile(r"[+-]?\d{1,15}(?:[.,]\d{1,15})?")


def csv_text(rows: Iterable[Sequence[Any]]) -> str:
    """Rows as CSV."""
    out = io.StringIO()
    csv.writer(out).writerows([harmless(value) for value in row] for row in rows)
    return out.getvalue()


def harmless(value: Any) -> Any:
    """A cell that no spreadsheet runs: an apostrophe in front of what it would take for a formula
    makes it text. Numbers stay."""
    if not isinstance(value, str) or NUMBER.fullmatch(value):
        return value
    first, *others = SEPARATOR.split(value)
    found = f"'{first}" if FORMULA.match(value) else first
    for separator, part in zip(others[::2], others[1::2], strict=True):
        is_formula = FORMULA.match(part) and not NUMBER.fullmatch(part.strip())
        found += f"{separator}'{part}" if is_formula else f"{separator}{part}"
    return found
