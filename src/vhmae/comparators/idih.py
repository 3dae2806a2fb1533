"""iDIH: the plain encoder-decoder with image fusion (not in VHMAE's Table 1; strong and cheap).

Sofiiuk, Popenova, Konushin, WACV 2021, "iDIH" of their tables: Deep Image Harmonization (Tsai et
al., CVPR 2017) without its semantic branch, and with the head that iS2AM has.
Differs from the publication: below 256 pixels it loses one inner level for each halving, because
its innermost map is one pixel; the least area of the loss shrinks with the frame; crops and
flips are the house's own.
Letters: F frames, C channels, H and W rows and columns.
"""

from __future__ import annotations

import dataclasses

import torch
from torch import Tensor, nn

from vhmae.comparators.comparator import FramePrediction, check_multiple, initialize_xavier
from vhmae.comparators.is2am import FusedComparator, ImageFusion
from vhmae.errors import InputError

PUBLISHED_WIDTHS = (64, 64, 128, 128, 256, 256, 512)


@dataclasses.dataclass(frozen=True, kw_only=True)
class IdihConfig:
    """Size of the network."""

    widths: tuple[int, ...] = PUBLISHED_WIDTHS
    """Channels of the encoder's levels; the last one takes 4x4 cells to one."""
    last_width: int = 32
    """Channels at full size, before the head."""

    def __post_init__(self) -> None:
        if len(self.widths) < 2:
            raise InputError(f"iDIH: widths={self.widths}; expected two levels or more")

    @classmethod
    def for_size(cls, image_size: int) -> IdihConfig:
        """The published network at 256; one level less for each halving, 512 stays the last."""
        levels = image_size.bit_length() - 2
        if image_size != 1 << (levels + 1) or not 2 <= levels <= len(PUBLISHED_WIDTHS):
            raise InputError(f"iDIH: image_size={image_size}; expected 256, 128, 64, 32, 16 or 8")
        return cls(widths=(*PUBLISHED_WIDTHS[: levels - 1], PUBLISHED_WIDTHS[-1]))


class Idih(FusedComparator):
    """iDIH: strided convolutions down, transposed ones up, skips added."""

    minimum_area = 100.0

    def __init__(self, config: IdihConfig) -> None:
        super().__init__()
        self.config = config
        widths = config.widths
        last = len(widths) - 1
        self.encoder = nn.ModuleList()
        for level, (inputs, outputs) in enumerate(zip([4, *widths[:-1]], widths, strict=True)):
            layers: list[nn.Module] = [
                nn.Conv2d(inputs, outputs, 4, stride=2, padding=int(level < last))
            ]
            if level >= 2:
                layers.append(nn.BatchNorm2d(outputs))
            self.encoder.append(nn.Sequential(*layers, nn.ELU()))
        self.decoder = nn.ModuleList()
        for level in range(last, -1, -1):
            outputs = widths[level - 1] if level else config.last_width
            self.decoder.append(
                nn.Sequential(
                    nn.ConvTranspose2d(
                        widths[level], outputs, 4, stride=2, padding=int(level < last)
                    ),
                    nn.BatchNorm2d(outputs),
                    nn.ELU(),
                )
            )
        self.feature_channels = config.last_width
        self.fusion = ImageFusion(config.last_width)
        initialize_xavier(self, magnitude=2.0)

    def predict(self, frames: Tensor, mask: Tensor) -> FramePrediction:
        levels = len(self.encoder)
        check_multiple(frames, 2**levels, 2 ** (levels + 1), "iDIH")
        values = self.value_scale.scale(frames)
        features, skips = torch.cat([values, mask], dim=1), []
        for block in self.encoder:
            features = block(features)
            skips.append(features)
        skips.pop()
        for block in self.decoder:
            features = block(features)
            if skips:
                features = features + skips.pop()
        return FramePrediction(self.value_scale.unscale(self.fusion(features, values)), features)
