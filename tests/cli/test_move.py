"""``--move``: the background fitted to the foreground, or both half-way, through every command."""

from __future__ import annotations

import io
import json
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from tests.support.commands import error_of
from tests.support.networks import changing_model
from tests.support.pictures import read_picture
from tests.support.runs import same_frames, stop_at
from tests.support.scenes import decode, moving_scene, write_video
from vhmae import harmonize_video
from vhmae.cli import main
from vhmae.color.lut import read_cube
from vhmae.data.clips import write_mask_bits
from vhmae.guide.options import GuideOptions
from vhmae.model.weights import save_model
from vhmae.video.reader import read_rgb_frames
from vhmae.work import renderer
from vhmae.work.job import StreamJob
from vhmae.work.stream import harmonize_stream

FRAMES, MASKS = moving_scene(12, 96, 64)
EMPTY_SHOT = np.ascontiguousarray(255 - FRAMES[:4, ::-1])
"""A shot without foreground, after the first one."""


@pytest.fixture(scope="module")
def work(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("move")
    write_video(folder / "in.mkv", np.concatenate([FRAMES, EMPTY_SHOT]), pix_fmt="yuv444p")
    masks = np.concatenate([MASKS, np.zeros_like(MASKS[:4])])
    masks[:3] = False  # the subject comes late
    write_mask_bits(masks, folder / "m.npz")
    (folder / "cuts.txt").write_text("12\n")
    save_model(changing_model(), folder / "w.safetensors", {})
    return folder


def command(work: Path, name: str, *options: object) -> list[str]:
    words = name.split()
    files = [work / "in.mkv", "--mask", work / "m.npz", "--cuts", work / "cuts.txt"]
    how = ["--weights", work / "w.safetensors", "--precision", "fp32", "--caution", "0", "-q"]
    return [*words, *map(str, [*files, *how, *options])]


def told(work: Path, name: str, *options: object) -> dict[str, Any]:
    report = work / "report.json"
    assert main(command(work, name, *options, "--json", report)) == 0
    found: dict[str, Any] = json.loads(report.read_text())
    return found


def planes_moved(before: Path, after: Path) -> np.ndarray:
    """By how much each pixel of each frame has moved, the most of its planes: (T, H, W)."""
    pairs = zip(decode(before), decode(after), strict=True)
    return np.stack([np.abs(np.subtract(one, two, dtype=int)).max(axis=0) for one, two in pairs])


def test_the_background_moves_and_the_foreground_does_not(work: Path, tmp_path: Path) -> None:
    out = tmp_path / "out.mkv"
    report = told(work, "harmonize", "--move", "background", "-o", out)
    moved = planes_moved(work / "in.mkv", out)
    assert not moved[3:12][MASKS[3:]].any()
    assert (moved[:12][~MASKS] > 0).mean() > 0.5
    assert not moved[12:].any()  # nothing to be fitted to
    # What comes late is read ahead for: the shot's first frames move as the others do.
    levels = [moved[index][~MASKS[index]].mean() for index in range(12)]
    assert np.abs(np.diff(levels)).max() < 0.25 * np.mean(levels)
    assert report["warnings"] == [
        "4 frames stand in shots without foreground: their background has nothing to be fitted to "
        "and was left as it is",
        "`move` background: the background is changed, nothing outside the mask is untouched",
    ]
    assert report["mean_change"] == 0.0
    assert report["outside_change"] > 0.5
    assert report["passed_through"] == 4
    assert report["job"]["move"] == "background"
    # What was asked for is no fault.
    strict = ("--strict", "--end", "0.47", "-o", tmp_path / "strict.mkv")
    assert len(told(work, "harmonize", "--move", "background", *strict)["warnings"]) == 1


def test_layers_give_both_grades(work: Path, tmp_path: Path) -> None:
    """The foreground's layer laid over the background's is the composite."""
    run = ("--move", "both:0.3", "-o")
    told(work, "harmonize", *run, tmp_path / "c.%02d.png")
    told(work, "harmonize", *run, tmp_path / "f.%02d.png", "--layer", "foreground")
    told(work, "harmonize", *run, tmp_path / "b.%02d.png", "--layer", "background")
    for number in (1, 6, 16):
        front = read_picture(tmp_path / f"f.{number:02d}.png", cv2.IMREAD_UNCHANGED)
        behind = read_picture(tmp_path / f"b.{number:02d}.png", cv2.IMREAD_UNCHANGED)
        whole = read_picture(tmp_path / f"c.{number:02d}.png")
        assert behind.shape[2] == 3
        alpha = front[..., 3:].astype(float) / 255.0
        laid = alpha * front[..., :3] + (1.0 - alpha) * behind
        assert np.abs(laid - whole).max() <= 1.0


def test_both_is_the_same_by_flag_and_by_api_and_goes_a_part_of_each_way(
    work: Path, tmp_path: Path
) -> None:
    names = ("foreground", "background", "both")
    for name in names:
        told(work, "harmonize", "--move", name, "-o", tmp_path / f"{name}.mkv")
    harmonize_video(
        work / "in.mkv",
        tmp_path / "api.mkv",
        mask=work / "m.npz",
        cuts=work / "cuts.txt",
        weights=str(work / "w.safetensors"),
        precision="fp32",
        caution=0.0,
        move="both:0.5",
    )
    assert same_frames(tmp_path / "both.mkv", tmp_path / "api.mkv")
    picks = list(range(3, 12))
    before, *made = (
        np.stack(list(read_rgb_frames(path, picks))).astype(float)
        for path in (work / "in.mkv", *(tmp_path / f"{name}.mkv" for name in names))
    )
    expected = before + 0.5 * (made[0] - before) + 0.5 * (made[1] - before)
    # but for clipping, and chroma that rounds
    assert np.abs(made[2] - expected).mean() < 1.0


def test_a_stopped_run_goes_on_the_same(
    work: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(renderer, "CHECKPOINT_FRAMES", 4)
    run = command(work, "harmonize", "--move", "both", "--resume", "-o")
    assert main([*run, str(tmp_path / "whole.mkv")]) == 0
    stop_at(9, [*run, str(tmp_path / "out.mkv")], monkeypatch)
    assert main([*run, str(tmp_path / "out.mkv")]) == 0
    assert same_frames(tmp_path / "whole.mkv", tmp_path / "out.mkv")
    stop_at(9, [*run, str(tmp_path / "other.mkv")], monkeypatch)
    other = [word if word != "both" else "background" for word in run]
    assert main([*other, str(tmp_path / "other.mkv")]) != 0  # another job


def test_grades_of_both_sides(work: Path, tmp_path: Path) -> None:
    report = told(work, "export cube", "--move", "both", "-o", tmp_path / "look.cube")
    files = sorted(Path(name).name for name in report["files"])
    assert files == ["look.background.cube", "look.foreground.cube"]
    assert [row["side"] for row in report["shots"]] == ["foreground", "background"]
    tables = [read_cube(tmp_path / name).table.numpy() for name in files]
    assert np.abs(tables[0] - tables[1]).max() > 0.01
    alone = told(work, "export cube", "--move", "background", "-o", tmp_path / "one.cube")
    assert [Path(name).name for name in alone["files"]] == ["one.cube"]
    assert [row["side"] for row in alone["shots"]] == ["background"]
    # Half of the way, and all of it.
    one = read_cube(tmp_path / "one.cube")
    identity = one.identity(33).table.numpy()
    whole = one.table.numpy() - identity
    assert np.abs((tables[0] - identity) - 0.5 * whole).mean() < 0.02


def test_a_word_moves_the_side_that_it_lies_on(work: Path, tmp_path: Path) -> None:
    ys, xs = np.nonzero(MASKS[5])
    at = f"{int(np.median(xs))},{int(np.median(ys))}"
    run = ("--match", f"{at}=4,4@5", "--frame", 5, "-o", tmp_path / "s.png")
    rows = {}
    for move in ("foreground", "background", "both"):
        report = told(work, "preview", "--move", move, *run)
        rows[move] = report["guided"]
        assert report["warnings"][-1].startswith("`move`") is (move != "foreground")
    assert [row["object"] for row in rows["foreground"]] == [1]
    assert [row["object"] for row in rows["background"]] == [0]
    assert [row["object"] for row in rows["both"]] == [1, 0]
    ends = [np.array(row["composite"]) for row in rows["both"]]
    apart = [np.array(row["got"]) for row in rows["both"]]
    assert np.abs(apart[0] - apart[1]).mean() < 0.5 * np.abs(ends[0] - ends[1]).mean()
    left = float(np.sqrt(np.square(apart[0] - apart[1]).mean()))
    assert [row["levels_left"] for row in rows["both"]] == pytest.approx([left, left], abs=0.02)


def test_a_word_of_the_background_is_heard_where_the_foreground_is_away(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    masks = MASKS.copy()
    masks[-1] = False
    write_video(tmp_path / "in.mkv", FRAMES)
    write_mask_bits(masks, tmp_path / "m.npz")
    (tmp_path / "cuts.txt").write_text("")
    save_model(changing_model(), tmp_path / "w.safetensors", {})
    last = len(FRAMES) - 1
    run = ("harmonize", "--move", "both", "--neutral", f"2,2@{last}", "-o", tmp_path / "o.mkv")
    [row] = told(tmp_path, *run)["guided"]
    assert row["object"] == 0
    alone: list[str | Path] = [
        "harmonize",
        tmp_path / "in.mkv",
        "--mask",
        tmp_path / "m.npz",
        *map(str, run[3:]),
    ]
    assert "has no foreground" in error_of(*alone, capsys=capsys)


def test_a_pipe_moves_what_a_file_does(tmp_path: Path) -> None:
    (tmp_path / "in.raw").write_bytes(FRAMES.tobytes())
    write_mask_bits(MASKS, tmp_path / "m.npz")
    save_model(changing_model(), tmp_path / "w.safetensors", {})
    out: dict[str, np.ndarray] = {}
    for move in ("background", "both"):
        job = StreamJob(
            masks=(tmp_path / "m.npz",),
            raw="96x64:rgb24:25",
            precision="fp32",
            weights=str(tmp_path / "w.safetensors"),
            caution=0.0,
            move=move,
            words=GuideOptions(brightness=("4,4=+1",)),
        )
        sink = io.BytesIO()
        with (tmp_path / "in.raw").open("rb") as source:
            report = harmonize_stream(job, source, sink)
        out[move] = np.frombuffer(sink.getvalue(), np.uint8).reshape(FRAMES.shape)
        assert [row["object"] for row in report["guided"]] == [0]
        assert report["outside_change"] > 1.0
        assert "`move`" in report["warnings"][-1]
    assert np.array_equal(out["background"][MASKS], FRAMES[MASKS])
    assert not np.array_equal(out["both"][MASKS], FRAMES[MASKS])
    corner = [int(one[0, 4, 4].astype(int).sum()) for one in (FRAMES, out["background"])]
    assert corner[1] > corner[0]


def test_a_table_says_who_moves(work: Path, tmp_path: Path) -> None:
    lines = [f"{work}/in.mkv,{work}/m.npz,{work}/cuts.txt,{move}.mkv,{move}" for move in ("both",)]
    (tmp_path / "jobs.csv").write_text("\n".join(["composite,mask,cuts,out,move", *lines]) + "\n")
    how = ["--weights", str(work / "w.safetensors"), "--precision", "fp32", "--caution", "0"]
    assert main(["batch", str(tmp_path / "jobs.csv"), *how, "-q"]) == 0
    told(work, "harmonize", "--move", "both", "-o", tmp_path / "one.mkv")
    assert same_frames(tmp_path / "both.mkv", tmp_path / "one.mkv")


@pytest.mark.parametrize(
    ("flags", "said"),
    [
        (["--move", "sideways"], "--move sideways: expected foreground, background, both or"),
        (["--move", "both:2"], "--move both:2: expected"),
        (["--move", "both", "--reference", "REFERENCE"], "--move both: goes without --reference"),
        (["--layer", "background"], "--layer background: --move leaves the background as it is"),
        (["--move", "background", "--neutral", "INSIDE@5"], "point 1"),
    ],
)
def test_what_cannot_be_is_one_line(
    flags: list[str],
    said: str,
    work: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    ys, xs = np.nonzero(MASKS[5])
    inside = f"{int(np.median(xs))},{int(np.median(ys))}"
    cv2.imwrite(str(tmp_path / "r.png"), FRAMES[0])
    words = [
        flag.replace("INSIDE", inside).replace("REFERENCE", str(tmp_path / "r.png"))
        for flag in flags
    ]
    line = error_of(*command(work, "harmonize", *words, "-o", tmp_path / "o.mkv"), capsys=capsys)
    assert said in line
    assert not (tmp_path / "o.mkv").exists()
