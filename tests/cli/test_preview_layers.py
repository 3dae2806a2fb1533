"""A preview of two layers, and what it says in numbers."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from tests.support.commands import error_of
from tests.support.networks import changing_model
from tests.support.pictures import read_picture
from tests.support.scenes import moving_scene, write_video
from vhmae.cli import main
from vhmae.data.clips import write_mask_bits
from vhmae.model.weights import save_model
from vhmae.video.probe import probe_video
from vhmae.video.reader import read_frames

FRAMES, WIDTH, HEIGHT = 4, 96, 64


@pytest.fixture(scope="module")
def work(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A background, a foreground with alpha, a composite with a mask for each of two objects."""
    folder = tmp_path_factory.mktemp("preview")
    frames, masks = moving_scene(FRAMES, WIDTH, HEIGHT)
    write_video(folder / "back.mkv", frames, pix_fmt="bgr0")
    for number, mask in enumerate(masks):
        front = np.full((HEIGHT, WIDTH, 3), (40, 90, 180), np.uint8)
        picture = np.dstack([front, mask.astype(np.uint8) * 255])
        assert cv2.imwrite(str(folder / f"f.{number:02d}.png"), picture)
    write_mask_bits(masks, folder / "m.npz")
    write_mask_bits(np.roll(masks, 30, axis=2) & ~masks, folder / "other.npz")
    save_model(changing_model(), folder / "w.safetensors", {})
    return folder


def preview(work: Path, sheet: Path, *more: object) -> dict[str, Any]:
    shared = ["--weights", work / "w.safetensors", "--precision", "fp32", "--caution", "0"]
    told = sheet.with_suffix(".json")
    command = ["preview", *more, "-o", sheet, "--json", told, "--frame", "1", *shared]
    assert main(list(map(str, command))) == 0
    report: dict[str, Any] = json.loads(told.read_text())
    return report


