"""Patches and masking (Sec. 3.3, Fig. 2)."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from vhmae.errors import InputError, ShapeError
from vhmae.model.config import ModelConfig
from vhmae.model.masking import (
    TokenGrid,
    block_masking,
    foreground_masking,
    mask_tokens,
    patchify,
    random_masking,
    tube_masking,
    unpatchify,
)


@settings(max_examples=20, deadline=None)
@given(
    frames=st.integers(1, 3),
    rows=st.integers(1, 4),
    columns=st.integers(1, 4),
    patch=st.sampled_from([2, 4, 8]),
)
def test_patches_go_back_together(frames: int, rows: int, columns: int, patch: int) -> None:
    video = torch.rand(2, frames, 3, rows * patch, columns * patch)
    patches = patchify(video, patch)
    assert patches.shape == (2, frames * rows * columns, 3 * patch * patch)
    assert torch.equal(unpatchify(patches, tuple(video.shape), patch), video)  # type: ignore[arg-type]


def test_a_patch_holds_channel_after_channel_each_row_by_row() -> None:
    frame = torch.arange(3 * 4 * 6).reshape(
        1, 1, 3, 4, 6
    )  # the value at channel c, row y and column x is 24 c + 6 y + x
    patches = patchify(frame, 2)
    assert patches[0, 0].tolist() == [0, 1, 6, 7, 24, 25, 30, 31, 48, 49, 54, 55]
    assert patches[0, 4].tolist() == [
        14,
        15,
        20,
        21,
        38,
        39,
        44,
        45,
        62,
        63,
        68,
        69,
    ]  # second row of patches, second of three


def test_every_patch_that_a_mask_pixel_touches_is_masked() -> None:
    torch.manual_seed(0)
    mask = torch.rand(2, 3, 1, 32, 48) < 0.01
    masked = foreground_masking(mask, 16).reshape(2, 3, 2, 3)
    for b in range(2):
        for t in range(3):
            for row in range(2):
                for column in range(3):
                    cell = mask[b, t, 0, row * 16 : row * 16 + 16, column * 16 : column * 16 + 16]
                    assert bool(masked[b, t, row, column]) == bool(cell.any())


def test_patches_and_masks_are_in_the_same_order() -> None:
    mask = torch.zeros(1, 2, 1, 32, 32, dtype=torch.bool)
    mask[0, 1, 0, 20, 5] = True
    touched = patchify(mask.float().expand(-1, -1, 3, -1, -1), 16).any(-1)
    assert torch.equal(touched, foreground_masking(mask, 16))


@pytest.mark.parametrize("ratio", [0.0, 0.25, 0.75, 1.0])
def test_random_masking_hides_the_share_asked_for(ratio: float) -> None:
    assert random_masking(TokenGrid(3, 2, 8, 8), ratio).float().mean(1).tolist() == pytest.approx(
        [ratio] * 3
    )


def test_a_tube_is_the_same_in_every_frame() -> None:
    masked = tube_masking(TokenGrid(2, 4, 8, 8), 0.5).reshape(2, 4, 64)
    assert torch.equal(masked, masked[:, :1].expand(-1, 4, -1))


def test_blocks_lie_anywhere_in_the_frame() -> None:
    hidden = [
        block_masking(TokenGrid(1, 1, 6, 6), 0.2, torch.Generator().manual_seed(seed)).view(6, 6)
        for seed in range(60)
    ]
    shown = torch.stack(hidden).float().mean(dim=0)
    assert shown[[0, 0, -1, -1], [0, -1, 0, -1]].min() > 0.0  # each corner


def test_a_block_is_one_rectangle() -> None:
    masked = block_masking(TokenGrid(1, 2, 12, 12), 0.3)[0, :144].reshape(12, 12)
    rows, columns = masked.any(1).nonzero().flatten(), masked.any(0).nonzero().flatten()
    assert masked.sum() == len(rows) * len(columns)
    assert 0.15 < masked.float().mean() < 0.5


def test_strategies_are_chosen_by_name() -> None:
    mask = torch.zeros(2, 3, 1, 64, 96, dtype=torch.bool)
    for strategy, choose in (
        ("random", random_masking),
        ("tube", tube_masking),
        ("block", block_masking),
    ):
        torch.manual_seed(0)
        expected = choose(TokenGrid(2, 3, 4, 6), 0.5)
        torch.manual_seed(0)
        assert torch.equal(mask_tokens(strategy, mask, 16, 0.5), expected)  # type: ignore[arg-type]
    mask[1, 2, 0, 63, 95] = True
    assert mask_tokens("foreground", mask, 16).nonzero().tolist() == [[1, 3 * 4 * 6 - 1]]
    assert mask_tokens("none", mask, 16).shape == (2, 3 * 4 * 6)
    assert not mask_tokens("none", mask, 16).any()


def test_a_share_of_nothing_may_be_masked_and_of_all_may_not() -> None:
    assert ModelConfig(masking_ratio=0.0).masking_ratio == 0.0
    for ratio in (-0.1, 1.0):
        with pytest.raises(InputError, match=f"masking_ratio={ratio}; expected 0 to less than 1"):
            ModelConfig(masking_ratio=ratio)


def test_a_size_that_does_not_divide_is_refused() -> None:
    with pytest.raises(ShapeError, match="30x32"):
        patchify(torch.rand(1, 1, 3, 30, 32), 16)
