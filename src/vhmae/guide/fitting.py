"""Fitting a prior to composites whose truth is known. N composites, K scales.

A composite says of the change d (30,) that its answer lacks: a normal likelihood of precision P and
center P^-1 h, by the regression of what is missing at places of its foreground on their colors.
The covariance S is the most likely one of d ~ sum_k w_k N(0, s_k^2 S), by expectation
maximization (Dempster, Laird and Rubin 1977; Bishop, PRML, section 9.4): colors that a composite
does not show are told by those that do, in the place of being pulled to no change by a ridge.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import Any

import numpy as np

from vhmae.arrays import Array
from vhmae.guide.colors import LEVELS, SIZE, TERMS, basis
from vhmae.guide.prior import Prior
from vhmae.guide.update import Gathered

SCALES = (1 / 16, 1 / 8, 1 / 4, 1 / 2, 1.0, 2.0)
"""Deviations, as parts of the covariance's own."""
INDEPENDENT = 40
"""How many places of a composite are as much as all of them: neighbors err alike."""
LEAST_ERROR = 5.0
"""Levels by which a place is off from any map at the least."""
EM_STEPS = 200
COVARIANCE_STEPS = 25
_RIDGE = 2e-3
"""Of the fits that the search for a covariance begins with."""


@dataclasses.dataclass(frozen=True)
class Evidence:
    """What a composite whose truth is known says of the change that its answer lacks."""

    normal: Array
    """(10, 10): mean of the terms' products, the same for red, green and blue."""
    pull: Array
    """(3, 10): mean of the terms times what is missing."""
    precision: float
    """Of all places together, in units of 1 / color squared."""

    @classmethod
    def of(cls, colors: Array, change: Array) -> Evidence:
        """Evidence of places.

        Args:
            colors, change: (P, 3): colors as they came, and what their answers lack.
        """
        terms = basis(colors)
        normal, pull = terms.T @ terms / len(terms), change.T @ terms / len(terms)
        fitted = np.linalg.solve(normal + 1e-6 * np.eye(TERMS), pull.T)
        squared = float(np.square(change - terms @ fitted).mean())
        return cls(normal, pull, INDEPENDENT / max(squared, (LEAST_ERROR / LEVELS) ** 2))

    def ridge_fit(self) -> Array:
        """The change by itself, pulled towards none: (30,)."""
        return np.linalg.solve(self.normal + _RIDGE * np.eye(TERMS), self.pull.T).T.ravel()


def fit_covariance(
    told: Sequence[Evidence], scales: Sequence[float] = SCALES, steps: int = COVARIANCE_STEPS
) -> Array:
    """The covariance under which what is known of composites is the most likely: (30, 30)."""
    squared = np.square(scales)
    precisions = np.stack([np.kron(np.eye(3), one.precision * one.normal) for one in told])
    pulls = np.stack([(one.precision * one.pull).ravel() for one in told])
    begin = np.stack([one.ridge_fit() for one in told])
    covariance: Array = begin.T @ begin / len(begin)
    odds = np.full(len(squared), 1.0 / len(squared))
    # What nothing is known of keeps a little room, so that there is always an inverse.
    room = 1e-9 * np.trace(covariance) / SIZE * np.eye(SIZE) + 1e-12 * np.eye(SIZE)
    for _ in range(steps):
        inverse = np.linalg.inv(covariance + room)
        spread = np.linalg.slogdet(covariance + room)[1]
        moments, likelihoods = [], []
        for scale in squared:
            narrowed = np.linalg.inv(precisions + inverse / scale)  # (N, 30, 30)
            centers = np.einsum("nij,nj->ni", narrowed, pulls)
            moments.append((narrowed + centers[:, :, None] * centers[:, None, :]) / scale)
            volume = np.linalg.slogdet(narrowed)[1] - spread - SIZE * np.log(scale)
            likelihoods.append(0.5 * (volume + (pulls * centers).sum(axis=1)))
        with np.errstate(divide="ignore"):  # a scale may have lost all weight
            found = np.stack(likelihoods, axis=1) + np.log(odds)
        shares = np.exp(found - found.max(axis=1, keepdims=True))
        shares /= shares.sum(axis=1, keepdims=True)  # (N, K)
        odds = shares.mean(axis=0)
        sums = [np.einsum("n,nij->ij", shares[:, k], one) for k, one in enumerate(moments)]
        covariance = np.sum(sums, axis=0) / len(told)
    return (covariance + covariance.T) / 2.0


def fit_weights(likelihoods: Array, steps: int = EM_STEPS) -> Array:
    """How often each scale holds, by expectation maximization.

    Args:
        likelihoods: (N, K), the logarithm of how likely each composite's leftover is at each scale.
    Returns:
        (K,), sums to 1.
    """
    shifted = np.exp(likelihoods - likelihoods.max(axis=1, keepdims=True))  # rows may be scaled
    weights = np.full(shifted.shape[1], 1.0 / shifted.shape[1])
    for _ in range(steps):
        shares = shifted * weights
        weights = (shares / shares.sum(axis=1, keepdims=True)).mean(axis=0)
    return weights


def fit_prior(
    known: Sequence[Evidence],
    told: Sequence[tuple[Array, Array, Array]],
    provenance: dict[str, Any],
    scales: Sequence[float] = SCALES,
) -> Prior:
    """Fit a prior to composites whose truth is known.

    Args:
        known: of each of N, all that its places say.
        told: for each of N, what a person who knows would say at a few places: rows (M, 30), values
            (M,) and their
            variances (M,); they decide how often each scale holds, in the terms in which it will be
            used.
    """
    covariance = fit_covariance(known, scales)
    even = Prior(covariance, np.array(scales), np.full(len(scales), 1.0 / len(scales)))
    found = [Gathered.of(even.root, *one).likelihoods(even.scales) for one in told]
    return dataclasses.replace(even, weights=fit_weights(np.stack(found)), provenance=provenance)
