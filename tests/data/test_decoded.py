"""Decoded pictures of a set: soft masks stay soft, and hard ones hard."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest

from vhmae.data.decoded import read_decoded
from vhmae.data.hyoutube import COMPOSITE, MASK, REAL, Sample, read_list


def a_set(root: Path, mask: np.ndarray) -> Sample:
    """A set of one composite of one frame, 80x60, with this mask file."""
    folders = [
        root / REAL / "v",
        root / MASK / "v" / "object_0",
        root / COMPOSITE / "v" / "object_0",
    ]
    for folder in folders:
        folder.mkdir(parents=True)
        picture = mask if folder.parts[-3] == MASK else np.full((60, 80, 3), 90, np.uint8)
        cv2.imwrite(str(folder / "00000.png"), picture)
    (root / "test_list.txt").write_text(" ".join(str(f.relative_to(root)) for f in folders))
    return read_list(root)[0]


@pytest.fixture
def disc() -> np.ndarray:
    y, x = np.mgrid[0:60, 0:80]
    return ((x - 40) ** 2 + (y - 30) ** 2 < 15**2).astype(np.uint8)


def test_a_size_keeps_soft_masks(tmp_path: Path, disc: np.ndarray) -> None:
    sample = a_set(tmp_path, disc * 255)
    for cache in (None, tmp_path / "c", tmp_path / "c"):
        linear = read_decoded(sample, cache, 32, "linear")
        assert linear.matte.dtype == np.float32
        expected = cv2.resize(disc.astype(np.float32), (32, 32), interpolation=cv2.INTER_LINEAR)
        np.testing.assert_array_equal(linear.matte[0], expected)
        assert np.any((linear.matte > 0) & (linear.matte < 1))
        np.testing.assert_array_equal(linear.mask, linear.matte > 0)  # all that is blended is drawn
    area = read_decoded(sample, None, 32)
    np.testing.assert_array_equal(area.mask, area.matte >= 0.5)
    assert area.mask.mean() == pytest.approx(disc.mean(), rel=0.05)


def test_grey_masks_stay_grey_and_object_numbers_are_hard(tmp_path: Path, disc: np.ndarray) -> None:
    grey = disc * 200
    grey[30, 20:40] = 100
    soft = read_decoded(a_set(tmp_path / "soft", grey))
    np.testing.assert_array_equal(soft.matte[0], grey)
    np.testing.assert_array_equal(soft.mask[0], grey > 0)
    for value in (1, 3, 255):
        hard = read_decoded(a_set(tmp_path / str(value), disc * value))
        np.testing.assert_array_equal(hard.matte[0], disc * 255)
