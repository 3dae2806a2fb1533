"""Metrics against scikit-image and hand-written loops."""

from __future__ import annotations

import numpy as np
import pytest
from skimage.metrics import mean_squared_error, peak_signal_noise_ratio, structural_similarity

from vhmae.errors import InputError, ShapeError
from vhmae.evaluation import metrics


@pytest.fixture
def pair(rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    y, x = np.mgrid[0:40, 0:56]
    target = np.stack([128 + 90 * np.sin(x / 9), 120 + 80 * np.cos(y / 7), 100 + x], -1)
    image = target * 0.9 + rng.normal(0, 8, target.shape)
    mask = (x - 25) ** 2 + (y - 20) ** 2 < 150
    return image.clip(0, 255).astype(np.uint8), target.clip(0, 255).astype(np.uint8), mask


def test_mse_psnr_and_ssim_agree_with_scikit_image(
    pair: tuple[np.ndarray, np.ndarray, np.ndarray],
) -> None:
    image, target, mask = pair
    assert metrics.mse(image, target) == pytest.approx(mean_squared_error(image, target), rel=1e-12)
    assert metrics.psnr(image, target) == pytest.approx(
        peak_signal_noise_ratio(target, image, data_range=255), rel=1e-12
    )
    _, similarity = structural_similarity(
        image,
        target,
        channel_axis=2,
        gaussian_weights=True,
        sigma=1.5,
        use_sample_covariance=False,
        data_range=255,
        full=True,
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
                    total += (
                        float(image[row, column, channel]) - float(target[row, column, channel])
                    ) ** 2
    assert metrics.fmse(image, target, mask) == pytest.approx(total / (3 * count), rel=1e-12)


def test_equal_frames_are_perfect(pair: tuple[np.ndarray, np.ndarray, np.ndarray]) -> None:
    image, _, mask = pair
    assert (
        metrics.mse(image, image),
        metrics.fmse(image, image, mask),
        metrics.psnr(image, image),
    ) == (0.0, 0.0, 100.0)
    assert metrics.fssim(image, image, mask) == pytest.approx(1.0)


def test_a_frame_without_foreground_has_no_foreground_metric(
    pair: tuple[np.ndarray, np.ndarray, np.ndarray],
) -> None:
    image, target, mask = pair
    assert np.isnan(metrics.fmse(image, target, ~(mask | ~mask)))
    assert np.isnan(metrics.fssim(image, target, ~(mask | ~mask)))


def test_frames_of_different_size_are_refused(
    pair: tuple[np.ndarray, np.ndarray, np.ndarray],
) -> None:
    image, target, _ = pair
    with pytest.raises(ShapeError, match="one size"):
        metrics.mse(image, target[:-1])


# --- over time


@pytest.fixture
def clip() -> tuple[np.ndarray, np.ndarray]:
    """A textured disc that drifts by two pixels a frame: frames (4, 64, 96, 3) uint8 and masks."""
    y, x = np.mgrid[0:64, 0:96].astype(float)
    frames, masks = [], []
    for t in range(4):
        moved = x - 2 * t
        picture = np.stack(
            [
                120 + 60 * np.sin(moved / 5) * np.cos(y / 6),
                110 + 50 * np.cos(moved / 7),
                100 + 40 * np.sin(y / 8),
            ],
            -1,
        )
        frames.append(picture.clip(0, 255).astype(np.uint8))
        masks.append((moved - 35) ** 2 + (y - 32) ** 2 < 20**2)
    return np.stack(frames), np.stack(masks)


def test_temporal_loss_rises_with_flicker_and_follows_motion(
    clip: tuple[np.ndarray, np.ndarray],
) -> None:
    target, mask = clip
    steady = metrics.temporal_loss(target, target, mask)
    shifted = metrics.temporal_loss((target + np.uint8(20)), target, mask)
    swaying = target.astype(int) + np.array([0, 8, 0, 8])[:, None, None, None]
    assert steady < 4.0  # motion itself costs next to nothing
    assert shifted == pytest.approx(steady, rel=0.1)  # nor does another, steady, color
    # A change of 8 levels under the weights: 64 where target and flow agree.
    assert metrics.temporal_loss(
        swaying.clip(0, 255).astype(np.uint8), target, mask
    ) == pytest.approx(64, rel=0.25)


def test_temporal_loss_matches_a_loop_without_motion(
    clip: tuple[np.ndarray, np.ndarray], rng: np.random.Generator
) -> None:
    target = np.stack([clip[0][0], clip[0][0]])  # no motion: the flow is zero and agrees everywhere
    mask = np.stack([clip[1][0], clip[1][0]])
    output = np.clip(target + rng.integers(-9, 10, target.shape), 0, 255).astype(np.uint8)
    total = weights = 0.0
    for row in range(64):
        for column in range(96):
            w = float(mask[0, row, column])  # exp(0) = 1
            for channel in range(3):
                total += (
                    w * output[0, row, column, channel] / 255
                    - w * output[1, row, column, channel] / 255
                ) ** 2 / 3
            weights += w
    assert metrics.temporal_loss(output, target, mask) == pytest.approx(
        total * 255**2 / weights, rel=1e-4
    )


def test_tone_change_and_flicker_match_their_definitions(
    clip: tuple[np.ndarray, np.ndarray],
) -> None:
    target = np.stack([clip[0][0]] * 3)
    mask = np.stack([clip[1][0]] * 3)
    offsets = np.array([0, 6, 3])
    composite = (target - 10).clip(0, 255).astype(np.uint8)
    output = (composite.astype(int) + offsets[:, None, None, None]).clip(0, 255).astype(np.uint8)
    steps = np.diff(offsets)
    assert metrics.foreground_tone_change(output, target, mask) == pytest.approx(
        float((steps.astype(float) ** 2).mean())
    )
    assert metrics.flicker(output, composite, target, mask) == pytest.approx(
        float(np.abs(steps).mean())
    )
    assert np.isnan(metrics.flicker(output, composite, target, mask & False))
    assert np.isnan(metrics.temporal_loss(output[:1], target[:1], mask[:1]))


def test_flicker_of_a_moving_subject_matches_a_loop(
    clip: tuple[np.ndarray, np.ndarray], rng: np.random.Generator
) -> None:
    target = np.stack([clip[0][0]] * 4)
    target[1:, :, 40:] += np.uint8(2)  # levels that still count as standing still
    target[1:, :, :20] += np.uint8(3)  # and those that do not
    mask = clip[1]  # moves on: pixels leave it and others come in
    composite, output = (rng.integers(0, 256, target.shape).astype(np.uint8) for _ in range(2))
    total, count = 0.0, 0
    for t in range(3):
        for row in range(64):
            for column in range(96):
                moved = np.abs(
                    target[t + 1, row, column].astype(int) - target[t, row, column]
                ).max()
                if mask[t, row, column] and mask[t + 1, row, column] and moved <= 2:
                    added = [
                        output[i, row, column].astype(int) - composite[i, row, column]
                        for i in (t, t + 1)
                    ]
                    total += np.abs(added[1] - added[0]).sum()
                    count += 3
    assert metrics.flicker(output, composite, target, mask) == pytest.approx(
        total / count, rel=1e-9
    )


def test_tone_is_the_value_of_hsv_the_largest_channel() -> None:
    target = np.full((2, 8, 8, 3), (100, 50, 20), np.uint8)
    mask = np.ones((2, 8, 8), bool)
    for channel, expected in (
        (0, 36.0),
        (1, 0.0),
        (2, 0.0),
    ):  # six levels more in one channel: of red alone the value hears
        output = target.copy()
        output[1, ..., channel] += 6
        assert metrics.foreground_tone_change(output, target, mask) == pytest.approx(expected)


def test_seams_and_edges_are_seen() -> None:
    rng = np.random.default_rng(5)
    composite = rng.integers(60, 190, (64, 64, 3)).astype(np.uint8)
    mask = np.ones((64, 64), bool)
    smooth = composite.astype(float) + np.linspace(0, 20, 64)[None, :, None]
    steps = smooth + np.repeat(np.repeat(rng.normal(0, 5, (4, 4, 3)), 16, 0), 16, 1)
    assert metrics.seam_ratio(smooth, composite, mask, 4) == pytest.approx(1.0, abs=0.01)
    assert metrics.seam_ratio(steps, composite, mask, 4) > 20
    assert np.isnan(metrics.seam_ratio(composite, composite, mask, 4))
    mask[:] = False
    mask[10:50, 10:50] = True
    shifted = composite.astype(float)
    shifted[15:45, 15:45] += 3
    band, interior = metrics.edge_errors(shifted, composite, mask)
    assert band == pytest.approx(0.0, abs=0.2)
    assert interior == pytest.approx(9.0)


def test_frames_too_small_for_motion_are_refused() -> None:
    clip, mask = np.zeros((2, 10, 11, 3), np.uint8), np.ones((2, 10, 11), bool)
    with pytest.raises(InputError, match="no motion in frames of 11x10"):
        metrics.temporal_loss(clip, clip, mask)
    still = np.zeros((2, 8, 12, 3), np.uint8)
    assert metrics.temporal_loss(still, still, np.ones((2, 8, 12), bool)) == 0.0
