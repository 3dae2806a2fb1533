"""Grades of two layers are for the layer that they are laid over; soft foregrounds have all of a
change; keys stand as near as is asked."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import cv2
import numpy as np
import opentimelineio as otio
import pytest

from tests.support.commands import error_of
from tests.support.networks import changing_model
from tests.support.scenes import moving_scene
from vhmae.cli import main
from vhmae.color.basis import apply_transform
from vhmae.errors import InputError
from vhmae.grade import cdl
from vhmae.grade.dctl import MOST_KEYS
from vhmae.grade.export import _told_of_keys, export_grades
from vhmae.grade.job import ExportJob
from vhmae.grade.shots import GradedShot, grade_of_pairs
from vhmae.model.weights import save_model

FRAMES = 6


def write_clip(path: Path, pictures: np.ndarray, pixel_format: str, timecode: str) -> None:
    with av.open(str(path), "w") as container:
        stream: Any = container.add_stream("qtrle", rate=Fraction(24))
        stream.width, stream.height, stream.pix_fmt = 96, 64, pixel_format
        stream.metadata["timecode"] = timecode
        kind = "rgba" if pixel_format == "argb" else "rgb24"
        for picture in pictures:
            frame = av.VideoFrame.from_ndarray(np.ascontiguousarray(picture), format=kind)
            container.mux(stream.encode(frame.reformat(format=pixel_format)))
        container.mux(stream.encode(None))


@pytest.fixture(scope="module")
def layers(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("layers")
    frames, masks = moving_scene(FRAMES, 96, 64)
    cut = np.concatenate([frames, np.where(masks, 255, 0).astype(np.uint8)[..., None]], axis=-1)
    write_clip(folder / "front.mov", cut, "argb", "01:00:00:00")
    write_clip(folder / "back.mov", 255 - frames[:, ::-1], "rgb24", "10:00:00:00")
    cv2.imwrite(str(folder / "still.png"), 255 - frames[0])
    save_model(changing_model(), folder / "w.safetensors", {})
    return folder


def export(layers: Path, output: str, *more: str, background: str = "back.mov") -> list[str]:
    kind = output.rpartition(".")[2]
    words = ["export", kind, "--foreground", "front.mov", "--background", background, *more]
    words += ["--weights", "w.safetensors", "--precision", "fp32", "-q", "-o", output]
    return [str(layers / one) if (layers / one).exists() else one for one in words[:-1]] + [
        str(layers / output)
    ]


@pytest.mark.parametrize("background", ["back.mov", "still.png"])
@pytest.mark.parametrize("kind", ["edl", "otio"])
def test_a_time_line_names_the_layer_that_is_graded(
    kind: str, background: str, layers: Path
) -> None:
    assert main(export(layers, f"{Path(background).stem}.{kind}", background=background)) == 0
    path = layers / f"{Path(background).stem}.{kind}"
    text = path.read_text()
    assert "front.mov" in text
    assert Path(background).name not in text
    (one,) = otio.adapters.read_from_file(str(path)).find_clips()
    start = one.source_range.start_time.to_frames()
    assert (start, one.source_range.duration.to_frames()) == (3600 * 24, FRAMES)


def test_where_both_move_each_side_names_its_own(layers: Path) -> None:
    assert main(export(layers, "both.edl", "--move", "both")) == 0
    for side, name, hour in (("foreground", "front.mov", "01"), ("background", "back.mov", "10")):
        text = (layers / f"both.{side}.edl").read_text()
        assert f"FROM CLIP NAME:  {name}" in text
        assert f" {hour}:00:00:00 " in text


def test_a_grade_is_for_the_values_of_its_layer(layers: Path) -> None:
    log = ("--foreground-space", "ARRI LogC3 (EI800)")
    assert main(export(layers, "log.cube", *log)) == 0
    assert "LUT_3D_SIZE 65" in (layers / "log.cube").read_text()[:200]
    assert main(export(layers, "plain.cube")) == 0
    assert "LUT_3D_SIZE 33" in (layers / "plain.cube").read_text()[:200]


def test_a_dctl_of_a_log_layer_is_refused(layers: Path, capsys: pytest.CaptureFixture[str]) -> None:
    words = export(layers, "log.dctl", "--foreground-space", "ARRI LogC3 (EI800)")
    said = error_of(*words, capsys=capsys)
    assert "front.mov: is ARRI LogC3 (EI800), whose curve a DCTL" in said


@pytest.mark.parametrize("cover", [1.0, 0.75, 0.6, 0.5, 0.3])
def test_a_soft_foreground_has_all_of_its_change(cover: float) -> None:
    before = np.random.default_rng(0).uniform(0.2, 0.7, (90, 120, 3)).astype(np.float32)
    matte = np.zeros((90, 120), np.float32)
    matte[20:70, 30:90] = cover
    after = before + matte[..., None] * np.float32(0.1)
    grade = grade_of_pairs([(before, after, matte)])
    made = apply_transform(grade.before, grade.coefficients.astype(np.float32)) - grade.before
    assert made == pytest.approx(np.full_like(made, 0.1), abs=2e-3)
    assert grade.change_levels == pytest.approx(25.5, abs=0.1)


def test_a_wire_has_its_change() -> None:
    before = np.random.default_rng(0).uniform(0.2, 0.7, (540, 960, 3)).astype(np.float32)
    matte = np.zeros((540, 960), np.float32)
    matte[:, 333:336] = 1.0
    grade = grade_of_pairs([(before, before + matte[..., None] * np.float32(0.1), matte)])
    assert grade.change_levels == pytest.approx(25.5, abs=0.1)
    with pytest.raises(InputError, match="no frame has a foreground"):
        grade_of_pairs([(before, before, np.zeros_like(matte))])


@pytest.mark.parametrize("every", [1, 4, 6, 24])
def test_key_maps_are_those_of_their_frames(every: int) -> None:
    shot = GradedShot(0, None, every)
    colors = np.random.default_rng(0).uniform(0.2, 0.6, (500, 3)).astype(np.float32)
    for index in range(48):
        shot.last = index
        if shot.wants(index, 1.0):
            shot.add(index, colors, colors + np.float32(0.004 * index))
    (grade,) = shot.grade(1, every)
    assert [key.index for key in grade.keys] == list(range(0, 48, every))
    for key in grade.keys:
        made = apply_transform(colors, key.coefficients.astype(np.float32)) - colors
        near = 0.004 * max(1, every // 2 if every > 6 else 0.25)
        assert made.mean() == pytest.approx(0.004 * key.index, abs=near)


def test_a_long_shot_has_as_many_keys_as_a_gpu_holds() -> None:
    shot = GradedShot(0, None, 1)
    colors = np.random.default_rng(0).uniform(0.2, 0.6, (50, 3)).astype(np.float32)
    for index in range(0, 1200, 6):
        shot.add(index, colors, colors)
    shot.last = 1199
    (grade,) = shot.grade(1, 1, MOST_KEYS)
    assert len(grade.keys) == 400
    (told,) = _told_of_keys([grade], 1)
    assert told == (
        "shot 1: 1200 key maps are more than the constant memory of every GPU holds; wrote 400, 3 "
        "frames apart"
    )
    assert _told_of_keys(shot.grade(1, 24, MOST_KEYS), 24) == []


@pytest.mark.parametrize("kind", ["cdl", "edl", "otio"])
def test_what_is_missing_is_told_before_the_work(
    kind: Any, layers: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def missing(kind: str) -> None:
        raise InputError(f"export {kind}: scipy is not installed")

    def never(*given: object, **more: object) -> None:
        raise AssertionError("the work has begun")

    monkeypatch.setattr("vhmae.grade.export.require_scipy", missing)
    monkeypatch.setattr("vhmae.grade.export.grade_shots", never)
    job = ExportJob(kind=kind, composite=layers / "back.mov", output=layers / f"new.{kind}")
    with pytest.raises(InputError, match=f"export {kind}: scipy is not installed"):
        export_grades(job)


def test_black_stays_black_whatever_its_power() -> None:
    steep = cdl.Cdl((1.0, 1.0, 1.0), (0.0, 0.0, 0.0), (0.25, 0.25, 0.25), 1.0)
    assert not steep.apply(np.zeros((1, 3), np.float32)).any()
