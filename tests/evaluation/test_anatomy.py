"""What was needed and made, the ceiling, skin, parts of a set: numbers worked out by hand."""

from __future__ import annotations

import dataclasses
import functools
import json
import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.support.networks import changing_model
from tests.support.scenes import moving_scene
from vhmae.data.hyoutube import (
    COMPOSITE,
    MASK,
    REAL,
    SKIN,
    Sample,
    read_list,
    write_jpeg,
    write_mask,
)
from vhmae.engine.harmonizer import Harmonizer
from vhmae.errors import InputError
from vhmae.evaluation import pooling
from vhmae.evaluation.anatomy import measure, spread_places
from vhmae.evaluation.ceiling import describe_ceiling, measure_ceiling, summarize_ceiling
from vhmae.evaluation.change import describe_change, measure_change, summarize_change, traits
from vhmae.evaluation.groups import describe_groups, ratio_interval, read_journal, summarize_groups
from vhmae.evaluation.leftovers import INDEPENDENT, Leftover, read_leftovers
from vhmae.evaluation.methods import Method, find_method
from vhmae.evaluation.pooling import CompositeScore, paired_difference
from vhmae.evaluation.runner import BIN_EDGES, evaluate
from vhmae.evaluation.skin import (
    describe_skin,
    hue_error,
    measure_skin,
    skin_of,
    summarize_skin,
)
from vhmae.evaluation.tables import format_difference, format_report
from vhmae.guide.colors import rows_at
from vhmae.guide.update import MAP_LEVELS


def test_traits_of_a_few_colors_worked_out_by_hand() -> None:
    colors = np.array([[0, 0, 0], [100, 100, 100], [200, 200, 200], [255, 0, 0]])
    lumas = [0.0, 100.0, 200.0, 255 * 0.299]
    found = traits(colors)
    luma = sum(lumas) / 4
    assert found["luma"] == pytest.approx(luma)
    assert found["contrast"] == pytest.approx(math.sqrt(sum((v - luma) ** 2 for v in lumas) / 4))
    assert found["black"] == pytest.approx(0.15 * 255 * 0.299)  # .05 of the way over three gaps
    assert found["chroma"] == pytest.approx([(75 - luma) / 1.772, (555 / 4 - luma) / 1.402])


def test_slope_and_cut_of_an_exposure_that_is_half_made() -> None:
    composite, target = np.full((50, 3), 100), np.full((50, 3), 140)
    found = measure_change(composite, np.full((50, 3), 120), target)
    assert found["luma.needed"] == pytest.approx(1600)
    assert found["luma.along"] == pytest.approx(800)
    assert found["luma.left"] == pytest.approx(400)
    rows = summarize_change(found.__getitem__)
    assert rows["luma"] == {"needed_levels": 40.0, "slope": 0.5, "cut": 0.75}
    assert rows["chroma"] == {"needed_levels": 0.0, "slope": None, "cut": None}
    assert describe_change(rows) == [
        "  made of what was needed (error cut): luma 0.50 (75%), black 0.50 (75%)"
    ]


def test_a_change_beside_what_is_needed_has_no_slope_and_adds_error() -> None:
    grey, blue, red = (
        np.full((9, 3), 100),
        np.array([[100, 100, 150]] * 9),
        np.array([[150, 100, 100]] * 9),
    )
    rows = summarize_change(measure_change(grey, red, blue).__getitem__)
    blue_step = np.array([50 - 5.7, 0.0]) / [1.772, 1]  # Cb; Cr is (0 - 5.7) / 1.402
    needed = np.array([blue_step[0], -5.7 / 1.402])
    made = np.array([-14.95 / 1.772, (50 - 14.95) / 1.402])
    assert rows["chroma"]["slope"] == pytest.approx((made @ needed) / (needed @ needed), abs=1e-3)
    assert rows["chroma"]["cut"] < 0


