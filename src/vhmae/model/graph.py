"""ONNX graphs of networks, found and described: importable without torch.

A graph is the whole answer of a window of any weights of an architecture. It takes

- ``frames`` (B, T, 3, S, S) float32 in [0, 1] and ``masks`` (B, T, 1, S, S) bool,
- where there is a look path: ``surveyed`` () bool, and what is read then in the place of the
  window's own colors: one (B, P, 3) float32 a pixel set of ``color.pixels.SETS``, by its name, and
  their ``shares`` (B, 4),

and gives ``overall`` (B, 3, 10) and ``local`` (B, T, N, N, 3, 4), or ``drawn`` (B, T, 3, S, S),
drawn minus composite, and ``squared`` (B,), the mean squared change inside the mask. The numbers of
its weights stand in the safetensors file, by the names that the graph has for them.
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
import mmap
from importlib import resources
from pathlib import Path
from typing import Any

from vhmae.config import to_tree
from vhmae.model.config import ModelConfig

SUFFIX = ".onnx"
HALF_SUFFIX = ".fp16.onnx"
"""Of a graph whose layers' products are in fp16; it lies beside that in fp32."""
ARCHITECTURE = "vhmae.architecture"
"""Of a graph's metadata: the keys of the configuration that it was recorded with."""
FACTS = "vhmae.facts"
"""Of a graph's metadata: :class:`GraphFacts`."""
_FREE = ("drop_path", "caution", "clip_frames", "masking_ratio")
_FREE_OF_LOOK = ("dropout", "histogram_dropout")


@dataclasses.dataclass(frozen=True, kw_only=True)
class GraphFacts:
    """What a graph says of its head."""

    holds_between_key_frames: bool
    usual_caution: float


def architecture(config: ModelConfig) -> dict[str, Any]:
    """What two configurations share whose weights run in one graph; parts that are left out have no
    key, so that a part which is new changes no graph without it."""
    tree = _without(to_tree(config), _FREE)
    if "look" in tree:
        tree["look"] = _without(tree["look"], _FREE_OF_LOOK)
    return tree


def _without(tree: dict[str, Any], free: tuple[str, ...]) -> dict[str, Any]:
    return {key: value for key, value in tree.items() if key not in free and value is not None}


def packaged_graph(config: ModelConfig) -> Path:
    """Where the package holds the graph of an architecture, if it does."""
    told = json.dumps(architecture(config), sort_keys=True)
    name = hashlib.sha256(told.encode()).hexdigest()[:16]
    return Path(str(resources.files("vhmae") / "assets" / "graphs")) / f"{name}{SUFFIX}"


def half_of(graph: Path) -> Path:
    """Where the graph with products in fp16 lies, beside that in fp32."""
    return graph.with_suffix(HALF_SUFFIX)


def find_graph(weights: Path, config: ModelConfig) -> Path | None:
    """The graph of weights: that beside their file, by its name, or the packaged one of their
    architecture; None where there is neither. Where there are both, a file that
    ``vhmae weights export-onnx`` did not write is somebody else's network."""
    beside, packaged = weights.with_suffix(SUFFIX), packaged_graph(config)
    if beside.is_file() and (_names_its_architecture(beside) or not packaged.is_file()):
        return beside
    return packaged if packaged.is_file() else None


def _names_its_architecture(path: Path) -> bool:
    """Whether an ONNX file has our metadata, whose keys stand in it as they are."""
    if not path.stat().st_size:
        return False
    with path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as whole:
        return whole.find(ARCHITECTURE.encode()) >= 0
