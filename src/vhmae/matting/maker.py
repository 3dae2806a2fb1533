"""What every way of cutting out has in common."""

from __future__ import annotations

import abc
from collections.abc import Iterable, Iterator

from vhmae.arrays import Frame, UnitMatte
from vhmae.matting.edges import foreground_colors


class MatteMaker(abc.ABC):
    """Makes the mattes of a shot. What it remembers lives in the generator: a new shot is a new
    call."""

    latency_frames: int = 0
    """How many frames it looks ahead."""
    complaint: str | None = None
    """What it lacked, where its mattes are empty."""
    warnings: tuple[str, ...] = ()
    """What the user should know of how what it was given was understood."""
    index: int = 0
    """The number of the frame that it was given last: those that are damaged leave gaps."""

    @abc.abstractmethod
    def mattes(self, frames: Iterable[Frame]) -> Iterator[UnitMatte]:
        """Make the mattes of one shot.

        Args:
            frames: (H, W, 3) uint8 RGB.
        Returns:
            (H, W) float32 in [0, 1], one a frame and in their order.
        """

    def colors(self, frame: Frame, matte: UnitMatte) -> Frame:
        """The foreground's own colors where it mixes with what was behind it: (H, W, 3) uint8 RGB,
        straight."""
        return foreground_colors(frame, matte)
