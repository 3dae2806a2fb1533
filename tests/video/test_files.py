"""Probing, reading and writing video files."""

from __future__ import annotations

import contextlib
import errno
import os
import struct
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest

from tests.support.scenes import decode, moving_scene, packets, write_video
from vhmae.errors import InputError, VhmaeError
from vhmae.video.browser import display_size, read_upright
from vhmae.video.containers import check_output
from vhmae.video.cuts import THUMBNAIL, CutDetector
from vhmae.video.probe import open_video, probe_video
from vhmae.video.reader import read_frames, read_rgb_frames
from vhmae.video.writer import VideoWriter


def copy(source: Path, output: Path, **options: object) -> None:
    info = probe_video(source)
    with VideoWriter(output, info, **options) as writer:  # type: ignore[arg-type]
        for timed in read_frames(info):
            writer.write(timed, timed.image.copy())  # a copy: through the encoder's own frames


@pytest.mark.parametrize(
    "pix_fmt",
    ["yuv420p", "yuv422p", "yuv444p", "yuv420p10le", "yuv444p12le", "gbrp10le", "bgra", "yuva420p"],
)
@pytest.mark.parametrize("size", [(96, 64), (97, 63)])
def test_a_lossless_copy_is_bit_exact(pix_fmt: str, size: tuple[int, int], tmp_path: Path) -> None:
    source = write_video(tmp_path / "in.mkv", moving_scene(4, *size)[0], pix_fmt=pix_fmt)
    copy(source, tmp_path / "out.mkv")
    before, after = decode(source), decode(tmp_path / "out.mkv")
    assert len(before) == len(after) == 4
    for one, other in zip(before, after, strict=True):
        assert all(np.array_equal(a, b) for a, b in zip(one, other, strict=True))
    assert probe_video(tmp_path / "out.mkv").pixel_format == probe_video(source).pixel_format


def test_time_stamps_of_a_variable_rate_are_kept(tmp_path: Path) -> None:
    pts = [0, 40, 100, 120, 300, 345]
    source = write_video(tmp_path / "in.mkv", moving_scene(6, 64, 48)[0], pts=pts)
    copy(source, tmp_path / "out.mkv")
    with av.open(str(tmp_path / "out.mkv")) as container:
        found = [round(float(frame.time) * 1000) for frame in container.decode(video=0)]
    assert found == pts


@pytest.mark.parametrize("suffix", [".mp4", ".mkv", ".mov"])
def test_audio_packets_are_copied_byte_for_byte(suffix: str, tmp_path: Path) -> None:
    source = write_video(
        tmp_path / f"in{suffix}", moving_scene(10, 64, 48)[0], codec="libx264", audio=True
    )
    copy(source, tmp_path / f"out{suffix}")
    assert packets(source, "audio") == packets(tmp_path / f"out{suffix}", "audio")
    assert len(packets(source, "audio")) > 5


TAGS = ("colorspace", "color_primaries", "color_trc", "color_range")


def test_color_tags_are_kept(tmp_path: Path) -> None:
    frames = moving_scene(3, 64, 48)[0]
    with av.open(str(tmp_path / "in.mp4"), "w") as container:
        stream = container.add_stream("libx264", rate=25)
        stream.width, stream.height, stream.pix_fmt = 64, 48, "yuv420p"
        # Of different numbers, so that none can stand in for another: BT.709, BT.470 BG, gamma 2.2,
        # limited.
        told = dict(zip(TAGS, (1, 5, 4, 1), strict=True))
        for name, number in told.items():
            setattr(stream.codec_context, name, number)
        for frame in frames:
            container.mux(
                stream.encode(
                    av.VideoFrame.from_ndarray(frame).reformat(
                        format="yuv420p", dst_colorspace="ITU709"
                    )
                )
            )
        container.mux(stream.encode(None))
    info = probe_video(tmp_path / "in.mp4")
    assert (info.encoding.matrix, info.guessed_matrix) == ("bt709", False)
    copy(tmp_path / "in.mp4", tmp_path / "out.mp4")
    assert probe_video(tmp_path / "out.mp4").encoding == info.encoding
    for name in ("in.mp4", "out.mp4"):
        with av.open(str(tmp_path / name)) as container:
            context = container.streams.video[0].codec_context
            assert {tag: int(getattr(context, tag)) for tag in TAGS} == told
    restored = read_rgb_frames(tmp_path / "out.mp4", [0, 2])
    assert np.abs(restored[0].astype(int) - frames[0]).mean() < 4


