"""`--check` reads all that the work reads: what is refused in the midst of the work is refused by
it, in the same words."""

from __future__ import annotations

import json
from pathlib import Path

import cv2
import numpy as np
import pytest

from tests.support.commands import error_of
from tests.support.exr import write
from tests.support.scenes import moving_scene, write_video
from vhmae.cli import main
from vhmae.data.clips import write_mask_bits
from vhmae.video.stills import write_levels

FRAMES = 5
DAMAGED = 3


def written(path: Path, picture: np.ndarray) -> None:
    if path.suffix == ".exr":
        light = picture.astype(np.float32) / 255.0
        write(path, {name: light[..., place].copy() for place, name in enumerate("RGB")})
    elif path.suffix == ".tif":  # packed in strips, of which FFmpeg minds the loss of one
        write_levels(path, picture, (cv2.IMWRITE_TIFF_COMPRESSION, 1))
    else:
        write_levels(path, picture)


def refused(folder: Path, *flags: str | Path, capsys: pytest.CaptureFixture[str]) -> str:
    """The line of the work, which the check says before it, and leaves nothing behind."""
    run = ("harmonize", *flags, "-o", folder / "out.mkv", "--quality", "fast")
    line = error_of(*run, "--check", capsys=capsys)
    assert not (folder / "out.mkv").exists()
    assert error_of(*run, capsys=capsys) == line
    return line


@pytest.mark.parametrize("kind", [".png", ".jpg", ".tif", ".exr", ".webp", ".bmp"])
@pytest.mark.parametrize("which", ["plate", "mask"])
def test_a_picture_that_breaks_off_in_a_sequence_is_found(
    which: str, kind: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    frames, masks = moving_scene(FRAMES, 96, 64)
    pictures = {"plate": frames, "mask": np.repeat(masks[..., None] * np.uint8(255), 3, axis=3)}
    for name, own in pictures.items():
        (tmp_path / name).mkdir()
        for number, picture in enumerate(own):
            suffix = kind if name == which else ".png"
            written(tmp_path / name / f"{name}.{number}{suffix}", picture)
    last = tmp_path / which / f"{which}.{DAMAGED}{kind}"
    data = last.read_bytes()
    last.write_bytes(data[: len(data) * 3 // 5])
    flags = (tmp_path / "plate", "--mask", tmp_path / "mask")
    assert str(last) in refused(tmp_path, *flags, capsys=capsys)


def test_a_picture_damaged_in_its_middle_is_found(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    frames, masks = moving_scene(FRAMES, 96, 64)
    write_mask_bits(masks, tmp_path / "m.npz")
    (tmp_path / "plate").mkdir()
    for number, frame in enumerate(frames):
        write_levels(tmp_path / "plate" / f"{number}.png", frame)
    last = tmp_path / "plate" / f"{DAMAGED}.png"
    data = bytearray(last.read_bytes())
    data[len(data) // 2 : len(data) // 2 + 64] = bytes(64)
    last.write_bytes(data)
    flags = (tmp_path / "plate", "--mask", tmp_path / "m.npz")
    assert f"{last}: cannot be read as a picture" in refused(tmp_path, *flags, capsys=capsys)


def test_a_jpeg_that_breaks_off_is_damaged_whatever_it_holds_whole(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Cameras put a small picture into the head of the large one, which has an end of its own."""
    frames, masks = moving_scene(1, 96, 64)
    write_levels(tmp_path / "c.jpg", frames[0])
    write_levels(tmp_path / "m.png", masks[0] * np.uint8(255))
    data = (tmp_path / "c.jpg").read_bytes()
    small = cv2.imencode(".jpg", frames[0][::8, ::8])[1].tobytes()
    body = b"Exif\0\0" + small
    inside = b"\xff\xe1" + (2 + len(body)).to_bytes(2, "big") + body
    whole = data[:2] + inside + data[2:]
    (tmp_path / "c.jpg").write_bytes(whole)
    run = ["harmonize", str(tmp_path / "c.jpg"), "--mask", str(tmp_path / "m.png")]
    assert main([*run, "-o", str(tmp_path / "o.png"), "--check", "-q"]) == 0
    (tmp_path / "c.jpg").write_bytes(whole[: len(whole) * 3 // 4])
    assert "(damaged)" in error_of(*run, "-o", tmp_path / "o.png", capsys=capsys)


def test_a_recording_that_goes_on_in_another_size_is_found(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    parts = []
    for size in ((96, 64), (128, 80)):
        part = tmp_path / "part.mjpeg"
        write_video(part, moving_scene(3, *size)[0], codec="mjpeg", pix_fmt="yuvj420p")
        parts.append(part.read_bytes())
    (tmp_path / "in.mjpeg").write_bytes(b"".join(parts))
    write_mask_bits(moving_scene(6, 96, 64)[1], tmp_path / "m.npz")
    flags = (tmp_path / "in.mjpeg", "--mask", tmp_path / "m.npz")
    assert "but 128x80 from frame 3 on" in refused(tmp_path, *flags, capsys=capsys)


def test_a_shot_without_background_is_found(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    frames, masks = moving_scene(12, 96, 64)
    other = np.kron(np.random.default_rng(0).integers(0, 80, (8, 12, 3)), np.ones((8, 8, 1), int))
    video = np.concatenate([frames, np.stack([other.astype(np.uint8)] * 10)])
    composite = write_video(tmp_path / "in.mkv", video)
    write_mask_bits(np.concatenate([masks, np.ones((10, 64, 96), bool)]), tmp_path / "m.npz")
    flags = (composite, "--mask", tmp_path / "m.npz")
    told = refused(tmp_path, *flags, capsys=capsys)
    assert "shows no background in the shot at 0.48 s (frame 12)" in told
    one = ("--no-cut-detection", "-o", str(tmp_path / "out.mkv"), "--check", "-q")
    assert main(["harmonize", *map(str, flags), *one]) == 0  # the shot before it shows some


def test_a_point_beside_the_mask_is_found(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    frames, masks = moving_scene(6, 96, 64)
    composite = write_video(tmp_path / "in.mkv", frames)
    write_mask_bits(masks, tmp_path / "m.npz")
    flags = (composite, "--mask", tmp_path / "m.npz", "--neutral", "1,1")
    assert "lies outside the mask" in refused(tmp_path, *flags, capsys=capsys)


def test_what_is_known_after_the_last_frame_is_told(tmp_path: Path) -> None:
    frames, masks = moving_scene(6, 96, 64)
    composite = write_video(tmp_path / "in.mkv", frames)
    for name in ("m", "n"):
        write_mask_bits(masks, tmp_path / f"{name}.npz")
    both = [text for name in ("m", "n") for text in ("--mask", str(tmp_path / f"{name}.npz"))]
    run = ["harmonize", str(composite), *both, "-o", str(tmp_path / "out.mkv"), "-q"]
    told = []
    for more in (["--check"], []):
        assert main([*run, *more, "--json", str(tmp_path / "r.json")]) == 0
        told.append(json.loads((tmp_path / "r.json").read_text())["warnings"])
    assert told[0] == told[1]
    assert any("masks overlap" in warning for warning in told[0])
