"""RainNet: Region-aware Adaptive Instance Normalization for Image Harmonization.

VHMAE's Table 1 prints fMSE 374.06, MSE 49.05.
Ling, Xue, Song, Xie, Gu, CVPR 2021: DoveNet's U-Net without biases whose decoder takes the
foreground's statistics to the background's. The mask enters through RAIN alone.
Differs from the publication: the critic is an option (``critics: true``), the plain row is L1
alone; below 256 pixels the U-Net loses one level for each halving; the recipe's batches are of 16
in the place of 11; no norm on the innermost map of the encoder, which is one pixel; dropout acts in
training alone; crops and
flips are the house's own.
Letters: F frames, C channels, H and W rows and columns.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

from vhmae.comparators.comparator import SIGNED, FrameComparator, FramePrediction, Schedule, blend
from vhmae.comparators.losses import scaled_l1
from vhmae.comparators.unet import UNet, UNetConfig

SCHEDULE = Schedule(
    learning_rate=2e-4, betas=(0.5, 0.999), batch_size=11, epochs=200, flat_epochs=100
)
L1_WEIGHT = 100.0
EPS = 1e-5


class Rain(nn.Module):
    """Region-aware adaptive instance normalisation (RAIN)."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.foreground_gain = nn.Parameter(torch.zeros(channels))
        self.foreground_shift = nn.Parameter(torch.zeros(channels))
        self.background_gain = nn.Parameter(torch.zeros(channels))
        self.background_shift = nn.Parameter(torch.zeros(channels))

    def forward(self, features: Tensor, mask: Tensor) -> Tensor:
        """Give the foreground the background's mean and deviation, channel by channel.

        Args:
            features: (F, C, H, W).
            mask: (F, 1, any, any), 1 = foreground; resized by nearest neighbor.
        """
        inside = functional.interpolate(mask, features.shape[-2:], mode="nearest")
        outside = 1.0 - inside
        foreground_mean, foreground_deviation = _statistics(features, inside)
        mean, deviation = _statistics(features, outside)
        foreground = (features - foreground_mean) / foreground_deviation * deviation + mean
        background = (features - mean) / deviation
        return (
            _affine(foreground, self.foreground_gain, self.foreground_shift) * inside
            + _affine(background, self.background_gain, self.background_shift) * outside
        )


def _statistics(features: Tensor, weight: Tensor) -> tuple[Tensor, Tensor]:
    """Mean and deviation over the pixels of a region, each (F, C, 1, 1)."""
    area = weight.sum((2, 3), keepdim=True) + EPS
    mean = (features * weight).sum((2, 3), keepdim=True) / area
    variance = ((features - mean).square() * weight).sum((2, 3), keepdim=True) / area
    return mean, (variance + EPS).sqrt()


def _affine(features: Tensor, gain: Tensor, shift: Tensor) -> Tensor:
    return features * (1.0 + gain.view(1, -1, 1, 1)) + shift.view(1, -1, 1, 1)


class RainNet(FrameComparator):
    """RainNet's generator."""

    value_scale = SIGNED

    def __init__(self, config: UNetConfig) -> None:
        super().__init__()
        self.config = config
        self.feature_channels = 2 * config.width
        self.unet = UNet(config, inputs=3, decoder_norm=Rain, bias=False)

    def predict(self, frames: Tensor, mask: Tensor) -> FramePrediction:
        values, features = self.unet(self.value_scale.scale(frames), mask)
        return FramePrediction(self.value_scale.unscale(values), features)

    def frame_losses(
        self, predicted: FramePrediction, composite: Tensor, mask: Tensor, target: Tensor
    ) -> dict[str, Tensor]:
        """100 L1 of the blended frame, in values of [-1, 1]."""
        l1 = scaled_l1(blend(predicted.frames, composite, mask), target, self.value_scale)
        return {"loss": L1_WEIGHT * l1, "l1": l1}
