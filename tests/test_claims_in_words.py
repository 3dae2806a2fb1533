"""What pages say in words of measured things is what the result files hold."""

from __future__ import annotations

import json
import re
import statistics
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[1]
SHARES = {"a fifth": 0.2, "a third": 1 / 3, "two fifths": 0.4, "a half": 0.5}
ROUNDED = 0.05
"""How far a share that is said in words may be from what was measured."""


def taken(kind: str) -> list[float]:
    """Of the error that is left, the share that one point takes, a set each: said by an eye that
    errs by 12 levels."""
    found = []
    for one in json.loads((ROOT / "benchmarks/results/guided.json").read_text())["sets"]:
        rows = {row["points"]: row for row in reversed(one["rows"]) if row["kind"] == "target"}
        said: list[dict[str, Any]] = [
            row
            for row in one["rows"]
            if row["kind"] == kind and row["points"] == 1 and row["error"] == 12.0
        ]
        assert len(said) == 1
        found.append(1.0 - said[0]["ratio"] / rows[0]["ratio"])
    return found


@pytest.mark.parametrize("page", ["README.md", "docs/how-to/looks-wrong.md"])
def test_what_a_point_takes_is_what_was_measured(page: str) -> None:
    words = "|".join(SHARES)
    text = " ".join((ROOT / page).read_text().split())
    claim = re.search(
        rf"one right point takes ({words}) to ({words}) of the error that is left"
        rf"(?:, ({words}) on the set in the middle)?",
        text,
        flags=re.IGNORECASE,
    )
    assert claim, page
    least, most, middle = claim.groups()
    assert min(taken("target")) == pytest.approx(SHARES[least], abs=ROUNDED)
    assert max(taken("target")) == pytest.approx(SHARES[most], abs=ROUNDED)
    if middle is not None:
        assert statistics.median(taken("target")) == pytest.approx(SHARES[middle], abs=ROUNDED)


def test_words_stand_in_the_order_of_what_they_take() -> None:
    text = (ROOT / "docs/how-to/looks-wrong.md").read_text()
    kinds = [
        kind
        for kind in re.findall(r"^\|[^|]*\| `--([a-z]+) ", text, flags=re.MULTILINE)
        if kind in ("match", "target", "brightness", "neutral")
    ]
    worth = {kind: statistics.median(taken(kind)) for kind in kinds}
    assert sorted(kinds) == ["brightness", "match", "neutral", "target"]
    assert kinds == sorted(kinds, key=lambda kind: -worth[kind])
    assert worth["neutral"] < 0.05  # "it takes almost nothing by itself"
