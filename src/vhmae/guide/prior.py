"""What is known beforehand of the change that an answer lacks: a covariance, at several scales.

Answers are mostly a little wrong and sometimes very: a mixture over scales lets a word as small as
an eye's error move little, and a large one all that it asks for. K scales, N composites.
"""

from __future__ import annotations

import dataclasses
import functools
import json
from pathlib import Path
from typing import Any

import numpy as np

from vhmae.arrays import Array, Covariance, Numbers
from vhmae.errors import InputError
from vhmae.guide.colors import SIZE
from vhmae.partial_output import write_text_whole

SCHEMA = 1
SUFFIX = ".prior.json"
"""A weights file NAME.safetensors has its prior beside it, NAME.prior.json."""


@dataclasses.dataclass(frozen=True)
class Prior:
    """A mixture of normal distributions of mean zero: the covariance, times each scale squared."""

    covariance: Covariance
    """(30, 30) float64, positive semidefinite."""
    scales: Numbers
    """(K,): deviations, as factors."""
    weights: Numbers
    """(K,): how likely each is beforehand; they sum to 1."""
    provenance: dict[str, Any] = dataclasses.field(default_factory=dict)
    """Weights, data, counts and command that it was fitted from and by."""

    @functools.cached_property
    def root(self) -> Covariance:
        """L with L L' = covariance, (30, 30)."""
        values, vectors = np.linalg.eigh(self.covariance)
        return vectors * np.sqrt(np.maximum(values, 0.0))

    @property
    def spread(self) -> Covariance:
        """The covariance of the whole mixture, (30, 30)."""
        return self.covariance * float(self.weights @ self.scales**2)

    def widened(self, factor: float) -> Prior:
        """The same, with every deviation so many times as large."""
        return dataclasses.replace(self, scales=self.scales * factor)

    def write(self, path: Path) -> None:
        """Write the prior; the file appears whole or not at all."""
        tree = {
            "schema": SCHEMA,
            "provenance": self.provenance,
            "scales": self.scales.tolist(),
            "weights": [float(f"{value:.6g}") for value in self.weights],
            "covariance": [[float(f"{value:.9g}") for value in row] for row in self.covariance],
        }
        rows = ",\n  ".join(json.dumps(row) for row in tree.pop("covariance"))
        head = json.dumps(tree, indent=1).removesuffix("\n}")
        write_text_whole(path, f'{head},\n "covariance": [\n  {rows}\n ]\n}}\n')


def read_prior(path: Path) -> Prior:
    """Read a prior.

    Raises:
        InputError: where the file is none.
    """
    remedy = "fit it by vhmae fit-prior"
    try:
        tree = json.loads(path.read_text(encoding="utf-8"))
        schema = tree["schema"]
        arrays = [np.array(tree[name], np.float64) for name in ("covariance", "scales", "weights")]
    except OSError as error:
        raise InputError(f"{path}: cannot be read ({error.strerror}); {remedy}") from None
    except (ValueError, KeyError, TypeError):
        schema, arrays = None, []
    if schema != SCHEMA or not _is_prior(*arrays):
        raise InputError(f"{path}: is no prior of schema {SCHEMA}; {remedy}")
    covariance, scales, weights = arrays
    provenance = dict(tree.get("provenance", {}))
    return Prior((covariance + covariance.T) / 2.0, scales, weights / weights.sum(), provenance)


def prior_beside(weights: Path) -> Path:
    """Where the prior of a weights file lies."""
    return weights.with_name(weights.name.removesuffix(weights.suffix) + SUFFIX)


def _is_prior(covariance: Array, scales: Array, weights: Array) -> bool:
    """Whether the arrays have the shapes, and are what a mixture of normal distributions can
    have."""
    if covariance.shape != (SIZE, SIZE) or scales.ndim != 1 or scales.shape != weights.shape:
        return False
    if not all(np.isfinite(array).all() for array in (covariance, scales, weights)):
        return False
    total = float(np.trace(covariance))
    symmetric = np.abs(covariance - covariance.T).max() <= 1e-6 * max(total, 0.0)
    positive = total > 0.0 and np.linalg.eigvalsh(covariance)[0] >= -1e-6 * total
    odds = bool((weights >= 0.0).all()) and weights.sum() > 0.0
    return bool(symmetric and positive and odds and (scales > 0.0).all())