def test_untagged_video_is_guessed_by_its_height(tmp_path: Path) -> None:
    small = probe_video(write_video(tmp_path / "s.mkv", np.zeros((2, 64, 64, 3), np.uint8)))
    large = probe_video(write_video(tmp_path / "l.mkv", np.zeros((2, 720, 64, 3), np.uint8)))
    assert (small.encoding.matrix, large.encoding.matrix) == ("bt601", "bt709")
    assert small.guessed_matrix
    assert large.guessed_matrix
    assert probe_video(tmp_path / "l.mkv", colorspace="bt601").encoding.matrix == "bt601"


Packets = list[Any]


def remade(path: Path, change: Callable[[Packets, Packets], None]) -> None:
    """Write a file again with other packets: what a container does that cannot hold what it is
    given."""
    again = path.with_name("again.mkv")
    with av.open(str(path)) as source, av.open(str(again), "w") as out:
        streams = {stream.index: out.add_stream_from_template(stream) for stream in source.streams}
        found: Packets = [packet for packet in source.demux() if packet.size]
        pictures, sound = (
            [packet for packet in found if packet.stream.type == kind]
            for kind in ("video", "audio")
        )
        change(pictures, sound)
        for packet in sorted([*pictures, *sound], key=lambda packet: packet.dts * packet.time_base):
            packet.stream = streams[0 if packet in pictures else 1]
            out.mux(packet)
    again.replace(path)


def changed(packet: Any, data: bytes) -> Any:
    other: Any = av.Packet(data)
    other.pts, other.dts, other.time_base = packet.pts, packet.dts, packet.time_base
    return other


def move_one(pictures: Packets, sound: Packets) -> None:
    pictures[5].pts = pictures[5].dts = (
        pictures[5].pts + 3
    )  # milliseconds, which are this container's ticks


def alter_sound(pictures: Packets, sound: Packets) -> None:
    data = bytearray(bytes(sound[4]))
    data[-1] ^= 1
    sound[4] = changed(sound[4], bytes(data))


def spoil_pictures(pictures: Packets, sound: Packets) -> None:
    pictures[:] = [changed(packet, bytes(packet.size)) for packet in pictures]


def lose_one(pictures: Packets, sound: Packets) -> None:
    del pictures[5]


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (move_one, r"out.mkv: cannot hold the time stamps \(moved by 0.0030 s\)"),
        (alter_sound, "out.mkv: audio or subtitles were altered by the container"),
        (spoil_pictures, "out.mkv: its frames cannot be decoded"),
        (lose_one, "out.mkv: of 10 frames that went in, 9 can be found in the file"),
        (lambda pictures, sound: None, None),
    ],
    ids=["a time stamp moved", "sound altered", "pictures spoilt", "a frame lost", "nothing"],
)
def test_a_file_that_is_not_what_was_meant_is_refused(
    change: Callable[[Packets, Packets], None],
    said: str | None,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    source = write_video(
        tmp_path / "in.mkv",
        moving_scene(10, 64, 48)[0],
        codec="mjpeg",
        pix_fmt="yuvj420p",
        audio=True,
    )

    def meddled(path: Path, what: str) -> av.container.InputContainer:
        if what == "output":  # the finished file, before it is verified
            remade(path, change)
        return open_video(path, what)

    monkeypatch.setattr("vhmae.video.writer.open_video", meddled)
    with pytest.raises(VhmaeError, match=said) if said else contextlib.nullcontext():
        copy(source, tmp_path / "out.mkv")
    assert {path.name for path in tmp_path.iterdir()} == (
        {"in.mkv"} if said else {"in.mkv", "out.mkv"}
    )


def test_nothing_is_left_where_writing_fails(tmp_path: Path) -> None:
    source = write_video(tmp_path / "in.mkv", moving_scene(4, 64, 48)[0])
    (tmp_path / "out.mkv").write_bytes(b"the old one")
    info = probe_video(source)
    with pytest.raises(RuntimeError), VideoWriter(tmp_path / "out.mkv", info) as writer:  # noqa: PT012 - fails in the middle
        timed = next(read_frames(info))
        writer.write(timed, timed.image)
        raise RuntimeError
    assert (tmp_path / "out.mkv").read_bytes() == b"the old one"
    assert sorted(p.name for p in tmp_path.iterdir()) == ["in.mkv", "out.mkv"]


def test_outputs_that_cannot_be_are_refused(tmp_path: Path) -> None:
    source = write_video(tmp_path / "in.mkv", moving_scene(2, 64, 48)[0])
    for output, reason in (
        (tmp_path / "out.mp5", "did you mean .mp4"),
        (tmp_path / "none" / "out.mp4", "does not exist"),
        (source, "one of the inputs"),
        (tmp_path / "no_suffix", "unknown container"),
    ):
        with pytest.raises(InputError, match=reason):
            check_output(output, [source])
    for name, codec, advice in (
        ("out.mp4", "huffyuv", "try an .mkv file, or another"),
        ("out.mkv", "utvideo", "try another `codec`"),
    ):
        with pytest.raises(InputError, match=f"cannot be written to it .*; {advice}"):
            VideoWriter(tmp_path / name, probe_video(source), codec=codec)
    with pytest.raises(InputError, match=r"`codec`"):
        VideoWriter(tmp_path / "out.mkv", probe_video(source), codec="libx265x")
    assert not list(tmp_path.glob(".*"))


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"", "not a video"),
        (b"hello, I am text" * 50, "not a video"),
        (b"\x00\x00\x00\x20ftypisom" + b"\x00" * 300, "not a video|no video"),
    ],
)
def test_what_is_no_video_is_named(content: bytes, reason: str, tmp_path: Path) -> None:
    (tmp_path / "bad.mp4").write_bytes(content)
    with pytest.raises(InputError, match=f"bad.mp4.*({reason})"):
        probe_video(tmp_path / "bad.mp4")


