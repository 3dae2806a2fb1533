"""Who moves: the foreground to the background, the background to the foreground, or each a part of
the way.

A side is harmonized by the same network: what it is shown as the foreground is the side that moves,
and the other side is what it is fitted to. So both are color maps, which keep the detail of their
pixels. Importable without torch.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Sequence
from typing import Literal

import numpy as np

from vhmae.arrays import Matte, to_unit, top_of
from vhmae.engine.solid import most_of, solid_of
from vhmae.errors import InputError

HALF_WAY = 0.5
RESIDUE = 0.02
"""A matte that is nowhere more than this shows nothing of its object: it is what a key or a codec
has left."""


SideName = Literal["foreground", "background"]


@dataclasses.dataclass(frozen=True)
class Side:
    """The side of a composite that a harmonizer is of."""

    of: SideName = "foreground"
    alone: bool = True
    """Whether the other side stays as it is."""


@dataclasses.dataclass(frozen=True)
class Move:
    """How much of its way each side goes, 0 to 1; both together go all of it."""

    foreground: float
    background: float

    @classmethod
    def parse(cls, text: str) -> Move:
        """``foreground``, ``background``, ``both`` (half-way) or ``both:SHARE``, the foreground's
        share between 0 and 1.

        Raises:
            InputError: for anything else.
        """
        word, colon, share = text.partition(":")
        alone = {"foreground": cls(1.0, 0.0), "background": cls(0.0, 1.0)}
        if word in alone and not colon:
            return alone[word]
        try:
            part = float(share) if colon else HALF_WAY
        except ValueError:
            part = math.nan
        if word != "both" or not 0.0 < part < 1.0:
            told = (
                "expected foreground, background, both or both:SHARE, the foreground's share "
                "between 0 and 1"
            )
            raise InputError(told, field="move", value=text)
        return cls(part, 1.0 - part)

    @property
    def sides(self) -> tuple[Side, ...]:
        """The sides that move, the foreground first."""
        two = bool(self.foreground and self.background)
        moving = [Side("foreground", not two)] if self.foreground else []
        return (*moving, *([Side("background", not two)] if self.background else []))

    def share(self, side: Side) -> float:
        """How much of its way a side goes."""
        return self.foreground if side.of == "foreground" else self.background


def outside(mattes: Sequence[Matte]) -> Matte:
    """What no foreground covers: one minus the mattes' sum, as a matte of their type.

    Args:
        mattes: (H, W) each, as :func:`vhmae.arrays.to_unit` takes them.
    """
    first = mattes[0]
    if first.dtype == np.bool_ and all(one.dtype == np.bool_ for one in mattes):
        return ~np.logical_or.reduce(mattes)
    if top_of(first) > 1 and all(one.dtype == first.dtype for one in mattes):
        top = first.dtype.type(top_of(first))
        free = top - first
        for one in mattes[1:]:
            free = free - np.minimum(free, one)
        return free
    covered = np.sum([to_unit(one) for one in mattes], axis=0, dtype=np.float32)
    return np.float32(1.0) - np.minimum(covered, np.float32(1.0))


def is_on(matte: Matte, place: tuple[float, float], side: Side) -> bool:
    """Whether a place (column, row) is one of a side whose matte this is; each place is one of one
    side, and what lies on the line between both is the foreground's."""
    height, width = matte.shape
    column, row = (
        min(max(round(at), 0), size - 1) for at, size in zip(place, (width, height), strict=True)
    )
    behind = side.of == "background"
    if most_of(outside([matte]) if behind else matte) < RESIDUE:
        return behind
    if behind:
        return not is_on(outside([matte]), place, Side())
    cell = matte[row : row + 1, column : column + 1]
    return bool(solid_of(cell, most_of(matte))[0, 0])
