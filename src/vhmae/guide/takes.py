"""Takes to choose from: an answer, the untouched composite, and the answer up and down the
directions that it is least sure of.

Least sure in the colors of this foreground: with S = L L' what is not known of the map and M =
E[Phi'Phi] over these colors, the directions are L v for the eigenvectors v of L' M L with the
largest eigenvalues. In practice the first are brightness and warmth.
"""

from __future__ import annotations

import dataclasses

import numpy as np

from vhmae.arrays import Array, ColorMap, Colors, Numbers
from vhmae.guide.colors import LUMA, SIZE, added, basis
from vhmae.guide.prior import Prior

STEPS = (1.2, 0.65, 0.4)
"""Deviations from one take to the next, round by round; from then on each round's is two thirds of
the last."""
FIXED = 2
"""The answer (or the take chosen last) and the untouched composite are always among them."""


@dataclasses.dataclass(frozen=True)
class Take:
    """One way to go on."""

    word: str
    """What it is, in a word: ``plain``, ``untouched``, ``brighter``, ``cooler`` ..."""
    change: ColorMap
    """(30,), to be added to the answer's map."""


def step_of(round_: int) -> float:
    """Deviations between the takes of a round, from 1."""
    return (
        STEPS[round_ - 1] if round_ <= len(STEPS) else STEPS[-1] * (2 / 3) ** (round_ - len(STEPS))
    )


def directions(prior: Prior, colors: Colors, count: int) -> Numbers:
    """The widest directions of what is not known, in these colors.

    Args:
        colors: (P, 3), of the foreground as it came.
    Returns:
        (count, 30), one deviation each; the first is the widest. Upwards is brighter, or else
        warmer, or else greener.
    """
    terms = basis(colors)
    moments = np.kron(np.eye(3), terms.T @ terms / len(terms))
    root = prior.root * np.sqrt(float(prior.weights @ prior.scales**2))
    _, vectors = np.linalg.eigh(root.T @ moments @ root)
    found = (root @ vectors[:, ::-1][:, :count]).T
    # An eigenvector's sign is nobody's to say, and a choice must mean the same everywhere.
    return np.stack([one if _leaning(colors, one)[1] >= 0.0 else -one for one in found])


def takes(
    prior: Prior,
    colors: Colors,
    overall: ColorMap,
    of: int,
    round_: int = 1,
    start: ColorMap | None = None,
) -> list[Take]:
    """The takes of a round.

    Args:
        overall: (30,), the answer's map: the untouched composite is its opposite.
        of: how many, even: two fixed ones and two a direction.
        start: (30,), the change that they stand round: what was chosen last, and what points have
            said of it.
    """
    begin = np.zeros(SIZE) if start is None else start
    found = [Take("plain" if round_ == 1 else "as chosen", begin), Take("untouched", -overall)]
    for one in directions(prior, colors, (of - FIXED) // 2):
        words = _leaning(colors, one)[0]
        for sign, word in zip((1.0, -1.0), words, strict=True):
            found.append(Take(word, begin + sign * step_of(round_) * one))
    return found


def after(prior: Prior, rounds: int) -> Prior:
    """What is still not known after so many rounds: no more than the next round would show."""
    return prior if rounds == 0 else prior.widened(step_of(rounds + 1))


def _leaning(colors: Array, direction: Array) -> tuple[tuple[str, str], float]:
    """The words for both ways of a direction, and how far upwards it points as it is."""
    moved = added(colors, direction)
    mean = moved.mean(axis=0)
    slope = float(np.mean((moved @ LUMA) * (colors @ LUMA - (colors @ LUMA).mean())))
    leanings = {
        ("brighter", "darker"): float(mean @ LUMA),
        ("warmer", "cooler"): float(mean[0] - mean[2]) / 2.0,
        ("greener", "pinker"): float(mean[1] - (mean[0] + mean[2]) / 2.0) / 2.0,
        ("harder", "softer"): slope / max(float((colors @ LUMA).std()), 1e-3),
    }
    words = max(leanings, key=lambda name: abs(leanings[name]))
    return words, leanings[words]
