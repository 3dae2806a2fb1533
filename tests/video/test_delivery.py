"""Files are read as what they stand for: every matrix and range, by every encoder and container.

The reader is independent: planes decoded by FFmpeg, and colors by the formulas of the standards
with what the file says of itself, or what readers take where it says nothing; pictures by Pillow.
"""

from __future__ import annotations

import contextlib
import dataclasses
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest
from PIL import Image

from tests.support.scenes import write_video
from vhmae.color.yuv import ColorEncoding
from vhmae.video.delivery import delivery
from vhmae.video.frame_writer import FrameWriter
from vhmae.video.pictures import open_pictures
from vhmae.video.planes import PlanarFrame
from vhmae.video.probe import probe_video
from vhmae.video.reader import read_frames
from vhmae.video.recode import recoded
from vhmae.video.siting import Siting
from vhmae.video.source import probe_source
from vhmae.video.writer import VideoWriter

PATCHES = np.array(
    [
        (200, 60, 50),
        (60, 160, 70),
        (50, 70, 190),
        (210, 180, 60),
        (190, 80, 180),
        (70, 180, 190),
        (255, 255, 255),
        (0, 0, 0),
    ],
    np.float64,
)
SIZE = 64
"""Pixels of a patch's side: DNxHR takes no pictures below 256x120."""
LUMA_WEIGHTS = {5: (0.299, 0.114), 6: (0.299, 0.114), 1: (0.2126, 0.0722), 9: (0.2627, 0.0593)}
"""Of red and blue, by the numbers of ITU-T H.273."""
TARGETS = [
    (".mp4", "libx264"),
    (".mov", "libx264"),
    (".mkv", "libx264"),
    (".avi", "libx264"),
    (".mp4", "libx265"),
    (".mov", "libx265"),
    (".mkv", "libx265"),
    (".webm", "libvpx"),
    (".mkv", "libvpx"),
    (".webm", "libvpx-vp9"),
    (".mkv", "libvpx-vp9"),
    (".mp4", "libsvtav1"),
    (".mkv", "libsvtav1"),
    (".mkv", "ffv1"),
    (".avi", "ffv1"),
    (".mp4", "ffv1"),
    (".mov", "prores_ks"),
    (".mkv", "prores_ks"),
    (".mov", "mjpeg"),
    (".mkv", "mjpeg"),
    (".avi", "mjpeg"),
    (".mp4", "mpeg4"),
    (".mov", "mpeg4"),
    (".mkv", "mpeg4"),
    (".avi", "mpeg4"),
    (".m4v", "mpeg4"),
    (".mkv", "mpeg2video"),
    (".mov", "mpeg2video"),
    (".avi", "huffyuv"),
    (".avi", "ffvhuff"),
    (".avi", "utvideo"),
    (".mov", "qtrle"),
    (".mov", "png"),
    (".mov", "dnxhd"),
    (".mkv", "rawvideo"),
    (".avi", "rawvideo"),
    (".mov", "v210"),
    (".avi", "v210"),
    (".mov", "cfhd"),
]
PICTURES = [".png", ".tif", ".jpg", ".bmp", ".webp"]
TOLD_TOGETHER = [
    *((".mp4", codec) for codec in ("mpeg4", "ffv1", "jpeg2000")),
    *((".mov", codec) for codec in ("mpeg4", "jpeg2000", "v210", "cfhd", "dnxhd", "prores_ks")),
    (".m4v", "mpeg4"),
]
SOURCES = [(matrix, full) for matrix in (6, 1, 9, 5) for full in (False, True)]
QUICK = [(1, True, *target) for target in TARGETS if target[1] in ("prores_ks", "utvideo", "v210")]
QUICK += [(9, True, ".avi", "ffv1"), (1, False, ".mov", "mjpeg"), (6, True, ".mov", "dnxhd")]


def coefficients(tag: int, full: bool) -> tuple[np.ndarray, np.ndarray]:
    """Matrix (3, 3) and offset (3,) of 8-bit codes from RGB in [0, 1]."""
    red, blue = LUMA_WEIGHTS[tag]
    luma = np.array([red, 1 - red - blue, blue])
    rows = [
        luma,
        (np.array([0, 0, 1]) - luma) / (2 - 2 * blue),
        (np.array([1, 0, 0]) - luma) / (2 - 2 * red),
    ]
    scale, low = ((255.0, 255.0, 255.0), 0.0) if full else ((219.0, 224.0, 224.0), 16.0)
    return np.array(rows) * np.array(scale)[:, None], np.array([low, 128.0, 128.0])


def patches() -> np.ndarray:
    """(H, W, 3) in 0-255."""
    return PATCHES.reshape(2, 4, 3).repeat(SIZE, 0).repeat(SIZE, 1)


