"""Classical colour transfer: what a method that learns nothing can do."""

from __future__ import annotations

import torch
from torch import Tensor

from vhmae.errors import ShapeError


def _matrix_power(symmetric: Tensor, power: float, floor: float = 1e-8) -> Tensor:
    values, vectors = torch.linalg.eigh(symmetric)
    return vectors @ torch.diag(values.clamp_min(floor) ** power) @ vectors.T


def monge_kantorovich(source: Tensor, reference: Tensor) -> Tensor:
    """The linear Monge-Kantorovitch map (Pitie and Kokaram 2007): takes the source's mean and covariance to the reference's.

    Args:
        source, reference: colours (P, 3), (Q, 3) in [0, 1].
    Returns:
        Residual coefficients (3, AFFINE) float64 for ``transform.apply_transform``.
    """
    for colors in (source, reference):
        if colors.ndim != 2 or colors.shape[1] != 3 or len(colors) < 2:
            raise ShapeError(f"expected at least two colours (P, 3), got {tuple(colors.shape)}")
    source, reference = source.double(), reference.double()
    covariance, wanted = torch.cov(source.T), torch.cov(reference.T)
    root, inverse_root = _matrix_power(covariance, 0.5), _matrix_power(covariance, -0.5)
    linear = inverse_root @ _matrix_power(root @ wanted @ root, 0.5) @ inverse_root
    shift = reference.mean(0) - linear @ source.mean(0)
    return torch.cat([linear - torch.eye(3, dtype=torch.float64), shift[:, None]], dim=1)
