"""A change in a compositor's words, how far it may be off, and whether it is worth making."""

from __future__ import annotations

import math

import numpy as np
import pytest

from tests.support.guide import colors
from vhmae.guide.colors import SIZE, added
from vhmae.guide.dials import DIALS, Dials, dial_change, dial_deviations, fit_dials, turn
from vhmae.guide.prior import Prior
from vhmae.guide.verdict import judge
from vhmae.guide.wording import in_words

RED_OFFSET = 3


def offset_of_red(deviation: float) -> Prior:
    """All that is not known is how much red is added everywhere."""
    covariance = np.zeros((SIZE, SIZE))
    covariance[RED_OFFSET, RED_OFFSET] = deviation**2
    return Prior(covariance, np.ones(1), np.ones(1))


def test_gain_and_risk_are_those_of_a_normal_distribution(rng: np.random.Generator) -> None:
    """.1 of red where red is off by .05: G has mean .01 and deviation 2 x .1 x .05 = .01."""
    shown = colors(rng)
    change = np.tile([0.1, 0.0, 0.0], (len(shown), 1))
    found = judge(offset_of_red(0.05), shown, change)
    levels = 255.0**2 / 3.0
    assert found.gain == pytest.approx(0.01 * levels)
    assert found.sure == pytest.approx(0.841345, abs=1e-5)
    assert found.risk == pytest.approx(0.01 * (0.241971 - 0.158655) * levels, rel=1e-4)
    assert not found.nothing_to_do
    # Half of the answer: 2 t'a - a^2 = 2 x .1 x .05 - .05^2.
    assert judge(offset_of_red(0.05), shown, 0.5 * change, 0.5).gain == pytest.approx(
        0.0075 * levels
    )


@pytest.mark.parametrize(("off", "nothing"), [(0.15, False), (0.2, True)])
def test_a_change_that_risks_more_than_it_gains_is_not_worth_making(
    off: float, nothing: bool, rng: np.random.Generator
) -> None:
    """Gain and risk are equal where the mean of G is .276 of its deviation: red off by .181."""
    shown = colors(rng)
    change = np.tile([0.1, 0.0, 0.0], (len(shown), 1))
    assert judge(offset_of_red(off), shown, change).nothing_to_do is nothing


def test_scales_are_weighed(rng: np.random.Generator) -> None:
    shown = colors(rng)
    change = np.tile([0.1, 0.0, 0.0], (len(shown), 1))
    mixed = Prior(offset_of_red(0.05).covariance, np.array([1.0, 4.0]), np.array([0.25, 0.75]))
    one, other = (judge(offset_of_red(0.05 * scale), shown, change) for scale in (1.0, 4.0))
    found = judge(mixed, shown, change)
    assert found.sure == pytest.approx(0.25 * one.sure + 0.75 * other.sure)
    assert found.risk == pytest.approx(0.25 * one.risk + 0.75 * other.risk)
    assert judge(mixed, shown, np.zeros_like(change)).nothing_to_do


def test_dials_read_off_colors_are_those_that_were_turned(rng: np.random.Generator) -> None:
    shown = 0.1 + 0.6 * colors(rng)
    turned = Dials(exposure=0.3, temperature=20, tint=-8, contrast=0.1, blacks=1, saturation=-0.2)
    found = fit_dials(shown, turn(shown, turned))
    assert found.dials.values() == pytest.approx(turned.values(), abs=0.02)
    assert found.left_levels < 0.05


def test_a_dial_is_off_as_drawn_maps_are(rng: np.random.Generator) -> None:
    """Against readings of drawn maps: the deviations of six dials, to the first order."""
    shown = 0.2 + 0.5 * colors(rng, 200)
    dials = Dials(exposure=0.2, temperature=10)
    overall = dial_change(shown, np.zeros(SIZE), dials)
    root = rng.normal(size=(SIZE, SIZE)) * 2e-4
    spread = dial_deviations(shown, dials, root @ root.T)
    drawn = []
    for one in rng.normal(size=(150, SIZE)) @ root.T:
        drawn.append(fit_dials(shown, shown + added(shown, overall + one)).dials.values())
    assert spread.values() == pytest.approx(np.std(drawn, axis=0), rel=0.25)
    wild = dial_deviations(shown, dials, 1e6 * np.eye(SIZE))
    assert math.isfinite(sum(wild.values()))
    assert wild.exposure == 8.0


def test_words_are_those_of_a_compositor() -> None:
    dials = Dials(exposure=-0.31, temperature=12, tint=1.0, blacks=1.25)
    assert in_words(dials) == "0.31 stops darker, 12 warmer, blacks lifted by 1.2 %"
    assert in_words(Dials()) == "no change to speak of"
    for name in DIALS:
        assert in_words(Dials(**{name: 2.0})) != in_words(Dials(**{name: -2.0}))
