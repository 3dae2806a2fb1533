"""Masks in any form."""

from __future__ import annotations

import dataclasses
import itertools
from fractions import Fraction
from pathlib import Path

import cv2
import numpy as np
import pytest

from tests.support.scenes import moving_scene, write_video
from tests.support.turned import turned_video
from vhmae.data.clips import write_mask_bits
from vhmae.errors import InputError
from vhmae.video.matte import open_matte
from vhmae.video.probe import VideoInfo, probe_video
from vhmae.work.job import AnalysisJob
from vhmae.work.sources import Sources


@pytest.fixture
def composite(tmp_path: Path) -> VideoInfo:
    return probe_video(write_video(tmp_path / "composite.mkv", moving_scene(6, 96, 64)[0]))


def masks() -> np.ndarray:
    return moving_scene(6, 96, 64)[1]


def save(form: str, folder: Path) -> Path:
    grey = masks().astype(np.uint8) * 255
    if form == "npz":
        write_mask_bits(masks(), folder / "m.npz")
        return folder / "m.npz"
    if form in ("ffv1", "libx264"):
        return write_video(folder / "m.mkv", grey, codec=form, pix_fmt="yuv420p")
    (folder / "m").mkdir()
    for number, picture in enumerate(grey, 8):  # 8, 9, 10, ...: names that sort wrongly as text
        cv2.imwrite(str(folder / "m" / f"m.{number}.png"), picture)
    return folder / "m" if form == "folder" else folder / "m" / "m.%d.png"


@pytest.mark.parametrize("form", ["npz", "ffv1", "libx264", "folder", "sequence"])
def test_every_form_gives_the_same_mask(form: str, composite: VideoInfo, tmp_path: Path) -> None:
    source = open_matte(save(form, tmp_path))
    assert source.frames == 6
    assert source.check_fits(composite, hold_last=False) is None
    found = np.stack(list(itertools.islice(source.read(composite), 6)))
    expected = masks().astype(np.uint8) * 255
    if form == "libx264":  # lossy: soft at the edge, exact away from it
        assert np.abs(found.astype(int) - expected).mean() < 6
        assert (found[:, :8, :8] == 0).all()
    else:
        assert np.array_equal(found, expected)


@pytest.mark.parametrize(
    ("codec", "expected"), [("libx264", (0, 128, 255)), ("ffv1", (6, 128, 249))]
)
def test_near_black_and_near_white_of_a_lossy_mask_are_black_and_white(
    codec: str, expected: tuple[int, ...], composite: VideoInfo, tmp_path: Path
) -> None:
    grey = np.zeros((6, 64, 96), np.uint8)
    grey[..., :32], grey[..., 32:64], grey[..., 64:] = 6, 128, 249
    matte = next(
        open_matte(write_video(tmp_path / "m.mkv", grey, codec=codec, pix_fmt="yuv420p")).read(
            composite
        )
    )
    for number, level in enumerate(expected):
        found = matte[8:56, 32 * number + 8 : 32 * number + 24].astype(int)
        assert np.abs(found - level).max() <= (0 if level in (0, 255) else 2)


