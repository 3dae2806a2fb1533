"""People, by Robust Video Matting (Lin 2021): what the paper cut its foregrounds with. The network
file is the user's."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator
from pathlib import Path

import numpy as np

from vhmae.arrays import Array, Frame, UnitMatte
from vhmae.errors import InputError
from vhmae.matting.maker import MatteMaker
from vhmae.matting.networks import open_network

INSIDE_PIXELS = 512
"""The longest side that the network sees inside, as its authors advise; smaller where that would
leave under 256 on the short side."""
SHORTEST_PIXELS = 256
WARM_UP = 5
"""Frames that are run backwards first, so that the first frame does not begin from nothing
(docs/results.md, "Mattes")."""
STATES = ("r1", "r2", "r3", "r4")


class Rvm(MatteMaker):
    """Cuts out people; carries its state from frame to frame."""

    def __init__(
        self, weights: Path, ratio: float | None = None, threads: int | None = None
    ) -> None:
        """Open the network.

        Args:
            ratio: size that the network sees inside, of the frame's; None chooses by the frame.
        """
        if ratio is not None and not 0.0 < ratio <= 1.0:
            raise InputError(
                "out of range; expected more than 0, at most 1", field="ratio", value=ratio
            )
        inputs = frozenset({"src", "downsample_ratio", *(f"{state}i" for state in STATES)})
        self.network = open_network(
            weights, inputs, frozenset({"pha", *(f"{state}o" for state in STATES)}), threads
        )
        self.ratio = ratio

    def mattes(self, frames: Iterable[Frame]) -> Iterator[UnitMatte]:
        source = iter(frames)
        kind = self.network.kind("src")
        state = {f"{name}i": np.zeros((1, 1, 1, 1), kind) for name in STATES}
        first = list(itertools.islice(source, WARM_UP))
        for frame in first[:0:-1]:
            _, state = self._step(frame, state)
        for frame in itertools.chain(first, source):
            matte, state = self._step(frame, state)
            yield matte

    def _step(self, frame: Frame, state: dict[str, Array]) -> tuple[Array, dict[str, Array]]:
        kind = self.network.kind("src")
        picture = np.ascontiguousarray(frame.transpose(2, 0, 1)[None]).astype(kind) / kind(255.0)
        ratio = np.array([self.ratio or inside_ratio(frame.shape[1], frame.shape[0])], np.float32)
        matte, *after = self.network.run(
            ["pha", *(f"{name}o" for name in STATES)],
            {"src": picture, "downsample_ratio": ratio, **state},
        )
        states = {f"{name}i": values for name, values in zip(STATES, after, strict=True)}
        return np.clip(matte[0, 0].astype(np.float32), 0.0, 1.0), states


def inside_ratio(width: int, height: int) -> float:
    """The downsample ratio of a frame's size."""
    longest, shortest = max(width, height), min(width, height)
    return min(1.0, max(INSIDE_PIXELS / longest, SHORTEST_PIXELS / shortest))
