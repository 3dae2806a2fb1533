"""OpenEXR in and out: light above 1, other channels and untouched pixels stay as they were."""

from __future__ import annotations

import json
from fractions import Fraction
from pathlib import Path

import cv2
import numpy as np
import OpenEXR
import pytest

from tests.support.exr import channels_of, write
from tests.support.pictures import read_picture
from tests.support.scenes import moving_scene
from vhmae.arrays import Array
from vhmae.cli import main
from vhmae.color.srgb import encoded, linear
from vhmae.video.exr import codes_of, light_of
from vhmae.video.exr_changes import carried_back
from vhmae.video.sequence import probe_pictures

FRAMES, WIDTH, HEIGHT = 3, 96, 64


@pytest.fixture
def sequence(tmp_path: Path) -> Path:
    """A sequence of three with a lamp of light 8 in the subject and one outside it, depth beside
    the colors, and masks."""
    pictures, masks = moving_scene(FRAMES, WIDTH, HEIGHT)
    for number, (picture, mask) in enumerate(zip(pictures, masks, strict=True), 11):
        light = linear(picture / np.float32(255.0))
        row, column = (int(values.mean()) for values in np.nonzero(mask))
        light[row - 3 : row + 3, column - 3 : column + 3] = (8.0, 6.0, 2.0)
        light[:4, :4] = 5.0
        planes = {name: light[..., place].astype(np.float16) for place, name in enumerate("RGB")}
        depth = np.linspace(1, 900, WIDTH * HEIGHT, dtype=np.float32).reshape(HEIGHT, WIDTH)
        write(tmp_path / f"shot.{number:04d}.exr", {**planes, "Z": depth}, comments="take 7")
        write(tmp_path / f"matte.{number:04d}.exr", {"Y": mask.astype(np.float16)})
    return tmp_path


def test_the_rate_that_pictures_say_is_theirs(tmp_path: Path) -> None:
    for number in (1, 2):
        planes = {name: np.zeros((8, 8), np.float16) for name in "RGB"}
        write(tmp_path / f"a.{number}.exr", planes, framesPerSecond=Fraction(30000, 1001))
        write(tmp_path / f"b.{number}.exr", planes)
    assert probe_pictures(tmp_path / "a.%d.exr", "composite").fps == Fraction(30000, 1001)
    assert probe_pictures(tmp_path / "a.%d.exr", "composite", rate=Fraction(25)).fps == 25
    assert probe_pictures(tmp_path / "b.%d.exr", "composite").fps == 24


def harmonize(folder: Path, output: str, *more: str, composite: str = "shot.%04d.exr") -> int:
    common = ["--precision", "fp32", "--quality", "best", "--json", str(folder / "r.json")]
    return main(
        [
            "harmonize",
            str(folder / composite),
            "--mask",
            str(folder / "matte.%04d.exr"),
            "-o",
            str(folder / output),
            *common,
            *more,
        ]
    )


def test_the_curve_is_that_of_srgb_and_turns_back() -> None:
    codes = np.arange(65536, dtype=np.uint16)
    assert np.array_equal(codes_of(light_of(codes)), codes)
    assert encoded(np.array([0.5], np.float32))[0] == pytest.approx(0.735357, abs=1e-5)
    assert linear(np.array([0.04045], np.float32))[0] == pytest.approx(0.04045 / 12.92, abs=1e-6)


def test_every_half_has_its_code() -> None:
    odd = np.array([[np.nan, np.inf, -np.inf, -1.0, 0.0, 1.0, 70.0]], np.float16)
    assert codes_of(odd).tolist() == [[0, 65535, 0, 0, 0, 65535, 65535]]
    light = np.linspace(0, 1, 700, dtype=np.float16).reshape(7, 100)
    assert np.array_equal(codes_of(light), codes_of(light.astype(np.float32)))


@pytest.mark.parametrize("kind", [np.float16, np.float32])
def test_a_change_is_carried_back_into_light(kind: type, rng: np.random.Generator) -> None:
    light: Array = rng.uniform(-0.1, 6.0, (40, 50)).astype(kind)
    before = codes_of(light)
    after = np.where(rng.random((40, 50)) < 0.5, before, np.rint(before * 0.8).astype(np.uint16))
    out = carried_back(light, before, after)
    assert out.dtype == kind
    for row, column in np.ndindex(light.shape):
        own = float(light[row, column])
        if before[row, column] == after[row, column]:
            assert out[row, column] == light[row, column]
            continue
        was, is_now = (
            float(linear(np.array([codes[row, column] / 65535.0]))[0]) for codes in (before, after)
        )
        expected = own * is_now if own > 1.0 else own + is_now - was
        assert float(out[row, column]) == pytest.approx(expected, rel=2e-3, abs=1e-4)