def test_cuts_are_found_and_flashes_are_none() -> None:
    def thumbnails(seed: int, count: int, gain: float = 1.0) -> list[np.ndarray]:
        rng = np.random.default_rng(seed)
        base = np.kron(rng.random((6, 8, 3)), np.ones((6, 8, 1))).astype(np.float32) * rng.uniform(
            0.3, 1.0, 3
        ).astype(np.float32)
        return [np.clip(np.roll(base, t, axis=1) * gain, 0, 1) for t in range(count)]

    first, second = thumbnails(1, 8), thumbnails(2, 8)
    assert first[0].shape[:2] == THUMBNAIL
    detector = CutDetector()
    assert [i for i, t in enumerate(first + second) if detector.step(t)] == [8]
    detector = CutDetector()
    flash = [*first[:4], np.clip(first[4] * 2.5, 0, 1), *first[5:]]
    assert not any(detector.step(t) for t in flash)
    detector = CutDetector()
    fade = [first[0] * (1 - s) + second[0] * s for s in np.linspace(0, 1, 20)]
    assert not any(detector.step(t) for t in fade)


@pytest.mark.parametrize("frames", [1, 2, 4])
@pytest.mark.parametrize("kind", ["flash", "white", "black"])
def test_a_flash_or_a_plain_picture_is_no_shot(kind: str, frames: int) -> None:
    rng = np.random.default_rng(5)
    scene = 0.4 + 0.1 * np.kron(rng.random((6, 8, 3)), np.ones((6, 8, 1))).astype(np.float32)
    lamp = np.zeros_like(scene)
    lamp[:, 20:] = 0.5  # nearer things get more of the light
    lit = {"flash": np.clip(scene + lamp, 0, 1), "white": scene * 0 + 1, "black": scene * 0}[kind]
    other = np.kron(rng.random((6, 8, 3)), np.ones((6, 8, 1))).astype(np.float32)
    detector = CutDetector()
    seen = [scene] * 5 + [lit] * frames + [scene] * 5 + [lit] * frames + [other] * 5
    cuts, blinded = [], []
    for number, thumbnail in enumerate(seen):
        if detector.step(thumbnail):
            cuts.append(number)
        if detector.blinded:
            blinded.append(number)
        again = CutDetector()  # a run that goes on here
        again.restore(detector.state())
        detector = again
    assert cuts == [10 + 2 * frames]
    assert blinded == [n for at in (5, 10 + frames) for n in range(at, at + frames)]


