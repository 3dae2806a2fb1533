"""``vhmae rcvh build``: from footage to a set."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from pathlib import Path

import cv2
import numpy as np
import onnx
import pytest

from tests.support.footage import arguments, build_few, few
from tests.support.matting import write_rvm
from tests.support.scenes import decode
from vhmae.cli import main
from vhmae.data.hyoutube import read_list
from vhmae.rcvh.build import _told_of_twins
from vhmae.rcvh.decisions import Review
from vhmae.rcvh.manifest import MANIFEST, read_manifest
from vhmae.video.probe import probe_video
from vhmae.video.reader import read_rgb_frames


def test_pairs_are_of_different_sources_and_everything_is_known_of_them(built: Path) -> None:
    lines = read_manifest(built)
    assert [line["name"] for line in lines] == [f"{number:05d}" for number in range(8)]
    for line in lines:
        assert line["foreground"]["source"] != line["background"]["source"]
        assert 0.1 - 0.02 <= line["foreground_ratio"] <= 0.8 + 0.02
        for part in (
            line["composite"],
            line["mask"],
            line["foreground"]["layer"],
            line["foreground"]["matte"],
            line["background"]["clip"],
        ):
            assert (built / part).is_file()
        assert line["placement"]["scale"] > 0
    studio = {
        line[part]["licence"]
        for line in lines
        for part in ("foreground", "background")
        if line[part]["source"] == "studio"
    }
    assert studio <= {"CC0"}


def test_footage_of_no_use_is_refused_with_a_reason(built: Path) -> None:
    refused = {
        json.loads(line)["name"]: json.loads(line)
        for line in (built / "refused.jsonl").read_text().splitlines()
    }
    assert "too dark" in refused["dark.000"]["reason"]
    assert refused["dark.000"]["part"] == "clip"
    assert refused["empty.000"]["part"] == "foreground"
    assert "duplicate of again.000" in refused["take0.000"]["reason"]
    assert "no shot of 1 s" in refused["short.mp4"]["reason"]
    assert len(list((built / "parts" / "clips").glob("shots.*.mp4"))) == 2


def test_a_composite_is_its_parts_laid_together_with_no_change_of_color(built: Path) -> None:
    line = read_manifest(built)[0]
    (composite,) = read_rgb_frames(built / line["composite"], [5])
    (matte,) = read_rgb_frames(built / line["mask"], [5])
    (back,) = read_rgb_frames(built / line["background"]["clip"], [5])
    outside = cv2.dilate(matte[..., 0], np.ones((9, 9), np.uint8)) < 8
    inside = cv2.erode(matte[..., 0], np.ones((9, 9), np.uint8)) > 247
    assert np.abs(composite[outside].astype(float) - back[outside]).mean() < 3
    subject = np.median(composite[inside], axis=0)
    (front,) = read_rgb_frames(built / line["foreground"]["clip"], [5])
    (front_matte,) = read_rgb_frames(built / line["foreground"]["matte"], [5])
    own = np.median(front[cv2.erode(front_matte[..., 0], np.ones((9, 9), np.uint8)) > 247], axis=0)
    assert np.abs(subject - own).max() < 5
    assert probe_video(built / line["composite"]).frames == line["frames"]


def test_the_set_is_read_in_the_layout_without_a_target(
    built: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    samples = read_list(built)
    assert len(samples) == 8
    composite, mask = samples[0].read_composite()
    assert composite.shape[:3] == mask.shape
    assert len(mask) == 20
    assert (
        main(
            ["compare", "--data", str(built), "--method", "mkl", "-o", str(tmp_path / "sheet.png")]
        )
        == 0
    )
    assert main(["evaluate", "--data", str(built), "--method", "mkl"]) == 2
    assert "without a target" in capsys.readouterr().err


def test_the_report_and_the_pictures(built: Path) -> None:
    report = json.loads((built.parent / "report.json").read_text())
    assert (report["composites"], report["built"]) == (8, 8)
    assert report["refused"]["clip"] >= 3
    for picture in (built / "statistics.png", built.parent / "sheet.png"):
        assert cv2.imread(str(picture)) is not None


def test_what_is_there_is_not_made_again_and_a_larger_set_begins_with_the_smaller(
    built: Path, footage: Path
) -> None:
    first = {line["name"]: line for line in read_manifest(built)}
    stamp = (built / first["00000"]["composite"]).stat().st_mtime_ns
    assert main(arguments(footage, built, 10)) == 0
    lines = read_manifest(built)
    assert len(lines) == 10
    assert all(line == first[line["name"]] for line in lines[:8])
    assert (built / first["00000"]["composite"]).stat().st_mtime_ns == stamp


def test_few_clips_are_paired_again_and_again(
    footage: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    only = tmp_path / "raw"
    only.mkdir()
    for name in (
        "take0.mp4",
        "empty.mp4",
    ):  # one foreground, one background: a pair is taken again where there is no other
        (only / name).write_bytes((footage / "raw" / name).read_bytes())
    options = [
        "--matte",
        "file",
        "--mattes",
        str(footage / "mattes"),
        "--seconds",
        "1:2",
        "--workers",
        "1",
    ]
    command = ["rcvh", "build", "--raw", str(only), "--count", "3", *options]
    assert main([*command, "--out", str(tmp_path / "set"), "--foreground-ratio", "0.1:0.8"]) == 0
    assert len(read_manifest(tmp_path / "set")) == 3
    assert "warning" not in capsys.readouterr().err


@pytest.mark.long
@pytest.mark.usefixtures("cluster")
def test_a_set_is_the_same_over_a_cluster(
    built: Path, footage: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert main(arguments(footage, Path("set"), 8, "--ray")) == 0
    assert read_manifest(tmp_path / "set") == read_manifest(built)[:8]


@pytest.mark.long
@pytest.mark.timeout(900)  # where many tests share the processor
def test_a_kill_in_the_middle_loses_nothing_and_the_set_comes_out_the_same(
    built: Path, footage: Path, tmp_path: Path
) -> None:
    out = tmp_path / "set"
    process = subprocess.Popen([sys.executable, "-m", "vhmae", *arguments(footage, out, 8)])
    deadline = time.monotonic() + 600
    while len(read_manifest(out)) < 2 and time.monotonic() < deadline:
        time.sleep(0.05)
    process.kill()
    process.wait()
    begun = len(read_manifest(out))
    assert begun >= 2
    with (out / "manifest.jsonl").open("a") as file:
        file.write('{"name": "00')  # half a line
    assert main([*arguments(footage, out, 8)[:-1], "--workers", "2", "-q"]) == 0
    again, whole = read_manifest(out), read_manifest(built)[:8]
    assert [(line["name"], line["placement"], line["sha256"]) for line in again] == [
        (line["name"], line["placement"], line["sha256"]) for line in whole
    ]
    assert not list(out.glob(".*part*"))


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        (["--raw", "nowhere"], "is not a folder"),
        (["--foreground-ratio", "0.9:0.2"], "--foreground-ratio"),
        (["--seconds", "9:1"], "--seconds"),
        (["--matte", "magic"], "expected one of"),
        (["--mattes", "nowhere"], "--mattes"),
        (["--seconds", "50:60"], "needs a foreground and a background"),
    ],
)
def test_what_cannot_work_is_told(
    footage: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], changes: list[str], said: str
) -> None:
    assert main([*arguments(footage, tmp_path / "set", 4), *changes]) == 2
    line = capsys.readouterr().err.strip()
    assert said in line
    assert len(line.splitlines()) == 1


def test_a_set_that_was_begun_otherwise_is_not_gone_on_with(
    built: Path, footage: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(arguments(footage, built, 8, "--seed", "9")) == 2
    assert "was begun with seed 0" in capsys.readouterr().err


def test_files_of_one_name_and_mattes_beside_their_videos(footage: Path, tmp_path: Path) -> None:
    raw = few(
        footage,
        tmp_path,
        {
            "a.mp4": "raw/take0.mp4",
            "a.mkv": "raw/take1.mp4",
            "a.mask.npz": "mattes/take0.npz",
            "b.mp4": "raw/take2.mp4",
        },
    )
    (raw / ".trash").mkdir()
    (raw / ".trash" / "c.mp4").write_bytes(b"")
    out = raw / "set"  # among the footage: it is not footage itself
    assert build_few(raw, raw, out) == 0
    assert build_few(raw, raw, out, "--count", "5") == 0
    clips = {
        part["raw"]: part["clip"]
        for line in read_manifest(out)
        for part in (line["foreground"], line["background"])
    }
    assert set(clips) <= {"a.mp4", "a.mkv", "b.mp4"}
    assert len(set(clips.values())) == len(clips)
    for line in read_manifest(out):
        assert line["foreground"]["raw"] in ("a.mp4", "a.mkv")
    matte = next((out / "parts" / "mattes").glob("a-*.mkv"))
    levels = np.concatenate([plane.ravel() for frame in decode(matte) for plane in frame[:1]])
    assert ((levels < 20) | (levels > 235)).mean() > 0.9  # a matte, not the video


def test_a_matte_that_comes_later_is_taken(footage: Path, tmp_path: Path) -> None:
    raw = few(footage, tmp_path, {"a.mp4": "raw/take0.mp4", "b.mp4": "raw/take1.mp4"})
    mattes = tmp_path / "mattes"
    mattes.mkdir()
    assert build_few(raw, mattes, tmp_path / "set") == 2
    (mattes / "a.npz").write_bytes((footage / "mattes" / "take0.npz").read_bytes())
    assert build_few(raw, mattes, tmp_path / "set") == 0
    assert read_manifest(tmp_path / "set")


def test_a_matte_that_was_mended_is_told_not_to_be_the_one_that_was_cut(
    footage: Path, tmp_path: Path
) -> None:
    raw = few(footage, tmp_path, {"a.mp4": "raw/take0.mp4", "b.mp4": "raw/take1.mp4"})
    mattes = tmp_path / "mattes"
    mattes.mkdir()
    (mattes / "a.npz").write_bytes((footage / "mattes" / "take0.npz").read_bytes())
    (mattes / "b.npz").write_bytes((footage / "mattes" / "take1.npz").read_bytes())
    assert build_few(raw, mattes, tmp_path / "set") == 0
    (mattes / "a.npz").write_bytes((footage / "mattes" / "take2.npz").read_bytes())
    build_few(raw, mattes, tmp_path / "set")
    refused = (tmp_path / "set" / "refused.jsonl").read_text()
    assert "a.mp4: its matte is not the one that was cut before" in refused


def test_sources_that_are_named_later_are_heard(
    footage: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    raw = few(footage, tmp_path, {"a.mp4": "raw/take0.mp4", "b.mp4": "raw/take1.mp4"})
    mattes = tmp_path / "mattes"
    mattes.mkdir()
    (mattes / "a.npz").write_bytes((footage / "mattes" / "take0.npz").read_bytes())
    report = tmp_path / "r.json"
    assert build_few(raw, mattes, tmp_path / "set") == 0
    (raw / "sources.csv").write_text("file,source,licence\na.mp4,studio,CC0\nb.mp4,street,CC BY\n")
    assert build_few(raw, mattes, tmp_path / "set", "--json", str(report)) == 0
    for line in read_manifest(tmp_path / "set"):
        assert (line["foreground"]["source"], line["foreground"]["licence"]) == ("studio", "CC0")
        assert (line["background"]["source"], line["background"]["licence"]) == ("street", "CC BY")
    lines = read_manifest(tmp_path / "set")
    for line in lines:
        line["background"]["source"] = "studio"
    (told,) = _told_of_twins(lines)
    assert "foreground and background are of one source by sources.csv" in told


def test_what_a_build_needs_is_told_before_any_work(
    footage: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    assert build_few(footage / "raw", footage / "mattes", tmp_path / "set") == 2
    assert "rcvh build: needs matplotlib; install it with" in capsys.readouterr().err
    assert not (tmp_path / "set").exists()


def test_a_network_that_is_missing_is_told_before_any_work(
    footage: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    options = ["--matte", "rvm", "--weights", str(tmp_path / "none.onnx")]
    assert (
        main(
            [
                "rcvh",
                "build",
                "--raw",
                str(footage / "raw"),
                "--out",
                str(tmp_path / "set"),
                *options,
            ]
        )
        == 2
    )
    assert "none.onnx: no such file" in capsys.readouterr().err
    assert not (tmp_path / "set").exists()


def test_a_set_is_not_gone_on_with_by_another_network(
    footage: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    weights = write_rvm(tmp_path / "rvm.onnx")
    command = [
        "rcvh",
        "build",
        "--raw",
        str(footage / "raw"),
        "--out",
        str(tmp_path / "set"),
        "--matte",
        "rvm",
        "--count",
        "1",
        "-q",
    ]
    main([*command, "--workers", "1", "--weights", str(weights)])
    other = tmp_path / "other.onnx"
    model = onnx.load(str(weights))
    model.doc_string = "another one"
    onnx.save(model, str(other))
    capsys.readouterr()
    assert main([*command, "--workers", "1", "--weights", str(other)]) == 2
    assert "was begun with other --weights (sha256 " in capsys.readouterr().err


def test_a_build_leaves_decisions_as_they_are(footage: Path, tmp_path: Path) -> None:
    raw = few(footage, tmp_path, {"a.mp4": "raw/take0.mp4", "b.mp4": "raw/take1.mp4"})
    out = tmp_path / "set"
    mattes = tmp_path / "m"
    mattes.mkdir()
    (mattes / "a.npz").write_bytes((footage / "mattes" / "take0.npz").read_bytes())
    assert build_few(raw, mattes, out) == 0
    review = Review(out)
    review.decide("Ann", "00001", keep=False)
    review.export()
    review.database.close()
    with (out / MANIFEST).open("a") as file:
        file.write('{"name": "000')  # as a kill leaves it
    assert build_few(raw, mattes, out, "--count", "4") == 0
    lines = {line["name"]: line for line in read_manifest(out)}
    assert list(lines) == ["00000", "00001", "00002", "00003"]
    assert lines["00001"]["review"]["verdict"] == "reject"
    assert "00001" not in (out / "test_list.txt").read_text()
    assert build_few(raw, mattes, out, "--count", "2") == 0
    assert len(read_manifest(out)) == 4
