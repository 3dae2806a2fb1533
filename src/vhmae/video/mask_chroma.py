"""Masks that are videos of luma and chroma, as most videos are: whether they are coloured, and
whether their colours are those of labels, which a codec has blurred."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable
from typing import Literal

import cv2
import numpy as np

from vhmae.arrays import Array, Matte, Numbers
from vhmae.video.mask_meaning import MOST_COLORS
from vhmae.video.planes import PlanarFrame

Tint = Literal["one", "labels", "picture"]
"""One colour on black, which may be soft; several, each flat; or any others."""
NEUTRAL = 12
"""Levels of 255 that chroma may be off where a video is grey."""
LEAST_SHARE = 0.0005
"""Of the chroma samples, so many must be further off."""
SIDE = 512
"""A frame is looked at on a grid of at most so many places in a row and a column."""
NOT_BLACK = 40 / 255
"""The brightest channel of what is a colour, and no trace of one that a codec left beside it."""
VIVID = 0.5
"""Of its brightest channel, so much must a colour's weakest lack: tinted white is no label."""
MOST = 0.9
"""So much of what is not black is vivid in a map of labels."""
ONE_HUE = 0.15
"""Channels of one colour, each over the brightest, are off by no more."""
FLAT = 12 / 255
"""Within a label, neighbours differ by no more."""
MOST_FLAT, MOST_OF = 0.5, 0.98
"""So much of what is not black is flat in a map of several labels, and so much of that has one of
few colours."""
STEP = 16
"""Levels that a codec may part the pixels of one label by."""
LEAST_LUMA = 12
"""Levels that a label's luma must be above black to be told by it."""


@dataclasses.dataclass(frozen=True)
class Tinted:
    """What a coloured mask shows."""

    kind: Tint
    luma: int = 0
    """Code of the colour's luma where there is one, of the darkest one's where there are
    several."""


def is_tinted(image: PlanarFrame) -> bool:
    """Whether a frame of luma and chroma has colours."""
    if image.encoding.matrix == "rgb" or len(image.planes) < 3:
        return False
    bits = image.encoding.bits
    middle, far = 1 << (bits - 1), NEUTRAL << (bits - 8)
    return any(
        np.count_nonzero((plane < middle - far) | (plane > middle + far)) > LEAST_SHARE * plane.size
        for plane in image.planes[1:3]
    )


def tint_of(frames: Iterable[PlanarFrame]) -> Tinted:
    """What coloured frames of a mask show, all together."""
    seen = vivid = black = 0
    colors: list[Array] = []
    flat: list[Array] = []
    lumas: list[Array] = []
    for image in frames:
        height, width = min(SIDE, image.height), min(SIDE, image.width)
        picture = np.ascontiguousarray(image.sample(height, width).transpose(1, 2, 0))
        luma = cv2.resize(image.planes[0], (width, height), interpolation=cv2.INTER_NEAREST)
        brightest = picture.max(axis=2)
        shown = brightest >= NOT_BLACK
        of_label = shown & (brightest - picture.min(axis=2) >= VIVID * brightest)
        seen, vivid = seen + int(shown.sum()), vivid + int(of_label.sum())
        black += int(np.count_nonzero(~shown))
        size = np.ones((3, 3), np.uint8)
        spread = (cv2.dilate(picture, size) - cv2.erode(picture, size)).max(axis=2)
        colors.append(picture[of_label])
        flat.append(spread[of_label] <= FLAT)
        lumas.append(luma[of_label])
    if not vivid or not black or vivid < MOST * seen:
        return Tinted("picture")
    found, is_flat, luma = np.concatenate(colors), np.concatenate(flat), np.concatenate(lumas)
    if _has_one_hue(found):
        return Tinted("one", int(np.percentile(luma, 98.0)))
    if is_flat.sum() >= MOST_FLAT * seen and _are_few(found[is_flat]):
        return Tinted("labels", int(np.percentile(luma[is_flat], 2.0)))
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


def levels_of_tint(tint: Tinted, levels: Numbers, edge: float) -> Numbers | None:
    """What each code of luma stands for in a mask of labels: that of one colour is white, and less
    of it is less; of several, all from half of the darkest on. None where luma does not tell.

    Args:
        levels: what each code stands for in a grey mask, uint8 or uint16.
        edge: levels within which what is nearly white is white, as codecs leave it.
    """
    top = np.iinfo(levels.dtype).max
    own = float(levels[tint.luma])
    if tint.kind == "picture" or own < LEAST_LUMA * top / 255:
        return None
    if tint.kind == "labels":
        return np.where(levels >= 0.5 * own, top, 0).astype(levels.dtype)
    scaled = np.clip(levels * (top / own), 0.0, top)
    scaled = np.where(scaled > top - edge * top / own, top, scaled)
    made: Numbers = np.rint(scaled).astype(levels.dtype)
    return made


def blurred_all_but_black(image: PlanarFrame) -> Matte:
    """A frame of labels whose luma does not tell them from black, as a matte (H, W) uint8."""
    return np.where(image.rgb().max(axis=2) >= NOT_BLACK, 255, 0).astype(np.uint8)
