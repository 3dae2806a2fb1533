"""Transforms applied to full-size frames: once, inside the matte's box, as a change that is added to what was there."""

from __future__ import annotations

import dataclasses

import numpy as np
import torch

from vhmae.color.transform import AFFINE, color_basis
from vhmae.video.planes import Box, PlanarFrame, matte_box

Array = np.ndarray

_ROWS_AT_ONCE = 64  # a strip of a frame, so that intermediate planes stay in the cache


@dataclasses.dataclass(frozen=True)
class FrameTransform:
    """The transform of one frame."""

    overall: Array
    """(3, 10) float32: residual map of the whole foreground."""
    local: Array
    """(N, N, 3, 4) float32: residual maps per cell, bilinear between the cells' centres."""

    def scaled(self, strength: float) -> FrameTransform:
        """The transform that goes a part of the way: residuals scale."""
        return self if strength == 1.0 else FrameTransform(self.overall * strength, self.local * strength)


def _lerp_matrix(cells: int, start: int, stop: int, total: int) -> Array:
    """Weights (stop - start, cells) of bilinear interpolation from cells to pixels; the ends are held."""
    places = np.clip((np.arange(start, stop) + 0.5) * cells / total - 0.5, 0.0, cells - 1.0)
    lower = np.minimum(places.astype(int), max(cells - 2, 0))
    share = (places - lower).astype(np.float32)
    matrix = np.zeros((stop - start, cells), np.float32)
    rows = np.arange(stop - start)
    matrix[rows, lower] = 1.0 - share
    if cells > 1:
        matrix[rows, lower + 1] = share
    return matrix


def color_change(rgb: Array, transform: FrameTransform, box: Box, height: int, width: int) -> Array:
    """The change that a transform makes to the colours of a box of a frame.

    Args:
        rgb: (h, w, 3) float32 in [0, 1], the box's pixels.
        height, width: of the whole frame, over which the grid of local maps is spread.
    Returns:
        (h, w, 3) float32: transformed and clipped to [0, 1], minus ``rgb``.
    """
    rows, columns = transform.local.shape[:2]
    down = torch.from_numpy(_lerp_matrix(rows, box.top, box.bottom, height))
    across = torch.from_numpy(_lerp_matrix(columns, box.left, box.right, width))
    local = torch.from_numpy(np.ascontiguousarray(transform.local)).reshape(rows, columns, -1)  # (N, N, 3 * 4)
    widened = torch.einsum("wc,rck->rkw", across, local)  # (N, 12, w)
    overall = torch.from_numpy(np.ascontiguousarray(transform.overall.T))  # (10, 3)
    change = np.empty_like(rgb)
    for top in range(0, len(rgb), _ROWS_AT_ONCE):
        strip = torch.from_numpy(rgb[top : top + _ROWS_AT_ONCE])
        maps = torch.einsum("hr,rkw->khw", down[top : top + _ROWS_AT_ONCE], widened).unflatten(0, (3, AFFINE))
        residual = color_basis(strip) @ overall  # (h, w, 3)
        planes = strip.unbind(-1)
        for channel in range(3):
            red, green, blue, constant = maps[channel].unbind(0)
            added = torch.addcmul(constant, red, planes[0]).addcmul_(green, planes[1]).addcmul_(blue, planes[2])
            residual[..., channel] += added
        change[top : top + _ROWS_AT_ONCE] = ((strip + residual).clamp_(0.0, 1.0) - strip).numpy()
    return change


def render_planes(frame: PlanarFrame, matte: Array, transform: FrameTransform) -> tuple[PlanarFrame, float]:
    """Harmonize a frame in its own planes; the input is left as it is.

    Args:
        matte: (H, W) float32 in [0, 1]; where it is 0, code values stay exactly what they were.
    Returns:
        The rendered frame, and the mean change inside the matte in levels of 0-255 (from every fourth pixel and row).
    """
    box = matte_box(matte, frame.chroma_x, frame.chroma_y)
    if box is None:
        return frame, 0.0
    change = color_change(frame.rgb(box), transform, box, frame.height, frame.width)
    change *= matte[box.rows, box.columns, None]
    rendered = frame.copy()
    rendered.add(change, box)
    area = float(matte[box.rows, box.columns][::4, ::4].sum())
    return rendered, float(np.abs(change[::4, ::4]).sum()) / max(area, 1e-6) * 255.0 / 3.0


def render_rgb(frame: Array, matte: Array, transform: FrameTransform) -> Array:
    """Harmonize an RGB frame (H, W, 3), uint8 or float32 in [0, 1]; the result has the same type."""
    box = matte_box(matte, 1, 1)
    if box is None:
        return frame
    part = frame[box.rows, box.columns]
    rgb = part.astype(np.float32) / 255.0 if frame.dtype == np.uint8 else part.astype(np.float32)
    change = color_change(rgb, transform, box, *frame.shape[:2]) * matte[box.rows, box.columns, None]
    rendered = frame.copy()
    if frame.dtype == np.uint8:
        rendered[box.rows, box.columns] = np.rint(np.clip(part + 255.0 * change, 0.0, 255.0)).astype(np.uint8)
    else:
        rendered[box.rows, box.columns] = part + change
    return rendered
