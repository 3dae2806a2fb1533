"""Patches and masking strategies (Sec. 3.3, Fig. 2).

Letters: B batch, T frames, N patches in a row or column, L = T * N * N tokens, P patch side, D = 3
    * P * P.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Generator, Tensor
from torch.nn import functional

from vhmae.errors import ShapeError
from vhmae.model.config import MaskingStrategy


def patchify(frames: Tensor, patch_size: int) -> Tensor:
    """Cut frames into non-overlapping patches: (B, T, C, H, W) -> (B, L, C * P * P), rows first."""
    batch, count, channels, height, width = frames.shape
    if height % patch_size or width % patch_size:
        raise ShapeError(
            f"frames of {height}x{width} do not divide into patches of {patch_size}; resize them "
            "first"
        )
    rows, columns = height // patch_size, width // patch_size
    split = frames.reshape(batch, count, channels, rows, patch_size, columns, patch_size)
    return split.permute(0, 1, 3, 5, 2, 4, 6).reshape(
        batch, count * rows * columns, channels * patch_size**2
    )


def unpatchify(patches: Tensor, shape: tuple[int, int, int, int, int], patch_size: int) -> Tensor:
    """Put patches together again: (B, L, C * P * P) -> frames of ``shape`` (B, T, C, H, W)."""
    batch, count, channels, height, width = shape
    rows, columns = height // patch_size, width // patch_size
    split = patches.reshape(batch, count, rows, columns, channels, patch_size, patch_size)
    return split.permute(0, 1, 4, 2, 5, 3, 6).reshape(shape)


def foreground_masking(mask: Tensor, patch_size: int) -> Tensor:
    """Mask every patch that a foreground pixel touches (Foreground Masking, Sec. 3.3).

    Args:
        mask: (B, T, 1, H, W) bool, True = foreground.
    Returns:
        (B, L) bool, True = masked token.
    """
    if mask.ndim != 5 or mask.shape[2] != 1:
        raise ShapeError(f"expected a mask (B, T, 1, H, W), got {tuple(mask.shape)}")
    touched = functional.max_pool2d(mask.flatten(0, 1).float(), patch_size)
    return touched.reshape(mask.shape[0], -1) > 0.5


def tokens_to_pixels(tokens: Tensor, frames: Tensor, patch_size: int) -> Tensor:
    """The pixels of chosen patches: (B, L) bool -> (B, T, 1, H, W) bool, for frames (B, T, 3, H,
    W)."""
    batch, count, _, height, width = frames.shape
    grid = tokens.reshape(batch, count, 1, height // patch_size, width // patch_size)
    return grid.repeat_interleave(patch_size, dim=-2).repeat_interleave(patch_size, dim=-1)


class TokenGrid(NamedTuple):
    """How many tokens there are, along each axis."""

    batch: int
    frames: int
    rows: int
    columns: int

    @property
    def length(self) -> int:
        """L, the tokens of one clip."""
        return self.frames * self.rows * self.columns


def random_masking(tokens: TokenGrid, ratio: float, generator: Generator | None = None) -> Tensor:
    """Mask a share of all tokens at random (MAE): (B, L) bool."""
    drawn = torch.rand(tokens.batch, tokens.length, generator=generator)
    return drawn.argsort(dim=1).argsort(dim=1) < round(ratio * tokens.length)


def tube_masking(tokens: TokenGrid, ratio: float, generator: Generator | None = None) -> Tensor:
    """Mask the same random places in every frame (VideoMAE): (B, L) bool."""
    return random_masking(tokens._replace(frames=1), ratio, generator).repeat(1, tokens.frames)


def block_masking(tokens: TokenGrid, ratio: float, generator: Generator | None = None) -> Tensor:
    """Mask one rectangle of about the given share, the same in every frame: (B, L) bool."""
    batch, frames, rows, columns = tokens
    masked = torch.zeros(batch, rows, columns, dtype=torch.bool)
    for index in range(batch):
        draws = torch.rand(3, generator=generator).tolist()
        stretch = 2.0 ** (2.0 * draws[0] - 1.0)
        height = min(rows, max(1, round((ratio * rows * columns * stretch) ** 0.5)))
        width = min(columns, max(1, round(ratio * rows * columns / height)))
        top = int(draws[1] * (rows - height + 1))
        left = int(draws[2] * (columns - width + 1))
        masked[index, top : top + height, left : left + width] = True
    return masked.flatten(1).repeat(1, frames)


DRAWN = {"random": random_masking, "tube": tube_masking, "block": block_masking}
"""The maskings that draw, whatever the frames hold."""


def mask_tokens(
    strategy: MaskingStrategy,
    mask: Tensor,
    patch_size: int,
    ratio: float = 0.75,
    generator: Generator | None = None,
) -> Tensor:
    """Choose the masked tokens by one of the strategies of Fig. 2; with ``none`` the encoder sees
    everything.

    Args:
        mask: (B, T, 1, H, W) bool; only its shape matters to the strategies other than foreground
            masking.
        ratio: masked share, for the other strategies.
    Returns:
        (B, L) bool on the mask's device.
    """
    if strategy == "foreground":
        return foreground_masking(mask, patch_size)
    batch, frames, _, height, width = mask.shape
    tokens = TokenGrid(batch, frames, height // patch_size, width // patch_size)
    if strategy == "none":
        return torch.zeros(batch, tokens.length, dtype=torch.bool, device=mask.device)
    return DRAWN[strategy](tokens, ratio, generator).to(mask.device)
