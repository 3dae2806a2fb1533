"""Who moves: the foreground, the background, or both."""

from __future__ import annotations

import dataclasses
import functools
import json

import numpy as np
import pytest

from tests.support.networks import changing_model
from tests.support.scenes import moving_scene
from vhmae.engine.backends import network_of
from vhmae.engine.harmonizer import Harmonizer
from vhmae.engine.memory import Snapshot
from vhmae.engine.moving import Move, Side, is_on, outside
from vhmae.engine.pointing import Shown, decide_shots
from vhmae.engine.rendering import FrameTransform
from vhmae.engine.sight import small_mask, thumbnail_of
from vhmae.errors import InputError
from vhmae.guide.colors import SIZE
from vhmae.guide.dials import Dials
from vhmae.guide.document import Choice, Guide, Point
from vhmae.guide.prior import Prior
from vhmae.video.planes import Box

FRAMES, MASKS = moving_scene(8, 48, 32)
SURE = Prior(np.eye(SIZE), np.ones(1), np.ones(1))


def harmonizer(move: str, **options: object) -> Harmonizer:
    return Harmonizer(changing_model(), precision="fp32", caution=0.0, move=move, **options)  # type: ignore[arg-type]


def harmonized(move: str, masks: np.ndarray = MASKS, **options: object) -> np.ndarray:
    frames = FRAMES.astype(np.float32) / np.float32(510.0) + np.float32(0.25)
    return np.stack(list(harmonizer(move, **options).harmonize(frames, masks)))


@pytest.mark.parametrize(
    ("text", "foreground"),
    [("foreground", 1.0), ("background", 0.0), ("both", 0.5), ("both:.3", 0.3)],
)
def test_who_moves_is_said_in_a_word(text: str, foreground: float) -> None:
    move = Move.parse(text)
    assert (move.foreground, move.background) == pytest.approx((foreground, 1.0 - foreground))


@pytest.mark.parametrize(
    "text", ["", "back", "both:", "both:0", "both:1", "both:nan", "both:x", "foreground:.5"]
)
def test_what_nobody_can_do_is_refused(text: str) -> None:
    with pytest.raises(InputError, match="expected foreground, background, both or both:SHARE"):
        Harmonizer(changing_model(), move=text)


