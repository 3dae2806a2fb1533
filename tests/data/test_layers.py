"""What is laid over foregrounds in training: local light, haze, blur, noise, compression."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch

from tests.support.looks import luts
from vhmae.data.looks import (
    ADDED,
    Blending,
    Blur,
    Compression,
    Haze,
    Lighting,
    LookMixture,
    LookSampler,
    Noise,
    Placed,
    blend_changes,
    draw_layers,
    lighting_gains,
)
from vhmae.data.looks.blending import span_membrane
from vhmae.data.synthesis import StackedScenes, compose, make_batch
from vhmae.errors import InputError

LAID = {"lighting": 0.0, "same_look": 1.0, "one_look": 0.0}
"""Nothing but what a test asks for differs from the background."""


def scenes(count: int = 6, frames: int = 2, size: int = 48) -> StackedScenes:
    """Textures whose middle is the foreground."""
    generator = torch.Generator().manual_seed(3)
    coarse = torch.rand(count * frames, 3, 6, 6, generator=generator)
    fine = torch.nn.functional.interpolate(coarse, (size, size), mode="bicubic").clamp(0, 1)
    pictures = (fine * 255).round().byte().permute(0, 2, 3, 1).unflatten(0, (count, frames))
    region = torch.zeros(count, frames, size, size, dtype=torch.bool)
    region[..., 12:36, 10:38] = True
    return StackedScenes(pictures, region, region, torch.arange(count))


def sampler(**shares: float) -> LookSampler:
    return LookSampler.from_luts(luts(), LookMixture(**{**LAID, **shares}), pool_size=16)  # type: ignore[arg-type]


def test_a_membrane_keeps_what_is_flat_and_what_rises_evenly() -> None:
    region = torch.zeros(1, 1, 64, 64, dtype=torch.bool)
    region[..., 16:48, 16:48] = True
    flat = torch.full((1, 3, 64, 64), 0.3)
    rising = torch.linspace(-1.0, 1.0, 64).expand(1, 3, 64, 64)
    for given, tolerance in ((flat, 1e-6), (rising, 0.04)):
        # Inside nothing is known: whatever stands there does not count.
        solved = span_membrane(torch.where(region, torch.tensor(9.0), given), region)
        assert torch.allclose(
            solved[region.expand_as(solved)], given[region.expand_as(given)], atol=tolerance
        )


def test_a_membrane_is_what_a_dense_solution_says() -> None:
    """Laplace's equation on 32 x 32 cells, solved at once."""
    generator = torch.Generator().manual_seed(0)
    given = torch.rand(1, 3, 32, 32, generator=generator)
    region = torch.zeros(1, 1, 32, 32, dtype=torch.bool)
    region[..., 8:20, 10:32] = True  # reaches the frame's edge
    unknown = {tuple(at): n for n, at in enumerate(region[0, 0].nonzero().tolist())}
    matrix, right = np.zeros((len(unknown),) * 2), np.zeros((len(unknown), 3))
    for (y, x), row in unknown.items():
        for place in ((y - 1, x), (y + 1, x), (y, x - 1), (y, min(x + 1, 31))):
            matrix[row, row] += 1.0
            if place in unknown:
                matrix[row, unknown[place]] -= 1.0
            else:
                right[row] += given[0, :, place[0], place[1]].numpy()
    wanted = np.linalg.solve(matrix, right)
    got = span_membrane(given, region)[0].permute(1, 2, 0)[region[0, 0]].numpy()
    assert np.abs(got - wanted).max() < 0.03
    assert np.abs(wanted - right.mean()).max() > 0.1  # it is no constant


def test_a_blend_differs_inside_the_subject_and_not_where_all_is_alike() -> None:
    made = scenes(4)
    frames = made.frames.permute(0, 1, 4, 2, 3).float() / 255.0
    region = made.region.unsqueeze(2)
    blendings = [Blending.draw(np.random.default_rng(n)) for n in range(4)]
    changes = blend_changes(frames, region, blendings)
    inside = changes[region.expand_as(changes)].view(4, -1)
    assert (inside.std(dim=1) > 0.01).all()
    assert changes.abs().max() <= 1.0
    core = changes[..., 18:30, 17:31]  # away from the border's own texture
    assert (core[..., 1:] - core[..., :-1]).abs().max() < 0.08
    assert not blend_changes(torch.full_like(frames, 0.4), region, blendings).any()