def write_patches(
    path: Path, tag: int, full: bool, frames: int = 1, matrix_alone: bool = False
) -> None:
    """A lossless 4:2:0 file, its planes by the formulas; ``matrix_alone`` leaves out its primaries
    and its transfer."""
    matrix, offset = coefficients(tag, full)
    codes = np.rint(patches() / 255.0 @ matrix.T + offset).astype(np.uint8)
    with av.open(str(path), "w") as container:
        stream: Any = container.add_stream("ffv1", rate=25)
        stream.width, stream.height, stream.pix_fmt = codes.shape[1], codes.shape[0], "yuv420p"
        context = stream.codec_context
        context.colorspace, context.color_range = tag, 2 if full else 1
        if not matrix_alone:
            context.color_primaries, context.color_trc = (9 if tag == 9 else 1), 1
        planes = np.concatenate(
            [codes[..., 0].ravel(), codes[::2, ::2, 1].ravel(), codes[::2, ::2, 2].ravel()]
        )
        frame = av.VideoFrame.from_ndarray(planes.reshape(-1, codes.shape[1]), format="yuv420p")
        for number in range(frames):
            frame.pts = number
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))


def shown(path: Path) -> np.ndarray:
    """The patches' colors (8, 3), 0-255, as a reader takes them."""
    with av.open(str(path)) as container:
        frame = next(iter(container.decode(video=0)))
    name, bits = frame.format.name, frame.format.components[0].bits
    if frame.format.is_rgb:
        picture = frame.reformat(format="gbrp16le").to_ndarray().astype(np.float64) / 257.0
        return centers([picture[..., channel] for channel in range(3)])
    full = int(frame.color_range) == 2 or name.startswith("yuvj")
    # Untold, small pictures are BT.601.
    tag = int(frame.colorspace) if int(frame.colorspace) in LUMA_WEIGHTS else 6
    planes = []
    for plane in frame.planes[:3]:
        data = np.frombuffer(memoryview(plane), np.uint8).reshape(plane.height, plane.line_size)
        values = data.view(np.uint16 if bits > 8 else np.uint8)[:, : plane.width]
        planes.append(values.astype(np.float64))
    # Full codes of deeper formats reach 2^bits - 1.
    depth = (2.0**bits - 1) / 255.0 if full else 2.0 ** (bits - 8)
    codes = centers(planes) / depth
    matrix, offset = coefficients(tag, full)
    neutral = np.array(
        [offset[0], 128.0 * 2.0 ** (bits - 8) / depth, 128.0 * 2.0 ** (bits - 8) / depth]
    )
    return np.clip((codes - neutral) @ np.linalg.inv(matrix).T, 0.0, 1.0) * 255.0


def centers(planes: list[np.ndarray]) -> np.ndarray:
    """The means of the middle of each patch in each plane: (8, 3)."""
    found = []
    for plane in planes:
        tall, wide = plane.shape[0] // 2, plane.shape[1] // 4
        found.append(
            [
                plane[row * tall + tall // 3 : row * tall + 2 * tall // 3][
                    :, column * wide + wide // 3 : column * wide + 2 * wide // 3
                ].mean()
                for row in range(2)
                for column in range(4)
            ]
        )
    return np.array(found).T


def rewrite(source: Path, output: Path, codec: str | None = None, **options: Any) -> FrameWriter:
    """Write a file's frames as they are."""
    info = probe_source(source, "composite")
    writer: FrameWriter = (
        VideoWriter(output, info, codec=codec, **options)
        if codec is not None
        else open_pictures(output, info, **options)
    )
    with writer:
        for timed in read_frames(info):
            writer.write(timed, timed.image)
    return writer


def check(
    tmp_path: Path, tag: int, full: bool, container: str, codec: str, matrix_alone: bool = False
) -> None:
    source, output = tmp_path / "in.mkv", tmp_path / f"out{container}"
    write_patches(source, tag, full, 3, matrix_alone)
    lossy = codec in ("libx264", "libx265", "libvpx", "libvpx-vp9", "libsvtav1")
    writer = rewrite(source, output, codec, crf=4 if lossy else None)
    assert np.abs(shown(source) - PATCHES).max() <= 2.0
    # Against the source: its own whole numbers are an error that no writer can undo.
    error = np.abs(shown(output) - shown(source)).max()
    assert error <= 2.0, (error, shown(output).round())
    kept = probe_video(output).encoding
    before = probe_video(source).encoding
    if kept.matrix != "rgb":
        assert bool(writer.recoded) == (
            (before.matrix, before.full_range) != (kept.matrix, kept.full_range)
        )


@pytest.mark.parametrize(("tag", "full", "container", "codec"), QUICK)
def test_a_file_is_read_as_its_source(
    tag: int, full: bool, container: str, codec: str, tmp_path: Path
) -> None:
    check(tmp_path, tag, full, container, codec)


