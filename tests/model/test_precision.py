"""One machine works in one precision, however busy it was when that was measured."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from vhmae.model import precision
from vhmae.model.precision import fastest_precision, precision_file


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    fastest_precision.cache_clear()
    yield tmp_path
    fastest_precision.cache_clear()


def started(monkeypatch: pytest.MonkeyPatch, measured: str) -> str:
    """What a start takes that measures so."""
    monkeypatch.setattr(precision, "_measured", lambda: measured)
    fastest_precision.cache_clear()
    return fastest_precision("cpu")


@pytest.mark.parametrize("first", ["fp32", "bf16"])
def test_what_was_measured_first_is_taken_ever_after(
    first: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = [started(monkeypatch, one) for one in (first, "fp32", "bf16", "fp32", "bf16")]
    assert found == [first] * 5
    precision_file().unlink()
    assert started(monkeypatch, "bf16") == "bf16"


def test_of_two_first_starts_the_first_to_be_done_counts(monkeypatch: pytest.MonkeyPatch) -> None:
    def slow() -> str:
        precision_file().parent.mkdir(parents=True)
        precision_file().write_text("bf16\n")  # by the other one, meanwhile
        return "fp32"

    monkeypatch.setattr(precision, "_measured", slow)
    assert fastest_precision("cpu") == "bf16"


@pytest.mark.parametrize("content", ["", "fp64", "\0\xff"])
def test_a_damaged_note_is_measured_anew(content: str, monkeypatch: pytest.MonkeyPatch) -> None:
    precision_file().parent.mkdir(parents=True)
    precision_file().write_text(content)
    assert started(monkeypatch, "bf16") == started(monkeypatch, "fp32") == "bf16"
    assert [path.name for path in precision_file().parent.iterdir()] == [precision_file().name]


@pytest.mark.parametrize("units", ["flags : fma amx_bf16", "flags : fma"])
def test_where_nothing_can_be_kept_the_units_decide(
    units: str, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (cache / "vhmae").write_text("a file in the folder's place")
    monkeypatch.setattr(precision, "_cpu_facts", lambda: [units])
    expected = "bf16" if "amx" in units else "fp32"
    assert [started(monkeypatch, one) for one in ("fp32", "bf16")] == [expected] * 2


def test_another_machine_that_shares_the_folder_measures_for_itself(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    assert started(monkeypatch, "bf16") == "bf16"
    monkeypatch.setattr(precision, "_cpu_facts", lambda: ["model name : another"])
    assert started(monkeypatch, "fp32") == "fp32"
    assert len(os.listdir(precision_file().parent)) == 2


def test_both_products_are_timed() -> None:
    single, half = precision._product_seconds(64, 2)
    assert 0.0 < single < 60.0
    assert 0.0 < half < 60.0


@pytest.mark.parametrize(
    ("ratios", "expected", "products"),
    [
        ({128: 5.0, 512: 0.1}, "fp32", [128]),  # a large one would take seconds
        ({128: 1.0, 512: 0.6}, "bf16", [128, 512]),
        ({128: 0.2, 512: 0.8}, "fp32", [128, 512]),
    ],
)
def test_bf16_is_taken_where_it_is_clearly_faster(
    ratios: dict[int, float],
    expected: str,
    products: list[int],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    asked: list[int] = []

    def seconds(size: int, repeats: int) -> tuple[float, float]:
        asked.append(size)
        return 1.0, ratios[size]

    monkeypatch.setattr(precision, "_product_seconds", seconds)
    assert precision._measured() == expected
    assert asked == products
