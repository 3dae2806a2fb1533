"""The jobs of ``vhmae weights``, importable without torch."""

from __future__ import annotations

import dataclasses
from pathlib import Path

from vhmae.errors import InputError
from vhmae.options import Form, option

WEIGHTS_FORMS = "NAME|PATH|hf:owner/name"


def _counts(text: str) -> tuple[int, ...]:
    try:
        return tuple(int(part) for part in text.split(","))
    except ValueError:
        raise InputError("expected numbers as 5,4", field="members", value=f"{text!r}") from None


@dataclasses.dataclass(frozen=True, kw_only=True)
class GraphJob:
    """Weights whose graph is to be written."""

    weights: str = option("default", positional=True, metavar=WEIGHTS_FORMS)
    """Packaged weights, a .safetensors file, or one of the hub."""
    output: Path | None = option(None, flag="-o/--output", metavar="FILE")
    """Where it goes; beside the weights, by their name, it is found (beside them)."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class JoinJob:
    """Trainings that are to answer as one network."""

    weights: tuple[str, ...] = option(positional=True, metavar=WEIGHTS_FORMS)
    """The first one's tokens are kept."""
    output: Path = option(flag="-o/--output", metavar="FILE")
    """Weights to write."""
    members: tuple[int, ...] | None = option(
        None, metavar="N,N", form=Form("numbers as 5,4", _counts, ",")
    )
    """How many members of each, the first ones (all)."""
    licence: str | None = option(None, metavar="TEXT")
    """Of what is written (those of the weights that go in)."""

    def __post_init__(self) -> None:
        if Path(self.output).suffix != ".safetensors":
            told = "is no name of weights, which no command would take; write NAME.safetensors"
            raise InputError(told, field="output", value=self.output)
