"""Clips of few frames, whose decoding times x265 never sets, and raw video that is misread."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest

from tests.support.scenes import moving_scene, write_video
from vhmae.errors import InputError
from vhmae.video.packets import mend_decoding_times
from vhmae.video.probe import probe_video
from vhmae.video.reader import read_frames
from vhmae.video.segments import SegmentedWriter
from vhmae.video.writer import VideoWriter


def packet(pts: int, dts: int | None) -> Any:
    made: Any = av.Packet(b"x")
    made.pts, made.dts, made.time_base = pts, dts, Fraction(1, 1000)
    return made


@pytest.mark.parametrize("garbage", [-140354492896560, 8753160913407277434, None])
def test_decoding_times_that_were_never_set_are_mended(garbage: int | None) -> None:
    packets = [packet(0, garbage), packet(120, 40), packet(40, 80), packet(80, 120)]
    mend_decoding_times(packets, 1000)
    assert [one.dts for one in packets] == [-40, 0, 40, 80]
    assert all(one.dts <= one.pts for one in packets)


def test_decoding_times_that_can_be_stay() -> None:
    packets = [packet(0, -80), packet(120, -40), packet(40, 0)]
    mend_decoding_times(packets, 1000)
    assert [one.dts for one in packets] == [-80, -40, 0]


@pytest.mark.parametrize("pix_fmt", ["yuv420p", "yuv422p"])
@pytest.mark.parametrize("frames", [1, 2, 3, 4])
def test_the_shortest_clips_of_hevc_are_whole(frames: int, pix_fmt: str, tmp_path: Path) -> None:
    pictures = moving_scene(frames, 64, 48)[0]
    info = probe_video(write_video(tmp_path / "in.mkv", pictures, pix_fmt=pix_fmt, codec="ffv1"))
    for name in ("a.mkv", "a.mp4"):
        with VideoWriter(tmp_path / name, info, codec="libx265") as writer:
            for timed in read_frames(info):
                writer.write(timed, timed.image.copy())
        assert probe_video(tmp_path / name).frames == frames


@pytest.mark.parametrize(
    ("pix_fmt", "suffix", "held"),
    [
        ("uyvy422", ".mov", True),
        ("yuv422p", ".mov", False),
        ("yuv420p", ".avi", True),
        ("yuv422p", ".mkv", True),
    ],
)
def test_raw_video_that_would_be_misread_is_refused_and_other_is_resumed(
    pix_fmt: str, suffix: str, held: bool, tmp_path: Path
) -> None:
    pictures = moving_scene(6, 64, 48)[0]
    info = probe_video(write_video(tmp_path / "in.mkv", pictures, pix_fmt="yuv422p", codec="ffv1"))
    out, settings = tmp_path / f"out{suffix}", {"codec": "rawvideo", "pix_fmt": pix_fmt}
    if not held:
        with pytest.raises(InputError, match="would be read as"):
            VideoWriter(out, info, codec="rawvideo", pix_fmt=pix_fmt)
        assert list(tmp_path.iterdir()) == [tmp_path / "in.mkv"]
        return
    frames = list(read_frames(info))
    stopped = SegmentedWriter(out, info, settings, {})
    for timed in frames[:3]:
        stopped.write(timed, timed.image.copy())
    stopped.checkpoint({}, {"x": np.zeros(1)})
    stopped.abandon()
    resumed = SegmentedWriter(out, info, settings, {})
    assert resumed.saved is not None
    assert resumed.frames == 3
    for timed in frames[3:]:
        resumed.write(timed, timed.image.copy())
    resumed.finish()
    plain = tmp_path / f"plain{suffix}"
    with VideoWriter(plain, info, codec="rawvideo", pix_fmt=pix_fmt) as writer:
        for timed in frames:
            writer.write(timed, timed.image.copy())
    found = [
        [timed.image.planes[0].tobytes() for timed in read_frames(probe_video(path))]
        for path in (out, plain)
    ]
    assert found[0] == found[1]
    assert len(found[0]) == 6
