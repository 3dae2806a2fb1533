"""Color transforms: polynomial maps of RGB, one for all pixels or one per cell of a grid.

A transform is a tensor of coefficients whose last two axes are (3, K): output channel by basis
function. K = 10 is the quadratic basis (r, g, b, 1, r^2, g^2, b^2, rg, gb, br), K = 4 its affine
part. Coefficients are
*residuals*: all zeros is the identity. Letters: B batch, T frames, N cells per row of the grid, K
    basis size.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from torch.nn import functional

from vhmae.color.basis import AFFINE, QUADRATIC, color_basis
from vhmae.color.recording import recording, remembered
from vhmae.errors import ShapeError

LUMA_NODES = 3
"""Levels of luma, from black to white, at which affine maps along luma are stated."""


def luma_of(rgb: Tensor) -> Tensor:
    """Rec. 601's luma of colors: (..., 3) -> (...)."""
    return rgb @ _luma_weights(rgb.device, rgb.dtype)


@remembered
def _luma_weights(device: torch.device, dtype: torch.dtype) -> Tensor:
    # Made once: a GPU would wait for each copy.
    return torch.tensor([0.299, 0.587, 0.114], device=device, dtype=dtype)


def luma_basis(rgb: Tensor) -> Tensor:
    """Evaluate affine maps along luma: (..., 3) -> (..., LUMA_NODES * AFFINE), the affine terms
    weighed by how near each level is."""
    luma = luma_of(rgb).unsqueeze(-1)
    nodes = torch.linspace(0.0, 1.0, LUMA_NODES, device=rgb.device)
    weight = (1.0 - (luma - nodes).abs() * (LUMA_NODES - 1)).clamp_min(0.0)
    return (weight.unsqueeze(-1) * color_basis(rgb, AFFINE).unsqueeze(-2)).flatten(-2)


def nearest_transform(rgb: Tensor, basis: Tensor, ridge: float = 1e-5) -> Tensor:
    """The matrix that takes coefficients of another basis to those of the quadratic transform
    nearest to them on some colors.

    Args:
        rgb: (B, P, 3), the colors.
        basis: (B, P, K), the other basis at them.
        ridge: weight of the pull towards the identity, as for :func:`fit_transform`.
    Returns:
        (B, QUADRATIC, K).
    """
    device = rgb.device
    if device.type == "mps":  # which has no float64
        rgb, basis = rgb.cpu(), basis.cpu()
    own = color_basis(rgb).double()
    normal = own.transpose(1, 2) @ own + ridge * rgb.shape[1] * torch.eye(
        QUADRATIC, dtype=torch.float64, device=rgb.device
    )
    return torch.linalg.solve(normal, own.transpose(1, 2) @ basis.double()).to(device, rgb.dtype)


def upsample_grid(grid: Tensor, height: int, width: int) -> Tensor:
    """Interpolate a grid of coefficients smoothly to pixels.

    Bilinear between the cells' centers; beyond the outermost centers the value is held.

    Args:
        grid: (B, T, N_y, N_x, 3, K).
    Returns:
        (B, T, height, width, 3, K).
    """
    batch, frames, rows, columns, channels, size = grid.shape
    planes = grid.reshape(batch * frames, rows, columns, channels * size).permute(0, 3, 1, 2)
    planes = functional.interpolate(
        planes, size=(height, width), mode="bilinear", align_corners=False
    )
    return planes.permute(0, 2, 3, 1).reshape(batch, frames, height, width, channels, size)


def apply_grid(frames: Tensor, grid: Tensor) -> Tensor:
    """Apply a grid of residual maps to frames.

    Args:
        frames: (B, T, 3, H, W) in [0, 1].
        grid: (B, T, N_y, N_x, 3, K).
    Returns:
        (B, T, 3, H, W), not clipped.
    """
    if frames.ndim != 5 or frames.shape[2] != 3:
        raise ShapeError(f"expected frames (B, T, 3, H, W), got {tuple(frames.shape)}")
    if grid.shape[-1] == AFFINE and not frames.requires_grad and not recording():
        applied: Tensor = _AffineGrid.apply(frames, grid)
        return applied
    return apply_grid_plainly(frames, grid)


def apply_grid_plainly(frames: Tensor, grid: Tensor) -> Tensor:
    """As :func:`apply_grid`, for any basis and with gradients to the frames: the reference."""
    height, width = frames.shape[-2:]
    size = grid.shape[-1]
    basis = color_basis(frames.permute(0, 1, 3, 4, 2), size)  # (B, T, H, W, K)
    # Channel by channel, so that only a third of the upsampled coefficients exists at a time.
    outputs = []
    for channel in range(3):
        maps = upsample_grid(grid[..., channel : channel + 1, :], height, width)[..., 0, :]
        outputs.append(frames[:, :, channel] + (basis * maps).sum(-1))
    return torch.stack(outputs, dim=2)


class _AffineGrid(torch.autograd.Function):
    """Affine maps, upsampled by two matrix products a plane; the gradient runs the same way back
    and stores no plane."""

    @staticmethod
    def forward(ctx: Any, frames: Tensor, grid: Tensor) -> Tensor:
        down, across = (
            _lerp_matrix(cells, size, grid.dtype, grid.device)
            for cells, size in zip(grid.shape[2:4], frames.shape[-2:], strict=True)
        )
        ctx.save_for_backward(frames, down, across)
        with torch.autocast(device_type=frames.device.type, enabled=False):
            rows = grid.movedim((4, 5), (2, 3)) @ across.T  # (B, T, 3, K, N_y, W)
            moved = frames.to(grid.dtype, copy=True)
            for channel in range(3):
                moved[:, :, channel] += down @ rows[:, :, channel, 3]
                for term in range(3):
                    moved[:, :, channel].addcmul_(
                        down @ rows[:, :, channel, term], frames[:, :, term]
                    )
        return moved

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[None, Tensor]:
        (gradient,), (frames, down, across) = gradients, ctx.saved_tensors
        with torch.autocast(device_type=frames.device.type, enabled=False):
            terms = [
                down.T
                @ (
                    gradient[:, :, channel]
                    if term == 3
                    else gradient[:, :, channel] * frames[:, :, term]
                )
                for channel in range(3)
                for term in range(AFFINE)
            ]
            cells = torch.stack(terms, dim=2) @ across  # (B, T, 3 K, N_y, N_x)
        return None, cells.unflatten(2, (3, AFFINE)).movedim((2, 3), (4, 5))


@remembered
def _lerp_matrix(cells: int, size: int, dtype: torch.dtype, device: torch.device) -> Tensor:
    """The interpolation of :func:`upsample_grid` along one axis as a matrix (size, cells)."""
    eye = torch.eye(cells, dtype=dtype, device=device)
    return functional.interpolate(eye[None], size=size, mode="linear", align_corners=False)[0].T
