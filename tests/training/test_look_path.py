"""Training of the look path on drawn pixels: folds of scenes, and what it is shown again."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from tests.support.looks import luts
from tests.support.networks import TINY
from vhmae.color import statistics
from vhmae.color.basis import apply_transform
from vhmae.color.lut import apply_luts
from vhmae.data.looks import LookMixture, LookSampler
from vhmae.data.synthesis import Scene, SceneRecipe
from vhmae.model.vhmae import VHMAE
from vhmae.training.objective import look_losses
from vhmae.training.recipe import DataConfig, LookStage, LossConfig
from vhmae.training.sources import LookBank, bank_file


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


class Map:
    """Scenes whose pixels say where they lie: red is the column, green the row."""

    def draw(self, rng: np.random.Generator, frames: int, size: int) -> Scene:
        rows, columns = np.mgrid[0:size, 0:size].astype(np.uint8)
        frame = np.dstack([columns, rows, np.full_like(rows, 90)])
        region = np.zeros((size, size), bool)
        region[12:36, 8:40] = True
        regions = np.stack([region] * frames)
        return Scene(np.stack([frame] * frames), regions, regions, int(rng.integers(9)))


def test_a_bank_knows_where_its_pixels_lay_where_layers_are_asked_for() -> None:
    stage = LookStage(samples=50, image_size=48, layers=True)
    bank, plain = (
        LookBank.draw(Map(), one, 0, 0) for one in (stage, dataclasses.replace(stage, layers=False))
    )
    assert plain.layers is None
    assert torch.equal(bank.pixels, plain.pixels)  # the same pixels of the same scenes
    assert bank.layers is not None
    place = (bank.layers[..., :2].float() + 1.0) / 2.0 * 47.0
    drawn = bank.pixels[..., 2] > 0  # an empty set has none
    assert torch.allclose(place[drawn], bank.pixels[..., :2].float()[drawn], atol=0.05)
    blend = bank.layers[..., 2:].float()
    assert blend[bank.region].abs().max() > 0.05
    assert blend.abs().max() <= 1.0


def test_the_look_path_learns_under_local_light_where_its_stage_says_so(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    torch.manual_seed(0)
    path = VHMAE(TINY).look_path
    assert path is not None
    stage = LookStage(samples=50, image_size=48, layers=True)
    bank = LookBank.draw(Map(), stage, 0, 0)
    plain = LookBank(bank.pixels, bank.region, bank.shares, bank.source)
    seen: list[torch.Tensor] = []
    read = path.read

    def reads(sets: list[torch.Tensor], *more: Any) -> Any:
        seen.append(torch.cat(sets, dim=1))
        return read(sets, *more)

    monkeypatch.setattr(path, "read", reads)

    def composite(of: LookBank, **shares: float) -> torch.Tensor:
        mixture = LookMixture(**{"one_look": 0.0, "same_look": 1.0, "lighting": 0.0, **shares})  # type: ignore[arg-type]
        looks = LookSampler.from_luts(luts(3), mixture, pool_size=8, seed=0)
        seen.clear()
        look_losses(path, of, looks, torch.arange(50), np.random.default_rng(0), LossConfig())
        return seen[0]

    untouched = composite(plain)
    assert torch.equal(composite(plain, lighting=1.0), untouched)  # as recipes that stand draw it
    assert torch.equal(composite(bank), untouched)
    drawn = bank.pixels[:, : untouched.shape[1], 2] > 0
    region = bank.region[:, : untouched.shape[1]] & drawn
    for kind in ("lighting", "poisson", "haze", "noise"):
        made = composite(bank, **{kind: 1.0})
        assert torch.equal(made[~region], untouched[~region]), kind
        changed = (made - untouched).abs().amax(-1)[region]
        assert (changed > 0.0).float().mean() > 0.5, kind
        assert torch.equal(composite(bank, **{kind: 1.0}), made)
    for kind in ("blur", "compression"):  # of these drawn pixels know nothing
        assert torch.equal(composite(bank, **{kind: 1.0}), untouched)
    # One gradient over the whole subject: what is left is brighter than what is right.
    lit = composite(bank, lighting=1.0)
    gain = (lit / untouched.clamp_min(0.02))[0].mean(-1)
    inside = region[0] & (untouched[0].amin(-1) > 0.05) & (lit[0].amax(-1) < 0.99)
    assert float(gain[inside].std()) > 0.005


def test_a_bank_with_layers_is_another_one(tmp_path: Path) -> None:
    config = DataConfig(root=str(tmp_path))
    stages = (LookStage(), LookStage(layers=True))
    names = {bank_file(config, SceneRecipe(), stage, 0) for stage in stages}
    assert len(names) == 2
