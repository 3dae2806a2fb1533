"""A part's pixels in a shot, before and after, and what a map does to them in a compositor's
words."""

from __future__ import annotations

from typing import Any

import numpy as np

from vhmae.arrays import Array, Matte, Thinned
from vhmae.engine.fading import nearly_in_full
from vhmae.engine.memory import Snapshot
from vhmae.engine.rendering import ColorChange, FrameTransform, KeepingChange
from vhmae.engine.sampling import changed_pixels
from vhmae.guide.dials import DIALS, fit_dials
from vhmae.guide.wording import in_words
from vhmae.video.planes import PlanarFrame
from vhmae.work.analysis import Analysis, Ready

SIDE = 64
"""A frame is looked at on a grid of this many places in a row and a column."""
EVERY_FRAMES = 6
"""Frames from one that is looked at to the next."""
MOST_PIXELS = 200_000
"""Pixels that are kept of a shot; of a longer one, every second is dropped as often as needed."""


class ShotPixels:
    """Pixels as they come in."""

    def __init__(self) -> None:
        self.seen = 0
        """Frames that were looked at."""
        self._last = -EVERY_FRAMES
        self._most = 0.0
        """How much of the shot any of them shows: a frame that shows more is looked at, too."""
        self._pixels = Thinned(MOST_PIXELS)  # (P, 7): before, after, share

    def look_at(
        self,
        index: int,
        image: PlanarFrame,
        matte: Matte,
        change: ColorChange,
        share: float,
    ) -> None:
        """Take the next frame, if it is far enough from the last.

        Args:
            share: how much of what is said of the shot the change holds: less of it in a fade.
        """
        if index - self._last < EVERY_FRAMES and share <= self._most:
            return
        self._most = max(self._most, share)
        before, step = changed_pixels(image, matte, SIDE, change.change)
        pixels = np.column_stack([before, before + step, np.full(len(before), share)])
        pixels = pixels.astype(np.float64)
        self.seen, self._last = self.seen + 1, index
        self._pixels.add(pixels)

    def state(self) -> tuple[dict[str, Any], Array]:
        """What was seen, for :meth:`restored`: numbers for JSON, and all pixels."""
        parts = self._pixels.parts
        numbers = {"seen": self.seen, "last": self._last, "most": self._most}
        sizes = [len(part) for part in parts]
        held = {"one_in": self._pixels.one_in, "sizes": sizes}
        return numbers | held, np.concatenate([np.zeros((0, 7)), *parts])

    @classmethod
    def restored(cls, numbers: dict[str, Any], pixels: Array) -> ShotPixels:
        """Pixels as another one has seen them."""
        own = cls()
        own.seen, own._last, own._most = numbers["seen"], numbers["last"], numbers["most"]
        own._pixels.one_in = numbers["one_in"]
        ends = np.cumsum([0, *numbers["sizes"]])
        own._pixels.parts = [pixels[ends[at] : ends[at + 1]] for at in range(len(ends) - 1)]
        return own

    def both(self) -> tuple[Array, Array]:
        """(P, 3) before and after: of frames that show the shot in full, or nearly as much of it
        as any does."""
        pixels = np.concatenate(self._pixels.parts)
        most = max(float(pixels[:, 6].max()), 1e-6)
        before, after, share = np.split(pixels[nearly_in_full(pixels[:, 6])], (3, 6), axis=1)
        return before, before + (after - before) * (most / np.maximum(share, 1e-6))


class Needed:
    """What each shot still needed beside a guide that rules them all: the part of the change that
    the network alone says."""

    def __init__(self, analysis: Analysis) -> None:
        self._analysis = analysis
        self._ended: list[dict[str, Any]] = []
        """What was told of shots that are over."""
        self._shots: dict[tuple[int, int], tuple[ShotPixels, list[int]]] = {}
        """The shot that is looked at: pixels, and first and last frame, of each part."""

    def look_at(self, ready: Ready) -> None:
        """Take the next frame with its changes."""
        index = ready.payload.timed.index
        if any(shot != ready.shot for shot, _ in self._shots):
            self._ended, self._shots = self.rows(), {}
        for object_number, harmonizer, cover, change, share in zip(
            self._analysis.objects,
            self._analysis.harmonizers,
            ready.covers,
            ready.changes,
            ready.shares,
            strict=True,
        ):
            if change is None or not cover.any():
                continue
            told = harmonizer.stream_guide.guide_changes.at(ready.shot, index)
            if told is not None:
                assert isinstance(change, FrameTransform | KeepingChange), "of maps, as guides are"
                change = change.with_added(-share * harmonizer.strength * told)
            pixels, frames = self._shots.setdefault((ready.shot, object_number), (ShotPixels(), []))
            pixels.look_at(index, ready.payload.timed.image, cover, change, share)
            frames[:] = [frames[0] if frames else index, index]

    def rows(self) -> list[dict[str, Any]]:
        """For each shot and part: its frames, what it still needed in words and dials, and by how
        many levels."""
        return self._ended + [
            {"shot": shot + 1, "object": object_number, "first": frames[0], "last": frames[1]}
            | described(*pixels.both())
            for (shot, object_number), (pixels, frames) in sorted(self._shots.items())
        ]

    def joined(self, stream: Snapshot) -> Snapshot:
        """The harmonizers' memory, and what was seen, for :meth:`restore`."""
        numbers: list[list[Any]] = []
        arrays = dict(stream.arrays)
        for (shot, object_number), (pixels, frames) in self._shots.items():
            seen, arrays[f"needed{len(numbers)}"] = pixels.state()
            numbers.append([shot, object_number, [*frames], seen])
        needed = {"ended": self._ended, "shots": numbers}
        return Snapshot({**stream.numbers, "needed": needed}, arrays)

    def restore(self, stream: Snapshot) -> None:
        """Go on from :meth:`joined`."""
        needed = stream.numbers["needed"]
        self._ended = needed["ended"]
        for at, (shot, object_number, frames, seen) in enumerate(needed["shots"]):
            pixels = ShotPixels.restored(seen, stream.arrays[f"needed{at}"])
            self._shots[shot, object_number] = pixels, frames


def described(before: Array, after: Array) -> dict[str, Any]:
    """A change of colors (P, 3) in a compositor's words, for reports."""
    reading = fit_dials(before, after)
    return {
        "words": in_words(reading.dials),
        **dict(zip(DIALS, (round(value, 4) for value in reading.dials.values()), strict=True)),
        "change_levels": round(reading.change_levels, 3),
        "left_levels": round(reading.left_levels, 3),
    }
