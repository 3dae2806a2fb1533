"""Intervals and paired differences, against loops."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.support.networks import model
from vhmae.data.digests import settings_digest
from vhmae.data.hyoutube import read_list, read_picture, write_jpeg
from vhmae.errors import InputError
from vhmae.evaluation.constant import fit_constant
from vhmae.evaluation.freshness import outdated
from vhmae.evaluation.methods import find_method
from vhmae.evaluation.pooling import (
    RESAMPLES,
    CompositeScore,
    Pool,
    detail_of,
    paired_difference,
)
from vhmae.evaluation.protocols import find_protocol
from vhmae.evaluation.runner import evaluate
from vhmae.evaluation.tables import format_difference, format_report
from vhmae.model.weights import save_model


def scores_of(rng: np.random.Generator, shift: float = 0.0) -> list[CompositeScore]:
    """Twelve videos of one or two composites; a method that leaves about half of the error."""
    scores = []
    for number in range(18):
        base = float(rng.uniform(100, 900))
        value = base * float(rng.uniform(0.3, 0.7)) + shift
        frames = int(rng.integers(3, 9))
        untouched = {"fmse": base}
        scores.append(
            CompositeScore(
                f"v{number % 12}/{number}",
                f"v{number % 12}",
                frames,
                0.1,
                {"fmse": value},
                untouched,
                {},
            )
        )
    return scores


def drawn_by_a_loop(scores: list[CompositeScore], by_frames: bool) -> list[float]:
    """The ratio's interval, drawn video by video."""
    videos = list(dict.fromkeys(score.video for score in scores))
    draws = np.random.default_rng(0).integers(len(videos), size=(RESAMPLES, len(videos)))
    ratios = []
    for draw in draws[:400]:
        top = bottom = 0.0
        for index in draw:
            own = [score for score in scores if score.video == videos[index]]
            weights = [score.frames if by_frames else 1 for score in own]
            count = sum(weights) if by_frames else 1
            for score, weight in zip(own, weights, strict=True):
                top += count * score.values["fmse"] * weight / sum(weights)
                bottom += count * score.untouched["fmse"] * weight / sum(weights)
        ratios.append(top / bottom)
    return [float(np.percentile(ratios, q)) for q in (2.5, 97.5)]


@pytest.mark.parametrize("by_frames", [False, True])
def test_a_ratios_interval_draws_both_means_from_the_same_videos(
    by_frames: bool, rng: np.random.Generator
) -> None:
    scores = scores_of(rng)
    pool = Pool(scores, by_frames)
    interval = pool.ratio_interval("fmse")
    assert interval is not None
    assert interval == pytest.approx(drawn_by_a_loop(scores, by_frames), abs=0.01)
    ratio = pool.ratio("fmse")
    assert ratio is not None
    assert interval[0] < ratio < interval[1]
    # Apart, the means vary far more than their ratio: that is what drawing them together is for.
    low, high = (bound / pool.mean("fmse", "untouched") for bound in pool.summary("fmse")["ci95"])  # type: ignore[index]
    assert interval[1] - interval[0] < 0.8 * (high - low)


def report_of(scores: list[CompositeScore], method: str, pooling: str = "videos") -> dict[str, Any]:
    digests = {"set": "s", "protocol": "p"}
    detail = json.loads(json.dumps(detail_of(scores), allow_nan=False))
    return {"method": method, "pooling": pooling, "digests": digests, "composites_detail": detail}


def test_a_small_difference_shows_once_it_is_paired() -> None:
    first, second = (scores_of(np.random.default_rng(1), shift) for shift in (0.0, 4.0))
    found = paired_difference(report_of(first, "a"), report_of(second, "b"))
    assert found["difference"]["mean"] == pytest.approx(-4.0, abs=1e-3)
    assert found["difference"]["ci95"] == pytest.approx([-4.0, -4.0], abs=1e-3)
    assert found["smaller_share"] == 1.0
    assert (found["videos"], found["composites"]) == (12, 18)
    assert found["ratio_difference"]["ci95"][1] < 0.0
    summaries = [Pool(scores, False).summary("fmse") for scores in (first, second)]
    assert summaries[0] is not None
    assert summaries[1] is not None
    assert summaries[0]["ci95"][1] > summaries[1]["mean"]  # unpaired, nothing could be said
    swapped = paired_difference(report_of(second, "b"), report_of(first, "a"))
    assert swapped["difference"]["mean"] == -found["difference"]["mean"]
    assert "no claim" not in format_difference(found)
    other = paired_difference(
        report_of(first, "a"), report_of(scores_of(np.random.default_rng(2)), "c")
    )
    assert "holds 0: no claim" in format_difference(other)


