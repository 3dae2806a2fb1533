"""Metrics on the 0-255 scale (docs/conventions.md, "metrics"): of a frame, and of a clip over time.

Frames are (H, W, 3), masks (H, W) bool; clips have T frames of them. Sums are taken in double
precision.
"""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np

from vhmae.arrays import Array, Frames, Levels, Mask, Numbers
from vhmae.errors import InputError, ShapeError

_C1, _C2 = (0.01 * 255.0) ** 2, (0.03 * 255.0) ** 2


def _check_pair(image: Array, target: Array) -> None:
    if image.shape != target.shape or image.ndim != 3 or image.shape[2] != 3:
        raise ShapeError(
            f"expected two frames (H, W, 3) of one size, got {image.shape} and {target.shape}"
        )


def mse(image: Levels, target: Levels) -> float:
    """Mean squared error over all pixels and channels."""
    _check_pair(image, target)
    return squared_error(image, target) / image.size


def fmse(image: Levels, target: Levels, mask: Mask) -> float:
    """Mean squared error over the foreground: sum(m d^2) / (3 sum m); NaN without foreground."""
    _check_pair(image, target)
    area = int(np.count_nonzero(mask))
    return squared_error(image, target, mask) / (3.0 * area) if area else float("nan")


def squared_error(image: Levels, target: Levels, mask: Mask | None = None) -> float:
    """Sum of squared differences, inside a mask if there is one."""
    if image.dtype == target.dtype and image.dtype in (np.uint8, np.float32, np.float64):
        return float(
            cv2.norm(image, target, cv2.NORM_L2SQR, None if mask is None else mask.view(np.uint8))
        )
    difference = image.astype(np.float64) - target
    return float(np.square(difference if mask is None else difference[mask]).sum())


def psnr(image: Levels, target: Levels, peak: float = 255.0) -> float:
    """Peak signal-to-noise ratio in dB; 100 for equal frames, so that means stay finite."""
    return decibels(mse(image, target), peak)


def decibels(error: float, peak: float = 255.0) -> float:
    """A mean squared error as a peak signal-to-noise ratio in dB, at most 100."""
    return (
        min(100.0, 10.0 * float(np.log10(peak**2 / error))) if error > 0.0 and peak > 0.0 else 100.0
    )


def ssim_map(
    image: Levels,
    target: Levels,
    constants: tuple[float, float] = (_C1, _C2),
    border: int = cv2.BORDER_REFLECT,
) -> Numbers:
    """SSIM at each pixel and channel: 11x11 Gaussian of sigma 1.5, (H, W, 3); ``border`` is
    OpenCV's."""
    _check_pair(image, target)
    x, y = image.astype(np.float64), target.astype(np.float64)
    c1, c2 = constants

    def blur(values: Array) -> Array:
        return cv2.GaussianBlur(values, (11, 11), 1.5, borderType=border)

    mean_x, mean_y = blur(x), blur(y)
    var_x, var_y = blur(x * x) - mean_x**2, blur(y * y) - mean_y**2
    covariance = blur(x * y) - mean_x * mean_y
    numerator = (2.0 * mean_x * mean_y + c1) * (2.0 * covariance + c2)
    similarity: Array = numerator / ((mean_x**2 + mean_y**2 + c1) * (var_x + var_y + c2))
    return similarity


def fssim(image: Levels, target: Levels, mask: Mask) -> float:
    """SSIM averaged over the foreground; NaN without foreground."""
    if not mask.any():
        return float("nan")
    part = around(mask)
    return float(ssim_map(image[part], target[part])[mask[part]].mean())


def around(mask: Mask) -> tuple[slice, slice]:
    """The box of a mask and as many pixels around it as SSIM's window reaches: what lies further
    changes nothing inside."""
    rows, columns = np.flatnonzero(mask.any(axis=1)), np.flatnonzero(mask.any(axis=0))
    reach = 5
    return (
        slice(max(0, int(rows[0]) - reach), int(rows[-1]) + 1 + reach),
        slice(max(0, int(columns[0]) - reach), int(columns[-1]) + 1 + reach),
    )


# --- over time: clips (T, H, W, 3) uint8, masks (T, H, W) bool

STATIC_LEVELS = 2
"""Pixels of the target that move by no more than this from frame to frame stand still."""


def temporal_loss(clip: Frames, target: Frames, mask: Mask) -> float:
    """TL with DIS flow (``tl_dis``): change of the foreground along the target's motion, mean over
    pairs of frames.

    w = warp(mask) * consistent * mean_c exp(-|warp(target_t) - target_t+1|), TL = 255^2 sum w^2
    (warp(clip_t) - clip_t+1)^2 / sum w with colors in [0, 1] and the mean over channels; the flow
    leads from the target's frame t+1 to t, and a pixel is consistent where the flow back returns to
    it within a pixel. Published values use FlowNet2: they are not comparable. NaN without two
    frames of foreground.
    """
    return temporal_losses((clip,), target, mask)[0]


