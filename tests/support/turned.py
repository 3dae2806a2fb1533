"""Videos that players turn, and frames as they are shown."""

from __future__ import annotations

from pathlib import Path

import av
import numpy as np

from tests.support.scenes import moving_scene, write_video
from vhmae.arrays import Array
from vhmae.video.browser import upright as turned_upright
from vhmae.video.probe import VideoInfo, probe_video
from vhmae.video.reader import read_frames, to_uint8

QUARTERS = {
    # Where a stored pixel (x, y) is shown, as FFmpeg's display matrix says it; y points down,
    # degrees are counterclockwise.
    0: (65536, 0, 0, 0, 65536, 0, 0, 0, 1 << 30),
    90: (
        0,
        -65536,
        0,
        65536,
        0,
        0,
        0,
        0,
        1 << 30,
    ),  # what is at the right comes to the top: (x, y) -> (y, -x)
    180: (-65536, 0, 0, 0, -65536, 0, 0, 0, 1 << 30),
    270: (0, 65536, 0, -65536, 0, 0, 0, 0, 1 << 30),
}


def turned_video(path: Path, upright: np.ndarray, degrees: int) -> VideoInfo:
    """A lossless video that players show as ``upright`` (T, H, W) once they have turned it by so
    many degrees counterclockwise."""
    stored = np.ascontiguousarray(np.rot90(upright, -degrees // 90, axes=(1, 2)))
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=25, options={"qp": "0"})
        stream.width, stream.height, stream.pix_fmt = stored.shape[2], stored.shape[1], "yuv444p"
        stream.set_display_matrix(QUARTERS[degrees])
        for picture in stored:
            container.mux(
                stream.encode(av.VideoFrame.from_ndarray(np.repeat(picture[..., None], 3, axis=-1)))
            )
        container.mux(stream.encode(None))
    return probe_video(path)


def frames_of(path: Path) -> list[Array]:
    """Frames as they are shown: RGB."""
    return [
        turned_upright(to_uint8(timed.image.rgb()), timed.decoded.rotation)
        for timed in read_frames(probe_video(path))
    ]


def sideways(path: Path, degrees: int) -> Path:
    """A clip as a phone writes it that lies on its side."""
    pictures, masks = moving_scene(12, 96, 64)
    plain = write_video(path.with_name("plain.mp4"), pictures, codec="libx264")
    with av.open(str(plain)) as source, av.open(str(path), "w") as target:
        stream = source.streams.video[0]
        copy = target.add_stream_from_template(stream)
        for packet in source.demux(stream):
            if packet.size:
                packet.stream = copy
                target.mux(packet)
    _turn(path, degrees)
    plain.unlink()
    stored = masks.astype(np.uint8) * 255
    write_video(path.with_name("turned_mask.mkv"), np.rot90(stored, degrees // 90, (1, 2)))
    return path


def _turn(path: Path, degrees: int) -> None:
    """Write a display matrix into the track's header of an MP4."""
    data = bytearray(path.read_bytes())
    at = data.index(b"tkhd") + 4 + 40
    one, minus = (1 << 16).to_bytes(4, "big"), (-(1 << 16)).to_bytes(4, "big", signed=True)
    none, last = bytes(4), (1 << 30).to_bytes(4, "big")
    rows = {90: [none, minus, none, one, none], 270: [none, one, none, minus, none]}[degrees]
    data[at : at + 36] = b"".join([*rows, none, none, none, last])
    path.write_bytes(bytes(data))
