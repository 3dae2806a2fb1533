"""Where a foreground is laid: how large, where, and standing on what; never with a cut edge of its
own frame in the picture."""

from __future__ import annotations

import dataclasses
import functools

import cv2
import numpy as np

from vhmae.arrays import Array

TOUCHES = 0.02
"""A silhouette that fills this share of a border of its frame, in a quarter of the frames, is cut
off there."""
LARGEST_SCALE = 3.0
"""Foregrounds are enlarged at most so much: what is blown up further looks soft before its
background."""
LEAST_SHOWN = 0.45
"""A close-up shows at least this share of the silhouette."""
GROUND = (0.8, 0.97)
"""Where, of the frame's height, something that stands has its feet."""
STANDS = 0.85
"""What is taller than this share of the picture is shown as a close-up, from its upper end."""
TRIES = 24


@dataclasses.dataclass(frozen=True)
class Silhouette:
    """What placing needs to know of a foreground."""

    mattes: Array
    """(T, h, w) uint8, small."""
    width: int
    """Of the foreground's frames, in pixels."""
    height: int

    @functools.cached_property
    def cut_off(self) -> dict[str, bool]:
        """At which borders of its frame the subject goes on."""
        inside = self.mattes > 127
        borders = {
            "top": inside[:, :1],
            "bottom": inside[:, -1:],
            "left": inside[..., :1],
            "right": inside[..., -1:],
        }
        return {
            name: bool((border.reshape(len(inside), -1).mean(axis=1) > TOUCHES).mean() > 0.25)
            for name, border in borders.items()
        }

    @functools.cached_property
    def box(self) -> tuple[float, float, float, float]:
        """Left, top, right, bottom of the subject over all frames, in pixels of its frames."""
        inside: Array = np.any(self.mattes > 127, axis=0)
        rows, columns = np.flatnonzero(inside.any(axis=1)), np.flatnonzero(inside.any(axis=0))
        across, down = self.width / inside.shape[1], self.height / inside.shape[0]
        return (
            columns[0] * across,
            rows[0] * down,
            (columns[-1] + 1) * across,
            (rows[-1] + 1) * down,
        )

    @functools.cached_property
    def area(self) -> float:
        """Mean area of the subject in pixels."""
        return float(self.mattes.mean() / 255.0 * self.width * self.height)


@dataclasses.dataclass(frozen=True, kw_only=True)
class Laid:
    """A placement: frames of the foreground times ``scale``, then moved; and what that shows."""

    scale: float
    x: float
    y: float
    mirrored: bool
    kind: str
    """"standing", "close-up", or "hanging" for what comes into its frame from above."""
    foreground_ratio: float
    """Mean share of the frame that the foreground covers."""

    def matrix(self, width: int) -> Array:
        """The affine matrix (2, 3) from the foreground's pixels (its frames ``width`` wide) to the
        background's."""
        flip = -1.0 if self.mirrored else 1.0
        shift = self.x + (self.scale * (width - 1) if self.mirrored else 0.0)
        return np.array([[flip * self.scale, 0.0, shift], [0.0, self.scale, self.y]])


def place(
    silhouette: Silhouette,
    size: tuple[int, int],
    ratios: tuple[float, float],
    rng: np.random.Generator,
) -> Laid | None:
    """Draw a placement in a background.

    Args:
        size: width and height of the background.
        ratios: bounds of the mean share of the frame that the foreground covers.
    Returns:
        None where the foreground cannot be laid so.
    """
    width, height = size
    if silhouette.area * LARGEST_SCALE**2 < ratios[0] * width * height:
        return None
    for _ in range(TRIES):
        wanted = rng.uniform(*ratios)
        scale = float(np.sqrt(wanted * width * height / max(1.0, silhouette.area))) * rng.uniform(
            1.0, 1.35
        )
        mirrored = bool(rng.random() < 0.5)
        spot = _draw_spot(silhouette, size, min(scale, LARGEST_SCALE), mirrored, rng)
        if spot is None:
            continue
        laid = Laid(
            scale=spot[0],
            x=spot[1],
            y=spot[2],
            mirrored=mirrored,
            kind=spot[3],
            foreground_ratio=0.0,
        )
        ratio, shown = _covered(silhouette, laid, size)
        if ratios[0] <= ratio <= ratios[1] and shown >= LEAST_SHOWN:
            return dataclasses.replace(laid, foreground_ratio=round(ratio, 4))
    return None


