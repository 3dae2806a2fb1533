"""Masks that are videos of luma and chroma, as most videos are: whether they are colored, and
whether their colors are those of labels, which a codec has blurred."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable
from typing import Literal

import cv2
import numpy as np

from vhmae.arrays import Array, Matte
from vhmae.video.mask_meaning import MOST_COLORS
from vhmae.video.planes import Box, PlanarFrame

Tint = Literal["one", "labels", "picture"]
"""One color on black, which may be soft; several, each flat; or any others."""
NEUTRAL = 12
"""Levels of 255 that chroma may be off where a video is grey."""
LEAST_SHARE = 0.0005
"""Of the chroma samples, so many must be further off."""
SIDE = 512
"""A frame is looked at on a grid of at most so many places in a row and a column."""
NOT_BLACK = 40 / 255
"""The brightest channel of what is a color, and no trace of one that a codec left beside it."""
VIVID = 0.5
"""Of its brightest channel, so much must a color's weakest lack: tinted white is no label."""
MOST = 0.9
"""So much of what is not black is vivid in a map of labels."""
ONE_HUE = 0.15
"""Channels of one color, each over the brightest, are off by no more."""
FLAT = 12 / 255
"""Within a label, neighbors differ by no more."""
MOST_FLAT, MOST_OF = 0.5, 0.98
"""So much of what is not black is flat in a map of several labels, and so much of that has one of
few colors."""
STEP = 16
"""Levels that a codec may part the pixels of one label by."""
ALIKE = 0.8
"""Labels whose brightest channels lie within so much of one another are white alike."""


@dataclasses.dataclass(frozen=True)
class Tinted:
    """What a colored mask shows."""

    kind: Tint
    peak: float = 1.0
    """The brightest channel of its colors, in [0, 1], where all have the same: of them, less is
    less foreground. 0 where they have not."""


def is_tinted(image: PlanarFrame) -> bool:
    """Whether a frame of luma and chroma has colors."""
    if image.encoding.matrix == "rgb" or len(image.planes) < 3:
        return False
    bits = image.encoding.bits
    middle, far = 1 << (bits - 1), NEUTRAL << (bits - 8)
    return any(
        np.count_nonzero((plane < middle - far) | (plane > middle + far)) > LEAST_SHARE * plane.size
        for plane in image.planes[1:3]
    )


def tint_of(frames: Iterable[PlanarFrame]) -> Tinted:
    """What colored frames of a mask show, all together."""
    seen = vivid = black = 0
    colors: list[Array] = []
    flat: list[Array] = []
    for image in frames:
        height, width = min(SIDE, image.height), min(SIDE, image.width)
        picture = np.ascontiguousarray(image.sample(height, width).transpose(1, 2, 0))
        brightest = picture.max(axis=2)
        shown = brightest >= NOT_BLACK
        of_label = shown & (brightest - picture.min(axis=2) >= VIVID * brightest)
        seen, vivid = seen + int(shown.sum()), vivid + int(of_label.sum())
        black += int(np.count_nonzero(~shown))
        size = np.ones((3, 3), np.uint8)
        spread = (cv2.dilate(picture, size) - cv2.erode(picture, size)).max(axis=2)
        colors.append(picture[of_label])
        flat.append(spread[of_label] <= FLAT)
    if not vivid or not black or vivid < MOST * seen:
        return Tinted("picture")
    found, is_flat = np.concatenate(colors), np.concatenate(flat)
    one = _has_one_hue(found)
    if is_flat.sum() >= MOST_FLAT * seen and _are_few(found[is_flat]):
        low, high = np.percentile(found[is_flat].max(axis=1), (0.2, 98.0))
        if low < ALIKE * high:
            return Tinted("labels", 0.0)
        return Tinted("one" if one else "labels", float(high))
    if one:
        return Tinted("one", float(np.percentile(found.max(axis=1), 98.0)))
    return Tinted("picture")


def _has_one_hue(colors: Array) -> bool:
    brightest = colors.max(axis=1)
    sure = colors[brightest >= 0.5 * np.percentile(brightest, 98.0)]
    hues = sure / sure.max(axis=1, keepdims=True)
    off = np.abs(hues - np.median(hues, axis=0)).max(axis=1)
    return bool((off <= ONE_HUE).mean() >= MOST)


def _are_few(colors: Array) -> bool:
    steps = np.rint(colors * (255.0 / STEP)).astype(np.int64)
    packed = (steps[:, 0] << 16) | (steps[:, 1] << 8) | steps[:, 2]
    counts = np.sort(np.unique(packed, return_counts=True)[1])[::-1]
    return bool(counts[:MOST_COLORS].sum() >= MOST_OF * len(colors))


def matte_of_tint(image: PlanarFrame, peak: float, edge: float) -> Matte:
    """A frame of vivid colors on black as a matte (H, W) uint8, by its brightest channel.

    Args:
        peak: the channel of what is wholly foreground; 0 takes all that is not black.
        edge: levels of 255 within which black and white are that, as codecs leave them.
    """
    brightest = image.rgb_planes(Box(0, 0, image.height, image.width)).max(axis=0)
    if not peak:
        return np.where(brightest >= NOT_BLACK, 255, 0).astype(np.uint8)
    levels = brightest * np.float32(255.0 / peak)
    edge /= peak
    levels = np.where(levels < edge, 0.0, np.where(levels > 255.0 - edge, 255.0, levels))
    return np.rint(np.clip(levels, 0.0, 255.0)).astype(np.uint8)
