"""A scripted model made ready for Nuke: frozen, its knobs kept, at home on any device and in half
precision."""

from __future__ import annotations

import contextlib
import warnings
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import torch
from torch import nn
from torch.jit._trace import TracerWarning


@contextlib.contextmanager
def quietly() -> Iterator[None]:
    """Without what torch says of tracing and scripting: of its newer ways none makes what Nuke
    reads, and the shapes that a trace takes for constants are meant to be constant."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        warnings.simplefilter("ignore", TracerWarning)
        yield


def freeze(model: nn.Module, knobs: Sequence[str]) -> torch.jit.ScriptModule:
    """Script and freeze a model whose ``forward`` takes one tensor.

    Freezing would take knobs for constants, which could still be set and would do nothing: those
    named here stay attributes.
    """
    with quietly():
        scripted = torch.jit.script(model.eval())
        frozen = torch.jit.freeze(scripted, preserved_attrs=[*knobs], optimize_numerics=False)
    _follow_the_image(frozen.graph)
    return frozen


def _follow_the_image(graph: Any) -> None:
    """Let the constants of a graph go where its image is.

    A frozen model has no parameters that Nuke could move to a GPU or halve: its numbers are
    constants, on the CPU and in fp32. Each is taken to the image's device where it is used (27 MB
    a frame), and devices that tracing has written down are the image's.
    """
    image = [*graph.inputs()][1]
    for node in [*graph.findAllNodes("prim::Constant", recurse=True)]:
        value = node.output()
        if str(value.type()) == "Device":
            graph.setInsertPoint(node)
            place = graph.create("prim::device", [image])
            place.output().setType(value.type())
            graph.insertNode(place)
            value.replaceAllUsesWith(place.output())
        elif value.type().isSubtypeOf(torch._C.TensorType.get()):
            uses = [*value.uses()]
            graph.setInsertPoint(node)
            place = graph.create("prim::device", [image])
            place.output().setType(torch._C.DeviceObjType.get())
            graph.insertNode(place)
            none, no = graph.insertConstant(None), graph.insertConstant(False)
            moved = graph.create("aten::to", [value, place.output(), none, no, no])
            moved.insertAfter(node)
            moved.output().setType(value.type())
            for use in uses:
                use.user.replaceInputWith(value, moved.output())


def save(frozen: torch.jit.ScriptModule, path: Path) -> None:
    """Write a frozen model."""
    with quietly():
        torch.jit.save(frozen, str(path))


def load(path: Path) -> torch.jit.ScriptModule:
    """Read a written model again."""
    with quietly():
        return torch.jit.load(str(path))
