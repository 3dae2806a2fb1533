"""Clocks as files have them: repeated, uneven, missing or set back; and pictures that change their
size."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest

from tests.support.scenes import moving_scene, packets, write_video
from vhmae.errors import InputError
from vhmae.video.probe import probe_video
from vhmae.video.reader import read_frames
from vhmae.video.writer import VideoWriter


def stamped(path: Path, times: list[int]) -> Path:
    """A video whose packets get these times in milliseconds, with its sound."""
    frames, _ = moving_scene(len(times), 96, 64)
    plain = write_video(
        path.with_name(f"plain-{path.name}").with_suffix(".mkv"),
        frames,
        codec="mjpeg",
        pix_fmt="yuvj420p",
        audio=True,
    )
    with av.open(str(plain)) as source, av.open(str(path), "w") as out:
        streams = {stream.index: out.add_stream_from_template(stream) for stream in source.streams}
        number = 0
        for packet in source.demux():
            if packet.dts is None:
                continue
            if packet.stream.type == "video":
                packet.pts = packet.dts = round(Fraction(times[number], 1000) / packet.time_base)
                number += 1
            packet.stream = streams[packet.stream.index]
            out.mux(packet)
    return path


def copied(source: Path, output: Path, **options: object) -> list[float]:
    """Read and write a video; the times of what was written."""
    info = probe_video(source)
    with VideoWriter(output, info, **options) as writer:  # type: ignore[arg-type]
        for timed in read_frames(info):
            writer.write(timed, timed.image.copy())
    with av.open(str(output)) as container:
        return sorted(
            float(packet.pts * packet.time_base)
            for packet in container.demux(video=0)
            if packet.size and packet.pts is not None
        )


def test_a_time_stamp_twice_moves_nothing_else(tmp_path: Path) -> None:
    times = [5000, 5040, 5080, 5080, 5160, 5200]
    source = stamped(tmp_path / "in.mkv", times)
    info = probe_video(source)
    assert [timed.index for timed in read_frames(info)] == list(range(6))
    assert [timed.index for timed in read_frames(info, first=3)] == [3, 4, 5]
    assert copied(source, tmp_path / "out.mkv") == pytest.approx(
        [time / 1000 for time in times], abs=0.0011
    )
    assert packets(tmp_path / "out.mkv", "audio") == packets(source, "audio")


def test_a_clock_that_is_set_back_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("vhmae.video.probe.LARGEST_STEP_BACK", 0.1)  # the parts are short
    parts = [
        write_video(tmp_path / f"{name}.ts", moving_scene(8, 96, 64)[0], codec="libx264")
        for name in "ab"
    ]
    (tmp_path / "joined.ts").write_bytes(parts[0].read_bytes() + parts[1].read_bytes())
    with pytest.raises(
        InputError,
        match=r"joined.ts: its time stamps go back at frame 8, as in files put end to end",
    ):
        probe_video(tmp_path / "joined.ts")


def test_an_uneven_rate_is_not_forced_into_a_codec_that_knows_even_ones_alone(
    tmp_path: Path,
) -> None:
    times = [0, 40, 80, 120, 400, 680, 960]
    source = write_video(tmp_path / "in.mkv", moving_scene(7, 96, 64)[0], codec="mpeg4", pts=None)
    source = restamped(source, tmp_path / "uneven.mkv", times)
    assert copied(source, tmp_path / "out.mkv") == pytest.approx(
        [time / 1000 for time in times], abs=0.0011
    )
    assert probe_video(tmp_path / "out.mkv").codec == "h264"
    with pytest.raises(
        InputError,
        match=r"`codec` mpeg4: knows even rates only, and the frames of .*uneven.mkv are not; "
        "take libx264",
    ):
        copied(source, tmp_path / "o.mkv", codec="mpeg4")
    with pytest.raises(InputError, match=r"o.avi: .avi holds even rates only"):
        copied(source, tmp_path / "o.avi")


def restamped(source: Path, path: Path, times: list[int]) -> Path:
    """The same packets at other times, in milliseconds."""
    with av.open(str(source)) as container, av.open(str(path), "w") as out:
        stream = out.add_stream_from_template(container.streams.video[0])
        for number, packet in enumerate(
            packet for packet in container.demux(video=0) if packet.size
        ):
            packet.pts = packet.dts = round(Fraction(times[number], 1000) / packet.time_base)
            packet.stream = stream
            out.mux(packet)
    return path


def test_frames_that_avi_leaves_out_keep_their_time(tmp_path: Path) -> None:
    times = [0, 40, 80, 200, 320]
    source = restamped(
        write_video(
            tmp_path / "in.avi", moving_scene(5, 96, 64)[0], codec="mjpeg", pix_fmt="yuvj420p"
        ),
        tmp_path / "g.avi",
        times,
    )
    assert copied(source, tmp_path / "out.mkv") == pytest.approx(
        [time / 1000 for time in times], abs=0.0011
    )


@pytest.mark.parametrize("suffix", [".mkv", ".mp4", ".avi"])
def test_h264_fits_every_container(suffix: str, tmp_path: Path) -> None:
    source = write_video(
        tmp_path / "in.mp4", moving_scene(12, 96, 64)[0], codec="libx264", audio=True
    )
    copied(source, tmp_path / f"out{suffix}")  # verified by the writer
    assert probe_video(tmp_path / f"out{suffix}").frames == 12


@pytest.mark.parametrize("pix_fmt", ["yuv422p", "yuv422p10le", "yuv444p10le"])
def test_dnxhr_is_written_as_it_was_read(pix_fmt: str, tmp_path: Path) -> None:
    frames, _ = moving_scene(3, 256, 128)
    profile = {"yuv422p": "dnxhr_hq", "yuv422p10le": "dnxhr_hqx", "yuv444p10le": "dnxhr_444"}[
        pix_fmt
    ]
    with av.open(str(tmp_path / "in.mov"), "w") as container:
        stream = container.add_stream("dnxhd", rate=25, options={"profile": profile})
        stream.width, stream.height, stream.pix_fmt = 256, 128, pix_fmt
        for frame in frames:
            container.mux(stream.encode(av.VideoFrame.from_ndarray(frame).reformat(format=pix_fmt)))
        container.mux(stream.encode(None))
    copied(tmp_path / "in.mov", tmp_path / "out.mov")
    info = probe_video(tmp_path / "out.mov")
    assert (info.codec, info.pixel_format) == ("dnxhd", pix_fmt)


def test_pictures_that_change_their_size_are_refused(tmp_path: Path) -> None:
    with (tmp_path / "in.mjpeg").open("wb") as file:
        for size in ((96, 64), (128, 80)):
            part = tmp_path / "part.mjpeg"
            write_video(part, moving_scene(3, *size)[0], codec="mjpeg", pix_fmt="yuvj420p")
            file.write(part.read_bytes())
    with pytest.raises(
        InputError, match=r"in.mjpeg: is 96x64, but 128x80 from frame 3 on; cut it there"
    ):
        list(read_frames(probe_video(tmp_path / "in.mjpeg")))


def test_frames_are_counted_where_nothing_tells_their_time(tmp_path: Path) -> None:
    source = write_video(
        tmp_path / "in.mjpeg", moving_scene(5, 96, 64)[0], codec="mjpeg", pix_fmt="yuvj420p"
    )
    times = copied(source, tmp_path / "out.mkv")
    assert np.allclose(np.diff(times), 0.04, atol=0.0011)


@pytest.mark.parametrize("suffix", [".ts", ".mpg", ".mkv", ".flv"])
def test_every_frame_is_found_wherever_reading_begins(suffix: str, tmp_path: Path) -> None:
    codec = {".mpg": "mpeg2video", ".flv": "flv1"}.get(suffix, "libx264")
    source = write_video(tmp_path / f"in{suffix}", moving_scene(30, 96, 64)[0], codec=codec)
    info = probe_video(source)
    whole = [timed.image.planes[0].copy() for timed in read_frames(info)]
    for first in (1, 14, 28, 29):
        found = [
            (timed.index, timed.image.planes[0].copy()) for timed in read_frames(info, first=first)
        ]
        assert [index for index, _ in found] == list(range(first, len(whole)))
        assert all(np.array_equal(luma, whole[index]) for index, luma in found)


def recorded(path: Path, *parts: dict[str, Any]) -> Path:
    """A transport stream that changes its kind every three frames, as recordings of broadcasts
    do."""
    pieces = []
    for number, part in enumerate(parts):
        piece = path.with_name(f"{number}.ts")
        with av.open(str(piece), "w") as container:
            stream: Any = container.add_stream("libx264", rate=25, options={"bf": "0"})
            stream.width, stream.height, stream.pix_fmt = 96, 64, part.get("pix_fmt", "yuv420p")
            for name in ("colorspace", "color_range"):
                if name in part:
                    setattr(stream.codec_context, name, part[name])
            for place in range(3):
                frame = av.VideoFrame.from_ndarray(np.full((64, 96, 3), 100, np.uint8))
                frame = frame.reformat(format=stream.pix_fmt)
                frame.pts, frame.time_base = 3 * number + place, Fraction(1, 25)
                container.mux(stream.encode(frame))
            container.mux(stream.encode(None))
        pieces.append(piece.read_bytes())
    path.write_bytes(b"".join(pieces))
    return path


@pytest.mark.parametrize(
    ("after", "said"),
    [
        ({"pix_fmt": "yuv420p10le"}, "is yuv420p, but yuv420p10le from frame 3 on"),
        ({"pix_fmt": "yuv444p"}, "is yuv420p, but yuv444p from frame 3 on"),
        ({"colorspace": 5}, "is in bt709, but in bt601 from frame 3 on"),
        ({"color_range": 2}, "is of limited range, but of full range from frame 3 on"),
    ],
    ids=["bits", "chroma", "matrix", "range"],
)
def test_a_recording_that_changes_its_kind_is_refused(
    after: dict[str, Any], said: str, tmp_path: Path
) -> None:
    told = {"colorspace": 1, "color_range": 1}
    info = probe_video(recorded(tmp_path / "in.ts", told, told | after))
    with pytest.raises(InputError, match=f"in.ts: {said}; cut it there"):
        list(read_frames(info))
    alike = probe_video(recorded(tmp_path / "alike.ts", told, told))
    assert len(list(read_frames(alike))) == 6
