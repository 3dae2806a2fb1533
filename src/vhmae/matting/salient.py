"""Whatever stands out, by a salient-object network of the user's (ISNet, U2-Net and their like),
steadied over time."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path

import cv2
import numpy as np

from vhmae.arrays import Array, Frame, UnitMatte
from vhmae.errors import InputError
from vhmae.matting.maker import MatteMaker
from vhmae.matting.networks import open_network
from vhmae.matting.steady import REACH, steadied


class Salient(MatteMaker):
    """Cuts out the object that stands out, whatever it is."""

    def __init__(self, weights: Path, steady: bool = True, threads: int | None = None) -> None:
        """Open the network; its input's shape says the size of the pictures that it sees."""
        self.network = open_network(weights, frozenset(), frozenset(), threads)
        (self.input,) = list(self.network.inputs)[:1]
        shape = self.network.inputs[self.input].shape
        found = self.network.shapes[0]
        whole = len(shape) == 4 and isinstance(shape[2], int) and isinstance(shape[3], int)
        if (
            len(self.network.inputs) != 1
            or not whole
            or shape[1] != 3
            or (len(found) == 4 and found[1] not in (1, None))
        ):
            raise InputError(
                f"{weights}: does not make one matte of one picture of a fixed size; give ISNet or "
                "a network like it"
            )
        self.size = (shape[3], shape[2])
        self.steady = steady
        self.latency_frames = REACH if steady else 0

    def mattes(self, frames: Iterable[Frame]) -> Iterator[UnitMatte]:
        if self.steady:
            yield from steadied((frame, self._matte(frame)) for frame in frames)
        else:
            yield from map(self._matte, frames)

    def _matte(self, frame: Frame) -> Array:
        kind = self.network.kind(self.input)
        shrunk = cv2.resize(
            frame,
            self.size,
            interpolation=cv2.INTER_AREA if frame.shape[0] > self.size[1] else cv2.INTER_LINEAR,
        )
        picture = (shrunk.transpose(2, 0, 1)[None].astype(np.float32) / 255.0 - 0.5).astype(kind)
        found = self.network.run(self.network.outputs[:1], {self.input: picture})[0]
        # Never stretched by its own extremes: an empty scene would become a foreground.
        matte = np.clip(found.reshape(found.shape[-2:]).astype(np.float32), 0.0, 1.0)
        return cv2.resize(matte, frame.shape[1::-1], interpolation=cv2.INTER_LINEAR)