def test_reports_that_do_not_belong_together_are_refused(rng: np.random.Generator) -> None:
    scores = scores_of(rng)
    other = report_of(scores, "b")
    other["digests"] = {"set": "s", "protocol": "q"}
    with pytest.raises(InputError, match="another protocol"):
        paired_difference(report_of(scores, "a"), other)
    with pytest.raises(InputError, match="psnr: no composite has it"):
        paired_difference(report_of(scores, "a"), report_of(scores, "b"), "psnr")


def test_a_report_says_what_it_rests_on(data: Path) -> None:
    method = find_method("composite", data)
    first = evaluate(data, method, ("fmse",))
    assert first["settings"] == {"protocol": "clean", "version": 1, "size": None, "resizing": None}
    assert evaluate(data, method, ("fmse",))["digests"] == first["digests"]
    rows = first["composites_detail"]
    assert [row["name"] for row in rows] == [sample.name for sample in read_list(data)]
    assert rows[0]["values"]["fmse"] == rows[0]["untouched"]["fmse"] > 0
    protocol = find_protocol("co2net")
    sized = evaluate(data, method, ("fmse",), protocol=protocol, size=256)
    assert sized["settings"]["resizing"] == "linear"
    assert sized["digests"]["protocol"] != first["digests"]["protocol"]
    assert sized["digests"]["set"] == first["digests"]["set"]
    # Without --size the protocol resizes in the same way: an untouched composite scores the same.
    assert evaluate(data, method, ("fmse",), protocol=protocol)["overall"] == sized["overall"]
    picture = read_list(data)[0].composite / "00000.jpg"
    write_jpeg(picture, read_picture(picture)[::-1])
    assert evaluate(data, method, ("fmse",))["digests"]["set"] != first["digests"]["set"]
    assert find_method("mkl", data, mix=0.5).digest != find_method("mkl", data).digest
    assert find_method("a=mkl", data).digest == find_method("mkl", data).digest


def test_a_figure_of_before_is_told_from_one_of_today(
    data: Path,
    tmp_path: Path,
) -> None:
    weights = tmp_path / "w.safetensors"
    save_model(model(), weights, {})
    report = evaluate(data, find_method(f"vhmae:{weights}", data), ("fmse",))
    assert outdated(report, data) == ()
    older = {**report, "settings": {**report["settings"], "version": 0}}
    older["digests"] = {**report["digests"], "protocol": settings_digest(older["settings"])}
    assert outdated(older) == ("protocol",)
    save_model(model(trust=True), weights, {})
    write_jpeg(next(read_list(data)[1].composite.iterdir()), np.zeros((48, 96, 3), np.uint8))
    assert outdated(report, data) == ("weights", "set")
    weights.unlink()
    assert outdated(report) == ("weights",)
    assert outdated({"digests": report["digests"]}) == ("weights", "protocol")  # of what, unsaid
    constant = evaluate(data, find_method("constant", data), ("fmse",))
    assert outdated(constant) == ()
    facts = {**constant["method_facts"], "map_sha256": "of a fit before"}
    assert outdated({**constant, "method_facts": facts}) == ("map",)
    assert outdated({"protocol": "clean"}) == ()
    assert outdated({"protocol": "co2net"}) == ("protocol",)


def test_the_terminal_shows_intervals(data: Path) -> None:
    report = evaluate(data, find_method("mkl", data), ("fmse", "temporal"))
    low, high = report["ratio_ci95"]["fmse"]
    text = format_report(report)
    assert f"{report['ratio']['fmse']:.3f} [{low:.3f}, {high:.3f}]" in text
    assert text.count("[") >= 2 + len(report["bins"]) + len(report["thirds"])


def test_a_constant_map_says_what_it_was_fitted_on(data: Path, tmp_path: Path) -> None:
    fit_constant(data, "one", tmp_path / "c.json")
    fitted = json.loads((tmp_path / "c.json").read_text())["one"]
    digest = evaluate(data, find_method("composite", data), ("fmse",))["digests"]["set"]
    assert fitted["set_sha256"] == digest
    assert fitted["command"].startswith(f"vhmae fit-constant --data {data} --looks one")
    assert fitted["composites"] == 4


def test_a_composite_counts_by_the_frames_that_have_a_value() -> None:
    """CO2Net's plain mean over all frames: one of ten has a foreground here, and one of one."""
    scores = [
        CompositeScore("a", "a", 10, 0.1, {"fmse": 400.0}, {}, {}, {}, {"fmse": 1}),
        CompositeScore("b", "b", 1, 0.1, {"fmse": 0.0}, {}, {}),
    ]
    assert Pool(scores, by_frames=True).mean("fmse") == 200.0
    none = [dataclasses.replace(one, values={"fmse": 0.0}) for one in scores]
    found = paired_difference(report_of(scores, "a", "frames"), report_of(none, "b", "frames"))
    assert found["difference"]["mean"] == 200.0
