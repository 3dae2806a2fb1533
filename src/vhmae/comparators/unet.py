"""The U-Net of pix2pix with attention on its outer joins: what DoveNet and RainNet share.

Cong et al., CVPR 2020, and Ling et al., CVPR 2021, after Isola et al., CVPR 2017. They differ in
what goes in, in the norms and in the biases.
Letters: F frames, C channels, H and W rows and columns.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable

import torch
from torch import Tensor, nn
from torch.nn import functional

from vhmae.comparators.comparator import check_multiple, initialize_normal
from vhmae.errors import InputError

ATTENDED_JOINS = 3
"""Joins of the outermost levels whose channels are weighed."""
WIDEST = 8
"""Channels of a level, at most, as a multiple of the first one's."""
DROPOUT = 0.5


@dataclasses.dataclass(frozen=True, kw_only=True)
class UNetConfig:
    """Size of the network."""

    levels: int = 8
    """Halvings of the frame: 8 take 256 pixels to one."""
    width: int = 64
    """Channels of the first level."""

    def __post_init__(self) -> None:
        if self.levels < ATTENDED_JOINS + 1 or self.width < 1:
            raise InputError(
                f"levels={self.levels}, width={self.width}; expected at least {ATTENDED_JOINS + 1} "
                "levels and 1 channel"
            )

    @classmethod
    def for_size(cls, image_size: int) -> UNetConfig:
        """Eight levels at 256 pixels, one less for each halving: the innermost map is one pixel."""
        levels = image_size.bit_length() - 1
        if image_size != 1 << levels or levels < ATTENDED_JOINS + 1:
            raise InputError(f"image_size={image_size}; expected a power of two, 16 or more")
        return cls(levels=min(levels, 8))


class PlainNorm(nn.Module):
    """Instance norm without affine, in the form of a norm that is told the mask."""

    def forward(self, features: Tensor, mask: Tensor) -> Tensor:
        return functional.instance_norm(features)


class Down(nn.Module):
    """One level of the encoder: (F, C, H, W) -> (F, outputs, H / 2, W / 2)."""

    def __init__(
        self, inputs: int, outputs: int, outermost: bool, innermost: bool, bias: bool
    ) -> None:
        super().__init__()
        self.activated = not outermost
        # Instance norm would take the innermost map, which is one pixel, to zero.
        self.normalized = not outermost and not innermost
        self.convolve = nn.Conv2d(inputs, outputs, 4, stride=2, padding=1, bias=bias)

    def forward(self, features: Tensor) -> Tensor:
        if self.activated:
            features = functional.leaky_relu(features, 0.2)
        features = self.convolve(features)
        return functional.instance_norm(features) if self.normalized else features


class Up(nn.Module):
    """One level of the decoder, joined with the encoder's map of the same size."""

    def __init__(
        self, inputs: int, outputs: int, norm: nn.Module, attended: bool, dropped: bool, bias: bool
    ) -> None:
        super().__init__()
        self.convolve = nn.ConvTranspose2d(inputs, outputs, 4, stride=2, padding=1, bias=bias)
        self.norm = norm
        self.dropout = nn.Dropout(DROPOUT if dropped else 0.0)
        self.weigh = nn.Conv2d(2 * outputs, 2 * outputs, 1) if attended else None

    def forward(self, features: Tensor, skip: Tensor, mask: Tensor) -> Tensor:
        """Join: features (F, C, H / 2, W / 2), skip (F, outputs, H, W), mask at full size.

        Returns:
            (F, 2 outputs, H, W): the skip first.
        """
        features = self.convolve(functional.relu(features))
        joined = torch.cat([skip, self.dropout(self.norm(features, mask))], dim=1)
        return joined if self.weigh is None else joined * torch.sigmoid(self.weigh(joined))


class UNet(nn.Module):
    """Encoder and decoder of 4x4 convolutions: frames in, values in [-1, 1] out."""

    def __init__(
        self, config: UNetConfig, inputs: int, decoder_norm: Callable[[int], nn.Module], bias: bool
    ) -> None:
        super().__init__()
        levels = config.levels
        widths = [config.width * min(2**level, WIDEST) for level in range(levels)]
        self.down = nn.ModuleList(
            Down(
                widths[level - 1] if level else inputs,
                widths[level],
                outermost=level == 0,
                innermost=level == levels - 1,
                bias=bias,
            )
            for level in range(levels)
        )
        self.up = nn.ModuleList(
            Up(
                widths[level] if level == levels - 1 else 2 * widths[level],
                widths[level - 1],
                decoder_norm(widths[level - 1]),
                attended=level <= ATTENDED_JOINS,
                # The widest levels but the innermost one, as in pix2pix.
                dropped=widths[level - 1] == WIDEST * config.width and level < levels - 1,
                bias=bias,
            )
            for level in range(levels - 1, 0, -1)
        )
        self.last = nn.ConvTranspose2d(2 * widths[0], 3, 4, stride=2, padding=1, bias=bias)
        initialize_normal(self)

    def forward(self, values: Tensor, mask: Tensor) -> tuple[Tensor, Tensor]:
        """Draw.

        Args:
            values: (F, inputs, H, W) in [-1, 1].
            mask: (F, 1, H, W), 1 = foreground; for norms that need it.
        Returns:
            Values (F, 3, H, W) in [-1, 1], and the map before the last layer, (F, 2 width, H / 2,
            W / 2).
        """
        check_multiple(values, 2 ** len(self.down), 2 ** len(self.down), "this U-Net")
        features, skips = values, []
        for level in self.down:
            features = level(features)
            skips.append(features)
        skips.pop()
        for level in self.up:
            features = level(features, skips.pop(), mask)
        return torch.tanh(self.last(functional.relu(features))), features
