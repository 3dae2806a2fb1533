"""Networks of the packaged architecture with numbers of their own, which the packaged graph runs:
recording another graph takes long."""

from __future__ import annotations

from pathlib import Path

import torch

from vhmae.engine.onnx_network import OnnxNetwork
from vhmae.model.files import read_card
from vhmae.model.vhmae import VHMAE
from vhmae.model.weights import save_model

SIZE = read_card("default").config.image_size


def like_the_packaged(seed: int = 3) -> VHMAE:
    """A network whose answer depends on all that it sees."""
    torch.manual_seed(seed)
    made = VHMAE(read_card("default").config).eval()
    assert made.look_path is not None
    for layer in (made.head.local, made.head.overall, made.look_path.answer):
        assert isinstance(layer, torch.nn.Linear)
        torch.nn.init.normal_(layer.weight, std=0.02)
    return made


def onnx_network(model: VHMAE, folder: Path) -> OnnxNetwork:
    """A network of the packaged architecture by ONNX Runtime, in fp32."""
    weights = folder / "own.safetensors"
    save_model(model, weights, {}, half=False)
    return OnnxNetwork(str(weights), "cpu", "fp32")
