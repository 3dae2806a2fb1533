"""What the page of Table 1 says of its rows: who is ahead, and what dev chose."""

from __future__ import annotations

import importlib
from types import ModuleType
from typing import Any

import pytest


@pytest.fixture
def page() -> ModuleType:
    return importlib.import_module("table1_tables")


def rows(page: ModuleType, **ratios: float) -> list[tuple[Any, dict[str, Any]]]:
    """Rows that leave as much on every set."""
    by_name = {row.name: row for row in page.ROWS}
    made = []
    for key, ratio in ratios.items():
        row = by_name[key.replace("_", "-")]
        left = {"ratio": {"fmse": ratio}, "ratio_ci95": {"fmse": [ratio, ratio]}, "worse_share": 0}
        sets = dict.fromkeys(page.SETS, left)
        mix = 0.1 if row.group == "classical" else 1.0
        tried = {"0.05": 0.97, "0.1": 0.96, "0.15": 1.02} if row.group == "classical" else {}
        colors = {} if row.is_map else sets
        made.append((row, {"mix": mix, "tried": tried, "sets": sets, "colors": colors}))
    return made


def pair(row: str, mean: float, low: float, high: float, **more: Any) -> dict[str, Any]:
    told = {"mean": mean, "ci95": [low, high]}
    to = {"to": "vhmae-transforms", "data": "val-two"}
    first = {"row": row, **to, "colors": True, "videos": 28}
    return {**first, "ratio_difference": told, **more}


def test_rows_that_are_surely_ahead_or_behind_are_told_by_set(
    page: ModuleType, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = rows(page, mkl=0.7, is2am=0.9, idih=0.8, constant=0.5)
    pairs = [
        pair("mkl", -0.1, -0.2, -0.05),
        pair("is2am", 0.1, 0.05, 0.2),
        pair("idih", -0.1, -0.2, 0.1),  # nobody knows
        pair("idih", -0.1, -0.2, -0.1, videos=7),  # too few
        pair("is2am", -0.1, -0.2, -0.1, colors=False),  # not the leading column
        pair("constant", -0.3, -0.4, -0.2),  # not on equal terms
        pair("constant", -0.1, -0.2, 0.1, to="default", data="val-one"),
        pair("idih", -0.3, -0.4, -0.2, to="default"),
        pair("idih", -0.3, -0.4, -0.2, data="val-real"),  # two views
    ]
    monkeypatch.setattr(page, "scored", lambda: found)
    monkeypatch.setattr(page, "result", lambda: {"paired": pairs})
    lines = page.ahead_table().splitlines()
    assert "| val-two | Monge-Kantorovich, 0.1 of the way (-0.10) | iS2AM (+0.10) |" in lines
    assert "| val-one | none | none |" in lines
    assert not [line for line in lines if "val-real" in line]
    assert "surely ahead of VHMAE with transforms on val-two (-0.30)." in page.constant_line()
    assert page.constant_line().endswith("ratio, which cannot be told from nothing.")
    assert page.unpaired_line() == ""
    found += rows(page, dovenet=0.9)
    assert page.unpaired_line() == "Not paired yet: DoveNet."


def test_rows_that_leave_less_than_the_packaged_weights_are_told(
    page: ModuleType, monkeypatch: pytest.MonkeyPatch
) -> None:
    sure = [pair("mkl", -0.1, -0.2, -0.05, to="default")]
    monkeypatch.setattr(page, "result", lambda: {"paired": sure})
    for ours, told in ((0.6, "No row"), (0.75, "on val-two (0.750): **Monge-Kantorovich")):
        found = rows(page, mkl=0.7, is2am=0.9, constant=0.5, default=ours)
        monkeypatch.setattr(page, "scored", lambda found=found: found)
        line = page.packaged_line()
        assert told in line
        assert ("on val-one (0.750): Monge" in line) == (ours > 0.7)  # not surely
        assert "iS2AM" not in line
        assert "constant" not in line
    monkeypatch.setattr(page, "scored", lambda: rows(page, mkl=0.7))
    assert "not been scored" in page.packaged_line()


def test_real_light_is_told_by_the_composites_that_lead(page: ModuleType) -> None:
    report = {"ratio": {"fmse": 0.9}, "ratio_ci95": {"fmse": [0.8, 1.0]}, "worse_share": 0.5}
    assert page.left(report) == (0.9, (0.8, 1.0), 0.5)
    part = {"ratio": {"fmse": 1.1, "ci95": [1.0, 1.2]}, "worse_share": 0.25}
    assert page.left({**report, "leading": part}) == (1.1, (1.0, 1.2), 0.25)


def test_a_row_is_told_beside_the_one_beneath_it(
    page: ModuleType, monkeypatch: pytest.MonkeyPatch
) -> None:
    pairs = [pair("huang-rainnet", 0.1, 0.05, 0.2, to="rainnet"), pair("rainnet", 0.3, 0.2, 0.4)]
    monkeypatch.setattr(page, "result", lambda: {"paired": pairs})
    monkeypatch.setattr(page, "scored", lambda: rows(page, rainnet=0.9, huang_rainnet=1.0))
    [line] = page.beneath_table().splitlines()[2:]
    assert line.startswith("| Huang et al. (RainNet) | RainNet |  | **+0.100** [+0.05, +0.20] |")


def test_what_dev_chose_stands_out(page: ModuleType, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(page, "scored", lambda: rows(page, mkl=0.7, is2am=0.9))
    assert page.tried_table().splitlines() == [
        "| method | 0.05 | 0.1 | 0.15 |",
        "| --- | --- | --- | --- |",
        "| Monge-Kantorovich | 0.970 | **0.960** | 1.020 |",
    ]


def test_a_ratio_beyond_the_panel_is_an_arrow_at_its_edge(page: ModuleType) -> None:
    figures = importlib.import_module("figures")
    assert figures._within(1.5, 3, "o") == ([1.5], [3], "o")
    assert figures._within(2.4, 3, "|") == ([figures.WORST], [3], ">")
