"""Networks that are small enough for a test."""

from __future__ import annotations

import dataclasses

import torch

from vhmae.model.config import LikenessConfig, LookConfig, ModelConfig
from vhmae.model.heads import Change, Transform
from vhmae.model.vhmae import VHMAE

TINY = ModelConfig(
    image_size=64,
    clip_frames=2,
    embed_dim=32,
    encoder_depth=2,
    encoder_heads=2,
    decoder_dim=32,
    decoder_depth=1,
    decoder_heads=2,
    pattern_dim=32,
    look=LookConfig(members=2, width=16, histogram_width=8),
)

LIKENESS = LikenessConfig(width=16, blocks=1, dim=8, cells=6, likes=3, read_width=8, heads=2)


def window(seed: int = 0, frames: int = 2, size: int = 64) -> tuple[torch.Tensor, torch.Tensor]:
    torch.manual_seed(seed)
    mask = torch.zeros(2, frames, 1, size, size, dtype=torch.bool)
    mask[:, :, :, 10:30, 20:44] = True
    return torch.rand(2, frames, 3, size, size), mask


def model(**changes: object) -> VHMAE:
    torch.manual_seed(3)
    return VHMAE(dataclasses.replace(TINY, **changes)).eval()  # type: ignore[arg-type]  # fields of many kinds


def changing_model() -> VHMAE:
    """A model whose answer depends on what it sees."""
    network = model()
    torch.manual_seed(5)
    for name in ("local", "overall"):
        torch.nn.init.normal_(network.get_parameter(f"head.{name}.weight"), std=0.02)
    return network


def model_with_likes() -> VHMAE:
    """A model whose look path reads what of the foreground has its like in the background."""
    return model(look=dataclasses.replace(TINY.look, likeness=LIKENESS))  # type: ignore[type-var]


def maps(change: Change) -> Transform:
    """A change of the photometric head, which is made of color maps."""
    assert isinstance(change, Transform)
    return change
