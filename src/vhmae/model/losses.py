"""The losses of the paper, one function an equation (Eq. 1-6), and the one that our recipes add.

Each takes plain tensors. ``mean`` gives each equation a unit of its own, so that a = b = 1 weighs
them as the paper's figures do: Eq. 1 and 4 count patches, Eq. 2 tokens, Eq. 3 entries; ``literal``
keeps the paper's sums (docs/decisions.md, "reductions").
Letters: B batch, T frames, L tokens, C features, N patches in a row, P patch side.
"""

from __future__ import annotations

from typing import Literal

import torch
from torch import Tensor

from vhmae.errors import ShapeError

Reduction = Literal["mean", "literal"]
BalanceVariant = Literal["total", "border", "target"]


def reconstruction_loss(predicted: Tensor, target: Tensor, masked: Tensor, frames: int) -> Tensor:
    """Squared error over the masked patches (Eq. 1), as printed: a patch counts whole, as it was
    drawn.

    Args:
        predicted, target: patches (B, L, 3 * P * P).
        masked: (B, L) bool.
        frames: T.
    Returns:
        Scalar: the sum over masked patches of the squared norms of their errors, over T N^2 (= L),
            mean over the batch.
    """
    if predicted.shape != target.shape or masked.shape != predicted.shape[:2]:
        raise ShapeError(
            f"patches {tuple(predicted.shape)}, {tuple(target.shape)} and mask "
            f"{tuple(masked.shape)} do not match"
        )
    tokens_per_frame = predicted.shape[1] // frames
    norms = (predicted - target).square().sum(-1)  # (B, L)
    return ((norms * masked).sum(1) / (frames * tokens_per_frame)).mean()


def gram_matrix(features: Tensor, valid: Tensor, reduction: Reduction = "mean") -> Tensor:
    """Gram matrix of the valid tokens, summed over frames (Eq. 2).

    Args:
        features: (B, L, C).
        valid: (B, L) bool.
    Returns:
        (B, C, C); ``mean`` divides by the number of valid tokens.
    """
    kept = features.float() * valid.unsqueeze(-1)
    gram = kept.transpose(1, 2) @ kept
    if reduction == "literal":
        return gram
    return gram / valid.sum(1).clamp_min(1).view(-1, 1, 1)


def alignment_loss(
    foreground: Tensor,
    background: Tensor,
    masked: Tensor,
    frames: int,
    reduction: Reduction = "mean",
    visible: Tensor | None = None,
) -> Tensor:
    """Squared Frobenius distance of the two Gram matrices (Eq. 3); samples without either side
    count zero.

    Args:
        foreground: F_fore (B, L, C), valid where masked.
        background: F_back (B, L, C), valid where visible.
        masked: (B, L) bool.
        frames: T.
        visible: (B, L) bool; None is all that is not masked.
    Returns:
        Scalar. ``literal``: over T N_mask N_vis with counts per frame; ``mean``: mean over the C x
            C entries.
    """
    visible = ~masked if visible is None else visible
    both = masked.any(1) & visible.any(1)
    difference = gram_matrix(foreground, masked, reduction) - gram_matrix(
        background, visible, reduction
    )
    distance = difference.square().sum((1, 2))
    if reduction == "literal":
        hidden, seen = masked.sum(1) / frames, visible.sum(1) / frames
        distance = distance / (frames * (hidden * seen).clamp_min(1.0 / frames**2))
    else:
        distance = distance / difference.shape[-1] ** 2
    return (distance * both).mean()


def patch_balancing_loss(
    harmonized: Tensor,
    patch_size: int = 16,
    variant: BalanceVariant = "total",
    target: Tensor | None = None,
    reduction: Reduction = "mean",
) -> Tensor:
    """Penalise differences between neighboring pixels (Patch Balancing Loss, Eq. 4-5).

    Args:
        harmonized: (B, T, 3, H, W) in [0, 1], background pasted back.
        variant: ``total`` is the paper's, over all neighbors; ``border`` counts pairs across patch
            borders only; ``target`` takes the difference to the target's gradients, so that texture
            costs nothing.
        target: (B, T, 3, H, W), for ``target``.
    Returns:
        Scalar, mean over the batch: the squared differences summed, over T N^2 as in Eq. 1
        (``mean``: those of a patch, averaged over patches) or over T (``literal``).
    """
    if harmonized.ndim != 5:
        raise ShapeError(f"expected frames (B, T, 3, H, W), got {tuple(harmonized.shape)}")
    total = harmonized.new_zeros(())
    for axis in (-2, -1):
        step = harmonized.diff(dim=axis)
        if variant == "target":
            if target is None:
                raise ShapeError("the 'target' variant needs the target frames")
            step = step - target.diff(dim=axis)
        elif variant == "border":
            borders = torch.arange(patch_size - 1, step.shape[axis], patch_size, device=step.device)
            step = step.index_select(axis, borders)
        total = total + step.square().sum()
    batch, frames, _, height, width = harmonized.shape
    counted = batch * frames
    return total / (counted if reduction == "literal" else counted * height * width / patch_size**2)


def total_loss(
    reconstruction: Tensor,
    alignment: Tensor,
    balance: Tensor,
    alignment_weight: float = 1.0,
    balance_weight: float = 1.0,
) -> Tensor:
    """L = L_recon + a L_align + b L_balance (Eq. 6)."""
    return reconstruction + alignment_weight * alignment + balance_weight * balance


def relative_error(
    predicted: Tensor,
    composite: Tensor,
    target: Tensor,
    region: Tensor,
    floor: float = 0.01,
    harm_weight: float = 0.0,
) -> Tensor:
    """Each sample's error over its region, relative to the untouched composite's (ours, not the
    paper's).

    A pixel mean over a batch is ruled by large foregrounds and strong mismatches; this makes mild
    ones count too (docs/decisions.md, "look path").

    Args:
        predicted, composite, target: (B, T, 3, H, W) in [0, 1].
        region: (B, T, 1, H, W) bool.
        floor: added to the composite's error; the smaller, the more mild mismatches count.
        harm_weight: extra weight of what is worse than the untouched composite.
    Returns:
        Scalar, mean over samples.
    """
    weight = region / region.sum((1, 2, 3, 4), keepdim=True).clamp_min(1)
    error = ((predicted - target).square().mean(2, keepdim=True) * weight).sum((1, 2, 3, 4))
    untouched = ((composite - target).square().mean(2, keepdim=True) * weight).sum((1, 2, 3, 4))
    harm = (error - untouched).clamp_min(0.0)
    return ((error + harm_weight * harm) / (untouched + floor)).mean()