@pytest.mark.parametrize("frames", [1, 2, 4])
def test_a_shot_may_begin_with_a_flash_and_things_may_move_in_one(frames: int) -> None:
    rng = np.random.default_rng(7)
    scene = 0.4 + 0.1 * np.kron(rng.random((6, 8, 3)), np.ones((6, 8, 1))).astype(np.float32)
    lit = scene.copy()
    lit[:, 20:] += 0.5
    moved = lit.copy()
    moved[:6, 2:10] = 0.05  # a fiftieth of the picture
    seen = [lit] * frames + [scene] * 9 + [moved] * frames + [scene] * 9
    other = np.clip(scene[::-1] - 0.35, 0, 1)  # darker nearly everywhere: no flash has gone out
    detector = CutDetector()
    found, began = [], []
    for number, thumbnail in enumerate([*seen, *[other] * 9]):
        if detector.step(thumbnail):
            found.append(number)
        if detector.began_lit:
            began.append(number)
        again = CutDetector()
        again.restore(detector.state())
        detector = again
    assert found == [len(seen)]
    assert began == [frames]


def test_light_that_stays_is_a_cut() -> None:
    rng = np.random.default_rng(6)
    dark = 0.2 * np.kron(rng.random((6, 8, 3)), np.ones((6, 8, 1))).astype(np.float32)
    light = 0.5 + 0.5 * np.kron(rng.random((6, 8, 3)), np.ones((6, 8, 1))).astype(np.float32)
    detector = CutDetector()
    found = [n for n, t in enumerate([dark] * 5 + [light] * 9) if detector.step(t)]
    assert found == [5 + 4]


def test_a_video_is_shown_upright_with_square_pixels(tmp_path: Path) -> None:
    frames, _ = moving_scene(3, 64, 48)
    write_video(tmp_path / "plain.mp4", frames, codec="libx264")
    assert display_size(probe_video(tmp_path / "plain.mp4")) == (64, 48)
    with av.open(str(tmp_path / "wide.mp4"), "w") as container:
        stream = container.add_stream("libx264", rate=25)
        stream.width, stream.height, stream.pix_fmt = 64, 48, "yuv420p"
        stream.codec_context.sample_aspect_ratio = Fraction(2, 1)
        stream.set_display_matrix(
            struct.unpack("<9i", struct.pack("<9i", 0, 65536, 0, -65536, 0, 0, 0, 0, 1 << 30))
        )
        for picture in frames:
            container.mux(
                stream.encode(
                    av.VideoFrame.from_ndarray(picture, format="rgb24").reformat(format="yuv420p")
                )
            )
        container.mux(stream.encode(None))
    info = probe_video(tmp_path / "wide.mp4")
    assert display_size(info) == (48, 128)
    assert next(read_upright(info, 0, 1)).shape == (64, 48, 3)


def test_a_color_matrix_that_is_not_handled_is_named(tmp_path: Path) -> None:
    with av.open(str(tmp_path / "in.mkv"), "w") as container:
        stream = container.add_stream("ffv1", rate=25)
        stream.width, stream.height, stream.pix_fmt = 96, 64, "yuv420p"
        stream.codec_context.colorspace = 8
        container.mux(
            stream.encode(
                av.VideoFrame.from_ndarray(moving_scene(1, 96, 64)[0][0]).reformat(format="yuv420p")
            )
        )
        container.mux(stream.encode(None))
    with pytest.raises(
        InputError, match=r"in.mkv: its colors are in YCgCo, which is not handled; convert them"
    ):
        probe_video(tmp_path / "in.mkv")
    assert probe_video(tmp_path / "in.mkv", colorspace="bt709").encoding.matrix == "bt709"


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EIO])
def test_a_full_disk_is_no_fault_of_the_form(
    number: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    info = probe_video(write_video(tmp_path / "in.mkv", moving_scene(2, 64, 48)[0]))
    plain = av.open

    def full(file: Any, mode: Any = None, **more: Any) -> Any:
        if mode == "w":
            raise av.error.OSError(number, os.strerror(number), str(file))
        return plain(file, mode, **more)

    monkeypatch.setattr(av, "open", full)
    with pytest.raises(VhmaeError, match=r"out.mp4: cannot be written .*check the space") as told:
        VideoWriter(tmp_path / "out.mp4", info)
    assert told.value.exit_code == 1
