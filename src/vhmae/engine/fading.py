"""Fades to white and black: how much of its shot a frame still shows.

A map that suits a shot would tint the white that the shot fades to: what fades is the picture, and
the change that it had fades with it.
"""

from __future__ import annotations

from collections import deque
from typing import NamedTuple

import numpy as np

from vhmae.arrays import Arrays, Numbers, UnitFrame
from vhmae.video.cuts import FLASH_FRAMES

ENDS = (2.0, 98.0)
"""Percentiles of a thumbnail's values that count as its darkest and lightest."""
TOWARDS = 0.6
"""Of the way that the ends would go if all of a lost contrast were a fade, so much they must."""
WHITE_FROM, BLACK_FROM = 0.8, 0.25
"""Shares of a shot's contrast below which a frame is taken to fade; most of what a map does to
black fades with it by itself."""
LOST = 0.05
"""A frame that shows less than this shows nothing, however fast it came."""
FADED_IN = 0.3
"""A shot whose first frame shows more than this does not begin with a fade."""


NEARLY = 0.9
"""Of the most that a shot's frames show of it, what counts as all of it."""


def nearly_in_full(shares: Numbers) -> Numbers:
    """Which pixels are of frames that show their shot in full, or nearly as much of it as any does,
    (P,) bool, by how much of it the frame of each shows."""
    return shares >= NEARLY * shares.max()


class _Ends(NamedTuple):
    dark: float
    light: float


class Fading:
    """Sees the frames of a stream as they come, and tells of each as it is released."""

    def __init__(self) -> None:
        self._frames: deque[tuple[int, int, _Ends]] = deque()
        """Shot, number and ends of frames that wait, and of a few before them."""
        self._widest: dict[int, _Ends] = {}
        """The ends of each shot's frame of most contrast, so far."""
        self._first: dict[int, int] = {}
        """The number of each shot's first frame."""
        self._ended = False

    def end(self) -> None:
        """No frame comes after those that were seen."""
        self._ended = True

    def see(self, shot: int, index: int, thumbnail: UnitFrame) -> None:
        """Take the next frame's thumbnail (h, w, 3), RGB in [0, 1]."""
        ends = _Ends(*(float(end) for end in np.percentile(thumbnail, ENDS)))
        self._frames.append((shot, index, ends))
        widest = self._widest.setdefault(shot, ends)
        self._first.setdefault(shot, index)
        if ends.light - ends.dark > widest.light - widest.dark:
            self._widest[shot] = ends

    def shown(self, shot: int, index: int) -> float:
        """How much of its shot a frame shows, in [0, 1]; frames are asked for in order.

        A flash is shorter than what is looked at around a frame, and is no fade.
        """
        while self._frames and self._frames[0][1] < index - FLASH_FRAMES:
            gone = self._frames.popleft()[0]
            if gone != shot and all(other != gone for other, *_ in self._frames):
                self._widest.pop(gone, None)
                self._first.pop(gone, None)
        near = {
            number - index: self._share(shot, ends)
            for of, number, ends in self._frames
            if of == shot and number <= index + FLASH_FRAMES
        }
        if 0 not in near or near[0] < LOST:
            return near.get(0, 1.0)
        before = [share for place, share in near.items() if place <= 0]
        behind = [share for place, share in near.items() if place >= 0]
        if index - self._first[shot] < FLASH_FRAMES and before[0] > FADED_IN:
            return 1.0
        # Of what is on both sides of a flash, all is shown; a stream without lookahead sees one.
        known = self._ended or self._frames[-1][1] >= index + FLASH_FRAMES
        return min(max(before), max(behind)) if known else max(before)

    def _share(self, shot: int, ends: _Ends) -> float:
        widest = self._widest[shot]
        contrast = widest.light - widest.dark
        left = (ends.light - ends.dark) / contrast if contrast > 0.0 else 1.0
        rise = (1.0 - left) * (1.0 - widest.dark)
        fall = (1.0 - left) * widest.light
        if left < WHITE_FROM and ends.dark - widest.dark >= TOWARDS * rise:
            return left / WHITE_FROM
        if left < BLACK_FROM and widest.light - ends.light >= TOWARDS * fall:
            return left / BLACK_FROM
        return 1.0

    def state(self) -> Arrays:
        """What is remembered, as arrays."""
        widest = [(shot, self._first[shot], *ends) for shot, ends in self._widest.items()]
        frames = [(shot, index, *ends) for shot, index, ends in self._frames]
        return {
            "fading.widest": np.array(widest, np.float64).reshape(-1, 4),
            "fading.frames": np.array(frames, np.float64).reshape(-1, 4),
        }

    def restore(self, state: Arrays) -> None:
        """Remember what another one did."""
        self._frames.clear()
        self._widest, self._first = {}, {}
        for shot, first, dark, light in state["fading.widest"].tolist():
            self._widest[int(shot)], self._first[int(shot)] = _Ends(dark, light), int(first)
        for shot, index, dark, light in state["fading.frames"].tolist():
            self._frames.append((int(shot), int(index), _Ends(dark, light)))
