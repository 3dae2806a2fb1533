"""What rankings say: the numbers of Fig. 7 and what a reviewer asks beside them.

Letters: R rankings, P participants, M methods. A rank is 1 (best) to M; rankings have no ties.
    ``who`` (R,) names each ranking's
participant by a number from 0 to P - 1. People are the unit that is drawn from a population:
rankings of one person belong together.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence

import numpy as np
from scipy import stats

from vhmae.arrays import Array

FLAG_CHANCE = 1e-3
"""How seldom honest answers would be flagged."""


def rank_shares(ranks: Array, weights: Array | None = None) -> Array:
    """How often each method got each rank, of all rankings: (R, M) ranks -> (M, M), [method, rank -
    1]."""
    hot = ranks[..., None] == np.arange(1, ranks.shape[1] + 1)  # (R, M, M)
    return np.average(hot.astype(np.float64), axis=0, weights=weights)


def bootstrap(
    ranks: Array, who: Array, resamples: int = 2000, seed: int = 0
) -> tuple[Array, Array]:
    """Resample the people with all that they said.

    Returns:
        Shares (resamples, M, M) as of :func:`rank_shares`, and mean ranks (resamples, M).
    """
    people = int(who.max()) + 1
    # How often each is drawn.
    draws = np.random.default_rng(seed).multinomial(
        people, np.full(people, 1.0 / people), size=resamples
    )
    counts = np.zeros((people, ranks.shape[1], ranks.shape[1]))
    hot = ranks[..., None] == np.arange(1, ranks.shape[1] + 1)
    np.add.at(counts, who, hot)
    shares = np.tensordot(draws, counts, axes=1)
    shares /= shares.sum(axis=2, keepdims=True)
    return shares, shares @ np.arange(1, ranks.shape[1] + 1)


def interval(samples: Array) -> Array:
    """The middle 95 %: (resamples, ...) -> (2, ...)."""
    return np.percentile(samples, (2.5, 97.5), axis=0)


def personal_means(ranks: Array, who: Array) -> Array:
    """Each person's mean rank of each method: (P, M). The blocks of the tests below."""
    sums = np.zeros((int(who.max()) + 1, ranks.shape[1]))
    np.add.at(sums, who, ranks)
    return sums / np.bincount(who)[:, None]


def friedman(means: Array) -> tuple[float, float] | None:
    """Friedman's test over people's mean ranks: (statistic, p); None where it says nothing (under 3
    methods or 2 people)."""
    if means.shape[0] < 2 or means.shape[1] < 3 or np.allclose(means, means[:, :1]):
        return None
    found = stats.friedmanchisquare(*means.T)
    return float(found.statistic), float(found.pvalue)


def wilcoxon_pairs(means: Array) -> list[tuple[int, int, float, float]]:
    """Wilcoxon's signed-rank test of every pair of methods: (one, other, p, p corrected by
    Holm)."""
    pairs = list(itertools.combinations(range(means.shape[1]), 2))
    plain = []
    for one, other in pairs:
        difference = np.round(means[:, one] - means[:, other], 9)
        plain.append(float(stats.wilcoxon(difference).pvalue) if difference.any() else 1.0)
    return [
        (*pair, p, corrected) for pair, p, corrected in zip(pairs, plain, holm(plain), strict=True)
    ]


def holm(values: Sequence[float]) -> list[float]:
    """Correct p values for being many (Holm 1979)."""
    corrected = [0.0] * len(values)
    largest = 0.0
    for place, index in enumerate(sorted(range(len(values)), key=values.__getitem__)):
        largest = max(largest, min(1.0, (len(values) - place) * values[index]))
        corrected[index] = largest
    return corrected


def plackett_luce(ranks: Array, steps: int = 50_000, tolerance: float = 1e-9) -> Array:
    """Strengths (M,), sum 1: the chance of each method to be ranked first (Plackett-Luce, by
    Hunter's MM 2004).

    Half a win and half a loss against every other method are added, so that one that never (or
    always) wins keeps a finite strength.
    """
    methods = ranks.shape[1]
    orders = np.argsort(ranks, axis=1)  # (R, M): best first
    # How often a method was chosen among those left; the last one is no choice.
    wins = np.full(methods, 0.5 * (methods - 1))
    np.add.at(wins, orders[:, :-1], 1.0)
    strength = np.full(methods, 1.0 / methods)
    for _ in range(steps):
        ordered = strength[orders]
        left = np.cumsum(ordered[:, ::-1], axis=1)[
            :, ::-1
        ]  # (R, M): total strength of those not chosen yet
        terms = np.cumsum(1.0 / left[:, :-1], axis=1)
        # The last method takes part in every choice.
        terms = np.concatenate([terms, terms[:, -1:]], axis=1)
        pairs = 1.0 / (strength[:, None] + strength)
        denominators = pairs.sum(axis=1) - pairs.diagonal()
        np.add.at(denominators, orders, terms)
        updated = wins / denominators
        updated /= updated.sum()
        if np.abs(updated - strength).max() < tolerance:
            return updated
        strength = updated
    return strength


def kendalls_w(ranks: Array) -> float:
    """Agreement of several people on one clip: 0 none, 1 complete; (people, M) ranks; NaN for one
    person."""
    people, methods = ranks.shape
    if people < 2:
        return math.nan
    sums = ranks.sum(axis=0)
    return float(12.0 * np.square(sums - sums.mean()).sum() / (people**2 * (methods**3 - methods)))


# --- answers that do not come from looking


def always_one_place(first_places: Array, places: int) -> bool:
    """Whether a person's favorites stood at one place of the page too often for chance.

    Orders are shuffled, so whoever looks finds favorites at all places: the count at the most
    frequent one is binomial.

    Args:
        first_places: place on the page, from 0, of the method ranked first, one a clip.
        places: how many there are.
    """
    if len(first_places) == 0:
        return False
    most = int(np.bincount(first_places, minlength=places).max())
    chance = float(stats.binom.sf(most - 1, len(first_places), 1.0 / places)) * places
    return chance < FLAG_CHANCE


def too_fast(seconds: Array, clip_seconds: Array) -> bool:
    """Whether more than half of a person's answers came before the clip could have been seen
    once."""
    return bool(len(seconds)) and bool(np.mean(seconds < clip_seconds) > 0.5)
