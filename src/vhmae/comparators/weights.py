"""Weights of the compared methods: safetensors files that say whose they are, never pickles.

A file names a method; only names of the catalogue are taken, and nothing else in the file is
looked for in code.
"""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path
from typing import Any

from safetensors import SafetensorError, safe_open
from torch import Tensor

from vhmae.comparators.catalogue import find_comparator
from vhmae.comparators.comparator import Comparator
from vhmae.config import build, to_tree
from vhmae.errors import InputError
from vhmae.model.weights import read_tensors, tensors_without_numbers, write_tensors

FORMAT = "vhmae-comparator-1"


@dataclasses.dataclass(frozen=True)
class ComparatorCard:
    """What a weights file says of itself."""

    name: str
    """Of the catalogue."""
    config: Any
    """The method's sizes, as its entry's dataclass."""
    facts: dict[str, Any]
    """How it was trained, and the side of the frames (``image_size``)."""


def save_comparator(
    model: Comparator, name: str, config: Any, path: Path, facts: dict[str, Any], half: bool = True
) -> None:
    """Write weights with their name and sizes. The file appears whole or not at all.

    Args:
        half: parameters in fp16; running statistics always keep fp32, which they may need.
    """
    find_comparator(name)
    parameters = {key for key, _ in model.named_parameters()}
    metadata = {
        "format": FORMAT,
        "comparator": name,
        "config": json.dumps(to_tree(config)),
        "facts": json.dumps(facts),
    }
    write_tensors(model.state_dict(), path, metadata, lambda key, _: half and key in parameters)


def read_comparator_card(path: Path) -> ComparatorCard:
    """Read what a weights file says of itself, without its tensors.

    Raises:
        InputError: if the file cannot be read, or holds something else.
    """
    try:
        with safe_open(path, framework="pt") as file:
            metadata = file.metadata() or {}
    except (SafetensorError, OSError) as error:
        raise InputError(
            f"{path}: cannot be read as safetensors ({error}); train the method again"
        ) from None
    if metadata.get("format") != FORMAT:
        raise InputError(
            f"{path}: holds no compared method (format {metadata.get('format')!r}, expected "
            f"{FORMAT!r}); train one with configs/comparators"
        )
    try:
        name, config = metadata["comparator"], json.loads(metadata["config"])
        facts = json.loads(metadata.get("facts", "{}"))
    except (KeyError, ValueError) as error:
        raise InputError(
            f"{path}: its description is damaged ({error}); train the method again"
        ) from None
    if not isinstance(config, dict) or not isinstance(facts, dict):
        raise InputError(f"{path}: its description is damaged; train the method again")
    return ComparatorCard(name, build(find_comparator(name).config, config, str(path)), facts)


def load_comparator(path: Path) -> tuple[Comparator, ComparatorCard]:
    """Load a method in fp32, in evaluation mode.

    Raises:
        InputError: if the file holds something else, or its tensors do not fit its description.
    """
    card = read_comparator_card(path)
    # Shapes first: a file may ask for more than the memory holds.
    expected = tensors_without_numbers(lambda: find_comparator(card.name).build(card.config))
    tensors = read_tensors(path)
    _check_tensors(tensors, expected, path)
    model = find_comparator(card.name).build(card.config)
    model.load_state_dict({key: value.to(expected[key].dtype) for key, value in tensors.items()})
    return model.eval(), card


def _check_tensors(tensors: dict[str, Tensor], expected: dict[str, Tensor], path: Path) -> None:
    odd = sorted(tensors.keys() ^ expected.keys()) or sorted(
        key for key, value in tensors.items() if value.shape != expected[key].shape
    )
    if odd:
        raise InputError(
            f"{path}: its tensors do not fit its description ({odd[0]}); train the method again"
        )


def load_backbone(model: Comparator, path: Path) -> None:
    """Fill the network for pictures inside Huang et al. and CO2Net with trained weights.

    Raises:
        InputError: if the method has none, or the file holds another one.
    """
    backbone = getattr(model, "backbone", None)
    if backbone is None:
        raise InputError(f"{path}: this method takes no other network's weights; leave them out")
    if not path.is_file():
        raise InputError(
            f"`backbone` {path}: no such file; train that method first, and name its weights, from "
            "where you stand"
        )
    trained, card = load_comparator(path)
    if type(trained) is not type(backbone) or trained.config != backbone.config:
        raise InputError(
            f"{path}: holds {card.name}, which is not the network that this method stands on; give "
            "its own, of the same size"
        )
    backbone.load_state_dict(trained.state_dict())