def test_slopes_of_a_set_weigh_composites_by_what_they_need() -> None:
    one = measure_change(
        np.full((4, 3), 100), np.full((4, 3), 100), np.full((4, 3), 130)
    )  # of 30, 0
    two = measure_change(
        np.full((4, 3), 100), np.full((4, 3), 110), np.full((4, 3), 110)
    )  # of 10, 10
    rows = summarize_change(lambda name: (one[name] + two[name]) / 2)
    assert rows["luma"]["slope"] == pytest.approx(100 / 1000)
    assert rows["luma"]["cut"] == pytest.approx(1 - 900 / 1000)
    assert rows["luma"]["needed_levels"] == pytest.approx(math.sqrt(500), abs=1e-3)


def test_a_gain_is_within_reach_of_an_affine_map_and_a_square_of_a_quadratic_one() -> None:
    colors = np.random.default_rng(0).uniform(20, 200, (400, 3))
    gained = measure_ceiling(colors, colors * 1.1 + 5)
    assert gained["ceiling.untouched"] == pytest.approx(np.square(colors * 0.1 + 5).mean())
    assert gained["ceiling.affine"] < 0.01
    squared = measure_ceiling(colors, np.square(colors) / 255)
    assert squared["ceiling.quadratic"] < 0.01 < squared["ceiling.affine"]
    rows = summarize_ceiling(squared.__getitem__)
    base = squared["ceiling.untouched"]
    assert rows["affine"] == pytest.approx(squared["ceiling.affine"] / base, abs=1e-4)
    assert describe_ceiling(rows)[0].startswith(
        "  the best map of each composite would leave: affine 0."
    )
    same = measure_ceiling(colors, colors)
    assert summarize_ceiling(same.__getitem__) == {"affine": None, "quadratic": None}


def test_what_differs_from_pixel_to_pixel_is_beyond_every_map() -> None:
    colors = np.full((1000, 3), 100.0)
    target = colors + np.where(np.arange(1000) % 2, 10.0, -10.0)[:, None]
    found = measure_ceiling(colors, target)
    assert found["ceiling.quadratic"] == pytest.approx(100.0, rel=1e-3)


def test_hues_are_compared_as_angles() -> None:
    red, yellow, blue = ([[200, 60, 60]], [[200, 200, 60]], [[60, 60, 200]])
    assert hue_error(np.array(red), np.array(red)) == pytest.approx(0.0, abs=1e-4)
    assert 55 < hue_error(np.array(red), np.array(yellow)) < 95
    assert hue_error(np.array(red), np.array(blue)) <= 180.0
    assert math.isnan(hue_error(np.array(red), np.array([[90, 90, 90]])))


def test_skin_has_an_error_of_its_own() -> None:
    target = np.array([[200, 150, 120]] * 300)
    composite, result = target + np.array([10, 0, 0]), target + np.array([0, 0, 20])
    found = measure_skin(composite, result, target)
    assert found["skin.untouched"] == pytest.approx(100 / 3)
    assert found["skin.fmse"] == pytest.approx(400 / 3)
    row = summarize_skin(found.__getitem__, [found])
    assert row["ratio"] == 4.0
    assert row["hue_degrees"]["method"] > row["hue_degrees"]["composite"] > 0
    assert describe_skin(row)[0].startswith("  skin (1 composite): ratio 4.000, hue off by ")
    assert "grey" not in describe_skin(row)[0]
    few = measure_skin(composite[:10], result[:10], target[:10])
    assert all(math.isnan(value) for value in few.values())


def test_bleached_skin_is_counted_though_it_has_no_hue_to_be_wrong() -> None:
    target = np.array([[200, 150, 120]] * 300)
    composite, grey = target + np.array([-60, 30, 0]), np.full((300, 3), 150)
    mended, bleached = (measure_skin(composite, made, target) for made in (target, grey))
    assert (mended["skin.grey"], bleached["skin.grey"]) == (0.0, 1.0)
    assert math.isnan(bleached["skin.hue"])
    both = [mended, bleached]
    row = summarize_skin(lambda name: float(np.nanmean([one[name] for one in both])), both)
    assert row["hue_degrees"]["method"] == pytest.approx(0.0, abs=1e-4)  # as it was always taken
    assert row["grey"] == {"method": 1, "composite": 0}
    assert describe_skin(row)[0].endswith("; bleached to grey: 1 (untouched 0)")
    # Where the answer itself is grey, nothing was bleached.
    assert measure_skin(target, grey, grey)["skin.grey"] == 0.0


