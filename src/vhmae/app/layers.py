"""The layers of a composite by themselves, for a person to drag one over the other."""

from __future__ import annotations

import itertools

import numpy as np

from vhmae.app.clip import OpenClip
from vhmae.app.pictures import grey_bytes, png, reduced
from vhmae.app.refusals import Refused
from vhmae.arrays import Array
from vhmae.errors import InputError
from vhmae.video.matte import alpha_matte
from vhmae.video.reader import read_frames, to_uint8


def layer_picture(clip: OpenClip, layer: str, number: int) -> bytes:
    """A frame of a layer at the scale of the preview, as PNG; the foreground with its matte as
    alpha.

    Raises:
        Refused: where the clip is not made of two.
    """
    layers = clip.sources.layers
    if layers is None:
        raise Refused("server.layers-only")
    scale = clip.preview[0] / clip.width
    if layer == "background":
        timed = next(read_frames(layers.background, first=number), None)
        if timed is None:
            raise InputError(f"frame {number} of the background cannot be decoded")
        return png(_scaled(to_uint8(timed.image.rgb()), scale))
    at = 0 if layers.foreground.frames == 1 else layers.place(number)
    timed = next(read_frames(layers.foreground, first=at), None) if at >= 0 else None
    if timed is None:
        raise InputError(f"frame {number} of the foreground cannot be decoded")
    if layers.mattes is None:
        matte = alpha_matte(timed.image)
    else:
        matte = next(itertools.islice(layers.mattes.read(layers.foreground, timed.index), 1))
    rgba = np.dstack([to_uint8(timed.image.rgb()), grey_bytes(matte)])
    return png(_scaled(rgba, scale))


def _scaled(picture: Array, scale: float) -> Array:
    height, width = picture.shape[:2]
    size = max(1, round(width * scale)), max(1, round(height * scale))
    if picture.shape[2] == 3:
        return reduced(picture, size)
    # What is transparent has no color to mix in.
    alpha = picture[..., 3:].astype(np.float32) / 255.0
    shown = np.dstack([picture[..., :3] * alpha, alpha])
    small = reduced(shown, size)
    cover = small[..., 3:]
    colors = np.where(cover > 0.0, small[..., :3] / np.maximum(cover, 1e-6), 0.0)
    return np.rint(np.dstack([colors, 255.0 * cover]).clip(0.0, 255.0)).astype(np.uint8)
