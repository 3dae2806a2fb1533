"""HDR and log footage in two layers, previews, guides, grades, tables, resumed runs and pipes.

Tolerances are what numbers of few digits must lose, and are derived where they stand:

- ``HALF_A_CODE``: what is computed of known light and written as a code of 10 bit is off by half a
  code at the most, and by what float32 rounds on the way: its 24 bits keep 1,023 codes to 6e-5, and
  each of about ten operations (two matrices, two curves by tables) may lose that much.
- ``rounded_levels``: what is known as codes alone may have been half a code higher or lower in each
  plane; shown, that many levels of sRGB.
- Pictures of 8 bit add half a level each.
"""

from __future__ import annotations

import itertools
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import av
import cv2
import numpy as np
import PyOpenColorIO as ocio
import pytest

from tests.support.commands import error_of
from tests.support.hdr import (
    FRAMES,
    HEIGHT,
    WIDTH,
    light_of,
    lit_scene,
    planes_in,
    rounded_levels,
    run,
    shown,
    signal_of,
    srgb_light,
    tags_of,
    unrounded_codes,
    write_exr,
    write_hdr,
)
from tests.support.pictures import read_picture
from vhmae.arrays import Array
from vhmae.cli import main
from vhmae.color.basis import apply_transform
from vhmae.color.light import moved
from vhmae.color.light import shown as shown_of_light
from vhmae.color.lut import read_cube
from vhmae.color.spaces import find_space
from vhmae.data.clips import write_mask_bits
from vhmae.grade.export import export_grades
from vhmae.grade.job import ExportJob
from vhmae.grade.shots import ShotGrade, grade_shots
from vhmae.video.layers import LayeredSource
from vhmae.video.matte import open_matte
from vhmae.video.placement import Placement
from vhmae.video.probe import probe_video
from vhmae.video.segments import SegmentedWriter
from vhmae.video.source import probe_source
from vhmae.work import harmonize as pipeline
from vhmae.work import renderer
from vhmae.work.job import AnalysisJob

HALF_A_CODE = 0.5 + 10 * 1023 * 2.0**-24
HALF_A_LEVEL = 0.5


def same(one: Path, other: Path) -> bool:
    pairs = zip(planes_in(one), planes_in(other), strict=True)
    return all(np.array_equal(a, b) for pair in pairs for a, b in zip(*pair, strict=True))


# --- two layers


def laid(hdr_work: Path, front: Path, mask: Array, **options: Any) -> list[Array]:
    """The planes of the first frame of a foreground over the scene as PQ."""
    path = front.with_suffix(".npz")
    write_mask_bits(np.stack([mask] * FRAMES), path)
    back, ahead = probe_video(hdr_work / "PQ.mkv"), probe_source(front, "foreground", **options)
    source = LayeredSource(back, ahead, open_matte(path), Placement(), FRAMES)
    timed, _ = next(source.read())
    return [np.asarray(plane) for plane in timed.image.planes]


def off(planes: list[Array], light: Array) -> Array:
    """By how many codes planes (H, W) are off those that light (H, W, 3) would have as PQ, if codes
    were not rounded: (3, H, W)."""
    exact = unrounded_codes(signal_of(light, "PQ"))
    return np.abs(np.stack(planes[:3]).astype(np.float64) - np.stack(exact))


def test_hdr_over_hdr_keeps_its_highlights(hdr_work: Path, tmp_path: Path) -> None:
    light = np.full((FRAMES, HEIGHT, WIDTH, 3), 0.2)
    light[:, 20:40, 20:40] = (6.0, 3.0, 1.5)
    mask = np.zeros((HEIGHT, WIDTH), bool)
    mask[10:50, 10:50] = True
    background = planes_in(hdr_work / "PQ.mkv")[0]
    for curve in ("PQ", "HLG"):
        # HLG ends at 1,000 cd/m2, which are 4.9 times white.
        front = write_hdr(tmp_path / f"{curve}.mkv", np.minimum(light, 4.0), curve)
        found = laid(hdr_work, front, mask)
        of_front = light_of(planes_in(front)[0], curve)
        assert of_front[30, 30, 0] == pytest.approx(4.0, rel=0.02)
        # From PQ to PQ no code moves; from HLG each is computed once.
        assert off(found, of_front)[:, mask].max() <= (0.001 if curve == "PQ" else HALF_A_CODE)
        for one, other in zip(found, background, strict=True):
            assert np.array_equal(one[~mask], other[~mask])


