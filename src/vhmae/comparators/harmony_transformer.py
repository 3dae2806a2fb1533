"""ITH: Image Harmonization with Transformer: HT, and HT+ of its journal form.

VHMAE's Table 1 prints fMSE 368.92, MSE 47.30.
Guo, Guo, Zheng, Gu, Zheng, Dong, ICCV 2021 (HT); Guo, Gu, Zheng, Dong, Zheng, TPAMI (HT+). The
disentangled D-HT is left out; the paper does not say which one it compares, and figures quoted for
"ITH" elsewhere are D-HT's.
Differs from the publication: the position code is made for the size at hand; crops and
flips are the house's own.
The output is blended with the composite after the loss, where it is scored.
Letters: F frames, L tokens, D embedding, H and W rows and columns.
"""

from __future__ import annotations

import dataclasses
import functools

import torch
from torch import Tensor, nn

from vhmae.comparators.comparator import (
    SIGNED,
    FrameComparator,
    FramePrediction,
    Schedule,
    check_multiple,
    check_side,
)
from vhmae.comparators.losses import scaled_l1
from vhmae.errors import InputError
from vhmae.model.transformer import attend

SCHEDULE = Schedule(
    learning_rate=1e-4, betas=(0.5, 0.999), batch_size=None, epochs=60, flat_epochs=30
)
L1_WEIGHT = 100.0
PATCH = 4


@dataclasses.dataclass(frozen=True, kw_only=True)
class HarmonyTransformerConfig:
    """Size of HT and HT+."""

    dim: int = 256
    """D; a multiple of 4 and of the heads."""
    depth: int = 9
    """Encoder layers."""
    heads: int = 2
    feed_forward: int = 512
    """Hidden width of the layers' feed-forward part."""

    def __post_init__(self) -> None:
        if self.dim % 4 or self.dim % self.heads:
            raise InputError(f"dim={self.dim}: expected a multiple of 4 and of heads={self.heads}")

    @classmethod
    def for_size(cls, image_size: int) -> HarmonyTransformerConfig:
        """The published network, whatever the size."""
        check_side(image_size, PATCH, 2 * PATCH, "ITH")
        return cls()


