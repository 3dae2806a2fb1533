"""Transforms applied to full-size frames: once, inside the matte's box, as a change that is added
to what was there.

Color maps take the compiled way (``kernels``); ``plain=True`` is the slow reference, written as
the equations stand.
"""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Sequence
from typing import Any, NamedTuple, Protocol

import cv2
import numpy as np

from vhmae.arrays import (
    Array,
    ColorMap,
    MapGrid,
    Matte,
    Numbers,
    Picture,
    PixelSteps,
    Places,
    Planes,
    PlaneSteps,
    RowMaps,
    UnitColors,
    UnitMatte,
    to_unit,
)
from vhmae.color.basis import AFFINE, color_basis
from vhmae.color.yuv import ColorEncoding
from vhmae.engine.settings import Kept
from vhmae.video.planes import Box, PlanarFrame, matte_box

RENDERERS = min(4, max(1, (os.cpu_count() or 1) // 4))
"""Threads that render a frame each: where a GPU runs the network, one alone would be what 4K waits
for."""
LUMA = np.array([0.2126, 0.7152, 0.0722], np.float32)
"""Rec. 709's weights of red, green and blue."""


class RgbChange(Protocol):
    """What is to be done to RGB values, of whatever frame they are."""

    def change(self, rgb: Planes, box: Box, height: int, width: int) -> PlaneSteps:
        """The change to the colors of a box of a frame.

        Args:
            rgb: (3, h, w) float32 in [0, 1], the box's pixels.
            height, width: of the whole frame.
        Returns:
            (3, h, w) float32: the new colors, clipped to [0, 1], minus ``rgb``.
        """

    def scaled(self, strength: float) -> RgbChange:
        """The change that goes a part of the way."""


class ColorChange(RgbChange, Protocol):
    """What is to be done to the colors of one frame."""

    def scaled(self, strength: float) -> ColorChange:
        """The change that goes a part of the way."""

    def recolor(self, frame: PlanarFrame, box: Box, cover: UnitMatte) -> tuple[float, float]:
        """Make the change to a box of a frame, in place, by the fastest way there is.

        Args:
            cover: (h, w) float32, the matte in the box.
        Returns:
            The sums of the absolute changes of color and of the matte.
        """


class Released(NamedTuple):
    """A frame that is ready."""

    payload: Any
    change: ColorChange | None
    """What is to be done to it; None where there is no foreground."""
    shot: int
    """Number of its shot, from 0."""
    share: float = 1.0
    """How much of what is said of its shot the change holds: less of it in a fade."""


@dataclasses.dataclass(frozen=True)
class FrameTransform:
    """Color maps, as the photometric head says them: detail stays, whatever the frame's size."""

    overall: ColorMap
    """(3, 10) float32: residual map of the whole foreground, over the basis of
    ``color.transform``."""
    local: MapGrid
    """(N, N, 3, 4) float32: residual maps per cell, bilinear between the cells' centers."""

    def scaled(self, strength: float) -> FrameTransform:
        return (
            self
            if strength == 1.0
            else FrameTransform(self.overall * strength, self.local * strength)
        )

    def with_added(self, change: ColorMap) -> FrameTransform:
        """The same with a change of the whole foreground besides: (30,) or (3, 10); the local maps
        are left alone."""
        more = np.reshape(change, self.overall.shape).astype(np.float32)
        return dataclasses.replace(self, overall=self.overall + more)

    def change(self, rgb: Planes, box: Box, height: int, width: int) -> PlaneSteps:
        maps, steps, lower, share = self.maps(box, height, width)
        quadratic = self.overall[:, AFFINE:].astype(np.float32, copy=False)
        terms = color_basis(rgb.transpose(1, 2, 0))[..., AFFINE:]
        moved = rgb + (terms @ quadratic.T).transpose(2, 0, 1)
        for channel in range(3):
            for term in range(AFFINE):
                index = channel * AFFINE + term
                factor = maps[lower, index] + share[:, None] * steps[lower, index]  # (h, w)
                moved[channel] += factor if term == 3 else factor * rgb[term]
        changed: Array = np.clip(moved, 0.0, 1.0) - rgb
        return changed

    def recolor(self, frame: PlanarFrame, box: Box, cover: UnitMatte) -> tuple[float, float]:
        if frame.encoding.space is not None:  # the inner loop knows what a display is sent, alone
            return recolor_plainly(self, frame, box, cover)
        from vhmae.engine.recoloring import recolor_rows  # its library is large: at first use

        decode, offset = (values.astype(np.float32) for values in frame.encoding.decoding())
        encode = frame.encoding.encoding()[0].astype(np.float32)
        quadratic = np.ascontiguousarray(self.overall[:, AFFINE:], np.float32)
        steps = np.empty((2, *cover.shape), np.float32)
        moved, area = recolor_rows(
            frame.planes[0],
            frame.chroma(box),
            np.ascontiguousarray(cover),
            box.top,
            box.left,
            decode,
            offset,
            encode,
            quadratic,
            *self.maps(box, frame.height, frame.width),
            frame.top_code,
            steps,
        )
        frame.add_chroma(steps, box)
        return moved, area

    def maps(self, box: Box, height: int, width: int) -> tuple[RowMaps, RowMaps, Places, Numbers]:
        """The affine terms at a box's columns: at each row of cells (N, 12, w), their way to the
        next row; for each row of pixels the row of cells above it (h,) and how far it is to the
        next (h,)."""
        rows, columns = self.local.shape[:2]
        before, share = _lerp(columns, box.left, box.right, width)
        pixels = np.arange(len(before))
        weights = np.zeros((columns, len(before)), np.float32)
        weights[before, pixels] = 1.0 - share
        weights[np.minimum(before + 1, columns - 1), pixels] += share
        # The affine terms of the overall map are the same everywhere: they join the cells'.
        cells = (
            (self.local + self.overall[:, :AFFINE])
            .transpose(0, 2, 3, 1)
            .reshape(rows, 3 * AFFINE, columns)
        )
        cells = np.ascontiguousarray(cells, np.float32)
        lower, down = _lerp(rows, box.top, box.bottom, height)
        return cells @ weights, np.diff(cells, axis=0, append=cells[-1:]) @ weights, lower, down


@dataclasses.dataclass(frozen=True)
class PixelChange:
    """The difference that the paper's pixel head drew at the network's size, interpolated to the
    frame's."""

    pixels: PixelSteps
    """(S, S, 3) float32, drawn minus composite."""

    def scaled(self, strength: float) -> PixelChange:
        return self if strength == 1.0 else PixelChange(self.pixels * strength)

    def change(self, rgb: Planes, box: Box, height: int, width: int) -> PlaneSteps:
        whole = cv2.resize(self.pixels, (width, height), interpolation=cv2.INTER_LINEAR)
        moved = rgb + whole[box.rows, box.columns].transpose(2, 0, 1)
        changed: Array = np.clip(moved, 0.0, 1.0, out=moved)
        changed -= rgb
        return changed

    def recolor(self, frame: PlanarFrame, box: Box, cover: UnitMatte) -> tuple[float, float]:
        return recolor_plainly(self, frame, box, cover)


@dataclasses.dataclass(frozen=True)
class KeepingChange:
    """A change that leaves luma, hue or saturation of each pixel as they are.

    A color is its luma and, in the plane of equal luma, a vector whose direction is the hue and
    whose length the saturation.
    """

    base: RgbChange
    keep: Sequence[Kept]

    def scaled(self, strength: float) -> KeepingChange:
        return KeepingChange(self.base.scaled(strength), self.keep)

    def with_added(self, change: ColorMap) -> KeepingChange:
        """As :meth:`FrameTransform.with_added`, of a base that is one."""
        assert isinstance(self.base, FrameTransform), "guides are of weights that say maps"
        return KeepingChange(self.base.with_added(change), self.keep)

    def change(self, rgb: Planes, box: Box, height: int, width: int) -> PlaneSteps:
        moved = rgb + self.base.change(rgb, box, height, width)
        changed: Array = np.clip(kept_of(rgb, moved, self.keep), 0.0, 1.0) - rgb
        return changed.astype(np.float32)

    def recolor(self, frame: PlanarFrame, box: Box, cover: UnitMatte) -> tuple[float, float]:
        return recolor_plainly(self, frame, box, cover)


def kept_of(before: UnitColors, after: UnitColors, keep: Sequence[Kept]) -> UnitColors:
    """New colors with what is kept of the old ones, not clipped.

    Args:
        before, after: (3, ...) in [0, 1].
    """
    luma, new_luma = (np.tensordot(LUMA, colors, 1)[None] for colors in (before, after))
    chroma, new_chroma = before - luma, after - new_luma
    length, new_length = (
        np.sqrt(np.square(part).sum(axis=0, keepdims=True)) for part in (chroma, new_chroma)
    )
    if "hue" in keep and "saturation" in keep:
        new_chroma = chroma
    elif "hue" in keep:  # greys have no hue: they stay grey
        new_chroma = chroma * (new_length / np.maximum(length, 1e-4))
    elif "saturation" in keep:
        new_chroma = new_chroma * (length / np.maximum(new_length, 1e-4))
    found: Array = (luma if "luma" in keep else new_luma) + new_chroma
    return found


def recolor_plainly(
    transform: RgbChange, frame: PlanarFrame, box: Box, cover: UnitMatte
) -> tuple[float, float]:
    """As :meth:`ColorChange.recolor`, by the equations as they stand: the reference."""
    change = transform.change(frame.rgb_planes(box), box, frame.height, frame.width) * cover
    frame.add(change, box)
    return float(np.abs(change).sum()), float(cover.sum())


def _lerp(cells: int, start: int, stop: int, total: int) -> tuple[Array, Array]:
    """For pixels ``start`` to ``stop`` of ``total``: the cell centre before each, and how far it is
    to the next; the ends are held."""
    places = np.clip((np.arange(start, stop) + 0.5) * cells / total - 0.5, 0.0, cells - 1.0)
    lower = places.astype(np.int64)
    return lower, (places - lower).astype(np.float32)


def render_planes(
    frame: PlanarFrame, matte: Matte, transform: ColorChange, plain: bool = False
) -> tuple[PlanarFrame, float]:
    """Harmonize a frame in its own planes; the input is left as it is.

    Args:
        matte: (H, W), as :func:`vhmae.arrays.to_unit` takes it; where it is 0, code values stay
            exactly what they were.
        plain: take the reference way, whatever the transform.
    Returns:
        The rendered frame, and the mean change inside the matte in levels of 0-255.
    """
    box = matte_box(matte, frame.chroma_x, frame.chroma_y)
    if box is None:
        return frame, 0.0
    cover = to_unit(matte[box.rows, box.columns])
    rendered = frame.copy()
    moved, area = (
        recolor_plainly(transform, rendered, box, cover)
        if plain
        else transform.recolor(rendered, box, cover)
    )
    return rendered, moved / max(area, 1e-6) * 255.0 / 3.0


def load_compiled(bits: int) -> None:
    """Have the compiled way loaded for frames of so many bits: it takes about as long as opening a
    network, beside which it can be done."""
    planes = [np.zeros((2, 2), np.uint8 if bits <= 8 else np.uint16) for _ in range(3)]
    frame = PlanarFrame(planes, ColorEncoding("bt709", False, bits))
    nothing = FrameTransform(np.zeros((3, 10), np.float32), np.zeros((1, 1, 3, 4), np.float32))
    render_planes(frame, np.ones((2, 2), np.float32), nothing)


def render_rgb(frame: Picture, matte: Matte, transform: ColorChange) -> Picture:
    """Harmonize an RGB frame (H, W, 3), uint8 or float32 in [0, 1], inside a matte (H, W); the
    result has the frame's type."""
    if frame.dtype == np.uint8:
        red, green, blue = (np.ascontiguousarray(frame[..., channel]) for channel in range(3))
        planes = render_planes(
            PlanarFrame([green, blue, red], ColorEncoding("rgb", True)), matte, transform
        )[0].planes
        return np.dstack([planes[2], planes[0], planes[1]])
    box = matte_box(matte, 1, 1)
    if box is None:
        return frame
    colors = np.ascontiguousarray(frame[box.rows, box.columns].transpose(2, 0, 1), np.float32)
    change = transform.change(colors, box, *frame.shape[:2]) * to_unit(matte[box.rows, box.columns])
    rendered = frame.copy()
    rendered[box.rows, box.columns] += change.transpose(1, 2, 0)
    return rendered