def test_places_are_spread_evenly_over_a_mask() -> None:
    mask = np.zeros((2, 4, 5), bool)
    mask[1] = True
    assert spread_places(mask, 100).tolist() == list(range(20, 40))
    assert spread_places(mask, 3).tolist() == [20, 29, 39]


def scored(name: str, method: float, untouched: float) -> CompositeScore:
    return CompositeScore(
        name, name.partition("/")[0], 1, 0.1, {"fmse": method}, {"fmse": untouched}, {}
    )


@dataclasses.dataclass
class Pool:
    scores: Any

    def mean(self, name: str, part: str = "values") -> float:
        return float(np.mean([getattr(score, part)[name] for score in self.scores]))

    def ratio(self, name: str) -> float | None:
        return self.mean(name) / self.mean(name, "untouched")

    def ratio_interval(self, name: str) -> list[float] | None:
        return pooling.Pool(self.scores, by_frames=False).ratio_interval(name)


def test_each_camera_and_the_leading_composites_are_rows_of_their_own() -> None:
    scores = [
        scored("a-1/object_1", 50, 100),
        scored("a-1/object_2", 4500, 5000),
        scored("b-1/object_1", 90, 60),
    ]
    entries = [
        {"composite": score.name, "group": score.name[0], "fmse": score.untouched["fmse"]}
        for score in scores
    ]
    journal = {"leading_below_fmse": 3000, "composites": entries}
    report = summarize_groups(journal, scores, Pool)
    assert report["leading"]["composites"] == 2
    assert report["leading"]["ratio"]["fmse"] == pytest.approx(140 / 160)
    assert report["leading"]["worse_share"] == 0.5
    assert [row["group"] for row in report["groups"]] == ["a", "b"]
    assert report["groups"][0]["ratio"]["fmse"] == pytest.approx(4550 / 5100)
    assert report["groups"][1]["ratio"] == {"fmse": pytest.approx(1.5), "ci95": None}
    assert summarize_groups({}, scores, Pool) == {}


def test_intervals_of_a_ratio_draw_videos_with_both_their_means() -> None:
    same = [scored(f"v{n}/object_1", 30.0 * n, 60.0 * n) for n in range(1, 6)]
    assert ratio_interval(same, Pool(same)) == [0.5, 0.5]  # whichever are drawn
    two = [scored("a/o", 10, 100), scored("b/o", 100, 100)]
    assert ratio_interval(two, Pool(two)) == [0.1, 1.0]
    assert ratio_interval(same[:1], Pool(same[:1])) is None


def test_the_interval_of_a_row_is_of_the_ratio_beside_it() -> None:
    """Where a protocol counts frames alike, a long video counts more in both."""
    scores = [
        dataclasses.replace(scored(f"v{n}/o", 10.0 * n, 100), frames=1 + 9 * (n % 3))
        for n in range(1, 10)
    ]
    entries = [{"composite": one.name, "group": "all", "fmse": 100.0} for one in scores]
    row = summarize_groups(
        {"composites": entries}, scores, functools.partial(pooling.Pool, by_frames=True)
    )["groups"][0]
    weights = [1 + 9 * (n % 3) for n in range(1, 10)]
    expected = sum(0.1 * n * w for n, w in enumerate(weights, 1)) / sum(weights)
    assert row["ratio"]["fmse"] == pytest.approx(expected, abs=1e-4)
    by_frames = pooling.Pool(scores, by_frames=True).ratio_interval("fmse")
    assert row["ratio"]["ci95"] == by_frames
    assert by_frames != pooling.Pool(scores, by_frames=False).ratio_interval("fmse")


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """Two videos with foregrounds 20 levels too bright; the left half of each is skin."""
    root = tmp_path / "set"
    lines, entries = [], []
    for number, video in enumerate(("a-1", "b-1")):
        frames, masks = moving_scene(2, 96, 64)
        item = f"{video}/object_1"
        folders = [root / kind / item for kind in (REAL, MASK, COMPOSITE, SKIN)]
        for folder in folders:
            folder.mkdir(parents=True)
        for index, (frame, mask) in enumerate(zip(frames, masks, strict=True)):
            bright = np.clip(frame.astype(int) + 20, 0, 255).astype(np.uint8)
            write_jpeg(folders[0] / f"{index:05d}.jpg", frame)
            write_mask(folders[1] / f"{index:05d}.png", mask)
            write_jpeg(folders[2] / f"{index:05d}.jpg", np.where(mask[..., None], bright, frame))
            write_mask(folders[3] / f"{index:05d}.png", mask & (np.arange(96) < 45))
        lines.append(" ".join(folder.relative_to(root).as_posix() for folder in folders[:3]))
        entries.append({"composite": item, "group": video[0], "fmse": 400.0 + 4000.0 * number})
    journal = {"recipe": {"looks": "two"}, "leading_below_fmse": 3000, "composites": entries}
    (root / "synthesis.json").write_text(json.dumps(journal))
    (root / "test_list.txt").write_text("\n".join(lines) + "\n")
    return root


