"""The guide's closed form in TypeScript gives the numbers of Python's."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

from tests.support.guide import colors, loose_prior
from tests.support.node import Library, library
from vhmae.arrays import Array
from vhmae.engine.pointing import disk_mean, map_at, mean_beside
from vhmae.engine.rendering import FrameTransform
from vhmae.engine.solid import solid_of
from vhmae.guide.colors import added
from vhmae.guide.decision import Scene, decide
from vhmae.guide.dials import DIALS, Dials, dial_change, fit_dials, read_dials, turn
from vhmae.guide.document import Choice, Point
from vhmae.guide.prior import Prior, prior_beside, read_prior
from vhmae.guide.takes import takes
from vhmae.guide.update import Seen, observe, report, update
from vhmae.model.files import DEFAULT, packaged_weights


@pytest.fixture(scope="module")
def node(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Library]:
    with library(tmp_path_factory.mktemp("library")) as found:
        yield found


@pytest.fixture(scope="module")
def prior() -> Prior:
    return read_prior(prior_beside(packaged_weights()[DEFAULT]))


def a_map(seed: int, size: float = 0.06) -> Array:
    return np.random.default_rng(seed).normal(0.0, size, 30)


def seen_points() -> list[Seen]:
    """One point of every kind and form, some of which contradict each other."""
    rng = np.random.default_rng(3)
    words: list[dict[str, Any]] = [
        {"kind": "match", "to": (4.0, 5.0)},
        {"kind": "target", "to": (0.9, 0.1, 0.2)},
        {"kind": "keep"},
        {"kind": "neutral", "weight": 2.5},
        {"kind": "brightness", "to": 0.75},
        {"kind": "brightness", "to": (4.0, 5.0)},
        {"kind": "hue", "to": (0.7, 0.5, 0.4)},
        {"kind": "target", "to": (0.1, 0.9, 0.2)},
    ]
    found: list[Any] = []
    for number, word in enumerate(words, 1):
        point = Point(at=(10.0 * number, 20.0), frame=2, **word)
        composite = rng.uniform(0.1, 0.9, 3)
        # Two places of one color are told two things.
        composite = found[1].composite if number == len(words) else composite
        answer = composite + added(composite, a_map(7))
        goal = np.array(point.color) if point.color else rng.uniform(0.0, 1.0, 3)
        share = 0.4 if number == 3 else 1.0  # a frame of a fade
        found.append(Seen(point, number, 0, composite, answer, goal if point.to else None, share))
    return found


def as_page(seen: Seen) -> dict[str, Any]:
    """A point as the pages hold it."""
    tree = {
        "point": seen.point.to_tree(),
        "number": seen.number,
        "shot": seen.shot,
        "composite": seen.composite.tolist(),
        "answer": seen.answer.tolist(),
        **({} if seen.share == 1.0 else {"share": seen.share}),
    }
    return tree if seen.goal is None else tree | {"goal": seen.goal.tolist()}


def close(found: Any, expected: Any, tolerance: float = 1e-9) -> None:
    wanted = np.asarray(expected, np.float64)
    np.testing.assert_allclose(
        np.reshape(found, wanted.shape), wanted, rtol=0.0, atol=tolerance * max(1.0, wanted.max())
    )


def test_every_word_is_the_same_observation(node: Library) -> None:
    for one in seen_points():
        expected, found = observe(one), node("observe", as_page(one))
        close(found["measure"], expected.measure)
        close(found["wanted"], expected.wanted)
        assert found["variance"] == pytest.approx(expected.variance)


@pytest.mark.parametrize("count", [0, 1, 3, 8])
def test_the_update_is_the_same(node: Library, prior: Prior, count: int) -> None:
    seen = seen_points()[:count]
    told = [node("observe", as_page(one)) for one in seen]
    for known, begin in ((prior, None), (loose_prior(0.3, (0.5, 2.0)), a_map(5, 0.02))):
        expected = update(known, [observe(one) for one in seen], begin)
        found = node("update", told, *([] if begin is None else [begin]), prior=known)
        close(found["mean"], expected.mean)
        close(found["covariance"], expected.covariance)
        close(found["weights"], expected.weights)


def test_reports_name_what_contradicts(node: Library, prior: Prior) -> None:
    seen = seen_points()
    expected = report(prior, seen, a_map(9), 0.8)
    found = node("report", [as_page(one) for one in seen], a_map(9), 0.8, prior=prior)
    for mine, theirs in zip(found, expected, strict=True):
        close(mine["got"], theirs.got)
        assert mine["levelsLeft"] == pytest.approx(theirs.levels_left)
        assert mine["clipped"] == theirs.clipped
        assert mine["contradicts"] == theirs.contradicts
    assert any(one["contradicts"] for one in found)


def test_takes_of_three_rounds_are_the_same(node: Library, prior: Prior) -> None:
    scene, overall = colors(np.random.default_rng(1)), a_map(2)
    start: Array | None = None
    for round_ in (1, 2, 4):
        expected = takes(prior, scene, overall, 8, round_, start)
        begin = [] if start is None else [start]
        found = node("takes", scene, overall, 8, round_, *begin, prior=prior)
        assert [one["word"] for one in found] == [one.word for one in expected]
        for mine, theirs in zip(found, expected, strict=True):
            close(mine["change"], theirs.change)
        start = expected[2].change


SETTINGS = (
    Dials(exposure=0.4),
    Dials(temperature=-35.0, tint=12.0),
    Dials(exposure=-0.7, contrast=0.3, blacks=2.5, saturation=-0.6),
    Dials(exposure=1.0, blacks=-4.0, saturation=0.8),
)


@pytest.mark.parametrize("dials", SETTINGS)
def test_dials_turn_colors_and_maps_alike(node: Library, dials: Dials) -> None:
    scene, overall = colors(np.random.default_rng(4), 3000), a_map(6, 0.03)
    said = dict(zip(DIALS, dials.values(), strict=True))
    for color in scene[:5]:
        close(node("turn", color.tolist(), said), turn(color, dials))
    expected = dial_change(scene, overall, dials)
    close(node("dialChange", scene, overall, said), expected, 1e-8)


@pytest.mark.parametrize("dials", SETTINGS)
def test_dials_are_read_back_alike(node: Library, dials: Dials) -> None:
    scene = colors(np.random.default_rng(8), 3000)
    for found, expected in (
        (node("fitDials", scene, turn(scene, dials)), fit_dials(scene, turn(scene, dials))),
        (node("readDials", scene, a_map(3, 0.03)), read_dials(scene, a_map(3, 0.03))),
    ):
        values = [found["dials"][name] for name in DIALS]
        np.testing.assert_allclose(values, expected.dials.values(), rtol=1e-4, atol=1e-3)
        assert found["changeLevels"] == pytest.approx(expected.change_levels)
        assert found["leftLevels"] == pytest.approx(expected.left_levels, abs=1e-4)


@pytest.mark.parametrize(("rounds", "before"), [(0, 0), (2, 0), (1, 2), (2, 1)])
def test_all_that_is_said_together(node: Library, prior: Prior, rounds: int, before: int) -> None:
    scene, overall = colors(np.random.default_rng(1)), a_map(2)
    choices = [
        Choice(chosen=4 - at, round=at + 1, frame=2, after_points=before * (at + 1))
        for at in range(rounds)
    ]
    seen, dials = seen_points(), SETTINGS[2]
    expected = decide(
        prior, seen, choices=choices, dials=dials, colors=scene, overall=overall, strength=0.7
    )
    said = {
        "seen": [as_page(one) for one in seen],
        "choices": [choice.to_tree() for choice in choices],
        "dials": dataclasses.asdict(dials),
        "colors": scene,
        "overall": overall,
        "strength": 0.7,
    }
    found = node("decide", said, prior=prior)
    close(found["change"], expected.change, 1e-8)
    close(found["covariance"], expected.covariance)
    for mine, theirs in zip(found["points"], expected.points, strict=True):
        close(mine["got"], theirs.got, 1e-7)
        close(mine["levelsLeft"], theirs.levels_left, 1e-6)
        assert mine["clipped"] is theirs.clipped
    for number, take in enumerate(node("nextTakes", said, 6, prior=prior), 1):
        asked = Choice(chosen=number, round=rounds + 1, frame=2, after_points=len(seen))
        one = decide(prior, seen, choices=[*choices, asked], colors=scene, overall=overall)
        close(take["change"], one.change, 1e-8)
        assert take["word"] == one.word


def test_choices_at_several_frames_of_a_shot(node: Library, prior: Prior) -> None:
    scenes = {at: Scene(colors(np.random.default_rng(at)), a_map(at)) for at in (2, 5)}
    choices = [
        Choice(chosen=3, frame=2),
        Choice(chosen=5, frame=5),
        Choice(chosen=4, frame=2, round=2),
    ]
    own = scenes[2]._asdict()
    expected = decide(prior, [], choices=choices, scenes=scenes, **own)
    trees = [choice.to_tree() for choice in choices]
    told = {at: scene._asdict() for at, scene in scenes.items()}
    found = node("decide", {**own, "choices": trees, "scenes": told}, prior=prior)
    close(found["change"], expected.change, 1e-8)
    close(found["covariance"], expected.covariance)


def test_choices_follow_points_that_are_taken_out(node: Library) -> None:
    choices = [{"chosen": 3, "after_points": 2}, {"chosen": 1, "after_points": 1}, {"chosen": 2}]
    for place, left in ((0, (1, 0, 0)), (1, (1, 1, 0)), (2, (2, 1, 0))):
        found = node("withoutPointAt", choices, place)
        assert tuple(one.get("after_points", 0) for one in found) == left


@pytest.mark.parametrize("most", [255, 77], ids=["solid", "smoke"])
def test_a_place_means_the_same_pixels_and_the_same_map(node: Library, most: int) -> None:
    rng = np.random.default_rng(0)
    height, width = 360, 500
    frame = rng.integers(0, 256, (height, width, 3), np.uint8)
    matte = (rng.uniform(size=(height, width)) * most).astype(np.uint8)
    transform = FrameTransform(
        a_map(1).reshape(3, 10).astype(np.float32),
        rng.normal(0.0, 0.05, (16, 16, 3, 4)).astype(np.float32),
    )
    pixels = np.concatenate([frame, np.full((height, width, 1), 255, np.uint8)], -1)
    picture = {"data": pixels, "width": width, "height": height}
    maps = {"overall": transform.overall, "local": transform.local, "rows": 16, "columns": 16}
    for place in ((0.0, 0.0), (499.0, 359.0), (123.5, 77.25), (499.9, 359.9)):
        inside = solid_of(matte)
        close(node("diskMean", picture, *place, matte), disk_mean(frame, place, inside))
        beside = mean_beside(frame, place, matte / np.float32(255.0))
        assert beside is not None
        close(node("meanBeside", picture, *place, matte), beside)
        expected = map_at(transform, place, height, width)
        close(node("mapAt", maps, *place, width, height), expected, 1e-6)
