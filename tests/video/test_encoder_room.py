"""Encoders hold fewer frames where these are large, and as many as ever where they are not."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest

from vhmae.video.encoder_room import encoder_threads, sparing_options
from vhmae.video.encoders import encoder_options, joined_options, usual_priority
from vhmae.video.planes import format_bytes

HD = format_bytes("yuv420p", 1920, 1080)
UHD = format_bytes("yuv420p", 3840, 2160)
HUGE = format_bytes("yuv420p", 8192, 8192)


@pytest.mark.parametrize("encoder", ["libx264", "libx265", "libsvtav1", "libvpx-vp9", "ffv1"])
@pytest.mark.parametrize("frame", [HD, UHD])
def test_up_to_4k_encoders_do_as_they_like(encoder: str, frame: int) -> None:
    assert sparing_options(encoder, None, frame) == {}
    assert encoder_threads(HD) == 0


@pytest.mark.parametrize(
    ("encoder", "preset", "options"),
    [
        ("libx264", None, {"rc-lookahead": "8"}),
        ("libx264", "ultrafast", {}),
        ("libx265", "medium", {"x265-params": "rc-lookahead=8"}),
        ("libvpx-vp9", None, {"lag-in-frames": "8"}),
        ("ffv1", None, {}),
    ],
)
def test_of_huge_frames_few_are_looked_ahead_at(
    encoder: str, preset: str | None, options: dict[str, str]
) -> None:
    assert sparing_options(encoder, preset, HUGE) == options
    assert encoder_threads(HUGE) <= 2


def test_own_parameters_of_an_encoder_are_joined() -> None:
    before = {"crf": "16", "x265-params": "log-level=error"}
    joined = joined_options(before, sparing_options("libx265", None, HUGE))
    assert joined == {"crf": "16", "x265-params": "log-level=error:rc-lookahead=8"}


@pytest.mark.parametrize("frame", [HUGE, 9 * HUGE])
@pytest.mark.parametrize(
    ("encoder", "preset"),
    [
        ("libx264", None),
        ("libx264", "veryslow"),
        ("libx265", None),
        ("libx265", "ultrafast"),
        ("libx265", "slower"),
        ("libx265", "veryslow"),
        ("libsvtav1", None),
        ("libvpx-vp9", None),
    ],
)
def test_encoders_take_what_they_are_told_of_huge_frames(
    encoder: str, preset: str | None, frame: int, tmp_path: Path
) -> None:
    """Tried with small ones."""
    own = encoder_options(encoder, None, preset)
    options = joined_options(own, sparing_options(encoder, preset, frame))
    with usual_priority(), av.open(str(tmp_path / "out.mkv"), "w") as container:
        stream: Any = container.add_stream(encoder, rate=25, options=options)
        stream.width, stream.height, stream.pix_fmt = 128, 128, "yuv420p"
        for number in range(12):
            grey = np.full((128, 128, 3), 10 * number, np.uint8)
            picture = av.VideoFrame.from_ndarray(grey).reformat(format="yuv420p")
            picture.pts, picture.time_base = number, Fraction(1, 25)
            container.mux(stream.encode(picture))
        container.mux(stream.encode(None))
    with av.open(str(tmp_path / "out.mkv")) as container:
        assert len(list(container.decode(video=0))) == 12