def temporal_losses(clips: Sequence[Frames], target: Frames, mask: Mask) -> list[float]:
    """``temporal_loss`` of several clips with one target, whose flow, most of the work, is found
    once.

    Raises:
        InputError: for frames that the flow cannot be found in.
    """
    short, long = sorted(target.shape[1:3])
    if short < 8 or long < 12:
        told = f"finds no motion in frames of {target.shape[2]}x{target.shape[1]}; leave it out"
        raise InputError(told, field="metrics", value="temporal")
    estimator = cv2.DISOpticalFlow.create(cv2.DISOPTICAL_FLOW_PRESET_MEDIUM)
    grey = [cv2.cvtColor(frame, cv2.COLOR_RGB2GRAY) for frame in target]
    losses: list[list[float]] = [[] for _ in clips]
    for t in range(len(target) - 1):
        places, consistent = _motion(estimator, grey[t + 1], grey[t])
        before, after = (
            target[t].astype(np.float32) / 255.0,
            target[t + 1].astype(np.float32) / 255.0,
        )
        likeness = np.exp(-np.abs(_warp(before, places) - after)).mean(axis=-1)
        weight = _warp(mask[t].astype(np.float32), places) * consistent * likeness
        total = float(weight.sum())
        if total <= 0.0:
            continue
        for clip, found in zip(clips, losses, strict=True):
            moved = _warp(clip[t].astype(np.float32), places) - clip[t + 1].astype(np.float32)
            squared = np.square(weight[..., None] * moved).mean(axis=-1)
            found.append(float(squared.sum()) / total)
    return [float(np.mean(found)) if found else float("nan") for found in losses]


def _motion(estimator: cv2.DISOpticalFlow, here: Array, there: Array) -> tuple[Array, Array]:
    """Where each pixel of a picture lies in the other, (H, W, 2) float32, and whether the way back
    agrees, (H, W) bool."""
    nothing = np.zeros((*here.shape, 2), np.float32)
    flow, back = (
        estimator.calc(here, there, nothing.copy()),
        estimator.calc(there, here, nothing.copy()),
    )
    rows, columns = np.mgrid[0 : here.shape[0], 0 : here.shape[1]].astype(np.float32)
    places = np.dstack([columns, rows]) + flow
    returned = _warp(back, places)
    return places, np.linalg.norm(flow + returned, axis=-1) <= 1.0


def _warp(picture: Array, places: Array) -> Array:
    """The picture's values at other places (H, W, 2)."""
    across, down = (np.ascontiguousarray(places[..., axis]) for axis in range(2))
    return cv2.remap(picture, across, down, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)


def foreground_tone_change(clip: Frames, target: Frames, mask: Mask) -> float:
    """fRTC: squared difference between the clip's and the target's frame-to-frame steps of the
    foreground's mean value.

    The value is HSV's, the largest channel. NaN without two frames of foreground.
    """
    steps = []
    for frames in (clip, target):
        values = [
            float(frame[inside].max(axis=-1).mean()) if inside.any() else np.nan
            for frame, inside in zip(frames, mask, strict=True)
        ]
        steps.append(np.diff(values))
    squared = np.square(steps[0] - steps[1])
    return float(np.nanmean(squared)) if np.isfinite(squared).any() else float("nan")


def flicker(clip: Frames, composite: Frames, target: Frames, mask: Mask) -> float:
    """Mean change, from frame to frame, of what was added to the composite, on foreground pixels
    where the target stands still.

    NaN where nothing stands still.
    """
    total = count = 0.0
    for t in range(len(clip) - 1):
        still = (
            (cv2.absdiff(target[t], target[t + 1]).max(axis=-1) <= STATIC_LEVELS)
            & mask[t]
            & mask[t + 1]
        )
        if still.any():
            added = [clip[i][still].astype(np.int16) - composite[i][still] for i in (t, t + 1)]
            total += float(np.abs(added[1] - added[0]).sum())
            count += 3.0 * float(still.sum())
    return total / count if count else float("nan")


# --- where the change to a frame shows: (H, W, 3) frames, (H, W) bool masks


def seam_ratio(frame: Levels, composite: Levels, mask: Mask, grid: int) -> float:
    """Energy of the change's differences across the borders of a grid x grid of cells over that
    inside cells; 1 without seams.

    The change is frame - composite, and pairs count where both pixels are foreground. NaN without
    such pairs or any change.
    """
    change = frame.astype(np.float64) - composite
    sums = np.zeros((2, 2))  # across borders and inside: energy, pairs
    for axis in (0, 1):
        length = mask.shape[axis]
        both = np.logical_and(
            *(np.take(mask, range(start, length - 1 + start), axis) for start in (0, 1))
        )
        energy = np.square(np.diff(change, axis=axis)).sum(axis=-1)
        cell = np.arange(length) * grid // length
        border = np.diff(cell) > 0
        across = border[:, None] if axis == 0 else border[None, :]
        for place, chosen in enumerate((both & across, both & ~across)):
            sums[place] += energy[chosen].sum(), chosen.sum()
    if not sums[:, 1].all() or not sums[1, 0]:
        return float("nan")
    return float((sums[0, 0] / sums[0, 1]) / (sums[1, 0] / sums[1, 1]))


def edge_errors(frame: Levels, target: Levels, mask: Mask, pixels: int = 5) -> tuple[float, float]:
    """Mean squared error in a band inside the mask's edge, and in the rest of the foreground; NaN
    where there is none."""
    kernel = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (2 * pixels + 1, 2 * pixels + 1))
    inner = cv2.erode(mask.astype(np.uint8), kernel, borderType=cv2.BORDER_REPLICATE) > 0
    return fmse(frame, target, mask & ~inner), fmse(frame, target, inner)
