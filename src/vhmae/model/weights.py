"""Weights: safetensors files that carry their own model configuration, never pickles."""

from __future__ import annotations

import dataclasses
import json
from importlib import resources
from pathlib import Path

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file

from vhmae.config import build, to_tree
from vhmae.errors import InputError, did_you_mean
from vhmae.model.heads import Head
from vhmae.model.hub import PREFIX, fill, load_from_hub
from vhmae.model.vhmae import VHMAE, ModelConfig
from vhmae.partial_output import whole_file

FORMAT = "vhmae-1"
DEFAULT = "default"
SUFFIX = ".safetensors"


@dataclasses.dataclass(frozen=True)
class WeightsCard:
    """What a weights file says of itself."""

    path: Path
    config: ModelConfig
    facts: dict[str, object]
    """Data, licence, steps, seeds, scores: as written by training."""


def packaged_weights() -> dict[str, Path]:
    """The weights that ship with the package, by name."""
    folder = Path(str(resources.files("vhmae") / "assets"))
    return {path.stem: path for path in sorted(folder.glob(f"*{SUFFIX}"))}


def find_weights(name: str) -> Path:
    """Resolve a packaged name or a path."""
    packaged = packaged_weights()
    if name in packaged:
        return packaged[name]
    path = Path(name)
    if path.suffix == SUFFIX and path.is_file():
        return path
    if path.is_file():
        raise InputError(
            f"{name}: is not a {SUFFIX} file; only safetensors are loaded, never pickles"
        )
    raise InputError(
        f"unknown{did_you_mean(name, packaged)}; packaged: {', '.join(packaged) or 'none'}, or "
        f"give a {SUFFIX} file",
        field="weights",
        value=name,
    )


def read_card(name: str) -> WeightsCard:
    """Read what a weights file says of itself, without its tensors."""
    path = find_weights(name)
    try:
        with safe_open(path, framework="pt") as file:
            metadata = file.metadata() or {}
    except (SafetensorError, OSError) as error:
        raise InputError(
            f"{path}: cannot be read as safetensors ({error}); fetch or train the weights again"
        ) from None
    if metadata.get("format") != FORMAT:
        raise InputError(
            f"{path}: holds no vhmae weights (format {metadata.get('format')!r}, expected "
            f"{FORMAT!r}); train or fetch them"
        )
    config = build(ModelConfig, json.loads(metadata["model"]), str(path))
    return WeightsCard(path, config, json.loads(metadata.get("facts", "{}")))


def load_model(name: str = DEFAULT, head: type[Head] | None = None) -> VHMAE:
    """Load weights by packaged name, path, or ``hf:owner/name``, in fp32, in evaluation mode.

    Args:
        head: the class of weights whose head stands outside the package; nothing that a file names
            is imported.
    Raises:
        InputError: if the name is unknown, the file is no safetensors file of this package, or its
            head stands outside and is not given.
    """
    if name.startswith(PREFIX):
        return load_from_hub(name, head)
    card = read_card(name)
    model = VHMAE(card.config, head)
    with safe_open(card.path, framework="pt") as file:
        tensors = {key: file.get_tensor(key) for key in file.keys()}  # noqa: SIM118 - not a mapping
    fill(model, tensors, str(card.path))
    return model.eval()


def save_model(model: VHMAE, path: Path, facts: dict[str, object], half: bool = True) -> None:
    """Write weights with their configuration; fp16 by default. The file appears whole or not at
    all."""
    tensors = {}
    for key, value in model.state_dict().items():
        small = value.half() if half and value.is_floating_point() else value
        tensors[key] = small.detach().cpu().contiguous()
    metadata = {
        "format": FORMAT,
        "model": json.dumps(to_tree(model.config)),
        "facts": json.dumps(facts),
    }
    with whole_file(path) as part:
        save_file(tensors, part, metadata)


def count_parameters(model: torch.nn.Module) -> int:
    return sum(parameter.numel() for parameter in model.parameters())
