"""DoveNet: Deep Image Harmonization via Domain Verification.

VHMAE's Table 1 prints fMSE 422.84, MSE 58.51.
Cong, Zhang, Niu, Liu, Ling, Li, Zhang, CVPR 2020: an attended U-Net, trained by L1 and, with
``critics: true``, by the two scores of a critic (``critic.py``).
Differs from the publication: the critic is an option, the plain row is L1 alone; below 256 pixels
the U-Net loses one level for each halving; the recipe's batches are of 16 in the place of 1;
instance norm as in the published training command (the released weights have batch norm); no norm
on the innermost map, which is one pixel; crops and
flips are the house's own.
The output is blended with the composite after the loss, where it is scored.
Letters: F frames, H and W rows and columns.
"""

from __future__ import annotations

import torch
from torch import Tensor

from vhmae.comparators.comparator import SIGNED, FrameComparator, FramePrediction, Schedule
from vhmae.comparators.losses import scaled_l1
from vhmae.comparators.unet import PlainNorm, UNet, UNetConfig

SCHEDULE = Schedule(
    learning_rate=2e-4, betas=(0.5, 0.999), batch_size=1, epochs=200, flat_epochs=100
)
L1_WEIGHT = 100.0


class DoveNet(FrameComparator):
    """DoveNet's generator; the mask goes in as a fourth channel."""

    value_scale = SIGNED
    blends_before_loss = False

    def __init__(self, config: UNetConfig) -> None:
        super().__init__()
        self.config = config
        self.feature_channels = 2 * config.width
        self.unet = UNet(config, inputs=4, decoder_norm=lambda _: PlainNorm(), bias=True)

    def predict(self, frames: Tensor, mask: Tensor) -> FramePrediction:
        values, features = self.unet(torch.cat([self.value_scale.scale(frames), mask], dim=1), mask)
        return FramePrediction(self.value_scale.unscale(values), features)

    def frame_losses(
        self, predicted: FramePrediction, composite: Tensor, mask: Tensor, target: Tensor
    ) -> dict[str, Tensor]:
        """100 L1 of the whole frame as drawn, in values of [-1, 1]."""
        l1 = scaled_l1(predicted.frames, target, self.value_scale)
        return {"loss": L1_WEIGHT * l1, "l1": l1}
