"""Transforms applied to full-size frames: once, inside the matte's box, as a change that is added to what was there."""

from __future__ import annotations

import dataclasses
from typing import Protocol

import cv2
import numpy as np
import torch

from vhmae.color.transform import AFFINE, color_basis
from vhmae.video.planes import Box, PlanarFrame, matte_box

Array = np.ndarray

_ROWS_AT_ONCE = 64  # a strip of a frame, so that intermediate planes stay in the cache


class ColorChange(Protocol):
    """What is to be done to the colours of one frame."""

    def change(self, rgb: Array, box: Box, height: int, width: int) -> Array:
        """The change to the colours of a box of a frame.

        Args:
            rgb: (h, w, 3) float32 in [0, 1], the box's pixels.
            height, width: of the whole frame.
        Returns:
            (h, w, 3) float32: the new colours, clipped to [0, 1], minus ``rgb``.
        """

    def scaled(self, strength: float) -> ColorChange:
        """The change that goes a part of the way."""


@dataclasses.dataclass(frozen=True)
class FrameTransform:
    """Colour maps, as the photometric head says them: detail stays, whatever the frame's size."""

    overall: Array
    """(3, 10) float32: residual map of the whole foreground."""
    local: Array
    """(N, N, 3, 4) float32: residual maps per cell, bilinear between the cells' centres."""

    def scaled(self, strength: float) -> FrameTransform:
        return self if strength == 1.0 else FrameTransform(self.overall * strength, self.local * strength)

    def change(self, rgb: Array, box: Box, height: int, width: int) -> Array:
        rows, columns = self.local.shape[:2]
        down = torch.from_numpy(_lerp_matrix(rows, box.top, box.bottom, height))
        across = torch.from_numpy(_lerp_matrix(columns, box.left, box.right, width))
        local = torch.from_numpy(np.ascontiguousarray(self.local)).reshape(rows, columns, -1)  # (N, N, 3 * 4)
        widened = torch.einsum("wc,rck->rkw", across, local)  # (N, 12, w)
        overall = torch.from_numpy(np.ascontiguousarray(self.overall.T))  # (10, 3)
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


@dataclasses.dataclass(frozen=True)
class PixelChange:
    """The difference that the paper's pixel head drew at the network's size, interpolated to the frame's."""

    pixels: Array
    """(S, S, 3) float32, drawn minus composite."""

    def scaled(self, strength: float) -> PixelChange:
        return self if strength == 1.0 else PixelChange(self.pixels * strength)

    def change(self, rgb: Array, box: Box, height: int, width: int) -> Array:
        whole = cv2.resize(self.pixels, (width, height), interpolation=cv2.INTER_LINEAR)
        changed: Array = np.clip(rgb + whole[box.rows, box.columns], 0.0, 1.0) - rgb
        return changed


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


def as_matte(mask: Array) -> Array:
    """A mask of any kind as a matte: float32 in [0, 1]."""
    if mask.dtype == np.uint8:
        return mask.astype(np.float32) / np.float32(255.0)
    if mask.dtype == np.uint16:
        return mask.astype(np.float32) / np.float32(65535.0)
    return mask.astype(np.float32)


def render_planes(frame: PlanarFrame, matte: Array, transform: ColorChange) -> tuple[PlanarFrame, float]:
    """Harmonize a frame in its own planes; the input is left as it is.

    Args:
        matte: (H, W), as :func:`as_matte` takes it; where it is 0, code values stay exactly what they were.
    Returns:
        The rendered frame, and the mean change inside the matte in levels of 0-255 (from every fourth pixel and row).
    """
    box = matte_box(matte, frame.chroma_x, frame.chroma_y)
    if box is None:
        return frame, 0.0
    change = transform.change(frame.rgb(box), box, frame.height, frame.width)
    cover = as_matte(matte[box.rows, box.columns])
    change *= cover[..., None]
    rendered = frame.copy()
    rendered.add(change, box)
    area = float(cover[::4, ::4].sum())
    return rendered, float(np.abs(change[::4, ::4]).sum()) / max(area, 1e-6) * 255.0 / 3.0


def render_rgb(frame: Array, matte: Array, transform: ColorChange) -> Array:
    """Harmonize an RGB frame (H, W, 3), uint8 or float32 in [0, 1], inside a matte (H, W); the result has the frame's type."""
    box = matte_box(matte, 1, 1)
    if box is None:
        return frame
    part = frame[box.rows, box.columns]
    rgb = part.astype(np.float32) / 255.0 if frame.dtype == np.uint8 else part.astype(np.float32)
    change = transform.change(rgb, box, *frame.shape[:2]) * as_matte(matte[box.rows, box.columns])[..., None]
    rendered = frame.copy()
    if frame.dtype == np.uint8:
        rendered[box.rows, box.columns] = np.rint(np.clip(part + 255.0 * change, 0.0, 255.0)).astype(np.uint8)
    else:
        rendered[box.rows, box.columns] = part + change
    return rendered
