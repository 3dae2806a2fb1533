"""Mattes that were made frame by frame, steadied: the median of five, each brought to the middle
frame by optical flow."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator

import cv2
import numpy as np

from vhmae.arrays import Array, Frame, UnitMatte

REACH = 2
"""Frames on either side."""
FLOW_LINES = 288
"""Lines of the pictures that motion is measured on."""


def steadied(pairs: Iterable[tuple[Frame, UnitMatte]]) -> Iterator[UnitMatte]:
    """Steady mattes: frames (H, W, 3) uint8 with mattes (H, W) float32 -> mattes, ``REACH`` frames
    behind."""
    estimator = cv2.DISOpticalFlow.create(cv2.DISOPTICAL_FLOW_PRESET_FAST)
    near: deque[tuple[Array, Array]] = deque()
    middle = 0  # place in ``near`` of the frame whose turn it is
    for frame, matte in pairs:
        near.append((_small_luma(frame), matte))
        if len(near) - 1 - middle == REACH:
            yield _median(near, middle, estimator)
            middle += 1
            if middle > REACH:
                near.popleft()
                middle -= 1
    while middle < len(near):
        yield _median(near, middle, estimator)
        middle += 1
        if middle > REACH:
            near.popleft()
            middle -= 1


def _median(near: deque[tuple[Array, Array]], middle: int, estimator: cv2.DISOpticalFlow) -> Array:
    here, own = near[middle]
    brought = [
        own if place == middle else _warped(matte, here, there, estimator)
        for place, (there, matte) in enumerate(near)
    ]
    if len(brought) == 2:  # no median of two
        return own
    return np.median(np.stack(brought), axis=0).astype(np.float32)


def _warped(matte: UnitMatte, here: Array, there: Array, estimator: cv2.DISOpticalFlow) -> Array:
    """A matte of another frame, moved to where its things are in this one."""
    flow = estimator.calc(here, there, np.zeros((*here.shape, 2), np.float32))
    height, width = matte.shape
    scale = np.array([width / here.shape[1], height / here.shape[0]], np.float32)
    flow = cv2.resize(flow, (width, height), interpolation=cv2.INTER_LINEAR) * scale
    y, x = np.mgrid[0:height, 0:width].astype(np.float32)
    return cv2.remap(
        matte, x + flow[..., 0], y + flow[..., 1], cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE
    )


def _small_luma(frame: Frame) -> Array:
    scale = min(1.0, FLOW_LINES / min(frame.shape[:2]))
    size = (max(16, round(frame.shape[1] * scale)), max(16, round(frame.shape[0] * scale)))
    return cv2.cvtColor(cv2.resize(frame, size, interpolation=cv2.INTER_AREA), cv2.COLOR_RGB2GRAY)
