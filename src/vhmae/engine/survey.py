"""What whole shots look like, seen before they are harmonized.

Where the camera or the subject moves, a whole shot shows more background than the few frames that a
window holds; what reading it is worth stands in docs/decisions.md, "Whole shots".
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import Protocol

from vhmae.arrays import Mask, Matte, UnitFrame
from vhmae.color.pixels import ReadSets, merge_sets, read_frame
from vhmae.engine.sight import Thumbnail, shows_background
from vhmae.video.cuts import THUMBNAIL, CutDetector

FRAMES_KEPT = 16
"""Frames of a shot that count at least, if it has as many; twice as many at most, evenly spread."""
FRAMES_FULL = 4
"""Frames of which all drawn pixels count; of more frames, every second, third ... pixel does, so
that reading takes no longer."""


class Surveyed(Protocol):
    """What is known of whole shots."""

    def sets_of(self, shot: int) -> ReadSets | None:
        """The pixel sets of a shot; None where it has shown nothing to read."""


@dataclasses.dataclass(frozen=True)
class ShotSurvey:
    """One shot of a survey, for a stream that begins in the midst of it: whatever the shot is
    numbered there, its colors are these."""

    sets: ReadSets | None

    def sets_of(self, shot: int) -> ReadSets | None:
        return self.sets


class Survey:
    """The colors of every shot of a stream, drawn from frames spread over it; shots are numbered
    as the harmonizer numbers them."""

    def __init__(
        self, see: Callable[[Thumbnail, Matte], tuple[UnitFrame, Mask]], cut_detection: bool = True
    ) -> None:
        """Begin a survey.

        Args:
            see: a frame's thumbnail and matte as the network sees them, (S, S, 3) float32 and (S,
                S) bool.
            cut_detection: False takes the stream as one shot, but for the cuts that :meth:`look_at`
                is told.
        """
        self._see = see
        self._cuts = CutDetector() if cut_detection else None
        self._ended: list[ReadSets | None] = []
        self._shot: list[ReadSets] = []
        self._usable = 0
        self._step = 1
        self._begun = False

    @property
    def shot(self) -> int:
        """Number of the shot that is looked at, from 0."""
        return len(self._ended)

    def look_at(self, thumbnail: Thumbnail, matte: Matte, cut: bool = False) -> None:
        """Take the next frame; the arguments are those of ``Harmonizer.push``."""
        if self._cuts is not None:
            cut = self._cuts.step(thumbnail(*THUMBNAIL)) or cut
        cut, self._begun = cut and self._begun, True  # what comes first begins a shot in any case
        # all that is kept of an ended shot is what will be read: hours of shots take little room
        if cut:
            self._ended.append(_read_as_one(self._shot))
            self._shot, self._usable, self._step = [], 0, 1
        if self._cuts is not None and self._cuts.began_lit:
            self._shot, self._usable = [], 0  # so far the shot was seen in a flash
        if self._cuts is not None and self._cuts.blinded:
            return
        if not (matte.any() and shows_background(matte)):
            return
        if self._usable % self._step == 0:
            self._draw(*self._see(thumbnail, matte))
        self._usable += 1

    def _draw(self, frame: UnitFrame, mask: Mask) -> None:
        if mask.all():
            return
        self._shot.append(read_frame(frame, mask))
        if (
            len(self._shot) == 2 * FRAMES_KEPT
        ):  # every other frame goes, and from now on every other is taken
            del self._shot[1::2]
            self._step *= 2

    def sets_of(self, shot: int) -> ReadSets | None:
        """The pixel sets of a shot; None where it has shown nothing to read."""
        if shot < len(self._ended):
            return self._ended[shot]
        return _read_as_one(self._shot) if shot == len(self._ended) else None


def _read_as_one(frames: list[ReadSets]) -> ReadSets | None:
    """The pixel sets of a shot's frames together, thinned to those of a few."""
    step = max(1, len(frames) // FRAMES_FULL)
    return (
        merge_sets([([colors[:, ::step] for colors in sets], shares) for sets, shares in frames])
        if frames
        else None
    )
