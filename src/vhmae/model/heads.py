"""Two heads behind one interface: the paper's pixels, and colour transforms that keep every detail.

Letters: B batch, T frames, N patches in a row, L tokens, D decoder embedding, P patch side.
"""

from __future__ import annotations

import dataclasses

import torch
from torch import Tensor, nn

from vhmae.color.transform import AFFINE, QUADRATIC, apply_grid, apply_transform
from vhmae.model.masking import unpatchify


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
        overall = apply_transform(colors.flatten(1, 3), self.overall).reshape(colors.shape).permute(0, 1, 4, 2, 3)
        return apply_grid(frames, self.local) - frames + overall


@dataclasses.dataclass(frozen=True)
class Prediction:
    """A head's answer: frames, and the transform where the head has one."""

    frames: Tensor
    """(B, T, 3, H, W): the prediction at every pixel, not yet blended with the background."""
    transform: Transform | None


class PixelHead(nn.Module):
    """The paper's head: reconstructs the pixels of each patch."""

    def __init__(self, dim: int, patch_size: int) -> None:
        super().__init__()
        self.patch_size = patch_size
        self.project = nn.Linear(dim, 3 * patch_size**2)

    def forward(self, tokens: Tensor, scene: Tensor, composite: Tensor, overall: Tensor) -> Prediction:
        """Draw pixels; the look path's transform (B, 3, QUADRATIC) is added to what is drawn as a change of colour."""
        shape = (composite.shape[0], composite.shape[1], 3, composite.shape[3], composite.shape[4])
        drawn = unpatchify(self.project(tokens).float(), shape, self.patch_size)
        colors = composite.permute(0, 1, 3, 4, 2)
        change = apply_transform(colors.flatten(1, 3), overall).reshape(colors.shape) - colors
        return Prediction(drawn + change.permute(0, 1, 4, 2, 3), None)


class PhotometricHead(nn.Module):
    """Colour transforms: one for the whole foreground plus a residual per patch, the identity to start from."""

    def __init__(self, dim: int, patch_size: int) -> None:
        super().__init__()
        self.patch_size = patch_size
        self.overall = nn.Linear(dim, 3 * QUADRATIC)
        self.local = nn.Linear(dim, 3 * AFFINE)
        for layer in (self.overall, self.local):
            nn.init.zeros_(layer.weight)
            nn.init.zeros_(layer.bias)

    def forward(self, tokens: Tensor, scene: Tensor, composite: Tensor, overall: Tensor) -> Prediction:
        """Predict transforms.

        Args:
            tokens: decoded (B, L, D).
            scene: the decoder's scene token (B, D).
            composite: (B, T, 3, H, W).
            overall: the look path's transform (B, 3, QUADRATIC).
        """
        batch, frames, _, height, width = composite.shape
        grid = (batch, frames, height // self.patch_size, width // self.patch_size, 3, AFFINE)
        transform = Transform(
            overall=overall + self.overall(scene).float().reshape(batch, 3, QUADRATIC),
            local=self.local(tokens).float().reshape(grid),
        )
        return Prediction(transform.apply(composite), transform)


def blend(prediction: Tensor, composite: Tensor, mask: Tensor) -> Tensor:
    """Prediction inside the mask, composite outside (visible pixels of masked patches are restored, Sec. 3.3)."""
    return torch.where(mask, prediction, composite)
