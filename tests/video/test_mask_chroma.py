"""Mask videos of luma and chroma that are coloured: nearly every video is stored so."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from tests.support.scenes import moving_scene, write_video
from vhmae.video.matte import MatteSource, open_matte

FRAMES, MASKS = moving_scene(6, 96, 64)
COLORED = "is a map of coloured labels: all but black were taken as foreground"
BRIGHTNESS = "is coloured; its brightness was taken as the mask"


def opened(path: Path, frames: np.ndarray, codec: str = "libx264") -> MatteSource:
    return open_matte(write_video(path, frames.astype(np.uint8), codec=codec))


@pytest.mark.parametrize("codec", ["libx264", "ffv1"])
@pytest.mark.parametrize(
    "color", [(0, 255, 0), (255, 0, 0), (0, 0, 255), (128, 0, 128), (64, 0, 0)]
)
def test_a_colour_on_black_is_foreground(
    tmp_path: Path, color: tuple[int, int, int], codec: str
) -> None:
    source = opened(tmp_path / "m.mkv", MASKS[..., None] * np.array(color), codec)
    assert [told.split(": ", 1)[1] for told in source.warnings] == [COLORED]
    mattes = np.stack(list(source.stored()))
    assert set(np.unique(mattes)) == {0, 255}
    wrong = (mattes > 0) != MASKS  # chroma has half the lines and columns
    assert wrong.mean() < 0.04
    assert (mattes > 0).mean() == pytest.approx(MASKS.mean(), abs=0.04)


def test_two_colours_on_black_are_foreground(tmp_path: Path) -> None:
    frames = MASKS[..., None] * np.array((0, 128, 0))
    frames[:, 4:20, 70:90] = (128, 0, 0)
    mattes = np.stack(list(opened(tmp_path / "m.mkv", frames).stored()))
    assert ((mattes > 0) != frames.any(axis=-1)).mean() < 0.05


def test_a_picture_is_no_map_of_labels(tmp_path: Path) -> None:
    """As where the composite is given for its mask."""
    dark = np.clip(FRAMES.astype(int) - 90, 0, 255)
    for number, frames in enumerate((FRAMES, dark, FRAMES * MASKS[..., None])):
        source = opened(tmp_path / f"{number}.mkv", frames)
        told = [line.split(": ", 1)[1] for line in source.warnings]
        assert told[0] == BRIGHTNESS


def test_grey_masks_are_read_as_they_were(tmp_path: Path) -> None:
    soft = np.linspace(0, 255, 96)[None, None] * np.ones((6, 64, 1))
    for number, frames in enumerate((MASKS * 255, soft)):
        source = opened(tmp_path / f"{number}.mkv", frames)
        assert not [told for told in source.warnings if "colour" in told]
        mattes = np.stack(list(source.stored()))
        assert np.abs(mattes.astype(int) - frames).mean() < 4
