"""OpenEXR: pixels lie where the data window says, and colors are those of the chromaticities."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import OpenEXR
import PyOpenColorIO as ocio
import pytest

from tests.support.exr import channels_of, write
from tests.support.pictures import read_picture
from tests.support.scenes import moving_scene
from vhmae import memory
from vhmae.cli import main
from vhmae.color.primaries import BT709, between
from vhmae.color.srgb import linear
from vhmae.errors import InputError
from vhmae.video.exr import ExrPicture, codes_of

WIDTH, HEIGHT = 96, 64
AP1 = (0.713, 0.293, 0.165, 0.83, 0.128, 0.044, 0.32168, 0.33767)
BT2020 = (0.708, 0.292, 0.17, 0.797, 0.131, 0.046, 0.3127, 0.329)
SMALLER = (20, 10, 80, 60)
LARGER = (-8, -6, 100, 72)
"""Left, top, right and bottom of data windows; a frame begins at 0, 0."""


def corner(x: int, y: int) -> np.ndarray:
    return np.array([x, y], np.int32)


def windows(data: tuple[int, int, int, int]) -> dict[str, Any]:
    left, top, right, bottom = data
    return {
        "dataWindow": (corner(left, top), corner(right - 1, bottom - 1)),
        "displayWindow": (corner(0, 0), corner(WIDTH - 1, HEIGHT - 1)),
    }


def held(plane: np.ndarray, data: tuple[int, int, int, int], beyond: float = 0.0) -> np.ndarray:
    """What a data window has of a frame; ``beyond`` it there is something else."""
    left, top, right, bottom = data
    around = 16
    large = np.pad(plane, around, constant_values=beyond)
    return np.ascontiguousarray(
        large[top + around : bottom + around, left + around : right + around]
    )


@pytest.fixture
def scene(tmp_path: Path) -> tuple[Path, dict[str, np.ndarray], np.ndarray]:
    """A folder, the light of one frame, and where the foreground is, with ``whole.exr`` and
    ``mask.exr``."""
    (picture,), (mask,) = moving_scene(1, WIDTH, HEIGHT)
    light = linear(picture / np.float32(255.0)).astype(np.float16)
    planes = {name: np.ascontiguousarray(light[..., at]) for at, name in enumerate("RGB")}
    write(tmp_path / "whole.exr", planes)
    write(tmp_path / "mask.exr", {"A": mask.astype(np.float16)})
    return tmp_path, planes, mask


def run(folder: Path, *words: str) -> dict[str, Any]:
    report = folder / "report.json"
    names = [str(folder / word) if "." in word and word[0] != "-" else word for word in words]
    code = main(["harmonize", *names, "--precision", "fp32", "--json", str(report)])
    assert code == 0
    found: dict[str, Any] = json.loads(report.read_text())
    return found


@pytest.mark.parametrize("data", [SMALLER, LARGER], ids=["smaller", "larger"])
@pytest.mark.parametrize("output", ["out.exr", "out.png"])
def test_a_composite_is_the_display_window(
    data: tuple[int, int, int, int], output: str, scene: Any
) -> None:
    folder, planes, mask = scene
    header = windows(data)
    held_planes = {name: held(plane, data, 0.25) for name, plane in planes.items()}
    write(folder / "plate.exr", held_planes, **header)
    report = run(folder, "plate.exr", "--mask", "mask.exr", "-o", output)
    told = [one for one in report["warnings"] if "beyond the display window" in one]
    assert bool(told) == (data == LARGER)
    if output == "out.png":
        picture = read_picture(folder / output, cv2.IMREAD_UNCHANGED)
        assert picture.shape[:2] == (HEIGHT, WIDTH)
        full = np.full((HEIGHT, WIDTH), data == LARGER)
        full[max(0, data[1]) : data[3], max(0, data[0]) : data[2]] = True
        for place, name in enumerate("BGR"):
            codes = np.where(full, codes_of(planes[name]), 0)
            assert np.array_equal(picture[..., place][~mask], codes[~mask])
        return
    after = OpenEXR.File(str(folder / output), separate_channels=True).parts[0]
    assert [tuple(corner) for corner in after.header["dataWindow"]] == [
        tuple(corner) for corner in header["dataWindow"]
    ]
    marked = held(mask.astype(np.uint8), data) > 0
    for name, plane in held_planes.items():
        pixels = after.channels[name].pixels
        assert np.array_equal(pixels[~marked], plane[~marked])
        assert (pixels[marked] != plane[marked]).mean() > 0.5


@pytest.mark.parametrize("data", [SMALLER, LARGER], ids=["smaller", "larger"])
def test_a_mask_lies_where_it_says(data: tuple[int, int, int, int], scene: Any) -> None:
    """Nuke writes mattes cut to what is in them."""
    folder, _, mask = scene
    whole = np.zeros((HEIGHT, WIDTH), np.float16)
    part = (slice(max(0, data[1]), data[3]), slice(max(0, data[0]), data[2]))
    whole[part] = mask[part]
    write(folder / "same.exr", {"A": whole})
    write(folder / "cut.exr", {"A": held(whole, data)}, **windows(data))
    assert whole.any()
    for name in ("same", "cut"):
        run(folder, "whole.exr", "--mask", f"{name}.exr", "-o", f"by_{name}.exr")
    expected, found = (channels_of(folder / f"by_{name}.exr") for name in ("same", "cut"))
    for name in "RGB":
        assert np.array_equal(found[name], expected[name])


def test_a_matte_of_nothing_but_its_box_is_not_stretched(scene: Any) -> None:
    folder, _, mask = scene
    rows, columns = np.flatnonzero(mask.any(axis=1)), np.flatnonzero(mask.any(axis=0))
    box = (int(columns[0]), int(rows[0]), int(columns[-1]) + 1, int(rows[-1]) + 1)
    write(folder / "box.exr", {"A": held(mask.astype(np.float16), box)}, **windows(box))
    matte = ExrPicture(folder / "box.exr").levels()
    assert np.array_equal(matte > 0, mask > 0)


def test_a_layer_lies_where_it_says(scene: Any) -> None:
    folder, planes, mask = scene
    cover = mask.astype(np.float16)
    layer = {**{name: plane * cover for name, plane in planes.items()}, "A": cover}
    write(folder / "layer.exr", layer)
    cut = {name: held(plane, SMALLER) for name, plane in layer.items()}
    edge = np.zeros((HEIGHT, WIDTH), bool)
    edge[SMALLER[1] : SMALLER[3], SMALLER[0] : SMALLER[2]] = True
    whole = {name: np.where(edge, plane, np.float16(0)) for name, plane in layer.items()}
    write(folder / "layer.exr", whole)
    write(folder / "cut.exr", cut, **windows(SMALLER))
    grey = {name: np.full((HEIGHT, WIDTH), 0.3, np.float16) for name in "RGB"}
    write(folder / "back.exr", grey)
    for name in ("layer", "cut"):
        run(
            folder,
            "--background",
            "back.exr",
            "--foreground",
            f"{name}.exr",
            "--premultiplied",
            "-o",
            f"by_{name}.exr",
        )
    expected, found = (channels_of(folder / f"by_{name}.exr") for name in ("layer", "cut"))
    for name in "RGB":
        assert np.array_equal(found[name], expected[name])


def test_a_written_layer_has_the_marks_of_its_source(scene: Any) -> None:
    folder, planes, mask = scene
    beside = {name: held(plane, SMALLER) for name, plane in planes.items()}
    write(
        folder / "plate.exr", beside, chromaticities=AP1, pixelAspectRatio=2.0, **windows(SMALLER)
    )
    run(folder, "plate.exr", "--mask", "mask.exr", "--layer", "foreground", "-o", "layer.exr")
    header = OpenEXR.File(str(folder / "layer.exr")).parts[0].header
    assert header["chromaticities"] == pytest.approx(AP1, abs=1e-6)
    assert header["pixelAspectRatio"] == 2.0
    assert [tuple(corner) for corner in header["dataWindow"]] == [(0, 0), (WIDTH - 1, HEIGHT - 1)]
    assert mask.any()


# --- chromaticities


def built_in(style: str) -> np.ndarray:
    """The matrix of one of OpenColorIO's own transforms."""
    config = ocio.Config.CreateRaw()
    processor = config.getProcessor(ocio.BuiltinTransform(style=style)).getDefaultCPUProcessor()
    return np.array([processor.applyRGB(list(row)) for row in np.eye(3)]).T


