"""What a stream says of itself comes through: transfers that no display has, and Y4M's own line."""

from __future__ import annotations

import io
from pathlib import Path

import av
import numpy as np
import pytest

from tests.support.scenes import moving_scene
from vhmae.video.probe import describe_stream, probe_video
from vhmae.video.reader import planar_frame
from vhmae.work.stream import _PipeWriter


@pytest.mark.parametrize(
    ("transfer", "told"),
    [
        (1, None),
        (2, None),
        (13, None),
        (8, "linear light"),
        (9, "logarithmic"),
        (10, "logarithmic"),
    ],
)
@pytest.mark.parametrize("name", ["a.mov", "a.mkv"])
def test_values_that_no_display_takes_are_told(
    transfer: int, told: str | None, name: str, tmp_path: Path
) -> None:
    with av.open(str(tmp_path / name), "w") as container:
        stream = container.add_stream("libx264", rate=25)
        stream.width, stream.height, stream.pix_fmt = 64, 48, "yuv420p"
        stream.codec_context.color_trc = transfer
        for picture in moving_scene(2, 64, 48)[0]:
            frame = av.VideoFrame.from_ndarray(picture, format="rgb24").reformat(format="yuv420p")
            frame.color_trc = transfer
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    warnings = probe_video(tmp_path / name).warnings
    assert len(warnings) == (told is not None)
    if told is not None:
        assert told in warnings[0]


@pytest.mark.parametrize(
    ("tag", "planes", "depth"),
    [
        ("C420mpeg2 XYSCSS=420MPEG2", 1.5, 1),
        ("C420paldv", 1.5, 1),
        ("C420jpeg XCOLORRANGE=FULL", 1.5, 1),
        ("C422p10 XYSCSS=422P10", 2.0, 2),
        ("C444", 3.0, 1),
        ("Cmono", 1.0, 1),
    ],
)
@pytest.mark.parametrize("fields", ["Ip A1:1", "It A16:11", "Ib A0:0"])
def test_a_stream_goes_out_with_the_line_that_it_came_with(
    tag: str, planes: float, depth: int, fields: str, rng: np.random.Generator
) -> None:
    size = int(16 * 8 * planes)
    frames = [
        rng.integers(0, 255, size).astype(np.uint8)
        if depth == 1
        else rng.integers(0, 1023, size).astype("<u2")
        for _ in range(3)
    ]
    header = f"YUV4MPEG2 W16 H8 F25:1 {fields} {tag}".encode()
    data = header + b"\n" + b"".join(b"FRAME\n" + frame.tobytes() for frame in frames)
    sink = io.BytesIO()
    with av.open(io.BytesIO(data), "r", format="yuv4mpegpipe") as source:
        stream = source.streams.video[0]
        info = describe_stream(stream, Path("-"))
        writer = _PipeWriter(sink, info, stream, header)
        for frame in source.decode(video=0):
            writer.write(frame, planar_frame(frame, info), same=True)
    writer.close()
    assert sink.getvalue() == data
