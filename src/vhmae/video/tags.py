"""How code values tell what colors they stand for: matrix, primaries, transfer and range, as files
and frames carry them."""

from __future__ import annotations

import contextlib
from collections.abc import Sequence
from typing import Any

import av
import numpy as np
from av.video.reformatter import ColorRange

from vhmae.color.light import Curve, HdrSpace, Primaries
from vhmae.color.yuv import ColorEncoding
from vhmae.video.delivery import Delivery, must_say_matrix
from vhmae.video.filters import filtered
from vhmae.video.planes import PlanarFrame, filled, frame_of
from vhmae.video.probe import (
    PLANAR,
    REPACKED,
    VideoInfo,
    is_full_untold,
    untagged_matrix,
)

_MATRIX_TAGS = {"bt601": (6, 5, 4), "bt709": (1,), "bt2020": (9, 10)}
"""Numbers of ITU-T H.273; the first is the one that is written anew."""
_BESIDE_MATRIX = {1: (1, 1), 4: (6, 6), 5: (5, 6), 6: (6, 6), 9: (9, 14), 10: (9, 14)}
"""Primaries and transfer that go with a matrix, by the same numbers."""
_UNTOLD, _BT709 = 2, 1
_TAGS = ("colorspace", "color_primaries", "color_trc")
_CURVE_TAGS: dict[Curve, int] = {"PQ": 16, "HLG": 18}
_PRIMARIES_TAGS: dict[Primaries, int] = {"BT.2020": 9, "BT.709": 1, "P3-D65": 12}


def tag_colors(
    context: Any,
    source: VideoInfo,
    pix_fmt: str,
    original: Any,
    target: Delivery | None = None,
) -> None:
    """Tag an encoder's context with what its code values will be.

    Args:
        source: the frames that it is given.
        pix_fmt: what they are converted to.
        original: the context of the file that they came from, whose tags are kept where they stay
            right; None without one.
        target: what is written; None where it is the source's own.
    """
    if original is not None:
        _copy_tags(original, context)
    encoding = source.encoding if target is None else target.encoding
    context.color_range = _range_tag(
        encoding, pix_fmt, 0 if original is None else original.color_range
    )
    tag_space(context, encoding)
    if target is None or target.encoding.matrix == source.encoding.matrix == "rgb":
        return
    if encoding.matrix == "rgb":
        context.colorspace, context.color_range = 0, int(ColorRange.JPEG)
        return
    tag = int(context.colorspace if original is not None else _UNTOLD)
    if tag not in _MATRIX_TAGS[encoding.matrix]:
        by_convention = (
            (source.guessed_matrix or source.encoding.matrix == "rgb")
            and encoding.matrix == untagged_matrix(source.height)
            and not must_say_matrix(target)
        )
        context.colorspace = (
            _UNTOLD if by_convention and original is not None else _MATRIX_TAGS[encoding.matrix][0]
        )
    if source.encoding.matrix == "rgb":
        # Computers' pictures are sRGB, whose primaries are BT.709's; as video they are shown
        # by its curve.
        context.colorspace = _MATRIX_TAGS[encoding.matrix][0]
        context.color_range = int(ColorRange.JPEG if encoding.full_range else ColorRange.MPEG)
        for name in ("color_primaries", "color_trc"):
            untold = original is None or int(getattr(context, name)) == _UNTOLD
            if untold and encoding.space is None:
                setattr(context, name, _BT709)
    if target.says_together:
        _tell_together(context, source, encoding)


def _tell_together(context: Any, source: VideoInfo, encoding: ColorEncoding) -> None:
    """Tell the usual primaries and transfer of a matrix where they are not told, and the matrix of
    codes of full range: what else is said is not written without them."""
    is_full = int(context.color_range) == ColorRange.JPEG
    if int(context.colorspace) == _UNTOLD and not is_full:
        return  # read right by convention
    if int(context.colorspace) == _UNTOLD:
        context.colorspace = _MATRIX_TAGS[encoding.matrix][0]
    matrix = int(context.colorspace)
    # A JPEG's matrix is that of BT.601, but its colors are those of a computer's display.
    usual = (_BT709, _BT709) if source.codec == "mjpeg" else _BESIDE_MATRIX[matrix]
    for name, tag in zip(_TAGS[1:], usual, strict=True):
        if int(getattr(context, name)) == _UNTOLD:
            setattr(context, name, tag)


def tag_space(target: Any, encoding: ColorEncoding) -> None:
    """Tag a context or a frame of HDR as that, also where the user says what the file does not;
    and what is made for a display of SDR, of HDR, as no HDR any more."""
    if isinstance(encoding.space, HdrSpace):
        target.color_trc = _CURVE_TAGS[encoding.space.curve]
        target.color_primaries = _PRIMARIES_TAGS[encoding.space.primaries]
    elif encoding.space is None and int(target.color_trc) in _CURVE_TAGS.values():
        target.color_trc = target.color_primaries = _BT709


def tag_frame(frame: av.VideoFrame, context: Any) -> None:
    """Tag a frame as the encoder's context is: some encoders believe the frame."""
    _copy_tags(context, frame)
    frame.color_range = context.color_range


def tag_as(frame: av.VideoFrame, encoding: ColorEncoding, like: av.VideoFrame) -> None:
    """Tag a frame with what its code values are; primaries and transfer are those of another."""
    _copy_tags(like, frame)
    tag_space(frame, encoding)
    if encoding.matrix == "rgb":
        frame.colorspace = 0
    elif int(frame.colorspace) not in _MATRIX_TAGS[encoding.matrix]:
        frame.colorspace = _MATRIX_TAGS[encoding.matrix][0]
    frame.color_range = int(ColorRange.JPEG if encoding.full_range else ColorRange.MPEG)


def frame_like(
    like: av.VideoFrame, planes: Sequence[np.ndarray], name: str, marked: bool = False
) -> av.VideoFrame:
    """Planes as a frame of a pixel format.

    Args:
        marked: keep the marks of the frame that they came from: which field is first, and what
            travels beside its pixels, as closed captions do. That takes a copy of it.
    """
    if not marked:
        return frame_of(planes, name)
    own = like.format.name == name
    return filled(filtered(like, "copy") if own else like.reformat(format=name), planes)


def with_fields(frame: av.VideoFrame, upper_first: bool) -> av.VideoFrame:
    """A frame that is marked as two fields: encoders believe the frame, not the stream."""
    if frame.interlaced_frame:
        return frame
    return filtered(frame, "setfield", "tff" if upper_first else "bff")


def encodable(image: PlanarFrame, like: av.VideoFrame, marked: bool = False) -> av.VideoFrame:
    """Planes as a frame to encode, tagged like the one they came from."""
    name = image.pixel_format or REPACKED.get(like.format.name, like.format.name)
    assert name in PLANAR
    frame = frame_like(like, image.planes, name, marked)
    _copy_tags(like, frame)
    frame.color_range = _range_tag(image.encoding, name, like.color_range)
    return frame


def _range_tag(encoding: ColorEncoding, pixel_format: str, before: int) -> int:
    """How code values tell their range: by name, but where the original told nothing and nothing
    needs to be told."""
    if before == ColorRange.UNSPECIFIED and encoding.full_range == is_full_untold(pixel_format):
        return int(ColorRange.UNSPECIFIED)
    return int(ColorRange.JPEG if encoding.full_range else ColorRange.MPEG)


def _copy_tags(source: Any, target: Any) -> None:
    for tag in _TAGS:
        with contextlib.suppress(
            ValueError, TypeError, AttributeError
        ):  # what FFmpeg knows and PyAV does not
            setattr(target, tag, getattr(source, tag))
