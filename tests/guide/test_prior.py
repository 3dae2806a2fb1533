"""Priors: read as they were written, refused where they are none, found again by fitting."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.guide.scenes import loose_prior
from vhmae.errors import InputError
from vhmae.guide.colors import SIZE, added, rows_at
from vhmae.guide.fitting import Evidence, fit_covariance, fit_prior, fit_weights
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


def scenes_of(rng: np.random.Generator, root: np.ndarray, count: int) -> list[Evidence]:
    """Composites, each of colors of its own corner, whose answers lack what a prior says."""
    found = []
    for _ in range(count):
        corner = rng.uniform(0.1, 0.6, 3)
        colors = np.clip(corner + rng.uniform(0.0, 0.1, (200, 3)), 0.0, 1.0)
        lacks = added(colors, root @ rng.normal(size=SIZE))
        found.append(Evidence.of(colors, lacks + rng.normal(0.0, 0.02, lacks.shape)))
    return found


def test_a_covariance_is_found_again_beyond_the_colors_that_one_composite_shows(
    rng: np.random.Generator,
) -> None:
    """Ridge fits take what a composite does not show for unchanged; all of them together know."""
    root = np.zeros((SIZE, SIZE))
    for channel in range(3):  # gains and offsets
        root[10 * channel + channel, 10 * channel + channel] = 0.3
        root[10 * channel + 3, 10 * channel + 3] = 0.05
    known = scenes_of(rng, root, 300)
    found = fit_covariance(known, scales=(1.0,))
    ridge = np.stack([one.ridge_fit() for one in known])
    grid = np.stack(np.meshgrid(*[np.linspace(0.0, 1.0, 4)] * 3), axis=-1).reshape(-1, 3)
    rows = np.concatenate([rows_at(color) for color in grid])

    def spread(covariance: np.ndarray) -> np.ndarray:
        return np.sqrt(np.einsum("ij,jk,ik->i", rows, covariance, rows))

    wanted = spread(root @ root.T)
    off, before = (
        np.abs(spread(one) - wanted).mean() for one in (found, ridge.T @ ridge / len(ridge))
    )
    assert off < 0.15 * wanted.mean()
    assert off < 0.7 * before


def test_a_few_composites_far_off_do_not_rule_the_covariance(rng: np.random.Generator) -> None:
    """They are taken for ones of a wider scale: what they alone lack counts for less."""
    red, blue = np.zeros((SIZE, SIZE)), np.zeros((SIZE, SIZE))
    red[3, 3], blue[23, 23] = 0.05, 0.2  # offsets
    known = [*scenes_of(rng, red, 100), *scenes_of(rng, blue, 5)]
    ridge = np.stack([one.ridge_fit() for one in known])

    def of_the_few(covariance: np.ndarray) -> float:
        places = np.stack([rows_at(color) for color in rng.uniform(0.2, 0.8, (50, 3))])
        spread = np.einsum("pij,jk,pik->i", places, covariance, places)
        return float(spread[2] / spread[0])

    assert of_the_few(fit_covariance(known)) < 0.6 * of_the_few(ridge.T @ ridge)


def test_weights_of_scales_are_found_again(rng: np.random.Generator) -> None:
    """Half of the composites lack much, half a tenth of it: one place each tells them apart."""
    told, known = [], []
    for number in range(300):
        lacks = rng.normal(size=SIZE) * (0.5 if number % 2 else 0.05)
        places = rng.uniform(0.2, 0.8, (4, 3))
        rows = np.concatenate([rows_at(place) for place in places])
        told.append((rows, rows @ lacks + rng.normal(0, 0.01, 12), np.full(12, 1e-4)))
        colors = rng.uniform(0.2, 0.8, (60, 3))
        known.append(Evidence.of(colors, added(colors, lacks)))
    prior = fit_prior(known, told, {}, scales=(0.14, 1.4))
    assert prior.weights == pytest.approx([0.5, 0.5], abs=0.08)


def test_em_of_one_sided_evidence() -> None:
    sure = np.array([[0.0, -50.0]] * 3 + [[-50.0, 0.0]])
    assert fit_weights(sure) == pytest.approx([0.75, 0.25], abs=1e-6)
