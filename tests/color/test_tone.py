"""What tells of a tone curve: against slow counting, and on curves that are known."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from vhmae.color.tone import BANDS, TONE, tone_numbers
from vhmae.color.transform import luma_of

LEVEL = 1.0 / 255.0


def textured(count: int = 400, seed: int = 0, noise: float = 0.01) -> torch.Tensor:
    """Pairs (1, P, 6) of gray pixels that differ by noise alone, at all brightnesses."""
    generator = torch.Generator().manual_seed(seed)
    base = torch.linspace(0.05, 0.95, count)[:, None].expand(-1, 3)
    steps = torch.randn(count, 2, 3, generator=generator) * noise
    return (base[:, None] + steps).clamp(0.0, 1.0).flatten(1)[None]


def noise_of(numbers: torch.Tensor) -> torch.Tensor:
    """(BANDS, 4) of one sample's numbers."""
    return numbers[0, 42 : 42 + 4 * BANDS].view(BANDS, 4)


def test_numbers_are_those_of_slow_counting() -> None:
    rng = np.random.default_rng(3)
    pairs = (rng.integers(0, 256, (1, 301, 6)) / 255.0).astype(np.float32)
    pairs[0, :40] = np.round(pairs[0, :40] * 4) / 4  # black and white, and equal neighbors
    pairs[0, :20, 3:] = pairs[0, :20, :3]
    found = tone_numbers(torch.from_numpy(pairs))[0].numpy()
    colors, beside = pairs[0, :, :3], pairs[0, :, 3:]
    own, other = (luma_of(torch.from_numpy(one)).numpy() for one in (colors, beside))
    assert found.shape == (TONE,)
    columns = np.sort(np.column_stack([colors, own]), axis=0)
    ends = [columns[round(share * 300)] for share in (0.004, 0.01, 0.03, 0.97, 0.99, 0.996)]
    np.testing.assert_allclose(found[:24], np.concatenate(ends), atol=1e-6)
    clipped = [(colors <= level * LEVEL).mean(axis=0) for level in (0.5, 3.5, 10.5)]
    clipped += [(colors >= 1 - level * LEVEL).mean(axis=0) for level in (0.5, 3.5, 10.5)]
    np.testing.assert_allclose(found[24:42], np.concatenate(clipped), atol=1e-6)
    for band in range(BANDS):
        kinds, members = np.zeros(4), 0
        for one in range(301):
            if min(int((own[one] + other[one]) * BANDS / 2), BANDS - 1) != band:
                continue
            members += 1
            step = abs(own[one] - other[one])
            spread = np.std(colors[one] - beside[one], ddof=1)
            kinds += (
                min(step / (3 * LEVEL), 1.0),
                min(step / (12 * LEVEL), 1.0),
                step < 0.5 * LEVEL,
                min(spread / (6 * LEVEL), 1.0),
            )
        share = members / 301
        assert found[42 + 24 + band] == pytest.approx(share, abs=1e-6)
        np.testing.assert_allclose(
            found[42 + 4 * band : 46 + 4 * band], kinds / 301 / (share + 0.01), atol=1e-4
        )


def test_a_curve_scales_the_noise_of_each_band_by_its_slope() -> None:
    """Twice as steep below the middle and half as steep above it, the noise is told so."""
    pairs = textured()
    curved = torch.where(pairs < 0.4, 1.6 * pairs, 0.64 + 0.6 * (pairs - 0.4))
    plain, seen = noise_of(tone_numbers(pairs)), noise_of(tone_numbers(curved))
    assert float(seen[1, 1] / plain[1, 1]) == pytest.approx(1.6, rel=0.1)
    assert float(seen[5, 1] / plain[5, 1]) == pytest.approx(0.6, rel=0.1)


def test_lifted_black_and_lowered_white_are_told_by_ends_and_clipping() -> None:
    pairs = textured(noise=0.3)  # much of it clipped
    lifted = 0.1 + 0.8 * pairs
    plain, seen = tone_numbers(pairs)[0], tone_numbers(lifted)[0]
    assert (plain[24:42] > 0.0).all()
    assert not seen[24:42].any()
    torch.testing.assert_close(seen[:24], 0.1 + 0.8 * plain[:24], atol=1e-5, rtol=0.0)


def test_an_empty_set_is_read_without_harm() -> None:
    assert torch.isfinite(tone_numbers(torch.zeros(2, 8, 6))).all()
