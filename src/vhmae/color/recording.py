"""What a graph is recorded of, as far as it differs from what runs at once."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor
from torch.jit._trace import is_tracing


def recording() -> bool:
    """Whether a graph is being recorded: exported, or traced for TorchScript."""
    return torch.compiler.is_exporting() or is_tracing()


def sizes(tensor: Tensor) -> tuple[int, ...]:
    """A tensor's shape; a trace would make tensors of its numbers, and so they stay numbers."""
    return tuple(map(int, tensor.shape)) if is_tracing() else tuple(tensor.shape)


def either(chosen: Tensor, yes: Callable[[], Tensor], no: Callable[[], Tensor]) -> Tensor:
    """What one of two ways gives.

    A graph is recorded with both; ``model.export`` has it run the chosen one alone.

    Args:
        chosen: () bool.
        yes, no: give tensors of the same shape and type.
    """
    if recording():
        return torch.where(chosen, yes(), no())
    return yes() if bool(chosen) else no()


def remembered(make: Callable[..., Tensor]) -> Callable[..., Tensor]:
    """Keep the tensors that a function makes, by its arguments; they are not to be written to. What
    a recording makes belongs to its graph and is not kept."""
    made = torch.inference_mode(False)(make)  # a later gradient may need it
    kept = functools.lru_cache(maxsize=64)(made)

    @functools.wraps(make)
    def ask(*arguments: Any) -> Tensor:
        return (make if recording() else kept)(*arguments)

    return ask
