"""A guide heard while frames come: from its frame on, without a step, and exactly where a run is
resumed."""

from __future__ import annotations

import json

import numpy as np
import pytest

from tests.support.networks import changing_model
from tests.support.scenes import moving_scene
from vhmae.engine.harmonizer import Harmonizer
from vhmae.engine.memory import Snapshot
from vhmae.errors import InputError
from vhmae.guide.colors import SIZE
from vhmae.guide.dials import Dials
from vhmae.guide.document import Choice, Guide, Point
from vhmae.guide.prior import Prior

SURE = Prior(np.eye(SIZE), np.ones(1), np.ones(1))
FRAMES, MASKS = moving_scene(1, 48, 32)
FRAME, MASK = FRAMES[0], MASKS[0]
Y, X = (int(np.median(places)) for places in np.nonzero(MASK))


def live(**options: object) -> Harmonizer:
    return Harmonizer(changing_model(), precision="fp32", caution=0.0, lookahead=0, **options)  # type: ignore[arg-type]


def gray_at(frame: int) -> Guide:
    return Guide(points=(Point(kind="target", at=(X, Y), frame=frame, to=(0.5, 0.5, 0.5)),))


def run(own: Harmonizer, count: int) -> list[np.ndarray]:
    return [out for _ in range(count) if (out := own.step(FRAME, MASK)) is not None]


def reds(frames: list[np.ndarray]) -> np.ndarray:
    return np.array([frame[MASK, 0].mean() for frame in frames])


def test_a_word_acts_from_its_frame_on_and_makes_no_step() -> None:
    plain, own = live(), live()
    own.guide(gray_at(8), SURE)
    apart = reds(run(own, 45)) - reds(run(plain, 45))
    assert not apart[:9].any()  # of frame 8, nothing is blended in yet
    assert np.abs(np.diff(apart)).max() < 0.1 * abs(apart[-1])
    assert abs(apart[-1]) > 5.0
    assert apart[34:] == pytest.approx(np.full(11, apart[-1]), abs=0.01)


def test_what_is_said_of_a_shots_first_frame_holds_for_all_of_it() -> None:
    own = live()
    own.guide(gray_at(0), SURE)
    out = run(own, 3)
    assert out[0][Y, X] == pytest.approx(np.full(3, 127.5), abs=6)
    assert np.array_equal(out[0], out[2])
    for frame in out:
        assert np.array_equal(frame[~MASK], FRAME[~MASK])
    own.flush()
    again = run(own, 3)  # another stream hears it anew
    assert np.array_equal(again[0], out[0])


def test_dials_and_choices_turn_a_stream_from_its_first_foreground_on() -> None:
    own = live()
    own.guide(Guide(dials=Dials(exposure=-1)), SURE)
    assert own.step(FRAME, np.zeros_like(MASK)) is not None
    dark = run(own, 2)
    assert reds(dark)[0] < 0.8 * reds(run(live(), 1))[0]
    assert np.array_equal(dark[0], dark[1])
    chose = live()
    chose.guide(Guide(choices=(Choice(chosen=2),)), SURE)
    chosen = run(chose, 2)
    assert np.array_equal(chosen[0], chosen[1])
    # Untouched, but for what differs from place to place.
    shown = FRAME[MASK].astype(float)
    near, far = (np.abs(one[MASK] - shown).mean() for one in (chosen[0], run(live(), 1)[0]))
    assert near < 0.8 * far


def test_a_word_can_be_said_of_the_frame_that_came_last_and_taken_back() -> None:
    own, plain = live(), live()
    before = run(own, 5)
    own.guide(gray_at(4), SURE)
    said = run(own, 30)
    assert abs(reds(said[-1:]) - reds(before[-1:]))[0] > 5.0
    own.guide(Guide(), SURE)
    back = run(own, 30)
    assert np.array_equal(back[-1], run(plain, 65)[-1])
    with pytest.raises(InputError, match=r"frame 3 has passed; name frame 64 or a later one"):
        own.guide(gray_at(3), SURE)


def test_points_wait_for_the_frame_that_they_take_after() -> None:
    own = live()
    point = Point(kind="match", at=(X, Y), frame=2, to=(2.0, 2.0), to_frame=6)
    own.guide(Guide(points=(point,)), SURE)
    run(own, 6)
    assert own.listener.unheard == [6]
    assert not own.listener.decisions
    run(own, 1)
    assert own.listener.decisions[0].points[0].number == 1


def test_a_place_outside_the_mask_is_refused_when_its_frame_comes() -> None:
    own = live()
    own.guide(Guide(points=(Point(kind="keep", at=(1, 1), frame=2),)), SURE)
    run(own, 2)
    with pytest.raises(InputError, match="lies outside the mask"):
        own.step(FRAME, MASK)


@pytest.mark.parametrize("stopped", [4, 12, 20])
def test_a_stream_that_is_resumed_hears_the_same(stopped: int) -> None:
    guide = Guide(points=(*gray_at(8).points, *gray_at(16).points))
    whole, one, other = live(), live(), live()
    for own in (whole, one, other):
        own.guide(guide, SURE)
    expected = run(whole, 40)[stopped:]
    run(one, stopped)
    kept = one.snapshot()
    numbers = json.loads(json.dumps(kept.numbers, allow_nan=False))
    other.restore(Snapshot(numbers, kept.arrays), [])
    for frame, same in zip(run(other, 40 - stopped), expected, strict=True):
        assert np.array_equal(frame, same)
