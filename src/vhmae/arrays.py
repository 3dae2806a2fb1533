"""Arrays by what they hold: aliases that say shape and range, and the way from codes to [0, 1].

Letters: T frames, H and W height and width.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = np.ndarray
"""An array whose shape and range the docstring says."""
Frame = NDArray[np.uint8]
"""(H, W, 3) sRGB-encoded RGB, 0-255."""
Frames = NDArray[np.uint8]
"""(T, H, W, 3) sRGB-encoded RGB, 0-255."""
UnitFrame = NDArray[np.float32]
"""(H, W, 3) sRGB-encoded RGB in [0, 1]."""
Mask = NDArray[np.bool_]
"""(H, W), or (T, H, W) of a clip: True is foreground."""
Matte = NDArray[Any]
"""(H, W): uint8 in 0-255, uint16 in 0-65535, bool, or float in [0, 1]; 0 is background."""
UnitMatte = NDArray[np.float32]
"""(H, W) in [0, 1]."""
Planes = NDArray[np.float32]
"""(3, h, w) RGB planes in [0, 1]."""
Colors = NDArray[np.float32]
"""(P, 3) colours in [0, 1]."""

TOPS = {np.dtype(np.uint8): 255, np.dtype(np.uint16): 65535}
"""The code that means 1, by type; others hold units already."""


def top_of(codes: NDArray[Any]) -> int:
    """The code that means 1."""
    return TOPS.get(codes.dtype, 1)


def to_unit(codes: NDArray[Any]) -> NDArray[np.float32]:
    """Codes of a picture or a matte in [0, 1]: uint8, uint16, bool, or float as it is."""
    top = top_of(codes)
    return codes.astype(np.float32) if top == 1 else codes.astype(np.float32) / np.float32(top)
