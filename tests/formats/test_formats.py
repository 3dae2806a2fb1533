"""What goes in comes out in kind: the golden table of formats."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
import torch

from tests.support.formats import FRAMES, LUMA_WEIGHTS, Row, colors, facts, make, page, planes, rows
from tests.support.networks import model
from vhmae import harmonize_video
from vhmae.color.basis import QUADRATIC
from vhmae.data.clips import write_mask_bits
from vhmae.model.weights import save_model

ROWS = rows()


def sparse() -> list[Any]:
    """All rows; those that differ from an earlier one in their pixel format alone are for
    `test-long`."""
    params, seen = [], set()
    for row in ROWS:
        kind = dataclasses.replace(row, pixel_format="", tolerance=0)
        params.append(pytest.param(row, marks=[pytest.mark.long] if kind in seen else []))
        seen.add(kind)
    return params


@pytest.fixture(scope="module")
def weights(tmp_path_factory: pytest.TempPathFactory) -> str:
    """Weights that say the same of every picture: more red where there is green, less green where
    there is red, a quarter less blue."""
    network = model()
    with torch.no_grad():
        bias = network.get_parameter("head.overall.bias").view(3, QUADRATIC)
        bias[0, 1], bias[1, 0], bias[2, 2] = 0.25, -0.125, -0.25
    path = tmp_path_factory.mktemp("weights") / "w.safetensors"
    save_model(network, path, {})
    return str(path)


def recolored(before: np.ndarray, grey: bool) -> np.ndarray:
    """What these weights make of colors (..., 3) in [0, 1]."""
    change = before[..., [1, 0, 2]] * [0.25, -0.125, -0.25]
    if grey:  # the luma of the change is all that can be held
        of_red, of_blue = LUMA_WEIGHTS["bt601"]
        change = np.repeat(change @ [[of_red], [1.0 - of_red - of_blue], [of_blue]], 3, axis=-1)
    return np.clip(before + change, 0.0, 1.0)


def test_the_table_has_its_rows() -> None:
    assert len(ROWS) >= 60
    assert len({row.name for row in ROWS}) == len(ROWS)


def test_the_page_is_that_of_the_table() -> None:
    assert (Path(__file__).parents[2] / "docs" / "formats.md").read_text() == page()


@pytest.mark.parametrize("row", sparse(), ids=lambda row: row.name)
def test_a_clip_comes_out_in_kind(row: Row, weights: str, tmp_path: Path) -> None:
    source, output = tmp_path / f"in.{row.container}", tmp_path / f"out.{row.container}"
    masks = make(row, source)
    write_mask_bits(masks, tmp_path / "m.npz")
    report = harmonize_video(
        source, output, mask=tmp_path / "m.npz", weights=weights, precision="fp32", caution=0.0
    )
    assert report["frames"] == FRAMES
    before, after = facts(source), facts(output)
    assert after == before
    pairs = zip(planes(source), planes(output), masks, strict=True)
    changed = 0
    for one, other, mask in pairs:
        # Chroma and lossy codecs reach over the mask's edge.
        reach = 3 if not row.tolerance else 17
        away = cv2.dilate(mask.astype(np.uint8), np.ones((reach, reach), np.uint8)) == 0
        for place, (plane, harmonized) in enumerate(zip(one, other, strict=True)):
            bits = int(plane.max()).bit_length() if plane.dtype == np.uint16 else 8
            small = cv2.resize(
                away.astype(np.uint8), plane.shape[::-1], interpolation=cv2.INTER_AREA
            )
            seen = away if plane.shape == away.shape else small == 1
            moved = np.abs(plane.astype(np.int64) - harmonized)[seen] / 2.0 ** max(0, bits - 8)
            assert moved.max() <= row.tolerance, (place, moved.max())
        changed += int((one[0] != other[0]).any())
    assert changed == FRAMES
    # Inside, away from the edge, colors are those of the change whatever stands for them: means,
    # since codes are whole numbers.
    inside = np.stack(
        [cv2.erode(mask.astype(np.uint8), np.ones((13, 13), np.uint8)) > 0 for mask in masks]
    )
    shown, made = colors(source, row)[inside], colors(output, row)[inside]
    error = 255.0 * np.abs(
        made.mean(axis=0) - recolored(shown, row.pixel_format.startswith("gray")).mean(axis=0)
    )
    assert error.max() <= (2.0 if row.tolerance else 0.1), error
