"""Takes stand where the answer is least certain; dials and maps say the same."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from tests.support.guide import colors, like_light, loose_prior
from vhmae.arrays import Array
from vhmae.errors import InputError
from vhmae.guide.colors import LUMA, SIZE, added, fit_added, from_light, to_light
from vhmae.guide.decision import Decision, decide
from vhmae.guide.dials import DIAL_RANGES, DIALS, Dials, dial_change, read_dials, turn
from vhmae.guide.document import MOST_TAKES, Choice, Point
from vhmae.guide.prior import Prior
from vhmae.guide.takes import directions, step_of, takes
from vhmae.guide.update import Seen


def test_directions_are_the_widest_and_one_deviation(rng: np.random.Generator) -> None:
    """Against drawn maps: along no other direction of the map's 30 do these colors vary more."""
    shown = colors(rng)
    shape = rng.normal(size=(SIZE, SIZE)) * 0.05
    prior = Prior(shape @ shape.T, np.array([0.5, 2.0]), np.array([0.75, 0.25]))
    first, second = directions(prior, shown, 2)
    drawn = rng.normal(size=(4000, SIZE)) @ shape.T * np.sqrt(0.75 * 0.25 + 0.25 * 4.0)
    moved = (added(shown, one).ravel() for one in drawn)
    spread = np.linalg.svd(np.stack(list(moved)) / np.sqrt(4000), compute_uv=False)
    for one, deviation in zip((first, second), spread[:2], strict=True):
        assert np.linalg.norm(added(shown, one)) == pytest.approx(deviation, rel=0.05)
    assert abs(added(shown, first).ravel() @ added(shown, second).ravel()) < 1e-9


def test_takes_are_the_plain_the_untouched_and_two_a_direction(rng: np.random.Generator) -> None:
    shown, overall = colors(rng), rng.normal(size=SIZE) * 0.05
    prior = like_light()
    found = takes(prior, shown, overall, 6)
    assert [one.word for one in found[:2]] == ["plain", "untouched"]
    assert found[2].word == "brighter"
    assert found[3].word == "darker"
    assert (added(shown, found[2].change) @ LUMA).mean() > 0.0
    assert not found[0].change.any()
    assert found[1].change == pytest.approx(-overall)
    assert found[4].change == pytest.approx(-found[5].change)
    again = takes(prior, shown, overall, 8, 2, found[2].change)
    assert again[0].change == pytest.approx(found[2].change)
    assert again[2].change - again[0].change == pytest.approx(0.65 / 1.2 * found[2].change)
    assert len(again) == 8
    assert [step_of(round_) for round_ in (1, 2, 3)] == [1.2, 0.65, 0.4]


def test_a_choice_can_be_taken_back_and_points_pull_from_it(rng: np.random.Generator) -> None:
    shown, overall = colors(rng), np.zeros(SIZE)
    prior = loose_prior(0.05)
    given = {"colors": shown, "overall": overall}
    picked = takes(prior, shown, overall, 6)[2].change
    chose = decide(prior, [], choices=[Choice(chosen=3)], **given)  # type: ignore[arg-type]
    assert chose.change == pytest.approx(picked)
    assert np.trace(chose.covariance) < np.trace(prior.spread)
    place = np.array([0.5, 0.4, 0.3])
    goal = place + added(place, picked)
    word = Seen(Point(kind="target", at=(0, 0), to=(0.0, 0.0, 0.0)), 1, 0, place, place, goal)
    both = decide(prior, [word], choices=[Choice(chosen=3)], **given)  # type: ignore[arg-type]
    assert both.change == pytest.approx(picked)  # the word says what was chosen already
    assert both.points[0].levels_left < 1e-6
    assert not decide(prior, [], **given).change.any()  # type: ignore[arg-type]


def test_brighter_counts_from_what_was_chosen(rng: np.random.Generator) -> None:
    """Half a stop more than the take that is shown, not than the plain answer."""
    shown, overall = colors(rng), np.zeros(SIZE)
    place = np.array([0.5, 0.4, 0.3])
    said = Point(kind="brightness", at=(0, 0), to=0.5, weight=50.0)
    word = Seen(said, 1, 0, place, place)
    given = {"colors": shown, "overall": overall}
    sure = loose_prior(0.05)
    for take in (3, 4):
        choices = [Choice(chosen=take)]
        chosen = decide(sure, [], choices=choices, **given)  # type: ignore[arg-type]
        both = decide(sure, [word], choices=choices, **given)  # type: ignore[arg-type]
        before, after = (
            to_light(LUMA @ (place + added(place, one.change))) for one in (chosen, both)
        )
        assert after == pytest.approx(before * 2.0**0.5, rel=0.05), take
        assert both.points[0].levels_left < 3.0


