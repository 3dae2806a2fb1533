"""What is written is upright, whether its container can tell players to turn it or not."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest

from tests.support.commands import harmonize
from tests.support.pictures import read_picture
from tests.support.scenes import moving_scene, write_video
from tests.video.test_matte import turned_video
from vhmae.cli import main
from vhmae.video.probe import probe_video
from vhmae.video.reader import planar_frame, read_frames
from vhmae.video.stills import Turn
from vhmae.video.turning import righted, turned_frame

SAME = ("--strength", "0", "--precision", "fp32")


def scene() -> np.ndarray:
    """An upright clip (T, H, W) that looks otherwise from every side."""
    y, x = np.mgrid[0:96, 0:64]
    picture = (40 + x + y).astype(np.uint8)
    picture[6:26, 8:40] = 220
    return np.stack([picture, picture])


@pytest.fixture
def phone(tmp_path: Path) -> Path:
    mask = np.zeros((96, 64), np.uint8)
    mask[6:26, 8:40] = 255
    assert cv2.imwrite(str(tmp_path / "mask.png"), mask)
    return turned_video(tmp_path / "phone.mp4", scene(), 270).path


def shown(path: Path) -> np.ndarray:
    """The first frame's luma, or its green, as a player shows it."""
    if path.suffix == ".png":
        return np.asarray(read_picture(path))[..., 1]
    info = probe_video(path)
    frame = next(read_frames(righted(info)))
    return np.rint(frame.image.rgb()[..., 1] * 255.0)


@pytest.mark.parametrize("name", ["o.%04d.png", "o.avi", "o.mov", "o.mkv", "o.mp4"])
def test_a_turned_video_is_upright_in_every_container(phone: Path, name: str) -> None:
    out = phone.parent / name
    harmonize(phone, "--mask", phone.parent / "mask.png", "-o", out, *SAME)
    picture = shown(Path(str(out).replace("%04d", "0001")))
    assert picture.shape == (96, 64)
    assert np.abs(picture.astype(int) - scene()[0]).mean() < 4


def test_a_matte_and_a_layer_of_a_turned_video_are_upright(phone: Path) -> None:
    folder = phone.parent
    told = ["--with", "file", "--matte", str(folder / "mask.png"), "-o", str(folder / "m.%d.png")]
    assert main(["matte", str(phone), *told]) == 0
    matte = read_picture(folder / "m.1.png", cv2.IMREAD_GRAYSCALE)
    assert np.array_equal(matte, read_picture(folder / "mask.png", cv2.IMREAD_GRAYSCALE))
    back = np.full((200, 100, 3), 60, np.uint8)
    assert cv2.imwrite(str(folder / "back.png"), back)
    laid = ["--foreground", phone, "--background", folder / "back.png", "--position", "10,20"]
    harmonize(*laid, "--mask", folder / "mask.png", "-o", folder / "l.%d.png", *SAME)
    bright = np.argwhere(shown(folder / "l.1.png") > 150)
    assert bright.min(axis=0).tolist() == [26, 18]
    assert bright.max(axis=0).tolist() == [45, 49]


@pytest.mark.parametrize("kind", ["yuv420p", "yuv422p", "yuv444p10le", "rgb24", "gray"])
@pytest.mark.parametrize("turn", [Turn(1), Turn(2), Turn(3), Turn(0, True), Turn(3, True)])
def test_turned_frames_hold_the_same_colors(kind: str, turn: Turn, tmp_path: Path) -> None:
    codec, suffix = ("png", ".mov") if kind == "rgb24" else ("ffv1", ".mkv")
    path = write_video(
        tmp_path / f"a{suffix}", moving_scene(1, 48, 32)[0], codec=codec, pix_fmt=kind
    )
    info = probe_video(path)
    frame = next(read_frames(info))
    turned = planar_frame(turned_frame(frame.decoded, turn), info).rgb()
    assert np.abs(turned - turn.plane(frame.image.rgb())).mean() < 0.01
