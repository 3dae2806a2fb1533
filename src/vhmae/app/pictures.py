"""Pictures as the page shows them: upright, at the size of a screen, lossless or quick."""

from __future__ import annotations

import cv2
import numpy as np

from vhmae.arrays import Array, to_unit
from vhmae.errors import InputError
from vhmae.video.browser import upright

PREVIEW_LINES = 540
"""On the shorter side: what a frame is shown at while one works on it."""
PREVIEW_WIDEST = 1280
THUMB_LINES = 96
FAST_QUALITY = 86
"""Of JPEGs that are played and scrubbed."""
THUMB_QUALITY = 82


def preview_size(width: int, height: int, lines: int = PREVIEW_LINES) -> tuple[int, int]:
    """Width and height of the preview of a frame: at most so many lines on the shorter side."""
    scale = min(1.0, lines / min(width, height), PREVIEW_WIDEST / max(width, height))
    return max(1, round(width * scale)), max(1, round(height * scale))


def reduced(picture: Array, size: tuple[int, int]) -> Array:
    """A picture (H, W[, 3]) at a size (width, height) that is not larger, by area."""
    if picture.shape[1::-1] == size:
        return picture
    small: Array = cv2.resize(picture, size, interpolation=cv2.INTER_AREA)
    return small


def shown(picture: Array, turned: int) -> Array:
    """A picture as players turn it: degrees counterclockwise."""
    return upright(picture, turned)


def grey_bytes(matte: Array) -> Array:
    """A matte as :func:`vhmae.arrays.to_unit` takes it, in 0-255."""
    if matte.dtype == np.uint8:
        return matte
    return np.rint(to_unit(matte) * 255.0).astype(np.uint8)


def png(picture: Array) -> bytes:
    """RGB (H, W, 3), RGBA (H, W, 4) or grey (H, W) uint8 as PNG, quickly."""
    return _encoded(".png", picture, [cv2.IMWRITE_PNG_COMPRESSION, 1])


def jpeg(picture: Array, quality: int = FAST_QUALITY) -> bytes:
    """RGB (H, W, 3) uint8 as JPEG."""
    return _encoded(".jpg", picture, [cv2.IMWRITE_JPEG_QUALITY, quality])


def from_bytes(data: bytes) -> Array:
    """The RGB (H, W, 3) or grey (H, W) uint8 of a picture that was encoded here."""
    picture = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_UNCHANGED)
    assert picture is not None, "a picture of our own"
    return np.ascontiguousarray(picture[..., ::-1]) if picture.ndim == 3 else picture


def _encoded(suffix: str, picture: Array, options: list[int]) -> bytes:
    if picture.ndim == 3:
        order = [2, 1, 0, 3][: picture.shape[2]]
        picture = np.ascontiguousarray(picture[..., order])
    done, data = cv2.imencode(suffix, picture, options)
    if not done:
        raise InputError("the picture cannot be encoded; it may be too large")
    return data.tobytes()
