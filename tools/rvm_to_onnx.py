"""Convert Robust Video Matting from its TensorFlow.js form to ONNX; needs tensorflow-cpu and
tf2onnx (see tools/fetch_rvm.sh).

python tools/rvm_to_onnx.py rvm.json rvm_mobilenetv3.onnx

The result has the interface of the official ONNX files: ``src, r1i..r4i, downsample_ratio`` to
``fgr, pha, r1o..r4o``.
"""

from __future__ import annotations

import base64
import json
import sys
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import tensorflow as tf
import tf2onnx
from google.protobuf.json_format import ParseDict

PASSES_ON = {"Identity": 0, "Switch": 0, "Merge": 1}
"""Nodes of the model's two conditionals, by the input that is followed. tf2onnx cannot take them;
the "else" side of both (resize, guided filter) is right for a ratio of 1 too."""
CONVOLUTION_ATTRIBUTES = ("T", "strides", "padding", "dilations")


class Conversion:
    """A TensorFlow graph that is built from the nodes which the outputs need."""

    def __init__(self, path: Path) -> None:
        self.model = json.loads(path.read_text())
        self.nodes = {node["name"]: node for node in self.model["modelTopology"]["node"]}
        self.weights = read_weights(self.model, path.parent)
        self.graph = tf.compat.v1.GraphDef()

    def source(self, reference: str) -> str:
        """What a reference comes down to, past the conditionals."""
        node = self.nodes[reference.split(":")[0]]
        followed = PASSES_ON.get(node["op"])
        return reference if followed is None else self.source(node["input"][followed])

    def build(self) -> dict[str, str]:
        """Emit every node that is needed; returns the outputs: name -> node."""
        outputs = {
            name: self.source(value["name"])
            for name, value in self.model["signature"]["outputs"].items()
        }
        waiting, done = list(outputs.values()), set()
        while waiting:
            node = self.nodes[waiting.pop().split(":")[0]]
            if node["name"] in done:
                continue
            done.add(node["name"])
            inputs = [
                self.source(reference)
                for reference in node.get("input", [])
                if not reference.startswith("^")
            ]
            waiting += inputs
            self.convert(node, inputs)
        for name, node_name in outputs.items():
            if name.split(":")[0] not in done:
                self.emit(name.split(":")[0], "Identity", [node_name], {"T": {"type": "DT_FLOAT"}})
        return outputs

    def convert(self, node: dict[str, Any], inputs: list[str]) -> None:
        name, attributes = node["name"], node.get("attr", {})
        if node["op"] == "Const":
            tensor = tf.make_tensor_proto(self.weights[name])
            self.graph.node.add(name=name, op="Const").attr["value"].tensor.CopyFrom(tensor)
            self.graph.node[-1].attr["dtype"].type = tensor.dtype
        elif "fused_ops" in attributes:
            self.unfuse(node, inputs)
        elif node["op"] == "Placeholder":
            shape = {"shape": {"dim": [{"size": -1}] * (1 if "ratio" in name else 4)}}
            self.emit(name, "Placeholder", inputs, {"shape": shape, "dtype": attributes["dtype"]})
        else:
            self.emit(name, node["op"], inputs, attributes)

    def unfuse(self, node: dict[str, Any], inputs: list[str]) -> None:
        """A fused convolution as a chain of plain nodes; the last keeps the name."""
        name, attributes = node["name"], node["attr"]
        fused = [base64.b64decode(text).decode() for text in attributes["fused_ops"]["list"]["s"]]
        chain = [node["op"].removeprefix("_").removeprefix("Fused"), *fused]
        before = ""
        for place, op in enumerate(chain):
            own = name if op == chain[-1] else f"{name}/{op}"
            if place == 0:
                self.emit(
                    own,
                    op,
                    inputs[:2],
                    {key: attributes[key] for key in CONVOLUTION_ATTRIBUTES if key in attributes},
                )
            else:
                self.emit(
                    own,
                    op,
                    [before, inputs[2]] if op == "BiasAdd" else [before],
                    {"T": {"type": "DT_FLOAT"}},
                )
            before = own

    def emit(self, name: str, op: str, inputs: list[str], attributes: dict[str, Any]) -> None:
        ParseDict(
            {"name": name, "op": op, "input": inputs, "attr": attributes}, self.graph.node.add()
        )


def read_weights(model: dict[str, Any], folder: Path) -> dict[str, np.ndarray]:
    """The constants: they lie end to end in the group's file, quantized to 8 bits."""
    (group,) = model["weightsManifest"]
    blob = (folder / group["paths"][0]).read_bytes()
    found, at = {}, 0
    for weight in group["weights"]:
        quantization = weight.get("quantization")
        kind = np.dtype((quantization or weight)["dtype"])
        values = np.frombuffer(blob, kind, int(np.prod(weight["shape"], dtype=int)), at).reshape(
            weight["shape"]
        )
        at += values.nbytes
        if quantization:
            values = (values * quantization.get("scale", 1) + quantization.get("min", 0)).astype(
                np.float32
            )
        found[weight["name"]] = values
    return found


def main() -> None:
    if len(sys.argv) != 3:
        sys.exit("usage: python tools/rvm_to_onnx.py MODEL.json OUT.onnx")
    source, target = map(Path, sys.argv[1:])
    conversion = Conversion(source)
    outputs = [f"{name.split(':')[0]}:0" for name in conversion.build()]
    inputs = [f"{node.name}:0" for node in conversion.graph.node if node.op == "Placeholder"]
    images = [name for name in inputs if "ratio" not in name]
    net, _ = tf2onnx.convert.from_graph_def(
        conversion.graph,
        input_names=inputs,
        output_names=outputs,
        opset=17,
        inputs_as_nchw=images,
        outputs_as_nchw=outputs,
    )
    for node in net.graph.node:  # "src:0" is called "src" in the official files
        node.input[:] = [
            name.removesuffix(":0") if name in inputs + outputs else name for name in node.input
        ]
        node.output[:] = [
            name.removesuffix(":0") if name in outputs else name for name in node.output
        ]
    for value in [*net.graph.input, *net.graph.output]:
        value.name = value.name.removesuffix(":0")
    onnx.save(net, str(target))


if __name__ == "__main__":
    main()
