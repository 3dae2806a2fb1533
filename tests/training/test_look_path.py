"""Training of the look path on drawn pixels: folds of scenes, and what it is shown again."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from tests.support.looks import luts
from tests.support.networks import TINY
from vhmae.color import statistics
from vhmae.color.basis import apply_transform
from vhmae.color.lut import apply_luts
from vhmae.data.looks import LookMixture, LookSampler
from vhmae.model.vhmae import VHMAE
from vhmae.training.objective import look_losses
from vhmae.training.recipe import LossConfig
from vhmae.training.sources import LookBank


def test_fitted_crosswise_no_member_learns_from_its_own_fold() -> None:

    torch.manual_seed(0)
    network = VHMAE(TINY)
    path = network.look_path
    assert path is not None
    count = sum(statistics.PIXELS)
    pixels, region = (
        torch.randint(0, 256, (4, count, 3), dtype=torch.uint8),
        torch.ones(4, count, dtype=torch.bool),
    )
    bank = LookBank(
        pixels, region, torch.rand(4, len(statistics.SETS)), torch.tensor([0, 2, 4, 6])
    )  # all of the first of two folds
    looks = LookSampler.from_luts(luts(3), LookMixture(), pool_size=8, seed=0)
    values = look_losses(
        path, bank, looks, torch.arange(4), np.random.default_rng(0), LossConfig(), cross_fit=True
    )
    values["loss"].backward()
    gradient = path.answer.weight.grad
    assert gradient is not None
    assert not gradient[0].any()
    assert gradient[1].any()
    assert torch.allclose(
        values["unseen_ratio"], values["ratio"]
    )  # all members start as the identity


def test_shown_again_the_look_path_learns_from_what_it_made_of_the_foreground() -> None:
    torch.manual_seed(0)
    network = VHMAE(TINY)
    path = network.look_path
    assert path is not None
    path.eval()  # no dropout: the first time is the same in both
    count = sum(statistics.PIXELS)
    pixels, region = (
        torch.randint(0, 256, (4, count, 3), dtype=torch.uint8),
        torch.ones(4, count, dtype=torch.bool),
    )
    bank = LookBank(pixels, region, torch.rand(4, len(statistics.SETS)), torch.arange(4))
    looks = LookSampler.from_luts(luts(3), LookMixture(), pool_size=8, seed=0)

    def ratio(shown: int) -> float:
        values = look_losses(
            path, bank, looks, torch.arange(4), np.random.default_rng(0), LossConfig(), shown=shown
        )
        return float(values["ratio"].detach())

    assert ratio(2) == pytest.approx(1.0)  # it says nothing yet, the second time as the first
    torch.nn.init.normal_(path.answer.weight, std=0.1)
    rng = np.random.default_rng(0)
    background, foreground = looks.draw_pairs(rng, 4)
    composite, target = (
        apply_luts(pixels.float() / 255.0, look).clamp(0.0, 1.0)
        for look in (foreground, background)
    )
    sets = list(composite.split(statistics.PIXELS, dim=1))
    with torch.no_grad():
        first = path.read(sets, bank.shares).member_coefficients
        seen = [
            apply_transform(colors, first.mean(0)).clamp(0.0, 1.0)
            if name in statistics.FOREGROUND_SETS
            else colors
            for name, colors in zip(statistics.SETS, sets, strict=True)
        ]
        second = first.mean(0) + path.read(seen, bank.shares).member_coefficients
    truth = target[:, : statistics.PIXELS[0]]
    errors = [
        (apply_transform(sets[0].expand(len(said), -1, -1, -1), said) - truth).square().mean()
        for said in (first, second)
    ]
    untouched = (sets[0] - truth).square().mean()
    assert ratio(1) == pytest.approx(float(errors[0] / untouched), rel=1e-4)
    assert ratio(2) == pytest.approx(float((errors[0] + errors[1]) / 2.0 / untouched), rel=1e-4)
    assert errors[0] != errors[1]


def test_exposure_can_count_more() -> None:
    torch.manual_seed(0)
    path = VHMAE(TINY).look_path
    assert path is not None
    count, read = sum(statistics.PIXELS), statistics.PIXELS[0]
    pixels = torch.randint(0, 256, (4, count, 3), dtype=torch.uint8)
    region = torch.rand(4, count) < 0.7
    bank = LookBank(pixels, region, torch.rand(4, len(statistics.SETS)), torch.arange(4))
    looks = LookSampler.from_luts(luts(3), LookMixture(), pool_size=8, seed=0)

    def losses(weight: float) -> dict[str, torch.Tensor]:
        config = LossConfig(floor=0.03, luma_weight=weight)
        return look_losses(path, bank, looks, torch.arange(4), np.random.default_rng(0), config)

    background, foreground = looks.draw_pairs(np.random.default_rng(0), 4)
    composite, target = (
        apply_luts(pixels.float() / 255.0, look).clamp(0.0, 1.0)
        for look in (foreground, background)
    )
    expected = []  # a path that says nothing yet leaves the composite as it is
    for row in range(4):
        own = region[row, :read]
        deviation = (composite - target)[row, :read][own]
        luma = (deviation * torch.tensor([0.2126, 0.7152, 0.0722])).sum(-1).mean()
        expected.append(2.0 * luma**2 / (deviation.square().mean() + 0.03))
    plain, weighted = losses(0.0), losses(2.0)
    added = float(weighted["loss"].detach() - plain["loss"].detach())
    assert added == pytest.approx(float(torch.stack(expected).mean()), rel=1e-4)
    assert added > 1e-3
    assert float(weighted["ratio"].detach()) == pytest.approx(1.0)
