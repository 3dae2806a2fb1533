"""No table of an older package stands unmarked."""

from __future__ import annotations

import contextlib
import importlib
import io
import itertools
import json
import re
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from tests.support.reports import report
from tests.support.results import tables
from tests.support.scenes import moving_scene
from tests.support.sets import data
from vhmae.data.digests import settings_digest
from vhmae.evaluation.clip import Clip
from vhmae.evaluation.constant import map_digest, read_constant
from vhmae.evaluation.network import weights_digest
from vhmae.evaluation.protocols import PROTOCOLS
from vhmae.model.vhmae import VHMAE

__all__ = ["data", "tables"]
ROOT = Path(__file__).parents[1]


def test_a_table_is_of_today_or_says_its_commit(tables: ModuleType) -> None:
    commits = {name: tables.older(name) for name in tables.EVALUATED}
    text = "\n".join((ROOT / page).read_text() for page in tables.PAGES)
    blocks = re.findall(r"<!-- ([\w-]+) -->\n(.*?)<!-- end -->", text, flags=re.DOTALL)
    shown = {name for name, _ in blocks}
    for source, names in tables.EVALUATED.items():
        assert shown & {*names}, f"{source}: none of its tables is shown under these names"
        for name, block in blocks:
            if name in names:
                marks = re.findall(r"Measured at ([\w-]+)\.", block)
                assert {*commits[source]} <= {*marks}, name
                assert {*marks} <= {*itertools.chain.from_iterable(commits.values())}, name


def test_every_page_shows_what_is_made_of_the_results(tables: ModuleType) -> None:
    made = tables.marked(tables.blocks())
    for page in tables.PAGES:
        text = (ROOT / page).read_text()
        assert tables.filled(text, made) == text, f"{page}: run python benchmarks/tables.py"
    assert not tables.fill_scores(write=False), "run python benchmarks/tables.py"


def test_cards_show_every_set_that_their_weights_were_scored_on(tables: ModuleType) -> None:
    results = {name: json.loads((tables.RESULTS / f"{name}.json").read_text()) for name in CARDS}
    shown = {row for page in tables.PAGES for row in (ROOT / page).read_text().splitlines()}
    for name, result in results.items():
        card = (ROOT / "src/vhmae/assets" / CARDS[name]).read_text()
        for row in result["scores"]:
            if row["method"] == "vhmae" and row["protocol"] == "clean":
                cameras = len(row.get("groups", ()))
                told = f" (an indication: {cameras} camera" if cameras else " |"
                assert f"| {row['data']}{told}" in card, (name, row["data"])
                if "leading" in row:
                    leading = rf"^\| {row['data']} \(an indication.*, under 3000 fMSE \|"
                    assert re.search(leading, card, re.MULTILINE)
    for row in results["scores"]["scores"]:
        luma = row["change"]["luma"]
        if row["method"] == "vhmae" and row["protocol"] == "clean" and not row["swap_background"]:
            begun = f"| {row['data']} | {luma['slope']:.2f} ({luma['cut']:.0%} of "
            assert any(line.startswith(begun) for line in shown), begun


CARDS = {
    "looks": "MODEL_CARD.md",
    "scores": "MODEL_CARD.md",
    "looks-free": "MODEL_CARD.free.md",
    "scores-free": "MODEL_CARD.free.md",
}