def test_a_sequence_keeps_what_is_above_one_and_all_that_is_not_its_picture(sequence: Path) -> None:
    assert harmonize(sequence, "out.%04d.exr") == 0
    assert json.loads((sequence / "r.json").read_text())["warnings"] == []
    for number in range(11, 11 + FRAMES):
        before, after = (
            channels_of(sequence / f"{name}.{number:04d}.exr") for name in ("shot", "out")
        )
        mask = channels_of(sequence / f"matte.{number:04d}.exr")["Y"] > 0
        assert after.keys() == before.keys()
        assert np.array_equal(after["Z"], before["Z"])
        assert (
            OpenEXR.File(str(sequence / f"out.{number:04d}.exr")).header()["comments"] == "take 7"
        )
        for name in "RGB":
            assert after[name].dtype == np.float16
            assert np.array_equal(after[name][~mask], before[name][~mask])
            assert (after[name][mask] != before[name][mask]).mean() > 0.5
        lamp = (before["R"] == 8.0) & mask
        assert lamp.any()
        assert float(after["R"][lamp].min()) > 2.0


def test_the_change_is_the_one_that_16_bit_pictures_get(sequence: Path) -> None:
    """Beside the lamps: those are the same display white in both."""
    for number in range(11, 11 + FRAMES):
        shot = channels_of(sequence / f"shot.{number:04d}.exr")
        cv2.imwrite(
            str(sequence / f"shot.{number:04d}.png"),
            np.dstack([codes_of(shot[name]) for name in "BGR"]),
        )
    assert harmonize(sequence, "out.%04d.exr") == 0
    assert harmonize(sequence, "out.%04d.png", composite="shot.%04d.png") == 0
    picture = read_picture(sequence / "out.0012.png", cv2.IMREAD_UNCHANGED)
    after = channels_of(sequence / "out.0012.exr")
    inside = channels_of(sequence / "shot.0012.exr")["R"] <= 1.0
    for place, name in enumerate("BGR"):
        codes = codes_of(after[name]).astype(int)
        assert (
            np.abs(codes - picture[..., place])[inside].max() <= 40
        )  # of 65535: a half float near white is as coarse


def test_other_forms_come_out_in_what_they_hold_and_say_what_they_lose(sequence: Path) -> None:
    assert harmonize(sequence, "out.%04d.png") == 0
    assert (
        "light above 1 became white in 3 frames"
        in json.loads((sequence / "r.json").read_text())["warnings"][0]
    )
    assert read_picture(sequence / "out.0011.png", cv2.IMREAD_UNCHANGED).dtype == np.uint16
    assert harmonize(sequence, "out.mov", "--codec", "prores_ks") == 0
    assert harmonize(sequence, "new.%04d.exr", composite="out.%04d.png") == 0
    new = channels_of(sequence / "new.0012.exr")
    assert new.keys() == {"R", "G", "B"}
    png = read_picture(sequence / "out.0012.png", cv2.IMREAD_UNCHANGED)
    outside = channels_of(sequence / "matte.0012.exr")["Y"] == 0
    assert np.abs(new["G"].astype(np.float32) - light_of(png[..., 1]))[outside].max() < 6e-4


def test_a_layer_is_written_multiplied_by_its_alpha_in_light(sequence: Path) -> None:
    assert harmonize(sequence, "layer.%04d.exr", "--layer", "foreground") == 0
    assert harmonize(sequence, "whole.%04d.exr") == 0
    layer, whole = (
        channels_of(sequence / "layer.0012.exr"),
        channels_of(sequence / "whole.0012.exr"),
    )
    mask = channels_of(sequence / "matte.0012.exr")["Y"]
    assert np.array_equal(layer["A"] > 0, mask > 0)
    assert float(layer["R"].max()) > 2.0
    for name in "RGB":
        assert np.allclose(layer[name], whole[name] * layer["A"], rtol=2e-3, atol=2e-3)


