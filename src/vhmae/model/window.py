"""The whole answer of a window of frames: what the engine asks, and what a graph is recorded of
(``model.export``)."""

from __future__ import annotations

from collections.abc import Callable

from torch import Tensor

from vhmae.color.recording import either
from vhmae.color.statistics import PixelSets
from vhmae.model.heads import Change
from vhmae.model.vhmae import VHMAE


def answer_window(
    model: VHMAE,
    frames: Tensor,
    masks: Tensor,
    sets: PixelSets | None = None,
    surveyed: Tensor | None = None,
) -> tuple[Change, Tensor]:
    """Say what is to be done to a window of frames: both showings, and how much changes.

    Args:
        frames: (B, T, 3, S, S) in [0, 1].
        masks: (B, T, 1, S, S) bool, True = foreground.
        sets: what the look path reads in the place of the window's own colors: those of a whole
            shot.
        surveyed: () bool: whether ``sets`` are read, where a graph is recorded that does either;
            None reads them where there are any.
    Returns:
        The change, and the mean squared change of color inside the mask (B,), colors in [0, 1].
    """
    predicted = model.predict(frames, masks, sets=sets, surveyed=surveyed)
    likes = None if predicted.look is None else predicted.look.likes
    change = model.look_again(predicted.change, frames, masks, sets, surveyed, likes)

    def seen(step: int) -> Callable[[], Tensor]:
        def count() -> Tensor:
            part, covered = frames[..., ::step, ::step], masks[..., ::step, ::step]
            return squared_change(change.apply(part) - part, covered)

        return count

    if change.maps() is None:
        return change, seen(1)()
    # How much changes over all is seen on every fourth row and column as well.
    return change, either(masks[..., ::4, ::4].any(), seen(4), seen(1))


def squared_change(change: Tensor, mask: Tensor) -> Tensor:
    """The mean squared change of color inside a mask.

    Args:
        change: (B, T, 3, H, W) in units of [0, 1].
        mask: (B, T, 1, H, W) bool.
    Returns:
        (B,); 0 where there is no foreground.
    """
    total = (change.float().square() * mask).sum(dim=(1, 2, 3, 4))
    return total / (3 * mask.sum(dim=(1, 2, 3, 4))).clamp_min(1)
