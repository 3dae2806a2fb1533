"""Graphs as they are recorded: choices become branches, and weights are names alone."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import pytest
from onnx import TensorProto, helper

from tests.support.commands import error_of
from tests.support.graphs import rounding_network
from tests.support.networks import TINY, changing_model, model
from tests.support.scenes import moving_scene
from vhmae.cli import main
from vhmae.engine.backends import open_network
from vhmae.engine.harmonizer import Harmonizer
from vhmae.engine.torch_network import TorchNetwork
from vhmae.errors import InputError
from vhmae.model import export
from vhmae.model.export import export_graph
from vhmae.model.files import packaged_weights, read_card
from vhmae.model.graph import half_of, packaged_graph
from vhmae.model.surgery import branched, halved
from vhmae.model.weights import load_model, save_model

ROOT = Path(__file__).parents[2]
PACKAGED = packaged_graph(read_card("default").config)


def chosen_by_where() -> onnx.GraphProto:
    """``chosen ? log(x) + x * 2 : x * 3 + 1 where the product is used outside as well``."""
    nodes = [
        helper.make_node("Log", ["x"], ["log"]),
        helper.make_node("Add", ["x", "x"], ["twice"]),
        helper.make_node("Add", ["log", "twice"], ["yes"]),
        helper.make_node("Mul", ["x", "three"], ["shared"]),
        helper.make_node("Neg", ["shared"], ["negative"]),
        helper.make_node("Exp", ["negative"], ["no"]),
        helper.make_node("Where", ["chosen", "yes", "no"], ["out"]),
        helper.make_node("Identity", ["shared"], ["other"]),
    ]
    rows = helper.make_tensor_value_info
    return helper.make_graph(
        nodes,
        "graph",
        [rows("x", TensorProto.FLOAT, [4]), rows("chosen", TensorProto.BOOL, [])],
        [rows("out", TensorProto.FLOAT, [4]), rows("other", TensorProto.FLOAT, [4])],
        [helper.make_tensor("three", TensorProto.FLOAT, [], [3.0])],
    )


def run(graph: onnx.GraphProto, chosen: bool) -> list[np.ndarray]:
    made = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 20)], ir_version=10)
    session = onnxruntime.InferenceSession(made.SerializeToString())
    x = np.array([0.1, 0.5, 1.0, 2.0], np.float32)
    return session.run(None, {"x": x, "chosen": np.array(chosen)})


@pytest.mark.parametrize("chosen", [True, False])
def test_a_choice_runs_the_chosen_side_alone_and_says_the_same(chosen: bool) -> None:
    plain, made = chosen_by_where(), chosen_by_where()
    nodes = branched(list(plain.node), {"out", "other"}, {"chosen"})
    del made.node[:]
    made.node.extend(nodes)
    (branch,) = (node for node in made.node if node.op_type == "If")
    sides = {part.name: [node.op_type for node in part.g.node] for part in branch.attribute}
    assert sides == {"then_branch": ["Log", "Add", "Add"], "else_branch": ["Neg", "Exp"]}
    assert [node.op_type for node in made.node] == ["Mul", "If", "Identity"]  # what is shared stays
    for ours, theirs in zip(run(made, chosen), run(plain, chosen), strict=True):
        assert np.array_equal(ours, theirs)


def test_the_packaged_graph_in_fp16_is_made_of_that_in_fp32() -> None:
    half = half_of(PACKAGED)
    assert half.stat().st_size < 300_000
    assert halved(PACKAGED.read_bytes()) == half.read_bytes()


def test_the_packaged_graph_holds_names_of_weights_and_no_weights() -> None:
    assert PACKAGED.stat().st_size < 300_000
    held = onnx.load(PACKAGED, load_external_data=False).graph
    weights = [one for one in held.initializer if one.data_location == TensorProto.EXTERNAL]
    assert len(weights) > 20
    inside = [one for one in held.initializer if one.data_location != TensorProto.EXTERNAL]
    assert max(int(np.prod(one.dims)) for one in inside) <= 64
    for one in (*held.input[:2], held.output[1]):
        sides = [side.dim_param for side in one.type.tensor_type.shape.dim[:2]]
        assert all(sides), f"{one.name}: batch and frames are fixed"
    assert sum(node.op_type == "If" for node in held.node) >= 3


def test_what_a_graph_cannot_hold_is_refused() -> None:
    with pytest.raises(InputError, match="masking random: draws what it hides"):
        export_graph(model(masking="random"))
    look = model().config.look
    assert look is not None
    luma = model(look=type(look)(members=2, width=16, histogram_width=8, basis="luma"))
    with pytest.raises(InputError, match="basis luma: solves equations"):
        export_graph(luma)


def test_a_graph_has_a_name_of_its_kind(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    save_model(model(), tmp_path / "w.safetensors", {})
    weights = str(tmp_path / "w.safetensors")
    told = error_of("weights", "export-onnx", weights, "-o", tmp_path / "w.pt", capsys=capsys)
    assert "is no .onnx file" in told


def test_every_packaged_architecture_has_its_graph_and_no_other_lies_there() -> None:
    graphs = {name: packaged_graph(read_card(name).config) for name in packaged_weights()}
    wanted = {one for path in graphs.values() for one in (path, half_of(path))}
    assert {*PACKAGED.parent.iterdir()} == wanted, "run python tools/record_graphs.py"


def test_the_page_without_a_server_takes_the_graph_of_its_weights() -> None:
    listed = json.loads((ROOT / "frontend" / "graphs.json").read_text())
    wanted = {name: packaged_graph(read_card(name).config).name for name in packaged_weights()}
    assert listed == wanted, "run python tools/record_graphs.py"
    build = (ROOT / "frontend" / "build.mjs").read_text()
    assert "graphs.json" in build
    assert not [name for name in wanted.values() if name in build]


@pytest.mark.long
def test_the_packaged_graph_is_that_of_this_code() -> None:
    assert export_graph(load_model()) == PACKAGED.read_bytes()


def test_a_graph_for_either_precision_is_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Recording takes long: the packaged graph stands for what is recorded."""
    monkeypatch.setattr(export, "export_graph", lambda model: PACKAGED.read_bytes())
    weights = tmp_path / "own.safetensors"
    shutil.copy(read_card("default").path, weights)
    report = tmp_path / "report.json"
    assert main(["weights", "export-onnx", str(weights), "-q", "--json", str(report)]) == 0
    graph, half = tmp_path / "own.onnx", tmp_path / "own.fp16.onnx"
    assert json.loads(report.read_text()) == {
        "schema": 1,
        "graph": str(graph),
        "bytes": graph.stat().st_size,
    }
    assert {path.name for path in tmp_path.iterdir()} == {
        *(path.name for path in (weights, graph, half, report)),
    }
    assert graph.read_bytes() == PACKAGED.read_bytes()
    assert half.read_bytes() == half_of(PACKAGED).read_bytes()
    assert open_network(str(weights), "onnx", "cpu", "fp16").precision == "fp16"


@pytest.mark.long
def test_what_the_command_records_answers_in_both_precisions(tmp_path: Path) -> None:
    """A network of another architecture than the packaged ones, by its own files alone."""
    weights = tmp_path / "own.safetensors"
    network = changing_model()
    save_model(network, weights, {}, half=False)
    assert not packaged_graph(TINY).exists()
    assert main(["weights", "export-onnx", str(weights), "-q"]) == 0
    assert half_of(tmp_path / "own.onnx").read_bytes() == halved(
        (tmp_path / "own.onnx").read_bytes()
    )
    frames, masks = moving_scene(9, 160, 96)
    ways = (
        TorchNetwork(network, "cpu", "fp32"),
        open_network(str(weights), "onnx", "cpu", "fp32"),
        rounding_network(str(weights)),
    )
    by_torch, whole, half = (
        np.stack(list(Harmonizer(way, caution=0.0).harmonize(frames, masks))).astype(int)
        for way in ways
    )
    assert np.abs(by_torch - frames).max() > 10
    assert np.abs(whole - by_torch).max() <= 1
    assert np.abs(half - whole).max() <= 1
