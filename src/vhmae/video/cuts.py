"""Hard cuts: a transform may be smoothed over time within a shot, never across its border."""

from __future__ import annotations

from collections.abc import Callable, Collection
from pathlib import Path

import numpy as np

from vhmae.arrays import Array, Arrays, UnitFrame
from vhmae.errors import InputError
from vhmae.memory import bounded

THUMBNAIL = (36, 64)
"""Height and width of the frames that the detector sees."""
COLORS_MOVED = 0.05
"""Motion within a shot moves the distribution of colors by less than this
(docs/decisions-engine.md, "Cuts")."""
STRUCTURE_KEPT = 0.8
"""A flash or a fade moves colors further, but the picture stays as it was laid out."""


FLASH_FRAMES = 4
"""A flash is over after so many frames; what stays brighter than that is another shot."""
DARKER = 0.02
"""A flash makes nothing darker by more than this, ..."""
DARKER_SHARE = 0.03
"""... but for so many values: what moves is in another place."""
PLAIN = 0.004
"""A frame whose luma deviates by less shows nothing: white, black, or any plain color."""


class CutDetector:
    """Tells whether a frame begins a new shot: other colors, laid out in another way.

    A flash, and a fade to white or black, is no shot of its own: the frame after it is compared
    with the one before it. Light that goes on everywhere and stays is a cut :data:`FLASH_FRAMES`
    late; light that goes out everywhere so soon after a shot began was a flash.
    """

    def __init__(self) -> None:
        self._state: dict[str, Array] = {}
        self._flash = 0
        self._age = 0
        self.began_lit = False
        """Whether the last frame is the first after a flash that its shot began with."""

    @property
    def blinded(self) -> bool:
        """Whether the last frame is of a flash or shows nothing: its colors say little of its
        shot."""
        return self._flash > 0

    def step(self, thumbnail: UnitFrame) -> bool:
        """Take the next frame's thumbnail (h, w, 3) float32 RGB in [0, 1]; True if it begins a new
        shot."""
        luma = thumbnail.mean(axis=-1).ravel()
        now = {
            "cuts.colors": np.sort(thumbnail.reshape(-1, 3).T.copy()),
            "cuts.luma": luma - luma.mean(),
            "cuts.pixels": thumbnail.reshape(-1, 3).copy(),
        }
        before = self._state
        self.began_lit = False
        self._age += 1
        if not before or before["cuts.colors"].shape != now["cuts.colors"].shape:
            self._state, self._flash, self._age = now, 0, 0
            return False
        plain = bool(now["cuts.luma"].std() < PLAIN)
        if not _differs(before, now):
            # Alike in all, the frame before stays: a fade goes on from where it was.
            self._state = before if plain and self._flash else now
            self._flash = self._flash if plain else 0
            return False
        lit = _is_lit(now, before) and before["cuts.luma"].std() >= PLAIN
        if self._age <= FLASH_FRAMES and not plain and not self._flash and _is_lit(before, now):
            self._state, self.began_lit = now, True
            return False
        if plain and before["cuts.luma"].std() >= PLAIN:
            self._flash += 1
            return False
        if lit and self._flash < FLASH_FRAMES:
            self._flash += 1
            return False
        self._state, self._flash, self._age = now, 0, 0
        return True

    def state(self) -> Arrays:
        """What the detector remembers."""
        counted = {"cuts.flash": np.array(self._flash), "cuts.age": np.array(self._age)}
        return {**self._state, **counted} if self._state else {}

    def restore(self, state: Arrays) -> None:
        """Remember what another detector did."""
        own = {name: state[name] for name in state if name.startswith("cuts.")}
        self._flash = int(own.pop("cuts.flash", np.array(0)))
        self._age = int(own.pop("cuts.age", np.array(0)))
        self._state = own


class ShotCounter:
    """Tells the shots of frames apart that come in order, by cuts that are known and, if it is to
    look for them, by those that it finds. What comes first begins a shot in any case."""

    def __init__(self, detect: bool, cuts: Collection[int] = ()) -> None:
        """``cuts`` are numbers of frames that are known to begin a shot."""
        self._detector = CutDetector() if detect else None
        self._cuts = cuts
        self._begun = False
        self.shot = 0
        """Number of the shot of the frame that came last, from 0."""

    def step(self, index: int, thumbnail: Callable[[int, int], UnitFrame]) -> bool:
        """Take the next frame; True where it begins another shot than the one before it.

        Args:
            thumbnail: called with (height, width) for a small float32 RGB frame.
        """
        cut = index in self._cuts
        if self._detector is not None:
            cut = self._detector.step(thumbnail(*THUMBNAIL)) or cut
        cut, self._begun = cut and self._begun, True
        self.shot += cut
        return cut


def _is_lit(now: dict[str, Array], before: dict[str, Array]) -> bool:
    """Whether a frame is another one with more light."""
    darker = now["cuts.pixels"] < before["cuts.pixels"] - DARKER
    return float(darker.mean()) <= DARKER_SHARE


def _differs(before: dict[str, Array], now: dict[str, Array]) -> bool:
    """Whether two frames are of two shots, but for flashes."""
    # Sorted values differ by the earth mover's distance of the two distributions.
    moved = float(np.abs(now["cuts.colors"] - before["cuts.colors"]).mean())
    structure, other = before["cuts.luma"], now["cuts.luma"]
    norm = float(np.linalg.norm(structure) * np.linalg.norm(other))
    kept = float(structure @ other) / norm if norm > 1e-3 else 0.0
    return moved > COLORS_MOVED and kept < STRUCTURE_KEPT


def read_cuts(path: Path, frames: int) -> frozenset[int]:
    """Read the numbers of the frames that begin a shot, counted from 0: one a line, ``#`` begins a
    remark.

    Raises:
        InputError: if the file cannot be read or a line holds no number of the video's frames.
    """
    try:
        lines = bounded(path).read_text(encoding="utf-8-sig").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(
            f"cannot be read ({getattr(error, 'strerror', None) or 'not text'}); give a text file",
            field="cuts",
            value=path,
        ) from None
    cuts = set()
    for number, line in enumerate(lines, 1):
        text = line.partition("#")[0].strip()
        if text and not (text.isdecimal() and len(text) < 10 and int(text) < frames):
            raise InputError(
                f"line {number} is '{text[:40]}'; expected the number of a frame, 0 to "
                f"{frames - 1}",
                field="cuts",
                value=path,
            )
        if text:
            cuts.add(int(text))
    return frozenset(cuts)
