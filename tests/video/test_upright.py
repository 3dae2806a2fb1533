"""What is written is upright, whether its container can tell players to turn it or not."""

from __future__ import annotations

import struct
import zlib
from pathlib import Path
from typing import Any, NoReturn

import av
import cv2
import numpy as np
import pytest

from tests.support.commands import harmonize
from tests.support.pictures import read_picture
from tests.support.scenes import moving_scene, write_video
from tests.support.turned import turned_video
from vhmae.cli import main
from vhmae.errors import InputError
from vhmae.video import stills
from vhmae.video.browser import read_upright
from vhmae.video.matte import open_matte
from vhmae.video.probe import probe_video
from vhmae.video.reader import planar_frame, read_frames
from vhmae.video.source import probe_source
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


MIRRORED = {
    "left to right": (-1, 0, 0, 1),
    "top to bottom": (1, 0, 0, -1),
    "over one diagonal": (0, 1, 1, 0),
    "over the other": (0, -1, -1, 0),
}
"""What the four numbers of a display matrix do to a picture's x and y."""


def mirrored_video(path: Path, upright: np.ndarray, kind: str) -> Path:
    """A lossless video that players show as ``upright`` (T, H, W) once they have mirrored it."""
    stored = {
        "left to right": upright[:, :, ::-1],
        "top to bottom": upright[:, ::-1],
        "over one diagonal": upright.transpose(0, 2, 1),
        "over the other": upright[:, ::-1, ::-1].transpose(0, 2, 1),
    }[kind]
    a, b, c, d = (one << 16 for one in MIRRORED[kind])
    with av.open(str(path), "w") as container:
        stream: Any = container.add_stream("libx264", rate=25, options={"qp": "0"})
        stream.width, stream.height, stream.pix_fmt = stored.shape[2], stored.shape[1], "yuv444p"
        stream.set_display_matrix((a, b, 0, c, d, 0, 0, 0, 1 << 30))
        for picture in stored:
            grey = np.ascontiguousarray(np.repeat(picture[..., None], 3, axis=-1))
            container.mux(stream.encode(av.VideoFrame.from_ndarray(grey)))
        container.mux(stream.encode(None))
    return path


@pytest.mark.parametrize("kind", MIRRORED)
def test_a_mirrored_video_is_upright_wherever_it_is_read(kind: str, tmp_path: Path) -> None:
    phone = mirrored_video(tmp_path / "phone.mp4", scene(), kind)
    mask = mirrored_video(tmp_path / "mask.mp4", (scene() == 220).astype(np.uint8) * 255, kind)
    assert probe_source(phone, "composite").width == 64
    seen = next(read_upright(probe_source(phone, "composite"), 0, 1))
    assert np.abs(seen[..., 1].astype(int) - scene()[0]).mean() < 2
    for name in ("o.%04d.png", "o.avi", "o.mp4"):
        out = tmp_path / name
        harmonize(phone, "--mask", mask, "-o", out, *SAME)
        picture = shown(Path(str(out).replace("%04d", "0001")))
        assert picture.shape == (96, 64)
        assert np.abs(picture.astype(int) - scene()[0]).mean() < 4
    found = next(open_matte(mask).read(probe_source(phone, "composite")))
    assert ((found > 127) == (scene()[0] == 220)).mean() > 0.99


def test_a_mask_that_does_not_say_how_it_lies_is_mirrored_with_the_video(tmp_path: Path) -> None:
    phone = probe_source(
        mirrored_video(tmp_path / "phone.mp4", scene(), "left to right"), "composite"
    )
    stored = (scene()[0, :, ::-1] == 220).astype(np.uint8) * 255
    assert cv2.imwrite(str(tmp_path / "mask.png"), stored)
    mask = open_matte(tmp_path / "mask.png")
    assert np.array_equal(next(mask.read(phone)), stored[:, ::-1])
    assert "mirrored by its file" in (mask.doubt(phone) or "")


@pytest.mark.parametrize("order", ["<", ">"])
def test_a_tiff_that_ends_in_its_size_is_not_read_whole(
    order: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def whole(*_: object) -> NoReturn:
        raise AssertionError("the pixels are read, too")

    monkeypatch.setattr(stills, "picture_bytes", whole)
    written = tmp_path / "written.tif"
    noise = np.random.default_rng(0).integers(0, 65536, (200, 300, 3), np.uint16)
    assert cv2.imwrite(str(written), noise)
    assert stills.upright_size(written, "frame") == (300, 200)
    entries = [(256, 3, 50), (257, 3, 40), (274, 3, 6)]  # turned by a quarter
    begins = {"<": b"II*\0", ">": b"MM\0*"}[order] + struct.pack(order + "I", 8 + (1 << 20))
    told = [struct.pack(order + "HHIHH", tag, kind, 1, value, 0) for tag, kind, value in entries]
    directory = struct.pack(order + "H", len(entries)) + b"".join(told) + bytes(4)
    turned = tmp_path / "turned.tif"
    turned.write_bytes(begins + bytes(1 << 20) + directory)
    assert stills.upright_size(turned, "frame") == (40, 50)
    monkeypatch.undo()
    turned.write_bytes(begins + bytes(1 << 10))
    with pytest.raises(InputError, match=r"turned\.tif: cannot be read as a picture \(damaged\)"):
        stills.upright_size(turned, "frame")


def test_a_turn_behind_the_pixels_of_a_png_is_seen(tmp_path: Path) -> None:
    noise = np.random.default_rng(0).integers(0, 256, (200, 300, 3), np.uint8)
    data = cv2.imencode(".png", noise)[1].tobytes()
    tag = b"eXIfII*\0" + struct.pack("<IHHHIHHI", 8, 1, 274, 3, 1, 6, 0, 0)
    chunk = struct.pack(">I", len(tag) - 4) + tag + struct.pack(">I", zlib.crc32(tag))
    assert len(data) > 1 << 17
    for number in (1, 2):
        (tmp_path / f"{number}.png").write_bytes(data[:-12] + chunk + data[-12:])
    info = probe_source(tmp_path, "composite")
    assert (info.width, info.height, info.frames) == (200, 300, 2)
    (tmp_path / "3.png").write_bytes(data)  # stands as it is stored
    with pytest.raises(InputError, match=r"3\.png: is 300x200, the first composite is 200x300"):
        probe_source(tmp_path, "composite")
