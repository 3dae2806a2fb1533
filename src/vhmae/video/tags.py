"""How code values tell what colours they stand for: matrix, primaries, transfer and range, as files
and frames carry them."""

from __future__ import annotations

import contextlib
from typing import Any

import av
from av.video.reformatter import ColorRange

from vhmae.color.yuv import ColorEncoding
from vhmae.video.encoders import conversion
from vhmae.video.planes import PlanarFrame, frame_of
from vhmae.video.probe import PLANAR, REPACKED, VideoInfo, is_full_untold, untagged_matrix

_MATRIX_TAGS = {"bt601": 6, "bt709": 1, "bt2020": 9}  # ITU-T H.273
_TAGS = ("colorspace", "color_primaries", "color_trc")


def tag_colors(context: Any, source: VideoInfo, pix_fmt: str, original: Any) -> None:
    """Tag an encoder's context with what its code values will be.

    Args:
        source: the frames that it is given.
        pix_fmt: what they are converted to.
        original: the context of the file that they came from, whose tags are kept where they stay
            right; None without one.
    """
    if original is not None:
        _copy_tags(original, context)
    context.color_range = _range_tag(
        source.encoding, source.pixel_format, 0 if original is None else original.color_range
    )
    converted = conversion(source, pix_fmt)
    if converted and av.VideoFormat(pix_fmt, 2, 2).is_rgb:
        context.colorspace, context.color_range = 0, int(ColorRange.JPEG)
    elif converted:
        if source.encoding.matrix == "rgb":
            context.colorspace = _MATRIX_TAGS[untagged_matrix(source.height)]
        elif not source.guessed_matrix:
            context.colorspace = _MATRIX_TAGS[source.encoding.matrix]
        context.color_range = int(converted["dst_color_range"])


def encodable(image: PlanarFrame, like: av.VideoFrame) -> av.VideoFrame:
    """Planes as a frame to encode, tagged like the one they came from."""
    name = image.pixel_format or REPACKED.get(like.format.name, like.format.name)
    assert name in PLANAR
    frame = frame_of(image.planes, name)
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
