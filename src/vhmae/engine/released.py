"""What a stream gives out, and what it remembers."""

from __future__ import annotations

import dataclasses
from typing import Any, NamedTuple

import numpy as np

from vhmae.engine.rendering import ColorChange

Array = np.ndarray


@dataclasses.dataclass(frozen=True)
class Snapshot:
    """A stream's memory: numbers for JSON, and arrays."""

    numbers: dict[str, Any]
    arrays: dict[str, Array]


class Released(NamedTuple):
    """A frame that is ready."""

    payload: Any
    change: ColorChange | None
    """What is to be done to it; None where there is no foreground."""
    shot: int
    """Number of its shot, from 0."""
