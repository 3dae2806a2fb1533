"""Masked color statistics: what a region's colors say about the look that it was seen under.

The pixel sets of ``color.pixels`` are summed up in ``STATISTICS`` numbers and a coarse joint
histogram each. Letters: B batch, T frames, P pixels, S sets.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from vhmae.color.pixels import FOREGROUND_SETS as FOREGROUND_SETS
from vhmae.color.pixels import PIXELS as PIXELS
from vhmae.color.pixels import SETS as SETS
from vhmae.color.pixels import draw_places, grow, ring_radius, set_members
from vhmae.color.recording import recording, remembered, sizes
from vhmae.color.transform import luma_of
from vhmae.errors import ShapeError

HISTOGRAM_BINS = 6
QUANTILES = (0.05, 0.25, 0.5, 0.75, 0.95)
LUMA_BANDS = 4
STATISTICS = 77
"""Numbers that :func:`set_statistics` returns: 18 moments, 35 quantiles, 18 of luma bands, 6
clipped shares."""

PixelSets = tuple[list[Tensor], Tensor]
"""Drawn colors, one (B, P, 3) per set, and the sets' shares of all pixels (B, S)."""

_LOG_OFFSET = 0.03


def dilate(mask: Tensor, radius: int) -> Tensor:
    """Grow a mask by a square of the given radius; (..., H, W) bool."""
    if radius <= 0:
        return mask
    if _by_numpy(mask):  # OpenCV takes a tenth of the time
        return torch.from_numpy(grow(mask.numpy(), radius))
    shape = mask.shape
    planes = mask.reshape(1, -1, *shape[-2:]).float()
    # Two one-dimensional passes: a square window costs its side, not its area.
    planes = functional.max_pool2d(planes, (2 * radius + 1, 1), stride=1, padding=(radius, 0))
    planes = functional.max_pool2d(planes, (1, 2 * radius + 1), stride=1, padding=(0, radius))
    return planes.reshape(shape) > 0.5


def erode(mask: Tensor, radius: int) -> Tensor:
    """Shrink a mask by a square of the given radius; the frame's border does not count as
    background."""
    return ~dilate(~mask, radius)


def pixel_set_masks(mask: Tensor) -> Tensor:
    """Split frames into the four pixel sets.

    Args:
        mask: (B, T, 1, H, W) bool, True = foreground.
    Returns:
        (B, S, T * H * W) bool in the order of ``SETS``.
    """
    if mask.ndim != 5 or mask.shape[2] != 1:
        raise ShapeError(f"expected a mask (B, T, 1, H, W), got {tuple(mask.shape)}")
    plane = mask[:, :, 0]
    if _by_numpy(mask):
        return torch.from_numpy(set_members(plane.numpy()))
    radius = ring_radius(*sizes(plane)[-2:])
    inner = plane & ~erode(plane, radius)
    outer = ~plane & dilate(plane, radius)
    return torch.stack([plane, ~plane, inner, outer], dim=1).flatten(2)


def draw_pixels(
    colors: Tensor, members: Tensor, count: int, offset: Tensor | float = 0.5
) -> Tensor:
    """Draw colors of a set at evenly spaced ranks; a smaller set repeats its pixels, an empty one
    gives zeros.

    Args:
        colors: (B, L, C), C = 3 for colors alone.
        members: (B, L) bool.
        count: pixels to draw, P.
        offset: place of the draw within its rank interval, in [0, 1): 0.5 is the fixed choice of
            inference; training passes random numbers (B, P).
    Returns:
        (B, P, 3).
    """
    if _by_numpy(members):
        given = offset.numpy() if isinstance(offset, Tensor) else offset
        found, has_any = map(torch.from_numpy, draw_places(members.numpy(), count, given))
        return _gathered(colors, found, has_any)
    ranks = members.cumsum(dim=1)  # nothing here waits for a GPU, as a list of the members would
    total = ranks[:, -1:]
    places = torch.arange(count, device=colors.device) + offset
    wanted = (places * total / count).floor().clamp_max((total - 1).clamp_min(0)).long()
    if torch.compiler.is_exporting():  # ONNX knows lists of places and no searchsorted
        listed = members.nonzero()[:, 1]
        first = total.cumsum(dim=0) - total  # where each sample's places begin in the list
        at = (first + wanted).flatten()  # one past the end, where the last sets are empty
        index = torch.cat([listed, listed.new_zeros(1)]).index_select(0, at).view_as(wanted)
    else:
        index = torch.searchsorted(ranks, wanted, right=True).clamp_max(colors.shape[1] - 1)
    return _gathered(colors, index, total[:, 0] > 0)


def _gathered(colors: Tensor, index: Tensor, has_any: Tensor) -> Tensor:
    """Colors (B, L, C) at places (B, P); zeros for an empty set."""
    drawn = colors.gather(1, index.unsqueeze(-1).expand(-1, -1, colors.shape[-1]))
    return drawn * has_any[:, None, None]


def _by_numpy(values: Tensor) -> bool:
    """Whether a step without a gradient may be numpy's: on a CPU, and where nothing is recorded."""
    return values.device.type == "cpu" and not recording()