@pytest.mark.parametrize(("container", "codec"), TOLD_TOGETHER)
@pytest.mark.parametrize(("tag", "full"), [(1, False), (5, True), (9, True)])
def test_a_source_that_tells_its_matrix_alone_is_read_right(
    tag: int, full: bool, container: str, codec: str, tmp_path: Path
) -> None:
    check(tmp_path, tag, full, container, codec, matrix_alone=True)


def test_a_camera_s_jpegs_are_full_range_of_a_display_in_mp4(tmp_path: Path) -> None:
    source, output = tmp_path / "in.avi", tmp_path / "out.mp4"
    write_patches(tmp_path / "whole.mkv", 5, True, 2)
    rewrite(tmp_path / "whole.mkv", source, "mjpeg", crf=None)
    rewrite(source, output, "ffv1")
    with av.open(str(output)) as container:
        context: Any = container.streams.video[0].codec_context
        tags = (context.colorspace, context.color_primaries, context.color_trc)
        assert [int(one) for one in (*tags, context.color_range)] == [5, 1, 1, 2]
    assert np.abs(shown(output) - shown(source)).max() <= 2.0


@pytest.mark.long
@pytest.mark.parametrize(("container", "codec"), TARGETS)
@pytest.mark.parametrize(("tag", "full"), SOURCES)
def test_every_file_is_read_as_its_source(
    tag: int, full: bool, container: str, codec: str, tmp_path: Path
) -> None:
    check(tmp_path, tag, full, container, codec)


@pytest.mark.parametrize("suffix", PICTURES)
@pytest.mark.parametrize(("tag", "full"), [(1, False), (9, True)])
def test_pictures_are_read_as_their_source(
    tag: int, full: bool, suffix: str, tmp_path: Path
) -> None:
    source, output = tmp_path / "in.mkv", tmp_path / f"out{suffix}"
    write_patches(source, tag, full)
    writer = rewrite(source, output)
    with Image.open(output) as picture:
        pixels = np.asarray(picture.convert("RGB"), np.float64)
    read = centers([pixels[..., channel] for channel in range(3)])
    error = np.abs(read - shown(source)).max()
    assert error <= 2.0
    assert bool(writer.recoded) == (suffix == ".jpg")


@pytest.mark.parametrize("bits", [8, 10, 12])
def test_white_is_white_in_deep_pictures(bits: int, tmp_path: Path) -> None:
    source, output = tmp_path / "in.mkv", tmp_path / "out.png"
    name = "yuv420p" if bits == 8 else f"yuv420p{bits}le"
    with av.open(str(source), "w") as container:
        stream: Any = container.add_stream("ffv1", rate=25)
        stream.width = stream.height = 32
        stream.pix_fmt = name
        codes = np.full((48, 32), 128 << (bits - 8), np.uint8 if bits == 8 else np.uint16)
        codes[:32] = 235 << (bits - 8)
        frame = av.VideoFrame(32, 32, name)
        for plane, rows in zip(frame.planes, (codes[:32], codes[32:], codes[32:]), strict=True):
            data = np.frombuffer(memoryview(plane), np.uint8).reshape(plane.height, -1)
            data.view(codes.dtype)[:, : plane.width] = rows[: plane.height, : plane.width]
        container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    rewrite(source, output, pix_fmt="rgb48be")
    with av.open(str(output)) as picture:
        deep = next(iter(picture.decode(video=0))).to_ndarray()
    assert deep.min() == deep.max() == 65535


def test_pictures_become_video_that_plays_everywhere(tmp_path: Path) -> None:
    for number in (1, 2):
        Image.fromarray(patches().astype(np.uint8)).save(tmp_path / f"f.{number:04d}.png")
    for suffix, codec in ((".mp4", "libx264"), (".mov", "libx265")):
        output = tmp_path / f"out{suffix}"
        rewrite(tmp_path / "f.%04d.png", output, codec, crf=4)
        with av.open(str(output)) as container:
            context: Any = container.streams.video[0].codec_context
            assert context.pix_fmt == "yuv420p"
            tags = (context.colorspace, context.color_primaries, context.color_trc)
            assert [int(one) for one in (*tags, context.color_range)] == [6, 1, 1, 1]
            if codec == "libx265":
                assert context.codec_tag == "hvc1"
        assert np.abs(shown(output) - PATCHES).max() <= 2.0


def test_deeper_codes_of_limited_range_are_multiples(tmp_path: Path) -> None:
    source, output = tmp_path / "in.mkv", tmp_path / "out.mkv"
    write_patches(source, 1, False)
    writer = rewrite(source, output, "ffv1", pix_fmt="yuv420p10le")
    pairs: list[list[np.ndarray]] = []
    for path in (source, output):
        with contextlib.closing(read_frames(probe_video(path))) as frames:  # type: ignore[type-var]
            pairs.append([plane.copy() for plane in next(frames).image.planes])
    for before, after in zip(*pairs, strict=True):
        assert np.array_equal(before.astype(np.uint16) * 4, after)
    assert not writer.left_out


