"""Priors: read as they were written, refused where they are none, found again by fitting."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.support.guide import loose_prior
from vhmae.errors import InputError
from vhmae.guide.colors import SIZE, rows_at
from vhmae.guide.fitting import fit_covariance, fit_prior, fit_weights, likely_covariance
from vhmae.guide.prior import prior_beside, read_prior


def test_a_prior_is_read_as_it_was_written(tmp_path: Path, rng: np.random.Generator) -> None:
    shape = rng.normal(size=(SIZE, SIZE))
    prior = loose_prior(1.0, (0.5, 1.0))
    prior.covariance[:] = shape @ shape.T
    prior.provenance["sets"] = {"dev": 3}
    prior.write(tmp_path / "own.prior.json")
    again = read_prior(tmp_path / "own.prior.json")
    assert again.covariance == pytest.approx(prior.covariance, rel=1e-7)
    assert again.root @ again.root.T == pytest.approx(again.covariance)
    assert (again.scales.tolist(), again.weights.tolist()) == ([0.5, 1.0], [0.5, 0.5])
    assert again.provenance == {"sets": {"dev": 3}}
    assert prior_beside(tmp_path / "own.safetensors") == tmp_path / "own.prior.json"
    assert again.widened(2.0).spread == pytest.approx(4.0 * again.spread)


@pytest.mark.parametrize(
    "change",
    [
        {"schema": 2},
        {"covariance": [[1.0]]},
        {"covariance": (-np.eye(SIZE)).tolist()},
        {"weights": [0.5, 0.2, 0.3]},
        {"weights": [-1.0, 2.0]},
        {"scales": [0.0, 1.0]},
        {"scales": "wide"},
    ],
)
def test_what_is_no_prior_is_refused(tmp_path: Path, change: dict[str, Any]) -> None:
    path = tmp_path / "x.prior.json"
    loose_prior(1.0, (0.5, 1.0)).write(path)
    path.write_text(json.dumps(json.loads(path.read_text()) | change))
    with pytest.raises(InputError, match="is no prior of schema 1; fit it by vhmae fit-prior"):
        read_prior(path)
    with pytest.raises(InputError, match="cannot be read"):
        read_prior(tmp_path / "none.prior.json")


def test_covariance_leaves_the_largest_out(rng: np.random.Generator) -> None:
    missing = rng.normal(size=(100, SIZE))
    missing[[7, 60]] *= 100.0
    kept = np.delete(missing, [7, 60], axis=0)
    assert fit_covariance(missing) == pytest.approx(kept.T @ kept / 98)


def test_weights_of_scales_are_found_again(rng: np.random.Generator) -> None:
    """Half of the composites lack much, half a tenth of it: one place each tells them apart."""
    told, everywhere, missing = [], [], []
    for number in range(300):
        lacks = rng.normal(size=SIZE) * (0.5 if number % 2 else 0.05)
        places = rng.uniform(0.2, 0.8, (4, 3))
        rows = np.concatenate([rows_at(place) for place in places])
        told.append((rows, rows @ lacks + rng.normal(0, 0.01, 12), np.full(12, 1e-4)))
        everywhere.append((1e4 * rows.T @ rows, 1e4 * rows.T @ told[-1][1]))
        missing.append(lacks)
    prior = fit_prior(np.stack(missing), told, everywhere, {}, scales=(0.14, 1.4))
    assert prior.weights == pytest.approx([0.5, 0.5], abs=0.08)


def test_what_one_place_does_not_say_others_do(rng: np.random.Generator) -> None:
    """What is lacking is one direction of three numbers, of which each composite shows one: the
    likely covariance has all three, and how they go together, from those that show two."""
    direction = np.zeros(SIZE)
    direction[[0, 11, 22]] = 1.0, -0.5, 2.0
    told = []
    for number in range(400):
        rows = np.zeros((2, SIZE))
        rows[0, 11 * (number % 3)] = rows[1, 11 * (-(-number // 2) % 3)] = 1.0
        said = rows @ (direction * rng.normal()) + rng.normal(0.0, 0.01, 2)
        told.append((1e4 * rows.T @ rows, 1e4 * rows.T @ said))
    found = likely_covariance(np.eye(SIZE), told, scales=(1.0,))[::11, ::11]
    expected = np.outer(direction, direction)[::11, ::11]
    assert found == pytest.approx(expected, rel=0.2)


def test_em_of_one_sided_evidence() -> None:
    sure = np.array([[0.0, -50.0]] * 3 + [[-50.0, 0.0]])
    assert fit_weights(sure) == pytest.approx([0.75, 0.25], abs=1e-6)