def test_the_background_is_what_no_matte_covers(rng: np.random.Generator) -> None:
    for kind, top in ((np.uint8, 255), (np.uint16, 65535)):
        one, two = (rng.integers(0, top // 2, (5, 6), dtype=kind) for _ in range(2))
        assert outside([one]).dtype == kind
        assert np.array_equal(outside([one]), top - one)
        assert np.array_equal(outside([one, two]), top - one - two)
        full = np.full_like(one, top)
        assert not outside([full, full]).any()
    assert np.array_equal(outside([MASKS[0], MASKS[7]]), ~(MASKS[0] | MASKS[7]))
    assert outside([np.full((2, 2), 0.25, np.float32), MASKS[0][:2, :2]]) == pytest.approx(0.75)


def test_a_line_between_both_sides_is_the_foregrounds() -> None:
    matte = np.array([[0.0, 0.5, 1.0]], np.float32)
    in_front = [is_on(matte, (x, 0.0), Side()) for x in range(3)]
    behind = [is_on(outside([matte]), (x, 0.0), Side("background")) for x in range(3)]
    assert in_front == [False, True, True]
    assert behind == [True, False, False]
    assert is_on(matte, (7.0, -3.0), Side())  # the nearest pixel


@pytest.mark.parametrize("kind", [np.float32, np.uint8])
def test_a_place_is_one_of_one_side(kind: type[np.generic]) -> None:
    smoke = np.linspace(0.0, 0.45, 24)[None] * (255 if kind is np.uint8 else 1)
    for matte in (smoke.astype(kind), np.full((1, 24), smoke.mean()).astype(kind)):
        sides = [
            [is_on(cover, (x, 0.0), side) for x in range(24)]
            for cover, side in ((matte, Side()), (outside([matte]), Side("background")))
        ]
        assert all(one != other for one, other in zip(*sides, strict=True))
        assert sum(sides[0]) >= 12
    residue = np.zeros((1, 24), np.uint8)
    residue[0, 5] = 1  # where the subject is out of the frame
    assert is_on(outside([residue]), (5.0, 0.0), Side("background"))
    assert not is_on(residue, (5.0, 0.0), Side())


def test_the_background_moves_as_a_foreground_would() -> None:
    """Fitting the background is fitting what lies outside the mask, by the same network."""
    moved = harmonized("background")
    same = harmonized("foreground", ~MASKS)
    assert np.array_equal(moved, same)
    frames = FRAMES.astype(np.float32) / np.float32(510.0) + np.float32(0.25)
    assert np.array_equal(moved[MASKS], frames[MASKS])
    assert np.abs(moved - frames)[~MASKS].mean() > 0.002


@pytest.mark.parametrize("strength", [1.0, 0.4])
def test_both_go_their_shares_of_the_way(strength: float) -> None:
    frames = FRAMES.astype(np.float32) / np.float32(510.0) + np.float32(0.25)
    alone = harmonized("foreground") + harmonized("background") - frames
    both = harmonized("both:.25", strength=strength)
    share = np.where(MASKS, 0.25, 0.75)[..., None] * strength
    assert both - frames == pytest.approx(share * (alone - frames), abs=2e-6)


def test_caution_holds_each_side_back_by_the_size_of_its_own_change() -> None:
    """A background that needs little is left alone where a foreground that needs much is not."""
    frame, levels = FRAMES[0], 25.0
    network = network_of(changing_model(), "cpu", "fp32")
    size = network.config.image_size
    picture = thumbnail_of(frame, size, size)
    bold, careful = (
        Harmonizer(network, move="both", caution=caution).moving for caution in (0.0, levels)
    )
    shares = []
    for one, other in zip(bold, careful, strict=True):
        assert (one.caution, other.caution) == (0.0, levels)
        matte = MASKS[0] if one.side.of == "foreground" else ~MASKS[0]
        see = functools.partial(thumbnail_of, frame)
        full, held = (side.answer(see, matte) for side in (one, other))
        assert isinstance(full, FrameTransform)
        assert isinstance(held, FrameTransform)
        planes = np.ascontiguousarray(picture.transpose(2, 0, 1))
        moved = full.change(planes, Box(0, 0, size, size), size, size)
        seen = moved[:, ::4, ::4][:, small_mask(matte, size)[::4, ::4]]  # as much is looked at
        square = 255.0**2 * float(np.square(seen).mean())
        shares.append(square / (square + levels**2))
        assert held.overall == pytest.approx(shares[-1] * full.overall, rel=0.02, abs=1e-6)
        assert held.local == pytest.approx(shares[-1] * full.local, rel=0.02, abs=1e-6)
    assert abs(shares[0] - shares[1]) > 0.02
    assert 0.05 < min(shares) < max(shares) < 0.95


def test_caution_leaves_alone_what_a_person_says_of_a_background() -> None:
    """It holds back what the network says, never the word."""
    said = Guide(points=(Point(kind="target", at=(2, 3), to=(0.5, 0.5, 0.5)),))
    ends = []
    for caution in (0.0, 40.0):
        own = Harmonizer(
            changing_model(), precision="fp32", caution=caution, move="background", lookahead=0
        )
        own.guide(said, SURE)
        out = own.step(FRAMES[0], MASKS[0])
        assert out is not None
        ends.append(out[3, 2].astype(float))
    assert ends[0] == pytest.approx(np.full(3, 127.5), abs=6.0)
    assert ends[1] == pytest.approx(ends[0], abs=3.0)


def test_each_side_keeps_what_it_is_told_to_keep() -> None:
    frames = FRAMES.astype(np.float64) / 510.0 + 0.25
    luma = np.array([0.2126, 0.7152, 0.0722])
    kept = harmonized("both", keep=("luma",)).astype(np.float64)
    assert np.abs(kept - frames).max() > 0.005
    assert (kept @ luma) == pytest.approx(frames @ luma, abs=1e-4)


def test_one_at_a_time_and_all_at_once_are_the_same() -> None:
    own = harmonizer("both", lookahead=3)
    stepped = [
        out for pair in zip(FRAMES, MASKS, strict=True) if (out := own.step(*pair)) is not None
    ]
    assert len(stepped) == 5
    stepped += own.flush()
    again = list(harmonizer("both", lookahead=3).harmonize(FRAMES, MASKS))
    assert np.array_equal(np.stack(stepped), np.stack(again))
    assert np.array_equal(np.stack(list(own.harmonize(FRAMES, MASKS))), np.stack(again))


def test_a_reference_is_no_side() -> None:
    with pytest.raises(InputError, match="without a reference"):
        harmonizer("both", reference=np.zeros((4, 4, 3), np.float32))


@pytest.mark.parametrize("move", ["background", "both"])
def test_a_foreground_that_comes_and_goes_makes_no_step_behind_it(move: str) -> None:
    """Live: before it comes there is nothing to be fitted to, and after it has gone the shot keeps
    its change."""
    frame = FRAMES[0].astype(np.float32) / np.float32(510.0) + np.float32(0.25)
    own, none = harmonizer(move, lookahead=0), np.zeros_like(MASKS[0])

    def corners(shown: list[np.ndarray]) -> np.ndarray:
        own.reset()
        out = [own.step(frame, mask) for mask in shown]
        return np.array([one[:6, :6].mean() for one in out if one is not None], np.float64)

    late = corners([none] * 6 + [MASKS[0]] * 60 + [none] * 10)
    whole = corners([MASKS[0]] * 60)
    change = abs(late[-1] - late[0])
    assert late[:6] == pytest.approx(np.full(6, frame[:6, :6].mean()), abs=1e-6)
    assert change > 0.01
    # At once it would be most of the change; what is blended in steps no more than the answers do.
    assert np.abs(np.diff(late)).max() < np.abs(np.diff(whole)).max() + 1.1 * change / 25
    assert late[66:] == pytest.approx(np.full(10, late[65]), abs=1e-6)


def test_a_stopped_background_goes_on_as_it_was() -> None:
    frame, none = FRAMES[0], np.zeros_like(MASKS[0])
    shown = [none] * 4 + [MASKS[0]] * 12

    def behind() -> Harmonizer:
        found = harmonizer("background", lookahead=0).behind
        assert found is not None
        return found

    def changes(one: Harmonizer, masks: list[np.ndarray]) -> list[np.ndarray]:
        from functools import partial

        from vhmae.engine.sight import thumbnail_of

        found = []
        for mask in masks:
            ready = one.push(0, partial(thumbnail_of, frame), ~mask)
            change = ready[0].change
            found.append(np.zeros(30) if change is None else change.overall.ravel())  # type: ignore[attr-defined]
        return found

    whole, first, second = behind(), behind(), behind()
    expected = changes(whole, shown)
    changes(first, shown[:7])
    kept = first.snapshot()
    numbers = json.loads(json.dumps(kept.numbers, allow_nan=False))
    second.restore(Snapshot(numbers, kept.arrays), [])
    assert np.array_equal(changes(second, shown[7:]), expected[7:])
    assert np.abs(np.subtract(expected[7], expected[6])).max() > 0.0


# --- a person's word


FLAT = FrameTransform(np.zeros((3, 10), np.float32), np.zeros((4, 4, 3, 4), np.float32))
BEHIND = Side("background", alone=False)
_ROWS, _COLUMNS = np.nonzero(MASKS[0])
INSIDE = int(np.median(_COLUMNS)), int(np.median(_ROWS))


def heard(guide: Guide, side: Side) -> list[tuple[int, np.ndarray, np.ndarray]]:
    """Point, and the colors that it is about and takes after."""
    matte = MASKS[0] if side.of == "foreground" else ~MASKS[0]
    shown = Shown(FRAMES[0], matte, FLAT, 0)
    found = decide_shots(SURE, guide, lambda frame: shown, side=side)
    return [(row.number, row.composite, row.got) for one in found.values() for row in one.points]


def match(at: tuple[int, int], to: tuple[int, int]) -> Guide:
    return Guide(points=(Point(kind="match", at=at, to=to),))


@pytest.mark.parametrize("turned", [False, True])
def test_a_match_is_heard_by_whichever_side_moves(turned: bool) -> None:
    far = (2, 3)
    guide = match(far, INSIDE) if turned else match(INSIDE, far)
    ends = {}
    for side in (Side("foreground", False), BEHIND, Side("background", True)):
        ((number, composite, got),) = heard(guide, side)
        assert number == 1
        ends[side] = composite, got
    in_front, behind = ends[Side("foreground", False)], ends[BEHIND]
    assert in_front[1] == pytest.approx(behind[0], abs=0.03)
    assert behind[1] == pytest.approx(in_front[0], abs=0.03)
    assert np.abs(in_front[0] - behind[0]).max() > 0.05
    assert np.array_equal(ends[Side("background", True)][1], behind[1])


def test_a_point_is_about_the_side_that_it_lies_on() -> None:
    points = (Point(kind="neutral", at=INSIDE), Point(kind="target", at=(2, 3), to=(0.5, 0.5, 0.5)))
    guide = Guide(points=points)
    assert [one[0] for one in heard(guide, Side("foreground", False))] == [1]
    assert [one[0] for one in heard(guide, BEHIND)] == [2]
    with pytest.raises(InputError, match=r"point 1 .*: lies in the foreground, which stays"):
        heard(guide, Side("background", True))
    with pytest.raises(InputError, match=r"point 2 .*: lies outside the mask"):
        heard(guide, Side())


def test_dials_and_choices_are_the_foregrounds_where_it_moves() -> None:
    shown = {
        side: Shown(FRAMES[0], MASKS[0] if side.of == "foreground" else ~MASKS[0], FLAT, 0)
        for side in (Side(), Side("foreground", False), BEHIND, Side("background", True))
    }
    for said in (Guide(dials=Dials(exposure=1.0)), Guide(choices=(Choice(chosen=3),))):
        heard_by = {
            side
            for side, one in shown.items()
            if decide_shots(SURE, said, {0: one}.__getitem__, side=side)
        }
        assert heard_by == {Side(), Side("foreground", False), Side("background", True)}


def test_a_guide_is_heard_by_both_sides_of_a_stream() -> None:
    own = harmonizer("both", lookahead=0)
    plain = list(harmonizer("both", lookahead=0).harmonize(FRAMES, MASKS))
    own.guide(dataclasses.replace(match(INSIDE, (2, 3))), SURE)
    said = [own.step(frame, mask) for frame, mask in zip(FRAMES, MASKS, strict=True)]
    assert said[0] is not None
    x, y = INSIDE
    gaps = [
        np.abs(one[y, x].astype(float) - one[3, 2]).mean() for one in (FRAMES[0], plain[0], said[0])
    ]
    assert gaps[2] < 0.4 * min(gaps[:2])
    for side in own.moving:
        assert side.stream_guide.decisions[0].points[0].number == 1
    own.guide(Guide(), SURE)
    assert not any(side.stream_guide.guide for side in own.moving)