@functools.lru_cache(maxsize=16)
def sine_code(rows: int, columns: int, dim: int) -> Tensor:
    """Fixed sin-cos code of two dimensions: (L, D), half of it for the rows. Not written to."""

    def of_axis(count: int) -> Tensor:
        rates = 10000.0 ** -(torch.arange(dim // 4, dtype=torch.float64) / (dim // 4))
        angles = torch.arange(count, dtype=torch.float64).unsqueeze(1) * rates
        return torch.cat([angles.sin(), angles.cos()], dim=1).float()

    down = of_axis(rows).unsqueeze(1).expand(-1, columns, -1)
    across = of_axis(columns).unsqueeze(0).expand(rows, -1, -1)
    return torch.cat([down, across], dim=-1).reshape(rows * columns, dim)


class Layer(nn.Module):
    """Attention and feed-forward part, each normalised after its residual (post-norm)."""

    def __init__(self, config: HarmonyTransformerConfig) -> None:
        super().__init__()
        dim = config.dim
        self.heads = config.heads
        self.to_query = nn.Linear(dim, dim)
        self.to_key = nn.Linear(dim, dim)
        self.to_value = nn.Linear(dim, dim)
        self.join_heads = nn.Linear(dim, dim)
        self.attention_norm = nn.LayerNorm(dim)
        self.feed_forward = nn.Sequential(
            nn.Linear(dim, config.feed_forward), nn.GELU(), nn.Linear(config.feed_forward, dim)
        )
        self.feed_forward_norm = nn.LayerNorm(dim)

    def forward(self, tokens: Tensor, position: Tensor) -> Tensor:
        """One layer: tokens (F, L, D), position (L, D), which queries and keys alone are told."""
        placed = tokens + position
        query, key, value = (
            project(source).unflatten(-1, (self.heads, -1)).transpose(1, 2)  # (F, heads, L, d)
            for project, source in (
                (self.to_query, placed),
                (self.to_key, placed),
                (self.to_value, tokens),
            )
        )
        attended = attend(query, key, value, None)
        tokens = self.attention_norm(tokens + self.join_heads(attended.transpose(1, 2).flatten(2)))
        return self.feed_forward_norm(tokens + self.feed_forward(tokens))


class Layers(nn.Module):
    """The encoder layers on a map: (F, D, rows, columns) -> the same; no norm at the end."""

    def __init__(self, config: HarmonyTransformerConfig) -> None:
        super().__init__()
        self.layers = nn.ModuleList(Layer(config) for _ in range(config.depth))
        for layer in self.modules():
            if isinstance(layer, nn.Linear):
                nn.init.xavier_uniform_(layer.weight)
                nn.init.zeros_(layer.bias)

    def forward(self, features: Tensor) -> Tensor:
        dim, rows, columns = features.shape[1:]
        position = sine_code(rows, columns, dim).to(features)
        tokens = features.flatten(2).transpose(1, 2)  # (F, L, D)
        for layer in self.layers:
            tokens = layer(tokens, position)
        return tokens.transpose(1, 2).reshape(features.shape)


def _convolution(inputs: int, outputs: int, kernel: int, stride: int = 1) -> nn.Conv2d:
    padding = (kernel - 1) // 2
    convolution = nn.Conv2d(
        inputs, outputs, kernel, stride=stride, padding=padding, padding_mode="reflect"
    )
    nn.init.normal_(convolution.weight, std=0.02)
    assert convolution.bias is not None
    nn.init.zeros_(convolution.bias)
    return convolution


class _Transformer(FrameComparator):
    """What HT and HT+ share: embedding -> layers -> decoder, and the loss."""

    value_scale = SIGNED
    blends_before_loss = False
    embed: nn.Module
    layers: Layers
    decode: nn.Module

    def predict(self, frames: Tensor, mask: Tensor) -> FramePrediction:
        check_multiple(frames, PATCH, 2 * PATCH, type(self).__name__)
        told = torch.cat([self.value_scale.scale(frames), mask], dim=1)
        features = self.layers(self.embed(told))
        drawn = self.value_scale.unscale(torch.tanh(self.decode(features)))
        return FramePrediction(drawn, features)

    def frame_losses(
        self, predicted: FramePrediction, composite: Tensor, mask: Tensor, target: Tensor
    ) -> dict[str, Tensor]:
        """100 L1 of the whole frame as drawn, in values of [-1, 1]."""
        l1 = scaled_l1(predicted.frames, target, self.value_scale)
        return {"loss": L1_WEIGHT * l1, "l1": l1}


class HarmonyTransformer(_Transformer):
    """HT as of ICCV 2021: convolutions on either side of the layers."""

    def __init__(self, config: HarmonyTransformerConfig) -> None:
        super().__init__()
        self.config = config
        dim = self.feature_channels = config.dim
        widths = (dim // 4, dim // 2, dim)
        self.embed = nn.Sequential(
            _convolution(4, widths[0], 7),
            nn.InstanceNorm2d(widths[0]),
            nn.LeakyReLU(0.2),
            _convolution(widths[0], widths[1], 4, 2),
            nn.InstanceNorm2d(widths[1]),
            nn.LeakyReLU(0.2),
            _convolution(widths[1], widths[2], 4, 2),
            nn.InstanceNorm2d(widths[2]),
            nn.LeakyReLU(0.2),
        )
        self.layers = Layers(config)
        # Group norm of one group: over all channels and positions, with an affine map a channel.
        self.decode = nn.Sequential(
            nn.Upsample(scale_factor=2),
            _convolution(dim, widths[1], 5),
            nn.GroupNorm(1, widths[1]),
            nn.LeakyReLU(0.2),
            nn.Upsample(scale_factor=2),
            _convolution(widths[1], widths[0], 5),
            nn.GroupNorm(1, widths[0]),
            nn.LeakyReLU(0.2),
            _convolution(widths[0], 3, 7),
        )


class HarmonyTransformerPlus(_Transformer):
    """HT+ as of TPAMI 2022: linear patches in, one transposed convolution out."""

    def __init__(self, config: HarmonyTransformerConfig) -> None:
        super().__init__()
        self.config = config
        self.feature_channels = config.dim
        embed = nn.Conv2d(4, config.dim, PATCH, stride=PATCH)
        decode = nn.ConvTranspose2d(config.dim, 3, PATCH, stride=PATCH)
        for layer in (embed, decode):
            nn.init.normal_(layer.weight, std=0.02)
            assert layer.bias is not None
            nn.init.zeros_(layer.bias)
        self.embed, self.layers, self.decode = embed, Layers(config), decode
