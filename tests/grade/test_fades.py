"""Fades in grades and diagnoses: one map for a shot is that of the shot as it is shown in full."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import pytest

from vhmae.app.samples import Pixels
from vhmae.arrays import Array
from vhmae.color.basis import apply_transform
from vhmae.grade.shots import GradedShot
from vhmae.work.shot_pixels import ShotPixels

SIDE = 96
SHARES = {0: 0.3, 6: 0.6, 12: 0.95, 18: 1.0, 24: 0.5, 30: 0.1}
"""Of the change, by frame: a shot that fades in and out."""


def faded(share: float, seed: int) -> tuple[Array, Array]:
    """A frame that fades to white, before and after, (3, S, S) float32: darker by 20 %."""
    full = np.random.default_rng(seed).random((3, SIDE, SIDE), np.float32)
    before = share * full + (1.0 - share)
    return before, before - share * 0.2 * before


class Picture(NamedTuple):
    """What is asked of a frame and of its change."""

    before: Array
    after: Array

    def sample(self, height: int, width: int) -> Array:
        return self.before[:, :height, :width]

    def change(self, rgb: Array, box: Any, height: int, width: int) -> Array:
        return (self.after - self.before)[:, :height, :width]


def test_one_map_of_a_shot_is_of_what_is_shown_in_full() -> None:
    shot = GradedShot(0)
    matte = np.ones((SIDE, SIDE), np.uint8) * 255
    for index, share in SHARES.items():
        shot.last = index
        picture: Any = Picture(*faded(share, index))
        shot.look_at(index, picture, matte, picture, share)
    (grade,) = shot.grade(1, None)
    assert set(grade.places.tolist()) == {12, 18}
    colors = np.random.default_rng(1).random((50, 3), np.float32)
    for coefficients in (grade.coefficients, shot.grade(1, 6)[0].coefficients):
        made = apply_transform(colors, coefficients.astype(np.float32))
        assert made == pytest.approx(0.8 * colors, abs=2e-3)
    (along,) = shot.grade(1, 6)
    assert set(along.places.tolist()) == set(SHARES), "maps along the shot follow its fades"
    by_key = {key.index: key.coefficients for key in along.keys}
    slight = apply_transform(colors, by_key[30].astype(np.float32)) - colors
    assert np.abs(slight).mean() < 0.5 * np.abs(0.2 * colors).mean()


def test_words_are_of_what_is_shown_in_full() -> None:
    pixels, of_page = ShotPixels(), Pixels()
    matte = np.ones((SIDE, SIDE), np.uint8) * 255
    for index, share in SHARES.items():
        picture: Any = Picture(*faded(share, index))
        pixels.look_at(index, picture, matte, picture, share)
        rows = picture.before.reshape(3, -1).T.astype(np.float64)
        of_page.add(rows, -0.2 * rows, share)
    numbers, kept = pixels.state()
    for seen in (pixels, ShotPixels.restored(numbers, kept)):
        assert seen.seen == len(SHARES)
        before, after = seen.both()
        assert after == pytest.approx(0.8 * before, abs=1e-5)
    before, after = of_page.both(np.zeros(30), 1.0, ())
    assert after == pytest.approx(0.8 * before, abs=1e-5)


def test_a_short_shot_is_told_by_the_frame_that_shows_the_most_of_it() -> None:
    pixels, matte = ShotPixels(), np.ones((SIDE, SIDE), np.uint8) * 255
    for index, share in enumerate((0.1, 0.3, 0.5, 0.7, 0.9, 1.0, 0.4)):
        picture: Any = Picture(*faded(share, index))
        pixels.look_at(index, picture, matte, picture, share)
    before, after = pixels.both()
    assert after == pytest.approx(0.8 * before, abs=1e-5)