def test_matrices_are_those_of_an_independent_implementation() -> None:
    to_709 = built_in("UTILITY - ACES-AP1_to_LINEAR-REC709_BFD")
    assert np.abs(between(AP1, BT709) - to_709).max() < 2e-4
    assert np.abs(between(BT709, BT709) - np.eye(3)).max() < 1e-12
    # ITU-R BT.2087-0, inverse of Annex 1's matrix
    wide = np.array(
        [[1.6605, -0.5876, -0.0728], [-0.1246, 1.1329, -0.0083], [-0.0182, -0.1006, 1.1187]]
    )
    assert np.abs(between(BT2020, BT709) - wide).max() < 2e-4


@pytest.mark.parametrize("told", [AP1, BT2020], ids=["ACEScg", "BT.2020"])
@pytest.mark.parametrize("kind", [np.float16, np.float32])
def test_the_same_colors_in_other_primaries_become_the_same(
    told: tuple[float, ...], kind: type, scene: Any
) -> None:
    folder, planes, mask = scene
    light = np.stack([planes[name].astype(np.float32) for name in "RGB"])
    light[:, 30:33, 40:44] = 4.0  # a lamp
    write(folder / "709.exr", {name: light[at].astype(kind) for at, name in enumerate("RGB")})
    wide = np.tensordot(np.linalg.inv(between(told, BT709)), light, 1)
    written = {name: wide[at].astype(kind) for at, name in enumerate("RGB")}
    write(folder / "wide.exr", written, chromaticities=told)
    for name in ("709", "wide"):
        run(folder, f"{name}.exr", "--mask", "mask.exr", "-o", f"out_{name}.exr")
    narrow, found = (channels_of(folder / f"out_{name}.exr") for name in ("709", "wide"))
    after = np.tensordot(
        between(told, BT709), np.stack([found[name].astype(np.float32) for name in "RGB"]), 1
    )
    for at, name in enumerate("RGB"):
        assert np.array_equal(found[name][~mask], written[name][~mask])
        assert found[name].dtype == kind
        expected = narrow[name].astype(np.float32)
        assert np.abs(after[at] - expected).max() < 6e-3 * max(1.0, float(expected.max()))
        assert (found[name][mask] != written[name][mask]).mean() > 0.5
    header = OpenEXR.File(str(folder / "out_wide.exr")).parts[0].header
    assert header["chromaticities"] == pytest.approx(told, abs=1e-6)


