"""Light of one set of primaries as light of another (SMPTE RP 177-1993), its white adapted by
Bradford's matrix (ICC.1:2010, Annex E)."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

BT709 = (0.64, 0.33, 0.30, 0.60, 0.15, 0.06, 0.3127, 0.3290)
"""x and y of red, green, blue and white (ITU-R BT.709)."""
_BRADFORD = np.array(
    [[0.8951, 0.2664, -0.1614], [-0.7502, 1.7135, 0.0367], [0.0389, -0.0685, 1.0296]]
)


def between(before: Sequence[float], after: Sequence[float]) -> np.ndarray:
    """The matrix (3, 3) that brings linear RGB of one set of primaries to another; white becomes
    white.

    Args:
        before, after: x and y of red, green, blue and white, eight numbers.
    Raises:
        ValueError: for primaries that span no colors, and whites without light.
    """
    own, other = to_xyz(before), to_xyz(after)
    own_white, other_white = (_BRADFORD @ matrix.sum(axis=1) for matrix in (own, other))
    if (own_white <= 0).any() or (other_white <= 0).any():
        raise ValueError("its white is no light")
    adapted = np.linalg.inv(_BRADFORD) @ np.diag(other_white / own_white) @ _BRADFORD
    matrix: np.ndarray = np.linalg.inv(other) @ adapted @ own
    return matrix


def to_xyz(chromaticities: Sequence[float]) -> np.ndarray:
    """The matrix (3, 3) from RGB to XYZ whose white has a luminance of 1."""
    pairs = np.array(chromaticities, np.float64).reshape(4, 2)
    if not np.isfinite(pairs).all() or (np.abs(pairs[:, 1]) < 1e-6).any():
        raise ValueError("its primaries span no colors")
    x, y = pairs[:, 0], pairs[:, 1]
    columns = np.stack([x / y, np.ones(4), (1.0 - x - y) / y])
    if abs(np.linalg.det(columns[:, :3])) < 1e-6:
        raise ValueError("its primaries span no colors")
    scale: np.ndarray = np.linalg.solve(columns[:, :3], columns[:, 3])
    return columns[:, :3] * scale
