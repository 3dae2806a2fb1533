"""PCT-Net: Pixel-wise Color Transformation (not in VHMAE's Table 1; strong and cheap).

Guerreiro, Nakazawa, Stenger, CVPR 2023, the CNN variant: iS2AM's trunk
says an affine map of colors for each pixel of a small picture; the maps are enlarged and applied
to the composite at its full size.
Differs from the publication: the contrastive style loss (weight 0.01) is left out, since its VGG16
weights are not to be had here; the least area of the loss shrinks with the frame; crops and flips
are the house's own. Not stated: how the rate falls within the CNN's 180 epochs (here it stays
flat), and the values that the maps act on (here normalised ones, as the network sees them).
Letters: F frames, H and W rows and columns of the composite, h and w of the small picture.
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
    check_side,
    initialize_xavier,
)
from vhmae.comparators.is2am import Is2amTrunk
from vhmae.comparators.losses import foreground_normalized_mse

SCHEDULE = Schedule(learning_rate=1e-4, batch_size=16, epochs=180)
MINIMUM_AREA = 1000.0
SMOOTHNESS_WEIGHT = 0.1
TERMS = 12
"""Of an affine map: three rows of three factors and a constant."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class PctNetConfig:
    """Size of the network."""

    width: int = 32
    """Of iS2AM's trunk."""
    image_size: int = 256
    """Side of the square that the network sees; larger frames are shrunk for it."""

    @classmethod
    def for_size(cls, image_size: int) -> PctNetConfig:
        check_side(image_size, 8, 8, "PCT-Net")
        return cls(image_size=image_size)


@dataclasses.dataclass(frozen=True)
class PctPrediction(FramePrediction):
    """A prediction with the maps that made it."""

    maps: Tensor
    """(F, 12, h, w): three factors and a constant for red, then green, then blue."""


class PctNet(FrameComparator):
    """PCT-Net (CNN): an affine map of colors a pixel."""

    value_scale = IMAGENET
    takes_any_size = True

    def __init__(self, config: PctNetConfig) -> None:
        super().__init__()
        self.config = config
        self.feature_channels = config.width
        self.trunk = Is2amTrunk(config.width)
        self.keep = nn.Conv2d(config.width, 1, 1)
        self.say_maps = nn.Conv2d(config.width, TERMS, 1)
        initialize_xavier(self, magnitude=1.0)

    def predict(self, frames: Tensor, mask: Tensor) -> PctPrediction:
        values = self.value_scale.scale(frames)
        small, small_mask = values, mask
        side = self.config.image_size
        if max(frames.shape[-2:]) > side:
            small, small_mask = (
                functional.interpolate(maps, (side, side), mode="bilinear", antialias=True)
                for maps in (values, mask)
            )
        features = self.trunk(small, small_mask)
        maps, kept = self.say_maps(features), torch.sigmoid(3.0 * self.keep(features))
        changed = apply_maps(values, _enlarged(maps, frames))
        kept = _enlarged(kept, frames)
        drawn = self.value_scale.unscale(kept * values + (1.0 - kept) * changed)
        return PctPrediction(drawn, features, maps)

    def frame_losses(
        self, predicted: FramePrediction, composite: Tensor, mask: Tensor, target: Tensor
    ) -> dict[str, Tensor]:
        """fn-MSE of the blended frame at full size, and the smoothness of the maps."""
        assert isinstance(predicted, PctPrediction)
        blended = blend(predicted.frames, composite, mask)
        error = foreground_normalized_mse(blended, target, mask, self.value_scale, MINIMUM_AREA)
        smoothness = sobel_magnitude(predicted.maps).mean()
        return {
            "loss": error + SMOOTHNESS_WEIGHT * smoothness,
            "error": error,
            "smoothness": smoothness,
        }


def _enlarged(maps: Tensor, frames: Tensor) -> Tensor:
    if maps.shape[-2:] == frames.shape[-2:]:
        return maps
    return functional.interpolate(maps, frames.shape[-2:], mode="bicubic", align_corners=False)


def apply_maps(values: Tensor, maps: Tensor) -> Tensor:
    """Apply an affine map of colors to each pixel.

    Args:
        values: (F, 3, H, W).
        maps: (F, 12, H, W): three factors and a constant for red, then green, then blue.
    Returns:
        (F, 3, H, W).
    """
    rows = maps.unflatten(1, (3, 4))  # (F, 3, 4, H, W)
    return (rows[:, :, :3] * values.unsqueeze(1)).sum(2) + rows[:, :, 3]


def sobel_magnitude(maps: Tensor) -> Tensor:
    """Length of the Sobel gradient: (F, C, h, w) -> (F, C, h - 2, w - 2)."""
    across = maps.new_tensor([[-1.0, 0.0, 1.0], [-2.0, 0.0, 2.0], [-1.0, 0.0, 1.0]])
    kernels = torch.stack([across, across.T]).unsqueeze(1)  # (2, 1, 3, 3)
    gradient = functional.conv2d(maps.flatten(0, 1).unsqueeze(1), kernels)
    # The root has no gradient at zero, where maps are constant.
    return (gradient.square().sum(1) + 1e-12).sqrt().unflatten(0, maps.shape[:2])
