"""Where a foreground layer is laid."""

from __future__ import annotations

import dataclasses
import math

from vhmae.errors import InputError
from vhmae.options import option

KEEPS_TURN = (".mp4", ".mov", ".m4v", ".mkv", ".webm")
"""Containers that tell players how to turn the picture; for others its pixels are turned."""
GROUP = "two layers in the place of a composite"


@dataclasses.dataclass(frozen=True, kw_only=True)
class Placement:
    """Where a foreground is laid, and what its colors are."""

    position: tuple[float, float] = option((0.0, 0.0), metavar="X,Y", group=GROUP)
    """Of the foreground's upper left corner, in pixels of the background (0,0)."""
    scale: float = option(1.0, metavar="N", group=GROUP)
    """Pixels of the background for one of the foreground's."""
    premultiplied: bool = option(False, group=GROUP)
    """The foreground's colors have been multiplied by its alpha."""

    def __post_init__(self) -> None:
        x, y = self.position
        if not (math.isfinite(x) and math.isfinite(y)):
            raise InputError(
                "is no place; expected two numbers", field="position", value=f"{x},{y}"
            )
        if not 0.0 < self.scale <= 100.0:
            raise InputError("out of range; expected more than 0", field="scale", value=self.scale)
