"""OpenEXR laid over OpenEXR: highlights of the foreground are kept, those of what it covers do not
shine through, and the rest stays to the bit."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest

from tests.support.hdr import read_exr, srgb_light, write_exr
from tests.support.networks import changing_model
from tests.support.pictures import read_picture
from vhmae.arrays import Array
from vhmae.cli import main
from vhmae.color.light import WideSpace
from vhmae.data.clips import write_mask_bits
from vhmae.model.weights import save_model
from vhmae.video.exr import write_new

HEIGHT, WIDTH = 48, 64
MASK = np.zeros((HEIGHT, WIDTH), bool)
MASK[8:40, 12:52] = True


@pytest.fixture(scope="module")
def work(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("exr")
    y, x = np.mgrid[0:HEIGHT, 0:WIDTH]
    back = np.dstack([0.1 + x / 200, 0.2 + y / 150, 0.3 + (x + y) / 400])
    back[0:30, 20:40] = (9.0, 5.0, 40.0)  # a lamp, half of it covered
    back[44, 60] = 700.0
    front = np.dstack([0.5 - x / 200, 0.25 + 0 * x, 0.1 + y / 100])
    front[20:30, 20:30] = (6.0, 3.0, 1.5)
    front[34:36, 20:30] = 60000.0
    write_exr(folder / "back.exr", back)
    write_exr(folder / "front.exr", front)
    assert cv2.imwrite(str(folder / "front.png"), np.full((HEIGHT, WIDTH, 3), 128, np.uint8))
    write_mask_bits(MASK[None], folder / "m.npz")
    save_model(changing_model(), folder / "w.safetensors", {})
    return folder


def laid(work: Path, front: str, out: Path, *options: object) -> Array:
    command = ["harmonize", "--foreground", work / front, "--background", work / "back.exr"]
    command += ["--mask", work / "m.npz", "-o", out, "-q", "--precision", "fp32"]
    command += ["--weights", work / "w.safetensors", "--caution", "0", *options]
    assert main(list(map(str, command))) == 0
    return read_exr(out) if out.suffix == ".exr" else read_picture(out)[..., ::-1] / 255.0


def test_light_above_white_is_kept_and_nothing_shines_through(work: Path, tmp_path: Path) -> None:
    found = laid(work, "front.exr", tmp_path / "out.exr", "--strength", 0)
    front, back = read_exr(work / "front.exr"), read_exr(work / "back.exr")
    assert np.array_equal(found[~MASK], back[~MASK])
    # A code of 16 bit is .03 % above white, and 1 / 32768 of sRGB below it.
    assert (np.abs(found - front)[MASK] <= 1e-3 * front[MASK] + 2e-4).all()


def test_highlights_take_on_the_change_of_what_is_shown(work: Path, tmp_path: Path) -> None:
    found = laid(work, "front.exr", tmp_path / "out.exr")
    front, back = read_exr(work / "front.exr"), read_exr(work / "back.exr")
    assert np.array_equal(found[~MASK], back[~MASK])
    lamp = found[22:28, 22:28] / front[22:28, 22:28]
    assert np.abs(lamp - 1.0).max() > 0.01
    assert lamp.max() <= 1.0 + 1e-3  # shown as white, it can only become darker
    dark = MASK & (front < 0.9).all(axis=-1)
    assert np.abs(found - front)[dark].mean() > 0.005
    again = laid(work, "front.exr", tmp_path / "out.png")  # what can hold no more ends at white
    below = dark & (found < 0.9).all(axis=-1)
    assert np.abs(srgb_light(again) - found)[below].max() < 0.01


def test_a_picture_without_highlights_covers_a_lamp(work: Path, tmp_path: Path) -> None:
    found = laid(work, "front.png", tmp_path / "out.exr", "--strength", 0)
    grey = float(srgb_light(np.array(128 / 255)))
    assert np.abs(found[MASK] - grey).max() < 1e-3


def test_codes_hold_all_light_of_half_floats() -> None:
    light = np.concatenate([np.linspace(0.0, 1.0, 500), np.geomspace(1.0, 65504.0, 500)])
    codes = np.rint(65535.0 * WideSpace().from_light(np.stack([light] * 3)))
    back = WideSpace().to_light(codes.astype(np.float32) / np.float32(65535.0))[0]
    assert (np.diff(codes[0]) >= 0).all()
    assert codes.max() == 65535
    assert (np.abs(back - light) <= 2e-4 * light + 4e-5).all()


def test_a_layer_holds_numbers_alone(work: Path, tmp_path: Path) -> None:
    """What is not shown counts for nothing, what half floats cannot hold is the most they can."""
    light, alpha = np.full((2, 2, 3), np.inf, np.float32), np.array([[0.0, 1.0], [0.5, 0.0]])
    light[0, 1], light[1, 0] = 1e5, 0.5
    light[1, 1] = light[0, 1, 2] = np.nan
    write_new(tmp_path / "l.exr", light, alpha.astype(np.float32))
    found = read_exr(tmp_path / "l.exr")
    assert found[..., 0].tolist() == [[0.0, 65504.0], [0.25, 0.0]]
    assert np.isfinite(found).all()