@pytest.mark.parametrize(
    ("of_mask", "of_composite"), [(90, 0), (270, 0), (180, 0), (180, 90), (270, 90), (90, 270)]
)
def test_a_mask_that_is_turned_otherwise_than_the_composite_lies_as_both_are_shown(
    of_mask: int, of_composite: int, tmp_path: Path
) -> None:
    upright = np.zeros((2, 64, 96), np.uint8)
    upright[:, 4:24, 6:36] = 255  # in one corner: every other turn puts it elsewhere
    composite = turned_video(tmp_path / "in.mp4", upright, of_composite)
    source = open_matte(turned_video(tmp_path / "m.mp4", upright, of_mask).path)
    assert source.check_fits(composite, hold_last=False) is None
    found = np.rot90(next(source.read(composite)), of_composite // 90)
    assert np.array_equal(found, upright[0])


def test_one_still_serves_all_frames(composite: VideoInfo, tmp_path: Path) -> None:
    cv2.imwrite(str(tmp_path / "m.png"), masks()[0].astype(np.uint8) * 255)
    source = open_matte(tmp_path / "m.png")
    assert source.frames is None
    assert source.check_fits(composite, hold_last=False) is None
    assert len(list(itertools.islice(source.read(composite), 9))) == 9


def test_sixteen_bit_mattes_stay_soft(composite: VideoInfo, tmp_path: Path) -> None:
    cv2.imwrite(str(tmp_path / "m.png"), np.full((64, 96), 12345, np.uint16))
    assert (next(open_matte(tmp_path / "m.png").read(composite)) == 12345).all()


def test_another_size_of_equal_aspect_is_resized(composite: VideoInfo, tmp_path: Path) -> None:
    cv2.imwrite(str(tmp_path / "m.png"), np.full((128, 192), 255, np.uint8))
    source = open_matte(tmp_path / "m.png")
    source.check_fits(composite, hold_last=False)
    assert next(source.read(composite)).shape == (64, 96)


def test_another_aspect_is_refused(composite: VideoInfo, tmp_path: Path) -> None:
    cv2.imwrite(str(tmp_path / "m.png"), np.full((64, 64), 255, np.uint8))
    with pytest.raises(InputError, match=r"m.png: is 64x64 but composite.mkv is 96x64"):
        open_matte(tmp_path / "m.png").check_fits(composite, hold_last=False)


def test_another_length_is_refused_or_held(composite: VideoInfo, tmp_path: Path) -> None:
    write_mask_bits(masks()[:4], tmp_path / "short.npz")
    source = open_matte(tmp_path / "short.npz")
    with pytest.raises(
        InputError, match=r"has 4 frames but composite.mkv has 6; trim one or pass `hold_last_mask`"
    ):
        source.check_fits(composite, hold_last=False)
    assert "4 frames" in str(source.check_fits(composite, hold_last=True))
    found = list(itertools.islice(source.read(composite), 6))
    assert np.array_equal(found[5], masks()[3] * np.uint8(255))


@pytest.mark.parametrize("first", [3, 4, 5])
def test_a_start_beyond_the_end_of_a_held_mask_finds_its_last_one(
    first: int, composite: VideoInfo, tmp_path: Path
) -> None:
    write_mask_bits(masks()[:4], tmp_path / "short.npz")
    found = list(
        itertools.islice(open_matte(tmp_path / "short.npz").read(composite, first), 6 - first)
    )
    assert all(np.array_equal(matte, masks()[3] * np.uint8(255)) for matte in found)


@pytest.mark.parametrize("name", ["no.png", "no.npz", "no.%04d.png", "http://host/m.mp4"])
def test_what_is_not_there_is_named(name: str, tmp_path: Path) -> None:
    path = Path(name) if "://" in name else tmp_path / name
    with pytest.raises(InputError, match="no"):
        open_matte(path)


def test_an_empty_folder_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="holds no pictures"):
        open_matte(tmp_path)


def test_one_is_white_where_no_picture_of_the_mask_has_more(
    composite: VideoInfo, tmp_path: Path
) -> None:
    for folder, white in (("ones", 1), ("fading", 255)):
        (tmp_path / folder).mkdir()
        for number, top in enumerate((0, white, 1)):
            picture = np.zeros((64, 96), np.uint8)
            picture[20:40, 30:60] = top
            cv2.imwrite(str(tmp_path / folder / f"{number}.png"), picture)
    tops = {
        folder: [
            int(matte.max())
            for matte in itertools.islice(open_matte(tmp_path / folder).read(composite), 3)
        ]
        for folder in ("ones", "fading")
    }
    assert tops == {
        "ones": [0, 255, 255],
        "fading": [0, 255, 1],
    }  # what has all but faded out does not come back


def test_a_mask_of_a_lower_rate_may_begin_late(tmp_path: Path) -> None:
    """All of the mask is looked at before it is said to mark nothing."""
    frames, masks = moving_scene(24, 64, 48)
    write_video(tmp_path / "in.mkv", frames, fps=24)
    late = masks[::2].astype(np.uint8) * 255
    late[:7] = 0
    write_video(tmp_path / "m.mkv", np.repeat(late[..., None], 3, axis=3), fps=12)
    job = AnalysisJob(composite=tmp_path / "in.mkv", masks=(tmp_path / "m.mkv",))
    sources = Sources(job)
    sources.check()
    marked = [bool(payload.mattes[0].any()) for payload in sources.frames()]
    assert marked == [False] * 14 + [True] * 10


def test_a_mask_may_have_square_pixels_where_the_composites_are_wide(tmp_path: Path) -> None:
    """HDV stores 1440x1080 and shows 1920x1080."""
    still = tmp_path / "m.png"
    cv2.imwrite(str(still), np.full((54, 96), 255, np.uint8))
    frames = moving_scene(2, 72, 54)[0]
    info = probe_video(write_video(tmp_path / "in.mkv", frames))
    source = open_matte(still)
    with pytest.raises(InputError, match="in the composite's aspect"):
        source.check_fits(info, hold_last=None)
    wide = dataclasses.replace(info, pixel_aspect=Fraction(4, 3))
    source.check_fits(wide, hold_last=None)
    assert next(source.read(wide)).shape == (54, 72)
