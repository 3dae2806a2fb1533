"""The job of ``vhmae export cattery``, importable without torch."""

from __future__ import annotations

import dataclasses
from pathlib import Path

from vhmae.engine.settings import FOR_EVERYONE
from vhmae.options import option


@dataclasses.dataclass(frozen=True, kw_only=True)
class CatteryJob:
    """Weights that are to run in Nuke."""

    weights: str = option(FOR_EVERYONE["weights"], metavar="NAME|PATH|hf:owner/name")
    """Packaged weights, a .safetensors file, or one of the hub."""
    output: Path = option(flag="-o/--output", metavar="FOLDER", role="output")
    """Folder to make."""
