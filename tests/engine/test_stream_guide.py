"""A guide heard while frames come: from its frame on, without a step, and exactly where a run is
resumed."""

from __future__ import annotations

import dataclasses
import functools
import json

import numpy as np
import pytest

from tests.support.networks import changing_model
from tests.support.scenes import moving_scene
from vhmae.engine.harmonizer import Harmonizer
from vhmae.engine.memory import Snapshot
from vhmae.engine.pointing import disk_mean
from vhmae.engine.rendering import FrameTransform
from vhmae.engine.settings import Kept
from vhmae.engine.sight import thumbnail_of
from vhmae.errors import InputError
from vhmae.guide.changes import GuideChanges
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


def test_a_place_of_the_reference_is_its_color() -> None:
    still = np.full((40, 60, 3), 0.5, np.float32)
    still[:, 30:] = (0.2, 0.4, 0.6)
    said, meant = live(reference=still), live(reference=still)
    like = Point(kind="match", at=(X, Y), to=(50, 20), to_picture="reference")
    said.guide(Guide(points=(like,)), SURE)
    meant.guide(Guide(points=(Point(kind="target", at=(X, Y), to=(0.2, 0.4, 0.6)),)), SURE)
    assert np.array_equal(run(said, 3), run(meant, 3))
    with pytest.raises(InputError, match="there is no reference"):
        live().guide(Guide(points=(like,)), SURE)


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
    own.step(FRAME, np.zeros_like(MASK))  # of which nothing can be said
    for frame in (3, 65):
        with pytest.raises(InputError, match=rf"frame {frame} has passed; name a later one"):
            own.guide(gray_at(frame), SURE)


def test_dials_that_are_turned_after_the_first_frame_act_as_after_any_other() -> None:
    courses = []
    for is_later in (False, True):
        own, plain = live(), live()
        if is_later:
            own.step(FRAME, np.zeros_like(MASK))
        run(own, 1)
        own.guide(Guide(dials=Dials(exposure=-1)), SURE)
        courses.append(reds(run(own, 4)) - reds(run(plain, 4)))
    assert (np.abs(courses[0]) > 0.1).all()  # at once
    assert courses[0] == pytest.approx(courses[1], abs=0.01)


def said(what: str, frame: int) -> Guide:
    """A guide of a scope: a shot, or all of them by dials alone, or by a point."""
    dark = Guide(dials=Dials(exposure=-1))
    everywhere = dataclasses.replace(dark, points=gray_at(frame).points, shots="all")
    return {"shot": gray_at(frame), "dials": dark, "all": everywhere}[what]


@pytest.mark.parametrize("before", ["shot", "dials", "all"])
@pytest.mark.parametrize("after", ["shot", "dials", "all"])
def test_a_new_guide_takes_the_place_of_one_of_another_scope(before: str, after: str) -> None:
    """What is said last is what is shown, and the way there makes no detour by the plain answer."""
    fresh, own = live(), live()
    own.guide(said(before, 0), SURE)
    for one in (fresh, own):
        run(one, 3)
        one.guide(said(after, 2), SURE)
    expected, found = reds(run(fresh, 30)), reds(run(own, 30))
    assert found[-1] == pytest.approx(expected[-1], abs=0.05)
    assert abs(found[-1] - reds(run(live(), 1))[0]) > 5.0
    ends = sorted([found[0], found[-1]])
    assert ends[0] - 1.0 <= found.min() <= found.max() <= ends[1] + 1.0


def test_another_guide_leaves_no_word_to_all_behind() -> None:
    told = GuideChanges()
    told.say(np.ones(SIZE))
    told.say(np.zeros(SIZE), None, 10, but=3)
    told.say(np.full(SIZE, 2.0), 3, 10)
    again = GuideChanges()
    again.restore(*told.state())
    for one in (told, again):
        for shot, middle, end in ((2, 0.52, 0.0), (3, 1.48, 2.0)):
            assert one.at(shot, 22) == pytest.approx(np.full((3, 10), middle))
            assert one.at(shot, 99) == pytest.approx(np.full((3, 10), end))


