"""The update against the equations written out, and against what anyone can work out by hand."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from tests.support.guide import loose_prior
from vhmae.arrays import Array
from vhmae.guide.colors import LUMA, SIZE, added, basis, fit_added, rows_at
from vhmae.guide.document import Kind, Point
from vhmae.guide.prior import Prior
from vhmae.guide.update import (
    DEVIATIONS,
    VARIANCE,
    Belief,
    Observation,
    Seen,
    by_shot,
    contradictions,
    found_for,
    observe,
    report,
    update,
)

PLACE = np.array([0.5, 0.4, 0.3])
ANSWER = np.array([0.45, 0.45, 0.35])


def seen(kind: Kind, goal: Array | None = None, to: object = None, **more: object) -> Seen:
    told = {"brightness": 1.0, "match": (1, 1), "hue": (1, 1), "target": (0.0, 0.0, 0.0)}
    point = Point(kind=kind, at=(0, 0), to=to or told.get(kind), **more)  # type: ignore[arg-type]
    return Seen(point, 1, 0, PLACE, ANSWER, goal)


def slowly(prior: Prior, told: list[Observation]) -> tuple[Array, Array, Array]:
    """Kalman's update scale by scale, as guided harmonizing is defined: large matrices,
    inverted."""
    rows = np.concatenate([one.rows for one in told])
    values = np.concatenate([one.values for one in told])
    errors = np.diag(np.concatenate([np.full(len(one.wanted), one.variance) for one in told]))
    means, covariances, odds = [], [], []
    for scale, weight in zip(prior.scales, prior.weights, strict=True):
        known = scale**2 * prior.covariance
        spread = rows @ known @ rows.T + errors
        gain = known @ rows.T @ np.linalg.inv(spread)
        means.append(gain @ values)
        covariances.append(known - gain @ rows @ known)
        likelihood = -0.5 * values @ np.linalg.inv(spread) @ values
        odds.append(np.log(weight) + likelihood - 0.5 * np.linalg.slogdet(spread)[1])
    weights = np.exp(np.array(odds) - max(odds))
    weights /= weights.sum()
    mean = weights @ np.stack(means)
    pairs = zip(weights, covariances, means, strict=True)
    covariance = sum(w * (c + np.outer(m - mean, m - mean)) for w, c, m in pairs)
    return mean, np.asarray(covariance), weights


def test_update_is_kalmans_at_every_scale(rng: np.random.Generator) -> None:
    shape = rng.normal(size=(SIZE, SIZE)) * 0.1
    prior = Prior(shape @ shape.T, np.array([0.1, 0.5, 1.0, 2.0]), np.array([0.2, 0.3, 0.4, 0.1]))
    kinds: list[Kind] = ["target", "match", "keep", "neutral", "brightness", "hue"]
    told = []
    for number, kind in enumerate(kinds):
        place, answer = rng.uniform(0.1, 0.9, (2, 3))
        one = seen(kind, goal=rng.uniform(0.1, 0.9, 3), weight=1.0 + number)
        told.append(observe(Seen(one.point, number, 0, place, answer, one.goal)))
    believed = update(prior, told)
    mean, covariance, weights = slowly(prior, told)
    assert believed.mean == pytest.approx(mean, abs=1e-9)
    assert believed.covariance == pytest.approx(covariance, abs=1e-9)
    assert believed.weights == pytest.approx(weights, abs=1e-9)


def test_one_word_moves_by_its_share_of_what_is_not_known() -> None:
    """With S = s^2 I, a color's variance is s^2 |phi|^2, and a word moves by v / (v + R)."""
    prior = loose_prior(0.1)
    goal = np.array([0.6, 0.5, 0.2])
    told = observe(seen("target", goal))
    variance = 0.1**2 * float(basis(PLACE) @ basis(PLACE))
    moved = told.made(update(prior, [told]).mean) - ANSWER
    assert moved == pytest.approx((goal - ANSWER) * variance / (variance + VARIANCE))


def test_words_mean_what_they_say() -> None:
    sure = loose_prior(30.0)
    gray = observe(seen("neutral"))
    made = gray.made(update(sure, [gray]).mean)
    assert np.ptp(made) < 1e-3
    kept = observe(seen("keep"))
    assert kept.made(update(sure, [kept]).mean) == pytest.approx(PLACE, abs=1e-3)
    brighter = observe(seen("brightness", to=1.0))
    light = ((LUMA @ ANSWER + 0.055) / 1.055) ** 2.4
    made = brighter.made(update(sure, [brighter]).mean)
    assert ((LUMA @ made + 0.055) / 1.055) ** 2.4 == pytest.approx(2.0 * light, rel=1e-2)
    hue = observe(seen("hue", np.array([0.2, 0.1, 0.1])))
    made = hue.made(update(sure, [hue]).mean)
    wanted = np.array([0.2, 0.1, 0.1]) * (LUMA @ ANSWER) / (LUMA @ np.array([0.2, 0.1, 0.1]))
    assert made - LUMA @ made == pytest.approx(wanted - LUMA @ wanted, abs=1e-3)