def test_white_of_sdr_is_diffuse_white_of_hdr(hdr_work: Path, tmp_path: Path) -> None:
    picture = np.full((HEIGHT, WIDTH, 3), 255, np.uint8)
    picture[:, : WIDTH // 2] = 128
    assert cv2.imwrite(str(tmp_path / "front.png"), picture)
    mask = np.zeros((HEIGHT, WIDTH), bool)
    mask[10:50, 10:80] = True
    found = laid(hdr_work, tmp_path / "front.png", mask)
    assert off(found, srgb_light(picture / 255.0))[:, mask].max() <= HALF_A_CODE


def test_a_foreground_has_a_space_of_its_own(hdr_work: Path, tmp_path: Path) -> None:
    light = np.full((HEIGHT, WIDTH, 3), (0.4, 0.2, 0.1))
    values = find_space("ACEScg").from_light(np.moveaxis(light, -1, 0).astype(np.float32))
    write_exr(tmp_path / "front.exr", np.moveaxis(values, 0, -1))
    mask = np.ones((HEIGHT, WIDTH), bool)
    found = laid(hdr_work, tmp_path / "front.exr", mask, space=find_space("ACEScg"))
    assert off(found, light).max() <= HALF_A_CODE


def test_openexr_over_hdr_keeps_its_highlights(hdr_work: Path, tmp_path: Path) -> None:
    """And what is of no space that is named is told."""
    light = np.full((HEIGHT, WIDTH, 3), 0.2)
    light[20:40, 20:40] = (6.0, 3.0, 1.5)
    write_exr(tmp_path / "front.exr", light)
    mask = np.zeros((HEIGHT, WIDTH), bool)
    mask[10:50, 10:50] = True
    write_mask_bits(mask[None], tmp_path / "front.npz")
    out = tmp_path / "out.mkv"
    command = ["harmonize", "--background", hdr_work / "PQ.mkv", "--foreground"]
    command += [tmp_path / "front.exr", "--mask", tmp_path / "front.npz", "-o", out, "-q"]
    command += ["--strength", "0", "--weights", hdr_work / "w.safetensors"]
    told = tmp_path / "r.json"
    assert main(list(map(str, [*command, "--json", told]))) == 0
    # Between the two, light is held as PQ of BT.709 in 16 bit: 64 codes for each of 10 bit, whose
    # halves the matrix of luma or chroma adds up, by weights that are no more than one in sum.
    most = HALF_A_CODE + 3 * 0.5 / 64
    assert off(planes_in(out)[0], light)[:, mask].max() <= most
    assert json.loads(told.read_text())["warnings"] == []
    assert main(list(map(str, [*command, "--json", told, "--input-space", "PQ"]))) == 0
    (warning,) = json.loads(told.read_text())["warnings"]
    assert "is taken for Linear Rec.709 (sRGB), which it does not say" in warning


def test_layers_are_harmonized_in_the_backgrounds_space(hdr_work: Path, tmp_path: Path) -> None:
    lights, masks = lit_scene()
    front = [
        cv2.imwrite(str(tmp_path / f"f.{n:02d}.png"), picture)
        for n, picture in enumerate(
            np.dstack([shown(light)[..., ::-1], 255.0 * mask]).astype(np.uint8)
            for light, mask in zip(lights, masks, strict=True)
        )
    ]
    assert all(front)
    out = tmp_path / "out.mkv"
    command = ["harmonize", "--background", hdr_work / "PQ.mkv", "--foreground"]
    command += [tmp_path / "f.%02d.png", "-o", out, "--precision", "fp32", "-q"]
    command += ["--weights", hdr_work / "w.safetensors"]
    assert main(list(map(str, command))) == 0
    assert tags_of(out) == (16, 9, 9)
    for before, after, mask in zip(
        planes_in(hdr_work / "PQ.mkv"), planes_in(out), masks, strict=True
    ):
        assert np.array_equal(before[0][~mask], after[0][~mask])


def test_spaces_without_their_files_are_refused(
    hdr_work: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    command: list[str | Path] = [
        "harmonize",
        hdr_work / "PQ.mkv",
        "--mask",
        hdr_work / "m.npz",
        "-o",
    ]
    command += [tmp_path / "o.mkv"]
    told = error_of(*command, "--foreground-space", "ACEScg", capsys=capsys)
    assert "--foreground-space" in told
    told = error_of(*command, "--input-space", "S-Log3", capsys=capsys)
    assert "--input-space S-Log3: may be S-Log3 S-Gamut3 or" in told


# --- previews, guides, diagnoses


def test_previews_show_what_a_display_of_sdr_would(hdr_work: Path, tmp_path: Path) -> None:
    sheets: list[Array] = []
    for name in ("PQ.mkv", "light.%04d.exr"):
        sheet = tmp_path / f"{len(sheets)}.png"
        named = ["preview", hdr_work / name, "--mask", hdr_work / "m.npz", "-o", sheet, "-q"]
        more = ["--weights", hdr_work / "w.safetensors", "--precision", "fp32", "--caution", "0"]
        assert main(list(map(str, [*named, *more]))) == 0
        sheets.append(read_picture(sheet).astype(int))
    run(hdr_work, "PQ.mkv", tmp_path / "out.mkv")
    middle, mask = FRAMES // 2, lit_scene()[1][FRAMES // 2]
    was, became = (planes_in(path)[middle] for path in (hdr_work / "PQ.mkv", tmp_path / "out.mkv"))
    apart = np.abs(sheets[0] - sheets[1])[..., ::-1]
    before, after = apart[:HEIGHT, :WIDTH], apart[:HEIGHT, WIDTH:]
    own, made = rounded_levels(was, "PQ"), rounded_levels(became, "PQ")
    assert (before <= own + 2 * HALF_A_LEVEL).all()
    # The change, which differs by what is shown to it, steepens colors by less than a half. Above
    # white it multiplies what the source rounded; levels rise by 255 * 1.055 / 2.4 at the most
    # where light rises by its own size.
    multiplied = rounded_levels(was, "PQ", lambda light: 112.1 * np.log(np.maximum(light, 1e-3)))
    moved = np.where(light_of(was) > 1.0, multiplied, 1.5 * own) + made
    room = np.where(mask[..., None], moved, own)
    assert (after <= room + 2 * HALF_A_LEVEL).all()
    for drawn in sheets:
        one, other = (drawn[36:HEIGHT, x : x + WIDTH] for x in (0, WIDTH))  # below the names
        exact = np.clip(127.5 + 4.0 * (other - one), 0.0, 255.0)
        told = drawn[HEIGHT + 36 :, :WIDTH]
        assert np.abs(told - exact).max() <= HALF_A_LEVEL


def test_a_guide_names_colors_as_they_are_shown(hdr_work: Path, tmp_path: Path) -> None:
    """The same word about the same light comes to the same color in PQ, log and OpenEXR."""
    _, masks = lit_scene()
    row, column = (int(values.mean()) for values in np.nonzero(masks[1]))
    word = f"{column},{row + 9}=#c08050@1"
    points = []
    for name, space in (
        ("PQ.mkv", []),
        ("log.mkv", ["--input-space", "ARRI LogC3"]),
        ("light.%04d.exr", []),
    ):
        out = tmp_path / ("o.%04d.exr" if name.endswith("exr") else "o.mkv")
        report = run(hdr_work, name, out, "--target", word, *space)
        points.append(report["guided"][0])
    # What is shown to the guide is the mean of a disk, which the rounding of its pixels may move as
    # far as that of the worst of them; a change steepens colors by less than a half.
    disk = np.s_[row + 5 : row + 14, column - 4 : column + 5]
    room = 1.5 * rounded_levels(planes_in(hdr_work / "PQ.mkv")[1], "PQ")[disk].max(axis=(0, 1))
    for key in ("composite", "got", "answer"):
        values = np.array([point[key] for point in points], float)
        assert (np.abs(values - values[2]) <= room + 0.01).all(), key  # told to two places
    for point in points:  # the word is heard: more than half of what was asked is done
        missing = np.subtract(point["answer"], (192, 128, 80))
        assert point["levels_left"] < 0.5 * np.sqrt(np.square(missing).mean())


# --- grades


def bowed(grade: ShotGrade, values: Array) -> Array:
    """By how much straight lines between the entries of a table, over simplexes of its cells, may
    be off the grade's map of a file's values (P, 3): an eighth of all second differences at the
    table's step, in sum. A place lies between two entries along each axis, so that the weighted
    product of its distances from the corners is a quarter of the step's square at the most."""
    assert grade.space is not None
    space, step, axes = grade.space, 1.0 / 64, np.eye(3)

    def graded(places: Array) -> Array:
        places = np.clip(places, 0.0, 1.0).astype(np.float32).T
        seen = shown_of_light(space.to_light(places))
        after = apply_transform(seen.T, grade.coefficients.astype(np.float32)).T
        return (places + moved(space, places, np.clip(after, 0.0, 1.0) - seen)).T

    total = np.zeros_like(values)
    for one, other in itertools.product(axes, axes):
        ahead, beside = 0.5 * step * (one + other), 0.5 * step * (one - other)
        ends = graded(values + ahead) + graded(values - ahead)
        total += np.abs(ends - graded(values + beside) - graded(values - beside))
    return total / 8.0


def job_of(work: Path, name: str, space: str | None) -> dict[str, Any]:
    """What an analysis and an export take alike."""
    return {
        "composite": work / name,
        "masks": (work / "m.npz",),
        "weights": str(work / "w.safetensors"),
        "precision": "fp32",
        "caution": 0.0,
        "input_space": space,
    }


@pytest.mark.parametrize(("name", "space"), [("PQ.mkv", None), ("log.mkv", "ARRI LogC3")])
def test_a_cube_is_for_the_files_own_values(
    name: str, space: str | None, hdr_work: Path, tmp_path: Path
) -> None:
    job = job_of(hdr_work, name, space)
    report = export_grades(ExportJob(kind="cube", output=tmp_path / "look.cube", **job))
    ((grade,), _, _) = grade_shots(AnalysisJob(**job))
    values = grade.values(grade.before)
    cpu = (
        ocio.Config.CreateRaw()
        .getProcessor(ocio.FileTransform(report["files"][0], interpolation=ocio.INTERP_TETRAHEDRAL))
        .getDefaultCPUProcessor()
    )
    graded = np.array(values, np.float32, order="C")
    cpu.applyRGB(graded)
    # The report tells what the table leaves, read in straight lines.
    linear = ocio.FileTransform(report["files"][0], interpolation=ocio.INTERP_LINEAR)
    read = np.array(values, np.float32, order="C")
    ocio.Config.CreateRaw().getProcessor(linear).getDefaultCPUProcessor().applyRGB(read)
    left = grade.levels_left(grade.shown(read))
    assert left == pytest.approx(report["shots"][0]["left"], abs=0.01)
    # A table may add what its straight lines bow to what the map leaves, by the triangle inequality
    # of root mean squares.
    made = grade.shown(graded)
    by_map = np.clip(apply_transform(grade.before, grade.coefficients.astype(np.float32)), 0.0, 1.0)
    steps = bowed(grade, values)
    rooms = [np.abs(grade.shown(np.clip(graded + way * steps, 0, 1)) - made) for way in (-1.0, 1.0)]
    room = np.maximum(*rooms) + 2.0**-16  # tables of what is shown have as many entries
    assert grade.levels_left(made) - grade.levels_left(by_map) <= 255.0 * np.sqrt((room**2).mean())
    assert grade.levels_left(made) < 0.25 * grade.change_levels
    assert read_cube(Path(report["files"][0])).size == 65


@pytest.mark.parametrize(
    ("name", "space"), [("PQ.mkv", None), ("HLG.mkv", None), ("log.mkv", "ARRI LogC3")]
)
def test_a_cdl_is_fitted_to_the_files_own_values(
    name: str, space: str | None, hdr_work: Path, tmp_path: Path
) -> None:
    job = job_of(hdr_work, name, space)
    report = export_grades(ExportJob(kind="cdl", output=tmp_path / "look.cc", **job))
    ((grade,), _, _) = grade_shots(AnalysisJob(**job))
    assert grade.space is not None
    before, after = (grade.values(one) for one in (grade.before, grade.after))
    graded = np.array(before, np.float32, order="C")
    transform = ocio.FileTransform(report["files"][0])
    ocio.Config.CreateRaw().getProcessor(transform).getDefaultCPUProcessor().applyRGB(graded)
    # Six places of slope and offset, by a power of four, are 4e-6 of the range; a level of what is
    # shown is more than 1e-3 of it, where PQ is steepest.
    left = grade.levels_left(grade.shown(graded))
    assert left == pytest.approx(report["shots"][0]["left"], abs=0.01)
    # Straight lines a channel are grades of this form as well, so that the best leaves no more.
    ones = np.ones(len(before))
    lines = [
        np.stack([channel, ones], axis=1)
        @ np.linalg.lstsq(np.stack([channel, ones], axis=1), wanted, rcond=None)[0]
        for channel, wanted in zip(before.T, after.T, strict=True)
    ]
    assert np.square(graded - after).sum() < np.square(np.stack(lines, axis=1) - after).sum()


def test_a_dctl_of_hdr_is_refused_before_the_work(
    hdr_work: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    command: list[str | Path] = [
        "export",
        "dctl",
        hdr_work / "PQ.mkv",
        "--mask",
        hdr_work / "m.npz",
        "-o",
    ]
    assert "export cube" in error_of(*command, tmp_path / "look.dctl", capsys=capsys)


# --- options, tables, job files


def test_the_option_is_a_column_a_keyword_and_a_key_of_job_files(
    hdr_work: Path, tmp_path: Path
) -> None:
    flag = tmp_path / "flag.mkv"
    report = run(hdr_work, "log.mkv", flag, "--input-space", "ARRI LogC3")
    (tmp_path / "job.json").write_text(json.dumps({"input_space": "ARRI LogC3"}))
    run(hdr_work, "log.mkv", tmp_path / "file.mkv", "--job", tmp_path / "job.json")
    (tmp_path / "jobs.csv").write_text(
        f"composite,mask,out,input_space\n{hdr_work / 'log.mkv'},{hdr_work / 'm.npz'},"
        f"{tmp_path / 'batch.mkv'},ARRI LogC3\n"
    )
    shared = ["--weights", hdr_work / "w.safetensors", "--precision", "fp32", "--caution", "0"]
    command = ["batch", tmp_path / "jobs.csv", *shared, "-q"]
    assert main(list(map(str, command))) == 0
    pipeline.harmonize_video(
        hdr_work / "log.mkv",
        tmp_path / "keyword.mkv",
        mask=hdr_work / "m.npz",
        weights=str(hdr_work / "w.safetensors"),
        precision="fp32",
        caution=0.0,
        input_space="ARRI LogC3",
    )
    for name in ("file", "batch", "keyword"):
        assert same(flag, tmp_path / f"{name}.mkv"), name
    run(hdr_work, "log.mkv", tmp_path / "plain.mkv")
    assert not same(flag, tmp_path / "plain.mkv")
    assert report["job"]["input_space"] == "ARRI LogC3"


def test_check_names_the_spaces_and_does_no_work(hdr_work: Path, tmp_path: Path) -> None:
    report = run(hdr_work, "HLG.mkv", tmp_path / "out.mp4", "--check", "--codec", "libx265")
    assert (report["input_space"], report["output_space"]) == ("HLG BT.2020", "HLG BT.2020")
    report = run(hdr_work, "HLG.mkv", tmp_path / "o.%04d.exr", "--check")
    assert report["output_space"] == "Linear Rec.709 (sRGB)"
    assert [path.name for path in tmp_path.iterdir()] == ["report.json"]


def test_a_stopped_run_of_hdr_goes_on_to_the_same_frames(
    hdr_work: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole, out = tmp_path / "whole.mkv", tmp_path / "out.mkv"
    run(hdr_work, "HLG.mkv", whole)
    monkeypatch.setattr(renderer, "CHECKPOINT_FRAMES", 1)
    write = SegmentedWriter.write

    def dying(self: SegmentedWriter, *args: Any) -> None:
        if self.frames == 2:
            raise KeyboardInterrupt
        write(self, *args)

    command = ["harmonize", hdr_work / "HLG.mkv", "--mask", hdr_work / "m.npz", "-o", out, "-q"]
    command += ["--weights", hdr_work / "w.safetensors", "--precision", "fp32", "--caution", "0"]
    with monkeypatch.context() as patched:
        patched.setattr(SegmentedWriter, "write", dying)
        assert main(list(map(str, [*command, "--resume"]))) == 130
    run(hdr_work, "HLG.mkv", out, "--resume")
    assert same(whole, out)
    assert tags_of(out) == (18, 9, 9)


def test_a_pipe_carries_log_footage_that_is_named(hdr_work: Path, tmp_path: Path) -> None:
    """Y4M says nothing of its values: --input-space does."""
    with av.open(
        str(tmp_path / "in.y4m"), "w", format="yuv4mpegpipe", options={"strict": "-1"}
    ) as made:
        stream: Any = made.add_stream("rawvideo", rate=25)
        stream.width, stream.height, stream.pix_fmt = WIDTH, HEIGHT, "yuv444p10le"
        stream.codec_context.color_range = 1
        with av.open(str(hdr_work / "PQ.mkv")) as source:
            for frame in source.decode(video=0):
                made.mux(stream.encode(frame))
        made.mux(stream.encode(None))
    shared = ["--weights", hdr_work / "w.safetensors", "--precision", "fp32", "--caution", "0"]
    results = {}
    for name, more in (("told", ["--input-space", "PQ"]), ("plain", [])):
        command = [sys.executable, "-m", "vhmae", "harmonize", "-", "--mask", hdr_work / "m.npz"]
        command += ["-o", "-", *shared, *more, "--json", tmp_path / f"{name}.json"]
        done = subprocess.run(
            list(map(str, command)), input=(tmp_path / "in.y4m").read_bytes(), capture_output=True
        )
        assert done.returncode == 0, done.stderr
        (tmp_path / f"{name}.y4m").write_bytes(done.stdout)
        results[name] = planes_in(tmp_path / f"{name}.y4m")
    assert json.loads((tmp_path / "told.json").read_text())["output_space"] == "PQ BT.2020"
    assert json.loads((tmp_path / "plain.json").read_text())["input_space"] == "SDR"
    _, masks = lit_scene()
    before = planes_in(hdr_work / "PQ.mkv")
    for old, new, mask in zip(before, results["told"], masks, strict=True):
        assert all(np.array_equal(a[~mask], b[~mask]) for a, b in zip(old, new, strict=True))
    assert any(
        not np.array_equal(a[0], b[0])
        for a, b in zip(results["told"], results["plain"], strict=True)
    )


def test_a_matte_is_cut_out_of_what_is_shown(hdr_work: Path, tmp_path: Path) -> None:
    """A green screen of HDR is keyed as the same screen of SDR."""
    light = np.full((2, HEIGHT, WIDTH, 3), (0.05, 0.6, 0.05))
    light[:, 20:44, 30:60] = (0.6, 0.2, 0.15)
    write_hdr(tmp_path / "screen.mkv", light)
    out = tmp_path / "m.mkv"
    command = ["matte", tmp_path / "screen.mkv", "-o", out, "--with", "chroma", "-q"]
    layers = [tmp_path / "layer.mkv", tmp_path / "l.%04d.png"]
    for layer in layers:
        written = [*command, "--foreground", layer, "--json", tmp_path / "r.json"]
        assert main(list(map(str, written))) == 0
        [told] = json.loads((tmp_path / "r.json").read_text())["warnings"]
        assert told.startswith(f"{layer}: holds what an SDR display shows of PQ")
    assert tags_of(layers[0])[:2] == (1, 1)  # it is what is shown, and no HDR any more
    assert b"cICP\x09\x10" not in (tmp_path / "l.0001.png").read_bytes()
    picture = read_picture(tmp_path / "l.0001.png", cv2.IMREAD_UNCHANGED)[30, 45, 2::-1]
    assert picture.dtype == np.uint8
    room = rounded_levels(planes_in(tmp_path / "screen.mkv")[0], "PQ")[30, 45] + HALF_A_LEVEL
    assert (np.abs(picture - shown(np.array([0.6, 0.2, 0.15]))) <= room).all()
    with av.open(str(out)) as container:
        matte = next(container.decode(video=0)).to_ndarray(format="gray")
    assert (matte[24:40, 34:56] == 255).all()  # plain colors, away from the edge
    assert (matte[:12, :20] == 0).all()
