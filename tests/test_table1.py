"""Rows of Table 1: what is kept, paired, chosen and told of them."""

from __future__ import annotations

import importlib
import json
import re
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from tests.support.reports import report
from tests.support.results import tables
from tests.support.sets import data
from vhmae.data.digests import settings_digest
from vhmae.evaluation.clip import Method
from vhmae.evaluation.network import weights_digest
from vhmae.evaluation.protocols import PROTOCOLS

__all__ = ["data", "tables"]


ROOT = Path(__file__).parents[1]


def test_old_rows_of_table_1_are_told_by_their_sets(
    tables: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tables, "RESULTS", tmp_path)
    assert tuple(tables.older("table1")) == ()  # no row has been scored yet
    table1 = importlib.import_module("table1")
    for weights in (weights_digest("default"), "0"):
        scored = report("default", 1.0)
        scored["method_facts"] = {"weights": "default"}
        scored["digests"]["weights"] = weights
        row = {"row": "default", "sets": {"val-one": table1.told(scored)}}
        result = {
            "hardware": {"commit": "abc1234"},
            "rows": [{**row, "colors": {}, "swapped": {}}],
        }
        (tmp_path / "table1.json").write_text(json.dumps(result))
        assert tuple(tables.older("table1")) == (("abc1234",) if weights == "0" else ())


def test_a_set_of_stills_has_no_steadiness_in_its_table(
    tables: ModuleType, monkeypatch: pytest.MonkeyPatch
) -> None:
    table1, made = (importlib.import_module(name) for name in ("table1", "table1_tables"))
    row = next(row for row in made.ROWS if row.over_time)
    for steps, cells in ((None, " |  |  |"), (0.5, "| 0.50 [0.50, 0.50] | 0.50 [0.50, 0.50] |")):
        found = {"sets": {"val-real": table1.told(report(row.name, 2.0, steps))}, "mix": 1.0}
        monkeypatch.setattr(made, "scored", lambda found=found: [(row, found)])
        assert made.metric_table("val-real").endswith(cells)


def test_rows_of_table_1_that_are_not_run_anew_stand_with_their_pairs(
    tables: ModuleType, tmp_path: Path
) -> None:
    table1 = importlib.import_module("table1")
    path, ours = tmp_path / "table1.json", table1.REFERENCE

    def run(**fmse: float) -> dict[str, Any]:
        """Score rows, as a run with ``--only`` does."""
        found: dict[str, Any] = {}
        for name, value in fmse.items():
            row = name.replace("_", "-")
            one = report(row, value)
            (tmp_path / f"{row}.val-one.json").write_text(json.dumps(one))
            found[row] = {"sets": {"val-one": one}, "colors": {}, "swapped": {}}
        hardware = {"scores": [{"commit": f"at-{len(found)}"}], "cost": {"commit": "c"}}
        facts = {row: {"mix": 1.0, "hardware": hardware} for row in found}
        table1.write(path, tmp_path, found, facts)
        result: dict[str, Any] = json.loads(path.read_text())
        return result

    def gaps(result: dict[str, Any]) -> dict[str, float]:
        return {pair["row"]: pair["difference"]["mean"] for pair in result["paired"]}

    whole = run(mkl=9.0, is2am=7.0, vhmae_transforms=5.0)
    assert gaps(whole) == {"mkl": 4.0, "is2am": 2.0}
    again = run(is2am=6.0)
    assert [row["row"] for row in again["rows"]] == ["mkl", "is2am", ours]
    assert again["rows"][0] == whole["rows"][0]
    where = [row["hardware"]["scores"][0]["commit"] for row in again["rows"]]
    assert where == ["at-3", "at-1", "at-3"]
    assert gaps(again) == {"mkl": 4.0, "is2am": 1.0}
    (tmp_path / "mkl.val-one.json").unlink()
    assert gaps(run(is2am=8.0)) == {"mkl": 4.0, "is2am": 3.0}  # neither of mkl's two has changed
    # The composites of mkl are kept, though its whole report is not.
    assert gaps(run(vhmae_transforms=2.0)) == {"mkl": 7.0, "is2am": 6.0}
    (tmp_path / "table1-composites.json").unlink()
    assert gaps(run(vhmae_transforms=2.0)) == {"mkl": 7.0, "is2am": 6.0}  # nothing has changed
    (tmp_path / "table1-composites.json").unlink()
    assert gaps(run(vhmae_transforms=1.0)) == {"is2am": 7.0}


