"""Frames as the planes that they were stored in.

A color change is *added* to the planes: pixels outside the matte keep their exact code values,
    chroma is never
resampled where nothing changes, and 8 to 16 bit, limited and full range go one way.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import TYPE_CHECKING

import cv2
import numpy as np

from vhmae.arrays import Array, Light, Matte, Numbers, Picture, Plane, Planes, PlaneSteps, UnitFrame
from vhmae.color.light import moved, shown
from vhmae.color.srgb import linear
from vhmae.color.yuv import ColorEncoding

if TYPE_CHECKING:
    import av


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


def matte_box(matte: Matte, align_x: int = 2, align_y: int = 2) -> Box | None:
    """The smallest box around the pixels of a matte above zero, aligned to chroma samples; None if
    there are none."""
    rows = np.flatnonzero(matte.any(axis=1))
    if not len(rows):
        return None
    columns = np.flatnonzero(matte[rows[0] : rows[-1] + 1].any(axis=0))
    height, width = matte.shape
    bottom = min(height, -(-(int(rows[-1]) + 1) // align_y) * align_y)
    right = min(width, -(-(int(columns[-1]) + 1) // align_x) * align_x)
    return Box(
        int(rows[0]) // align_y * align_y, int(columns[0]) // align_x * align_x, bottom, right
    )


def shrink(picture: Picture, height: int, width: int) -> Picture:
    """Shrink a plane (H, W) or a picture (H, W, C) by mean; halves it first as often as that goes,
    which costs next to nothing."""
    while picture.shape[0] >= 2 * height and picture.shape[1] >= 2 * width:
        rows, columns = picture.shape[0] // 2, picture.shape[1] // 2
        picture = cv2.resize(
            picture[: 2 * rows, : 2 * columns], (columns, rows), interpolation=cv2.INTER_AREA
        )
    shrunk: Array = cv2.resize(picture, (width, height), interpolation=cv2.INTER_AREA)
    return shrunk


@dataclasses.dataclass
class PlanarFrame:
    """One frame: planes of code values (luma, two chromas; green, blue, red; or luma alone), and
    how they stand for colors."""

    planes: Sequence[Plane]
    encoding: ColorEncoding
    chroma_x: int = 1
    """Pixels a chroma sample spans in a row: 2 for 4:2:0 and 4:2:2."""
    chroma_y: int = 1
    """Rows that a chroma sample spans: 2 for 4:2:0."""
    pixel_format: str | None = None
    """FFmpeg's name, where it is not that of the frame that the planes came from."""

    @property
    def height(self) -> int:
        return int(self.planes[0].shape[0])

    @property
    def width(self) -> int:
        return int(self.planes[0].shape[1])

    def rgb(self) -> UnitFrame:
        """Convert the frame to RGB as it is shown: (H, W, 3) float32, in [0, 1]."""
        return np.ascontiguousarray(
            self.rgb_planes(Box(0, 0, self.height, self.width)).transpose(1, 2, 0)
        )

    def rgb_planes(self, box: Box) -> Planes:
        """Convert a box of the frame, aligned to chroma samples, to RGB as it is shown: (3, h, w)
        float32, in [0, 1]; sRGB where the frame has a space of its own."""
        return self._shown(self.values(box))

    def values(self, box: Box) -> Light:
        """The values of red, green and blue in a box, aligned to chroma samples: (3, h, w) float32,
        in [0, 1] where they are not of a space that goes beyond."""
        luma = self.planes[0][box.rows, box.columns][None]
        return self._decode(np.concatenate([luma, self.chroma(box)]).astype(np.float32))

    def light(self, box: Box) -> Light:
        """The light of a box (``color.light``): (3, h, w) float32, which knows highlights above
        1."""
        values, space = self.values(box), self.encoding.space
        return linear(values) if space is None else space.to_light(values)

    def chroma(self, box: Box) -> Plane:
        """The chroma of a box at full size (or its second and third planes): (2, h, w) of the
        planes' type."""
        height, width = box.bottom - box.top, box.right - box.left
        if len(self.planes) == 1:
            return np.full((2, height, width), self._neutral, self.planes[0].dtype)
        return np.stack(
            [self._full_chroma(plane, box, height, width) for plane in self.planes[1:3]]
        )

    def thumbnail(self, height: int, width: int) -> UnitFrame:
        """Shrink the planes, then convert: (height, width, 3) float32 RGB in [0, 1], at a fraction
        of the cost."""
        if self.encoding.space is None:
            return self._shrunk(height, width)
        # A highlight is white in what is shown: it must not brighten what lies beside it first.
        larger = (min(self.height, 4 * height), min(self.width, 4 * width))
        return shrink(self._shrunk(*larger), height, width)

    def _shrunk(self, height: int, width: int) -> Array:
        codes = np.full((3, height, width), self._neutral, np.float32)
        for index, plane in enumerate(self.planes[:3]):
            codes[index] = shrink(plane, height, width)
        return np.ascontiguousarray(self._shown(self._decode(codes)).transpose(1, 2, 0))

    def sample(self, height: int, width: int) -> Planes:
        """Colors of single pixels on a grid, (3, height, width) float32 RGB in [0, 1]: no mean of
        several."""
        codes = np.full((3, height, width), self._neutral, np.float32)
        for index, plane in enumerate(self.planes[:3]):
            codes[index] = cv2.resize(plane, (width, height), interpolation=cv2.INTER_NEAREST)
        return self._shown(self._decode(codes))

    def add(self, change: PlaneSteps, box: Box) -> None:
        """Add a change of what is shown to a box of the frame, in place.

        Args:
            change: (3, h, w) float32, in units of RGB in [0, 1]; zero leaves code values exactly as
                they are.
            box: aligned to chroma samples (:func:`matte_box`).
        """
        space = self.encoding.space
        self.add_values(change if space is None else moved(space, self.values(box), change), box)

    def add_values(self, change: PlaneSteps, box: Box) -> None:
        """Add a change of the values of red, green and blue to a box, in place; as :meth:`add`."""
        matrix, _ = self.encoding.encoding()
        codes = np.tensordot(matrix.astype(np.float32), change, 1)
        self._add(self.planes[0][box.rows, box.columns], codes[0])
        self.add_chroma(codes[1:], box)

    def add_chroma(self, steps: Numbers, box: Box) -> None:
        """Add changes of code values at full size, (2, h, w), to the chroma of a box; each sample
        takes the mean of its pixels."""
        for plane, step in zip(
            self.planes[1:3], steps, strict=False
        ):  # a picture of luma alone has no plane for them
            target = plane[self._chroma_rows(box), self._chroma_columns(box)]
            self._add(target, self._shrink(step, *target.shape))

    def _add(self, target: Array, step: Array) -> None:
        target[...] = np.rint(np.clip(target + step, 0, self.top_code))

    def copy(self) -> PlanarFrame:
        return dataclasses.replace(self, planes=[plane.copy() for plane in self.planes])

    @property
    def top_code(self) -> int:
        """The largest code value."""
        return (1 << self.encoding.bits) - 1

    @property
    def _neutral(self) -> int:
        """The chroma of greys, which a picture of luma alone leaves out."""
        return 1 << (self.encoding.bits - 1)

    def _shown(self, values: Array) -> Array:
        space = self.encoding.space
        return values if space is None else shown(space.to_light(values))

    def _decode(self, codes: Array) -> Array:
        """Code values (3, h, w) float32 -> values of red, green and blue."""
        matrix, offset = self.encoding.decoding()
        rgb: Array = (
            np.tensordot(matrix.astype(np.float32), codes, 1)
            + offset.astype(np.float32)[:, None, None]
        )
        return rgb if self.encoding.space is not None else np.clip(rgb, 0.0, 1.0, out=rgb)

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
            step = np.pad(
                step, ((0, height - step.shape[0]), (0, width - step.shape[1])), mode="edge"
            )
        step = np.ascontiguousarray(step)
        shrunk: Array = cv2.resize(step, (columns, rows), interpolation=cv2.INTER_AREA)
        return shrunk


def format_bytes(pixel_format: str, width: int, height: int) -> int:
    """Memory of a frame's planes, by FFmpeg's name of their format."""
    import av  # the renderer itself needs no PyAV

    parts = av.VideoFormat(pixel_format, width, height).components
    return sum(part.width * part.height * -(-part.bits // 8) for part in parts)


def frame_of(planes: Sequence[Plane], pixel_format: str) -> av.VideoFrame:
    """Planes as one of FFmpeg's frames."""
    import av

    return filled(av.VideoFrame(planes[0].shape[1], planes[0].shape[0], pixel_format), planes)


def filled(frame: av.VideoFrame, planes: Sequence[Plane]) -> av.VideoFrame:
    """A frame of FFmpeg's with other planes written into it."""
    for plane, values in zip(frame.planes, planes, strict=True):
        rows = (
            np.frombuffer(memoryview(plane), np.uint8)
            .reshape(plane.height, plane.line_size)
            .view(values.dtype)
        )
        rows[:, : plane.width] = values
    return frame
