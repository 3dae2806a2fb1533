"""Networks of the packaged architecture with numbers of their own, which the packaged graph runs:
recording another graph takes long."""

from __future__ import annotations

from pathlib import Path

import onnx
import onnxruntime
import torch
from onnx import helper

from vhmae.engine.onnx_network import OnnxNetwork, _numbers
from vhmae.model.files import find_card, read_card
from vhmae.model.graph import find_graph, half_of
from vhmae.model.vhmae import VHMAE
from vhmae.model.weights import save_model

SIZE = read_card("default").config.image_size


def like_the_packaged(seed: int = 3) -> VHMAE:
    """A network whose answer depends on all that it sees."""
    torch.manual_seed(seed)
    made = VHMAE(read_card("default").config).eval()
    for name in ("head.local", "head.overall", "look_path.answer"):
        torch.nn.init.normal_(made.get_parameter(f"{name}.weight"), std=0.02)
    return made


def onnx_network(model: VHMAE, folder: Path) -> OnnxNetwork:
    """A network of the packaged architecture by ONNX Runtime, in fp32."""
    weights = folder / "own.safetensors"
    save_model(model, weights, {}, half=False)
    return OnnxNetwork(str(weights), "cpu", "fp32")


def rounding_network(weights: str) -> OnnxNetwork:
    """A network whose fp16 is fp16 on a CPU, too: ONNX Runtime's CPU provider takes away casts that
    stand one behind the other, and multiplies in fp32. Whatever is cast to fp16 passes a step that
    the provider has in fp16."""
    network = OnnxNetwork(weights, "cpu", "fp16")
    card = find_card(weights)
    found = find_graph(card.path, card.config)
    assert found is not None
    model = onnx.load(half_of(found), load_external_data=False)
    _hold_casts(model.graph)
    options = onnxruntime.SessionOptions()
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    values = _numbers(card)
    made = [onnxruntime.OrtValue.ortvalue_from_numpy(one) for one in values.values()]
    options.add_external_initializers(list(values), made)
    network.session = onnxruntime.InferenceSession(model.SerializeToString(), options)
    return network


def _hold_casts(graph: onnx.GraphProto) -> None:
    nodes = []
    for node in graph.node:
        for part in node.attribute:
            if part.HasField("g"):
                _hold_casts(part.g)
        nodes.append(node)
        half = [one.i == onnx.TensorProto.FLOAT16 for one in node.attribute if one.name == "to"]
        product = node.output[0].endswith(".half")
        if any(half) or product:
            name = node.output[0]
            node.output[0] = f"{name}.cast"
            nodes.append(helper.make_node("Identity", [f"{name}.cast"], [name]))
    del graph.node[:]
    graph.node.extend(nodes)
