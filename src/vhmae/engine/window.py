"""The window of key frames: those that go through the network together, and when they are asked
for."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from vhmae.engine.estimation import KeyFrame
from vhmae.engine.smoothing import Estimate

Ask = Callable[[list[KeyFrame], range], list[Estimate]]
"""A window, and the places in it whose estimates are wanted."""


class Window:
    """Key frames of one shot that wait for the network.

    Disjoint windows are asked for once each, when they are full. Overlapping ones move on by a key
    frame each, so that each key frame is asked for in the middle of its window (Fig. 3).
    """

    def __init__(self, size: int, overlapping: bool, ask: Ask) -> None:
        """``size``: key frames that the network sees at once."""
        self.size, self.overlapping, self._ask = size, overlapping, ask
        self.frames: list[KeyFrame] = []
        self.asked = 0
        """How many have their estimate: the first ones."""

    def add(self, key_frame: KeyFrame) -> list[Estimate]:
        """Take a key frame; where it fills the window, the estimates of all, or of those up to the
        middle."""
        self.frames.append(key_frame)
        if not self.overlapping:
            return self.finish() if len(self.frames) == self.size else []
        if len(self.frames) > self.size:
            del self.frames[0]
            self.asked = max(0, self.asked - 1)
        return self._up_to(max(1, self.size // 2)) if len(self.frames) == self.size else []

    def hurry(self) -> list[Estimate]:
        """The estimates of all that wait, which cannot wait for more; the window goes on where its
        frames are still to be seen around others."""
        return self._up_to(len(self.frames)) if self.overlapping else self.finish()

    def finish(self) -> list[Estimate]:
        """The estimates of all that wait; the next key frame begins another window."""
        found = self._up_to(len(self.frames))
        self.frames, self.asked = [], 0
        return found

    def forget_waiting(self) -> None:
        """Drop the key frames that have no estimate yet."""
        del self.frames[self.asked :]

    def restore(self, frames: Iterable[KeyFrame], asked: int) -> None:
        self.frames, self.asked = list(frames), asked

    def _up_to(self, stop: int) -> list[Estimate]:
        if self.asked >= stop:
            return []
        wanted, self.asked = range(self.asked, stop), stop
        return self._ask(self.frames, wanted)