def test_brightness_may_be_taken_from_a_color() -> None:
    goal = np.array([0.9, 0.1, 0.5])
    told = observe(seen("brightness", goal, to=(0.9, 0.1, 0.5)))
    assert told.wanted == pytest.approx([LUMA @ goal])


def test_a_weight_counts_as_often_as_it_says() -> None:
    prior = loose_prior(0.2, (0.3, 1.0))
    goal = np.array([0.7, 0.3, 0.3])
    twice = update(prior, [observe(seen("target", goal))] * 2)
    heavy = update(prior, [observe(seen("target", goal, weight=2.0))])
    assert heavy.mean == pytest.approx(twice.mean, abs=1e-12)


def test_small_words_move_little_where_scales_are_mixed() -> None:
    mixed, plain = loose_prior(0.3, (0.05, 1.0)), loose_prior(0.3)

    def share(prior: Prior, levels: float) -> float:
        told = observe(seen("target", ANSWER + levels / 255.0))
        return float((told.made(update(prior, [told]).mean) - ANSWER)[0] * 255.0 / levels)

    assert share(plain, 6.0) == pytest.approx(share(plain, 80.0))
    assert share(mixed, 6.0) < 0.6 < 0.9 < share(mixed, 80.0)


def test_a_thousand_contradictory_words_stay_finite(rng: np.random.Generator) -> None:
    flat = np.zeros((SIZE, SIZE))
    flat[3, 3] = 1e-3  # nothing but red's constant is open
    for prior in (loose_prior(100.0, (1 / 16, 2.0)), Prior(flat, np.ones(1), np.ones(1))):
        goals = [np.zeros(3), np.ones(3)] * 500
        told = [observe(seen("target", goal, weight=100.0)) for goal in goals]
        believed = update(prior, told)
        assert np.isfinite(believed.mean).all()
        assert np.linalg.eigvalsh(believed.covariance)[0] > -1e-9
    made = told[0].made(update(loose_prior(100.0), told).mean)
    assert made == pytest.approx(np.full(3, 0.5), abs=1e-3)


def test_nothing_said_changes_nothing() -> None:
    believed = update(loose_prior(), [])
    assert not believed.mean.any()
    assert believed.covariance == pytest.approx(loose_prior().covariance)


@pytest.mark.parametrize("asked", [0.05, 0.9])
def test_no_word_leaves_people_less_sure(asked: float) -> None:
    prior = loose_prior(0.1, (0.2, 1.0))
    place = np.array([0.5, 0.4, 0.3])
    word = Seen(Point(kind="target", at=(0, 0), to=(0, 0, 0)), 1, 0, place, place, place + asked)
    believed = update(prior, [observe(word)])
    assert np.linalg.eigvalsh(prior.spread - believed.remaining)[0] > -1e-9
    # It is the covariance where there is one scale, and tells nothing of what surprises.
    alone = update(loose_prior(), [observe(word)])
    assert alone.remaining == pytest.approx(alone.covariance)
    other = update(prior, [observe(dataclasses.replace(word, goal=place))])
    assert believed.remaining == pytest.approx(other.remaining)


def test_contradictions_are_named() -> None:
    goals = ([0.1, 0.1, 0.1], [0.9, 0.9, 0.9], None)
    told = [
        seen("brightness") if goal is None else seen("target", np.array(goal)) for goal in goals
    ]
    numbered = [Seen(one.point, at, 0, PLACE, ANSWER, one.goal) for at, one in enumerate(told, 1)]
    prior = loose_prior(1.0)
    change = update(prior, [observe(one) for one in numbered]).mean
    rows = report(prior, numbered, change)
    assert [row.contradicts for row in rows[:2]] == [2, 1]
    assert min(row.levels_left for row in rows[:2]) > 60.0
    alone = report(prior, numbered[:1], update(prior, [observe(numbered[0])]).mean)[0]
    assert alone.contradicts is None
    assert alone.levels_left < 5.0
    assert not alone.clipped


def exhaustively(prior: Prior, told: list[Observation]) -> list[int | None]:
    """Which word contradicts which, by an update for every pair."""

    def unheard(word: Observation, words: list[Observation]) -> float:
        left = word.left(word.made(update(prior, words).mean))
        return float(np.abs(left).max()) / np.sqrt(VARIANCE)

    found: list[int | None] = []
    for place, word in enumerate(told):
        over = unheard(word, told) > DEVIATIONS >= unheard(word, [word])
        others = [other for other in range(len(told)) if other != place]
        worst = max(others, key=lambda other: unheard(word, [word, told[other]]))
        found.append(worst if over else None)
    return found


