"""The prior that ships with the weights belongs to them."""

from __future__ import annotations

import hashlib

import numpy as np

from tests.support.guide import colors
from vhmae.guide.colors import LUMA, added
from vhmae.guide.prior import prior_beside, read_prior
from vhmae.guide.takes import directions
from vhmae.model.files import DEFAULT, find_weights


def test_packaged_prior_was_fitted_to_the_packaged_weights(rng: np.random.Generator) -> None:
    weights = find_weights(DEFAULT)
    prior = read_prior(prior_beside(weights))
    assert prior.provenance["weights_sha256"] == hashlib.sha256(weights.read_bytes()).hexdigest()
    assert len(prior.scales) == 6
    assert prior.provenance["composites"] >= 100


def test_answers_are_least_sure_of_brightness(rng: np.random.Generator) -> None:
    shown = colors(rng)
    prior = read_prior(prior_beside(find_weights(DEFAULT)))
    first, second = (added(shown, one) for one in directions(prior, shown, 2))
    assert (first @ LUMA).mean() > 0.04
    assert np.linalg.norm(first) > np.linalg.norm(second)