def word_at(place: Array, goal: Array, number: int) -> Seen:
    return Seen(Point(kind="target", at=(0, 0), to=(0, 0, 0)), number, 0, place, place, goal)


def test_takes_after_points_stand_round_what_follows_from_them(rng: np.random.Generator) -> None:
    shown, overall = colors(rng), rng.normal(size=SIZE) * 0.02
    prior = like_light(0.1)
    place = np.array([0.5, 0.4, 0.3])
    word = word_at(place, np.array([0.7, 0.6, 0.3]), 1)
    given = {"colors": shown, "overall": overall}
    plain = decide(prior, [word], **given)  # type: ignore[arg-type]

    def chose(*numbers: int, seen: tuple[Seen, ...] = (word,), after_points: int = 1) -> Decision:
        rounds = [
            Choice(chosen=number, round=at, after_points=after_points)
            for at, number in enumerate(numbers, 1)
        ]
        return decide(prior, seen, choices=rounds, **given)  # type: ignore[arg-type]

    assert chose(1).change == pytest.approx(plain.change)
    assert chose(1).word == "plain"
    # What was said before a choice does not pull it back.
    assert chose(2).change == pytest.approx(-overall, abs=1e-12)
    assert chose(2).word == "untouched"
    # As far as takes stand in what is still not known, which at the point itself is little.
    steps = [added(shown, chose(number).change - plain.change) for number in (3, 4, 5, 6)]
    alone = added(shown, directions(prior, shown, 1)[0])
    known = Prior(plain.covariance, np.ones(1), np.ones(1))
    first, second = (step_of(1) * added(shown, one) for one in directions(known, shown, 2))
    for step, expected in zip(steps, (first, -first, second, -second), strict=True):
        assert step == pytest.approx(expected)
    assert 0.02 < np.abs(steps[0]).mean() < 0.8 * np.abs(alone).mean()
    assert np.abs(added(place, chose(3).change - plain.change)).max() < 0.06
    # The next round is finer.
    again = added(shown, chose(3, 3).change - chose(3).change)
    assert again == pytest.approx(step_of(2) / step_of(1) * first)
    # Said before the points, it is what it was without them, and they pull from there.
    first_chosen = decide(prior, [], choices=[Choice(chosen=2)], **given)  # type: ignore[arg-type]
    before = chose(2, after_points=0)
    assert added(place, before.change) == pytest.approx(added(place, plain.change), abs=0.05)
    assert first_chosen.change == pytest.approx(-overall)
    # A point after the choice pulls from what was chosen.
    later = word_at(place, place + added(place, chose(3).change), 2)
    assert chose(3, seen=(word, later)).change == pytest.approx(chose(3).change)
    other = word_at(place, np.array([0.2, 0.2, 0.2]), 2)
    pulled = chose(3, seen=(word, other)).change - chose(3).change
    assert (added(place, pulled) < -0.05).all()
    # What was dropped by going back to the composite does not hold it.
    freely = chose(2, seen=(other,), after_points=0).change
    assert chose(2, seen=(word, other)).change == pytest.approx(freely)


def test_as_many_takes_as_there_are_directions(rng: np.random.Generator) -> None:
    found = takes(loose_prior(), colors(rng), np.zeros(SIZE), MOST_TAKES)
    assert len(found) == MOST_TAKES == 62
    Choice(chosen=MOST_TAKES, of=MOST_TAKES)
    with pytest.raises(InputError, match="of 64: expected a whole number from 4 to 62"):
        Choice(chosen=1, of=64)


@pytest.mark.parametrize(
    ("dials", "light"),
    [
        (Dials(exposure=1.0), [0.4, 0.2, 0.1]),
        (Dials(temperature=100.0), [0.2 * 2**0.5, 0.1, 0.05 / 2**0.5]),
        (Dials(tint=100.0), [0.2 / 2 ** (1 / 3), 0.1 * 2 ** (2 / 3), 0.05 / 2 ** (1 / 3)]),
        (Dials(contrast=1.0), [0.2**2 / 0.18, 0.1**2 / 0.18, 0.05**2 / 0.18]),
        (Dials(blacks=5.0), [0.25, 0.15, 0.1]),
        (Dials(saturation=1.0), [0.28235, 0.08235, 0.0]),
    ],
)
def test_dials_turn_light(dials: Dials, light: list[float]) -> None:
    start = from_light(np.array([[0.2, 0.1, 0.05]]))
    assert to_light(turn(start, dials))[0] == pytest.approx(light, abs=1e-6)


def settings(rng: np.random.Generator) -> Dials:
    turned = rng.normal(0.0, [0.4, 25.0, 12.0, 0.15, 1.5, 0.25])
    return Dials(**dict(zip(DIALS, turned.tolist(), strict=True)))


