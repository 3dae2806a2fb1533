"""Training of what finds likes, and the likes of the look path's bank."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np
import pytest
import torch
from torch.nn import functional

from tests.support.looks import luts
from tests.support.networks import LIKENESS, model_with_likes
from vhmae.color.lut import apply_luts
from vhmae.data.looks import LookMixture, LookSampler
from vhmae.data.synthesis import StackedScenes, compose
from vhmae.errors import InputError
from vhmae.model.likeness import LikenessEncoder, find_likes
from vhmae.training.likeness import draw_likes
from vhmae.training.objective import likeness_losses, likes_of
from vhmae.training.recipe import LikenessStage
from vhmae.training.sources import LookBank, tensors_digest


def looks() -> LookSampler:
    return LookSampler.from_luts(luts(3), LookMixture(), pool_size=8, seed=0)


def tiles(count: int, side: int = 32) -> torch.Tensor:
    """Scenes (count, 1, side, side, 3) uint8 of one color a cell."""
    generator = torch.Generator().manual_seed(4)
    cells = torch.randint(0, 256, (count, 1, side // 8, side // 8, 3), generator=generator)
    return cells.repeat_interleave(8, 2).repeat_interleave(8, 3).byte()


def test_the_banks_likes_are_the_composites_under_whatever_look() -> None:
    path = model_with_likes().look_path
    assert path is not None
    frames, sampler = tiles(3), looks()
    mask = torch.zeros(3, 1, 32, 32, dtype=torch.bool)
    mask[..., 8:24, 8:24] = True
    scenes = StackedScenes(frames, mask, mask, torch.arange(3))
    drawn = draw_likes(path, sampler, scenes, np.random.default_rng(7))
    natural = frames.permute(0, 1, 4, 2, 3).float() / 255.0
    pair = sampler.draw_pairs(np.random.default_rng(7), 3)
    composite, _ = compose(natural, mask.unsqueeze(2), *pair)
    with torch.no_grad():
        found = find_likes(
            path.likeness(composite.flatten(0, 1)), composite, mask.unsqueeze(2), LIKENESS
        )
    colors = drawn.pixels.float() / 255.0
    under = torch.where(
        drawn.region.unsqueeze(-1), apply_luts(colors, pair[1]), apply_luts(colors, pair[0])
    ).clamp(0.0, 1.0)
    bank = LookBank(drawn.pixels, drawn.region, torch.zeros(3, 4), torch.arange(3), drawn.likeness)
    likes = likes_of(bank, torch.arange(3), under)
    assert likes is not None
    assert torch.allclose(likes.foreground, found.foreground, atol=1e-3)
    assert torch.allclose(likes.background, found.background, atol=1e-3)
    assert torch.allclose(likes.likeness, found.likeness, atol=1e-3)
    assert drawn.region[:, : LIKENESS.cells].all()
    assert not drawn.region[:, LIKENESS.cells :].any()


def showings(seed: int) -> tuple[torch.Tensor, torch.Tensor]:
    """Soft textures as they are, and with their channels mixed and darkened."""
    generator = torch.Generator().manual_seed(seed)
    scene = functional.interpolate(
        torch.rand(4, 3, 12, 12, generator=generator), (64, 64), mode="bicubic"
    ).clamp(0.0, 1.0)
    mixing = torch.eye(3) + 0.8 * (torch.rand(4, 3, 3, generator=generator) - 0.5)
    return scene, torch.einsum("bij,bjhw->bihw", mixing, scene).clamp(0.0, 1.0) ** 2.2


def test_the_encoder_learns_to_find_a_place_again_under_another_look() -> None:
    torch.manual_seed(0)
    stage = LikenessStage(places=32, image_size=64)
    encoder = LikenessEncoder(dataclasses.replace(LIKENESS, dim=16))
    optimizer = torch.optim.AdamW(encoder.parameters(), 3e-3)
    generator = torch.Generator().manual_seed(0)

    def missed() -> float:
        with torch.no_grad():
            return 1.0 - float(likeness_losses(encoder, showings(999), stage, generator)["found"])

    before = missed()
    for step in range(50):
        optimizer.zero_grad()
        likeness_losses(encoder, showings(step), stage, generator)["loss"].backward()
        optimizer.step()
    assert missed() < 0.6 * before


def test_a_bank_keeps_its_likes_in_its_file(tmp_path: Path) -> None:
    bank = LookBank(
        torch.zeros(2, 5, 3, dtype=torch.uint8),
        torch.zeros(2, 5, dtype=torch.bool),
        torch.zeros(2, 4),
        torch.arange(2),
        torch.full((2, 1, 4), 0.5, dtype=torch.float16),
    )
    bank.save(tmp_path / "bank.npz")
    loaded = LookBank.load(tmp_path / "bank.npz")
    assert loaded.likeness is not None
    assert torch.equal(loaded.likeness, bank.likeness)  # type: ignore[arg-type]  # given above


def test_another_encoder_has_another_digest() -> None:
    first, second = (LikenessEncoder(LIKENESS) for _ in range(2))
    assert tensors_digest(first.state_dict()) != tensors_digest(second.state_dict())
    assert tensors_digest(first.state_dict()) == tensors_digest(first.state_dict())


@pytest.mark.parametrize("change", [{"image_size": 100}, {"places": 1}, {"places": 500}])
def test_a_stage_that_cannot_be_is_refused(change: dict[str, int]) -> None:
    with pytest.raises(InputError, match=r"train\.likeness"):
        LikenessStage(**change)
