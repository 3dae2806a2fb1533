"""Skin by its chroma."""

from __future__ import annotations

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


def test_specks_are_no_skin() -> None:
    frame = np.full((12, 16, 3), 120, np.uint8)
    frame[5, 5] = (200, 145, 110)
    assert not find_skin(frame, np.ones((12, 16), bool)).any()
