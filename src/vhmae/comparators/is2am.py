"""iS2AM: Foreground-aware Semantic Representations for Image Harmonization.

VHMAE's Table 1 prints fMSE 203.77, MSE 28.90.
Sofiiuk, Popenova, Konushin, WACV 2021, "iSSAM" of their tables: a U-Net with the spatial-separated
attention of S2AM (Cun and Pun, TIP 2020) and a head that passes the composite on where its
attention map says so. The variants with a pretrained HRNet are left out: their weights are not to
be had here.
Differs from the publication: the loss's least foreground area (1,000 pixels of 256 x 256) shrinks
with smaller frames; crops and flips are the house's own.
Letters: F frames, C channels, H and W rows and columns.
"""

from __future__ import annotations

import dataclasses

import torch
from torch import Tensor, nn
from torch.nn import functional

from vhmae.comparators.comparator import (
    IMAGENET,
    FrameComparator,
    FramePrediction,
    Schedule,
    blend,
    check_multiple,
    check_side,
    initialize_xavier,
)
from vhmae.comparators.losses import foreground_normalized_mse

SCHEDULE = Schedule(learning_rate=1e-3, batch_size=16, epochs=120, milestones=(105, 115))


@dataclasses.dataclass(frozen=True, kw_only=True)
class Is2amConfig:
    """Size of the network."""

    width: int = 32
    """Channels of the first level; each of the four levels doubles it."""

    @classmethod
    def for_size(cls, image_size: int) -> Is2amConfig:
        """The published network, whatever the size."""
        check_side(image_size, 8, 8, "iS2AM")
        return cls()


def _convolutions(inputs: int, outputs: int, normalized: bool) -> nn.Sequential:
    """Two 3x3 convolutions, each with ReLU."""
    layers: list[nn.Module] = []
    for channels in (inputs, outputs):
        layers.append(nn.Conv2d(channels, outputs, 3, padding=1))
        if normalized:
            layers.append(nn.BatchNorm2d(outputs))
        layers.append(nn.ReLU())
    return nn.Sequential(*layers)


def pooled(features: Tensor) -> Tensor:
    """What channel attention reads, mean and maximum of each channel: (F, C, H, W) -> (F, 2 C)."""
    return torch.cat(
        [features.mean((2, 3)), functional.adaptive_max_pool2d(features, 1).flatten(1)], dim=1
    )


