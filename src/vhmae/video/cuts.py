"""Hard cuts: a transform may be smoothed over time within a shot, never across its border."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from vhmae.errors import InputError

Array = np.ndarray

THUMBNAIL = (36, 64)
"""Height and width of the frames that the detector sees."""
COLORS_MOVED = 0.05
"""Motion within a shot moves the distribution of colours by less than this (docs/decisions.md,
"cuts")."""
STRUCTURE_KEPT = 0.8
"""A flash or a fade moves colours further, but the picture stays as it was laid out."""


class CutDetector:
    """Tells whether a frame begins a new shot: other colours, laid out in another way."""

    def __init__(self) -> None:
        self._colors: Array | None = None
        self._luma: Array | None = None

    def step(self, thumbnail: Array) -> bool:
        """Take the next frame's thumbnail (h, w, 3) float32 RGB in [0, 1]; True if it begins a new
        shot."""
        colors, luma = np.sort(thumbnail.reshape(-1, 3).T.copy()), thumbnail.mean(axis=-1).ravel()
        before, structure = self._colors, self._luma
        self._colors, self._luma = colors, luma - luma.mean()
        if before is None or structure is None or before.shape != colors.shape:
            return False
        # Sorted values differ by the earth mover's distance of the two distributions.
        moved = float(np.abs(colors - before).mean())
        norm = float(np.linalg.norm(structure) * np.linalg.norm(self._luma))
        kept = float(structure @ self._luma) / norm if norm > 1e-3 else 0.0
        return moved > COLORS_MOVED and kept < STRUCTURE_KEPT

    def state(self) -> dict[str, Array]:
        """What the detector remembers."""
        return (
            {}
            if self._colors is None or self._luma is None
            else {"cuts.colors": self._colors, "cuts.luma": self._luma}
        )

    def restore(self, state: dict[str, Array]) -> None:
        """Remember what another detector did."""
        self._colors, self._luma = state.get("cuts.colors"), state.get("cuts.luma")


def read_cuts(path: Path, frames: int) -> frozenset[int]:
    """Read the numbers of the frames that begin a shot, counted from 0: one a line, ``#`` begins a
    remark.

    Raises:
        InputError: if the file cannot be read or a line holds no number of the video's frames.
    """
    try:
        lines = path.read_text(encoding="utf-8-sig").splitlines()
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
