"""Skin by its chroma."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from vhmae.color.skin import find_skin


@pytest.mark.parametrize(
    ("name", "color", "is_skin"),
    [
        ("light", (235, 195, 170), True),
        ("tan", (200, 145, 110), True),
        ("brown", (130, 85, 60), True),
        ("deep", (90, 55, 40), True),
        ("beige coat", (180, 165, 150), False),
        ("grass", (90, 130, 60), False),
        ("sky", (130, 170, 220), False),
        ("red coat", (200, 30, 30), False),
        ("grey", (120, 120, 120), False),
    ],
)
def test_skin_of_every_tone_is_found_and_other_things_are_not(
    name: str, color: tuple[int, int, int], is_skin: bool
) -> None:
    frame = np.full((12, 16, 3), color, np.uint8)
    mask = np.zeros((12, 16), bool)
    mask[2:10, 3:12] = True
    found = find_skin(frame, mask)
    assert np.array_equal(found, mask if is_skin else np.zeros_like(mask)), name


@pytest.mark.parametrize(
    ("channel", "inside", "beyond"),
    [(0, 40, 39), (1, 138, 137), (1, 173, 174), (2, 77, 76), (2, 122, 123)],
)
def test_skin_ends_where_its_chroma_does(channel: int, inside: int, beyond: int) -> None:
    """A color at each bound of luma, red and blue chroma is skin; one that is a step beyond it, and
    well within the others, is not."""
    levels = np.arange(0, 256, 3, dtype=np.uint8)
    colors = np.stack(np.meshgrid(levels, levels, levels), axis=-1).reshape(1, -1, 3)
    codes = cv2.cvtColor(colors, cv2.COLOR_RGB2YCrCb)[0].astype(int)
    within = np.array([(45, 240), (140, 171), (79, 120)])
    free = np.delete(np.arange(3), channel)
    fits = ((codes >= within[:, 0]) & (codes <= within[:, 1]))[:, free].all(axis=1)
    for code, is_skin in ((inside, True), (beyond, False)):
        at = np.flatnonzero(fits & (codes[:, channel] == code))
        assert len(at)
        frame = np.tile(colors[0, at[0]], (8, 8, 1))
        assert find_skin(frame, np.ones((8, 8), bool)).all() == is_skin


def test_specks_are_no_skin() -> None:
    frame = np.full((12, 16, 3), 120, np.uint8)
    frame[5, 5] = (200, 145, 110)
    assert not find_skin(frame, np.ones((12, 16), bool)).any()