def half(clip: Any) -> np.ndarray:
    darker = clip.composite.astype(int) - 10
    return np.where(clip.mask[..., None], darker, clip.composite).clip(0, 255).astype(np.uint8)


def test_a_report_says_what_was_made_and_what_could_be(data: Path) -> None:
    report = evaluate(data, Method("half", half), ("fmse",))
    assert report["change"]["luma"]["needed_levels"] == pytest.approx(20, abs=0.5)
    assert report["change"]["luma"]["slope"] == pytest.approx(0.5, abs=0.03)
    assert report["change"]["luma"]["cut"] == pytest.approx(0.75, abs=0.03)
    assert report["ceiling"]["affine"] < 0.05
    assert report["skin"]["composites"] == 2
    assert report["skin"]["ratio"] == pytest.approx(0.25, abs=0.03)
    assert report["leading"]["composites"] == 1
    assert [row["group"] for row in report["groups"]] == ["a", "b"]
    text = format_report(report)
    for words in ("leading, under 3000 fMSE: ratio 0.2", "  a: ratio", "made of what was needed"):
        assert words in text
    lines = text.splitlines()
    assert lines[1].startswith("  leading, under 3000 fMSE: ")
    assert [line.split(":")[0] for line in lines[2:4]] == ["  a", "  b"]
    assert lines[1].endswith("one view)  (under 8 views: no claim)"), "regions are no views"
    assert all(line.endswith("one view)  (under 8 views: no claim)") for line in lines[2:4])
    json.dumps(report, allow_nan=False)
    paired = paired_difference(report, evaluate(data, find_method("composite", data), ("fmse",)))
    assert paired["composites"] == 2
    assert paired["leading"]["composites"] == 1
    assert (paired["views"], paired["leading"]["views"]) == (2, 1)
    first, second = format_difference(paired).splitlines()
    assert first.startswith("leading, under 3000 fMSE: half - composite: fmse ratio")
    assert second.startswith("all: half - composite")
    assert first.endswith("(under 8 views: no claim)")


def test_composites_are_binned_by_their_foregrounds_share(data: Path) -> None:
    assert BIN_EDGES == (0.0, 0.05, 0.15, 0.30, 0.50, 0.70, 1.0)
    report = evaluate(data, find_method("composite", data), ("fmse",))
    shares = [sample.read()[2].mean() for sample in read_list(data)]
    for row in report["bins"]:
        inside = [share for share in shares if row["from"] <= share < row["to"]]
        assert row["composites"] == len(inside)
    assert sum(row["composites"] for row in report["bins"]) == len(shares)


def test_skin_is_read_at_the_size_that_is_scored(data: Path) -> None:
    report = evaluate(data, find_method("composite", data), ("fmse",), size=48)
    assert report["skin"]["ratio"] == 1.0
    assert report["change"]["luma"]["slope"] == 0.0
    again = evaluate(data, Method("half", half), ("fmse",), swap_background=True)
    assert again["change"]["luma"]["slope"] == pytest.approx(0.5, abs=0.03)


def test_sets_that_say_nothing_have_no_further_parts(data: Path) -> None:
    (data / "synthesis.json").unlink()
    (data / SKIN).rename(data / "elsewhere")
    report = evaluate(data, find_method("composite", data), ("fmse",))
    assert not {"skin", "leading", "groups"} & report.keys()
    (data / "synthesis.json").write_text("{")
    with pytest.raises(InputError, match="make the set again"):
        read_journal(data)


