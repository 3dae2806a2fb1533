"""Transformer blocks, dense or packed, and the fixed position code.

Where samples keep different numbers of tokens, the tokens that count are *packed*: one long row (S,
D) with the samples' lengths beside it, so that masked tokens cost nothing. Key-masked attention
over all tokens is the reference form.
Letters: B batch, L tokens, S packed tokens, D embedding, H heads.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional

from vhmae.color.recording import remembered
from vhmae.errors import ShapeError

REFERENCE_GRID = 16
"""Positions are stated on a grid of this many cells, whatever the frame's size: the paper's N."""
LONGEST_PADDED = 64
"""Packed samples of at most this many tokens share one product of attention (docs/decisions.md,
"packed tokens")."""


@remembered
def position_code(
    frames: int, rows: int, columns: int, dim: int, device: torch.device | None = None
) -> Tensor:
    """Fixed separable sin-cos code in time and space: (frames * rows * columns, dim).

    A quarter of the numbers codes time, the rest the two axes of space in equal parts. Places in
    space are relative to the frame, so that other sizes need no new weights. Made once for a shape
    and device: not to be written to.
    """
    if dim % 8:
        raise ShapeError(f"embed_dim={dim} is not a multiple of 8; the position code needs that")
    space = dim * 3 // 8 // 2 * 2
    across = (torch.arange(columns) + 0.5) * (REFERENCE_GRID / columns)
    down = (torch.arange(rows) + 0.5) * (REFERENCE_GRID / rows)
    x = _axis_code(across, space).view(1, 1, columns, -1).expand(frames, rows, -1, -1)
    y = _axis_code(down, space).view(1, rows, 1, -1).expand(frames, -1, columns, -1)
    t = (
        _axis_code(torch.arange(frames), dim - 2 * space)
        .view(frames, 1, 1, -1)
        .expand(-1, rows, columns, -1)
    )
    return torch.cat([x, y, t], dim=-1).reshape(frames * rows * columns, dim).to(device)


def _axis_code(places: Tensor, dim: int) -> Tensor:
    rates = 10000.0 ** -(torch.arange(dim // 2, dtype=torch.float64) / (dim // 2))
    angles = places.double().unsqueeze(1) * rates
    return torch.cat([angles.sin(), angles.cos()], dim=1).float()


def attend(query: Tensor, key: Tensor, value: Tensor, key_mask: Tensor | None) -> Tensor:
    """Scaled dot-product attention (B, H, L, D / H); ``key_mask`` (B, L) is True at the keys that
    count."""
    bias = None if key_mask is None else key_mask[:, None, None, :]
    if query.device.type == "cpu" and query.dtype == torch.bfloat16:
        # torch's fused kernel runs bf16 on a CPU at half the rate of plain products
        # (docs/decisions.md, "attention").
        scores = (query * query.shape[-1] ** -0.5) @ key.transpose(-1, -2)
        if bias is not None:
            scores = scores.masked_fill(~bias, -torch.inf)
        return scores.softmax(dim=-1) @ value
    return functional.scaled_dot_product_attention(query, key, value, attn_mask=bias)


def attend_packed(qkv: Tensor, heads: int, lengths: Sequence[int]) -> Tensor:
    """Attention within each sample of packed tokens: equal to :func:`attend` with the others
    masked.

    Args:
        qkv: (S, 3 D), queries, keys and values.
    Returns:
        (S, D).
    """
    longest = max(lengths)
    if longest > LONGEST_PADDED:
        return torch.cat(
            [_attend_rows(part[None], heads, None)[0] for part in qkv.split(list(lengths))]
        )
    # Short samples are padded to one length: many small products cost more than the padding.
    counts = torch.tensor(lengths, device=qkv.device)
    keep = torch.arange(longest, device=qkv.device) < counts.unsqueeze(1)  # (B, L)
    padded = qkv.new_zeros(*keep.shape, qkv.shape[-1]).masked_scatter(keep.unsqueeze(-1), qkv)
    mixed = _attend_rows(padded, heads, keep)
    return mixed.masked_select(keep.unsqueeze(-1)).view(len(qkv), -1)


def _attend_rows(qkv: Tensor, heads: int, key_mask: Tensor | None) -> Tensor:
    """Attention of (B, L, 3 D) -> (B, L, D)."""
    query, key, value = (
        qkv.unflatten(-1, (3, heads, -1)).permute(2, 0, 3, 1, 4).unbind(0)
    )  # (B, H, L, D / H)
    return attend(query, key, value, key_mask).transpose(1, 2).flatten(2)


class DropPath(nn.Module):
    """Leave a residual branch out for whole samples, at random, in training."""

    def __init__(self, rate: float) -> None:
        super().__init__()
        self.rate = rate

    def forward(self, branch: Tensor, lengths: Sequence[int] | None = None) -> Tensor:
        """(B, L, D), or packed (S, D) with the samples' lengths."""
        if not self.training or self.rate == 0.0:
            return branch
        keep = 1.0 - self.rate
        samples = len(branch) if lengths is None else len(lengths)
        kept = torch.rand(samples, *(1,) * (branch.ndim - 1), device=branch.device) < keep
        if lengths is not None:
            kept = kept.repeat_interleave(torch.tensor(lengths, device=branch.device), dim=0)
        return branch * kept / keep


