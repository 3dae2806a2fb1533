"""Tiny networks of every compared method, and clips for them."""

from __future__ import annotations

import torch
from torch import Tensor

from vhmae.comparators.co2net import Co2Net
from vhmae.comparators.comparator import Comparator, FrameComparator
from vhmae.comparators.dovenet import DoveNet
from vhmae.comparators.harmony_transformer import (
    HarmonyTransformer,
    HarmonyTransformerConfig,
    HarmonyTransformerPlus,
)
from vhmae.comparators.huang import Huang
from vhmae.comparators.idih import Idih, IdihConfig
from vhmae.comparators.is2am import Is2am, Is2amConfig
from vhmae.comparators.pct_net import PctNet, PctNetConfig
from vhmae.comparators.rainnet import RainNet
from vhmae.comparators.unet import UNetConfig

SIDE = 32
UNET = UNetConfig(levels=5, width=4)
IS2AM = Is2amConfig(width=4)
TRANSFORMER = HarmonyTransformerConfig(dim=16, depth=2, feed_forward=16)
FRAME_METHODS: dict[str, tuple[type[FrameComparator], object]] = {
    "is2am": (Is2am, IS2AM),
    "rainnet": (RainNet, UNET),
    "dovenet": (DoveNet, UNET),
    "ht": (HarmonyTransformer, TRANSFORMER),
    "ht-plus": (HarmonyTransformerPlus, TRANSFORMER),
    "idih": (Idih, IdihConfig(widths=(8, 8, 16, 16), last_width=4)),
    "pct-net": (PctNet, PctNetConfig(width=4, image_size=SIDE)),
}


def tiny(name: str, seed: int = 0) -> Comparator:
    """A small network of a method of the catalogue."""
    torch.manual_seed(seed)
    family, _, backbone = name.rpartition("-")
    if family in ("huang", "co2net"):
        kind, config = FRAME_METHODS[backbone]
        return Huang(kind(config)) if family == "huang" else Co2Net(kind(config))
    kind, config = FRAME_METHODS[name]
    return kind(config)


def clip(batch: int = 2, frames: int = 2, side: int = SIDE, seed: int = 1) -> tuple[Tensor, ...]:
    """Composite and target (B, T, 3, S, S), mask (B, T, 1, S, S): smooth, a block inside."""
    generator = torch.Generator().manual_seed(seed)
    rough = torch.rand(batch, frames, 3, 4, 4, generator=generator)
    target = torch.nn.functional.interpolate(
        rough.flatten(0, 1), (side, side), mode="bicubic", align_corners=True
    ).clamp(0.0, 1.0)
    target = target.unflatten(0, (batch, frames))
    mask = torch.zeros(batch, frames, 1, side, side, dtype=torch.bool)
    mask[..., side // 4 : side // 2, side // 4 : 3 * side // 4] = True
    composite = torch.where(mask, 0.6 * target + 0.1, target)
    return composite, mask, target
