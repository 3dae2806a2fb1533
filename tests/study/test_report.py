"""``vhmae study report``: from what was handed in to files."""

from __future__ import annotations

import csv
import dataclasses
import json
from pathlib import Path

import cv2
import numpy as np
import pytest

from tests.support.study import METHODS, Running
from vhmae.cli import main
from vhmae.errors import InputError
from vhmae.study.figure import draw_shares, ordinal
from vhmae.study.report import Rankings, flags, read_rankings, study_report, write_study_report


def made_up(people: int, clips: int, seed: int = 0) -> Rankings:
    """Rankings by people who prefer the methods in their order, with noise."""
    rng = np.random.default_rng(seed)
    count = people * clips
    times = rng.exponential(1.0, (count, 4)) / np.array([0.55, 0.25, 0.15, 0.05])
    return Rankings(
        methods=METHODS,
        participants=np.repeat(np.arange(people) + 10, clips),
        clips=tuple(f"c{n}" for n in range(clips)) * people,
        ranks=times.argsort(axis=1).argsort(axis=1) + 1,
        places=np.stack([rng.permutation(4) for _ in range(count)]),
        seconds=rng.uniform(4, 20, count),
        clip_seconds=np.full(count, 2.0),
    )


def test_the_report_recovers_what_people_prefer() -> None:
    report = study_report(made_up(50, 20))
    assert (report["participants"], report["rankings"], report["clips"], report["flagged"]) == (
        50,
        1000,
        20,
        [],
    )
    strengths = [row["strength"] for row in report["methods"]]
    assert np.allclose(strengths, [0.55, 0.25, 0.15, 0.05], atol=0.03)
    means = [row["mean_rank"]["mean"] for row in report["methods"]]
    assert means == sorted(means)
    for row in report["methods"]:
        assert sum(one["share"] for one in row["shares"]) == pytest.approx(1.0, abs=1e-3)
        assert all(one["ci95"][0] <= one["share"] <= one["ci95"][1] for one in row["shares"])
    assert report["friedman"]["p"] < 1e-6
    assert all(row["p_holm"] < 0.01 for row in report["wilcoxon"])
    assert len(report["wilcoxon"]) == 6
    assert 0.2 < report["kendalls_w"] < 0.8


def test_a_report_that_cannot_be_written_is_refused(tmp_path: Path) -> None:
    rankings = made_up(2, 1)
    (tmp_path / "report").touch()
    with pytest.raises(InputError, match=r"report: cannot be written \(File exists\)"):
        write_study_report(tmp_path / "report", "Study", study_report(rankings), rankings, [])


def test_people_who_do_not_look_are_flagged_and_left_out_unless_wanted() -> None:
    rankings = made_up(12, 20)
    first, second = rankings.participants == 10, rankings.participants == 11
    rankings.ranks[first] = rankings.places[first] + 1  # the upper left is always the best
    rankings.seconds[second] = 0.7
    assert flags(rankings) == {10: ["one place"], 11: ["too fast"]}
    report = study_report(rankings)
    assert report["participants"] == 10
    assert [one["participant"] for one in report["flagged"]] == [10, 11]
    assert study_report(rankings, keep_flagged=True)["participants"] == 12


def test_one_person_and_nobody_are_no_faults() -> None:
    report = study_report(made_up(1, 3))
    assert report["wilcoxon"] == []
    assert report["friedman"] is None
    assert report["kendalls_w"] is None
    nobody = made_up(2, 2)
    with pytest.raises(InputError, match="nothing was handed in"):
        study_report(nobody.select(np.zeros(4, bool)))


def test_the_files_of_a_report(
    small_study: Running, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    from starlette.testclient import TestClient

    from tests.support.taking_part import enter, next_ballot

    method_of = small_study.methods()
    app = small_study.application()
    for _ in range(3):
        client = TestClient(app)
        enter(client)
        for _ in range(3):
            ballot = next_ballot(client)
            ranking = sorted(ballot["choices"], key=lambda token: METHODS.index(method_of[token]))
            client.post("/api/rankings", json={"ballot": ballot["id"], "ranking": ranking})
    folder = str(small_study.folder)
    assert main(["study", "report", folder]) == 2  # the test's people were too fast
    assert "--keep-flagged" in capsys.readouterr().err
    assert (
        main(["study", "report", folder, "--keep-flagged", "--json", str(tmp_path / "r.json")]) == 0
    )
    assert "fine: mean rank 1.00, ranked first 100 %" in capsys.readouterr().out
    out = small_study.folder / "report"
    report = json.loads((out / "report.json").read_text())
    assert report == json.loads((tmp_path / "r.json").read_text())
    assert [row["method"] for row in report["methods"]] == list(METHODS)
    picture = cv2.imread(str(out / "shares.png"))
    assert picture is not None
    assert picture.std() > 10
    assert "<svg" in (out / "shares.svg").read_text()
    with (out / "shares.csv").open() as file:
        assert {(row["method"], row["rank"]): float(row["share"]) for row in csv.DictReader(file)}[
            "fine", "1"
        ] == 1.0
    with (out / "rankings.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == 36
    assert {row["flagged"] for row in rows} == {"1"}
    with (out / "participants.csv").open() as file:
        people = list(csv.DictReader(file))
    assert [(row["rankings"], row["flags"], row["Screen"], row["Years"]) for row in people] == [
        ("3", "too fast", "phone", "3")
    ] * 3
    assert not list(out.glob(".*"))
    assert {row["method"] for row in rows} == set(METHODS)
    page = (out / "index.html").read_text()
    assert "3 people, 9 rankings of 3 clips" in page
    assert len(read_rankings(small_study.database, small_study.description).ranks) == 9


def test_the_figure_takes_any_name(tmp_path: Path) -> None:
    report = study_report(
        dataclasses.replace(made_up(5, 4), methods=("cost $5 _{x^ and $6", "方法", "a_b", "<i>"))
    )
    draw_shares(report, tmp_path / "shares.png")
    assert cv2.imread(str(tmp_path / "shares.png")) is not None


def test_a_figure_is_the_same_file_whenever_it_is_drawn(tmp_path: Path) -> None:
    draw_shares(study_report(made_up(5, 4)), tmp_path / "shares.svg")
    assert "dc:date" not in (tmp_path / "shares.svg").read_text()


def test_ranks_are_named_as_people_say_them() -> None:
    assert [ordinal(n) for n in (1, 2, 3, 4, 11, 12, 13, 21, 22, 101, 111, 1111)] == [
        "1st",
        "2nd",
        "3rd",
        "4th",
        "11th",
        "12th",
        "13th",
        "21st",
        "22nd",
        "101st",
        "111th",
        "1111th",
    ]
