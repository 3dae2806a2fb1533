"""Regions of like color, in the place of label maps that nobody drew."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import cv2
import numpy as np

from vhmae.data.clips import regions_of
from vhmae.training.recipe import DataConfig
from vhmae.training.sources import load_packs


def picture() -> np.ndarray:
    """A red square on green grass that is a little noisy."""
    rng = np.random.default_rng(0)
    made = np.full((90, 120, 3), (60, 140, 50), np.uint8)
    made[30:70, 40:80] = (200, 40, 40)
    return np.clip(made + rng.integers(-6, 7, made.shape), 0, 255).astype(np.uint8)


def test_no_region_holds_both_a_thing_and_what_is_behind_it() -> None:
    labels = regions_of(picture())
    assert labels.min() >= 1
    inside = np.unique(labels[33:67, 43:77])
    outside = np.unique(np.concatenate([labels[:27].ravel(), labels[73:].ravel()]))
    assert len(outside) > 1  # wide grass is more than one place
    assert not set(inside) & set(outside) - {1}


def test_a_picture_has_the_same_regions_every_time() -> None:
    first = regions_of(picture())
    cv2.setRNGSeed(5)
    assert np.array_equal(first, regions_of(picture()))


def test_only_stills_without_a_label_map_are_divided(tmp_path: Path) -> None:
    (tmp_path / "stills").mkdir()
    drawn = np.zeros((90, 120), np.uint8)
    drawn[30:70, 40:80] = 1
    for name in ("known", "unknown"):
        cv2.imwrite(str(tmp_path / "stills" / f"{name}.jpg"), picture()[..., ::-1])
    cv2.imwrite(str(tmp_path / "stills" / "known.png"), drawn)
    facts: dict[str, Any] = {
        "root": str(tmp_path),
        "folders": ("stills",),
        "shares": (1.0,),
        "decoded_mib": 0,
    }
    (plain,) = load_packs(DataConfig(**facts), tmp_path / "cache")
    (divided,) = load_packs(DataConfig(**facts, regions=True), tmp_path / "cache")
    assert plain.labels(plain.names.index("unknown")) is None
    known, unknown = (divided.labels(divided.names.index(n)) for n in ("known", "unknown"))
    assert known is not None
    assert unknown is not None
    assert np.array_equal(known, drawn)
    assert np.array_equal(unknown, regions_of(divided.picture(1)))
