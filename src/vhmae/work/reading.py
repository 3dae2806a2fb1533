"""All that a job reads, read once without harmonizing it: what is refused in the midst of the work
is refused by ``check``, too."""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from typing import NamedTuple

from vhmae.engine.sight import shows_background
from vhmae.overlap import run_ahead
from vhmae.work.analysis import BACKGROUND, Analysis

READ_AHEAD = 2
"""Frames read ahead of what looks at their mattes."""


class WholeRead(NamedTuple):
    """What was found where everything was read."""

    frames: int
    """Those that were decoded."""
    damaged: int
    """Of them, those that were decoded in part."""
    cut: int
    """Of them, those whose light above 1 is not in the planes (OpenEXR)."""


def read_whole(analysis: Analysis, advance: Callable[[int], None]) -> WholeRead:
    """Read every frame with its mattes, as the work will: pictures of a sequence that are damaged,
    a recording that goes on in another size, a shot that shows no background.

    Args:
        advance: told of the frames that were read.
    Raises:
        InputError: for what the work would refuse at one of them.
    """
    sources = analysis.sources
    fitted = [
        place
        for place, object_number in enumerate(analysis.objects)
        if object_number != BACKGROUND and analysis.reference is None
    ]
    bare: dict[int, int] = {}
    """The first frame of the shot, of each foreground that has shown no background in it so far."""
    known: set[int] = set()
    """The foregrounds that have."""
    at = frames = damaged = cut = 0
    ahead = run_ahead(sources.frames(count=True), sources.ahead(READ_AHEAD))
    with contextlib.closing(analysis.by_shot(ahead)) as numbered:
        for payload, shot in numbered:
            if shot != at:
                _refuse(analysis, bare)
                at, known = shot, set()
            covers = analysis.covers(payload.mattes)
            for place in fitted:
                if place in known or not covers[place].any():
                    continue
                if shows_background(covers[place]):
                    known.add(place)
                    bare.pop(place, None)
                else:
                    bare.setdefault(place, payload.timed.index)
            frames += 1
            damaged += payload.timed.decoded.is_corrupt
            cut += payload.timed.cut
            advance(frames)
    _refuse(analysis, bare)
    return WholeRead(frames, damaged, cut)


def _refuse(analysis: Analysis, bare: dict[int, int]) -> None:
    """Refuse a shot in which no background is seen beside a foreground, as the work does."""
    for place, begin in bare.items():
        analysis.find_other_side(place, begin)
