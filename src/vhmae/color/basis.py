"""The polynomial basis of color transforms, for numpy arrays and torch tensors alike: importable
without torch.

A transform's last two axes are (3, K): output channel by basis function. K = 10 is the quadratic
basis (r, g, b, 1, r^2, g^2, b^2, rg, gb, br), K = 4 its affine part. Coefficients are *residuals*:
all zeros is the identity, scaling them is the strength.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, TypeVar

import numpy as np

from vhmae.errors import ShapeError

AFFINE = 4
QUADRATIC = 10

ArrayOrTensor = TypeVar("ArrayOrTensor", bound=Any)


def color_basis(rgb: ArrayOrTensor, size: int = QUADRATIC) -> ArrayOrTensor:
    """Evaluate the polynomial basis.

    Args:
        rgb: (..., 3), sRGB-encoded, nominally in [0, 1].
        size: ``AFFINE`` or ``QUADRATIC``.
    Returns:
        (..., size).
    """
    if rgb.shape[-1] != 3:
        raise ShapeError(f"expected colors in the last axis (..., 3), got {tuple(rgb.shape)}")
    red, green, blue = rgb[..., 0], rgb[..., 1], rgb[..., 2]
    terms = [red, green, blue, red * 0.0 + 1.0]
    if size == QUADRATIC:
        terms += [red * red, green * green, blue * blue, red * green, green * blue, blue * red]
    elif size != AFFINE:
        raise ShapeError(f"a basis has {AFFINE} or {QUADRATIC} terms, got {size}")
    return _stacked(terms)


def apply_transform(rgb: ArrayOrTensor, coefficients: ArrayOrTensor) -> ArrayOrTensor:
    """Apply residual maps to colors.

    Args:
        rgb: (..., P, 3).
        coefficients: (..., 3, K), one map for the P colors of its leading index.
    Returns:
        (..., P, 3), not clipped.
    """
    basis = color_basis(rgb, coefficients.shape[-1])
    return rgb + basis @ coefficients.swapaxes(-1, -2)


def fit_transform(
    source: ArrayOrTensor, target: ArrayOrTensor, size: int = QUADRATIC, ridge: float = 1e-4
) -> ArrayOrTensor:
    """Fit the residual map that takes source colors to target colors, by ridge regression.

    Args:
        source, target: (P, 3) in [0, 1], in the memory of the CPU.
        ridge: weight of the pull towards the identity, in squared units of the basis per pixel.
    Returns:
        (3, size) float64 coefficients for :func:`apply_transform`.
    """
    before, after = (np.asarray(colors, np.float64) for colors in (source, target))
    basis = color_basis(before, size)
    normal = basis.T @ basis + ridge * len(basis) * np.eye(size)
    fitted = np.ascontiguousarray(np.linalg.solve(normal, basis.T @ (after - before)).T)
    return fitted if isinstance(source, np.ndarray) else _tensor(fitted)  # type: ignore[return-value]  # of the kind that came


def _stacked(terms: Sequence[Any]) -> Any:
    """Terms along a new last axis."""
    if isinstance(terms[0], np.ndarray):
        return np.stack(terms, axis=-1)
    import torch  # there already, where there is a tensor

    return torch.stack(list(terms), dim=-1)


def _tensor(values: np.ndarray) -> Any:
    import torch

    return torch.from_numpy(values)