def wide_settings(rng: np.random.Generator) -> Dials:
    """All six at once, as far as the tolerance is stated for in docs/cli.md."""
    low, high = [-2.0, -100.0, -100.0, -1.0, -2.0, -4.0], [2.0, 100.0, 100.0, 1.0, 20.0, 1.0]
    return Dials(**dict(zip(DIALS, rng.uniform(low, high).tolist(), strict=True)))


def apart_levels(shown: Array, overall: Array, dials: Dials) -> float:
    """Root mean square of the difference between what dials say and what their map makes."""
    answer = shown + added(shown, overall)
    wanted = np.clip(turn(answer, dials), 0.0, 1.0)
    made = np.clip(answer + added(shown, dial_change(shown, overall, dials)), 0.0, 1.0)
    return float(255.0 * np.sqrt(np.square(made - wanted).mean()))


@pytest.mark.parametrize("drawn", [settings, wide_settings])
def test_maps_do_what_dials_say(
    rng: np.random.Generator, drawn: Callable[[np.random.Generator], Dials]
) -> None:
    """In the foreground's colors half of all settings within 2.5 levels of 255, all within 12, and
    small ones within 10. A power of light is no quadratic map."""
    apart = []
    for _ in range(20 if drawn is settings else 60):
        shown, overall = colors(rng), rng.normal(size=SIZE) * 0.02
        apart.append(apart_levels(shown, overall, drawn(rng)))
    assert np.median(apart) < 2.5
    assert max(apart) < (10.0 if drawn is settings else 12.0)
    assert not dial_change(shown, overall, Dials()).any()


@pytest.mark.parametrize("name", DIALS)
def test_maps_do_what_one_dial_says_wherever_it_stands(rng: np.random.Generator, name: str) -> None:
    """Within 12 levels of 255 over all that it turns."""
    for share in (-1.0, -0.5, -0.2, -0.1, 0.1, 0.2, 0.5, 1.0):
        dials = Dials(**{name: share * DIAL_RANGES[name]})
        assert apart_levels(colors(rng), np.zeros(SIZE), dials) < 12.0, dials


def test_what_is_cut_off_does_not_pull_at_the_map(rng: np.random.Generator) -> None:
    """Lowered blacks and strong saturation push many channels below 0, where they are cut off
    however far below they lie."""
    for dials in (Dials(blacks=-5.0), Dials(blacks=-10.0), Dials(saturation=1.0)):
        shown = colors(rng)
        change = dial_change(shown, np.zeros(SIZE), dials)
        plain = fit_added(shown, turn(shown, dials) - shown, 1e-6)
        wanted = np.clip(turn(shown, dials), 0.0, 1.0)
        apart, before = (
            np.square(np.clip(shown + added(shown, one), 0.0, 1.0) - wanted).mean()
            for one in (change, plain)
        )
        assert apart < 0.5 * before
        name = next(name for name in DIALS if getattr(dials, name))
        read, said = getattr(read_dials(shown, change).dials, name), getattr(dials, name)
        assert 0.6 < read / said < 1.1


@pytest.mark.parametrize("drawn", [settings, wide_settings])
def test_dials_are_read_back_from_a_map(
    rng: np.random.Generator, drawn: Callable[[np.random.Generator], Dials]
) -> None:
    """Half within .05 stops, 2 and 1 of 100, .06, .4 % and .03; of small ones all within eight
    times of that. Where most colors are cut off, nobody can read what was said."""
    apart, left = [], []
    for _ in range(20 if drawn is settings else 60):
        shown, dials = colors(rng), drawn(rng)
        reading = read_dials(shown, dial_change(shown, np.zeros(SIZE), dials))
        apart.append(np.abs(np.array(reading.dials.values()) - dials.values()))
        left.append(reading.left_levels)
    usual = np.array([0.05, 2.0, 1.0, 0.06, 0.4, 0.03])
    assert (np.median(apart, axis=0) < usual).all()
    assert np.median(left) < 2.5
    if drawn is settings:
        assert (np.max(apart, axis=0) < 8.0 * usual).all()
        assert max(left) < 10.0


def test_no_change_reads_as_no_turn(rng: np.random.Generator) -> None:
    reading = read_dials(colors(rng), np.zeros(SIZE))
    assert reading.dials.values() == pytest.approx((0.0,) * 6, abs=1e-6)
    assert max(reading.change_levels, reading.left_levels) < 1e-6


def test_grays_say_nothing_of_saturation() -> None:
    shown = np.repeat(np.linspace(0.1, 0.9, 50)[:, None], 3, axis=1)
    reading = read_dials(shown, dial_change(shown, np.zeros(SIZE), Dials(exposure=0.5)))
    assert reading.dials.saturation == pytest.approx(0.0, abs=0.02)
    assert reading.dials.exposure == pytest.approx(0.5, abs=0.1)