def _draw_spot(
    silhouette: Silhouette,
    size: tuple[int, int],
    scale: float,
    mirrored: bool,
    rng: np.random.Generator,
) -> tuple[float, float, float, str] | None:
    """Scale, x and y of the foreground's frame, and what kind of placement it is."""
    width, height = size
    cut = silhouette.cut_off
    left_cut, right_cut = (cut["right"], cut["left"]) if mirrored else (cut["left"], cut["right"])
    left, top, right, bottom = silhouette.box
    if mirrored:
        left, right = silhouette.width - right, silhouette.width - left
    # Cut off on both sides: the subject must reach from border to border.
    if left_cut and right_cut:
        scale = max(scale, width / silhouette.width)
    if cut["top"] and cut["bottom"]:
        scale = max(scale, height / silhouette.height)
    if scale > LARGEST_SCALE:
        return None
    x = _draw_between(
        width, scale * left, scale * right, scale * silhouette.width, left_cut, right_cut, rng
    )
    tall = scale * (bottom - top)
    lowest = height - scale * silhouette.height  # the frame's lower border at the picture's
    # Its upper end, faces as a rule, a little below the picture's border.
    headroom = rng.uniform(-0.03, 0.12) * height - scale * top
    if cut["bottom"]:
        kind, y = "close-up", max(lowest, headroom)
        if cut["top"]:
            y = min(0.0, y)
            if y < lowest:
                return None
    elif cut["top"]:
        kind, y = "hanging", -rng.uniform(0.0, 0.1) * tall
    elif tall > STANDS * height:
        kind, y = "close-up", headroom
    else:
        kind, y = "standing", rng.uniform(*GROUND) * height - scale * bottom
    return None if x is None else (scale, x, y, kind)


def _draw_between(
    length: float,
    low: float,
    high: float,
    whole: float,
    low_cut: bool,
    high_cut: bool,
    rng: np.random.Generator,
) -> float | None:
    """Where a frame (``whole`` long, its subject from ``low`` to ``high``) begins along an axis of
    a background."""
    if low_cut and high_cut:
        return -rng.uniform(0.0, whole - length) if whole >= length else None
    if low_cut:  # its border at or beyond the background's
        return -rng.uniform(0.0, 0.2) * (high - low)
    if high_cut:
        return length - whole + rng.uniform(0.0, 0.2) * (high - low)
    center = rng.uniform(0.25, 0.75) * length
    return center - 0.5 * (low + high)


def _covered(silhouette: Silhouette, laid: Laid, size: tuple[int, int]) -> tuple[float, float]:
    """The mean share of the frame that is covered, and how much of the subject is shown."""
    small = (max(1, size[0] // 8), max(1, size[1] // 8))
    mattes = silhouette.mattes[:: max(1, len(silhouette.mattes) // 8)]
    to_small = np.diag([1 / 8, 1 / 8]) @ laid.matrix(silhouette.width)
    to_small[:, :2] = to_small[:, :2] @ np.diag(
        [silhouette.width / mattes.shape[2], silhouette.height / mattes.shape[1]]
    )
    shown = np.stack(
        [cv2.warpAffine(matte, to_small, small, flags=cv2.INTER_AREA) for matte in mattes]
    )
    ratio = float(shown.mean() / 255.0)
    whole = float(mattes.mean() / 255.0) * silhouette.width * silhouette.height * laid.scale**2
    return ratio, ratio * size[0] * size[1] / max(1.0, whole)
