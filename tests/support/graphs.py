"""The graph of the tiny network of tests, recorded once: recording takes long."""

from __future__ import annotations

import shutil
from pathlib import Path

from vhmae.engine.onnx_network import OnnxNetwork
from vhmae.model.vhmae import VHMAE
from vhmae.model.weights import save_model

TINY_GRAPH = Path(__file__).with_name("tiny.onnx")
"""Of ``networks.TINY``; a long test records it again."""


def onnx_network(model: VHMAE, folder: Path) -> OnnxNetwork:
    """A tiny network by ONNX Runtime, in fp32."""
    weights = folder / "tiny.safetensors"
    save_model(model, weights, {}, half=False)
    shutil.copy(TINY_GRAPH, weights.with_suffix(".onnx"))
    return OnnxNetwork(str(weights), "cpu", "fp32")
