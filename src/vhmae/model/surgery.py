"""What is done to a recorded graph before it is kept: weights become names, choices become
branches, names become short. Needs onnx and onnxscript, as recording does."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from typing import Any

FOLDED = 64
"""Constants of more numbers than this stay as the steps that make them."""


def finished(recorded: Any, names: dict[str, str], facts: dict[str, str]) -> bytes:
    """Make a recorded ``onnx_ir.Model`` small, and free of weights.

    Args:
        names: of weights as they were recorded, and as their file has them.
        facts: metadata to keep in the graph.
    """
    import onnx_ir
    from onnx_ir.passes import common
    from onnxscript import optimizer

    graph = recorded.graph
    weights = sorted(name for name in graph.initializers if name in names)
    for name in weights:  # as inputs they cannot be folded into constants
        value = graph.initializers.pop(name)
        value.const_value = None
        graph.inputs.append(value)
    optimizer.fold_constants(recorded, input_size_limit=FOLDED, output_size_limit=FOLDED)
    common.LiftConstantsToInitializersPass(lift_all_constants=True, size_limit=0)(recorded)
    common.DeduplicateInitializersPass()(recorded)
    common.CommonSubexpressionEliminationPass()(recorded)
    common.RemoveUnusedNodesPass()(recorded)
    model = onnx_ir.to_proto(recorded)
    taken = [one for one in model.graph.input if one.name in weights]
    for one in taken:
        model.graph.input.remove(one)
    scalars = _scalars(model.graph)
    short = _short_names(model.graph, {name: names[name] for name in weights})
    for node in model.graph.node:
        _rename(node, short)
    for tensor in model.graph.initializer:
        tensor.name = short[tensor.name]
        del tensor.metadata_props[:]
    outputs = {one.name for one in model.graph.output}
    nodes = branched(list(model.graph.node), outputs, {short[name] for name in scalars})
    used = {name for node in nodes for name in _inputs_of(node)}
    del model.graph.node[:], model.graph.value_info[:], model.metadata_props[:]
    model.graph.node.extend(nodes)
    for one in taken:
        if short[one.name] in used:
            _add_weight(model.graph, short[one.name], one.type.tensor_type)
    for part in (model.graph, *model.graph.input, *model.graph.output):
        del part.metadata_props[:]
    for key, value in facts.items():
        model.metadata_props.add(key=key, value=value)
    return bytes(model.SerializeToString(deterministic=True))


def halved(graph: bytes) -> bytes:
    """The same graph with the products of its layers in fp16: what goes into them and what comes
    out is cast, and all else, color mathematics before all, stays in fp32.

    Args:
        graph: of :func:`finished`.
    """
    import onnx

    model = onnx.load_from_string(graph)
    weights = {
        one.name
        for one in model.graph.initializer
        if one.data_location == onnx.TensorProto.EXTERNAL
    }
    _halve(model.graph, weights)
    return bytes(model.SerializeToString(deterministic=True))


def _halve(graph: Any, weights: set[str]) -> None:
    """Cast around each product with weights, which may be transposed first; those of branches
    too."""
    from onnx import TensorProto, helper

    nodes: list[Any] = []
    known = set(weights)
    for node in graph.node:
        for body in _bodies(node):
            _halve(body, known)
        if node.op_type == "Transpose" and node.input[0] in known:
            known.update(node.output)
        if node.op_type not in ("MatMul", "Gemm") or not known.intersection(node.input):
            nodes.append(node)
            continue
        (name,) = node.output
        half = [f"{name}.{place}" for place in range(len(node.input))]
        for taken, made in zip(node.input, half, strict=True):
            nodes.append(helper.make_node("Cast", [taken], [made], to=TensorProto.FLOAT16))
        product = helper.make_node(node.op_type, half, [f"{name}.half"])
        product.attribute.extend(node.attribute)
        back = helper.make_node("Cast", [f"{name}.half"], [name], to=TensorProto.FLOAT)
        nodes += [product, back]
    del graph.node[:]
    graph.node.extend(nodes)


def branched(nodes: Sequence[Any], needed: set[str], scalars: set[str]) -> list[Any]:
    """Have every choice between two values by a scalar run the chosen side alone: ``Where`` becomes
    ``If``, and what one side alone needs moves into its branch.

    Args:
        nodes: in an order in which each stands behind what it takes.
        needed: names that are asked for from outside.
        scalars: names of single truth values.
    """
    from onnx import helper

    for place, node in reversed(list(enumerate(nodes))):
        if node.op_type != "Where" or node.input[0] not in scalars:
            continue
        sides = [_needed_alone(nodes, place, name, needed) for name in node.input[1:]]
        if min(map(len, sides)) < 2:  # a branch would cost more than it saves
            continue
        bodies = []
        for name, side in zip(node.input[1:], sides, strict=True):
            inner = branched([nodes[at] for at in sorted(side)], {name}, scalars)
            result = helper.make_empty_tensor_value_info(name)
            bodies.append(helper.make_graph(inner, "side", [], [result]))
        yes, no = bodies
        chosen = helper.make_node(
            "If", [node.input[0]], list(node.output), then_branch=yes, else_branch=no
        )
        moved = set.union(*sides)
        rest = [chosen if one is node else one for one in nodes]
        return branched([one for at, one in enumerate(rest) if at not in moved], needed, scalars)
    return list(nodes)


def _needed_alone(nodes: Sequence[Any], place: int, name: str, needed: set[str]) -> set[int]:
    """The places of the nodes that are needed for one input of the node at ``place``, and for
    nothing else."""
    takers: dict[str, set[int]] = defaultdict(set)
    for at, node in enumerate(nodes):
        for taken in _inputs_of(node):
            takers[taken].add(at)
    if takers[name] != {place} or list(nodes[place].input).count(name) != 1 or name in needed:
        return set()
    alone: set[int] = set()
    for at in range(place - 1, -1, -1):
        given = nodes[at].output
        by = set().union(*(takers[one] for one in given))
        makes = name in given and by == {place}
        if not needed.intersection(given) and (makes or (by and by <= alone)):
            alone.add(at)
    return alone


def _inputs_of(node: Any) -> Iterator[str]:
    """What a node takes, those of its branches included."""
    yield from filter(None, node.input)
    for body in _bodies(node):
        made = {name for one in body.node for name in one.output}
        yield from (name for one in body.node for name in _inputs_of(one) if name not in made)


def _bodies(node: Any) -> Iterator[Any]:
    return (one.g for one in node.attribute if one.HasField("g"))


def _scalars(graph: Any) -> set[str]:
    """Names of single truth values."""
    from onnx import TensorProto

    return {
        one.name
        for one in (*graph.value_info, *graph.input)
        if one.type.tensor_type.elem_type == TensorProto.BOOL
        and one.type.tensor_type.HasField("shape")
        and not one.type.tensor_type.shape.dim
    }


def _short_names(graph: Any, weights: dict[str, str]) -> dict[str, str]:
    """What the graph takes and gives keeps its name; weights are named as in their file; all else
    is numbered."""
    names = {one.name: one.name for one in (*graph.input, *graph.output)} | weights
    inner = [one.name for one in graph.initializer]
    inner += [name for node in graph.node for name in (*node.input, *node.output)]
    inner += [one.name for one in graph.value_info]
    for name in inner:
        names.setdefault(name, f"v{len(names)}" if name else "")
    return names


def _rename(node: Any, names: dict[str, str]) -> None:
    node.name = node.doc_string = ""
    del node.metadata_props[:]
    for listed in (node.input, node.output):
        kept = [names[name] for name in listed]
        del listed[:]
        listed.extend(kept)


def _add_weight(graph: Any, name: str, kind: Any) -> None:
    from onnx import TensorProto

    tensor = graph.initializer.add(name=name, data_type=kind.elem_type)
    tensor.dims.extend(side.dim_value for side in kind.shape.dim)
    tensor.data_location = TensorProto.EXTERNAL
    # A file of its name, as far as a graph can say; whoever runs it hands the numbers over.
    tensor.external_data.add(key="location", value=name)
