"""ICC profiles, resolutions and the shape of pixels of stills, read again by Pillow."""

from __future__ import annotations

import dataclasses
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest
from PIL import Image

from tests.support.scenes import moving_scene, write_video
from vhmae.color.yuv import ColorEncoding
from vhmae.video.pictures import open_pictures
from vhmae.video.planes import PlanarFrame
from vhmae.video.probe import probe_video
from vhmae.video.reader import read_frames
from vhmae.video.sequence import probe_pictures
from vhmae.video.still_marks import StillMarks, marked, marks_of, of_pixels
from vhmae.video.turning import righted
from vhmae.video.writer import VideoWriter

PROFILE = bytes(range(256)) * 300  # more than a segment of JPEG holds
KINDS = (".png", ".jpg", ".tif")


def still(path: Path, profile: bytes = PROFILE, dpi: tuple[float, float] = (300, 150)) -> Path:
    picture = Image.fromarray(np.asarray(moving_scene(1, 64, 48)[0][0]))
    picture.save(path, icc_profile=profile, dpi=dpi)
    return path


def through(source: Path, output: Path) -> Path:
    info = probe_pictures(source, "composite")
    with open_pictures(output, info) as writer:
        for timed in read_frames(info):
            writer.write(timed, timed.image.copy())
    return output


@pytest.mark.parametrize("after", KINDS)
@pytest.mark.parametrize("before", KINDS)
def test_a_profile_and_a_resolution_are_kept(before: str, after: str, tmp_path: Path) -> None:
    done = through(still(tmp_path / f"in{before}"), tmp_path / f"out{after}")
    with Image.open(done) as picture:
        picture.load()
        assert picture.info["icc_profile"] == PROFILE
        assert [float(one) for one in picture.info["dpi"]] == pytest.approx([300, 150], rel=1e-3)
        assert picture.size == (64, 48)
    if ".jpg" not in (before, after):
        held, kept = (np.asarray(Image.open(tmp_path / name)) for name in (f"in{before}", done))
        assert np.array_equal(held, kept)


@pytest.mark.parametrize("alpha", [False, True], ids=["opaque", "alpha"])
@pytest.mark.parametrize(("before", "after"), [(".webp", kind) for kind in (".webp", *KINDS)])
def test_a_profile_of_webp_is_kept(before: str, after: str, alpha: bool, tmp_path: Path) -> None:
    scene, masks = moving_scene(1, 63, 47)
    pixels = np.dstack([scene[0], masks[0] * np.uint8(255)]) if alpha else scene[0]
    Image.fromarray(pixels).save(
        tmp_path / "in.webp", lossless=True, icc_profile=PROFILE, exact=True
    )
    if alpha and after == ".jpg":
        pytest.skip("holds no alpha")
    done = through(tmp_path / "in.webp", tmp_path / f"out{after}")
    with Image.open(done) as picture:
        assert picture.info["icc_profile"] == PROFILE
        assert picture.size == (63, 47)
        if after == ".webp":
            assert picture.mode == ("RGBA" if alpha else "RGB")
            shown = pixels[..., 3:] > 0 if alpha else True  # libwebp clears what is not seen
            assert np.array_equal(np.asarray(picture) * shown, pixels * shown)


@pytest.mark.parametrize("before", KINDS)
def test_a_profile_is_kept_in_webp(before: str, tmp_path: Path) -> None:
    done = through(still(tmp_path / f"in{before}"), tmp_path / "out.webp")
    with Image.open(done) as picture:
        picture.load()
        assert picture.info["icc_profile"] == PROFILE


def test_a_picture_that_says_nothing_is_written_as_before(tmp_path: Path) -> None:
    Image.fromarray(np.zeros((48, 64, 3), np.uint8)).save(tmp_path / "in.png")
    done = through(tmp_path / "in.png", tmp_path / "out.png")
    with Image.open(done) as picture:
        assert "icc_profile" not in picture.info
        assert "dpi" not in picture.info


@pytest.mark.parametrize("cut", [20, 60, 200, 1000])
@pytest.mark.parametrize("kind", [*KINDS, ".bmp", ".webp"])
def test_damaged_marks_are_none(kind: str, cut: int, tmp_path: Path) -> None:
    data = still(tmp_path / f"in{kind}").read_bytes()
    for damaged in (data[:cut], data[:8] + bytes(cut) + data[8:]):
        found = marks_of(damaged)
        assert found.profile in (None, PROFILE)  # whole or not at all
        assert found.density is None or len(found.density) == 2
    assert marks_of(data[:8]) == StillMarks()


