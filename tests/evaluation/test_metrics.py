"""Metrics against scikit-image and hand-written loops."""

from __future__ import annotations

import numpy as np
import pytest
from skimage.metrics import mean_squared_error, peak_signal_noise_ratio, structural_similarity

from vhmae import metrics
from vhmae.errors import ShapeError


@pytest.fixture
def pair(rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    y, x = np.mgrid[0:40, 0:56]
    target = np.stack([128 + 90 * np.sin(x / 9), 120 + 80 * np.cos(y / 7), 100 + x], -1)
    image = target * 0.9 + rng.normal(0, 8, target.shape)
    mask = (x - 25) ** 2 + (y - 20) ** 2 < 150
    return image.clip(0, 255).astype(np.uint8), target.clip(0, 255).astype(np.uint8), mask


def test_mse_psnr_and_ssim_agree_with_scikit_image(pair: tuple[np.ndarray, np.ndarray, np.ndarray]) -> None:
    image, target, mask = pair
    assert metrics.mse(image, target) == pytest.approx(mean_squared_error(image, target), rel=1e-12)
    assert metrics.psnr(image, target) == pytest.approx(peak_signal_noise_ratio(target, image, data_range=255), rel=1e-12)
    _, similarity = structural_similarity(
        image, target, channel_axis=2, gaussian_weights=True, sigma=1.5, use_sample_covariance=False, data_range=255, full=True
    )
    np.testing.assert_allclose(metrics.ssim_map(image, target), similarity, atol=1e-9)
    assert metrics.fssim(image, target, mask) == pytest.approx(similarity[mask].mean(), rel=1e-9)


def test_fmse_matches_a_loop(pair: tuple[np.ndarray, np.ndarray, np.ndarray]) -> None:
    image, target, mask = pair
    total = count = 0.0
    for row in range(40):
        for column in range(56):
            if mask[row, column]:
                count += 1
                for channel in range(3):
                    total += (float(image[row, column, channel]) - float(target[row, column, channel])) ** 2
    assert metrics.fmse(image, target, mask) == pytest.approx(total / (3 * count), rel=1e-12)


def test_equal_frames_are_perfect(pair: tuple[np.ndarray, np.ndarray, np.ndarray]) -> None:
    image, _, mask = pair
    assert (metrics.mse(image, image), metrics.fmse(image, image, mask), metrics.psnr(image, image)) == (0.0, 0.0, 100.0)
    assert metrics.fssim(image, image, mask) == pytest.approx(1.0)


def test_a_frame_without_foreground_has_no_foreground_metric(pair: tuple[np.ndarray, np.ndarray, np.ndarray]) -> None:
    image, target, mask = pair
    assert np.isnan(metrics.fmse(image, target, ~(mask | ~mask)))
    assert np.isnan(metrics.fssim(image, target, ~(mask | ~mask)))


def test_frames_of_different_size_are_refused(pair: tuple[np.ndarray, np.ndarray, np.ndarray]) -> None:
    image, target, _ = pair
    with pytest.raises(ShapeError, match="one size"):
        metrics.mse(image, target[:-1])
