"""What tells of a tone curve, whatever the scene: how black and white end, what is clipped, and how
far neighbouring pixels differ at each brightness.

A curve's slope scales noise and fine texture, which a scene holds at about the same strength all
over; the statistics of colours alone cannot tell a dark scene from a darkened one. What it is worth
stands in docs/results-parts.md, "More evidence, bolder answers". Letters: B batch, P pixels.
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional

from vhmae.color.recording import remembered, sizes
from vhmae.color.statistics import sort_pixels
from vhmae.color.transform import luma_of

BANDS = 6
"""Of luma, in which neighbours are compared."""
TONE = 4 * 6 + 3 * 6 + 5 * BANDS
"""Numbers that :func:`tone_numbers` returns."""

_LEVEL = 1.0 / 255.0
_ENDS = (0.004, 0.01, 0.03, 0.97, 0.99, 0.996)
_CLIPPED = (0.5, 3.5, 10.5)


@remembered
def _end_ranks(count: int, device: torch.device) -> Tensor:
    ranks = torch.tensor(_ENDS, dtype=torch.float64) * (count - 1)  # count may be open
    return ranks.round().long().to(device)


def tone_numbers(pairs: Tensor) -> Tensor:
    """Sum up one pixel set.

    Args:
        pairs: (B, P, 6) in [0, 1], colours and their neighbours'.
    Returns:
        (B, TONE): red, green, blue and luma near both ends of their order; shares of each channel
        within .5, 3.5 and 10.5 levels of black, then of white; in six bands of luma, how far
        neighbours differ on two scales, the share that does not, and the spread of the difference
        over the channels; the bands' shares.
    """
    colors, beside = pairs[..., :3], pairs[..., 3:]
    own, other = luma_of(colors), luma_of(beside)
    ordered = sort_pixels(torch.cat([colors, own.unsqueeze(-1)], dim=-1))
    ends = ordered.index_select(1, _end_ranks(sizes(colors)[1], colors.device)).flatten(1)
    dark = [(colors <= level * _LEVEL).float().mean(dim=1) for level in _CLIPPED]
    light = [(colors >= 1.0 - level * _LEVEL).float().mean(dim=1) for level in _CLIPPED]
    band = ((own + other) * (BANDS / 2)).long().clamp(0, BANDS - 1)
    inside = functional.one_hot(band, BANDS).to(colors.dtype)  # (B, P, BANDS)
    share = inside.mean(dim=1)
    step = (own - other).abs()
    told = torch.stack(
        [
            step.clamp_max(3 * _LEVEL) / (3 * _LEVEL),
            step.clamp_max(12 * _LEVEL) / (12 * _LEVEL),
            (step < 0.5 * _LEVEL).to(colors.dtype),
            (colors - beside).std(dim=-1).clamp_max(6 * _LEVEL) / (6 * _LEVEL),
        ],
        dim=-1,
    )
    noise = inside.transpose(1, 2) @ told / colors.shape[1] / (share + 0.01).unsqueeze(-1)
    return torch.cat([ends, *dark, *light, noise.flatten(1), share], dim=1)
