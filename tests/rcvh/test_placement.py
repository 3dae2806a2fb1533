"""Where foregrounds are laid."""

from __future__ import annotations

import numpy as np
import pytest

from vhmae.rcvh.composite import lay
from vhmae.rcvh.placement import LEAST_SHOWN, Laid, Silhouette, place

SIZE = (320, 180)


def silhouette(top: int, bottom: int, left: int, right: int) -> Silhouette:
    """A box in frames of 160 x 90, four pixels a sample."""
    mattes = np.zeros((6, 90, 160), np.uint8)
    mattes[:, top:bottom, left:right] = 255
    return Silhouette(mattes, 640, 360)


def shown(one: Silhouette, laid) -> np.ndarray:  # type: ignore[no-untyped-def]
    """The matte in the background."""
    layer = np.zeros((360, 640, 4), np.uint8)
    layer[..., 3] = np.kron(one.mattes[0], np.ones((4, 4), np.uint8))
    _, cover = lay(
        layer, np.zeros((SIZE[1], SIZE[0], 3), np.uint8), laid.matrix(640), laid.scale, SIZE
    )
    return cover


CUTS = {
    "free": (20, 70, 60, 100),
    "bottom": (20, 90, 60, 100),
    "left": (20, 70, 0, 60),
    "right and bottom": (30, 90, 90, 160),
    "left and right": (40, 90, 0, 160),
    "top": (0, 50, 60, 100),
}


@pytest.mark.parametrize("name", CUTS)
def test_no_edge_of_the_foregrounds_own_frame_is_seen(name: str) -> None:
    one = silhouette(*CUTS[name])
    rng = np.random.default_rng(3)
    found = 0
    for _ in range(40):
        laid = place(one, SIZE, (0.1, 0.7), rng)
        if laid is None:
            continue
        found += 1
        cut = one.cut_off
        if laid.mirrored:
            cut = {**cut, "left": cut["right"], "right": cut["left"]}
        left, right = laid.x, laid.x + laid.scale * 640
        top, bottom = laid.y, laid.y + laid.scale * 360
        assert not cut["left"] or left <= 1
        assert not cut["right"] or right >= SIZE[0] - 1
        assert not cut["top"] or top <= 1
        assert not cut["bottom"] or bottom >= SIZE[1] - 1
    assert found >= 10


def test_shares_are_what_was_asked_and_what_is_laid() -> None:
    one = silhouette(20, 90, 50, 110)
    rng = np.random.default_rng(0)
    ratios = []
    for _ in range(60):
        laid = place(one, SIZE, (0.3, 0.8), rng)
        if laid is not None:
            cover = shown(one, laid)
            assert cover.mean() == pytest.approx(laid.foreground_ratio, abs=0.03)
            whole = one.area * laid.scale**2
            assert cover.sum() / whole >= LEAST_SHOWN - 0.05
            ratios.append(laid.foreground_ratio)
    assert len(ratios) > 20
    assert all(0.3 <= ratio <= 0.8 for ratio in ratios)
    assert max(ratios) - min(ratios) > 0.2


def test_heads_stay_in_the_picture() -> None:
    one = silhouette(10, 90, 50, 110)
    rng = np.random.default_rng(1)
    found = [
        laid for laid in (place(one, SIZE, (0.3, 0.8), rng) for _ in range(40)) if laid is not None
    ]
    assert len(found) >= 10
    for laid in found:
        assert laid.y + laid.scale * one.box[1] > -0.06 * SIZE[1]


def test_a_place_is_drawn_by_its_seed_and_an_impossible_one_is_none() -> None:
    one = silhouette(20, 90, 50, 110)
    assert place(one, SIZE, (0.3, 0.8), np.random.default_rng(7)) is not None
    assert place(one, SIZE, (0.3, 0.8), np.random.default_rng(7)) == place(
        one, SIZE, (0.3, 0.8), np.random.default_rng(7)
    )
    assert place(silhouette(40, 44, 40, 44), SIZE, (0.7, 0.8), np.random.default_rng(7)) is None


def test_mirroring_and_scaling_put_a_pixel_where_the_matrix_says() -> None:
    layer = np.zeros((64, 96, 4), np.uint8)
    layer[20:30, 10:24] = (200, 100, 50, 255)
    back = np.full((128, 192, 3), 30, np.uint8)
    for scale, mirrored in ((1.0, False), (1.0, True), (0.5, False), (2.0, True)):
        laid = Laid(
            scale=scale, x=12.0, y=8.0, mirrored=mirrored, kind="standing", foreground_ratio=0.0
        )
        composite, cover = lay(layer, back, laid.matrix(96), scale, (192, 128))
        rows, columns = np.nonzero(cover > 0.5)
        left = 96 - 24 if mirrored else 10
        assert columns.min() == pytest.approx(12 + scale * left, abs=1.5)
        assert columns.max() + 1 == pytest.approx(12 + scale * (left + 14), abs=1.5)
        assert rows.min() == pytest.approx(8 + scale * 20, abs=1.5)
        center = composite[int(rows.mean()), int(columns.mean())]
        assert np.abs(center.astype(int) - (200, 100, 50)).max() <= 2
        assert np.array_equal(composite[cover == 0.0], back[cover == 0.0])


@pytest.mark.parametrize("scale", [0.37, 0.5, 0.7, 1.0, 1.6])
@pytest.mark.parametrize("mirrored", [False, True])
def test_a_layer_lies_where_its_matrix_says_to_a_tenth_of_a_pixel(
    scale: float, mirrored: bool
) -> None:
    y, x = np.mgrid[:64, :96]
    spot = np.exp(-((x - 37.3) ** 2 + (y - 24.6) ** 2) / (2.0 * 7.0**2))
    layer = np.dstack([np.full((64, 96, 3), 200.0), 255.0 * spot]).round().astype(np.uint8)
    laid = Laid(
        scale=scale, x=12.0, y=8.0, mirrored=mirrored, kind="standing", foreground_ratio=0.0
    )
    _, cover = lay(layer, np.zeros((128, 192, 3), np.uint8), laid.matrix(96), scale, (192, 128))
    rows, columns = np.mgrid[:128, :192]
    center = np.array([(columns * cover).sum(), (rows * cover).sum()]) / cover.sum()
    assert center == pytest.approx(laid.matrix(96) @ (37.3, 24.6, 1.0), abs=0.1)
