"""Mask videos of luma and chroma that are colored: nearly every video is stored so."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from tests.support.scenes import moving_scene, write_video
from vhmae.video.matte import MatteSource, open_matte

FRAMES, MASKS = moving_scene(6, 96, 64)
ONE = "is of one color on black, which was taken as white"
SEVERAL = "is a map of colored labels: all but black were taken as foreground"
BRIGHTNESS = "is colored; its brightness was taken as the mask"
SOFT = np.clip((60 - np.hypot(*np.mgrid[-64:64, -96:96])) / 40, 0, 1)[None, ..., None]
"""A feathered disk."""


def opened(path: Path, frames: np.ndarray, codec: str = "libx264") -> MatteSource:
    return open_matte(write_video(path, frames.astype(np.uint8), codec=codec))


def told_of(source: MatteSource) -> list[str]:
    return [told.split(": ", 1)[1] for told in source.warnings]


@pytest.mark.parametrize("codec", ["libx264", "ffv1"])
@pytest.mark.parametrize(
    "color", [(0, 255, 0), (255, 0, 0), (0, 0, 255), (128, 0, 128), (64, 0, 0), (0, 0, 64)]
)
def test_a_color_on_black_is_foreground(
    tmp_path: Path, color: tuple[int, int, int], codec: str
) -> None:
    source = opened(tmp_path / "m.mkv", MASKS[..., None] * np.array(color), codec)
    assert told_of(source) == [ONE]
    mattes = np.stack(list(source.stored()))
    wrong = (mattes > 127) != MASKS  # chroma has half the lines and columns
    assert wrong.mean() < 0.04
    assert (mattes > 127).mean() == pytest.approx(MASKS.mean(), abs=0.04)
    assert mattes.max() == 255


@pytest.mark.parametrize("color", [(0, 255, 0), (255, 0, 0), (200, 0, 200), (0, 0, 255)])
def test_one_color_may_be_soft(tmp_path: Path, color: tuple[int, int, int]) -> None:
    source = opened(tmp_path / "m.mkv", np.repeat(SOFT, 6, axis=0) * np.array(color))
    assert told_of(source) == [ONE]
    for matte in source.stored():
        assert np.abs(matte - 255.0 * SOFT[0, ..., 0]).mean() < 3.0


@pytest.mark.parametrize(
    ("most", "least", "told"),
    [
        ((255, 0, 0), (0, 255, 0), SEVERAL),
        ((128, 0, 0), (0, 128, 0), SEVERAL),
        ((0, 255, 0), (0, 0, 255), SEVERAL),
        ((192, 0, 0), (64, 0, 0), SEVERAL),
        ((0, 128, 0), (128, 0, 0), SEVERAL),
        ((255, 0, 0), (0, 0, 255), SEVERAL),
    ],
)
@pytest.mark.parametrize("size", [(16, 20), (8, 8)])
def test_several_colors_on_black_are_foreground(
    tmp_path: Path,
    most: tuple[int, int, int],
    least: tuple[int, int, int],
    told: str,
    size: tuple[int, int],
) -> None:
    """However small one is beside the other."""
    frames = MASKS[..., None] * np.array(most)
    frames[:, 4 : 4 + size[0], 70 : 70 + size[1]] = least
    source = opened(tmp_path / "m.mkv", frames)
    assert told_of(source) in ([told], [ONE])
    mattes = np.stack(list(source.stored()))
    assert ((mattes > 127) != frames.any(axis=-1)).mean() < 0.05
    assert np.median(mattes[:, 6 : 2 + size[0], 72 : 68 + size[1]]) == 255


def test_a_color_that_comes_later_in_the_file_is_foreground(tmp_path: Path) -> None:
    frames = np.repeat(MASKS[:1, ..., None] * np.array((0, 255, 0)), 40, axis=0)
    frames[20:, 4:20, 70:90] = (0, 0, 255)
    path = write_video(tmp_path / "m.mkv", frames.astype(np.uint8), codec="libx264", gop=100)
    mattes = list(open_matte(path).stored())
    assert np.median(mattes[-1][6:18, 72:88]) == 255


def test_colors_that_come_late_are_found(tmp_path: Path) -> None:
    frames = np.zeros((40, 64, 96, 3), np.uint8)
    frames[20:] = MASKS[0][..., None] * np.array((0, 255, 0), np.uint8)
    source = open_matte(write_video(tmp_path / "m.mkv", frames, codec="libx264", gop=100))
    assert told_of(source) == [ONE]
    mattes = list(source.stored())
    assert not mattes[0].any()
    assert mattes[-1].max() == 255


@pytest.mark.parametrize("which", ["a red mark", "warm white", "warm and half"])
def test_a_tint_makes_no_soft_matte_hard(tmp_path: Path, which: str) -> None:
    white = SOFT * np.array((255.0, 255.0, 255.0))
    frame = SOFT * np.array((255.0, 225.0, 180.0))
    if which == "a red mark":
        frame = white.copy()
        frame[:, 4:12, 4:12] = (255, 0, 0)
    elif which == "warm and half":
        frame = np.zeros_like(frame)
        frame[:, 20:100, 20:80], frame[:, 20:100, 90:160] = (128, 113, 90), (255, 225, 180)
    source = opened(tmp_path / "m.mkv", np.repeat(frame, 6, axis=0))
    assert told_of(source)[0] == BRIGHTNESS
    wanted = frame[0] @ np.array((0.299, 0.587, 0.114))
    for matte in source.stored():
        assert np.abs(matte - wanted).mean() < 4.0


def test_a_picture_is_no_map_of_labels(tmp_path: Path) -> None:
    """As where the composite is given for its mask."""
    dark = np.clip(FRAMES.astype(int) - 90, 0, 255)
    for number, frames in enumerate((FRAMES, dark, FRAMES * MASKS[..., None])):
        source = opened(tmp_path / f"{number}.mkv", frames)
        assert told_of(source)[0] == BRIGHTNESS


def test_grey_masks_are_read_as_they_were(tmp_path: Path) -> None:
    soft = np.linspace(0, 255, 96)[None, None] * np.ones((6, 64, 1))
    for number, frames in enumerate((MASKS * 255, soft)):
        source = opened(tmp_path / f"{number}.mkv", frames)
        assert not [told for told in source.warnings if "color" in told]
        mattes = np.stack(list(source.stored()))
        assert np.abs(mattes.astype(int) - frames).mean() < 4
