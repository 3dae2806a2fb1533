"""Whole frames from one pixel format, range and matrix to another, each rounded once.

In floating point, by the standards' formulas: a converter of whole numbers makes white 253 of 255.
"""

from __future__ import annotations

import dataclasses

import av
import cv2
import numpy as np
from av.video.reformatter import ColorRange, Colorspace

from vhmae.arrays import Array
from vhmae.color.yuv import ColorEncoding, recoding
from vhmae.video.delivery import Delivery
from vhmae.video.planes import PlanarFrame
from vhmae.video.reader import TimedFrame
from vhmae.video.siting import Siting
from vhmae.video.tags import frame_like, tag_as

DEEPEST = 16
"""Bits in which every depth of video can be told exactly, and rounded back from."""
_SWSCALE_MATRIX = {
    "bt601": Colorspace.ITU601,
    "bt709": Colorspace.ITU709,
    "bt2020": Colorspace.BT2020,
}


def delivered(timed: TimedFrame, image: PlanarFrame, target: Delivery) -> av.VideoFrame:
    """A frame as its encoder takes it.

    Args:
        timed: the frame as it was read, which is taken as it is where nothing changes.
        image: its planes as they are now.
    """
    own = timed.decoded.format.name
    if target.untouched and image is timed.image and own == target.pixel_format:
        return timed.decoded
    planes = image.planes if target.untouched else recoded(image, target).planes
    frame = repacked(frame_like(timed.decoded, planes, target.planar, timed.marked), target)
    tag_as(frame, target.encoding, timed.decoded)
    return frame


def deepened(image: PlanarFrame) -> PlanarFrame:
    """A frame's planes in 16 bits, each code value standing for just what it did: what is added to
    them then has the steps between."""
    before = image.encoding
    after = dataclasses.replace(before, bits=DEEPEST)
    if len(image.planes) == 1:
        maps = [_luma_map(before, after)]
    else:
        matrix, offset = recoding(before, after)  # without a change of matrix it is diagonal
        maps = [(float(matrix[row, row]), float(offset[row])) for row in range(3)]
    planes = [
        _mapped(plane, scale, bias, after)
        for plane, (scale, bias) in zip(image.planes, maps, strict=False)
    ]
    if len(image.planes) == 4:
        planes.append(_mapped(image.planes[3], _top(after) / _top(before), 0.0, after))
    return dataclasses.replace(image, planes=planes, encoding=after)


def repacked(frame: av.VideoFrame, target: Delivery) -> av.VideoFrame:
    """Planes laid into the encoder's own pixel format; range and matrix stay."""
    name = target.pixel_format
    if frame.format.name == name:
        return frame
    scale = _SWSCALE_MATRIX.get(target.encoding.matrix, Colorspace.ITU601)
    spread = ColorRange.JPEG if target.encoding.full_range else ColorRange.MPEG
    return frame.reformat(
        format=name,
        src_colorspace=scale,
        dst_colorspace=scale,
        src_color_range=spread,
        dst_color_range=spread,
    )


_TENT, _ONE = np.array([0.25, 0.5, 0.25], np.float32), np.ones(1, np.float32)
"""The weights of a sample that lies at a pixel's place, and none."""


def chroma_spans(planar: str) -> tuple[int, int]:
    """Pixels and rows that a chroma sample of a planar format spans."""
    return 1 if "444" in planar else 2, 2 if "420" in planar else 1


def recoded(image: PlanarFrame, target: Delivery) -> PlanarFrame:
    """A frame's planes as they are to be written."""
    planar, after = target.planar, target.encoding
    source_is = "rgb" if image.encoding.matrix == "rgb" and len(image.planes) >= 3 else "yuv"
    has_alpha, grey = len(image.planes) == 4, len(image.planes) == 1
    across, down = chroma_spans(planar) if planar.startswith("yuv") else (1, 1)
    if planar.startswith("gray") or grey:
        planes = _from_luma(image, target, (across, down))
    elif source_is == "yuv" and planar.startswith("yuv"):
        planes = _between_yuv(image, target, (across, down))
    else:
        matrix, offset = recoding(image.encoding, after)
        codes = [image.planes[0].astype(np.float32), *_full_chroma(image, target.siting_before)]
        planes = (
            [_rounded(_mixed(codes, matrix[row], offset[row]), after) for row in range(3)]
            if (across, down) == (1, 1)
            else [
                _rounded(_mixed(codes, matrix[0], offset[0]), after),
                *(
                    _rounded(
                        _shrunk(
                            _mixed(codes, matrix[row], offset[row]), (across, down), target.siting
                        ),
                        after,
                    )
                    for row in (1, 2)
                ),
            ]
        )
    if planar.startswith(("yuva", "gbrap")):
        top = _top(after)
        alpha = (
            _rounded(image.planes[3].astype(np.float32) * (top / image.top_code), after)
            if has_alpha
            else np.full(planes[0].shape, top, planes[0].dtype)
        )
        planes.append(alpha)
    return PlanarFrame(planes, after, across, down, planar)


