"""Classical color transfer: what a method that learns nothing can do."""

from __future__ import annotations

import cv2
import numpy as np
import torch
from torch import Tensor

from vhmae.errors import ShapeError


def _matrix_power(symmetric: Tensor, power: float, floor: float = 1e-8) -> Tensor:
    values, vectors = torch.linalg.eigh(symmetric)
    return vectors @ torch.diag(values.clamp_min(floor) ** power) @ vectors.T


def monge_kantorovich(source: Tensor, reference: Tensor) -> Tensor:
    """The linear Monge-Kantorovitch map (Pitie and Kokaram 2007): takes the source's mean and
    covariance to the reference's.

    Args:
        source, reference: colors (P, 3), (Q, 3) in [0, 1].
    Returns:
        Residual coefficients (3, AFFINE) float64 for ``transform.apply_transform``.
    """
    for colors in (source, reference):
        if colors.ndim != 2 or colors.shape[1] != 3 or len(colors) < 2:
            raise ShapeError(f"expected at least two colors (P, 3), got {tuple(colors.shape)}")
    source, reference = source.double(), reference.double()
    covariance, wanted = torch.cov(source.T), torch.cov(reference.T)
    root, inverse_root = _matrix_power(covariance, 0.5), _matrix_power(covariance, -0.5)
    linear = inverse_root @ _matrix_power(root @ wanted @ root, 0.5) @ inverse_root
    shift = reference.mean(0) - linear @ source.mean(0)
    return torch.cat([linear - torch.eye(3, dtype=torch.float64), shift[:, None]], dim=1)


def _check_colors(*many: np.ndarray) -> None:
    for colors in many:
        if colors.ndim != 2 or colors.shape[1] != 3 or not len(colors):
            raise ShapeError(f"expected colors (P, 3), got {tuple(colors.shape)}")


def reinhard(colors: np.ndarray, source: np.ndarray, reference: np.ndarray) -> np.ndarray:
    """Reinhard et al. 2001, in CIE Lab: take each channel's mean and deviation from the source's to
    the reference's.

    Args:
        colors, source, reference: RGB (P, 3), (Q, 3), (R, 3) float32 in [0, 1]; ``source`` is what
            ``colors`` are drawn from.
    Returns:
        (P, 3) float32, not clipped.
    """
    _check_colors(colors, source, reference)
    given, before, after = (
        cv2.cvtColor(c[None].astype(np.float32), cv2.COLOR_RGB2LAB)[0]
        for c in (colors, source, reference)
    )
    scale = after.std(axis=0) / np.maximum(before.std(axis=0), 1e-3)
    moved = (given - before.mean(axis=0)) * scale + after.mean(axis=0)
    result: np.ndarray = cv2.cvtColor(moved[None].astype(np.float32), cv2.COLOR_LAB2RGB)[0]
    return result


def match_histograms(
    colors: np.ndarray, source: np.ndarray, reference: np.ndarray, points: int = 256
) -> np.ndarray:
    """Histogram matching: take each RGB channel's quantiles from the source's to the reference's.

    Args and returns as for :func:`reinhard`.
    """
    _check_colors(colors, source, reference)
    shares = np.linspace(0.0, 1.0, points)
    channels = []
    for channel in range(3):
        before, after = (
            np.quantile(source[:, channel], shares),
            np.quantile(reference[:, channel], shares),
        )
        # A value that many pixels share stands for its middle quantile.
        before, where = np.unique(before, return_inverse=True)
        after = np.bincount(where, after) / np.bincount(where)
        channels.append(np.interp(colors[:, channel], before, after))
    return np.stack(channels, axis=1).astype(np.float32)
