"""A network as an ONNX graph: the whole answer of a window, with batch, key frames and masks of any
number. The graph holds no weights: their names stand in it, and whoever runs it takes the numbers
from the safetensors file.
"""

from __future__ import annotations

import dataclasses
import json
import warnings
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from vhmae.color.pixels import PIXELS, SETS
from vhmae.errors import InputError
from vhmae.model.files import find_card
from vhmae.model.graph import ARCHITECTURE, FACTS, SUFFIX, GraphFacts, architecture, half_of
from vhmae.model.surgery import finished, halved
from vhmae.model.vhmae import VHMAE
from vhmae.model.weights import load_model
from vhmae.model.window import answer_window
from vhmae.partial_output import whole_file

OPSET = 20
_PREFIX = "model."


class _Recorded(nn.Module):
    """What is recorded: an answer in the place of a change that can be applied."""

    def __init__(self, model: VHMAE) -> None:
        super().__init__()
        self.model = model

    def forward(
        self,
        frames: Tensor,
        masks: Tensor,
        surveyed: Tensor | None = None,
        *sets: Tensor,
    ) -> tuple[Tensor, ...]:
        read = None if surveyed is None else (list(sets[:-1]), sets[-1])
        change, squared = answer_window(self.model, frames, masks, read, surveyed)
        maps = change.maps()
        if maps is None:
            return change.apply(frames) - frames, squared
        return maps.overall, maps.local, squared


def export_onnx(weights: str, output: Path | None = None) -> tuple[Path, int]:
    """Write the graph of weights, and beside it the one with products in fp16.

    Args:
        weights: packaged name, path, or ``hf:owner/name``.
        output: the file to write; None is beside the weights, where the engine finds it.
    Returns:
        The file of the former, and its size in bytes.
    Raises:
        InputError: as :func:`export_graph`, and for a file of another kind.
    """
    path = find_card(weights).path.with_suffix(SUFFIX) if output is None else output
    if path.suffix != SUFFIX:
        raise InputError(f"{path}: is no {SUFFIX} file; name one", field="output")
    graph = export_graph(load_model(weights))
    for place, made in ((half_of(path), halved(graph)), (path, graph)):
        with whole_file(place) as part:
            part.write_bytes(made)
    return path, len(graph)


def export_graph(model: VHMAE) -> bytes:
    """Record a network's answer.

    Returns:
        The graph: see ``model.graph`` for what it takes and gives.
    Raises:
        InputError: where a network does what a graph cannot hold, or what records is not installed.
    """
    _check(model)
    config, maps = model.config, model.head.holds_between_key_frames
    model = model.float().cpu().eval()
    batch, frames = torch.export.Dim("batch"), torch.export.Dim("frames")
    size = config.image_size
    inputs: list[Tensor] = [
        torch.rand(2, 4, 3, size, size),
        torch.zeros(2, 4, 1, size, size, dtype=torch.bool),
    ]
    names, free = ["frames", "masks"], [{0: batch, 1: frames}] * 2
    if config.look is not None:
        names += ["surveyed", *SETS, "shares"]
        inputs += [torch.tensor(False), *(torch.rand(2, count + 1, 3) for count in PIXELS)]
        inputs += [torch.rand(2, len(SETS))]
        free += [{}, *({0: batch, 1: torch.export.Dim(f"{name}_pixels")} for name in SETS)]
        free += [{0: batch}]
    outputs = ["overall", "local", "squared"] if maps else ["drawn", "squared"]
    with torch.no_grad(), warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of torch about itself
        recorded: Any = torch.onnx.export(
            _Recorded(model),
            tuple(inputs),
            dynamo=True,
            verbose=False,
            optimize=False,
            opset_version=OPSET,
            input_names=names,
            output_names=outputs,
            dynamic_shapes=(*free[:3], tuple(free[3:])) if len(free) > 3 else tuple(free),
        )
    facts = GraphFacts(holds_between_key_frames=maps, usual_caution=type(model.head).usual_caution)
    told = {
        ARCHITECTURE: json.dumps(architecture(config), sort_keys=True),
        FACTS: json.dumps(dataclasses.asdict(facts)),
    }
    parameters = {f"{_PREFIX}{key}": key for key in model.state_dict()}
    return finished(recorded.model, parameters, told)


def _check(model: VHMAE) -> None:
    try:
        import onnx  # noqa: F401
        import onnxscript  # noqa: F401
    except ImportError as error:
        raise InputError(
            f"weights export-onnx: needs {error.name}; install it with: pip install 'vhmae[export]'"
        ) from None
    look = model.config.look
    if look is not None and look.basis == "luma":
        raise InputError(
            "look.basis luma: solves equations, for which a graph has no step; run these weights "
            "with `backend` torch"
        )
    if model.config.masking not in ("foreground", "none"):
        raise InputError(
            f"masking {model.config.masking}: draws what it hides, which a graph cannot; run these "
            "weights with `backend` torch"
        )
