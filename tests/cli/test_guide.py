"""A person's word by flag, by file and by the API."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from tests.cli.test_resume import same_frames, stop_at
from tests.support.commands import error_of
from tests.support.scenes import decode, moving_scene
from vhmae import harmonize_video
from vhmae.cli import main
from vhmae.work import harmonize as pipeline

Maker = Callable[..., tuple[Path, Path]]


MASKS = moving_scene(12, 96, 64)[1]


def inside(frame: int) -> tuple[int, int]:
    """A place well inside the mask of a frame: column and row."""
    ys, xs = np.nonzero(MASKS[frame])
    return int(np.median(xs)), int(np.median(ys))


@pytest.fixture
def clip(small_clip: Maker) -> tuple[Path, Path]:
    return small_clip()


def test_a_word_is_the_same_by_flag_by_file_and_by_the_api(
    clip: tuple[Path, Path], tmp_path: Path
) -> None:
    composite, mask = clip
    x, y = inside(3)
    said = f"{x},{y}=#e0a060@3"
    plain = ["harmonize", str(composite), "--mask", str(mask), "--precision", "fp32", "-q"]
    assert main([*plain, "-o", str(tmp_path / "plain.mkv")]) == 0
    assert (
        main(
            [
                *plain,
                "-o",
                str(tmp_path / "flag.mkv"),
                "--target",
                said,
                "--json",
                str(tmp_path / "r.json"),
            ]
        )
        == 0
    )
    report = json.loads((tmp_path / "r.json").read_text())
    (tmp_path / "guide.json").write_text(json.dumps(report["guide"]))
    assert (
        main([*plain, "-o", str(tmp_path / "file.mkv"), "--guide", str(tmp_path / "guide.json")])
        == 0
    )
    harmonize_video(composite, tmp_path / "api.mkv", mask=mask, precision="fp32", target=[said])
    frames = {name: decode(tmp_path / f"{name}.mkv") for name in ("plain", "flag", "file", "api")}
    for name in ("file", "api"):  # to the bit
        for one, two in zip(frames["flag"], frames[name], strict=True):
            assert all(np.array_equal(a, b) for a, b in zip(one, two, strict=True))
    assert any(
        not np.array_equal(a[0], b[0]) for a, b in zip(frames["plain"], frames["flag"], strict=True)
    )
    point = report["guided"][0]
    wanted = np.array([0xE0, 0xA0, 0x60])
    assert (
        np.abs(point["got"] - wanted).mean()
        < 0.5 * np.abs(np.array(point["answer"]) - wanted).mean()
    )
    assert point["levels_left"] < 25.0


def test_a_word_changes_nothing_outside_the_mask(clip: tuple[Path, Path], tmp_path: Path) -> None:
    composite, mask = clip
    x, y = inside(0)
    run = [
        "harmonize",
        str(composite),
        "--mask",
        str(mask),
        "-q",
        "-o",
        str(tmp_path / "out.mkv"),
        "--brightness",
        f"{x},{y}=+1",
    ]
    assert main([*run, "--dial", "temperature=40"]) == 0
    outside = ~MASKS
    for before, after, free in zip(
        decode(composite), decode(tmp_path / "out.mkv"), outside, strict=True
    ):
        assert np.array_equal(before[0][free], after[0][free])


def test_a_preview_hears_the_word_too(clip: tuple[Path, Path], tmp_path: Path) -> None:
    composite, mask = clip
    x, y = inside(8)
    run = [
        "preview",
        str(composite),
        "--mask",
        str(mask),
        "-q",
        "--frame",
        "8",
        "--json",
        str(tmp_path / "r.json"),
    ]
    changes = []
    for more in ([], ["--brightness", f"{x},{y}=-1.5@8"]):
        assert main([*run, "-o", str(tmp_path / "sheet.png"), *more]) == 0
        changes.append(json.loads((tmp_path / "r.json").read_text())["mean_change"])
    assert changes[1] > changes[0] + 5.0


def test_a_run_that_is_resumed_hears_the_same(
    small_clip: Maker, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    composite, mask = small_clip(frames=24)
    monkeypatch.setattr(pipeline, "CHECKPOINT_FRAMES", 8)
    run = ["harmonize", str(composite), "--mask", str(mask), "--precision", "fp32", "-q"]
    run += ["--dial", "exposure=-1", "--resume", "-o"]
    assert main([*run, str(tmp_path / "whole.mkv")]) == 0
    stop_at(18, [*run, str(tmp_path / "out.mkv")], monkeypatch)
    assert main([*run, str(tmp_path / "out.mkv")]) == 0
    assert same_frames(tmp_path / "whole.mkv", tmp_path / "out.mkv")


@pytest.mark.parametrize(
    ("flags", "told"),
    [
        (["--target", "2000,5=#ffffff"], "lies outside the frame"),
        (["--neutral", "1,1"], "lies outside the mask"),
        (["--keep-color", "30,20@99"], "names frame 99"),
        (["--match", "30,20"], "is not a place X,Y"),
        (["--target", "30,20=#12"], "is no color"),
        (["--dial", "exposur=1"], "did you mean exposure"),
        (["--guide", "none.json"], "cannot be read"),
    ],
)
def test_what_no_guide_can_say_is_one_line(
    flags: list[str],
    told: str,
    clip: tuple[Path, Path],
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    composite, mask = clip
    line = error_of(
        "harmonize", composite, "--mask", mask, "-o", tmp_path / "out.mkv", *flags, capsys=capsys
    )
    assert told in line
    assert flags[0] in line or "point 1" in line
    assert not (tmp_path / "out.mkv").exists()