def test_dials_are_fitted_in_each_shot_of_its_own() -> None:
    own, alone = live(), live()
    other = np.ascontiguousarray(FRAME[..., ::-1] // 2 + 90)
    for one in (own, alone):
        one.guide(Guide(dials=Dials(saturation=1.0)), SURE)
    changes = []
    for one, frames in ((own, [FRAME, other]), (alone, [other])):
        for at, frame in enumerate(frames):
            see = functools.partial(thumbnail_of, frame)
            for again in range(3):
                ready = one.push((frame, MASK), see, MASK, cut=at > again)
        change = ready[0].change
        assert isinstance(change, FrameTransform)
        changes.append(change.overall)
    assert own.stream_guide.decisions.keys() == {0, 1}
    assert np.array_equal(changes[0], changes[1])
    assert len(own.stream_guide._shown) == 1


def test_a_first_frame_that_is_called_a_cut_begins_no_second_shot() -> None:
    own = live()
    see = functools.partial(thumbnail_of, FRAME)
    shots = [own.push(0, see, MASK, cut=True)[0].shot for _ in range(2)]
    assert shots == [0, 1]
    survey = own.begin_survey()
    survey.look_at(see, MASK, cut=True)
    assert survey.shot == 0


def test_objects_that_are_not_there_are_refused() -> None:
    point = Point(kind="keep", at=(X, Y), object=2)
    for guide in (Guide(points=(point,)), Guide(choices=(Choice(chosen=2, object=2),))):
        with pytest.raises(InputError, match=r"1.*: names object 2, but there are masks of 1"):
            live().guide(guide, SURE)


def test_a_fade_takes_nothing_from_the_word_and_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    plain, own = live(), live()
    for one in (plain, own):
        one.guide(gray_at(0), SURE)
    run(plain, 1)
    monkeypatch.setattr(own._fading, "shown", lambda shot, index: 0.25)
    run(own, 1)
    rows = [one.stream_guide.decisions[0] for one in (plain, own)]
    assert np.array_equal(rows[0].change, rows[1].change)
    came, got, faded = rows[0].points[0].composite, rows[0].points[0].got, rows[1].points[0].got
    assert faded - came == pytest.approx(0.25 * (got - came), abs=1e-6)


@pytest.mark.parametrize("keep", [("luma",), ("luma", "hue"), ("hue", "saturation")])
def test_what_came_out_is_told_with_what_is_kept(keep: tuple[Kept, ...]) -> None:
    own = live(keep=keep)
    own.guide(gray_at(0), SURE)
    out = run(own, 1)[0]
    (row,) = own.stream_guide.decisions[0].points
    shown = disk_mean(out, (X, Y), MASK)
    assert row.got == pytest.approx(shown, abs=0.02)
    assert np.abs(row.got - 0.5).max() > 0.04  # as gray as was asked it is not


def test_points_wait_for_the_frame_that_they_take_after() -> None:
    own = live()
    point = Point(kind="match", at=(X, Y), frame=2, to=(2.0, 2.0), to_frame=6)
    own.guide(Guide(points=(point,)), SURE)
    run(own, 6)
    assert own.stream_guide.unheard == [6]
    assert not own.stream_guide.decisions
    run(own, 1)
    assert own.stream_guide.decisions[0].points[0].number == 1


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


@pytest.mark.parametrize(
    "said", [gray_at(1), Guide(dials=Dials(exposure=0.7))], ids=["point", "dial"]
)
def test_what_was_taken_back_stays_so_in_the_next_stream(said: Guide) -> None:
    plain, own = live(), live()
    own.guide(said, SURE)
    other = np.ascontiguousarray(255 - FRAME[:, ::-1])
    for place in range(8):
        own.step(FRAME if place < 4 else other, MASK)
    assert own._shot == 1  # the word was about the shot before
    own.guide(Guide(), SURE)
    own.flush()
    assert np.array_equal(run(own, 3), run(plain, 3))


def test_words_that_are_over_are_forgotten() -> None:
    told, change = GuideChanges(), np.zeros(SIZE)
    told.say(np.ones(SIZE), 3, 0.0)
    for frame in range(0, 1000, 10):
        told.say(change + frame, None, float(frame))
        expected = change + frame
    told.say(change, 1, 1000.0)
    assert len(told.state()[0]) <= 6
    found = told.at(0, 2000)
    assert found is not None
    np.testing.assert_allclose(found.ravel(), expected)


def test_a_point_that_cannot_be_loses_no_frame() -> None:
    own = live()
    point = Point(kind="target", at=(1.0, 1.0), frame=2, to=(1.0, 0.0, 0.0))
    own.guide(Guide(points=(point,)), SURE)
    out = run(own, 2)
    with pytest.raises(InputError, match="outside the mask"):
        own.step(FRAME, MASK)
    own.guide(Guide(), SURE)
    out += [one for _ in range(3) if (one := own.step(FRAME, MASK)) is not None]
    out += own.flush()
    assert len(out) == 6


def test_a_point_that_cannot_be_leaves_both_sides_at_one_frame() -> None:
    own = live(move="both")
    far = Point(kind="match", at=(X, Y), frame=2, to=(500.0, 2.0))
    own.guide(Guide(points=(far,)), SURE)
    out = run(own, 2)
    for _ in range(2):
        with pytest.raises(InputError, match="outside the frame"):
            own.step(FRAME, MASK)
    own.guide(Guide(), SURE)
    out += run(own, 2) + own.flush()
    assert len(out) == 6


@pytest.mark.parametrize("move", ["foreground", "both"])
def test_a_point_that_cannot_be_loses_no_frame_at_the_end_of_the_stream_either(move: str) -> None:
    def waiting() -> tuple[Harmonizer, list[np.ndarray]]:
        harmonizer = Harmonizer(
            changing_model(), precision="fp32", caution=0.0, lookahead=9, move=move
        )
        return harmonizer, run(harmonizer, 12)

    outside = Guide(points=(Point(kind="match", at=(X, Y), frame=8, to=(500.0, 2.0)),))
    plain, own = waiting(), waiting()
    want = plain[0].flush()
    own[0].guide(outside, SURE)
    for _ in range(2):  # nothing is mended by asking again
        with pytest.raises(InputError, match="outside the frame"):
            own[0].flush()
    own[0].guide(Guide(), SURE)
    assert np.array_equal(np.stack(own[0].flush()), np.stack(want))
    assert own[0].flush() == []
    assert np.array_equal(np.stack(run(own[0], 12)), np.stack(plain[1]))


def test_frames_of_a_flush_that_was_broken_off_leave_first() -> None:
    own = Harmonizer(changing_model(), precision="fp32", caution=0.0, lookahead=9)
    out = run(own, 12)
    own.guide(Guide(points=(Point(kind="keep", at=(0, 0), frame=8),)), SURE)
    with pytest.raises(InputError):
        own.flush()
    own.guide(Guide(), SURE)
    out += run(own, 1)
    assert len(out) + len(own.flush()) == 13
    run(own, 12)
    own.reset()
    assert own.flush() == []


def test_what_a_caller_does_with_its_buffers_says_nothing_of_frames_that_came() -> None:
    def said(own: Harmonizer, reused: bool) -> list[np.ndarray]:
        frame, mask = FRAME.copy(), MASK.copy()
        own.step(frame, mask)
        if reused:
            frame[...], mask[...] = 0, True
        own.guide(gray_at(0), SURE)
        return run(own, 3)

    assert np.array_equal(said(live(), True), said(live(), False))


def test_a_refused_word_mixes_no_frames_of_one_buffer() -> None:
    buffer, own = FRAME.copy(), live()
    point = Point(kind="target", at=(1.0, 1.0), frame=1, to=(1.0, 0.0, 0.0))
    own.guide(Guide(points=(point,)), SURE)
    outside: list[int] = []
    for number in range(4):
        buffer[0, 0] = number  # outside the mask: it goes through as it came
        try:
            made = own.step(buffer, MASK)
        except InputError:
            own.guide(Guide(), SURE)
            continue
        assert made is not None
        outside.append(int(made[0, 0, 0]))
    outside += [int(one[0, 0, 0]) for one in own.flush()]
    assert outside == [0, 1, 2, 3]


def test_what_is_kept_may_be_one_word() -> None:
    assert live(keep="hue").keep == live(keep=("hue",)).keep == ("hue",)
