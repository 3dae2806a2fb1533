"""The job of ``vhmae train``, importable without torch."""

from __future__ import annotations

import dataclasses
from pathlib import Path

from vhmae.options import option


@dataclasses.dataclass(frozen=True, kw_only=True)
class TrainJob:
    """A model to train by a recipe."""

    config: Path = option(metavar="FILE")
    """A recipe, see configs/."""
    output: Path = option(flag="-o/--output", metavar="RUN_DIR")
    """The run's folder."""
    resume: bool = False
    """Go on from the run's checkpoint."""
    start_from: str | None = option(None, flag="--from", metavar="NAME|PATH")
    """Weights to start from."""
    head: str | None = option(None, metavar="module:Class|FILE.py:Class")
    """A head of your own in the place of the recipe's (docs/train-your-own.md)."""
    loss: tuple[str, ...] = option((), metavar="module:function[=WEIGHT]")
    """Add a term of your own to the loss, or give one that the recipe names."""
    device: str = "auto"
    """auto, cpu, cuda[:N] or mps (auto)."""
