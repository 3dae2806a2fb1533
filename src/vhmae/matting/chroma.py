"""Green and blue screens: a color-difference key with a screen color that may differ from place
to place."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import cv2
import numpy as np

from vhmae.arrays import Array, Frame, UnitMatte, to_unit
from vhmae.matting.maker import MatteMaker
from vhmae.matting.plate import fitted

GREEN, BLUE = 1, 2
BORDER_SHARE = 0.06
"""Width of the frame's border, where the screen is looked for."""
SHOWS_SCREEN = 0.08
"""Difference of the key channel to the others, of 1, that a screen must have."""
SURE = 0.6
"""Pixels with this share of a usual screen's difference are screen."""
SAME_SCREEN = 0.5
"""A screen has at least this share of the purity that it had a frame before."""
STRETCH = (0.04, 0.96)
"""Alphas that become 0 and 1: what is left of noise and of a screen that is not even."""
DARK = 0.04
"""Mean of a frame, of 1, that is faded out: nothing is cut out of it."""
SMALL = 8
"""The screen's color is blurred at this fraction of the size."""


class ChromaKey(MatteMaker):
    """Keys out a green or blue screen, and takes its color out of the edges."""

    def __init__(
        self, key: str = "auto", garbage: UnitMatte | None = None, despill: bool = True
    ) -> None:
        """Set up a key.

        Args:
            key: ``green``, ``blue``, or ``auto``: what the border of a shot's first frame shows.
            garbage: (h, w) float32, 1 where nothing is to be kept: rigging, the end of the screen.
            despill: take the screen's light off the foreground.
        """
        self.key = key
        self.garbage = garbage
        self.despill = despill
        self._channel = GREEN
        self._screen: Array | None = None

    def mattes(self, frames: Iterable[Frame]) -> Iterator[UnitMatte]:
        self._screen = None
        channel = None if self.key == "auto" else {"green": GREEN, "blue": BLUE}[self.key]
        for frame in frames:
            channel = _key_channel(frame) if channel is None else channel
            if channel is None:
                self._miss(frame)
                yield np.zeros(frame.shape[:2], np.float32)
                continue
            self._channel = channel
            image = to_unit(frame)
            difference = self._difference(image)
            screen = _screen(image, difference)
            if screen is None and (
                self._screen is None or image.mean() < DARK
            ):  # a fade, or what comes before the screen
                self._miss(frame)
                yield np.zeros(frame.shape[:2], np.float32)
                continue
            if screen is None or not self._is_as_pure(screen):
                screen = self._screen
            assert screen is not None
            self._screen = screen
            usual = np.maximum(self._difference(screen), 1e-3)
            alpha = 1.0 - difference / usual
            alpha = np.clip((alpha - STRETCH[0]) / (STRETCH[1] - STRETCH[0]), 0.0, 1.0)
            if self.garbage is not None:
                alpha *= 1.0 - fitted(self.garbage, alpha.shape, "garbage")
            yield alpha

    def _is_as_pure(self, screen: Array) -> bool:
        """Whether it may be the screen of the frames before, perhaps in less light: something
        greenish in front of it is paler."""

        def purity(colors: Array) -> float:
            return float(self._difference(colors).mean()) / max(
                1e-3, float(colors[..., self._channel].mean())
            )

        return self._screen is None or purity(screen) >= SAME_SCREEN * purity(self._screen)

    def _miss(self, frame: Frame) -> None:
        advice = (
            f"give {'`key` green or blue' if self.key == 'auto' else 'the other `key`'}, or "
            "another way to cut out"
        )
        shown = ", ".join(f"{value:.0f}" for value in _border_color(frame))
        self.complaint = (
            self.complaint
            or f"no green or blue screen is to be seen (the border's color is {shown}); {advice}"
        )

    def _difference(self, image: Array) -> Array:
        """How much of the key color a pixel has beyond the others: (H, W)."""
        others = [channel for channel in range(3) if channel != self._channel]
        return image[..., self._channel] - np.maximum(image[..., others[0]], image[..., others[1]])

    def colors(self, frame: Frame, matte: UnitMatte) -> Frame:
        """What is left when the screen's share is taken off a pixel; the key channel is held to the
        mean of the others near the edge."""
        if self._screen is None:
            return frame
        image = to_unit(frame)
        alpha = matte[..., None]
        colors = np.clip((image - (1.0 - alpha) * self._screen) / np.maximum(alpha, 0.05), 0.0, 1.0)
        if self.despill:
            others = [channel for channel in range(3) if channel != self._channel]
            limit = colors[..., others].mean(axis=-1)
            reach = max(3, frame.shape[0] // 60)
            near = cv2.dilate(
                (matte < 0.98).astype(np.float32), np.ones((2 * reach + 1, 2 * reach + 1), np.uint8)
            )
            near = cv2.blur(near, (2 * reach + 1, 2 * reach + 1))
            spill = np.maximum(colors[..., self._channel] - limit, 0.0)
            colors[..., self._channel] -= near * spill
        return np.rint(colors * 255.0).astype(np.uint8)


def _border_color(frame: Frame) -> Array:
    """The usual color along the borders, (3,) in levels."""
    height, width = frame.shape[:2]
    rows, columns = max(1, round(height * BORDER_SHARE)), max(1, round(width * BORDER_SHARE))
    # The lower border seldom shows the screen: people stand there.
    parts = (frame[:rows], frame[: 2 * height // 3, :columns], frame[: 2 * height // 3, -columns:])
    color: Array = np.median(np.concatenate([part.reshape(-1, 3) for part in parts]), axis=0)
    return color


def _key_channel(frame: Frame) -> int | None:
    """Green or blue, whichever the borders show; None for neither."""
    color = _border_color(frame) / 255.0
    channel = GREEN if color[GREEN] >= color[BLUE] else BLUE
    others = [other for other in range(3) if other != channel]
    return channel if color[channel] - max(color[others]) >= SHOWS_SCREEN else None


def _screen(image: Array, difference: Array) -> Array | None:
    """The screen's color at every place, seen or not: (H, W, 3); None where there is no screen."""
    shown = difference[difference > 0.02]
    sure = (
        difference > SURE * np.percentile(shown, 60)
        if len(shown)
        else np.zeros(difference.shape, bool)
    )
    if not sure.any():
        return None
    height, width = difference.shape
    small = (max(1, width // SMALL), max(1, height // SMALL))
    # A pixel beside the foreground holds some of it: the sure ones are taken a little away from it.
    sure = cv2.erode(sure.astype(np.uint8), np.ones((5, 5), np.uint8)).astype(bool) | (
        (sure.mean() < 0.01) & sure
    )
    weight = cv2.resize(sure.astype(np.float32), small, interpolation=cv2.INTER_AREA)
    color = cv2.resize(
        image * sure[..., None].astype(np.float32), small, interpolation=cv2.INTER_AREA
    )
    filled, total = color, weight
    for size in (5, 15, 45, 135):  # near places first; wider ones where nothing is near
        blurred, reached = cv2.blur(color, (size, size)), cv2.blur(weight, (size, size))
        lacks = np.clip(1.0 - total / 0.2, 0.0, 1.0)
        filled, total = filled + lacks[..., None] * blurred, total + lacks * reached
    mean = image[sure].mean(axis=0) if sure.any() else image.reshape(-1, 3).mean(axis=0)
    filled, total = filled + 1e-3 * mean, total + 1e-3
    spread: Array = cv2.resize(
        filled / total[..., None], (width, height), interpolation=cv2.INTER_LINEAR
    )
    return spread
