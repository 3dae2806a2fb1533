"""Frames as the planes that they were stored in.

A colour change is *added* to the planes: pixels outside the matte keep their exact code values, chroma is never
resampled where nothing changes, and 8 to 16 bit, limited and full range go one way.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence

import cv2
import numpy as np
import torch
from torch import Tensor

from vhmae.color.yuv import ColorEncoding

Array = np.ndarray
STRIP_PIXELS = 48_000
"""Pixels of a strip: small enough for the cache, large enough that calls cost less than arithmetic."""


@dataclasses.dataclass(frozen=True)
class Box:
    """A rectangle of pixels, ends excluded."""

    top: int
    left: int
    bottom: int
    right: int

    @property
    def rows(self) -> slice:
        return slice(self.top, self.bottom)

    @property
    def columns(self) -> slice:
        return slice(self.left, self.right)


def matte_box(matte: Array, align_x: int = 2, align_y: int = 2) -> Box | None:
    """The smallest box around the pixels of a matte above zero, aligned to chroma samples; None if there are none."""
    rows = np.flatnonzero(matte.any(axis=1))
    if not len(rows):
        return None
    columns = np.flatnonzero(matte[rows[0] : rows[-1] + 1].any(axis=0))
    height, width = matte.shape
    bottom = min(height, -(-(int(rows[-1]) + 1) // align_y) * align_y)
    right = min(width, -(-(int(columns[-1]) + 1) // align_x) * align_x)
    return Box(int(rows[0]) // align_y * align_y, int(columns[0]) // align_x * align_x, bottom, right)


ChangeOf = Callable[[Tensor, Box], Tensor]
"""Colours of a strip (3, n, w) float32 in [0, 1], and its place in a box -> the new colours, clipped to [0, 1], minus the old.
The answer may be changed, and may be used again by the next call."""


def _covered(cover: Array, top: int, bottom: int, align_x: int) -> Box | None:
    """The part of a strip of rows that a matte covers."""
    columns = np.flatnonzero(cover[top:bottom].any(axis=0))
    if not len(columns):
        return None
    right = min(cover.shape[1], -(-(int(columns[-1]) + 1) // align_x) * align_x)
    return Box(top, int(columns[0]) // align_x * align_x, bottom, right)


@dataclasses.dataclass
class PlanarFrame:
    """One frame: planes of code values (luma, two chromas; green, blue, red; or luma alone), and how they stand for colours."""

    planes: Sequence[Array]
    encoding: ColorEncoding
    chroma_x: int = 1
    """Pixels a chroma sample spans in a row: 2 for 4:2:0 and 4:2:2."""
    chroma_y: int = 1
    """Rows that a chroma sample spans: 2 for 4:2:0."""

    @property
    def height(self) -> int:
        return int(self.planes[0].shape[0])

    @property
    def width(self) -> int:
        return int(self.planes[0].shape[1])

    def rgb(self) -> Array:
        """Convert the frame to RGB: (H, W, 3) float32, in [0, 1]."""
        codes = torch.from_numpy(self._codes(Box(0, 0, self.height, self.width)))
        return self._decode(codes).permute(1, 2, 0).contiguous().numpy()

    def thumbnail(self, height: int, width: int, sparse: bool = False) -> Array:
        """Shrink the planes, then convert: (height, width, 3) float32 RGB in [0, 1], at a fraction of the cost.

        Args:
            sparse: look at every fourth pixel and row alone: enough to tell shots apart.
        """
        codes = np.full((3, height, width), self._neutral, np.float32)
        for index, plane in enumerate(self.planes[:3]):
            step = 4 if sparse and min(plane.shape) >= 4 * max(height, width) else 1
            codes[index] = cv2.resize(np.ascontiguousarray(plane[::step, ::step]), (width, height), interpolation=cv2.INTER_AREA)
        return self._decode(torch.from_numpy(codes)).permute(1, 2, 0).contiguous().numpy()

    def recolor(self, box: Box, cover: Array, change_of: ChangeOf) -> None:
        """Change the colours of a box of the frame, in place, strip by strip so that a strip stays in the cache.

        Args:
            box: aligned to chroma samples (:func:`matte_box`).
            cover: the matte's part in the box, (h, w) float32; what lies outside it is not worked on.
            change_of: what is to be added to the colours before the matte; zero leaves code values exactly as they are.
        """
        height, width = cover.shape
        matrix = self.encoding.encoding()[0]
        codes, share = torch.from_numpy(self._codes(box)), torch.from_numpy(cover)
        subsampled = self.chroma_x > 1 or self.chroma_y > 1
        steps = torch.zeros((2, height, width)) if subsampled else None
        rows = max(2, STRIP_PIXELS // width // 2 * 2)
        colors = torch.empty((3, rows * width))  # used again for each strip: fresh memory costs more than the arithmetic
        for top in range(0, height, rows):
            strip = _covered(cover, top, min(top + rows, height), self.chroma_x)
            if strip is None:
                continue
            part, columns = strip.rows, strip.columns
            shape = (3, strip.bottom - strip.top, strip.right - strip.left)
            decoded = self._decode(codes[:, part, columns], colors[:, : shape[1] * shape[2]].view(shape))
            changes = change_of(decoded, strip).mul_(share[part, columns]).unbind(0)
            place = (slice(box.top + strip.top, box.top + strip.bottom), slice(box.left + strip.left, box.left + strip.right))
            for index, plane in enumerate(self.planes[:3]):
                if index and steps is not None:
                    _mixed(changes, matrix[index], out=steps[index - 1, part, columns])
                else:
                    self._add(plane[place], _mixed(changes, matrix[index]).numpy())
        if steps is not None:
            for index, plane in enumerate(self.planes[1:3]):
                target = plane[self._chroma_rows(box), self._chroma_columns(box)]
                self._add(target, self._shrink(steps[index].numpy(), *target.shape))

    def _add(self, target: Array, step: Array) -> None:
        step += target
        values = torch.from_numpy(step).clamp_(0, (1 << self.encoding.bits) - 1).round_()
        target[...] = values.numpy()

    def _codes(self, box: Box) -> Array:
        """Code values of a box with chroma at full size: (3, h, w) float32."""
        height, width = box.bottom - box.top, box.right - box.left
        codes = np.empty((3, height, width), np.float32)
        codes[0] = self.planes[0][box.rows, box.columns]
        for index in (1, 2):
            codes[index] = self._neutral if len(self.planes) == 1 else self._full_chroma(self.planes[index], box, height, width)
        return codes

    def copy(self) -> PlanarFrame:
        return dataclasses.replace(self, planes=[plane.copy() for plane in self.planes])

    @property
    def _neutral(self) -> int:
        """The chroma of greys, which a picture of luma alone leaves out."""
        return 1 << (self.encoding.bits - 1)

    def _decode(self, codes: Tensor, out: Tensor | None = None) -> Tensor:
        """Code values (3, h, w) float32 -> RGB in [0, 1]."""
        matrix, offset = self.encoding.decoding()
        rgb = torch.empty_like(codes) if out is None else out
        planes = codes.unbind(0)
        for channel, plane in enumerate(rgb.unbind(0)):
            _mixed(planes, matrix[channel], out=plane).add_(float(offset[channel]))
        return rgb.clamp_(0.0, 1.0)

    def _chroma_rows(self, box: Box) -> slice:
        return slice(box.top // self.chroma_y, -(-box.bottom // self.chroma_y))

    def _chroma_columns(self, box: Box) -> slice:
        return slice(box.left // self.chroma_x, -(-box.right // self.chroma_x))

    def _full_chroma(self, plane: Array, box: Box, height: int, width: int) -> Array:
        if self.chroma_x == self.chroma_y == 1:
            return plane[box.rows, box.columns]
        part = plane[self._chroma_rows(box), self._chroma_columns(box)]
        size = (part.shape[1] * self.chroma_x, part.shape[0] * self.chroma_y)
        return cv2.resize(part, size, interpolation=cv2.INTER_LINEAR)[:height, :width]

    def _shrink(self, step: Array, rows: int, columns: int) -> Array:
        """Mean over the pixels of each chroma sample; an odd edge repeats its last pixel."""
        height, width = rows * self.chroma_y, columns * self.chroma_x
        if step.shape != (height, width):
            step = np.pad(step, ((0, height - step.shape[0]), (0, width - step.shape[1])), mode="edge")
        step = np.ascontiguousarray(step)
        shrunk: Array = cv2.resize(step, (columns, rows), interpolation=cv2.INTER_AREA)
        return shrunk


def _mixed(planes: Sequence[Tensor], weights: Array, out: Tensor | None = None) -> Tensor:
    """The weighted sum of three planes (h, w). Plane by plane: for three, BLAS takes longer."""
    total = torch.mul(planes[0], float(weights[0]), out=out)
    for plane, weight in zip(planes[1:], weights[1:], strict=True):
        if weight:
            total.add_(plane, alpha=float(weight))
    return total
