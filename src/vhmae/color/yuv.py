"""YUV and RGB: exact matrices for the standards, ranges and bit depths that video comes in."""

from __future__ import annotations

import dataclasses
from typing import Literal

import numpy as np

from vhmae.color.light import LightSpace

Matrix = Literal["bt601", "bt709", "bt2020", "rgb"]

_LUMA_WEIGHTS = {"bt601": (0.299, 0.114), "bt709": (0.2126, 0.0722), "bt2020": (0.2627, 0.0593)}


@dataclasses.dataclass(frozen=True)
class ColorEncoding:
    """How code values stand for colors."""

    matrix: Matrix
    full_range: bool
    bits: int = 8
    space: LightSpace | None = None
    """What red, green and blue stand for; None where a display of SDR is sent them."""

    def decoding(self) -> tuple[np.ndarray, np.ndarray]:
        """The matrix (3, 3) and offset (3,) with ``rgb = matrix @ codes + offset``, RGB in [0,
        1]."""
        encode, offset = self.encoding()
        decode = np.linalg.inv(encode)
        return decode, -decode @ offset

    def encoding(self) -> tuple[np.ndarray, np.ndarray]:
        """The matrix (3, 3) and offset (3,) with ``codes = matrix @ rgb + offset``."""
        step = 2.0 ** (self.bits - 8)
        if self.matrix == "rgb":  # planes lie in the order green, blue, red
            order = np.array([[0.0, 1.0, 0.0], [0.0, 0.0, 1.0], [1.0, 0.0, 0.0]])
            return order * (2.0**self.bits - 1.0), np.zeros(3)
        red, blue = _LUMA_WEIGHTS[self.matrix]
        luma = np.array([red, 1.0 - red - blue, blue])
        chroma_blue = (np.array([0.0, 0.0, 1.0]) - luma) / (2.0 * (1.0 - blue))
        chroma_red = (np.array([1.0, 0.0, 0.0]) - luma) / (2.0 * (1.0 - red))
        if self.full_range:
            scale = np.full(3, 2.0**self.bits - 1.0)
            offset = np.array([0.0, 128.0 * step, 128.0 * step])
        else:
            scale = np.array([219.0, 224.0, 224.0]) * step
            offset = np.array([16.0, 128.0, 128.0]) * step
        return np.stack([luma, chroma_blue, chroma_red]) * scale[:, None], offset


def recoding(before: ColorEncoding, after: ColorEncoding) -> tuple[np.ndarray, np.ndarray]:
    """The matrix (3, 3) and offset (3,) from the code values of one encoding to those of another.

    Between two of YUV the chromas of the result do not depend on the luma, since greys have the
    neutral chroma in all of them: chroma can be recoded at its own size.
    """
    decode, bias = before.decoding()
    encode, offset = after.encoding()
    return encode @ decode, encode @ bias + offset
