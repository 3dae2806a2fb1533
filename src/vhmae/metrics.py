"""Metrics on the 0-255 scale, protocol ``clean`` (docs/conventions.md, "metrics").

Frames are (H, W, 3), masks (H, W) bool. Values are computed in double precision.
"""

from __future__ import annotations

import cv2
import numpy as np

from vhmae.errors import ShapeError

Array = np.ndarray

_C1, _C2 = (0.01 * 255.0) ** 2, (0.03 * 255.0) ** 2


def _check_pair(image: Array, target: Array) -> None:
    if image.shape != target.shape or image.ndim != 3 or image.shape[2] != 3:
        raise ShapeError(f"expected two frames (H, W, 3) of one size, got {image.shape} and {target.shape}")


def mse(image: Array, target: Array) -> float:
    """Mean squared error over all pixels and channels."""
    _check_pair(image, target)
    return float(np.square(image.astype(np.float64) - target).mean())


def fmse(image: Array, target: Array, mask: Array) -> float:
    """Mean squared error over the foreground: sum(m d^2) / (3 sum m); NaN without foreground."""
    _check_pair(image, target)
    difference = image[mask].astype(np.float64) - target[mask]
    return float(np.square(difference).mean()) if len(difference) else float("nan")


def psnr(image: Array, target: Array) -> float:
    """Peak signal-to-noise ratio in dB with peak 255; 100 for equal frames, so that means stay finite."""
    error = mse(image, target)
    return min(100.0, 10.0 * float(np.log10(255.0**2 / error))) if error > 0.0 else 100.0


def ssim_map(image: Array, target: Array) -> Array:
    """SSIM at each pixel and channel: 11x11 Gaussian of sigma 1.5, standard constants, (H, W, 3)."""
    _check_pair(image, target)
    x, y = image.astype(np.float64), target.astype(np.float64)

    def blur(values: Array) -> Array:
        return cv2.GaussianBlur(values, (11, 11), 1.5, borderType=cv2.BORDER_REFLECT)

    mean_x, mean_y = blur(x), blur(y)
    var_x, var_y = blur(x * x) - mean_x**2, blur(y * y) - mean_y**2
    covariance = blur(x * y) - mean_x * mean_y
    numerator = (2.0 * mean_x * mean_y + _C1) * (2.0 * covariance + _C2)
    similarity: Array = numerator / ((mean_x**2 + mean_y**2 + _C1) * (var_x + var_y + _C2))
    return similarity


def fssim(image: Array, target: Array, mask: Array) -> float:
    """SSIM averaged over the foreground; NaN without foreground."""
    return float(ssim_map(image, target)[mask].mean()) if mask.any() else float("nan")
