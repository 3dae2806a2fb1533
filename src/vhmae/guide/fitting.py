"""Fitting a prior to composites whose truth is known. N composites, K scales."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import Any

import numpy as np

from vhmae.arrays import Array, Covariance, Numbers
from vhmae.guide.colors import SIZE
from vhmae.guide.prior import Prior
from vhmae.guide.update import Gathered

SCALES = (1 / 16, 1 / 8, 1 / 4, 1 / 2, 1.0, 2.0)
"""Deviations, as parts of the covariance's own."""
LEFT_OUT = 0.02
"""Share of the largest changes that the covariance is fitted without: a few extremes would rule
it."""
RIDGE = 2e-3
"""Of the fits that say what an answer lacks (:func:`~vhmae.guide.colors.fit_added`)."""
EM_STEPS = 200
LIKELY = 0.5
"""Share of the covariance that makes what places say the most likely; the rest is of moments, which
holds what no place tells of to be unchanged."""
LIKELY_STEPS = 12


def fit_covariance(missing: Numbers) -> Covariance:
    """The second moments about zero of what answers lack, without the largest.

    Args:
        missing: (N, 30), ridge fits (:func:`~vhmae.guide.colors.fit_added`).
    """
    size = np.square(missing).sum(axis=1)
    kept = missing[np.argsort(size, kind="stable")[: max(1, round(len(size) * (1.0 - LEFT_OUT)))]]
    covariance: Array = kept.T @ kept / len(kept)
    return covariance


def likely_covariance(
    begin: Covariance, told: Sequence[tuple[Covariance, Numbers]], scales: Sequence[float] = SCALES
) -> Covariance:
    """The covariance under which what all places say is the most likely, at any of the scales, by a
    few steps of expectation maximization: other answers tell what places that are not there would.

    Args:
        begin: (30, 30), where to begin.
        told: for each composite H'R^-1 H (30, 30) and H'R^-1 r (30,) of its places.
    """
    covariance, sizes = begin, np.array(scales)
    weights = np.full(len(sizes), 1.0 / len(sizes))
    for _ in range(LIKELY_STEPS):
        root = Prior(covariance, sizes, weights).root
        moments, shares = np.zeros((SIZE, SIZE)), np.zeros(len(sizes))
        for information, pull in told:
            gathered = Gathered.of_sums(root, information, pull)
            likely, narrowed = gathered.odds(weights, sizes), gathered.narrowed(sizes)
            centers, parts = narrowed * gathered.pull, likely / sizes**2
            second = np.diag(parts @ narrowed) + (centers.T * parts) @ centers
            moments += gathered.vectors @ second @ gathered.vectors.T
            shares += likely
        covariance = root @ (moments / len(told)) @ root.T
        weights = shares / len(told)
    return covariance


def fit_weights(likelihoods: Numbers, steps: int = EM_STEPS) -> Numbers:
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
    missing: Numbers,
    told: Sequence[tuple[Numbers, Numbers, Numbers]],
    everywhere: Sequence[tuple[Covariance, Numbers]],
    provenance: dict[str, Any],
    scales: Sequence[float] = SCALES,
) -> Prior:
    """Fit a prior to composites whose truth is known.

    Args:
        missing: (N, 30), what each answer lacks.
        told: for each of N, what a person who knows would say at a few places: rows (M, 30), values
            (M,) and their variances (M,); they decide how often each scale holds, in the terms in
            which it will be used.
        everywhere: for each of N, what all places say, as :func:`likely_covariance` takes it.
    """
    moments = fit_covariance(missing)
    likely = likely_covariance(moments, everywhere, scales)
    covariance = (1.0 - LIKELY) * moments + LIKELY * likely
    even = Prior(covariance, np.array(scales), np.full(len(scales), 1.0 / len(scales)))
    found = [Gathered.of(even.root, *one).likelihoods(even.scales) for one in told]
    return dataclasses.replace(even, weights=fit_weights(np.stack(found)), provenance=provenance)
