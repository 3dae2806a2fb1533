"""A guide in the stream: added to the map of the whole shot, never outside the mask, never with a
step."""

from __future__ import annotations

import dataclasses
import functools
import types
from pathlib import Path

import numpy as np
import pytest

from tests.support.networks import changing_model, model
from tests.support.scenes import moving_scene
from vhmae.engine.harmonizer import Harmonizer
from vhmae.engine.moving import Side
from vhmae.engine.pointing import (
    Shown,
    decide_shots,
    disk_mean,
    foreground_colors,
    map_at,
    mean_beside,
    see_point,
)
from vhmae.engine.rendering import FrameTransform
from vhmae.engine.sight import thumbnail_of
from vhmae.errors import InputError
from vhmae.guide.changes import BLENDED_FRAMES, GuideChanges
from vhmae.guide.colors import SIZE, added
from vhmae.guide.decision import decide
from vhmae.guide.dials import Dials, dial_change
from vhmae.guide.document import Choice, Guide, Point
from vhmae.guide.flags import guide_of_flags
from vhmae.guide.prior import Prior
from vhmae.guide.reading import read_guide
from vhmae.work.guiding import as_stored

SURE = Prior(np.eye(SIZE) * 0.01, np.ones(1), np.ones(1))
WARMER = np.zeros((3, 10))
WARMER[0, 3], WARMER[2, 3], WARMER[1, 4] = 0.1, -0.05, 0.2


def harmonizer(**options: object) -> Harmonizer:
    return Harmonizer(changing_model(), precision="fp32", caution=0.0, **options)  # type: ignore[arg-type]


@pytest.mark.parametrize("strength", [1.0, 0.5])
def test_a_change_is_added_inside_the_mask_and_nowhere_else(strength: float) -> None:
    frames, masks = moving_scene(8, 48, 32)
    shown = frames.astype(np.float32) / np.float32(255.0) * np.float32(0.5) + np.float32(0.2)
    own = harmonizer(strength=strength)
    plain = np.stack(list(own.harmonize(shown, masks)))
    own.tell(WARMER)
    guided = np.stack(list(own.harmonize(shown, masks)))
    assert np.array_equal(guided[~masks], shown[~masks])
    expected = strength * added(shown[masks], WARMER)
    assert guided[masks] - plain[masks] == pytest.approx(expected, abs=1e-5)
    own.tell(np.zeros(SIZE))
    assert np.array_equal(np.stack(list(own.harmonize(shown, masks))), plain)


def test_a_word_said_while_frames_come_is_blended_in() -> None:
    count = round(BLENDED_FRAMES) + 12
    frames, masks = moving_scene(1, 48, 32)
    still = np.repeat(
        frames[:1].astype(np.float32) / np.float32(512.0) + np.float32(0.25), count, axis=0
    )
    reds = []
    for guided in (False, True):
        own = harmonizer(lookahead=0)
        out = []
        for index, frame in enumerate(still):
            if index == 6 and guided:
                own.tell(WARMER)
            out.append(own.step(frame, masks[0]))
        reds.append([float(frame[masks[0], 0].mean()) for frame in out if frame is not None])
    steps = np.diff(np.subtract(reds[1], reds[0]))  # what the guide adds, from frame to frame
    assert np.abs(steps[:6]).max() < 1e-6
    assert steps[6:31] == pytest.approx(np.full(25, 0.1 / BLENDED_FRAMES), abs=1e-5)
    assert np.abs(steps[31:]).max() < 1e-6


def test_shots_are_told_apart() -> None:
    told = GuideChanges()
    assert told.at(0, 0) is None
    told.say(WARMER, 1)
    assert told.at(0, 0) is None
    assert told.at(1, 0) == pytest.approx(WARMER)
    told.say(2.0 * WARMER, 1, begin=100)
    half = told.at(1, 100 + round(BLENDED_FRAMES / 2))
    assert half == pytest.approx(WARMER * (1.0 + round(BLENDED_FRAMES / 2) / BLENDED_FRAMES))
    told.say(3.0 * WARMER)
    assert told.at(0, 0) == pytest.approx(3.0 * WARMER)
    assert told.at(1, 500) == pytest.approx(3.0 * WARMER)
    told.restart()
    assert told.at(1, 0) == pytest.approx(3.0 * WARMER)


