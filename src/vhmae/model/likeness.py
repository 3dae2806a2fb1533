"""Likeness: what of the foreground has its like in the background, whatever look either was seen
under.

Statistics tell that two sides differ, not whether they should: a red car before a green wall, or
grey cast red. Where the same stuff stands on both sides, the difference of its colors *is* the
difference of the looks. A small convolutional encoder, trained to give a place one feature under
every look (contrastive, InfoNCE), finds for places of the foreground the most alike places of the
background; the look path reads their colors in pairs, and weighs them by attention
(docs/decisions.md, "Likes").

Letters: B batch, T frames, C cells of a window, K read foreground cells, N likes of each, D
feature, M members.
"""

from __future__ import annotations

import dataclasses

import torch
from torch import Tensor, nn
from torch.nn import functional

from vhmae.color.statistics import draw_pixels
from vhmae.model.config import LikenessConfig

CELL = 8
"""Side of a cell in pixels: the encoder's stride."""
COVERED = 0.5
"""A cell of the foreground is covered by the mask at least so far, where any is."""
CLEAR = 0.9
"""A cell of the background is free of the mask at least so far, where any is."""
NO_LIKE = -1.0
"""Likeness where a window has no background left."""
_LOG_OFFSET = 0.03
_NEARBY = 5
"""Side in cells of the surroundings whose mean color is taken off."""


@dataclasses.dataclass(frozen=True)
class Likes:
    """Places of the foreground with their likes in the background."""

    foreground: Tensor
    """(B, K, 3): mean colors of the foreground cells in [0, 1]; zero where there is none."""
    background: Tensor
    """(B, K, N, 3): mean colors of the background cells most alike."""
    likeness: Tensor
    """(B, K, N): cosine of the features, most alike first; ``NO_LIKE`` where there is none."""