def test_colors_of_other_primaries_are_shown_as_they_are(scene: Any) -> None:
    folder, planes, _ = scene
    grey = {name: np.full((HEIGHT, WIDTH), 0.18, np.float32) for name in "RGB"}
    write(folder / "grey.exr", grey, chromaticities=AP1)
    shown, cut = ExrPicture(folder / "grey.exr").display()
    assert not cut
    same = int(codes_of(grey["G"])[0, 0])
    for plane in shown:  # white is white, whatever the primaries
        assert int(np.abs(plane.astype(int) - same).max()) <= 1
    wide = {name: plane.astype(np.float32) for name, plane in planes.items()}
    write(folder / "wide.exr", wide, chromaticities=AP1)
    (green, _, _), _ = ExrPicture(folder / "wide.exr").display()
    assert np.abs(green.astype(int) - codes_of(wide["G"])).max() > 1000


@pytest.mark.parametrize(
    "told", [(0.3, 0.3, 0.3, 0.3, 0.3, 0.3, 0.3, 0.3), (0.64, 0.0, *BT709[2:]), (np.nan, *AP1[1:])]
)
def test_damaged_chromaticities_are_told(told: tuple[float, ...], scene: Any) -> None:
    folder, planes, _ = scene
    write(folder / "odd.exr", planes, chromaticities=told)
    with pytest.raises(InputError, match=r"odd.exr: its chromaticities are damaged"):
        ExrPicture(folder / "odd.exr").display()


# --- files that mean harm


def test_a_file_of_more_than_the_memory_is_refused(
    scene: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder, planes, _ = scene
    far = {
        "dataWindow": (corner(0, 0), corner(WIDTH - 1, HEIGHT - 1)),
        "displayWindow": (corner(0, 0), corner(99_999, 99_999)),
    }
    write(folder / "far.exr", planes, **far)
    monkeypatch.setattr(memory, "available_bytes", lambda: 2**30)
    with pytest.raises(InputError, match=r"far.exr: needs 111.\d GiB of memory"):
        ExrPicture(folder / "far.exr")


def test_names_need_not_be_utf_8(scene: Any) -> None:
    folder, _, _ = scene
    odd = folder / os.fsdecode(b"c\xe9.exr")
    odd.write_bytes((folder / "whole.exr").read_bytes())
    mask, out = folder / os.fsdecode(b"m\xe9.exr"), folder / os.fsdecode(b"o\xe9.exr")
    mask.write_bytes((folder / "mask.exr").read_bytes())
    assert main(["harmonize", str(odd), "--mask", str(mask), "-o", str(out)]) == 0
    assert out.stat().st_size > 0


def test_a_pipe_is_no_picture(scene: Any) -> None:
    folder, _, _ = scene
    os.mkfifo(folder / "pipe.exr")
    with pytest.raises(InputError, match="is a pipe or a device"):
        ExrPicture(folder / "pipe.exr")