def test_other_digests_are_told_from_todays(
    tables: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tables, "RESULTS", tmp_path)
    settings = {"protocol": "clean", "version": PROTOCOLS["clean"].version, "size": None}
    digests = {"weights": weights_digest("default"), "protocol": settings_digest(settings)}
    row = {"settings": settings, "method_facts": {"weights": "default"}, "digests": digests}

    def older(**changes: object) -> Any:
        result = {"hardware": {"commit": "abc1234"}, "scores": [row, {**row, **changes}]}
        (tmp_path / "scores.json").write_text(json.dumps(result))
        return tuple(tables.older("scores"))

    assert older() == ()
    assert older(digests={**digests, "weights": "0"}) == ("abc1234",)
    assert older(digests={**digests, "protocol": "0"}) == ("abc1234",)
    assert older(digests=None) == ("abc1234",)
    # A run's weights lie where it was trained; nothing in the package says what they are.
    elsewhere = {"weights": "runs/mine/weights.safetensors"}
    assert older(method_facts=elsewhere, digests={**digests, "weights": "0"}) == ()
    constant = {"map_sha256": map_digest(read_constant("two"))}
    unweighted = {**digests, "weights": None}
    assert older(method_facts=constant, digests=unweighted) == ()
    assert older(method_facts={"map_sha256": "0"}, digests=unweighted) == ("abc1234",)
    # A row that says itself where it was measured is not told by the last write of the file.
    measured = {"hardware": {"commit": "def5678"}, "digests": {**digests, "weights": "0"}}
    assert older(**measured) == ("def5678",)
    assert older(hardware={"commit": "def5678"}) == ()


def test_a_small_child_of_a_large_process_holds_little(tables: ModuleType) -> None:
    method_cost = importlib.import_module("method_cost")
    if not method_cost.STATUS.exists():
        pytest.skip("no /proc: the peak is what the system says of the process")
    large = bytearray(600 * 1024 * 1024)
    large[::4096] = b"x" * len(large[::4096])
    assert method_cost.peak_mib() > 600
    assert method_cost.timed("composite", (16, 16, 1))["peak_mib"] < 600


