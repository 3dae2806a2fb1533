"""The difference to a clean plate: the same shot without the subject, camera and exposure
locked."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import cv2
import numpy as np

from vhmae.arrays import Array, Frame, Picture, UnitMatte, to_unit
from vhmae.errors import InputError
from vhmae.matting.edges import refined, without_holes, without_specks
from vhmae.matting.maker import MatteMaker

RAMP = (0.04, 0.12)
"""Differences, of 1, that are surely background and surely foreground."""


class CleanPlate(MatteMaker):
    """Cuts out what differs from a clean plate."""

    def __init__(self, plate: Frame) -> None:
        """Take a plate (H, W, 3) uint8 RGB."""
        self.plate = plate

    def mattes(self, frames: Iterable[Frame]) -> Iterator[UnitMatte]:
        plate: Array | None = None
        for frame in frames:
            if plate is None:
                plate = self._blurred(fitted(self.plate, frame.shape, "plate"))
            difference = np.abs(self._blurred(frame) - plate).max(axis=-1)
            alpha = np.clip((difference - RAMP[0]) / (RAMP[1] - RAMP[0]), 0.0, 1.0)
            alpha = without_specks(alpha)
            inside = without_holes(alpha > 0.5)
            inside = cv2.erode(inside.astype(np.uint8), np.ones((3, 3), np.uint8)) > 0
            yield refined(frame, np.where(inside, np.float32(1.0), alpha).astype(np.float32))

    def _blurred(self, picture: Array) -> Array:
        sigma = max(0.8, picture.shape[0] / 480.0)
        return cv2.GaussianBlur(to_unit(picture), (0, 0), sigma)


def fitted(plate: Picture, shape: tuple[int, ...], field: str) -> Picture:
    """A picture of a shot, of an option, at the size of its frames.

    Raises:
        InputError: where it has another shape.
    """
    if abs(plate.shape[1] / plate.shape[0] / (shape[1] / shape[0]) - 1.0) > 0.02:
        raise InputError(
            f"is {plate.shape[1]}x{plate.shape[0]}, the video {shape[1]}x{shape[0]}; give a frame "
            "of the same shot",
            field=field,
        )
    if plate.shape == shape:
        return plate
    how = cv2.INTER_AREA if plate.shape[0] > shape[0] else cv2.INTER_LINEAR
    return cv2.resize(plate, (shape[1], shape[0]), interpolation=how)
