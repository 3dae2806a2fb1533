"""The job of ``vhmae export``, importable without torch."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Literal

from vhmae.errors import InputError
from vhmae.options import option
from vhmae.work.job import AnalysisJob

Kind = Literal["cube", "dctl", "cdl", "edl", "otio"]


@dataclasses.dataclass(frozen=True, kw_only=True)
class ExportJob(AnalysisJob):
    """A video whose grades are to be exported."""

    kind: Kind = option(metavar="KIND")
    """cube (LUT), dctl (Resolve), cdl (.cc, .ccc, .cdl), edl or otio."""
    output: Path = option(flag="-o/--output", metavar="FILE", role="output")
    """File to write; numbered where shots are many."""
    key_frames: int | None = option(None, metavar="N")
    """Frames from one key map to the next: for cube a numbered set instead of one LUT a shot, for
    dctl how often its map changes (24)."""

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.key_frames is not None and self.key_frames < 1:
            raise InputError("expected 1 or more", field="key_frames", value=self.key_frames)
