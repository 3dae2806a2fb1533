"""Weights: safetensors files that carry their own model configuration, never pickles."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import torch
from safetensors import safe_open
from safetensors.torch import save
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode

from vhmae.config import to_tree
from vhmae.errors import InputError, VhmaeError
from vhmae.memory import check_memory
from vhmae.model.files import DEFAULT, FORMAT, WeightsCard, find_card
from vhmae.model.heads import Head
from vhmae.model.vhmae import VHMAE
from vhmae.partial_output import whole_file


def load_model(name: str | Path = DEFAULT, head: type[Head] | None = None) -> VHMAE:
    """Load weights by packaged name, path, or ``hf:owner/name``, in fp32, in evaluation mode.

    Args:
        head: the class of weights whose head stands outside the package; nothing that a file names
            is imported.
    Raises:
        InputError: if the name is unknown, the file is no safetensors file of this package, or its
            head stands outside and is not given.
    """
    card = find_card(str(name))
    _check_fits(card, head)
    model = VHMAE(card.config, head)
    model.load_state_dict(read_tensors(card.path))  # copied into the network's own type
    return model.eval()


def _check_fits(card: WeightsCard, head: type[Head] | None) -> None:
    """Refuse a configuration that the tensors do not fit, before anything of its size is made."""
    with safe_open(card.path, framework="pt") as file:
        shapes = {key: file.get_slice(key).get_shape() for key in file.keys()}  # noqa: SIM118
    config = card.config
    largest = max([len(shapes), *(side for shape in shapes.values() for side in shape)])
    # Every width is the side of a tensor, and every block has tensors of its own.
    named: list[Any] = [config, *([config.look] if config.look is not None else [])]
    for part in named:
        for name, value in dataclasses.asdict(part).items():
            counted = isinstance(value, int) and not isinstance(value, bool)
            if counted and name not in ("image_size", "clip_frames") and value > largest:
                raise _misfit(card.path, f"{name} {value}")
    patches = (config.image_size // config.patch_size) ** 2
    width = max(config.embed_dim, config.decoder_dim)
    # The activations of a block at the least: queries, keys, values and what comes of them.
    check_memory(
        card.path,
        16 * config.clip_frames * patches * width,
        "fetch or train the weights again",
    )
    expected = tensors_without_numbers(lambda: VHMAE(config, head))
    for key in sorted(shapes.keys() | expected.keys()):
        if key not in shapes or key not in expected or shapes[key] != [*expected[key].shape]:
            raise _misfit(card.path, key)


class _Unset(TorchFunctionMode):
    """Numbers are left as they are: to draw them on no device, torch would import its compiler,
    which takes longer than all that is done here."""

    def __torch_function__(
        self, func: Any, types: Any, args: Any = (), kwargs: Mapping[str, Any] | None = None
    ) -> Any:
        given = dict(kwargs or {})
        if getattr(func, "__module__", None) == "torch.nn.init":
            return args[0] if args else given["tensor"]
        return func(*args, **given)


def tensors_without_numbers(make: Callable[[], nn.Module]) -> dict[str, Tensor]:
    """The shapes and types of the tensors of a network, which is made in no memory."""
    with torch.device("meta"), _Unset():
        return make().state_dict()


def _misfit(path: Path, what: str) -> InputError:
    return InputError(
        f"{path}: its tensors do not fit its configuration ({what}); fetch or train the weights "
        "again"
    )


def read_tensors(path: Path) -> dict[str, Tensor]:
    """All tensors of a safetensors file, in the types that it has.

    Raises:
        InputError: if any of them holds a number that is not finite.
    """
    with safe_open(path, framework="pt") as file:
        tensors = {key: file.get_tensor(key) for key in file.keys()}  # noqa: SIM118 - no mapping
    odd = _not_finite(tensors)
    if odd is not None:
        raise InputError(
            f"{path}: {odd} holds numbers that are not finite; fetch or train the weights again"
        )
    return tensors


def _not_finite(tensors: Mapping[str, Tensor]) -> str | None:
    """The first tensor that holds NaN or an infinite number; None where there is none."""
    return next((key for key, one in tensors.items() if not one.isfinite().all()), None)


def write_tensors(
    tensors: Mapping[str, Tensor],
    path: Path,
    metadata: dict[str, str],
    is_halved: Callable[[str, Tensor], bool],
) -> None:
    """Write a safetensors file, some of its tensors in fp16. It appears whole or not at all."""
    stored = {
        key: (value.half() if is_halved(key, value) else value).detach().cpu().contiguous()
        for key, value in tensors.items()
    }
    odd = _not_finite(stored)
    if odd is not None:
        raise VhmaeError(
            f"{path}: {odd} would hold numbers that are not finite; begin a new run with a "
            "lower learning rate"
        )
    with whole_file(path) as part:
        part.write_bytes(save(stored, metadata))  # save_file would make it for the owner alone


def save_model(model: VHMAE, path: Path, facts: dict[str, object], half: bool = True) -> None:
    """Write weights with their configuration; fp16 by default. The file appears whole or not at
    all."""
    metadata = {
        "format": FORMAT,
        "model": json.dumps(to_tree(model.config)),
        "facts": json.dumps(facts),
    }
    write_tensors(
        model.state_dict(), path, metadata, lambda _, value: half and value.is_floating_point()
    )


def count_parameters(model: torch.nn.Module) -> int:
    return sum(parameter.numel() for parameter in model.parameters())