def test_a_premultiplied_layer_is_divided_in_light(sequence: Path) -> None:
    light, alpha = np.full((HEIGHT, WIDTH), 0.4, np.float32), np.zeros((HEIGHT, WIDTH), np.float32)
    alpha[16:48, 20:70] = 0.5
    colors = {name: (light * alpha).astype(np.float16) for name in "RGB"}
    write(sequence / "fg.exr", {**colors, "A": alpha.astype(np.float16)})
    for number in range(11, 11 + FRAMES):
        write(
            sequence / f"bg.{number:04d}.exr",
            dict.fromkeys("RGB", np.full((HEIGHT, WIDTH), 0.1, np.float16)),
        )
    options = ["--precision", "fp32", "--strength", "0"]
    layers = [
        "--foreground",
        str(sequence / "fg.exr"),
        "--background",
        str(sequence / "bg.%04d.exr"),
        "--premultiplied",
    ]
    assert main(["harmonize", *layers, "-o", str(sequence / "laid.%04d.exr"), *options]) == 0
    laid = channels_of(sequence / "laid.0011.exr")["G"]
    mixed = float(
        linear(0.5 * (encoded(np.array([0.4], np.float32)) + encoded(np.array([0.1], np.float32))))[
            0
        ]
    )
    assert float(laid[30, 40]) == pytest.approx(mixed, rel=2e-3)
    assert laid[0, 0] == np.float16(0.1)


def test_an_own_alpha_marks_the_foreground(sequence: Path) -> None:
    shot = channels_of(sequence / "shot.0011.exr")
    alpha = channels_of(sequence / "matte.0011.exr")["Y"]
    write(sequence / "still.exr", {**{name: shot[name] for name in "RGB"}, "A": alpha})
    options = ["--precision", "fp32"]
    assert (
        main(["harmonize", str(sequence / "still.exr"), "-o", str(sequence / "done.exr"), *options])
        == 0
    )
    done = channels_of(sequence / "done.exr")
    assert np.array_equal(done["A"], alpha)
    assert np.array_equal(done["R"][alpha == 0], shot["R"][alpha == 0])
    assert not np.array_equal(done["R"], shot["R"])


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"no picture", "no OpenEXR"),
        (None, "R, G and B"),
        (b"\x76\x2f\x31\x01 cut short", "cannot be read as OpenEXR"),
    ],
)
def test_what_cannot_be_read_is_told(
    sequence: Path, capsys: pytest.CaptureFixture[str], content: bytes | None, said: str
) -> None:
    if content is None:
        write(sequence / "shot.0011.exr", {"Y": np.zeros((HEIGHT, WIDTH), np.float16)})
    else:
        (sequence / "shot.0011.exr").write_bytes(content)
    assert harmonize(sequence, "out.%04d.exr") == 2
    error = capsys.readouterr().err
    assert said in error
    assert error.count("\n") == 1
    assert not list(sequence.glob("*out*"))


def test_settings_that_the_form_does_not_know_are_refused(
    sequence: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert harmonize(sequence, "out.%04d.exr", "--pix-fmt", "gbrp") == 2
    assert "--pix-fmt gbrp: pictures have no such setting" in capsys.readouterr().err


def test_other_parts_windows_and_what_was_compressed_with_loss(sequence: Path) -> None:
    shot = channels_of(sequence / "shot.0011.exr")
    window = {
        "dataWindow": (np.array([10, 20], np.int32), np.array([9 + WIDTH, 19 + HEIGHT], np.int32)),
        "displayWindow": (np.array([0, 0], np.int32), np.array([199, 99], np.int32)),
    }
    form = {"type": OpenEXR.scanlineimage, **window}
    beauty = OpenEXR.Part(
        {**form, "compression": OpenEXR.DWAA_COMPRESSION, "name": "beauty"},
        {name: shot[name] for name in "RGB"},
    )
    depth = OpenEXR.Part(
        {**form, "compression": OpenEXR.ZIP_COMPRESSION, "name": "depth"}, {"Z": shot["Z"]}
    )
    OpenEXR.File([depth, beauty]).write(str(sequence / "parts.exr"))
    matte = channels_of(sequence / "matte.0011.exr")["Y"]
    mask = sequence / "matte.exr"
    write(mask, {"Y": matte}, **window)
    assert (
        main(
            [
                "harmonize",
                str(sequence / "parts.exr"),
                "--mask",
                str(mask),
                "-o",
                str(sequence / "done.exr"),
                "--precision",
                "fp32",
            ]
        )
        == 0
    )
    before, after = (
        OpenEXR.File(str(sequence / name), separate_channels=True)
        for name in ("parts.exr", "done.exr")
    )
    assert [part.name() for part in after.parts] == ["depth", "beauty"]
    assert np.array_equal(after.parts[0].channels["Z"].pixels, shot["Z"])
    assert [tuple(corner) for corner in after.parts[1].header["dataWindow"]] == [
        (10, 20),
        (9 + WIDTH, 19 + HEIGHT),
    ]
    outside = matte == 0
    for name in "RGB":
        was, is_now = before.parts[1].channels[name].pixels, after.parts[1].channels[name].pixels
        assert np.array_equal(was[outside], is_now[outside])
        assert not np.array_equal(was, is_now)
