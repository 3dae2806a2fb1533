"""Losses that several of the compared methods share; each takes plain tensors.

Letters: F frames, H and W rows and columns.
"""

from __future__ import annotations

from torch import Tensor

from vhmae.comparators.comparator import ValueScale

REFERENCE_PIXELS = 256 * 256
"""Least areas are published for frames of this many pixels."""


def foreground_normalized_mse(
    predicted: Tensor,
    target: Tensor,
    mask: Tensor,
    value_scale: ValueScale,
    minimum_area: float,
) -> Tensor:
    """The whole frame's squared error over the foreground's size ("fn-MSE", Sofiiuk et al.).

    Args:
        predicted: frames blended with the composite, (F, 3, H, W) in [0, 1].
        target: (F, 3, H, W) in [0, 1].
        mask: (F, 1, H, W), 1 = foreground.
        value_scale: the error is taken in these values.
        minimum_area: foregrounds count as at least so large, in pixels of a frame of 256 x 256;
            on frames of another size, the same share of them.
    Returns:
        Scalar: squared errors summed over pixels and channels, over 3 max(minimum, area), mean
        over the frames.
    """
    deviation = predicted.new_tensor(value_scale.deviation).view(1, 3, 1, 1)
    squared = ((predicted - target) / deviation).square().sum((1, 2, 3))
    least = minimum_area * mask.shape[-2] * mask.shape[-1] / REFERENCE_PIXELS
    return (squared / (3.0 * mask.sum((1, 2, 3)).clamp_min(max(least, 1.0)))).mean()


def scaled_l1(predicted: Tensor, target: Tensor, value_scale: ValueScale) -> Tensor:
    """Mean absolute difference over whole frames (F, 3, H, W) in [0, 1], in a network's values."""
    deviation = predicted.new_tensor(value_scale.deviation).view(1, 3, 1, 1)
    return ((predicted - target) / deviation).abs().mean()
