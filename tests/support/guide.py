"""Colors and priors that the tests of guides share."""

from __future__ import annotations

import numpy as np

from vhmae.arrays import Array
from vhmae.guide.colors import SIZE, TERMS
from vhmae.guide.prior import Prior


def loose_prior(deviation: float = 0.3, scales: tuple[float, ...] = (1.0,)) -> Prior:
    """Every number of a map is as uncertain as any other."""
    even = np.full(len(scales), 1.0 / len(scales))
    return Prior(np.eye(SIZE) * deviation**2, np.array(scales), even)


def like_light(deviation: float = 0.05) -> Prior:
    """The three channels mostly rise and fall together."""
    together = np.kron(np.ones((3, 3)) + 0.3 * np.eye(3), np.eye(TERMS))
    return Prior(together * deviation**2, np.ones(1), np.ones(1))


def colors(rng: np.random.Generator, count: int = 400) -> Array:
    """Colors of something in the middle of the scale."""
    return np.clip(rng.normal([0.5, 0.42, 0.35], [0.18, 0.15, 0.14], (count, 3)), 0.02, 0.98)