def test_a_preview_of_layers_is_the_frame_of_the_long_run(
    work: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    layers = ["--background", work / "back.mkv", "--foreground", work / "f.%02d.png"]
    report = preview(work, tmp_path / "sheet.png", *layers)
    (one,) = report["objects"]
    _, masks = moving_scene(FRAMES, WIDTH, HEIGHT)
    assert one["share"] == pytest.approx(masks[1].mean(), abs=1e-3)
    assert one["before"] == pytest.approx([180.0, 90.0, 40.0], abs=0.6)
    assert one["mean_change"] == report["mean_change"] > 1.0

    out = tmp_path / "out.mkv"
    shared = ["--weights", work / "w.safetensors", "--precision", "fp32", "--caution", "0"]
    assert main(list(map(str, ["harmonize", *layers, "-o", out, "-q", *shared]))) == 0
    after = [timed.image.rgb() for timed in read_frames(probe_video(out))][1] * 255.0
    back = moving_scene(FRAMES, WIDTH, HEIGHT)[0][1]
    assert one["after"] == pytest.approx(after[masks[1]].mean(axis=0).tolist(), abs=0.6)
    assert one["around"] == pytest.approx(back[~masks[1]].mean(axis=0).tolist(), abs=0.6)
    largest = np.abs(after[masks[1]] - (180.0, 90.0, 40.0)).max()
    assert one["largest_change"] == pytest.approx(largest, abs=1.5)

    said = capsys.readouterr().out.splitlines()
    assert said[1].startswith("foreground: ")
    numbers = "{:.1f} {:.1f} {:.1f}".format(*one["after"])
    assert f"of the frame, red green blue 180.0 90.0 40.0 became {numbers} (mean" in said[1]

    sheet = read_picture(tmp_path / "sheet.png")
    assert sheet.shape == (2 * HEIGHT, 2 * WIDTH, 3)
    inside = np.nonzero(masks[1][34:])
    row, column = inside[0][0] + 34, inside[1][0]  # below the panel's name
    assert sheet[row, column, ::-1] == pytest.approx([180, 90, 40], abs=1)


def test_composite_may_be_the_background(work: Path, tmp_path: Path) -> None:
    front = ["--foreground", work / "f.%02d.png", "--position", "0,0"]
    one = preview(work, tmp_path / "a.png", "--background", work / "back.mkv", *front)
    other = preview(work, tmp_path / "b.png", work / "back.mkv", *front)
    assert one["objects"] == other["objects"]
    assert (tmp_path / "a.png").read_bytes() == (tmp_path / "b.png").read_bytes()


def test_each_object_has_its_numbers(
    work: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    masks = ["--mask", work / "m.npz", "--mask", work / "other.npz"]
    report = preview(work, tmp_path / "sheet.png", work / "back.mkv", *masks)
    first, second = report["objects"]
    assert first["before"] != second["before"]
    assert first["around"] == second["around"]  # what is of no object
    assert report["mean_change"] == pytest.approx(
        (first["mean_change"] + second["mean_change"]) / 2, abs=1e-3
    )
    said = capsys.readouterr().out
    assert "object 1: " in said
    assert "object 2: " in said


@pytest.mark.parametrize("command", ["preview", "diagnose", "alternatives", "export"])
def test_layers_are_named_as_in_harmonize(
    command: str, work: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    kind = ["cube"] if command == "export" else []
    out: list[str | Path] = [] if command == "diagnose" else ["-o", tmp_path / "out.png"]
    both: list[str | Path] = [
        work / "back.mkv",
        "--background",
        work / "back.mkv",
        "--foreground",
        work / "f.00.png",
    ]
    cases: list[tuple[list[str | Path], str]] = [
        (["--background", work / "back.mkv"], "is what --foreground is laid over"),
        (both, "--background: takes the place of COMPOSITE"),
        ([work / "back.mkv", "--scale", "2"], "say how --foreground is laid"),
        ([], "COMPOSITE: missing"),
    ]
    for named, told in cases:
        assert told in error_of(command, *kind, *named, *out, capsys=capsys)


def test_a_strict_preview_that_warns_leaves_no_sheet(
    work: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    masks = moving_scene(FRAMES, WIDTH, HEIGHT)[1]
    other = np.repeat(masks[..., None].astype(np.uint8) * 255, 3, axis=3)
    write_video(tmp_path / "m.mkv", other, fps=24)
    sheet = tmp_path / "sheet.png"
    files = [work / "back.mkv", "--mask", tmp_path / "m.mkv", "-o", sheet]
    told = ["--weights", work / "w.safetensors", "--strict"]
    error_of("preview", *map(str, [*files, *told]), capsys=capsys)
    assert not sheet.exists()


@pytest.mark.parametrize("command", ["preview", "diagnose", "alternatives", "export"])
def test_the_report_of_a_run_says_how_to_look(
    command: str, work: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """What was read and how is taken from it; where it was written to is not."""
    out, again = tmp_path / "out.mkv", tmp_path / "again.cube"
    files = [work / "back.mkv", "--mask", work / "m.npz", "-o", out, "-q"]
    told = ["--weights", work / "w.safetensors", "--json", tmp_path / "r.json", "--caution", "0"]
    assert main(["harmonize", *map(str, [*files, *told])]) == 0
    written = out.read_bytes()
    kind = ["cube"] if command == "export" else []
    named = [] if command == "diagnose" else ["-o", again if kind else tmp_path / "again.png"]
    run = [command, *kind, "--job", tmp_path / "r.json", *named, "--json", tmp_path / "a.json"]
    assert main(list(map(str, run))) == 0
    unnamed = map(str, run[: 3 + len(kind)])
    assert json.loads((tmp_path / "a.json").read_text())["schema"] == 1
    if named:
        error_of(*unnamed, capsys=capsys)  # it still wants a place of its own
    assert out.read_bytes() == written