def test_a_bitmap_keeps_its_resolution(tmp_path: Path) -> None:
    done = through(still(tmp_path / "in.bmp"), tmp_path / "out.bmp")
    with Image.open(done) as picture:
        assert [float(one) for one in picture.info["dpi"]] == pytest.approx([300, 150], rel=1e-3)


def test_a_turned_still_has_its_resolution_turned(tmp_path: Path) -> None:
    picture = Image.fromarray(np.asarray(moving_scene(1, 64, 48)[0][0]))
    exif = Image.Exif()
    exif[0x0112] = 6
    picture.save(tmp_path / "in.jpg", dpi=(300, 150), exif=exif)
    done = through(tmp_path / "in.jpg", tmp_path / "out.png")
    with Image.open(done) as picture:
        assert picture.size == (48, 64)
        assert [float(one) for one in picture.info["dpi"]] == pytest.approx([150, 300], rel=1e-3)


@pytest.fixture
def wide(tmp_path: Path) -> Path:
    """A video with pixels of 16:11."""
    with av.open(str(tmp_path / "wide.mp4"), "w") as container:
        stream = container.add_stream("libx264", rate=25)
        stream.width, stream.height, stream.pix_fmt = 64, 48, "yuv420p"
        stream.codec_context.sample_aspect_ratio = Fraction(16, 11)
        for picture in moving_scene(2, 64, 48)[0]:
            frame = av.VideoFrame.from_ndarray(picture, format="rgb24")
            container.mux(stream.encode(frame.reformat(format="yuv420p")))
        container.mux(stream.encode(None))
    return tmp_path / "wide.mp4"


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("turned", [0, 90, 180, 270])
def test_pictures_of_a_video_have_the_shape_of_its_pixels(
    kind: str, turned: int, wide: Path, tmp_path: Path
) -> None:
    info = righted(dataclasses.replace(probe_video(wide), turned=turned, frames=1))
    with open_pictures(tmp_path / f"out.%d{kind}", info) as writer:
        for timed in list(read_frames(info))[:1]:
            writer.write(timed, timed.image.copy())
    expected = Fraction(11, 16) if turned % 180 else Fraction(16, 11)
    with Image.open(tmp_path / f"out.1{kind}") as picture:
        if kind == ".tif":
            across, down = picture.tag_v2[282], picture.tag_v2[283]  # type: ignore[attr-defined]
        else:
            across, down = picture.info["aspect" if kind == ".png" else "jfif_density"]
        assert float(down) / float(across) == pytest.approx(float(expected))
    again = probe_pictures(tmp_path / f"out.1{kind}", "composite")
    assert again.pixel_aspect == expected
    with VideoWriter(tmp_path / "again.mp4", again) as video:
        for timed in read_frames(again):
            video.write(timed, timed.image.copy())
    assert probe_video(tmp_path / "again.mp4").pixel_aspect == expected


def test_square_pixels_need_no_mark(tmp_path: Path) -> None:
    plain = write_video(tmp_path / "plain.mkv", moving_scene(1, 64, 48)[0])
    assert of_pixels(probe_video(plain).pixel_aspect) == of_pixels(None)
    assert marked(b"\x89PNG\r\n\x1a\n", of_pixels(Fraction(1))) == b"\x89PNG\r\n\x1a\n"


@pytest.mark.parametrize(("space", "kept"), [(b"RGB ", False), (b"GRAY", True)])
def test_a_gray_picture_has_no_profile_of_colors(space: bytes, kept: bool, tmp_path: Path) -> None:
    profile = PROFILE[:16] + space + PROFILE[20:]
    info = probe_pictures(still(tmp_path / "in.png", profile), "composite")
    gray = dataclasses.replace(info, pixel_format="gray", encoding=ColorEncoding("bt709", True))
    image = PlanarFrame([np.full((48, 64), 9, np.uint8)], gray.encoding, pixel_format="gray")
    with open_pictures(tmp_path / "out.png", gray) as writer:
        writer.write(next(iter(read_frames(info))), image)
    with Image.open(tmp_path / "out.png") as picture:
        assert picture.mode == "L"
        assert ("icc_profile" in picture.info) == kept