def _from_luma(image: PlanarFrame, target: Delivery, spans: tuple[int, int]) -> list[Array]:
    """To or from greys: luma alone."""
    after, before = target.encoding, image.encoding
    if before.matrix == "rgb" and len(image.planes) >= 3:  # greys of colors
        matrix, offset = recoding(before, after)
        codes = [plane.astype(np.float32) for plane in image.planes[:3]]
        return [_rounded(_mixed(codes, matrix[0], offset[0]), after)]
    luma = _mapped(image.planes[0], *_luma_map(before, after), after)
    if target.planar.startswith("gray"):
        return [luma]
    if after.matrix == "rgb":
        return [luma, luma, luma]
    shape = tuple(-(-size // span) for size, span in zip(luma.shape, spans[::-1], strict=True))
    neutral = np.full(shape, 1 << (after.bits - 1), luma.dtype)
    return [luma, neutral, neutral]


def _between_yuv(image: PlanarFrame, target: Delivery, spans: tuple[int, int]) -> list[Array]:
    before, after = image.encoding, target.encoding
    own = (image.chroma_x, image.chroma_y)
    same_places = own == spans and (
        own[0] == 1
        or target.siting_before == target.siting
        or (before.matrix == after.matrix and before.full_range == after.full_range)
    )
    matrix, offset = recoding(before, after)
    if before.matrix == after.matrix:
        luma = _mapped(image.planes[0], matrix[0, 0], offset[0], after)
        if same_places:
            chroma = [
                _mapped(plane, matrix[row, row], offset[row], after)
                for row, plane in enumerate(image.planes[1:3], 1)
            ]
            return [luma, *chroma]
    full = _full_chroma(image, target.siting_before)
    if before.matrix != after.matrix:
        luma = _rounded(
            _mixed([image.planes[0].astype(np.float32), *full], matrix[0], offset[0]), after
        )
    small = (
        [plane.astype(np.float32) for plane in image.planes[1:3]]
        if same_places
        else [_shrunk(plane, spans, target.siting) for plane in full]
    )
    return [
        luma,
        *(_rounded(_mixed(small, matrix[row, 1:], offset[row]), after) for row in (1, 2)),
    ]


def _luma_map(before: ColorEncoding, after: ColorEncoding) -> tuple[float, float]:
    """Scale and offset between the codes of two encodings' greys."""
    low, high = (_grey(before, level) for level in (0.0, 1.0))
    new_low, new_high = (_grey(after, level) for level in (0.0, 1.0))
    scale = (new_high - new_low) / (high - low)
    return scale, new_low - scale * low


def _grey(encoding: ColorEncoding, level: float) -> float:
    matrix, offset = encoding.encoding()
    return float(matrix[0].sum() * level + offset[0])


def _mapped(plane: Array, scale: float, offset: float, after: ColorEncoding) -> Array:
    """A plane through a table: exact, and as fast as memory."""
    codes = np.arange(1 << (8 * plane.dtype.itemsize), dtype=np.float64)
    if scale == 1.0 and offset == 0.0 and plane.dtype == _depth(after):
        return plane
    return _rounded(codes * scale + offset, after)[plane]


def _mixed(codes: list[Array], weights: Array, offset: float) -> Array:
    mixed: Array = codes[0] * np.float32(weights[0])
    for plane, weight in zip(codes[1:], weights[1:], strict=True):
        if abs(weight) > 1e-9:
            mixed += plane * np.float32(weight)
    mixed += np.float32(offset)
    return mixed


def _depth(encoding: ColorEncoding) -> type[np.generic]:
    return np.uint8 if encoding.bits == 8 else np.uint16


def _top(encoding: ColorEncoding) -> int:
    return (1 << encoding.bits) - 1


def _rounded(values: Array, encoding: ColorEncoding) -> Array:
    rounded: Array = np.rint(np.clip(values, 0, _top(encoding))).astype(_depth(encoding))
    return rounded


def _full_chroma(image: PlanarFrame, siting: Siting) -> list[Array]:
    """The second and third planes at the size of the first, float32."""
    planes = [plane.astype(np.float32) for plane in image.planes[1:3]]
    across, down = image.chroma_x, image.chroma_y
    if across == down == 1:
        return planes
    # Pixel x lies at sample (x - shift) / span.
    left = 0.5 * (across - 1) if siting == "center" else 0.0
    top = 0.0 if siting == "topleft" else 0.5 * (down - 1)
    matrix = np.array([[1 / across, 0.0, -left / across], [0.0, 1 / down, -top / down]])
    flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
    size = (image.width, image.height)
    return [
        cv2.warpAffine(plane, matrix, size, flags=flags, borderMode=cv2.BORDER_REPLICATE)
        for plane in planes
    ]


def _shrunk(plane: Array, spans: tuple[int, int], siting: Siting) -> Array:
    """A plane at the places of its chroma samples: means of what each stands for."""
    across, down = spans
    height, width = plane.shape
    plane = np.pad(plane, ((0, -height % down), (0, -width % across)), mode="edge")
    if across == 2 and siting != "center":
        plane = cv2.sepFilter2D(plane, -1, _TENT, _ONE, borderType=cv2.BORDER_REPLICATE)[:, ::2]
    elif across == 2:
        plane = 0.5 * (plane[:, ::2] + plane[:, 1::2])
    if down == 2 and siting == "topleft":
        return cv2.sepFilter2D(plane, -1, _ONE, _TENT, borderType=cv2.BORDER_REPLICATE)[::2]
    return 0.5 * (plane[::2] + plane[1::2]) if down == 2 else plane