def test_recipes_that_stand_draw_the_composites_that_they_drew() -> None:
    """The batch of before there were other layers than gradients of light, written out."""
    made = scenes()
    looks = LookSampler.from_luts(luts(), LookMixture(lighting=0.5), pool_size=16)
    rng = np.random.default_rng(7)
    frames, region = made.frames.permute(0, 1, 4, 2, 3).float() / 255.0, made.region.unsqueeze(2)
    composite, target = compose(frames, region, *looks.draw_pairs(rng, 6))
    for row in range(6):
        if rng.random() < 0.5:
            gain = lighting_gains([Lighting.draw(rng)], 48, 48)
            lighter = (composite[row] * gain).clamp(0.0, 1.0)
            composite[row] = torch.where(region[row], lighter, composite[row])
    batch = make_batch(made, looks, np.random.default_rng(7))
    assert torch.equal(batch.composite, composite)
    assert torch.equal(batch.target, target)


@pytest.mark.parametrize("kind", ["lighting", "poisson", "haze", "noise", "blur", "compression"])
def test_a_layer_is_laid_over_the_region_alone_and_over_its_share(kind: str) -> None:
    made, looks = scenes(20), sampler(**{kind: 0.5})
    batch = make_batch(made, looks, np.random.default_rng(1))
    differs = batch.composite != batch.target
    assert not differs[~batch.region.expand_as(differs)].any()
    touched = int(differs.flatten(1).any(1).sum())
    assert 5 <= touched <= 15
    again = make_batch(made, looks, np.random.default_rng(1))
    assert torch.equal(again.composite, batch.composite)
    none = make_batch(made, sampler(), np.random.default_rng(1))
    assert torch.equal(none.composite, none.target)
    assert torch.equal(none.target, batch.target)


def test_rows_of_a_batch_are_the_same_in_parts() -> None:
    every = dict.fromkeys(("lighting", "poisson", "haze", "noise", "blur", "compression"), 0.5)
    made, looks = scenes(8), sampler(**every)
    whole = make_batch(made, looks, np.random.default_rng(4))
    assert (whole.composite != whole.target).any()
    for rows in (range(3), range(3, 8)):
        part = make_batch(
            made.rows(slice(rows.start, rows.stop)), looks, np.random.default_rng(4), rows, 8
        )
        assert torch.allclose(part.composite, whole.composite[rows.start : rows.stop], atol=1e-6)


def test_layers_leave_what_they_are_named_for() -> None:
    colors = torch.rand(48, 64, 3, generator=torch.Generator().manual_seed(0))
    softer = Blur(deviation=9.0)(colors)
    assert (softer[1:] - softer[:-1]).abs().mean() < 0.5 * (colors[1:] - colors[:-1]).abs().mean()
    smooth = torch.linspace(0, 1, 64).view(1, 64, 1).expand(48, 64, 3)
    for quality, least, most in ((90, 0.0, 0.01), (20, 0.001, 0.05)):
        error = (Compression(quality=quality)(smooth) - smooth).abs().mean()
        assert least < error < most
    red = torch.zeros(16, 16, 3)
    red[..., 0] = 1.0
    assert torch.allclose(Compression(quality=90)(red), red, atol=0.03)  # red stays red


@pytest.mark.parametrize("name", ["lighting", "haze"])
def test_drawn_pixels_are_under_what_lies_over_their_places(name: str) -> None:
    one = ADDED[name](np.random.default_rng(2))
    assert isinstance(one, Placed)
    colors = torch.rand(9, 17, 3, generator=torch.Generator().manual_seed(1))
    y, x = torch.meshgrid(torch.linspace(-1, 1, 9), torch.linspace(-1, 1, 17), indexing="ij")
    places = torch.stack([x, y], dim=-1).view(-1, 2)
    assert torch.allclose(one.at(colors.view(-1, 3), places), one(colors, 0).view(-1, 3), atol=1e-5)


def test_what_needs_neighbors_cannot_be_laid_over_drawn_pixels() -> None:
    rng = np.random.default_rng(0)
    placed = {name for name, draw in ADDED.items() if isinstance(draw(rng), Placed)}
    assert placed == {"lighting", "haze", "noise"}
    assert Noise.averages_out
    assert not Haze.averages_out


def test_a_kind_without_a_share_draws_nothing() -> None:
    first, second = np.random.default_rng(5), np.random.default_rng(5)
    lit = draw_layers(first, {"lighting": 0.5}, 8)
    both = draw_layers(second, {"lighting": 0.5, "haze": 0.0, "noise": 0.5}, 8)
    assert [[one for one in row if isinstance(one, Lighting)] for row in both] == lit
    assert first.random() != second.random()


@pytest.mark.parametrize("name", ["poisson", "haze", "noise", "blur", "compression"])
@pytest.mark.parametrize("share", [-0.1, 2.0, math.nan])
def test_shares_of_layers_are_shares(name: str, share: float) -> None:
    with pytest.raises(InputError, match=rf"looks.{name}: .* is no share; expected 0 to 1"):
        LookMixture(**{name: share})  # type: ignore[arg-type]
    assert getattr(LookMixture(), name) == 0.0
