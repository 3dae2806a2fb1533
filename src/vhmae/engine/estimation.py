"""The network asked: a window of key frames in, what is to be done to each of them out."""

from __future__ import annotations

import numpy as np

from vhmae.arrays import Array
from vhmae.color.pixels import ReadSets
from vhmae.engine.networks import Answer, WindowNetwork
from vhmae.engine.rendering import FrameTransform, PixelChange
from vhmae.engine.smoothing import Estimate

KeyFrame = tuple[int, Array, Array]
"""Index, frame (S, S, 3) float32 RGB in [0, 1] and mask (S, S) bool at the network's size."""


class Estimator:
    """A network that is asked with caution."""

    def __init__(self, network: WindowNetwork, caution: float) -> None:
        """Take a network.

        Args:
            caution: half of a change this small, in levels of 255, is left undone.
        """
        self.network = network
        self.caution = caution

    def estimate(
        self,
        shot: int,
        key_frames: list[KeyFrame],
        wanted: range,
        sets: ReadSets | None = None,
        fill: bool = True,
    ) -> list[Estimate]:
        """Ask the network once.

        Args:
            shot: number of the shot that the key frames are of.
            key_frames: a window of them, at most as many as the network sees at once.
            wanted: the places in the window of those whose estimates are returned.
            sets: the colors of the whole shot, where it has been surveyed.
            fill: repeat the last key frame where the window is not full.
        """
        if not key_frames:
            return []
        repeated = self.network.config.clip_frames - len(key_frames) if fill else 0
        window = key_frames + [key_frames[-1]] * max(0, repeated)
        frames = np.stack([frame for _, frame, _ in window])
        answer = self.network.ask(frames, np.stack([mask for _, _, mask in window]), sets)
        share = share_kept(answer.squared, self.caution)
        changes = [change.scaled(share) for change in _changes(answer)]
        return [Estimate(shot, key_frames[place][0], changes[place]) for place in wanted]


def _changes(answer: Answer) -> list[FrameTransform] | list[PixelChange]:
    """What the network says of each frame of a window: color maps where it has them, or what it
    makes of the pixels seen."""
    if answer.overall is not None and answer.local is not None:
        return [FrameTransform(answer.overall, local) for local in answer.local]
    assert answer.drawn is not None, "an answer has maps or pixels"
    return [PixelChange(pixels) for pixels in answer.drawn]


def share_kept(squared: float, caution: float) -> float:
    """How much of a change is made: nearly all of a strong one, little of one that is smaller than
    ``caution`` levels.

    Args:
        squared: its mean square inside the mask, colors in [0, 1].
    """
    levels = squared * 255.0**2
    return levels / (levels + caution**2) if levels + caution**2 > 0.0 else 1.0