@pytest.mark.parametrize(
    ("script", "option", "asked"),
    [
        ("table1", "--only", "is2an"),
        ("look_scores", "--only", "val-tow"),
        ("look_scores", "--methods", "gain"),
        ("scores", "--methods", "constnt"),
    ],
)
def test_a_name_that_is_not_known_is_refused_before_the_work(
    script: str,
    option: str,
    asked: str,
    tables: ModuleType,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    places = ["--data", "data", "--sets", "sets", "--json", "out.json"]
    if script == "table1":
        places += ["--runs", "runs", "--work", "work"]
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("sys.argv", [script, *places, option, asked])
    with pytest.raises(SystemExit) as ended:
        importlib.import_module(script).main()
    assert ended.value.code == 2
    assert f"{option} {asked}: unknown" in capsys.readouterr().err
    assert not list(tmp_path.iterdir())


def test_pairs_of_methods_that_are_not_scored_anew_stand(
    tables: ModuleType, tmp_path: Path
) -> None:
    scores = importlib.import_module("scores")
    first = {name: report(name, value) for name, value in (("vhmae", 5.0), ("mkl", 9.0))}
    made = scores.paired_rows("val-two", {"scores": []}, first, None)
    assert {pair["methods"][1]: pair["difference"]["mean"] for pair in made} == {"mkl": -4.0}
    before = {
        "scores": [{"data": "val-two", **row} for row in first.values()],
        "paired": [*made, {**made[0], "methods": ["vhmae", "reinhard"]}],
    }
    mkl = {"mkl": report("mkl", 7.0)}
    assert len(scores.paired_rows("val-two", before, {"mkl": first["mkl"]}, None)) == 2
    alone = scores.paired_rows("val-two", before, mkl, None)  # of the other nothing is kept
    assert [pair["methods"][1] for pair in alone] == ["reinhard"]
    scores.kept_file(tmp_path, "vhmae", "val-two").write_text(json.dumps([first["vhmae"]]))
    found = scores.paired_rows("val-two", before, mkl, tmp_path)
    assert [pair["difference"]["mean"] for pair in found] == [-4.0, -2.0]


def test_scores_of_other_weights_never_stand_among_those_of_a_file(
    tables: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    scores = importlib.import_module("look_scores")
    path = tmp_path / "looks.json"
    assert scores.kept_rows(path, "free") == {}
    row = {"data": "val-two", "method": "vhmae", "ratio": {"fmse": 0.5}}
    scores.write(path, {("val-two", "vhmae"): row}, "default")
    (kept,) = scores.kept_rows(path, "default").values()
    assert {key: kept[key] for key in row} == row
    for words, told in (
        (["--weights", "free"], "holds scores of the weights default, not of free"),
        (["--methods", "reinhard"], "--methods reinhard: unknown"),
        (["--only", "val-none"], "--only val-none: unknown"),
    ):
        command = ["look_scores.py", "--data", str(tmp_path), "--json", str(path), *words]
        monkeypatch.setattr("sys.argv", command)
        with pytest.raises(SystemExit), capture() as said:
            scores.main()
        assert told in said.getvalue()
    assert scores.kept_rows(path, "default")


def capture() -> contextlib.redirect_stderr[io.StringIO]:
    return contextlib.redirect_stderr(io.StringIO())


def test_every_score_of_the_package_is_watched(tables: ModuleType) -> None:
    """Tables of guided.json say themselves which weights they are of, docs/decisions.md what
    answer_then_gain.json tried, and table1-composites.json goes with table1.json."""
    texts = {path.stem: path.read_text() for path in tables.RESULTS.glob("*.json")}
    signs = ('"fmse"', '"worse', '"swap_background"')
    scored = {name for name, text in texts.items() if any(sign in text for sign in signs)}
    assert scored == {*tables.EVALUATED, "guided", "answer_then_gain", "table1-composites"}


def test_no_rival_that_is_known_does_better_than_the_best_rival(tables: ModuleType) -> None:
    made = importlib.import_module("score_tables")
    lines = [line.split(" | ") for line in made.summary_table().splitlines()[2:]]
    told = {cells[0].strip("| "): float(cells[4].strip("*")) for cells in lines}
    seen = 0
    for row in json.loads((tables.RESULTS / "table1.json").read_text())["rows"]:
        is_rival = row["row"] in made.NETWORKS
        is_rival |= row["row"].partition("-")[0] in made.RIVALS  # gain-0.3 is gain, too
        for name, scored in row["sets"].items() if is_rival else ():
            ratio = scored.get("leading", scored)["ratio"]["fmse"]
            assert told[name] <= ratio + 0.005, (row["row"], name)
            seen += 1
    assert seen >= 75


def test_measures_of_their_own_say_what_they_rest_on(
    tables: ModuleType, data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    provenance = importlib.import_module("provenance")
    told = provenance.rests_on(data, provenance.facts_of("default", way="fast"))
    assert {*told} == {"settings", "method_facts", "digests"}
    monkeypatch.setattr(tables, "RESULTS", tmp_path)
    for name, row in (("steadiness", told), ("context", {"scores": {"val-two": told}})):
        for weights, marks in ((told["digests"]["weights"], ()), ("0", ("abc1234",))):
            told["digests"]["weights"] = weights
            result = {"hardware": {"commit": "abc1234"}, "rows": [row]}
            (tmp_path / f"{name}.json").write_text(json.dumps(result))
            assert tuple(tables.older(name)) == marks
        told["digests"]["weights"] = weights_digest("default")


def test_networks_of_one_look_are_shown_once(
    tables: ModuleType, monkeypatch: pytest.MonkeyPatch
) -> None:
    one_look = importlib.import_module("one_look")
    frames, masks = moving_scene(2, 96, 64)
    found = []
    look_again = VHMAE.look_again

    def watched(self: VHMAE, change: Any, *more: Any, **named: Any) -> Any:
        again = look_again(self, change, *more, **named)
        found.append(again is change)
        return again

    monkeypatch.setattr(VHMAE, "look_again", watched)
    method = one_look.shown_once("default")
    assert method.facts["again"] == method.facts["caution"] == 0.0
    result = method.harmonize(Clip(frames, masks))
    assert found
    assert all(found)
    assert not (result == frames).all()
