"""Scopes count the pixels of a picture, foreground and background apart, and draw both by form."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

from tests.support.node import Library, library
from vhmae.engine.rendering import LUMA

HEIGHT, WIDTH, COLUMNS = 6, 40, 20
GROUND, FRONT, BACK = (10, 10, 10), (250, 250, 250), (90, 150, 250)


@pytest.fixture(scope="module")
def scopes(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Library]:
    with library(tmp_path_factory.mktemp("scopes")) as found:
        yield found


@pytest.fixture
def picture(rng: np.random.Generator) -> np.ndarray:
    return rng.integers(0, 256, (HEIGHT, WIDTH, 3), np.uint8)


@pytest.fixture
def matte(rng: np.random.Generator) -> np.ndarray:
    return rng.choice(np.array([0, 127, 128, 255], np.uint8), (HEIGHT, WIDTH))


def counted(scopes: Library, kind: str, picture: np.ndarray, matte: np.ndarray) -> dict[str, Any]:
    pixels = np.dstack([picture, np.full((HEIGHT, WIDTH), 255, np.uint8)])
    given = {"data": pixels, "width": WIDTH, "height": HEIGHT}
    found: dict[str, Any] = scopes("scopes.count", kind, given, matte, COLUMNS)
    return found


def levels_of(counts: dict[str, Any], which: str) -> np.ndarray:
    """(planes, levels, columns), levels from 0 up."""
    shape = (counts["planes"], counts["height"], counts["width"])
    return np.array(counts[which]).reshape(shape)[:, ::-1]


@pytest.mark.parametrize("kind", ["waveform", "parade"])
def test_levels_are_counted_column_by_column(
    kind: str, scopes: Library, picture: np.ndarray, matte: np.ndarray
) -> None:
    counts = counted(scopes, kind, picture, matte)
    luma = np.floor(picture.astype(np.float64) @ LUMA.astype(np.float64) + 0.5)[..., None]
    planes = picture if kind == "parade" else luma.astype(int)
    for which, inside in (("inside", matte >= 128), ("outside", matte < 128)):
        found = levels_of(counts, which)
        for plane in range(planes.shape[-1]):
            wanted = np.zeros((256, COLUMNS), int)
            for y, x in np.argwhere(inside):
                wanted[planes[y, x, plane], x * COLUMNS // WIDTH] += 1
            np.testing.assert_array_equal(found[plane], wanted)


def test_grays_lie_in_the_middle_of_the_vectorscope(scopes: Library, matte: np.ndarray) -> None:
    gray = np.full((HEIGHT, WIDTH, 3), 77, np.uint8)
    counts = counted(scopes, "vectorscope", gray, matte)
    inside = np.array(counts["inside"]).reshape(256, 256)
    assert inside[127:129, 127:129].sum() == (matte >= 128).sum() == inside.sum()
    pure = np.zeros_like(gray)
    pure[..., 0] = 200
    red = counted(scopes, "vectorscope", pure, matte)
    rows, columns = np.nonzero(np.array(red["inside"]).reshape(256, 256))
    assert (rows < 64).all()  # red is up
    assert (columns < 128).all()  # and left of the middle


def test_the_background_is_dotted_and_the_foreground_solid(
    scopes: Library, picture: np.ndarray, matte: np.ndarray
) -> None:
    counts = counted(scopes, "waveform", picture, matte)
    ink = {"inside": FRONT, "outside": BACK, "ground": GROUND}
    drawn = scopes("scopes.draw", counts, 0, ink)
    pixels = np.array(drawn["data"]).reshape(256, COLUMNS, 4)[..., :3]
    inside = np.array(counts["inside"]).reshape(256, COLUMNS) > 0
    outside = np.array(counts["outside"]).reshape(256, COLUMNS) > 0
    dots = np.add.outer(np.arange(256), np.arange(COLUMNS)) % 2 == 0
    is_seen = (pixels != GROUND).any(-1)
    np.testing.assert_array_equal(is_seen, inside | (outside & dots))