def draw_pixel_sets(frames: Tensor, mask: Tensor, jitter: Tensor | None = None) -> PixelSets:
    """Draw the four pixel sets of a window of frames.

    Args:
        frames: (B, T, 3, H, W) in [0, 1].
        mask: (B, T, 1, H, W) bool.
        jitter: (B, sum(PIXELS)) in [0, 1): random places for the drawn ranks (training).
    """
    members = pixel_set_masks(mask)
    colors = frames.permute(0, 1, 3, 4, 2).flatten(1, 3)
    drawn = []
    offsets = (
        [0.5] * len(PIXELS)
        if jitter is None
        else jitter.to(colors.device).split(list(PIXELS), dim=1)
    )
    for index, (count, offset) in enumerate(zip(PIXELS, offsets, strict=True)):
        drawn.append(draw_pixels(colors, members[:, index], count, offset))
    return drawn, members.float().mean(dim=2)


def of_each_set(work: Callable[[Tensor], Tensor], sets: Sequence[Tensor]) -> list[Tensor]:
    """What ``work`` says of each set (B, P, 3) -> (B, F); sets of one size are worked on together,
    as samples of one batch."""
    if torch.compiler.is_exporting():  # whose sizes are open
        return [work(colors) for colors in sets]
    found: dict[int, Tensor] = {}
    for size in {colors.shape[1] for colors in sets}:
        places = [place for place, colors in enumerate(sets) if colors.shape[1] == size]
        found |= zip(
            places,
            work(torch.cat([sets[place] for place in places])).chunk(len(places)),
            strict=True,
        )
    return [found[place] for place in range(len(sets))]


def _moments(colors: Tensor) -> Tensor:
    """Mean, deviation and correlations: (B, P, 3) -> (B, 9)."""
    mean = colors.mean(dim=1)
    centred = colors - mean.unsqueeze(1)
    deviation = (centred.square().mean(dim=1) + 1e-6).sqrt()
    unit = centred / deviation.unsqueeze(1)
    pairs = torch.stack(
        [(unit[..., a] * unit[..., b]).mean(dim=1) for a, b in ((0, 1), (1, 2), (2, 0))], dim=1
    )
    return torch.cat([mean, deviation, pairs], dim=1)


def _sort_pixels(values: Tensor) -> Tensor:
    """Sort (B, P, F) over the pixels. On a CPU numpy's vectorised sort takes a tenth of torch's
    time."""
    if _by_numpy(values) and not values.requires_grad:
        columns = np.sort(values.transpose(1, 2).contiguous().numpy(), axis=-1)
        return torch.from_numpy(columns).transpose(1, 2)
    return values.sort(dim=1).values


@remembered
def _quantile_ranks(count: int, device: torch.device) -> Tensor:
    ranks = torch.tensor(QUANTILES, dtype=torch.float64) * (count - 1)  # count may be open
    return ranks.round().long().to(device)


def set_statistics(colors: Tensor) -> Tensor:
    """Sum up one pixel set.

    Args:
        colors: (B, P, 3) in [0, 1].
    Returns:
        (B, STATISTICS): moments of RGB and of log(RGB + 0.03); quantiles of RGB, two log chromas,
        saturation and luma; chromas, saturation and share in four luma bands, with the two chromas'
        deviations; clipped shares.
    """
    log = (colors + _LOG_OFFSET).log()
    chroma = torch.stack(
        [log[..., 0] - log[..., 1], log[..., 2] - log[..., 1]], dim=-1
    )  # (B, P, 2)
    high, low = colors.amax(-1), colors.amin(-1)
    saturation = (high - low) / (high + _LOG_OFFSET)
    luma = luma_of(colors)
    channels = torch.cat(
        [colors, chroma, saturation.unsqueeze(-1), luma.unsqueeze(-1)], dim=-1
    )  # (B, P, 7)
    ordered = _sort_pixels(channels)
    quantiles = ordered.index_select(1, _quantile_ranks(sizes(colors)[1], colors.device)).flatten(
        1
    )  # (B, 35)

    band = (luma * LUMA_BANDS).long().clamp(0, LUMA_BANDS - 1)
    inside = functional.one_hot(band, LUMA_BANDS).to(colors.dtype)  # (B, P, 4)
    share = inside.mean(dim=1)
    values = torch.cat([chroma, saturation.unsqueeze(-1)], dim=-1)  # (B, P, 3)
    banded = (
        (inside.transpose(1, 2) @ values) / colors.shape[1] / (share + 0.02).unsqueeze(-1)
    )  # (B, 4, 3)
    spread = chroma.std(dim=1)  # (B, 2)
    clipped = torch.cat(
        [(colors < 0.02).float().mean(dim=1), (colors > 0.98).float().mean(dim=1)], dim=1
    )
    return torch.cat(
        [_moments(colors), _moments(log), quantiles, banded.flatten(1), share, spread, clipped],
        dim=1,
    )


def set_histogram(colors: Tensor) -> Tensor:
    """Square root of the coarse joint RGB histogram.

    Args:
        colors: (B, P, 3) in [0, 1].
    Returns:
        (B, HISTOGRAM_BINS ** 3), its squares sum to one.
    """
    cell = (colors * HISTOGRAM_BINS).long().clamp(0, HISTOGRAM_BINS - 1)
    index = (cell[..., 0] * HISTOGRAM_BINS + cell[..., 1]) * HISTOGRAM_BINS + cell[..., 2]
    counts = colors.new_zeros(colors.shape[0], HISTOGRAM_BINS**3)
    counts.scatter_add_(1, index, torch.ones_like(index, dtype=colors.dtype))
    return (counts / colors.shape[1]).sqrt()
