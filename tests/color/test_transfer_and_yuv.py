"""Classical transfer, and the arithmetic of YUV."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
import torch

from vhmae.color.basis import apply_transform
from vhmae.color.transfer import monge_kantorovich
from vhmae.color.yuv import ColorEncoding, Matrix


def test_monge_kantorovich_takes_over_mean_and_covariance() -> None:
    torch.manual_seed(0)
    source = torch.rand(2000, 3, dtype=torch.float64) * 0.5
    reference = torch.rand(2000, 3, dtype=torch.float64) @ torch.rand(3, 3, dtype=torch.float64)
    moved = apply_transform(source, monge_kantorovich(source, reference))
    assert torch.allclose(moved.mean(0), reference.mean(0), atol=1e-6)
    assert torch.allclose(torch.cov(moved.T), torch.cov(reference.T), atol=1e-6)


def test_monge_kantorovich_leaves_equal_colors_alone() -> None:
    colors = torch.rand(500, 3)
    assert monge_kantorovich(colors, colors).abs().max() < 1e-5


@pytest.mark.parametrize("matrix", ["bt601", "bt709", "bt2020", "rgb"])
@pytest.mark.parametrize("full", [False, True])
@pytest.mark.parametrize("bits", [8, 10, 12])
def test_decoding_undoes_encoding(matrix: str, full: bool, bits: int) -> None:
    encoding = ColorEncoding(matrix, full, bits)  # type: ignore[arg-type]
    encode, offset = encoding.encoding()
    decode, back = encoding.decoding()
    rgb = np.random.default_rng(0).random((50, 3))
    codes = rgb @ encode.T + offset
    np.testing.assert_allclose(codes @ decode.T + back, rgb, atol=1e-9)


@pytest.mark.parametrize(
    ("rgb", "codes"),
    [((0, 0, 0), (16, 128, 128)), ((1, 1, 1), (235, 128, 128)), ((1, 0, 0), (63, 102, 240))],
)
def test_bt709_gives_the_codes_of_the_standard(
    rgb: tuple[int, ...], codes: tuple[int, ...]
) -> None:
    encode, offset = ColorEncoding("bt709", False).encoding()
    np.testing.assert_array_equal(np.rint(np.array(rgb) @ encode.T + offset), codes)


# Luma and chroma of the standards' weights of red and blue, scaled to 8 and to 10 bits of limited
# range.
@pytest.mark.parametrize(
    ("matrix", "bits", "rgb", "codes"),
    [
        ("bt601", 8, (1, 1, 1), (235, 128, 128)),
        ("bt601", 8, (1, 0, 0), (81, 90, 240)),
        ("bt601", 8, (0, 0, 1), (41, 240, 110)),
        ("bt2020", 10, (0, 0, 0), (64, 512, 512)),
        ("bt2020", 10, (1, 1, 1), (940, 512, 512)),
        ("bt2020", 10, (1, 0, 0), (294, 387, 960)),
        ("bt2020", 10, (0, 0, 1), (116, 960, 476)),
    ],
)
def test_bt601_and_bt2020_give_the_codes_of_their_standards(
    matrix: Matrix, bits: int, rgb: tuple[int, ...], codes: tuple[int, ...]
) -> None:
    encode, offset = ColorEncoding(matrix, False, bits).encoding()
    np.testing.assert_array_equal(np.rint(np.array(rgb) @ encode.T + offset), codes)


@pytest.mark.parametrize(
    ("matrix", "bits", "rgb", "codes"),
    [
        ("bt601", 8, (0, 0, 0), (0, 128, 128)),
        ("bt601", 8, (1, 1, 1), (255, 128, 128)),
        ("bt601", 8, (0, 1, 0), (150, 44, 21)),
        ("bt709", 10, (1, 1, 1), (1023, 512, 512)),
        ("bt709", 10, (0, 1, 0), (732, 118, 47)),
    ],
)
def test_full_range_gives_the_codes_of_its_standards(
    matrix: Matrix, bits: int, rgb: tuple[int, ...], codes: tuple[int, ...]
) -> None:
    """JPEG's (ITU-T T.871), and ITU-R BT.2100's way of more bits."""
    encode, offset = ColorEncoding(matrix, True, bits).encoding()
    np.testing.assert_array_equal(np.rint(np.array(rgb) @ encode.T + offset), codes)


def test_bt601_agrees_with_opencv() -> None:
    planes = np.random.default_rng(1).integers(
        60, 190, (12, 8), dtype=np.uint8
    )  # 8x8 in I420: 12 rows
    expected = cv2.cvtColor(planes, cv2.COLOR_YUV2RGB_I420)
    luma = planes[:8].astype(float)
    chroma = [
        planes[8 + 2 * i : 10 + 2 * i].reshape(4, 4).repeat(2, 0).repeat(2, 1).astype(float)
        for i in range(2)
    ]
    decode, offset = ColorEncoding("bt601", False).decoding()
    rgb = np.stack([luma, *chroma], -1) @ decode.T + offset
    np.testing.assert_allclose(np.clip(rgb, 0, 1) * 255, expected, atol=1.0)
