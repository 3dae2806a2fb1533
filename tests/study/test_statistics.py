"""What rankings say, each against a slow loop, a known case or an independent routine."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest
from scipy import optimize

from vhmae.study import statistics


def sampled(strengths: np.ndarray, count: int, seed: int = 0) -> np.ndarray:
    """Ranks drawn from a Plackett-Luce model: the order of exponential times."""
    times = np.random.default_rng(seed).exponential(1.0, (count, len(strengths))) / strengths
    return times.argsort(axis=1).argsort(axis=1) + 1


def test_shares_are_counts() -> None:
    ranks = np.array([[1, 2, 3], [1, 3, 2], [2, 1, 3], [1, 2, 3]])
    assert np.allclose(
        statistics.rank_shares(ranks), [[0.75, 0.25, 0], [0.25, 0.5, 0.25], [0, 0.25, 0.75]]
    )


def test_the_bootstrap_draws_people_with_all_they_said() -> None:
    ranks = np.array([[1, 2], [1, 2], [1, 2], [2, 1]])
    who = np.array([0, 0, 0, 1])
    shares, means = statistics.bootstrap(ranks, who, 4000)
    # Two people: drawn twice the first, once each, or twice the second.
    assert {round(float(value), 3) for value in shares[:, 0, 0]} == {1.0, 0.75, 0.0}
    assert np.mean(shares[:, 0, 0] == 0.75) == pytest.approx(0.5, abs=0.03)
    assert np.allclose(means.sum(axis=1), 3.0)
    assert np.array_equal(
        statistics.bootstrap(ranks, who, 10)[0], statistics.bootstrap(ranks, who, 10)[0]
    )


def test_intervals_cover_the_truth_about_as_often_as_they_say() -> None:
    strengths = np.array([0.5, 0.3, 0.2])
    covered = 0
    for seed in range(200):
        ranks = sampled(strengths, 60, seed)
        bounds = statistics.interval(
            statistics.bootstrap(ranks, np.repeat(np.arange(30), 2), 400, seed)[0]
        )
        covered += bounds[0, 0, 0] <= 0.5 <= bounds[1, 0, 0]
    assert 0.89 <= covered / 200 <= 0.99


def test_an_interval_leaves_out_a_fortieth_at_either_end() -> None:
    samples = np.random.default_rng(0).permutation(1001.0 * np.linspace(0.0, 1.0, 1001))
    assert statistics.interval(np.stack([samples, samples + 3.0], axis=1)) == pytest.approx(
        np.array([[0.025, 0.025], [0.975, 0.975]]) * 1001.0 + np.array([0.0, 3.0])
    )


def test_personal_means_are_means() -> None:
    ranks = np.array([[1, 2], [2, 1], [1, 2]])
    assert np.allclose(
        statistics.personal_means(ranks, np.array([0, 0, 1])), [[1.5, 1.5], [1.0, 2.0]]
    )


def test_friedman_is_the_textbooks() -> None:
    # Without ties chi2 = 12 / (P M (M + 1)) * sum of squared rank sums - 3 P (M + 1).
    ranks = sampled(np.array([0.5, 0.3, 0.1, 0.1]), 20).astype(float)
    people, methods = ranks.shape
    by_hand = 12 / (people * methods * (methods + 1)) * np.square(
        ranks.sum(axis=0)
    ).sum() - 3 * people * (methods + 1)
    found = statistics.friedman(ranks)
    assert found is not None
    assert found[0] == pytest.approx(by_hand)
    assert statistics.friedman(ranks[:, :2]) is None
    assert statistics.friedman(np.full((5, 3), 2.0)) is None


def test_pairs_that_differ_are_found_and_those_alike_are_not() -> None:
    ranks = sampled(np.array([0.9, 0.05, 0.05]), 40, seed=3)
    means = statistics.personal_means(ranks, np.arange(40))
    found = {
        (one, other): corrected for one, other, _, corrected in statistics.wilcoxon_pairs(means)
    }
    assert found[0, 1] < 0.001
    assert found[0, 2] < 0.001
    assert found[1, 2] > 0.05
    assert statistics.wilcoxon_pairs(np.full((4, 2), 1.5)) == [(0, 1, 1.0, 1.0)]


def test_holm_is_the_worked_example_and_never_below_the_plain_value() -> None:
    assert statistics.holm([0.01, 0.04, 0.03, 0.005]) == pytest.approx([0.03, 0.06, 0.06, 0.02])
    assert statistics.holm([0.9, 0.8]) == [1.0, 1.0]
    assert statistics.holm([]) == []


def likelihood(ranks: np.ndarray, logs: np.ndarray) -> float:
    """The negative log likelihood of Plackett-Luce, choice by choice."""
    total = 0.0
    for row in ranks:
        order = np.argsort(row)
        for place in range(len(order) - 1):
            total -= logs[order[place]] - math.log(sum(math.exp(logs[k]) for k in order[place:]))
    return total


def test_strengths_have_the_greatest_likelihood() -> None:
    ranks = sampled(np.array([0.45, 0.3, 0.15, 0.1]), 60, seed=1)
    found = statistics.plackett_luce(ranks)

    def penalised(free: np.ndarray) -> float:
        logs = np.append(free, 0.0)
        pairs = [(a, b) for a in range(4) for b in range(4) if a != b]
        return likelihood(ranks, logs) + 0.5 * sum(
            math.log1p(math.exp(logs[b] - logs[a])) for a, b in pairs
        )

    best = optimize.minimize(penalised, np.zeros(3)).x
    reference = np.exp(np.append(best, 0.0))
    assert np.allclose(found, reference / reference.sum(), atol=2e-4)


def test_strengths_are_recovered_and_stay_finite() -> None:
    strengths = np.array([0.6, 0.2, 0.15, 0.05])
    assert np.allclose(statistics.plackett_luce(sampled(strengths, 4000)), strengths, atol=0.02)
    alike = statistics.plackett_luce(np.array(list(itertools.permutations([1, 2, 3]))))
    assert np.allclose(alike, 1 / 3)  # whatever order the methods are named in
    always = statistics.plackett_luce(np.tile([1, 2, 3], (10, 1)))
    assert (always > 0).all()
    assert always.argsort().tolist() == [2, 1, 0]


def test_agreement_is_complete_none_or_between() -> None:
    assert statistics.kendalls_w(np.tile([3, 1, 2], (5, 1))) == pytest.approx(1.0)
    assert statistics.kendalls_w(
        np.array(list(itertools.permutations([1, 2, 3])))
    ) == pytest.approx(0.0)
    # Kendall and Smith 1939: W = 12 S / (m2 (n3 - n)), here S = 2 with m = 2, n = 3.
    assert statistics.kendalls_w(np.array([[1, 2, 3], [2, 1, 3]])) == pytest.approx(
        12 * 4.5 / (4 * 24) + 12 * 1.5 / (4 * 24)
    )
    assert math.isnan(statistics.kendalls_w(np.array([[1, 2]])))


def test_those_who_click_one_place_are_found_and_those_who_look_seldom() -> None:
    assert statistics.always_one_place(np.zeros(20, int), 4)
    assert statistics.always_one_place(np.array([2] * 14 + [0, 1, 3, 0, 1, 3]), 4)
    assert not statistics.always_one_place(np.array([0, 0, 0]), 4)  # three clips say too little
    assert not statistics.always_one_place(np.array([], int), 4)
    draws = np.random.default_rng(0).integers(0, 4, (5000, 20))
    assert np.mean([statistics.always_one_place(row, 4) for row in draws]) < 2e-3


def test_those_who_answer_before_the_clip_has_played_are_found() -> None:
    length = np.full(5, 2.0)
    assert statistics.too_fast(np.array([0.5, 0.4, 1.9, 5.0, 7.0]), length)
    assert not statistics.too_fast(np.array([0.5, 4.0, 9.0, 5.0, 7.0]), length)
    assert not statistics.too_fast(
        np.array([0.5, 1.0, 2.0, 3.0]), length[:4]
    )  # half of them, and one that is just long enough
    assert not statistics.too_fast(np.array([]), np.array([]))