@pytest.mark.parametrize("profile", ["proxy", "lt", "standard", "hq", "4444", "4444xq"])
def test_a_prores_profile_is_kept(profile: str, tmp_path: Path) -> None:
    source, output = tmp_path / "in.mov", tmp_path / "out.mov"
    with av.open(str(source), "w") as container:
        stream: Any = container.add_stream("prores_ks", rate=25, options={"profile": profile})
        stream.width, stream.height = 64, 64
        stream.pix_fmt = "yuv444p10le" if profile.startswith("4444") else "yuv422p10le"
        frame = av.VideoFrame.from_ndarray(np.full((64, 64, 3), 90, np.uint8), format="rgb24")
        container.mux(stream.encode(frame.reformat(format=stream.pix_fmt)))
        container.mux(stream.encode(None))
    rewrite(source, output, "prores_ks")
    found = []
    for path in (source, output):
        with av.open(str(path)) as container_read:
            found.append(container_read.streams.video[0].codec_context.profile)
    assert found[0] == found[1]


@pytest.mark.parametrize("begins", [50000.0, 2**33 / 90000 - 0.1], ids=["late", "set back soon"])
@pytest.mark.parametrize("suffix", [".mp4", ".mkv", ".mov", ".avi"])
def test_a_broadcast_clock_begins_at_zero(suffix: str, begins: float, tmp_path: Path) -> None:
    source, output = tmp_path / "in.ts", tmp_path / f"out{suffix}"
    with av.open(str(source), "w", options={"output_ts_offset": str(begins)}) as container:
        stream: Any = container.add_stream("libx264", rate=25)
        stream.width, stream.height, stream.pix_fmt = 64, 64, "yuv420p"
        for number in range(5):
            picture = np.full((64, 64, 3), 40 * number, np.uint8)
            frame = av.VideoFrame.from_ndarray(picture, format="rgb24")
            frame.pts = number
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    rewrite(source, output, "libx264")
    written = probe_video(output)
    assert written.frames == 5
    assert 0.0 <= written.start_seconds < 0.1
    assert written.duration_seconds < 1.0


@pytest.mark.parametrize("siting", ["left", "center", "topleft"])
@pytest.mark.parametrize("codec", ["libx264", "libx265", "libvpx-vp9"])
def test_where_chroma_lies_is_kept_or_told(codec: str, siting: str, tmp_path: Path) -> None:
    source, output = tmp_path / "in.mkv", tmp_path / "out.mkv"
    with av.open(str(source), "w") as container:
        options = {"chroma_sample_location": siting}
        stream: Any = container.add_stream("libx264", rate=25, options=options)
        stream.width, stream.height, stream.pix_fmt = 64, 64, "yuv420p"
        frame = av.VideoFrame.from_ndarray(np.full((64, 64, 3), 90, np.uint8), format="rgb24")
        container.mux(stream.encode(frame.reformat(format="yuv420p")))
        container.mux(stream.encode(None))
    info = probe_video(source)
    assert info.siting == siting
    with VideoWriter(output, info, codec=codec) as writer:
        for timed in read_frames(info):
            writer.write(timed, timed.image.copy())
    lost = codec == "libvpx-vp9" and siting != "left"
    assert writer.left_out == ([f"where its chroma lies ({siting})"] if lost else [])
    if not lost and siting != "left":  # the usual place need not be said
        assert probe_video(output).siting == siting


@pytest.mark.parametrize(("siting", "at"), [("left", 0.5), ("center", 0.5), ("topleft", 0.0)])
def test_chroma_is_taken_from_where_it_lies(siting: Siting, at: float, tmp_path: Path) -> None:
    """A ramp from top to bottom, whose samples each hold the value of their own place."""
    rows = np.arange(32)[:, None] * 2 + at
    chroma = np.broadcast_to(rows * 2.0 + 60.0, (32, 32)).astype(np.uint8)
    planes = [np.full((64, 64), 120, np.uint8), chroma, chroma]
    before = ColorEncoding("bt709", False, 8)
    info = dataclasses.replace(
        probe_video(write_video(tmp_path / "in.mkv", np.zeros((2, 64, 64, 3), np.uint8))),
        encoding=before,
        siting=siting,
    )
    target = delivery(info, "ffv1", ".mkv", "yuv444p")
    full = recoded(PlanarFrame(planes, before, 2, 2), target).planes[1]
    assert np.abs(full[4:-4, 8] - (np.arange(64)[4:-4] * 2.0 + 60.0)).max() <= 1.0
