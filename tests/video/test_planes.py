"""Frames as planes: conversions, and changes that leave everything else exactly as it was."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from vhmae.color.yuv import ColorEncoding
from vhmae.video.planes import Box, PlanarFrame, matte_box


def random_frame(
    rng: np.random.Generator, height: int, width: int, chroma: tuple[int, int], bits: int = 8
) -> PlanarFrame:
    depth = np.uint8 if bits == 8 else np.uint16
    sizes = [(height, width), *[(-(-height // chroma[1]), -(-width // chroma[0]))] * 2]
    step = 2 ** (bits - 8)
    planes = [rng.integers(16 * step, 235 * step, size).astype(depth) for size in sizes]
    return PlanarFrame(planes, ColorEncoding("bt709", False, bits), *chroma)


def add(frame: PlanarFrame, change: np.ndarray, box: Box) -> None:
    """Add a change (h, w, 3) to a box."""
    frame.add(change.transpose(2, 0, 1), box)


@settings(max_examples=40, deadline=None)
@given(
    height=st.integers(4, 33),
    width=st.integers(4, 33),
    chroma=st.sampled_from([(1, 1), (2, 1), (2, 2)]),
    bits=st.sampled_from([8, 10]),
    seed=st.integers(0, 99),
)
def test_where_nothing_changes_codes_stay_bit_for_bit(
    height: int, width: int, chroma: tuple[int, int], bits: int, seed: int
) -> None:
    rng = np.random.default_rng(seed)
    frame = random_frame(rng, height, width, chroma, bits)
    matte = np.zeros((height, width), np.float32)
    top, left = int(rng.integers(height - 2)), int(rng.integers(width - 2))
    matte[top : top + int(rng.integers(1, height)), left : left + int(rng.integers(1, width))] = 1.0
    box = matte_box(matte, *chroma)
    assert box is not None
    changed = frame.copy()
    add(
        changed,
        np.full((box.bottom - box.top, box.right - box.left, 3), 0.2, np.float32)
        * matte[box.rows, box.columns, None],
        box,
    )
    for index, (before, after) in enumerate(zip(frame.planes, changed.planes, strict=True)):
        x, y = (1, 1) if index == 0 else chroma
        for row in range(before.shape[0]):
            for column in range(before.shape[1]):
                if not matte[row * y : row * y + y, column * x : column * x + x].any():
                    assert before[row, column] == after[row, column]
    assert (frame.planes[0] != changed.planes[0]).any()


def test_a_change_is_added_as_the_matrix_says(rng: np.random.Generator) -> None:
    frame = random_frame(rng, 16, 16, (1, 1))
    frame = PlanarFrame([np.full_like(plane, 110) for plane in frame.planes], frame.encoding)
    before = frame.rgb()
    change = rng.uniform(-0.1, 0.1, (16, 16, 3)).astype(np.float32)
    add(frame, change, Box(0, 0, 16, 16))
    np.testing.assert_allclose(frame.rgb(), before + change, atol=1.6 / 219)


def test_chroma_changes_by_the_mean_of_its_pixels() -> None:
    frame = PlanarFrame(
        [np.full((4, 4), 100, np.uint8), *(np.full((2, 2), 128, np.uint8) for _ in range(2))],
        ColorEncoding("bt601", False),
        2,
        2,
    )
    change = np.zeros((4, 4, 3), np.float32)
    change[0, 0] = [0.0, 0.0, 0.4]  # one of the four pixels under the first chroma sample
    add(frame, change, Box(0, 0, 4, 4))
    assert frame.planes[1][0, 0] == 128 + round(0.4 / 4 * 0.5 * 224)
    assert (frame.planes[1].ravel()[1:] == 128).all()


def test_a_thumbnail_is_the_shrunken_picture(rng: np.random.Generator) -> None:
    y, x = np.mgrid[0:64, 0:96]
    planes = [
        (100 + 60 * np.sin(x / 20)).astype(np.uint8),
        (120 + 10 * np.cos(y[::2, ::2] / 30)).astype(np.uint8),
        np.full((32, 48), 130, np.uint8),
    ]
    frame = PlanarFrame(planes, ColorEncoding("bt601", False), 2, 2)
    whole = frame.rgb().reshape(16, 4, 24, 4, 3).mean((1, 3))
    np.testing.assert_allclose(frame.thumbnail(16, 24), whole, atol=0.01)


def test_a_box_is_aligned_to_chroma_samples() -> None:
    matte = np.zeros((20, 30), np.float32)
    matte[5:8, 7:12] = 1.0
    assert matte_box(matte, 2, 2) == Box(4, 6, 8, 12)
    assert matte_box(matte, 1, 1) == Box(5, 7, 8, 12)
    assert matte_box(np.zeros((4, 4), np.float32)) is None


@pytest.mark.parametrize("bits", [8, 10])
def test_codes_are_clipped_not_wrapped(bits: int) -> None:
    top = 2**bits - 1
    depth = np.uint8 if bits == 8 else np.uint16
    frame = PlanarFrame(
        [
            np.full((4, 4), top - 2, depth),
            *(np.full((4, 4), 2 ** (bits - 1), depth) for _ in range(2)),
        ],
        ColorEncoding("bt709", True, bits),
    )
    add(frame, np.full((4, 4, 3), 0.5, np.float32), Box(0, 0, 4, 4))
    assert (frame.planes[0] == top).all()
