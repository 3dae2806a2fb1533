"""What people write stays text in a spreadsheet."""

from __future__ import annotations

import csv
import io
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vhmae.web.sheets import FORMULA, NUMBER, csv_text, harmless

FORMULAS = (
    '=HYPERLINK("http://evil.example","prize")',
    "=cmd|' /C calc'!A0",
    "+1+cmd|' /C calc'!A0",
    "-2+3",
    "@SUM(A1:A9)",
    " =1+1",
    "\u00a0=1+1",
    "\uff1d1+1",
    "\uff0b1+1",
    "\uff0d1+1",
    "\uff20SUM(A1)",
    "-",
    "--1",
    "+49 30 1234567",
)


@pytest.mark.parametrize("formula", FORMULAS)
def test_a_formula_is_text(formula: str) -> None:
    assert harmless(formula) == f"'{formula}"
    ((kept,),) = csv.reader(io.StringIO(csv_text([[formula]]), newline=""))
    assert kept == f"'{formula}"


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("\t=1+1", "'\t'=1+1"),
        ("\r=1+1", "'\r'=1+1"),
        ("\n=1+1", "'\n'=1+1"),
        ("x;=1+1", "x;'=1+1"),
        ("x; @SUM(A1)|-2+3", "x;' @SUM(A1)|'-2+3"),
        ("fine\n=cmd|'/C calc'!A0;", "fine\n'=cmd|'/C calc'!A0;"),
        ("=1;=2", "'=1;'=2"),
        ("5;-3; +1,5", "5;-3; +1,5"),
    ],
)
def test_a_formula_behind_what_ends_cells_elsewhere_is_text(text: str, shown: str) -> None:
    assert harmless(text) == shown


@pytest.mark.parametrize(
    "value",
    [3, -3, 0.5, -0.5, "-3", "+4.5", "-0,5", "a = b", "", "Ann", "5-6", 1e-9, "a; b|c = d"],
)
def test_numbers_and_plain_words_stay_as_they_are(value: object) -> None:
    assert harmless(value) == value


@given(st.text())
def test_no_text_begins_a_formula_and_none_is_changed(text: str) -> None:
    shown = harmless(text)
    assert shown.replace("'", "") == text.replace("'", "")
    for cell in re.split(r"[;|\t\r\n]", shown):
        assert not FORMULA.match(cell) or NUMBER.fullmatch(cell.strip())
    begins = shown.strip("\0 \t\r\n")[:2]
    assert begins[:1] not in ("=", "@")
    if begins[:1] in ("+", "-"):
        float(shown.replace(",", "."))
