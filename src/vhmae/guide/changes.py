"""What a stream has been told so far, and from which frame it holds."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Sequence
from typing import Any, Protocol, Self, TypeVar, runtime_checkable

import numpy as np

from vhmae.arrays import Array, ColorMap
from vhmae.guide.colors import TERMS

BLENDED_FRAMES = 25.0
"""Frames over which a word that is said while frames come takes hold: a second or so."""


@runtime_checkable
class Mapped(Protocol):
    """A change of color with a map of the whole foreground."""

    def with_added(self, change: ColorMap) -> Self:
        """The same with more added to that map: (30,) or (3, 10)."""


Change = TypeVar("Change")


@dataclasses.dataclass(frozen=True)
class _Word:
    shot: int | None
    begin: float
    change: Array
    but: int | None = None

    def covers(self, before: _Word) -> bool:
        """Whether nothing of a word before it is left once this one holds."""
        everywhere = self.shot is None and self.but is None
        return everywhere or (self.shot, self.but) == (before.shot, before.but)

    def rules(self, shot: int) -> bool:
        return self.shot == shot or (self.shot is None and self.but != shot)


def _heard(words: list[_Word], index: float) -> list[_Word]:
    """The words without those that others have taken over from by a frame, wholly."""
    ruling = [place for place, word in enumerate(words) if word.begin + BLENDED_FRAMES <= index]
    return [
        word
        for place, word in enumerate(words)
        if not any(later > place and words[later].covers(word) for later in ruling)
    ]


class GuideChanges:
    """Changes that are added to the overall maps of shots: the last word takes over from those
    before it without a step."""

    def __init__(self) -> None:
        self._words: list[_Word] = []

    def say(
        self,
        change: ColorMap,
        shot: int | None = None,
        begin: float = -math.inf,
        but: int | None = None,
    ) -> None:
        """Tell a shot, in the place of what it was told before.

        Args:
            change: (30,) or (3, 10), as ``decision`` gives it; zeros take back what was said.
            shot: its number from 0; None tells all shots.
            begin: the frame from which the word takes hold; without it, it holds already.
            but: a shot that a word to all leaves as it was told.
        """
        if begin == -math.inf and but is None:  # nothing before it will be heard again
            self._words = [word for word in self._words if shot is not None and word.shot != shot]
        numbers = np.reshape(change, (3, TERMS)).astype(np.float32)
        self._words = _heard(self._words, begin)
        self._words.append(_Word(shot, begin, numbers, but))

    def restart(self) -> None:
        """Another stream begins: what was said holds for all of it."""
        words, self._words = self._words, []
        for word in words:
            self.say(word.change, word.shot, but=word.but)

    def clear(self) -> None:
        """Nothing was said."""
        self._words = []

    def state(self) -> tuple[list[list[Any]], list[ColorMap]]:
        """What was said, for :meth:`restore`: shot, first frame and shot left out of each word for
        JSON (None: all shots, from ever, none), and the changes."""
        facts = [
            [word.shot, None if word.begin == -math.inf else word.begin, word.but]
            for word in self._words
        ]
        return facts, [word.change for word in self._words]

    def restore(self, facts: Sequence[Sequence[Any]], changes: Sequence[ColorMap]) -> None:
        self._words = [
            _Word(shot, -math.inf if begin is None else begin, change, but)
            for (shot, begin, but), change in zip(facts, changes, strict=True)
        ]

    def at(self, shot: int, index: int) -> ColorMap | None:
        """What is added to the map of a frame: (3, 10) float32; None where nothing was said."""
        total: Array | None = None
        for word in self._words:
            if word.rules(shot):
                before = np.zeros_like(word.change) if total is None else total
                share = np.float32(np.clip((index - word.begin) / BLENDED_FRAMES, 0.0, 1.0))
                total = word.change if share == 1.0 else before + share * (word.change - before)
        return total

    def added_to(self, change: Change, shot: int, index: int) -> Change:
        """A frame's change of color with what was said of it; the local maps are left alone."""
        told = self.at(shot, index)
        if told is None or not isinstance(change, Mapped):
            return change
        return change.with_added(told)
