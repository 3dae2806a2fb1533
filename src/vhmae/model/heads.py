"""Two heads behind one interface: the paper's pixels, and colour transforms that keep every detail.

Letters: B batch, T frames, N patches in a row, L tokens, D decoder embedding, P patch side.
"""

from __future__ import annotations

import dataclasses
import math

import torch
from torch import Tensor, nn
from torch.nn import functional

from vhmae.color.transform import AFFINE, QUADRATIC, apply_grid, apply_transform
from vhmae.model.masking import unpatchify

_SOFTPLUS_OF_ONE = math.log(math.e - 1.0)


@dataclasses.dataclass(frozen=True)
class Transform:
    """What the photometric head says: add both residuals to the composite's colours."""

    overall: Tensor
    """(B, 3, QUADRATIC): one map for the whole foreground of the window."""
    local: Tensor
    """(B, T, N, N, 3, AFFINE): residual maps per patch, upsampled smoothly to pixels."""

    def apply(self, frames: Tensor) -> Tensor:
        """Apply to frames (B, T, 3, H, W) of any size; not clipped."""
        colors = frames.permute(0, 1, 3, 4, 2)
        overall = (
            apply_transform(colors.flatten(1, 3), self.overall)
            .reshape(colors.shape)
            .permute(0, 1, 4, 2, 3)
        )
        return apply_grid(frames, self.local) - frames + overall


@dataclasses.dataclass(frozen=True)
class Drawing:
    """What the pixel head says: frames drawn anew, moved by the look path's transform."""

    patches: Tensor
    """(B, L, 3 P P)."""
    patch_size: int
    overall: Tensor
    """(B, 3, QUADRATIC): added to what is drawn, as a change of the composite's colours."""

    def apply(self, frames: Tensor) -> Tensor:
        """Draw the frames (B, T, 3, H, W) that the network saw; not clipped."""
        shape = (frames.shape[0], frames.shape[1], 3, frames.shape[3], frames.shape[4])
        drawn = unpatchify(self.patches, shape, self.patch_size)
        colors = frames.permute(0, 1, 3, 4, 2)
        change = apply_transform(colors.flatten(1, 3), self.overall).reshape(colors.shape) - colors
        return drawn + change.permute(0, 1, 4, 2, 3)


class PixelHead(nn.Module):
    """The paper's head: reconstructs the pixels of each patch."""

    def __init__(self, dim: int, patch_size: int) -> None:
        super().__init__()
        self.patch_size = patch_size
        self.project = nn.Linear(dim, 3 * patch_size**2)
        nn.init.xavier_uniform_(self.project.weight)
        nn.init.zeros_(self.project.bias)

    def forward(
        self, tokens: Tensor, scene: Tensor, grid: tuple[int, int, int], overall: Tensor
    ) -> Drawing:
        """Draw pixels; takes what :class:`PhotometricHead` does."""
        return Drawing(self.project(tokens).float(), self.patch_size, overall)


class PhotometricHead(nn.Module):
    """Colour transforms: one for the whole foreground plus a residual per patch, the identity to
    start from."""

    def __init__(self, dim: int, residual: bool = True, trust: bool = False) -> None:
        super().__init__()
        self.overall = nn.Linear(dim, 3 * QUADRATIC)
        self.local = nn.Linear(dim, 3 * AFFINE) if residual else None
        self.trust = nn.Linear(dim, 1) if trust else None
        for layer in (self.overall, self.local, self.trust):
            if layer is not None:
                nn.init.zeros_(layer.weight)
                nn.init.zeros_(layer.bias)

    def forward(
        self, tokens: Tensor, scene: Tensor, grid: tuple[int, int, int], overall: Tensor
    ) -> Transform:
        """Predict transforms.

        Args:
            tokens: decoded (B, L, D).
            scene: the decoder's scene token (B, D).
            grid: frames, rows and columns of patches.
            overall: the look path's transform (B, 3, QUADRATIC).
        """
        if self.trust is not None:  # 1 to start from, never below 0
            overall = overall * functional.softplus(
                self.trust(scene).float() + _SOFTPLUS_OF_ONE
            ).unsqueeze(-1)
        local = (
            tokens.new_zeros(*tokens.shape[:2], 3 * AFFINE)
            if self.local is None
            else self.local(tokens)
        )
        return Transform(
            overall=overall + self.overall(scene).float().reshape(-1, 3, QUADRATIC),
            local=local.float().reshape(-1, *grid, 3, AFFINE),
        )


def blend(prediction: Tensor, composite: Tensor, mask: Tensor) -> Tensor:
    """Prediction inside the mask, composite outside.

    That the visible pixels of masked patches are restored is our choice of the output; Eq. 1 counts
    patches as they were drawn.
    """
    return torch.where(mask, prediction, composite)
