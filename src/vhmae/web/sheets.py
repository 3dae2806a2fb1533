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
NUMBER = re.compile(r"[+-]?\d{1,15}(?:[.,]\d{1,15})?")


def csv_text(rows: Iterable[Sequence[Any]]) -> str:
    """Rows as CSV."""
    out = io.StringIO()
    csv.writer(out).writerows([harmless(value) for value in row] for row in rows)
    return out.getvalue()


def harmless(value: Any) -> Any:
    """A cell that no spreadsheet runs: an apostrophe in front makes it text. Numbers stay."""
    if not isinstance(value, str) or NUMBER.fullmatch(value) or not FORMULA.match(value):
        return value
    return f"'{value}"
