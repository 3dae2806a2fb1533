"""Skin in a foreground heard as a word (``guide.skin``), key frame by key frame: the smoothing over
time makes one of them, without a step."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

import numpy as np

from vhmae.arrays import Array
from vhmae.color.skin import find_skin
from vhmae.engine.estimation import KeyFrame
from vhmae.engine.rendering import FrameTransform
from vhmae.engine.smoothing import Estimate
from vhmae.guide.prior import Prior
from vhmae.guide.skin import LEAST_SHARE, skin_word
from vhmae.guide.update import update
from vhmae.video.planes import Box


def with_skin(
    estimates: Sequence[Estimate], key_frames: Sequence[KeyFrame], prior: Prior
) -> list[Estimate]:
    """The estimates of key frames, those that show skin with what follows from it."""
    seen = {index: (picture, mask) for index, picture, mask in key_frames}
    found = []
    for one in estimates:
        change = one.change
        if isinstance(change, FrameTransform):
            change = _moved(change, *seen[one.index], prior)
        found.append(dataclasses.replace(one, change=change))
    return found


def _moved(change: FrameTransform, picture: Array, mask: Array, prior: Prior) -> FrameTransform:
    skin = find_skin(np.rint(255.0 * picture).astype(np.uint8), mask)
    if skin.sum() < max(1.0, LEAST_SHARE * mask.sum()):
        return change
    height, width = mask.shape
    planes = np.ascontiguousarray(picture.transpose(2, 0, 1))
    added = change.change(planes, Box(0, 0, height, width), height, width)
    composite = planes[:, skin].astype(np.float64).mean(axis=1)
    answer = composite + added[:, skin].astype(np.float64).mean(axis=1)
    told = update(prior, [skin_word(composite, answer)]).mean
    return change.with_added(told)