def test_a_file_whose_rows_do_not_say_where_they_were_measured_tells_it_on(
    tables: ModuleType, tmp_path: Path
) -> None:
    table1 = importlib.import_module("table1")
    path, old = tmp_path / "table1.json", {"commit": "old", "date": "2026-01-01"}
    path.write_text(json.dumps({"hardware": old, "rows": [{"row": "mkl", **PARTS}], "paired": []}))
    table1.write(path, tmp_path, {"is2am": PARTS}, {"is2am": {"hardware": {"scores": []}}})
    rows = json.loads(path.read_text())["rows"]
    assert rows[0]["hardware"] == {"scores": [old], "cost": old}


PARTS: dict[str, Any] = {"sets": {}, "colors": {}, "swapped": {}}


def test_a_row_says_when_each_of_its_reports_was_made(tables: ModuleType) -> None:
    table1 = importlib.import_module("table1")
    first, second = ({"commit": one, "date": "2026-01-01"} for one in ("a", "b"))
    reports = {
        name: {"hardware": one} for name, one in zip("xyz", (first, second, first), strict=True)
    }
    assert table1.made_on({**PARTS, "sets": reports}) == [first, second]


def test_a_map_of_colors_is_paired_in_both_columns(tables: ModuleType) -> None:
    table1 = importlib.import_module("table1")
    mkl = {"sets": {"val-one": report("mkl", 9.0)}, "colors": {}}
    ours = {
        "sets": {"val-one": report("ours", 5.0)},
        "colors": {"val-one": report("ours, colors alone", 4.0)},
    }
    pairs = table1.differences({"mkl": mkl, table1.REFERENCE: ours})
    assert [(one["colors"], one["difference"]["mean"]) for one in pairs] == [
        (False, 4.0),
        (True, 5.0),
    ]


def test_in_real_light_the_composites_that_lead_are_paired(tables: ModuleType) -> None:
    table1 = importlib.import_module("table1")
    rows = {
        name: {"sets": {data: report(name, fmse) for data in ("val-one", "val-real")}, "colors": {}}
        for name, fmse in (("is2am", 7.0), (table1.REFERENCE, 5.0))
    }
    for row in rows.values():
        detail = row["sets"]["val-real"]["composites_detail"]
        far = {**detail[0], "name": "far/object_1", "values": {"fmse": 9000.0}}
        detail.append({**far, "untouched": {"fmse": 9000.0}})
    pairs = {pair["data"]: pair for pair in table1.differences(rows)}
    counts = {data: len(rows["is2am"]["sets"][data]["composites_detail"]) for data in pairs}
    assert counts["val-real"] == counts["val-one"] + 1
    assert pairs["val-real"]["composites"] == pairs["val-one"]["composites"]
    assert pairs["val-real"]["below_fmse"] == 3000.0
    assert "below_fmse" not in pairs["val-one"]


def test_what_dev_two_leaves_least_of_is_chosen_and_an_edge_is_told(
    tables: ModuleType, capsys: pytest.CaptureFixture[str]
) -> None:
    table1 = importlib.import_module("table1")
    assert table1.chosen_mix("mkl", {0.05: 0.9, 0.1: 0.8, 0.15: 0.85}) == 0.1
    assert capsys.readouterr().err == ""
    assert table1.chosen_mix("mkl", {0.05: 0.7, 0.1: 0.8}) == 0.05
    assert "mkl: 0.05, the least" in capsys.readouterr().err


def test_rows_of_equal_time_stand_apart_under_their_own_name(
    tables: ModuleType, monkeypatch: pytest.MonkeyPatch
) -> None:
    rows, made = (importlib.import_module(name) for name in ("table1_rows", "table1_tables"))
    by_name = {row.name: row for row in rows.ROWS}
    assert len({(row.title, row.mix) for row in rows.ROWS}) == len(rows.ROWS)
    told = importlib.import_module("table1").told(report("is2am", 2.0, 0.5))
    found = {
        "sets": dict.fromkeys(made.SETS, told),
        "colors": dict.fromkeys(made.SETS, told),
        "swapped": {},
        "mix": 1.0,
        "samples": 16000,
        "image_size": 128,
        "trained_seconds": 600,
        "curve": {"1": 0.9, "2": 0.8, "3": 0.7},
        "cost": {
            size: {"cpu_seconds_a_frame": 1.0, "peak_mib": 100}
            for size in ("training size", "1080 lines")
        },
        "parameters": 10,
    }
    both = [(by_name[name], found) for name in ("is2am", "is2am-equal-time")]
    monkeypatch.setattr(made, "scored", lambda: both)
    for text in (made.metric_table("val-one"), made.curve_table()):
        assert text.count("iS2AM") == 1
    cost = made.cost_table()
    assert "| iS2AM |" in cost
    assert "| iS2AM, as long as VHMAE |" in cost
    assert "10 min on the wall" in cost
    assert [line.split(" | ")[1] for line in made.time_table().splitlines()[2:]] == [
        "samples",
        "time",
    ]
    timed = {**found, "processor_seconds": 300}
    monkeypatch.setattr(made, "scored", lambda: [(by_name["is2am"], timed)])
    assert "5 min of processor time" in made.cost_table()