class ChannelGate(nn.Module):
    """Channel attention: pooled features (F, 2 C) -> a weight of each channel, (F, C, 1, 1)."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        hidden = max(channels // 16, 8)
        self.weigh = nn.Sequential(
            nn.Linear(2 * channels, hidden), nn.ReLU(), nn.Linear(hidden, channels), nn.Sigmoid()
        )

    def forward(self, read: Tensor) -> Tensor:
        weights: Tensor = self.weigh(read)
        return weights[:, :, None, None]


class SpatialSeparatedAttention(nn.Module):
    """Foreground and background features go ways of their own and meet by the softened mask."""

    blur: Tensor

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.of_background = ChannelGate(channels)
        self.of_foreground = ChannelGate(channels)
        self.mixed = ChannelGate(channels)
        half = channels // 2
        self.change = nn.Sequential(
            nn.Conv2d(channels, half, 3, padding=1, bias=False),
            nn.BatchNorm2d(half),
            nn.ReLU(),
            nn.Conv2d(half, channels, 3, padding=1, bias=False),
            nn.BatchNorm2d(channels),
            nn.ReLU(),
        )
        line = torch.exp(-0.5 * torch.arange(-3.0, 4.0).square())  # 7 taps, sigma 1
        kernel = torch.outer(line, line)
        self.register_buffer("blur", (kernel / kernel.sum())[None, None], persistent=False)

    def forward(self, features: Tensor, mask: Tensor) -> Tensor:
        """Attend: features (F, C, H, W), mask (F, 1, any, any) -> (F, C, H, W)."""
        soft = functional.interpolate(
            mask, features.shape[-2:], mode="bilinear", align_corners=False
        )
        soft = functional.conv2d(soft, self.blur, padding=3)
        read = pooled(features)
        mixed, background = self.mixed(read), self.of_background(read)
        changed = self.change(self.of_foreground(read) * features)
        return soft * changed + (soft * mixed + (1.0 - soft) * background) * features


class Is2amTrunk(nn.Module):
    """The U-Net: normalised composite and mask -> features at full size. PCT-Net's, too."""

    def __init__(self, width: int) -> None:
        super().__init__()
        widths = [width * 2**level for level in range(4)]
        self.encoder = nn.ModuleList(
            _convolutions(inputs, outputs, normalized=level >= 2)
            for level, (inputs, outputs) in enumerate(zip([4, *widths[:-1]], widths, strict=True))
        )
        skips = widths[-2::-1]
        self.reduce = nn.ModuleList(
            nn.Sequential(nn.Conv2d(2 * skip, skip, 3, padding=1), nn.ReLU()) for skip in skips
        )
        self.join = nn.ModuleList(_convolutions(2 * skip, skip, normalized=True) for skip in skips)
        self.attention = SpatialSeparatedAttention(2 * width)
        # A sixth faster on a CPU with channels side by side; the U-Nets of 4x4 steps are slower so.
        self.to(memory_format=torch.channels_last)  # type: ignore[call-overload]  # its stub lacks this form

    def forward(self, values: Tensor, mask: Tensor) -> Tensor:
        """Features: values (F, 3, H, W), mask (F, 1, H, W) -> (F, width, H, W)."""
        check_multiple(values, 8, 8, "iS2AM's U-Net")
        features, skips = torch.cat([values, mask], dim=1), []
        for level, block in enumerate(self.encoder):
            features = block(functional.max_pool2d(features, 2) if level else features)
            skips.append(features)
        skips.pop()
        for step, (reduce, join) in enumerate(zip(self.reduce, self.join, strict=True)):
            skip = skips.pop()
            features = functional.interpolate(
                features, scale_factor=2, mode="bilinear", align_corners=True
            )
            features = torch.cat([skip, reduce(features)], dim=1)
            if step == len(self.join) - 1:  # at full size alone
                features = self.attention(features, mask)
            features = join(features)
        return features


class ImageFusion(nn.Module):
    """Says a picture and how far the composite is to be kept: a comp + (1 - a) picture."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.keep = nn.Conv2d(channels, 1, 1)
        self.draw = nn.Conv2d(channels, 3, 1)

    def forward(self, features: Tensor, values: Tensor) -> Tensor:
        """Fuse: features (F, C, H, W), composite's values (F, 3, H, W) -> (F, 3, H, W)."""
        kept = self.attention_map(features)
        return kept * values + (1.0 - kept) * self.draw(features)

    def attention_map(self, features: Tensor) -> Tensor:
        """How far the composite is kept, (F, 1, H, W) in (0, 1)."""
        return torch.sigmoid(3.0 * self.keep(features))


class FusedComparator(FrameComparator):
    """What ends in :class:`ImageFusion` and learns by fn-MSE: iS2AM and iDIH."""

    value_scale = IMAGENET
    minimum_area: float
    """The least foreground area that the loss divides by, in pixels of 256 x 256."""

    def frame_losses(
        self, predicted: FramePrediction, composite: Tensor, mask: Tensor, target: Tensor
    ) -> dict[str, Tensor]:
        """fn-MSE of the blended frame in normalised values."""
        blended = blend(predicted.frames, composite, mask)
        loss = foreground_normalized_mse(blended, target, mask, self.value_scale, self.minimum_area)
        return {"loss": loss}


class Is2am(FusedComparator):
    """iS2AM: U-Net with attention at full size, image fusion at the end."""

    minimum_area = 1000.0

    def __init__(self, config: Is2amConfig) -> None:
        super().__init__()
        self.config = config
        self.feature_channels = config.width
        self.trunk = Is2amTrunk(config.width)
        self.fusion = ImageFusion(config.width)
        initialize_xavier(self, magnitude=1.0)

    def predict(self, frames: Tensor, mask: Tensor) -> FramePrediction:
        values = self.value_scale.scale(frames)
        features = self.trunk(values, mask)
        return FramePrediction(self.value_scale.unscale(self.fusion(features, values)), features)