def test_a_point_comes_out_as_it_was_asked() -> None:
    """By a prior that knows nothing, a place of the rendered frame gets the color that it was
    told."""
    frames, masks = moving_scene(4, 96, 64)
    own = Harmonizer(model(), precision="fp32")  # it answers with what it is shown
    asked = (0.5, 0.42, 0.3)
    place = tuple(
        float(value) for value in np.argwhere(masks[2])[len(np.argwhere(masks[2])) // 2][::-1]
    )
    point = Point(kind="target", at=(place[0], place[1]), frame=2, to=asked)
    answer = own.answer(lambda height, width: thumbnail_of(frames[2], height, width), masks[2])
    assert isinstance(answer, FrameTransform)
    seen = see_point(point, 1, 0, frames[2], masks[2], answer)
    sure = Prior(np.eye(SIZE) * 1e4, np.ones(1), np.ones(1))
    decision = decide(sure, [seen])
    assert decision.points[0].levels_left < 0.1
    own.tell(decision.change)
    out = list(own.harmonize(frames, masks))
    came = disk_mean(out[2], point.at, masks[2])
    assert came == pytest.approx(np.array(asked), abs=2 / 255)


def test_the_map_at_a_place_is_what_is_rendered(rng: np.random.Generator) -> None:
    transform = FrameTransform(
        (rng.normal(size=(3, 10)) * 0.02).astype(np.float32),
        (rng.normal(size=(4, 4, 3, 4)) * 0.02).astype(np.float32),
    )
    from vhmae.engine.rendering import render_rgb

    frame = rng.uniform(0.3, 0.7, (32, 48, 3)).astype(np.float32)
    rendered = render_rgb(frame, np.ones((32, 48), bool), transform)
    for x, y in ((0, 0), (47, 31), (20, 9)):
        made = frame[y, x] + added(frame[y, x], map_at(transform, (x, y), 32, 48))
        assert rendered[y, x] == pytest.approx(made, abs=1e-5)


def test_points_outside_the_mask_are_refused() -> None:
    frames, masks = moving_scene(1, 96, 64)
    flat = FrameTransform(np.zeros((3, 10), np.float32), np.zeros((4, 4, 3, 4), np.float32))
    point = Point(kind="keep", at=(1, 1))
    with pytest.raises(
        InputError, match=r"point 1 \(1,1 of frame 0 stays as it came\): lies outside the mask"
    ):
        see_point(point, 1, 0, frames[0], masks[0], flat)


def test_weights_that_draw_pixels_take_no_guide() -> None:
    with pytest.raises(InputError, match="draw pixels"):
        Harmonizer(model(head="pixel")).tell(WARMER)


def test_a_disk_is_a_disk() -> None:
    """In 288 lines its radius is 3: 29 pixels."""
    picture = np.zeros((288, 400, 3))
    picture[100, 200] = 29.0
    picture[97, 200], picture[97, 201] = 2.9, 290.0
    assert disk_mean(picture, (200, 100)) == pytest.approx(np.full(3, 1.1))
    assert disk_mean(picture, (0, 0)) == pytest.approx(np.zeros(3))
    assert disk_mean(picture, (200, 100), np.zeros((288, 400), bool)) is None


def test_a_place_beside_somebody_has_none_of_his_color() -> None:
    picture = np.zeros((288, 400, 3))
    matte = np.zeros((288, 400), np.float32)
    picture[:, :200], matte[:, :200] = 1.0, 1.0
    assert mean_beside(picture, (200, 100), matte) == pytest.approx(np.zeros(3))
    assert mean_beside(picture, (199, 100), matte) == pytest.approx(np.ones(3))
    assert mean_beside(picture, (399.6, 287.6), matte) == pytest.approx(np.zeros(3))
    flat = FrameTransform(np.zeros((3, 10), np.float32), np.zeros((4, 4, 3, 4), np.float32))
    match = Point(kind="match", at=(150, 100), to=(201, 100))
    seen = see_point(match, 1, 0, picture, matte, flat)
    assert seen.goal == pytest.approx(np.zeros(3))
    other = see_point(match, 1, 0, picture, matte, flat, (picture + 0.5, matte)).goal
    assert other == pytest.approx(np.full(3, 0.5))


def test_flags_file_and_api_say_the_same_to_each_shot(tmp_path: Path) -> None:
    frames, masks = moving_scene(4, 96, 64)
    prior = Prior(np.eye(SIZE) * 0.1, np.array([0.3, 1.0]), np.array([0.5, 0.5]))
    own = harmonizer()

    def show(index: int) -> Shown:
        answer = own.answer(functools.partial(thumbnail_of, frames[index]), masks[index])
        assert isinstance(answer, FrameTransform)
        return Shown(frames[index], masks[index], answer, index // 2)

    (y, x), (v, u) = (np.argwhere(masks[index])[400] for index in (0, 3))
    words = {"target": [f"{x},{y}=#804020"], "neutral": [f"{u},{v}@3"]}
    flags = guide_of_flags(words, ["exposure=0.25"])
    flags.write(tmp_path / "guide.json")
    told = [decide_shots(prior, one, show) for one in (flags, read_guide(tmp_path / "guide.json"))]
    assert told[0].keys() == {0, 1}
    for shot in (0, 1):
        assert np.array_equal(told[0][shot].change, told[1][shot].change)
        assert told[0][shot].points[0].number == shot + 1
    everywhere = decide_shots(prior, dataclasses.replace(flags, shots="all"), show)
    assert everywhere.keys() == {None}
    assert len(everywhere[None].points) == 2
    chose = decide_shots(prior, Guide(choices=(Choice(chosen=2, frame=2),)), show)
    assert chose[1].change == pytest.approx(-show(2).answer.overall.ravel(), abs=1e-6)
    # Each choice is heard in the colors and the answer of its own frame.
    both = Guide(choices=(Choice(chosen=3, frame=3), Choice(chosen=2, frame=2)))
    assert np.array_equal(decide_shots(prior, both, show)[1].change, chose[1].change)
    turned = decide_shots(prior, Guide(dials=Dials(exposure=0.5)), show)
    assert turned.keys() == {None}


def test_a_point_that_takes_after_another_shot_is_refused_unless_all_are_ruled() -> None:
    frames, masks = moving_scene(4, 96, 64)
    prior = Prior(np.eye(SIZE) * 0.1, np.ones(1), np.ones(1))
    flat = FrameTransform(np.zeros((3, 10), np.float32), np.zeros((4, 4, 3, 4), np.float32))
    y, x = np.argwhere(masks[0])[400]
    point = Point(kind="match", at=(float(x), float(y)), to=(2.0, 2.0), to_frame=3)

    def show(index: int) -> Shown:
        return Shown(frames[index], masks[index], flat, index // 2)

    with pytest.raises(InputError, match=r"point 1 \(.*\): takes after a frame of another shot; "):
        decide_shots(prior, Guide(points=(point,)), show)
    decide_shots(prior, Guide(points=(dataclasses.replace(point, to_frame=1),)), show)
    everywhere = decide_shots(prior, Guide(points=(point,), shots="all"), show)
    assert len(everywhere[None].points) == 1


@pytest.mark.parametrize("move", ["foreground", "both"])
@pytest.mark.parametrize("soft", [(0.4, 0.4), (0.2, 0.4)], ids=["glass", "smoke"])
def test_a_point_is_heard_on_what_is_soft_all_over(soft: tuple[float, float], move: str) -> None:
    frames, masks = moving_scene(4, 48, 32)
    rows, columns = np.nonzero(masks[0])
    at = (float(np.median(columns)), float(np.median(rows)))
    cover = masks[0] * np.linspace(*soft, masks[0].shape[1], dtype=np.float32)[::-1]
    own = harmonizer(lookahead=0, move=move)
    own.guide(Guide(points=(Point(kind="target", at=at, to=(0.2, 0.5, 0.3)),)), SURE)
    own.step(frames[0], cover)
    left = own.stream_guide.decisions[0].points[0].levels_left
    assert left < (8.0 if move == "foreground" else 50.0)  # both go half-way
    own = harmonizer(lookahead=0)
    point = Point(kind="target", at=(0.0, 0.0), to=(0.2, 0.5, 0.3))
    own.guide(Guide(points=(point,)), SURE)
    with pytest.raises(InputError, match="outside the mask"):
        own.step(frames[0], cover)


def test_a_match_takes_after_the_last_pixels_far_half() -> None:
    frames, masks = moving_scene(1, 48, 32)
    rows, columns = np.nonzero(masks[0])
    at = (float(np.median(columns)), float(np.median(rows)))
    own = harmonizer(lookahead=0)
    own.guide(Guide(points=(Point(kind="match", at=at, to=(47.9, 31.9)),)), SURE)
    own.step(frames[0], masks[0])
    assert own.stream_guide.decisions[0].points


@pytest.mark.parametrize(
    "point",
    [
        Point(kind="keep", at=(48.0, 16.0)),
        Point(kind="match", at=(24.0, 16.0), to=(24.0, 32.5)),
    ],
)
def test_a_point_outside_the_frame_is_refused_while_frames_come(point: Point) -> None:
    frames, _ = moving_scene(1, 48, 32)
    own = harmonizer(lookahead=0)
    own.guide(Guide(points=(point,)), SURE)
    mask = np.ones((32, 48), bool)
    mask[:8] = False
    with pytest.raises(InputError, match="outside the frame"):
        own.step(frames[0], mask)


def test_dials_turn_the_foreground_beside_a_point_of_the_background() -> None:
    frames, masks = moving_scene(4, 48, 32)
    rows, columns = np.nonzero(~masks[0])
    far = Point(kind="keep", at=(float(columns[0]), float(rows[0])))
    changes = []
    for points in ((), (far,)):
        own = harmonizer(lookahead=0, move="both")
        own.guide(Guide(points=points, dials=Dials(exposure=1.0)), SURE)
        own.step(frames[0], masks[0])
        changes.append(own.moving[0].stream_guide.decisions)
    assert changes[1], "the dials are heard"
    assert changes[1][0].change == pytest.approx(changes[0][0].change, abs=1e-6)


def test_a_background_that_moves_alone_is_all_that_is_chosen_for() -> None:
    frames, masks = moving_scene(1, 48, 32)
    answer = FrameTransform(np.zeros((3, 10), np.float32), np.zeros((1, 1, 3, 4), np.float32))
    shown = Shown(frames[0], ~masks[0], answer, 0)
    found = [
        decide_shots(
            SURE,
            Guide(choices=(Choice(chosen=3, frame=0, of=6, object=number),)),
            lambda _: shown,
            side=Side("background", alone=True),
        )[0].change
        for number in (1, 2)
    ]
    assert np.abs(found[0]).max() > 0.0
    assert np.array_equal(found[0], found[1])


def test_colors_of_a_matte_that_is_soft_all_over_are_those_of_its_most_solid_pixels() -> None:
    frame = np.zeros((8, 8, 3), np.uint8)
    frame[2:4, 2:4] = 255
    matte = np.full((8, 8), 0.01, np.float32)
    matte[2:4, 2:4] = 0.3
    assert np.array_equal(foreground_colors(frame, matte), np.ones((4, 3)))
    assert len(foreground_colors(frame, np.full((8, 8), 0.5, np.float32))) == 64


def test_all_shots_are_ruled_by_a_point_and_turned_each_by_its_own_dials() -> None:
    frames, masks = moving_scene(2, 96, 64)
    frames[1] = frames[1] // 3 + 60
    prior = Prior(np.eye(SIZE) * 0.1, np.ones(1), np.ones(1))
    flat = FrameTransform(np.zeros((3, 10), np.float32), np.zeros((4, 4, 3, 4), np.float32))
    shown = [Shown(frames[at], masks[at], flat, at) for at in range(2)]
    y, x = np.argwhere(masks[0])[400]
    point = Point(kind="target", at=(float(x), float(y)), to=(0.5, 0.4, 0.3))
    guide = Guide(points=(point,), shots="all", dials=Dials(saturation=1.0))
    word = decide_shots(prior, dataclasses.replace(guide, dials=Dials()), shown.__getitem__)[None]
    found = decide_shots(prior, guide, shown.__getitem__, firsts=lambda: list(enumerate(shown)))
    assert found.keys() == {None, 0, 1}
    assert np.array_equal(found[None].change, word.change)
    for shot in (0, 1):
        colors = foreground_colors(frames[shot], masks[shot])
        dialed = dial_change(colors, word.change, guide.dials)
        assert found[shot].change == pytest.approx(word.change + dialed)
    assert [len(found[shot].points) for shot in (None, 0, 1)] == [0, 1, 0]
    alone = dataclasses.replace(guide, points=(), shots="this")
    assert decide_shots(prior, alone, shown.__getitem__, firsts=lambda: [(1, shown[1])]).keys() == {
        1
    }


@pytest.mark.parametrize("turned", [0, 90, 180, 270])
def test_the_last_half_pixel_is_a_place_of_turned_frames_too(turned: int) -> None:
    info = types.SimpleNamespace(width=48, height=32, turned=turned)
    wide, high = (32, 48) if turned % 180 else (48, 32)
    corners = [(0.0, 0.0), (wide - 0.5, high - 0.5)]
    guide = Guide(points=tuple(Point(kind="keep", at=at) for at in corners))
    for point in as_stored(guide, info).points:  # type: ignore[arg-type]
        assert 0.0 <= point.at[0] < 48
        assert 0.0 <= point.at[1] < 32
