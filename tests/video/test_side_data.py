"""What travels beside frames."""

from __future__ import annotations

import gc
from pathlib import Path

import av
import pytest

from tests.support.scenes import moving_scene, write_video
from vhmae.video.probe import probe_video
from vhmae.video.reader import read_frames
from vhmae.video.side_data import beside


def held() -> int:
    return sum(type(one) is av.VideoFrame for one in gc.get_objects())


@pytest.mark.parametrize("codec", ["libx264", "ffv1"])  # the first frame of one tells its encoder
def test_frames_are_let_go_of_without_the_collector(codec: str, tmp_path: Path) -> None:
    frames, _ = moving_scene(20, 64, 48)
    write_video(tmp_path / "in.mkv", frames, codec=codec)
    info = probe_video(tmp_path / "in.mkv")
    gc.collect()
    gc.disable()
    try:
        before, told = held(), []
        for timed in read_frames(info):
            told.append(timed.marked)
            beside(timed.decoded)
        del timed
        assert held() <= before + 2
    finally:
        gc.enable()
    assert told == [codec == "libx264"] + 19 * [False]