def test_who_contradicts_whom_is_found_by_few_updates(
    rng: np.random.Generator, monkeypatch: pytest.MonkeyPatch
) -> None:
    told = []
    kinds: tuple[Kind, ...] = ("target", "neutral", "brightness", "keep", "hue")
    for number in range(24):
        place, answer = rng.uniform(0.1, 0.9, (2, 3))
        one = seen(kinds[number % 5], goal=rng.choice([0.0, 0.9], 3), weight=1.0 + number % 3)
        told.append(observe(Seen(one.point, number, 0, place, answer, one.goal)))
    prior = loose_prior(0.4, (0.1, 1.0, 2.0))
    expected = exhaustively(prior, told)
    assert sum(one is not None for one in expected) > 8
    asked = []

    def counted(*given: object) -> Belief:
        asked.append(given)
        return update(*given)  # type: ignore[arg-type]

    monkeypatch.setattr("vhmae.guide.update.update", counted)
    assert contradictions(prior, told) == expected
    assert len(asked) <= len(told) + 1


def test_what_is_cut_off_is_told() -> None:
    prior = loose_prior(10.0)
    one = seen("brightness", to=4.0)
    row = report(prior, [one], update(prior, [observe(one)]).mean)[0]
    assert row.clipped
    assert row.got.max() == 1.0
    assert row.levels_left > 10.0


def test_black_that_was_to_be_black_is_not_told_as_cut_off() -> None:
    one = Seen(Point(kind="keep", at=(0, 0)), 1, 0, np.zeros(3), np.full(3, 0.02))
    change = np.zeros(SIZE)
    change[rows_at(np.zeros(3)).any(axis=0)] = -0.05  # the answer goes below black
    row = report(loose_prior(), [one], change)[0]
    assert row.levels_left == 0.0
    assert not row.clipped


def test_what_strength_leaves_undone_is_not_told_as_cut_off() -> None:
    """One channel goes a little beyond black; what is left is left by the strength."""
    place = np.array([0.4, 0.3, 0.0])
    said = Point(kind="target", at=(0, 0), to=(0.6, 0.45, 0.0))
    one = Seen(said, 1, 0, place, place, 1.5 * place)
    change = np.zeros((3, SIZE // 3))
    bias = np.flatnonzero(rows_at(np.zeros(3))[0])
    change[:, bias] = np.array([0.2, 0.15, -0.02])[:, None]
    row = report(loose_prior(), [one], change.ravel(), strength=0.5)[0]
    assert row.levels_left > 10.0
    assert not row.clipped


def test_strength_goes_a_part_of_the_way() -> None:
    one = seen("keep")
    row = report(loose_prior(), [one], np.zeros(SIZE), strength=0.5)[0]
    assert row.got == pytest.approx((PLACE + ANSWER) / 2.0)


def test_points_rule_their_object_and_shot() -> None:
    told = [
        Seen(Point(kind="keep", at=(0, 0), object=object_number), at, shot, PLACE, ANSWER)
        for at, (object_number, shot) in enumerate([(1, 0), (2, 0), (1, 1), (1, 0)])
    ]
    own = by_shot(told, "this")
    assert {key: [one.number for one in rows] for key, rows in own.items()} == {
        (1, 0): [0, 3],
        (2, 0): [1],
        (1, 1): [2],
    }
    everywhere = by_shot(told, "all")
    assert {key: len(rows) for key, rows in everywhere.items()} == {(1, None): 3, (2, None): 1}
    assert found_for({(1, None): PLACE}, 1, 9) is PLACE
    assert found_for({(1, 0): PLACE}, 1, 1) is None
    assert found_for({(1, None): ANSWER, (1, 0): PLACE}, 1, 0) is PLACE


def test_basis_is_that_of_the_color_transform(rng: np.random.Generator) -> None:
    torch = pytest.importorskip("torch")
    from vhmae.color.basis import apply_transform, fit_transform

    shown, change = rng.uniform(size=(50, 3)), rng.normal(size=SIZE) * 0.1
    theirs = apply_transform(torch.from_numpy(shown), torch.from_numpy(change.reshape(3, 10)))
    assert shown + added(shown, change) == pytest.approx(theirs.numpy())
    assert rows_at(shown[0]) @ change == pytest.approx(added(shown[0], change))
    goal = shown + added(shown, change)
    fitted = fit_transform(torch.from_numpy(shown), torch.from_numpy(goal), ridge=1e-4)
    assert fit_added(shown, goal - shown, 1e-4) == pytest.approx(fitted.numpy().ravel())
