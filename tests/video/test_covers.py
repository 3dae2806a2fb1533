"""Files that hold more than their video: a picture of themselves, as music and phones' shares do,
and what cameras write beside each picture."""

from __future__ import annotations

import gc
import struct
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
from PIL import Image, ImageCms

from tests.support.scenes import moving_scene
from vhmae.video.probe import probe_video
from vhmae.video.reader import read_frames
from vhmae.video.writer import VideoWriter


def boxes(data: bytes) -> list[bytes]:
    """The boxes that lie one behind the other in a part of an .mp4 file."""
    found, at = [], 0
    while at < len(data):
        size = struct.unpack(">I", data[at : at + 4])[0]
        found.append(data[at : at + size])
        at += size
    return found


def with_cover_first(path: Path, frames: np.ndarray) -> Path:
    """A clip whose cover comes before its video."""
    with av.open(str(path), "w") as container:
        video: Any = container.add_stream("libx264", rate=25, options={"crf": "10"})
        cover: Any = container.add_stream("mjpeg", rate=25)
        video.width, video.height, video.pix_fmt = frames.shape[2], frames.shape[1], "yuv420p"
        cover.width, cover.height, cover.pix_fmt = 32, 32, "yuvj420p"
        cover.disposition = 0x400
        container.mux(cover.encode(av.VideoFrame(32, 32, "yuvj420p")))
        container.mux(cover.encode(None))
        for frame in frames:
            container.mux(video.encode(av.VideoFrame.from_ndarray(frame)))
        container.mux(video.encode(None))
    parts = boxes(path.read_bytes())
    for place, part in enumerate(parts):
        if part[4:8] == b"moov":
            inside = sorted(boxes(part[8:]), key=lambda one: one[4:8] != b"udta")
            parts[place] = part[:8] + b"".join(inside)
    path.write_bytes(b"".join(parts))
    with av.open(str(path)) as container:
        assert [stream.codec_context.name for stream in container.streams] == ["mjpeg", "h264"]
    return path


def test_a_cover_that_comes_first_is_not_taken_for_the_video(tmp_path: Path) -> None:
    frames = moving_scene(6, 96, 64)[0]
    info = probe_video(with_cover_first(tmp_path / "in.mp4", frames))
    assert (info.codec, info.width, info.height, info.frames) == ("h264", 96, 64, 6)
    with VideoWriter(tmp_path / "out.mp4", info) as writer:
        for timed in read_frames(info):
            assert np.abs(timed.image.rgb() * 255.0 - frames[timed.index]).mean() < 8.0
            writer.write(timed, timed.image.copy())
    assert probe_video(tmp_path / "out.mp4").frames == 6
    assert writer.left_out == ["pictures (stream 0)"]


def copied_into(video: Path, picture: Path) -> None:
    """A video of four frames that are a picture's file each, and that lies on its side."""
    data = picture.read_bytes()
    with av.open(str(picture)) as still, av.open(str(video), "w") as made:
        stream: Any = made.add_stream_from_template(still.streams.video[0])
        stream.set_display_matrix((0, 1 << 16, 0, -(1 << 16), 0, 0, 0, 0, 1 << 30))
        for number in range(4):
            packet = av.Packet(data)
            packet.pts = packet.dts = 40 * number
            packet.duration, packet.time_base = 40, Fraction(1, 1000)
            packet.is_keyframe, packet.stream = True, stream
            made.mux(packet)


def test_what_cameras_write_beside_their_pictures_is_let_pass(tmp_path: Path) -> None:
    picture = Image.fromarray(moving_scene(1, 64, 48)[0][0])
    exif = picture.getexif()
    exif[0x010E] = "a camera"
    picture.save(tmp_path / "frame.jpg", exif=exif)
    copied_into(tmp_path / "in.mov", tmp_path / "frame.jpg")
    info = probe_video(tmp_path / "in.mov")
    assert (info.frames, info.turned, info.mirrored) == (4, 270, False)
    with VideoWriter(tmp_path / "out.mov", info) as writer:
        for timed in read_frames(info):
            writer.write(timed, timed.image.copy())
    again = probe_video(tmp_path / "out.mov")
    assert (again.frames, again.turned) == (4, 270)


def test_a_color_profile_beside_frames_ends_no_process(tmp_path: Path) -> None:
    picture = Image.fromarray(moving_scene(1, 64, 48)[0][0])
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    picture.save(tmp_path / "frame.png", icc_profile=profile)
    copied_into(tmp_path / "in.mov", tmp_path / "frame.png")
    for _ in range(3):
        assert probe_video(tmp_path / "in.mov").frames == 4
        gc.collect()  # where PyAV frees what it does not own