def test_what_is_measured_of_a_composite_has_one_name_each(data: Path) -> None:
    from vhmae.data.hyoutube import read_list

    sample = read_list(data)[0]
    composite, target, mask = sample.read()
    found = measure(sample, composite, (composite, target, mask))
    assert found["luma.along"] == 0.0
    assert found["skin.fmse"] == found["skin.untouched"]
    assert len(found) == 12 + 3 + 6


def test_groups_are_told_with_their_intervals() -> None:
    row = {
        "group": "harbor",
        "composites": 12,
        "videos": 9,
        "ratio": {"fmse": 0.5, "ci95": [0.4, 0.6]},
        "worse_share": 0.25,
        "groups": 9,
    }
    [line] = describe_groups({"groups": [row]})
    words = "ratio 0.500 [0.400, 0.600], worse than untouched 25% (12 composites of 9)"
    assert line == f"  harbor: {words}"
    [few] = describe_groups({"groups": [{**row, "videos": 7}]})
    assert few.endswith("(under 8 videos: no claim)")
    [views] = describe_groups({"groups": [{**row, "groups": 2}]})
    assert views.endswith("9, 2 views)  (under 8 views: no claim)")
    [none] = describe_groups({"groups": [{**row, "ratio": {"fmse": None, "ci95": None}}]})
    assert none.startswith("  harbor: ratio -, worse")


def test_skin_lies_beside_the_masks_of_a_set(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    skin = np.zeros((8, 10), bool)
    skin[2:5, 3:7] = True
    monkeypatch.chdir(tmp_path)
    (tmp_path / SKIN / "clip" / "object_1").mkdir(parents=True)
    (tmp_path / "composite").mkdir()
    write_mask(tmp_path / SKIN / "clip" / "object_1" / "00000.png", skin)
    write_mask(tmp_path / "composite" / "00000.png", skin)
    for mask in (Path("masks/clip/object_1"), tmp_path / "masks" / "clip" / "object_1"):
        sample = Sample("a", "clip", None, mask, Path("composite"))
        found = skin_of(sample, (1, 8, 10))
        assert found is not None
        assert np.array_equal(found[0], skin)
    shallow = Sample("a", "clip", None, Path("object_1"), Path("composite"))
    assert skin_of(shallow, (1, 8, 10)) is None


def test_all_places_together_count_as_few_independent_ones(rng: np.random.Generator) -> None:
    """H'R^-1 H and H'R^-1 r of all places, with neighbors that say much the same."""
    places = rng.uniform(0.1, 0.9, (300, 3, 3))
    colors = places[:, 0]
    left = Leftover(
        "a", "clip", colors, places[:, 1], places[:, 2], places, colors, np.zeros((3, 10))
    )
    rows = np.concatenate([rows_at(color) for color in colors])
    values = (places[:, 2] - places[:, 1]).ravel()
    sure = INDEPENDENT / 300 * (255.0 / MAP_LEVELS) ** 2
    information, pull = left.told_everywhere()
    np.testing.assert_allclose(information, sure * rows.T @ rows)
    np.testing.assert_allclose(pull, sure * rows.T @ values)


def test_what_is_left_is_measured_at_places_of_either_side(data: Path) -> None:
    harmonizer = Harmonizer(changing_model(), precision="fp32", cut_detection=False)
    sample = read_list(data)[0]
    composite, target, mask = sample.read()
    left = next(read_leftovers(data, harmonizer))
    inside = composite[mask] / 255.0
    known = {tuple(color) for color in np.round(inside, 6)}
    assert all(tuple(color) in known for color in np.round(left.composite, 6))
    assert not np.allclose(left.answer, left.composite)
    assert not np.allclose(left.answer, left.target)
    truth = {tuple(color) for color in np.round(target[mask] / 255.0, 6)}
    assert all(tuple(color) in truth for color in np.round(left.target, 6))
    assert left.places.shape[1:] == (3, 3)
    assert left.overall.shape == (3, 10)
