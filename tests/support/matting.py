"""Small networks with the interfaces of the real ones, made on the spot."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper


def write_rvm(path: Path, kind: int = TensorProto.FLOAT) -> Path:
    """RVM's interface: alpha is the red channel; the first state counts frames, which tells whether
    it is carried."""
    names = [f"r{number}" for number in (1, 2, 3, 4)]
    inputs = [helper.make_tensor_value_info("src", kind, [1, 3, "H", "W"])]
    inputs += [
        helper.make_tensor_value_info(f"{name}i", kind, [1, "c", "h", "w"]) for name in names
    ]
    inputs.append(helper.make_tensor_value_info("downsample_ratio", TensorProto.FLOAT, [1]))
    outputs = [helper.make_tensor_value_info("pha", kind, [1, 1, "H", "W"])]
    outputs += [
        helper.make_tensor_value_info(f"{name}o", kind, [1, "c", "h", "w"]) for name in names
    ]
    dtype = np.float16 if kind == TensorProto.FLOAT16 else np.float32
    constants = [
        numpy_helper.from_array(np.array([0], np.int64), "first"),
        numpy_helper.from_array(np.array([1], np.int64), "second"),
        numpy_helper.from_array(np.array([1], np.int64), "axis"),
        numpy_helper.from_array(np.array(1.0, dtype), "one"),
    ]
    nodes = [helper.make_node("Slice", ["src", "first", "second", "axis"], ["pha"])]
    nodes += [helper.make_node("Add", [f"{name}i", "one"], [f"{name}o"]) for name in names]
    return _save(path, nodes, inputs, outputs, constants)


def write_salient(path: Path, size: int = 32) -> Path:
    """A salient-object network's interface: what is brighter than the middle stands out."""
    inputs = [helper.make_tensor_value_info("input", TensorProto.FLOAT, [1, 3, size, size])]
    outputs = [helper.make_tensor_value_info("output", TensorProto.FLOAT, [1, 1, size, size])]
    constants = [
        numpy_helper.from_array(np.array(20.0, np.float32), "steep"),
        numpy_helper.from_array(np.array([1], np.int64), "channels"),
    ]
    nodes = [
        helper.make_node("ReduceMean", ["input", "channels"], ["mean"], keepdims=1),
        helper.make_node("Mul", ["mean", "steep"], ["steeper"]),
        helper.make_node("Sigmoid", ["steeper"], ["output"]),
    ]
    return _save(path, nodes, inputs, outputs, constants)


def _save(
    path: Path,
    nodes: list[onnx.NodeProto],
    inputs: list[Any],
    outputs: list[Any],
    constants: list[Any],
) -> Path:
    graph = helper.make_graph(nodes, "small", inputs, outputs, constants)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=9)
    onnx.checker.check_model(model)
    onnx.save(model, str(path))
    return path
