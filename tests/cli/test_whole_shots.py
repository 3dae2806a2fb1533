"""``--quality best`` with a guide, a preview or a sheet of takes: each knows of the whole shot what
harmonizing knows."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from tests.support.networks import changing_model
from tests.support.pictures import read_picture
from tests.support.scenes import moving_scene, write_video
from vhmae.arrays import Array
from vhmae.cli import main
from vhmae.data.clips import write_mask_bits
from vhmae.engine.pointing import disk_mean
from vhmae.model.weights import save_model
from vhmae.video.reader import read_rgb_frames

SHOWN, LAST = 3, 60
"""A frame, and how many there are: more than its neighbors by far."""
_STRONG, MASKS = moving_scene(LAST, 96, 64)
FRAMES = (_STRONG // 2 + 64).astype(np.uint8)
"""Colors in the midst of the range, so that no answer is cut off."""
BELOW = MASKS[SHOWN].copy()
BELOW[:34] = False
"""The foreground below the names that stand on sheets."""


@pytest.fixture(scope="module")
def work(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A shot after another one, whose background is another one later on."""
    folder = tmp_path_factory.mktemp("whole")
    frames = FRAMES.copy()
    frames[40:] = np.where(MASKS[40:, ..., None], FRAMES[40:], (250, 220, 30))
    before = np.full_like(FRAMES[:2], 200)
    write_video(folder / "in.mkv", np.concatenate([before, frames]), pix_fmt="yuv444p")
    write_mask_bits(np.concatenate([MASKS[:2], MASKS]), folder / "m.npz")
    (folder / "cuts.txt").write_text("2\n")
    network = changing_model()
    assert network.look_path is not None
    torch.manual_seed(1)
    torch.nn.init.normal_(network.look_path.answer.weight, std=0.15)
    save_model(network, folder / "w.safetensors", {})
    return folder


def run(work: Path, name: str, out: Path, quality: str, *options: object) -> dict[str, Any]:
    report = out.with_suffix(".json")
    files = [work / "in.mkv", "--mask", work / "m.npz", "--cuts", work / "cuts.txt", "-o", out]
    how = ["--weights", work / "w.safetensors", "--precision", "fp32", "--caution", "0", "-q"]
    line = [name, *files, *how, "--quality", quality, "--json", report, *options]
    assert main(list(map(str, line))) == 0
    told: dict[str, Any] = json.loads(report.read_text())
    return told


def place() -> tuple[int, int]:
    rows, columns = np.nonzero(MASKS[SHOWN])
    return int(np.median(columns)), int(np.median(rows))


@pytest.fixture(scope="module")
def harmonized(work: Path) -> dict[str, Array]:
    """The frame as each quality makes it, without a word."""
    found = {}
    for quality in ("best", "balanced"):
        run(work, "harmonize", work / f"{quality}.mkv", quality)
        found[quality] = next(iter(read_rgb_frames(work / f"{quality}.mkv", [SHOWN + 2])))
    return found


@pytest.mark.parametrize("quality", ["best", "balanced"])
def test_a_word_is_about_the_answer_that_is_given(
    quality: str, work: Path, harmonized: dict[str, Array], tmp_path: Path
) -> None:
    column, row = place()
    word = f"{column},{row}=#808080@{SHOWN + 2}"
    report = run(work, "harmonize", tmp_path / "out.mkv", quality, "--target", word)
    answers = {}
    for name, frame in harmonized.items():
        mean = disk_mean(frame, (column, row), MASKS[SHOWN])
        assert mean is not None
        answers[name] = 255.0 * mean
    assert np.abs(answers["best"] - answers["balanced"]).max() > 3.0
    # Frames are whole levels, of luma and chroma.
    assert report["guided"][0]["answer"] == pytest.approx(answers[quality], abs=1.0)


def test_a_preview_shows_what_harmonizing_makes(
    work: Path, harmonized: dict[str, Array], tmp_path: Path
) -> None:
    for quality, frame in harmonized.items():
        run(work, "preview", tmp_path / "p.png", quality, "--frame", SHOWN + 2)
        sheet = read_picture(tmp_path / "p.png")[..., ::-1]
        after = sheet[:64, 96:192].astype(int)
        assert np.abs(after - frame)[BELOW].mean() < 1.0


def test_takes_stand_round_the_answer_that_is_given(
    work: Path, harmonized: dict[str, Array], tmp_path: Path
) -> None:
    run(work, "alternatives", tmp_path / "s.png", "best", "--frame", SHOWN + 2)
    sheet = read_picture(tmp_path / "s.png")[..., ::-1]
    takes = [
        sheet[64 * (at // 3) : 64 * (at // 3) + 64, 96 * (at % 3) : 96 * (at % 3) + 96]
        for at in range(6)
    ]
    off = {
        name: min(np.abs(take.astype(int) - frame)[BELOW].mean() for take in takes)
        for name, frame in harmonized.items()
    }
    assert off["best"] < 1.0 < off["balanced"]