class Block(nn.Module):
    """Pre-norm attention and MLP."""

    def __init__(self, dim: int, heads: int, drop_path: float = 0.0, mlp_ratio: int = 4) -> None:
        super().__init__()
        self.heads = heads
        self.norm1 = nn.LayerNorm(dim)
        self.qkv = nn.Linear(dim, 3 * dim)
        self.project = nn.Linear(dim, dim)
        self.norm2 = nn.LayerNorm(dim)
        self.mlp = nn.Sequential(
            nn.Linear(dim, mlp_ratio * dim), nn.GELU(), nn.Linear(mlp_ratio * dim, dim)
        )
        self.drop_path = DropPath(drop_path)

    def forward(
        self, tokens: Tensor, key_mask: Tensor | None = None, lengths: Sequence[int] | None = None
    ) -> Tensor:
        """(B, L, D) -> (B, L, D), tokens outside ``key_mask`` (B, L) are seen by none; or packed
        (S, D) with ``lengths``."""
        qkv = self.qkv(self.norm1(tokens))
        mixed = (
            _attend_rows(qkv, self.heads, key_mask)
            if lengths is None
            else attend_packed(qkv, self.heads, lengths)
        )
        tokens = tokens + self.drop_path(self.project(mixed), lengths)
        return tokens + self.drop_path(self.mlp(self.norm2(tokens)), lengths)


class Transformer(nn.Module):
    """A stack of blocks with a final norm; drop path grows linearly with depth."""

    def __init__(self, dim: int, depth: int, heads: int, drop_path: float = 0.0) -> None:
        super().__init__()
        rates = [drop_path * index / max(1, depth - 1) for index in range(depth)]
        self.blocks = nn.ModuleList(Block(dim, heads, rate) for rate in rates)
        self.norm = nn.LayerNorm(dim)

    def encode_packed(self, tokens: Tensor, visible: Tensor, lead: Tensor) -> Tensor:
        """Encode visible tokens alone, each sample behind a token that is always seen.

        Args:
            tokens: (S, D), the visible tokens of all samples in a row.
            visible: (B, L) bool, S of them True.
            lead: (1, D): a frame without background has this one to attend to.
        Returns:
            (B, 1 + L, D), zero where a token is not visible.
        """
        keys = torch.cat([torch.ones_like(visible[:, :1]), visible], dim=1)
        lengths = keys.sum(dim=1).tolist()
        rows = tokens.split([length - 1 for length in lengths])
        led = torch.cat([part for row in rows for part in (lead.to(tokens.dtype), row)])
        encoded = self(led, None, lengths)
        # Scatter without an index_put whose gradient sorts: the rows stand in the order of their
        # places already.
        return encoded.new_zeros(*keys.shape, encoded.shape[-1]).masked_scatter(
            keys.unsqueeze(-1), encoded
        )

    def encode_masked(self, tokens: Tensor, visible: Tensor, lead: Tensor) -> Tensor:
        """As :meth:`encode_packed`, over all tokens (B, L, D) with the others masked as keys: the
        reference form."""
        keys = torch.cat([torch.ones_like(visible[:, :1]), visible], dim=1)
        led = torch.cat([lead.expand(tokens.shape[0], 1, -1).to(tokens.dtype), tokens], dim=1)
        encoded: Tensor = self(led, keys)
        return encoded * keys.unsqueeze(-1)

    def forward(
        self, tokens: Tensor, key_mask: Tensor | None = None, lengths: Sequence[int] | None = None
    ) -> Tensor:
        """Dense or packed tokens, as :class:`Block` takes them."""
        for block in self.blocks:
            tokens = block(tokens, key_mask, lengths)
        normed: Tensor = self.norm(tokens)
        return normed
