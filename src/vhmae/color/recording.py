"""What a graph is recorded of, as far as it differs from what runs at once."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor


def either(chosen: Tensor, yes: Callable[[], Tensor], no: Callable[[], Tensor]) -> Tensor:
    """What one of two ways gives.

    A graph is recorded with both; ``model.export`` has it run the chosen one alone.

    Args:
        chosen: () bool.
        yes, no: give tensors of the same shape and type.
    """
    if torch.compiler.is_exporting():
        return torch.where(chosen, yes(), no())
    return yes() if bool(chosen) else no()


def remembered(make: Callable[..., Tensor]) -> Callable[..., Tensor]:
    """Keep the tensors that a function makes, by its arguments; they are not to be written to. What
    a recording makes belongs to its graph and is not kept."""
    made = torch.inference_mode(False)(make)  # a later gradient may need it
    kept = functools.lru_cache(maxsize=64)(made)

    @functools.wraps(make)
    def ask(*arguments: Any) -> Tensor:
        return (make if torch.compiler.is_exporting() else kept)(*arguments)

    return ask
