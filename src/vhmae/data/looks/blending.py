"""Random Poisson blending: local light, as if the subject had stood somewhere else.

The object is blended by gradients into the colors of another place (Perez, Gangnet and Blake,
"Poisson Image Editing", SIGGRAPH 2003; as disturbance of training: R2R, arXiv 2508.09746): along
its border it takes the place's colors, inside it keeps its own gradients. What is added to it is
thus the membrane that is spanned over the border's differences: smooth, another one on each side.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

LEVELS = (4, 8, 16, 32)
"""Cells a side on which the membrane is relaxed, coarse to fine; it is smooth, so that no finer
ones are needed."""
SWEEPS = 100
"""Of relaxation on each level; the coarser one has brought what is far away."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class Blending:
    """Into which place of its own scene an object is blended, and how far."""

    across: float
    """The place, as a share of the frame's width, around its edge if need be."""
    down: float
    mirrored: bool
    amount: float
    """Share of the way to the whole blend."""

    @classmethod
    def draw(cls, rng: np.random.Generator) -> Blending:
        across, down, mirrored = rng.random(), rng.random(), rng.random() < 0.5
        return cls(
            across=float(across),
            down=float(down),
            mirrored=bool(mirrored),
            amount=float(rng.uniform(0.25, 1.0)),
        )

    def elsewhere(self, frames: Tensor) -> Tensor:
        """What lies where the object is blended into: frames (..., H, W), moved."""
        height, width = frames.shape[-2:]
        shifts = (round(self.down * height), round(self.across * width))
        moved = frames.roll(shifts, dims=(-2, -1))
        return moved.flip(-1) if self.mirrored else moved


def draw_blendings(rng: np.random.Generator, share: float, count: int) -> list[Blending | None]:
    """Draw the blendings of a batch; a share of 0 draws nothing, so that other draws stay."""
    if share == 0.0:
        return [None] * count
    return [Blending.draw(rng) if rng.random() < share else None for _ in range(count)]


def blend_changes(frames: Tensor, region: Tensor, blendings: Sequence[Blending]) -> Tensor:
    """What whole blends would add to the regions.

    Args:
        frames: (B, T, 3, H, W) in [0, 1], before any look.
        region: (B, T, 1, H, W) bool.
        blendings: one a scene.

    Returns:
        (B, T, 3, H, W) in [-1, 1]; outside the region the membrane goes on, and means nothing.
    """
    elsewhere = torch.stack(
        [one.elsewhere(own) for one, own in zip(blendings, frames, strict=True)]
    )
    flat = (elsewhere - frames).flatten(0, 1)
    return span_membrane(flat, region.flatten(0, 1)).view_as(frames)


def span_membrane(difference: Tensor, region: Tensor) -> Tensor:
    """Solve Laplace's equation inside regions, with a difference given outside as the border; where
    a region reaches the frame's edge, nothing flows through it.

    Args:
        difference: (N, 3, H, W).
        region: (N, 1, H, W) bool.

    Returns:
        (N, 3, H, W).
    """
    outside = (~region).to(difference.dtype)
    given = difference * outside
    solved = difference.new_zeros(len(difference), 3, 1, 1)
    for side in LEVELS:
        size = (min(side, difference.shape[-2]), min(side, difference.shape[-1]))
        cover = functional.adaptive_avg_pool2d(outside, size)
        border = functional.adaptive_avg_pool2d(given, size) / cover.clamp_min(1e-6)
        known = cover > 0.0
        solved = functional.interpolate(solved, size, mode="bilinear", align_corners=False)
        for _ in range(SWEEPS):
            solved = torch.where(known, border, solved)
            wide = functional.pad(solved, (1, 1, 1, 1), mode="replicate")
            above_and_below = wide[..., :-2, 1:-1] + wide[..., 2:, 1:-1]
            solved = 0.25 * (above_and_below + wide[..., 1:-1, :-2] + wide[..., 1:-1, 2:])
        solved = torch.where(known, border, solved)
    return functional.interpolate(
        solved, difference.shape[-2:], mode="bilinear", align_corners=False
    )
