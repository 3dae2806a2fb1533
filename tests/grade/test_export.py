"""Grades: what other programs make of the exported files, beside what harmonizing does."""

from __future__ import annotations

import ctypes
import dataclasses
import itertools
import json
from fractions import Fraction
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import av
import numpy as np
import opentimelineio as otio
import PyOpenColorIO as ocio
import pytest
import torch

from tests.support.dctl import in_c
from tests.support.networks import changing_model
from tests.support.scenes import moving_scene, write_video
from vhmae.arrays import Array
from vhmae.cli import main
from vhmae.color.lut import read_cube
from vhmae.data.clips import write_mask_bits
from vhmae.errors import InputError
from vhmae.grade.cdl import Cdl, fit_cdl, write_cdls
from vhmae.grade.export import export_grades
from vhmae.grade.job import ExportJob
from vhmae.grade.shots import ShotGrade, bake, grade_shots
from vhmae.guide.document import Guide, Point
from vhmae.guide.options import GuideOptions
from vhmae.model.weights import save_model
from vhmae.work.harmonize import harmonize_video
from vhmae.work.job import AnalysisJob

FRAMES = 40


@pytest.fixture(scope="module")
def work(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two shots of a moving scene, and a model that changes colors."""
    folder = tmp_path_factory.mktemp("grades")
    frames, masks = moving_scene(FRAMES, 96, 64)
    other = np.ascontiguousarray(255 - frames[:, ::-1])
    write_video(folder / "in.mkv", np.concatenate([frames, other]), codec="ffv1")
    write_mask_bits(np.concatenate([masks, masks[:, ::-1]]), folder / "m.npz")
    save_model(changing_model(), folder / "w.safetensors", {})
    return folder


def job(work: Path, kind: Any, output: Path, **options: Any) -> ExportJob:
    return ExportJob(
        kind=kind,
        composite=work / "in.mkv",
        masks=(work / "m.npz",),
        output=output,
        weights=str(work / "w.safetensors"),
        precision="fp32",
        caution=0.0,
        **options,
    )


@pytest.fixture(scope="module")
def grades(work: Path) -> list[ShotGrade]:
    plain = AnalysisJob(
        composite=work / "in.mkv",
        masks=(work / "m.npz",),
        weights=str(work / "w.safetensors"),
        precision="fp32",
        caution=0.0,
    )
    return grade_shots(plain)[0]


def by_us(colors: Array, cube: Path) -> Array:
    """Colors (P, 3) through our own reading of the LUT."""
    return read_cube(cube)(torch.from_numpy(colors)).numpy()


def by_ffmpeg(colors: Array, cube: Path) -> Array:
    """Colors (P, 3) in [0, 1] through FFmpeg's lut3d, at 16 bit."""
    graph = av.filter.Graph()
    codes = np.round(colors[None] * 65535).astype(np.uint16)
    frame = av.VideoFrame.from_ndarray(np.ascontiguousarray(codes), format="rgb48le")
    source = graph.add_buffer(
        width=frame.width, height=frame.height, format=frame.format, time_base=Fraction(1)
    )
    steps = [
        source,
        graph.add("lut3d", f"file={cube}:interp=trilinear"),
        graph.add("format", "rgb48le"),
        graph.add("buffersink"),
    ]
    for one, following in itertools.pairwise(steps):
        one.link_to(following)
    graph.configure()
    frame.pts = 0
    graph.push(frame)
    return graph.pull().to_ndarray()[0].astype(np.float64) / 65535.0


def by_ocio(colors: Array, transform: ocio.Transform) -> Array:
    graded = colors.astype(np.float32).copy()
    ocio.Config.CreateRaw().getProcessor(transform).getDefaultCPUProcessor().applyRGB(graded)
    return graded


def test_each_shot_has_its_grade_and_the_shots_differ(grades: list[ShotGrade]) -> None:
    assert [(grade.first, grade.last) for grade in grades] == [
        (0, FRAMES - 1),
        (FRAMES, 2 * FRAMES - 1),
    ]
    assert all(grade.change_levels > 2.0 for grade in grades)
    assert not np.allclose(grades[0].coefficients, grades[1].coefficients, atol=1e-2)


def test_a_cube_does_in_ffmpeg_and_opencolorio_what_harmonizing_does(
    work: Path, grades: list[ShotGrade], tmp_path: Path
) -> None:
    report = export_grades(job(work, "cube", tmp_path / "look.cube"))
    assert [Path(path).name for path in report["files"]] == [
        "look.shot001.cube",
        "look.shot002.cube",
    ]
    for grade, path, told in zip(grades, map(Path, report["files"]), report["shots"], strict=True):
        before = grade.before[:2000]
        ours = by_us(before, path)
        lut = ocio.FileTransform(str(path), interpolation=ocio.INTERP_LINEAR)
        for graded in (by_ffmpeg(before, path), by_ocio(before, lut)):
            assert np.abs(graded - ours).max() < 0.5 / 255.0
        assert told["left"] == pytest.approx(grade.levels_left(by_us(grade.before, path)), abs=0.01)
        assert told["share_left"] < 0.5


def test_key_frames_give_a_numbered_set(work: Path, tmp_path: Path) -> None:
    report = export_grades(job(work, "cube", tmp_path / "look.cube", key_frames=16))
    names = [Path(path).name for path in report["files"]]
    keys = [
        (shot, index)
        for shot, first in ((1, 0), (2, FRAMES))
        for index in range(first, first + FRAMES, 16)
    ]
    assert names == [f"look.shot{shot:03d}.{index:06d}.cube" for shot, index in keys]
    assert all(read_cube(Path(path)).size == 33 for path in report["files"])


def test_an_exported_dctl_does_in_c_what_harmonizing_does(
    work: Path, grades: list[ShotGrade], tmp_path: Path
) -> None:
    report = export_grades(job(work, "dctl", tmp_path / "look.dctl"))
    for grade, path in zip(grades, map(Path, report["files"]), strict=True):
        graded = grade.before.copy()
        in_c(path, tmp_path).run(
            graded.ctypes.data_as(ctypes.POINTER(ctypes.c_float)),
            len(graded),
            20,
            ctypes.c_float(1.0),
            0,
        )
        assert grade.levels_left(graded) < 0.5 * grade.change_levels


@pytest.mark.parametrize("suffix", ["cc", "ccc", "cdl"])
def test_opencolorio_reads_the_cdl_and_agrees(
    work: Path, grades: list[ShotGrade], tmp_path: Path, suffix: str
) -> None:
    report = export_grades(job(work, "cdl", tmp_path / f"look.{suffix}"))
    assert len(report["files"]) == (2 if suffix == "cc" else 1)
    for number, grade in enumerate(grades, 1):
        path = report["files"][number - 1] if suffix == "cc" else report["files"][0]
        transform = ocio.CDLTransform.CreateFromFile(path, f"shot{number:03d}")
        transform.setStyle(ocio.CDL_ASC)  # with the clamps of the standard
        before = grade.before[:2000]
        ours = fit_cdl(grade.before, grade.after).apply(before)
        assert np.abs(by_ocio(before, transform) - ours).max() < 1e-3
        assert report["shots"][number - 1]["left"] < grade.change_levels


@pytest.mark.parametrize("suffix", ["cc", "ccc", "cdl"])
def test_what_is_noted_in_a_cdl_is_read_as_it_was_said(tmp_path: Path, suffix: str) -> None:
    path, note = tmp_path / f"look.{suffix}", 'a & b <x> "q" ü ]]>.mp4, shot 1'
    write_cdls({"one": Cdl((1.0,) * 3, (0.0,) * 3, (1.0,) * 3, 1.0)}, note, path)
    texts = [one.text for one in ElementTree.parse(path).iter() if "Description" in one.tag]
    assert texts == [note]


def test_a_cdl_ends_at_black_and_white() -> None:
    strong = Cdl((1.0, 1.0, 1.0), (0.0, 0.0, 0.0), (1.0, 1.0, 1.0), 2.0)
    # Red with the saturation doubled would be (1.79, -0.21, -0.21); greys stay what they are.
    found = strong.apply(np.array([[1.0, 0.0, 0.0], [0.5, 0.5, 0.5]]))
    assert np.allclose(found, np.array([[1.0, 0.0, 0.0], [0.5, 0.5, 0.5]]), atol=1e-5)
    assert found.min() >= 0.0
    assert found.max() <= 1.0


def test_a_cdl_is_found_again() -> None:
    colors = np.random.default_rng(0).random((3000, 3), np.float32) * 0.7 + 0.1
    made = Cdl((1.1, 0.95, 0.9), (0.02, -0.01, 0.0), (1.1, 1.0, 0.9), 0.8)
    found = fit_cdl(colors, made.apply(colors))
    assert np.abs(found.apply(colors) - made.apply(colors)).max() < 2e-3


@pytest.mark.parametrize("kind", ["edl", "otio"])
def test_a_time_line_carries_shots_and_cdl(
    work: Path, grades: list[ShotGrade], tmp_path: Path, kind: str
) -> None:
    report = export_grades(job(work, kind, tmp_path / f"look.{kind}"))
    timeline = otio.adapters.read_from_file(
        str(tmp_path / f"look.{kind}"), **({"rate": 25} if kind == "edl" else {})
    )
    clips = list(timeline.find_clips())
    assert [clip.source_range.start_time.to_frames() for clip in clips] == [0, FRAMES]
    assert [clip.source_range.duration.to_frames() for clip in clips] == [FRAMES, FRAMES]
    for clip, grade in zip(clips, grades, strict=True):
        sop = clip.metadata["cdl"]["asc_sop"]
        fitted = fit_cdl(grade.before, grade.after)
        assert list(sop["slope"]) == pytest.approx(fitted.slope, abs=1e-5)
        assert float(clip.metadata["cdl"]["asc_sat"]) == pytest.approx(fitted.saturation, abs=1e-5)
    cubes = [name for name in report["files"] if name.endswith(".cube")]
    assert len(cubes) == (2 if kind == "otio" else 0)
    if kind == "otio":
        assert [clip.effects[0].metadata["vhmae"]["lut"] for clip in clips] == [
            Path(name).name for name in cubes
        ]
        assert all(read_cube(Path(name)).size == 33 for name in cubes)


def test_the_command_reports_and_leaves_nothing_half_written(
    work: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    common = [
        "--mask",
        str(work / "m.npz"),
        "--weights",
        str(work / "w.safetensors"),
        "--precision",
        "fp32",
        "--caution",
        "0",
    ]
    out = ["-o", str(tmp_path / "look.cube"), "--json", str(tmp_path / "r.json")]
    assert main(["export", "cube", str(work / "in.mkv"), *common, *out, "--no-cut-detection"]) == 0
    report = json.loads((tmp_path / "r.json").read_text())
    assert report["files"] == [str(tmp_path / "look.cube")]
    assert "levels" in capsys.readouterr().out
    for arguments, message in (
        (["dctl", str(work / "in.mkv"), *common, "-o", str(tmp_path / "x.cube")], "writes .dctl"),
        (
            [
                "edl",
                str(work / "in.mkv"),
                *common,
                "-o",
                str(tmp_path / "x.edl"),
                "--key-frames",
                "3",
            ],
            "--key-frames",
        ),
        (
            ["cube", "in.mkv", *common, "-o", str(tmp_path / "x.cube"), "--key-frames", "-1"],
            "--key-frames -1: expected 1 or more",
        ),
        (["cube", str(work / "none.mkv"), *common, "-o", str(tmp_path / "x.cube")], "no such file"),
        (["lut", str(work / "in.mkv"), *common, "-o", str(tmp_path / "x.cube")], "unknown"),
    ):
        assert main(["export", *arguments]) == 2
        error = capsys.readouterr().err
        assert message in error
        assert error.count("\n") == 1
    assert sorted(path.name for path in tmp_path.iterdir()) == ["look.cube", "r.json"]


def test_a_shot_without_foreground_has_no_grade(work: Path, tmp_path: Path) -> None:
    _frames, masks = moving_scene(FRAMES, 96, 64)
    write_mask_bits(np.concatenate([masks, np.zeros_like(masks)]), tmp_path / "half.npz")
    plain = AnalysisJob(
        composite=work / "in.mkv",
        masks=(tmp_path / "half.npz",),
        weights=str(work / "w.safetensors"),
        precision="fp32",
    )
    assert [grade.number for grade in grade_shots(plain)[0]] == [1]
    assert bake(np.zeros((3, 10)), "nothing").table.max() == 1.0


def test_a_shot_that_shows_its_foreground_briefly_is_graded(work: Path, tmp_path: Path) -> None:
    _, masks = moving_scene(FRAMES, 96, 64)
    brief = np.zeros((2 * FRAMES, 64, 96), bool)
    brief[3:5] = masks[3:5]
    brief[FRAMES + 2, 30:31, 40:41] = True  # one pixel
    write_mask_bits(brief, tmp_path / "brief.npz")
    plain = AnalysisJob(
        composite=work / "in.mkv",
        masks=(tmp_path / "brief.npz",),
        weights=str(work / "w.safetensors"),
        precision="fp32",
    )
    assert [(grade.first, grade.last) for grade in grade_shots(plain)[0]] == [
        (0, FRAMES - 1),
        (FRAMES, 2 * FRAMES - 1),
    ]


def test_a_shot_without_foreground_keeps_its_place_on_the_time_line(
    work: Path, tmp_path: Path
) -> None:
    _, masks = moving_scene(FRAMES, 96, 64)
    write_mask_bits(np.concatenate([np.zeros_like(masks), masks[:, ::-1]]), tmp_path / "late.npz")
    late = ExportJob(
        kind="edl",
        composite=work / "in.mkv",
        masks=(tmp_path / "late.npz",),
        output=tmp_path / "x.edl",
        weights=str(work / "w.safetensors"),
        precision="fp32",
        caution=0.0,
    )
    export_grades(late)
    line = next(
        line for line in (tmp_path / "x.edl").read_text().splitlines() if line.startswith("001")
    )
    assert line.split()[-4:] == ["00:00:01:15", "00:00:03:05", "00:00:01:15", "00:00:03:05"]


def test_a_name_that_a_lut_cannot_hold_is_no_fault(work: Path, tmp_path: Path) -> None:
    (tmp_path / 'fil"mé.mkv').write_bytes((work / "in.mkv").read_bytes())
    job_of = ExportJob(
        kind="cube",
        composite=tmp_path / 'fil"mé.mkv',
        masks=(work / "m.npz",),
        output=tmp_path / "é.cube",
        weights=str(work / "w.safetensors"),
        cut_detection=False,
        precision="fp32",
    )
    assert read_cube(Path(export_grades(job_of)["files"][0])).size == 33


def test_a_rate_without_time_code_is_refused_for_an_edl(tmp_path: Path, work: Path) -> None:
    frames, masks = moving_scene(12, 96, 64)
    write_video(tmp_path / "odd.mkv", frames, codec="ffv1", fps=17)
    write_mask_bits(masks, tmp_path / "m.npz")
    odd = ExportJob(
        kind="edl",
        composite=tmp_path / "odd.mkv",
        masks=(tmp_path / "m.npz",),
        output=tmp_path / "x.edl",
        weights=str(work / "w.safetensors"),
    )
    with pytest.raises(InputError, match="time code"):
        export_grades(odd)
    assert not list(tmp_path.glob("*.edl"))


@pytest.mark.parametrize(
    "clip",
    [
        "davis__camel",
        "davis__dance-twirl",
        "latentsync__demo3",
        "liveportrait__s18",
        "matanyone__street",
    ],
)
def test_less_than_a_third_of_the_change_is_left_on_real_clips(
    clip: str, data_dir: Path, tmp_path: Path
) -> None:
    folder = data_dir / "clips"
    assert_little_is_left(folder / f"{clip}.mp4", folder / f"{clip}.mask.npz", tmp_path)


def test_less_than_a_third_of_the_change_is_left_on_a_real_paste(
    data_dir: Path, tmp_path: Path
) -> None:
    background, foreground, mask = (
        data_dir / "clips" / f"harmonizer__orange.{part}.mp4"
        for part in ("background", "foreground", "mask")
    )
    paste = tmp_path / "paste.mp4"
    harmonize_video(
        background,
        paste,
        mask=mask,
        foreground=foreground,
        strength=0.0,
        preset="veryfast",
        end=0.4,
    )
    assert_little_is_left(paste, mask, tmp_path, hold_last_mask=True)


def assert_little_is_left(video: Path, mask: Path, folder: Path, **more: Any) -> None:
    job = ExportJob(
        kind="cube",
        composite=video,
        masks=(mask,),
        output=folder / "x.cube",
        caution=0.0,
        end=2.0,
        **more,
    )
    report = export_grades(job)
    assert all(shot["share_left"] < 0.35 for shot in report["shots"]), report["shots"]


def test_shots_are_numbered_as_elsewhere(work: Path, tmp_path: Path) -> None:
    """A shot without foreground counts, though it has no grade: numbers are those of diagnose."""
    _, masks = moving_scene(FRAMES, 96, 64)
    write_mask_bits(np.concatenate([np.zeros_like(masks), masks]), tmp_path / "half.npz")
    plain = AnalysisJob(
        composite=work / "in.mkv",
        masks=(tmp_path / "half.npz",),
        weights=str(work / "w.safetensors"),
        precision="fp32",
    )
    assert [(grade.number, grade.first) for grade in grade_shots(plain)[0]] == [(2, FRAMES)]


@pytest.mark.parametrize("move", ["foreground", "both:0.3"])
def test_each_object_has_a_grade_of_its_own(work: Path, tmp_path: Path, move: str) -> None:
    _, first = moving_scene(FRAMES, 96, 64)
    second = np.roll(first, 30, axis=1) & ~first
    write_mask_bits(np.concatenate([second, second[:, ::-1]]), tmp_path / "second.npz")
    y, x = (int(np.median(places)) for places in np.nonzero(second[4]))
    word = Point(kind="target", at=(x, y), frame=4, object=2, to=(0.9, 0.2, 0.2))
    Guide(points=(word,)).write(tmp_path / "guide.json")
    masks = (work / "m.npz", tmp_path / "second.npz")
    plain = dataclasses.replace(job(work, "cube", tmp_path / "plain.cube"), masks=masks, move=move)
    said = dataclasses.replace(
        plain, output=tmp_path / "said.cube", words=GuideOptions(guide=tmp_path / "guide.json")
    )
    before, after = export_grades(plain), export_grades(said)
    things = ["object1", "object2", *(["background"] if move != "foreground" else [])]
    assert [Path(one).name for one in after["files"]] == [
        f"said.{object_number}.shot{shot:03d}.cube" for object_number in things for shot in (1, 2)
    ]
    assert [row["object"] for row in after["shots"]] == [1, 1, 2, 2, 0, 0][: 2 * len(things)]
    changed = [
        Path(one).read_bytes().split(b"\n", 1)[1] != Path(other).read_bytes().split(b"\n", 1)[1]
        for one, other in zip(before["files"], after["files"], strict=True)
    ]
    assert changed[:4] == [False, False, True, False]  # a point rules its shot