class LikenessEncoder(nn.Module):
    """Features of cells that say what a place is, not how it was graded."""

    def __init__(self, config: LikenessConfig) -> None:
        super().__init__()
        width = config.width
        self.stem = nn.Sequential(
            nn.Conv2d(6, width // 4, 5, stride=2, padding=2),
            nn.GELU(),
            nn.Conv2d(width // 4, width // 2, 3, stride=2, padding=1),
            nn.GELU(),
            nn.Conv2d(width // 2, width, 3, stride=2, padding=1),
        )
        self.blocks = nn.ModuleList(_Block(width) for _ in range(config.blocks))
        self.norm = _ChannelNorm(width)
        self.feature = nn.Conv2d(width, config.dim, 1)

    def forward(self, frames: Tensor) -> Tensor:
        """Frames (F, 3, H, W) in [0, 1], sides multiples of ``CELL`` -> unit features (F, D, H /
        CELL, W / CELL)."""
        log = (frames + _LOG_OFFSET).log()
        # What a look adds in the logarithm is about the same nearby, and goes with the local mean.
        coarse = functional.avg_pool2d(log, CELL)
        coarse = functional.avg_pool2d(
            coarse, _NEARBY, stride=1, padding=_NEARBY // 2, count_include_pad=False
        )
        nearby = functional.interpolate(coarse, log.shape[-2:], mode="bilinear")
        values = self.stem(torch.cat([frames * 2.0 - 1.0, log - nearby], dim=1))
        for block in self.blocks:
            values = block(values)
        return functional.normalize(self.feature(self.norm(values)).float(), dim=1)


class _ChannelNorm(nn.LayerNorm):
    """Layer norm over the channels of each place (F, C, H, W): no place learns of another's
    look."""

    def forward(self, values: Tensor) -> Tensor:
        return super().forward(values.permute(0, 2, 3, 1)).permute(0, 3, 1, 2)


class _Block(nn.Module):
    """Depthwise 5 x 5, then two pointwise layers, added to what came in."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.spread = nn.Conv2d(width, width, 5, padding=2, groups=width)
        self.norm = _ChannelNorm(width)
        self.widen = nn.Conv2d(width, 2 * width, 1)
        self.narrow = nn.Conv2d(2 * width, width, 1)

    def forward(self, values: Tensor) -> Tensor:
        inner = functional.gelu(self.widen(self.norm(self.spread(values))))
        summed: Tensor = values + self.narrow(inner)
        return summed


def cells_of(values: Tensor, cover: Tensor) -> tuple[Tensor, Tensor]:
    """Mean colors of the covered part of cells, and how far each is covered.

    Args:
        values: (B, T, 3, H, W).
        cover: (B, T, 1, H, W) float in [0, 1].
    Returns:
        (B, C, 3) and (B, C), C = T * H / CELL * W / CELL.
    """
    batch = values.shape[0]
    share = functional.avg_pool2d(cover.flatten(0, 1), CELL)
    summed = functional.avg_pool2d((values * cover).flatten(0, 1), CELL)
    colors = summed / share.clamp_min(1e-6)
    colors = colors.unflatten(0, (batch, -1)).permute(0, 1, 3, 4, 2).flatten(1, 3)
    return colors, share.unflatten(0, (batch, -1)).flatten(1)


def _members(share: Tensor, wanted: float) -> Tensor:
    """Cells (B, C) that are covered as far as wanted, or as far as the best is."""
    best = share.amax(dim=1, keepdim=True)
    return (share >= (best * 0.999).clamp_max(wanted)) & (share > 0.0)


def find_likes(features: Tensor, frames: Tensor, mask: Tensor, config: LikenessConfig) -> Likes:
    """Find for places of the foreground the most alike places of the background.

    Args:
        features: of :class:`LikenessEncoder` for all frames, (B * T, D, H / CELL, W / CELL).
        frames: (B, T, 3, H, W) in [0, 1]; of more channels, the likes have as many.
        mask: (B, T, 1, H, W) bool, True = foreground.
    """
    batch, channels = frames.shape[0], frames.shape[2]
    cover = mask.to(frames.dtype)
    inside, covered = cells_of(frames, cover)
    outside, clear = cells_of(frames, 1.0 - cover)
    told = features.unflatten(0, (batch, -1)).permute(0, 1, 3, 4, 2).flatten(1, 3)  # (B, C, D)
    chosen = draw_pixels(
        torch.cat([told, inside], dim=-1), _members(covered, COVERED), config.cells
    )
    wanted, foreground = chosen[..., :-channels], chosen[..., -channels:]
    background = _members(clear, CLEAR)  # (B, C)
    likeness = wanted @ told.transpose(1, 2)  # (B, K, C)
    likeness = likeness.masked_fill(~background.unsqueeze(1), 2.0 * NO_LIKE)
    best, place = likeness.topk(min(config.likes, likeness.shape[-1]), dim=-1)
    best, place = _repeated(best, config.likes), _repeated(place, config.likes)
    index = place.flatten(1).unsqueeze(-1).expand(-1, -1, channels)
    colors = outside.gather(1, index).unflatten(1, place.shape[1:])
    there = (best >= NO_LIKE) & (wanted.square().sum(-1, keepdim=True) > 0.0)
    return Likes(
        foreground,
        colors * there.unsqueeze(-1),
        torch.where(there, best, best.new_full((), NO_LIKE)),
    )


def _repeated(values: Tensor, count: int) -> Tensor:
    """The last of too few candidates, again."""
    missing = count - values.shape[-1]
    if missing == 0:
        return values
    return torch.cat([values, values[..., -1:].expand(*values.shape[:-1], missing)], dim=-1)


PAIR = 11
"""Numbers that describe a pair: both colors, their ratio's logarithm, the likeness, whether there
is one."""


def describe_pairs(likes: Likes) -> Tensor:
    """Pairs as a member reads them: (B, K * N, PAIR)."""
    own = likes.foreground.unsqueeze(2).expand_as(likes.background)
    ratio = ((own + _LOG_OFFSET) / (likes.background + _LOG_OFFSET)).log()
    there = (likes.likeness > NO_LIKE).to(own.dtype).unsqueeze(-1)
    told = torch.cat(
        [own - 0.5, likes.background - 0.5, ratio, likes.likeness.unsqueeze(-1), there], dim=-1
    )
    return (told * there).flatten(1, 2)
