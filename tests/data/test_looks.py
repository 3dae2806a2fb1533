"""Looks: parametric chains, lighting, and how training pairs them."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from tests.support.looks import luts
from vhmae.data.looks import (
    IDENTITY,
    Lighting,
    Look,
    LookMixture,
    LookSampler,
    LookSources,
    ParametricLook,
    draw_look,
)
from vhmae.errors import InputError


def test_a_neutral_chain_changes_nothing() -> None:
    colors = torch.rand(100, 3)
    assert torch.allclose(ParametricLook()(colors), colors.clamp_min(1e-4), atol=1e-6)


def test_the_chain_matches_its_steps_written_out() -> None:
    look = ParametricLook(gain=(1.2, 1.0, 0.8), gamma=1.3, contrast=0.9, saturation=1.4)
    color = np.array([0.3, 0.5, 0.6])
    step = np.clip(color * [1.2, 1.0, 0.8], 1e-4, 1) ** 1.3
    step = (step - 0.5) * 0.9 + 0.5
    grey = step @ [0.299, 0.587, 0.114]
    expected = np.clip(grey + (step - grey) * 1.4, 0, 1)
    np.testing.assert_allclose(
        look(torch.tensor(color, dtype=torch.float32)).numpy(), expected, atol=1e-6
    )


def test_hue_shifts_leave_greys_alone_and_reach_their_hue() -> None:
    look = ParametricLook(hue_shifts=(-1.0, 0.0, 0.0, 0.0, 0.0, 0.0))  # the first knot is red
    grey, red, cyan = (torch.tensor(c) for c in ([0.4, 0.4, 0.4], [0.8, 0.2, 0.2], [0.2, 0.8, 0.8]))
    assert torch.allclose(look(grey), grey, atol=1e-5)
    assert torch.allclose(look(cyan), cyan, atol=1e-5)
    assert look(red).std() < 0.01


def test_hue_shifts_go_round_from_the_last_knot_to_the_first() -> None:
    color = torch.tensor(
        [0.8, 0.2, 0.5]
    )  # hue 330 degrees: half way between the last knot, magenta, and the first, red
    grey = color @ torch.tensor([0.299, 0.587, 0.114])
    half = grey + 0.5 * (color - grey)
    for shifts in ((-1.0, 0.0, 0.0, 0.0, 0.0, 0.0), (0.0, 0.0, 0.0, 0.0, 0.0, -1.0)):
        assert torch.allclose(ParametricLook(hue_shifts=shifts)(color), half, atol=1e-5)


def test_strength_goes_a_part_of_the_way() -> None:
    colors = torch.rand(50, 3)
    look = luts()[0]
    half = Look(look, 0.5)(colors)
    assert torch.allclose(half, (colors + look(colors)) / 2, atol=1e-6)
    assert torch.equal(Look(look, 0.0)(colors), colors)
    assert torch.equal(IDENTITY(colors), colors)


def test_drawn_looks_depend_on_the_seed_alone() -> None:
    bank = LookSources(luts=luts())
    draws = [
        draw_look(np.random.default_rng(3), bank, ("lut", "parametric"), (0.3, 1.0))
        for _ in range(2)
    ]
    assert draws[0].name == draws[1].name
    assert draws[0].strength == draws[1].strength
    with pytest.raises(InputError, match="beside 'lighting'"):
        draw_look(np.random.default_rng(3), bank, ("lighting",), (0.3, 1.0))


def test_lighting_is_a_smooth_ramp_between_its_ends() -> None:
    gain = Lighting(angle=0.0, low=(0.5, 0.5, 0.5), high=(1.5, 1.5, 1.5)).gain(20, 100)
    assert gain.shape == (3, 20, 100)
    assert (gain.diff(dim=-1) > 0).all()
    assert gain.diff(dim=-1).max() < 0.02
    assert torch.allclose(gain.diff(dim=-2), torch.zeros(3, 19, 100), atol=1e-6)


def test_drawn_lights_have_a_tint_of_their_own_at_each_end() -> None:
    light = Lighting.draw(np.random.default_rng(0))
    assert len({*light.low, *light.high}) == 6
    for end in (light.low, light.high):
        assert all(0.7 * 0.92 <= gain <= 1.35 * 1.08 for gain in end)
        assert max(end) / min(end) <= 1.08 / 0.92


def test_training_pairs_come_in_the_shares_of_the_mixture() -> None:
    mixture = LookMixture(one_look=0.3, same_look=0.2)
    sampler = LookSampler.from_luts(luts(), mixture, pool_size=64)
    background, foreground = sampler.draw_pairs(np.random.default_rng(0), 1500)
    identity = (background == sampler.grid).flatten(1).all(1)
    same = (background == foreground).flatten(1).all(1)
    assert float(identity.float().mean()) == pytest.approx(0.3, abs=0.04)
    assert float(same.float().mean()) == pytest.approx(0.2, abs=0.04)
    again = sampler.draw_pairs(np.random.default_rng(0), 1500)
    assert torch.equal(again[0], background)


def test_pools_of_looks_depend_on_their_seed() -> None:
    first, same, other = (
        LookSampler.from_luts(luts(), LookMixture(), pool_size=8, seed=seed).pool
        for seed in (1, 1, 2)
    )
    assert torch.equal(first, same)
    assert not torch.equal(first, other)


def test_looks_in_training_go_as_far_as_their_strength_says() -> None:
    mixture = LookMixture(strength=(0.25, 0.25), one_look=0.0, same_look=0.0)
    plain = LookSampler.from_luts(luts(), mixture, pool_size=1)
    expected = plain.grid + 0.25 * (plain.pool[0] - plain.grid)
    for tables in plain.draw_pairs(np.random.default_rng(0), 3):
        assert torch.allclose(tables, expected.expand_as(tables), atol=1e-6)
