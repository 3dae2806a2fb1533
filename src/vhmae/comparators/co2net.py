"""CO2Net: Deep Video Harmonization with Color Mapping Consistency.

VHMAE's Table 1 prints fMSE 325.36, MSE 43.81 over RainNet, and 186.72, 26.50 over iS2AM.
Lu, Huang, Niu, Cong, Zhang, IJCAI 2022. A trained network for pictures,
frozen; for each frame a look-up table from its neighbors (``neighbor_lut.py``); a small network
that makes one picture of both.
As in the released code: the composite enters the last blend in [0, 1], all else normalised.
Differs from the publication: the rate falls by epochs, not by iterations (the released loop takes
its steps at 105 and 115 *iterations*, which leaves the small network nearly untrained); the
recipes train at 1e-3 in the place of 1e-5, and in clips of 8 frames, so that at most 7 neighbors
vote there in the place of 16 (a longer clip that is harmonized has its 16); frames without
foreground count as having one pixel of it in the loss; crops and
flips are the house's own. Not stated: what the set of
neighbors is at the ends of a clip (here it is cut off), and the values that the error is taken in
(here normalised ones, as the network's).
Letters: B batch, T frames, F = B * T, C features, H and W rows and columns.
"""

from __future__ import annotations

import dataclasses

import torch
from torch import Tensor, nn
from torch.nn import functional

from vhmae.comparators.comparator import (
    FRAMES_AT_ONCE,
    IMAGENET,
    Comparator,
    FrameComparator,
    Schedule,
    blend,
    check_clip,
)
from vhmae.comparators.losses import foreground_normalized_mse
from vhmae.comparators.neighbor_lut import of_neighbors

SCHEDULE = Schedule(
    optimizer="adamw",
    learning_rate=1e-5,
    weight_decay=1e-2,  # not stated; what AdamW takes by itself
    batch_size=32,
    epochs=120,
    milestones=(105, 115),
)


@dataclasses.dataclass(frozen=True)
class Prepared:
    """What stands before the small network."""

    answers: Tensor
    """(F, 3, H, W) in [0, 1]: the frozen network's frames."""
    features: Tensor
    """(F, C, rows, columns): what stands before its last layer."""
    looked_up: Tensor
    """(F, 3, H, W) in [0, 1]: what the neighbors' tables say."""

    def split(self, size: int) -> list[Prepared]:
        """In parts of so many frames."""
        parts = (self.answers.split(size), self.features.split(size), self.looked_up.split(size))
        return [Prepared(*part) for part in zip(*parts, strict=True)]


class Refinement(nn.Module):
    """One picture of the network's and the table's."""

    def __init__(self, feature_channels: int, width: int = 64) -> None:
        super().__init__()
        layers: list[nn.Module] = []
        for inputs in (3 + feature_channels + 3, width):
            convolution = nn.Conv2d(inputs, width, 3, padding=1)
            layers += [convolution, nn.BatchNorm2d(width), nn.ELU()]
        self.read = nn.Sequential(*layers)
        self.keep = nn.Conv2d(width, 1, 1)
        self.draw = nn.Conv2d(width, 3, 1)

    def forward(self, prepared: Prepared, composite: Tensor) -> Tensor:
        """Refine: composite (F, 3, H, W) in [0, 1] -> (F, 3, H, W), nominally in [0, 1]."""
        features = functional.interpolate(
            prepared.features, composite.shape[-2:], mode="bilinear", align_corners=False
        )
        answers, looked_up = (
            IMAGENET.scale(frames) for frames in (prepared.answers, prepared.looked_up)
        )
        read = self.read(torch.cat([answers, features, looked_up], dim=1))
        kept = torch.sigmoid(3.0 * self.keep(read))
        return IMAGENET.unscale(kept * composite + (1.0 - kept) * self.draw(read))


class Co2Net(Comparator):
    """Tables from neighbors over a frozen network for pictures, and a refinement."""

    def __init__(self, backbone: FrameComparator) -> None:
        super().__init__()
        self.backbone = backbone.eval().requires_grad_(False)
        self.refinement = Refinement(backbone.feature_channels)

    def train(self, mode: bool = True) -> Co2Net:
        """Train the refinement; the network stays in evaluation mode."""
        super().train(mode)
        self.backbone.eval()
        return self

    @torch.no_grad()
    def prepare(self, composite: Tensor, mask: Tensor) -> Prepared:
        """Run the frozen network and the tables; takes what :meth:`forward` does."""
        check_clip(composite, mask)
        frames, cover = composite.flatten(0, 1), mask.flatten(0, 1).float()
        parts = [
            self.backbone.predict(*pair)
            for pair in zip(frames.split(FRAMES_AT_ONCE), cover.split(FRAMES_AT_ONCE), strict=True)
        ]
        drawn = torch.cat([part.frames for part in parts])
        answers = blend(drawn, frames, cover).clamp(0.0, 1.0)
        clips = zip(composite, answers.reshape(composite.shape), mask, strict=True)
        looked_up = torch.cat([of_neighbors(*clip) for clip in clips])
        return Prepared(answers, torch.cat([part.features for part in parts]), looked_up)

    def refine(self, prepared: Prepared, composite: Tensor, mask: Tensor) -> Tensor:
        """The last stage on (F, 3, H, W) and (F, 1, H, W) float: blended, not clipped."""
        return blend(self.refinement(prepared, composite), composite, mask)

    def forward(self, composite: Tensor, mask: Tensor) -> Tensor:
        frames, cover = composite.flatten(0, 1), mask.flatten(0, 1).float()
        at_once = len(frames) if self.training else FRAMES_AT_ONCE
        prepared = self.prepare(composite, mask).split(at_once)
        parts = zip(prepared, frames.split(at_once), cover.split(at_once), strict=True)
        refined = torch.cat([self.refine(*part) for part in parts])
        return refined.clamp(0.0, 1.0).reshape(composite.shape)

    def losses(self, composite: Tensor, mask: Tensor, target: Tensor) -> dict[str, Tensor]:
        """Squared error of the blended frame over the foreground's area, in normalised values."""
        frames, cover = composite.flatten(0, 1), mask.flatten(0, 1).float()
        refined = self.refine(self.prepare(composite, mask), frames, cover)
        return {
            "loss": foreground_normalized_mse(
                refined, target.flatten(0, 1), cover, IMAGENET, minimum_area=0.0
            )
        }