def test_packaged_weights_have_no_course(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    rows = importlib.import_module("table1_rows").ROWS
    (tmp_path / "weights-4000.safetensors").touch()
    monkeypatch.chdir(tmp_path)
    assert next(row for row in rows if row.name == "default").kept(tmp_path) == {}


def test_a_run_ends_in_its_page_and_its_picture(
    tables: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    table1, figures = importlib.import_module("table1"), importlib.import_module("figures")
    page = tmp_path / "docs" / "table1.md"
    page.parent.mkdir()
    page.write_text("<!-- table1 -->\nold\n<!-- end -->\n")
    drawn = []
    monkeypatch.setattr(tables, "ROOT", tmp_path)
    monkeypatch.setattr(tables, "blocks", lambda: {"table1": "new"})
    monkeypatch.setattr(figures, "draw_table1", lambda: drawn.append(True))
    monkeypatch.setattr(table1, "make_set", lambda *given: None)
    argv = ["table1", "--data", "d", "--runs", "r", "--work", str(tmp_path / "w")]
    argv += ["--only", "is2am"]  # whose weights are not there
    monkeypatch.setattr("sys.argv", [*argv, "--json", str(tmp_path / "other.json")])
    table1.main()
    assert "old" in page.read_text()
    assert not drawn
    monkeypatch.setattr("sys.argv", argv)
    table1.main()
    assert "new" in page.read_text()
    assert drawn


def test_a_report_is_read_again_only_where_it_says_all_that_is_asked(
    tables: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    table1 = importlib.import_module("table1")
    method = Method("mkl", lambda clip: clip.composite, facts={"mix": 1.0})
    settings = {"protocol": "clean", "version": PROTOCOLS["clean"].version, "size": None}
    digests = {
        "set": "s",
        "method": method.digest,
        "protocol": settings_digest({**settings, "resizing": None}),
    }
    monkeypatch.setattr(table1, "digest_of_set", lambda data: "s")

    def today(wanted: tuple[str, ...] = ("fmse",), **changes: str) -> bool:
        kept = {"digests": {**digests, **changes}, "overall": {"fmse": {}}}
        return bool(table1.is_of_today(kept, method, tmp_path, wanted))

    assert today()
    assert not today(("fmse", "mse"))
    assert not today(("fmse", "temporal"))
    assert not today(set="other")
    assert not today(method="other")
    assert not today(protocol="other")


def test_a_row_of_a_set_that_was_made_anew_is_marked(
    tables: ModuleType, monkeypatch: pytest.MonkeyPatch
) -> None:
    table1, made = (importlib.import_module(name) for name in ("table1", "table1_tables"))
    today, before = (table1.told(report("is2am", 2.0)) for _ in range(2))
    before["digests"] = {**today["digests"], "set": "as made before"}
    found = {
        name: {"sets": dict.fromkeys(made.SETS, today) | old, "mix": 1.0}
        for name, old in (("composite", {}), ("is2am", {"val-camera": before}), ("idih", {}))
    }
    monkeypatch.setattr(made, "rows_by_name", lambda: found)
    _, _, marked, plain = made.ratio_table("sets").splitlines()
    assert [cell.endswith("† ") for cell in marked.split("|")[2:7]] == [
        name == "val-camera" for name in made.SETS
    ]
    assert "†" not in plain
    assert "| iS2AM † |" in made.metric_table("val-camera")
    assert made.old_line().startswith("†: on val-camera as it was")
    del found["is2am"]
    assert made.old_line() == ""


def test_no_row_says_where_its_weights_lie_on_a_machine(tables: ModuleType) -> None:
    table1 = importlib.import_module("table1")
    for given, kept in (
        ("comparator:/home/me/runs/a/is2am/weights.safetensors", "comparator:runs/is2am/weights"),
        ("/mnt/x/is2am/weights.safetensors", "runs/is2am/weights"),
        ("vhmae:default", "vhmae:default"),
    ):
        told = table1.told({**report("is2am", 2.0), "method_facts": {"method": given}})
        assert told["method_facts"]["method"].removesuffix(".safetensors") == kept
    for file in (ROOT / "benchmarks" / "results").glob("*.json*"):
        assert not re.search(r'[":](/tmp|/home|/work|/root)/', file.read_text()), file
