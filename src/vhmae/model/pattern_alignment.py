"""Pattern Alignment Module: the content of masked patches, in the feature space of the background
(Sec. 3.3).

Letters: B batch, L tokens, D embedding, P patch side.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn


class PatternAlignment(nn.Module):
    """An MLP over raw patches; its output F_fore stands where MAE has one learned mask token.

    Eq. 2-3 (``losses.alignment_loss``) pull its Gram matrix to that of the encoder's background
    features.
    """

    def __init__(self, patch_dim: int, hidden_dim: int, embed_dim: int) -> None:
        super().__init__()
        self.mlp = nn.Sequential(
            nn.Linear(patch_dim, hidden_dim),
            nn.GELU(),
            nn.Linear(hidden_dim, hidden_dim),
            nn.GELU(),
            nn.Linear(hidden_dim, embed_dim),
            nn.LayerNorm(embed_dim),
        )

    def forward(self, patches: Tensor) -> Tensor:
        """(B, L, 3 * P * P) -> F_fore (B, L, D); only the rows of masked patches are used."""
        features: Tensor = self.mlp(patches)
        return features


class LearnedToken(nn.Module):
    """MAE's one learned token in the place of the content (Table 2, row A in its second
    reading)."""

    def __init__(self, embed_dim: int) -> None:
        super().__init__()
        self.token = nn.Parameter(torch.empty(1, 1, embed_dim).normal_(std=0.02))

    def forward(self, patches: Tensor) -> Tensor:
        """(B, L, 3 * P * P) -> (B, L, D), the same everywhere."""
        return self.token.expand(*patches.shape[:2], -1)
