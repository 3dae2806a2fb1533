"""Pixels of a foreground with what is done to them, however small it is."""

from __future__ import annotations

import numpy as np
import pytest

from vhmae.arrays import Array
from vhmae.color.yuv import ColorEncoding
from vhmae.engine.sampling import LEAST_PIXELS, changed_pixels
from vhmae.video.planes import Box, PlanarFrame

HEIGHT, WIDTH, SIDE = 360, 640, 96
BALL, SKY = (0.6, 0.2, 0.1), (0.4, 0.6, 0.8)


def scene(inside: Array, chroma: int) -> PlanarFrame:
    """A ball before a flat sky; where the chroma is halved, a ball of whole chroma samples."""
    rgb = np.where(inside[..., None], BALL, SKY)
    if chroma == 1:
        planes = [np.rint(255 * rgb[..., channel]).astype(np.uint8) for channel in (1, 2, 0)]
        return PlanarFrame(planes, ColorEncoding("rgb", True), pixel_format="gbrp")
    encoding = ColorEncoding("bt709", True)
    matrix, offset = encoding.encoding()
    codes = np.rint(rgb @ matrix.T + offset).astype(np.uint8)
    planes = [codes[..., 0], *(codes[::2, ::2, place].copy() for place in (1, 2))]
    return PlanarFrame(planes, encoding, 2, 2, "yuv420p")


def darker(rgb: Array, box: Box, height: int, width: int) -> Array:
    """By their columns, so that it is seen where they were taken to lie."""
    columns = np.linspace(box.left / width, box.right / width, rgb.shape[2], endpoint=False)
    return np.broadcast_to(-0.1 * columns, rgb.shape).astype(np.float32)


@pytest.mark.parametrize("chroma", [1, 2])
@pytest.mark.parametrize(
    "ball",
    [
        pytest.param(np.s_[100:300, 200:500], id="large"),
        pytest.param(np.s_[182:184, 402:406], id="between the places of the grid"),
        pytest.param(np.s_[170:200, 380:430], id="a few places of the grid"),
        pytest.param(np.s_[0:360, 402:404], id="a wire"),
    ],
)
def test_pixels_are_the_foregrounds_own(ball: tuple[slice, slice], chroma: int) -> None:
    inside = np.zeros((HEIGHT, WIDTH), bool)
    inside[ball] = True
    frame = scene(inside, chroma)
    for matte in (inside.astype(np.uint8) * 255, np.where(inside, 0.3, 0.0).astype(np.float32)):
        before, added = changed_pixels(frame, matte, SIDE, darker)
        assert min(LEAST_PIXELS, inside.sum()) <= len(before) <= SIDE * SIDE
        assert before == pytest.approx(np.broadcast_to(BALL, before.shape), abs=0.01)
        left, right = ball[1].start / WIDTH, ball[1].stop / WIDTH
        assert (added <= -0.1 * (left - 1 / SIDE)).all()
        assert (added >= -0.1 * right).all()


def test_an_empty_matte_has_no_pixels() -> None:
    frame = scene(np.zeros((HEIGHT, WIDTH), bool), 2)
    before, added = changed_pixels(frame, np.zeros((HEIGHT, WIDTH), np.uint8), SIDE, darker)
    assert before.shape == added.shape == (0, 3)
