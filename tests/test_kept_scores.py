"""Figures that are not measured anew stand in the result files beside those that are."""

from __future__ import annotations

import importlib
import json
from pathlib import Path
from typing import Any

import pytest

from tests.support.sets import data
from vhmae.evaluation.methods import find_method

__all__ = ["data"]


def test_a_set_is_scored_anew_and_all_others_stand(
    data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    scores = importlib.import_module("scores")
    for name in ("val-one", "val-edge"):
        (tmp_path / name).symlink_to(data)
    file = tmp_path / "scores.json"
    places = ["--data", str(tmp_path), "--sets", str(tmp_path), "--json", str(file)]
    command = ["scores.py", *places, "--work", str(tmp_path / "work"), "--methods"]

    def run(methods: str, sets: str) -> dict[str, Any]:
        monkeypatch.setattr("sys.argv", [*command, methods, "--only", sets])
        scores.main()
        found: dict[str, Any] = json.loads(file.read_text())
        return found

    first = run("composite,mkl", "val-edge,val-one")
    assert [(row["data"], row["method"]) for row in first["scores"]] == [
        (name, method) for name in ("val-one", "val-edge") for method in ("composite", "mkl")
    ]
    first["paired"] = [
        {"data": name, "methods": [scores.OURS, "mkl"], "kept": name}
        for name in ("val-one", "val-edge")
    ]
    file.write_text(json.dumps(first))
    monkeypatch.setattr(scores, "rows_of", lambda *given: pytest.fail("it was scored before"))
    again = run("mkl", "val-one")
    assert again["scores"] == first["scores"]
    assert again["paired"] == first["paired"]
    monkeypatch.undo()
    more = run("mkl:0.25", "val-edge")
    edges = [row["method"] for row in more["scores"] if row["data"] == "val-edge"]
    assert edges == ["composite", "mkl:0.25", "mkl"]
    assert [row for row in more["scores"] if row["method"] != "mkl:0.25"] == first["scores"]
    assert more["paired"] == first["paired"]


FACTS: dict[str, Any] = {"schema": 1, "weights_sha256": "a", "seeds": 2}


def test_sets_of_the_same_weights_and_prior_stand_beside_one_that_is_guided_anew(
    tmp_path: Path,
) -> None:
    guided = importlib.import_module("guided")
    file = tmp_path / "guided.json"
    assert guided.kept_sets(None, FACTS, ["val-two"]) == {}
    assert guided.kept_sets(file, FACTS, ["val-two"]) == {}
    sets = [{"data": name, "rows": [name]} for name in ("val-two", "val-camera", "val-mild")]
    file.write_text(json.dumps({**FACTS, "hardware": {"date": "old"}, "sets": sets}))
    kept = guided.kept_sets(file, FACTS, ["val-camera"])
    assert list(kept) == ["val-two", "val-camera", "val-mild"]
    assert kept["val-two"] == {"hardware": {"date": "old"}, **sets[0]}
    for changed in ({"weights_sha256": "b"}, {"seeds": 3}):
        with pytest.raises(ValueError, match="name val-two, val-mild in --of, too"):
            guided.kept_sets(file, {**FACTS, **changed}, ["val-camera"])
        whole = ["val-camera", "val-mild", "val-two"]
        assert guided.kept_sets(file, {**FACTS, **changed}, whole) == {}


def test_networks_that_are_not_given_stand_in_the_table_of_one_look(
    data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    one_look = importlib.import_module("one_look")
    for name in one_look.SETS:
        (tmp_path / name).symlink_to(data)
    file = tmp_path / "one_look.json"
    kept = {"data": "val-one", "method": one_look.METHODS[1], "swap_background": True, "ratio": 0.2}
    old = {"data": "val-two", "method": one_look.METHODS[0], "swap_background": False, "ratio": 7.0}
    file.write_text(json.dumps({"hardware": {"date": "old"}, "rows": [old, kept]}))
    monkeypatch.setattr(one_look, "shown_once", lambda weights: find_method("mkl", data))
    monkeypatch.setattr("sys.argv", ["one_look", "--sets", str(tmp_path), "--json", str(file)])
    one_look.main()
    rows = json.loads(file.read_text())["rows"]
    told = [(row["data"], row["method"], row["swap_background"]) for row in rows]
    scored = [one_look.METHODS[0], one_look.METHODS[3]]
    expected = [
        (one, name, swap) for one in one_look.SETS for name in scored for swap in (False, True)
    ]
    expected.insert(2, ("val-one", one_look.METHODS[1], True))
    assert told == expected
    assert rows[2] == {**kept, "hardware": {"date": "old"}}
    assert all(row["ratio"] != 7.0 and row.get("digests") for row in rows if row is not rows[2])
