"""Transforms applied to full-size frames: once, inside the matte's box, as a change that is added to what was there."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import Protocol

import cv2
import numpy as np
import torch
from torch import Tensor

from vhmae.color.transform import AFFINE
from vhmae.video.planes import Box, ChangeOf, PlanarFrame, matte_box

Array = np.ndarray


class ColorChange(Protocol):
    """What is to be done to the colours of one frame."""

    def within(self, box: Box, height: int, width: int) -> ChangeOf:
        """Make ready for a box of a frame of the given size; its strips are then changed one by one."""

    def scaled(self, strength: float) -> ColorChange:
        """The change that goes a part of the way."""


@dataclasses.dataclass(frozen=True)
class FrameTransform:
    """Colour maps, as the photometric head says them: detail stays, whatever the frame's size."""

    overall: Array
    """(3, 10) float32: residual map of the whole foreground, over the basis of ``color.transform``."""
    local: Array
    """(N, N, 3, 4) float32: residual maps per cell, bilinear between the cells' centres."""

    def scaled(self, strength: float) -> FrameTransform:
        return self if strength == 1.0 else FrameTransform(self.overall * strength, self.local * strength)

    def within(self, box: Box, height: int, width: int) -> ChangeOf:
        rows, columns = self.local.shape[:2]
        across, share = _lerp(columns, box.left, box.right, width)
        share, after = share[:, None, None], np.minimum(across + 1, columns - 1)
        between = self.local[:, across] * (1.0 - share) + self.local[:, after] * share
        # The affine terms of the overall map are the same everywhere: they join the cells'. (N, 3, 4, w)
        maps = np.ascontiguousarray((between + self.overall[:, :AFFINE]).transpose(0, 2, 3, 1), np.float32)
        bases, steps = (torch.from_numpy(values).flatten(1, 2) for values in (maps, np.diff(maps, axis=0, append=maps[-1:])))
        lower, down = _lerp(rows, box.top, box.bottom, height)
        shares = torch.from_numpy(down)[:, None]
        scratch = torch.empty((10, 0))

        def change_of(strip: Tensor, part: Box) -> Tensor:
            nonlocal scratch
            _, height, width = strip.shape
            if scratch.shape[1] < height * width:
                scratch = torch.empty((10, height * width))
            room = scratch[:, : height * width].view(10, height, width)
            begin = part.top
            while begin < part.bottom:  # rows between the same two rows of cells
                cell = int(lower[begin])
                end = begin + int(np.searchsorted(lower[begin : part.bottom], cell, side="right"))
                rows = slice(begin - part.top, end - part.top)
                base, step = (values[cell, :, part.columns].unbind(0) for values in (bases, steps))
                self._change_rows(strip[:, rows].unbind(0), base, step, shares[begin:end], room[:, rows].unbind(0))
                begin = end
            return room[:3]

        return change_of

    def _change_rows(
        self, strip: Sequence[Tensor], base: Sequence[Tensor], step: Sequence[Tensor], share: Tensor, scratch: Sequence[Tensor]
    ) -> None:
        """Colours under the affine map base + share * step and the quadratic terms, clipped, minus the colours.

        Args:
            strip: red, green and blue, (n, w).
            base, step: 3 x 4 rows (w,): the map at the cells' centres above, and its way to those below.
            share: (n, 1), how far each row is on that way.
            scratch: ten planes (n, w); the answer stands in the first three.
        """
        red, green, blue = strip
        squares, term = scratch[3:9], scratch[9]
        for place, (one, other) in enumerate(((red, red), (green, green), (blue, blue), (red, green), (green, blue), (blue, red))):
            torch.mul(one, other, out=squares[place])
        for channel, plane in enumerate(strip):
            first = channel * AFFINE
            total = torch.addcmul(base[first + 3], share, step[first + 3], out=scratch[channel])
            for index, factor in enumerate(strip, first):
                total.addcmul_(torch.addcmul(base[index], share, step[index], out=term), factor)
            for coefficient, square in zip(self.overall[channel, AFFINE:].tolist(), squares, strict=True):
                total.add_(square, alpha=coefficient)
            total.add_(plane).clamp_(0.0, 1.0).sub_(plane)


@dataclasses.dataclass(frozen=True)
class PixelChange:
    """The difference that the paper's pixel head drew at the network's size, interpolated to the frame's."""

    pixels: Array
    """(S, S, 3) float32, drawn minus composite."""

    def scaled(self, strength: float) -> PixelChange:
        return self if strength == 1.0 else PixelChange(self.pixels * strength)

    def within(self, box: Box, height: int, width: int) -> ChangeOf:
        resized = cv2.resize(self.pixels, (width, height), interpolation=cv2.INTER_LINEAR)
        whole = torch.from_numpy(resized[box.rows, box.columns]).permute(2, 0, 1)

        def change_of(strip: Tensor, part: Box) -> Tensor:
            return (strip + whole[:, part.rows, part.columns]).clamp_(0.0, 1.0).sub_(strip)

        return change_of


def _lerp(cells: int, start: int, stop: int, total: int) -> tuple[Array, Array]:
    """For pixels ``start`` to ``stop`` of ``total``: the cell centre before each, and how far it is to the next; the ends are held."""
    places = np.clip((np.arange(start, stop) + 0.5) * cells / total - 0.5, 0.0, cells - 1.0)
    lower = places.astype(int)
    return lower, (places - lower).astype(np.float32)


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
    cover = as_matte(matte[box.rows, box.columns])
    change_of = transform.within(box, frame.height, frame.width)
    moved = area = 0.0

    def counted(strip: Tensor, part: Box) -> Tensor:
        nonlocal moved, area
        change = change_of(strip, part)
        share = torch.from_numpy(cover[part.rows, part.columns])[::4, ::4]
        moved += float((change[:, ::4, ::4].abs() * share).sum())
        area += float(share.sum())
        return change

    rendered = frame.copy()
    rendered.recolor(box, cover, counted)
    return rendered, moved / max(area, 1e-6) * 255.0 / 3.0


def render_rgb(frame: Array, matte: Array, transform: ColorChange) -> Array:
    """Harmonize an RGB frame (H, W, 3), uint8 or float32 in [0, 1], inside a matte (H, W); the result has the frame's type."""
    box = matte_box(matte, 1, 1)
    if box is None:
        return frame
    part = frame[box.rows, box.columns]
    rgb = part.astype(np.float32) / 255.0 if frame.dtype == np.uint8 else part.astype(np.float32)
    planes = torch.from_numpy(rgb).permute(2, 0, 1).contiguous()
    moved = transform.within(box, *frame.shape[:2])(planes, Box(0, 0, *planes.shape[1:]))
    change = (moved * torch.from_numpy(as_matte(matte[box.rows, box.columns]))).permute(1, 2, 0).numpy()
    rendered = frame.copy()
    if frame.dtype == np.uint8:
        rendered[box.rows, box.columns] = np.rint(np.clip(part + 255.0 * change, 0.0, 255.0)).astype(np.uint8)
    else:
        rendered[box.rows, box.columns] = part + change
    return rendered
