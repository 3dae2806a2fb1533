"""A place that takes after one of the reference: the color that it has there is said."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pytest

from tests.support.commands import error_of
from tests.support.runs import same_frames
from tests.support.scenes import moving_scene
from vhmae.cli import main

Maker = Callable[..., tuple[Path, Path]]
ORANGE = (224, 160, 96)
ROWS, COLUMNS = np.nonzero(moving_scene(12, 96, 64)[1][3])
AT = f"{int(np.median(COLUMNS))},{int(np.median(ROWS))}"


@pytest.fixture
def run(small_clip: Maker, tmp_path: Path) -> list[str | Path]:
    """A clip harmonized to a still that is blue, but for an orange corner; of 16 bits, of another
    size than the clip."""
    composite, mask = small_clip()
    still = np.full((200, 300, 3), (90, 60, 40), np.uint8)
    still[150:, 220:] = ORANGE[::-1]
    cv2.imwrite(str(tmp_path / "still.png"), still.astype(np.uint16) * 257)
    taken: list[str | Path] = ["harmonize", composite, "--mask", mask, "-q", "--precision", "fp32"]
    return [*taken, "--reference", tmp_path / "still.png"]


def test_a_place_of_the_reference_is_its_color(run: list[str | Path], tmp_path: Path) -> None:
    point = {"frame": 3, "at": [float(one) for one in AT.split(",")], "is": "match"}
    point |= {"to": [270, 180], "to_picture": "reference"}
    (tmp_path / "guide.json").write_text(json.dumps({"schema": 1, "points": [point]}))
    said = {
        "flag": ["--match", f"{AT}=reference:270,180@3"],
        "file": ["--guide", str(tmp_path / "guide.json")],
        "color": ["--target", f"{AT}=#e0a060@3"],
    }
    for name, words in said.items():
        report = ["--json", tmp_path / f"{name}.json", "-o", tmp_path / f"{name}.mkv"]
        assert main([str(one) for one in [*run, *words, *report]]) == 0
    reports = [json.loads((tmp_path / f"{name}.json").read_text()) for name in said]
    assert all(one["guide"] == reports[-1]["guide"] for one in reports)
    assert all(one["guided"] == reports[-1]["guided"] for one in reports)
    for name in ("flag", "file"):
        assert same_frames(tmp_path / f"{name}.mkv", tmp_path / "color.mkv")


@pytest.mark.parametrize(
    ("place", "told"),
    [
        ("300,10", "300,10 lies outside the reference, which is 300 x 200 pixels"),
        ("x,1", "a place"),
    ],
)
def test_a_place_that_the_reference_does_not_have_is_refused(
    place: str,
    told: str,
    run: list[str | Path],
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    words: list[str | Path] = ["--match", f"{AT}=reference:{place}@3", "-o", tmp_path / "out.mkv"]
    assert told in error_of(*run, *words, capsys=capsys)
    assert told in error_of(*run, *words, "--check", capsys=capsys)
    without = [*run[:-2], "--match", f"{AT}=reference:1,1", "-o", tmp_path / "out.mkv"]
    assert "there is no reference; name a color, or give a --reference" in error_of(
        *without, capsys=capsys
    )
