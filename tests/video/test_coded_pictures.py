"""Packets that are no frames of their own: fields of H.264 that are coded apart, and what VP8
decodes and never shows."""

from __future__ import annotations

import errno
from collections.abc import Callable, Iterator
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import cv2
import numpy as np
import pytest

from tests.support.scenes import write_video
from vhmae.cli import main
from vhmae.data.clips import write_mask_bits
from vhmae.errors import VhmaeError
from vhmae.video.coded_pictures import frame_counter, rate_of_frames
from vhmae.video.encoders import choose_encoder, pixel_format
from vhmae.video.probe import probe_video
from vhmae.video.reader import read_frames
from vhmae.video.writer import VideoWriter

FRAMES, SIDE = 10, 64


class Bits:
    """Bits as H.264 writes them."""

    def __init__(self) -> None:
        self.bits: list[int] = []

    def put(self, value: int, count: int) -> Bits:
        self.bits += [(value >> place) & 1 for place in range(count - 1, -1, -1)]
        return self

    def number(self, *values: int) -> Bits:
        for value in values:
            length = (value + 1).bit_length()
            self.put(0, length - 1).put(value + 1, length)
        return self

    def aligned(self) -> Bits:
        self.bits += [0] * (-len(self.bits) % 8)
        return self

    def unit(self, head: int) -> bytes:
        """With the bit that ends it, its start code, and what keeps others out of it."""
        self.bits.append(1)
        out, zeros = bytearray(), 0
        for byte in np.packbits(np.array(self.aligned().bits, np.uint8)).tobytes():
            if zeros >= 2 and byte <= 3:
                out.append(3)
                zeros = 0
            out.append(byte)
            zeros = 0 if byte else zeros + 1
        return b"\0\0\0\1" + bytes([head]) + bytes(out)


def parameters() -> bytes:
    """Main profile, 64 x 64 in macroblocks that may be fields, 25 frames a second."""
    sps = Bits().put(77, 8).put(0, 8).put(30, 8).number(0, 0, 0, 0, 1).put(0, 1).number(3, 1)
    sps.put(0b001011, 6)  # fields; no cropping; what follows is of its timing
    sps.put(0b00001, 5).put(1, 32).put(50, 32).put(0b10000, 5)
    pps = Bits().number(0, 0).put(0, 2).number(0, 0, 0).put(0, 3).number(0, 0, 0).put(0b100, 3)
    return sps.unit(0x67) + pps.unit(0x68)


def coded_field(lines: np.ndarray, bottom: bool, number: int) -> bytes:
    """A field whose macroblocks are kept as they are (I_PCM)."""
    bits = Bits().number(0, 7, 0).put(0, 4).put(1, 1).put(int(bottom), 1)
    if bottom:
        bits.put(1, 4).put(0, 1)
    else:
        bits.number(number % 2).put(0, 4).put(0, 2)
    bits.number(0, 1)
    for top in range(0, SIDE // 2, 16):
        for left in range(0, SIDE, 16):
            bits.number(25).aligned()
            block = lines[top : top + 16, left : left + 16].astype(np.uint8).tobytes()
            for byte in block + bytes([118]) * 64 + bytes([138]) * 64:
                bits.put(byte, 8)
    return bits.unit(0x61 if bottom else 0x65)


@pytest.fixture(scope="module")
def fields(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """A clip of ten frames, each two fields, in a transport stream and in Matroska."""
    folder = tmp_path_factory.mktemp("fields")
    noise = np.random.default_rng(0).normal(size=(SIDE, SIDE + 2 * FRAMES))
    scene = np.clip(cv2.GaussianBlur(noise, (0, 0), 3) * 500 + 128, 20, 230)
    stream = b""
    delimiter = b"\0\0\0\1\x09\x10"
    for number in range(FRAMES):
        frame = scene[:, 2 * number : 2 * number + SIDE]
        stream += delimiter + parameters() + coded_field(frame[0::2], False, number)
        stream += delimiter + coded_field(frame[1::2], True, number)
    (folder / "a.h264").write_bytes(stream)
    files = {}
    for suffix in ("ts", "mkv"):
        files[suffix] = folder / f"a.{suffix}"
        with av.open(folder / "a.h264") as source, av.open(files[suffix], "w") as out:
            copy: Any = out.add_stream_from_template(source.streams.video[0])
            packets = [packet for packet in source.demux(video=0) if packet.size]
            assert len(packets) == 2 * FRAMES
            for place, packet in enumerate(packets):
                packet.time_base, packet.stream = Fraction(1, 50), copy
                packet.pts = packet.dts = place + 50
                packet.duration = 1
                out.mux(packet)
    return files


@pytest.mark.parametrize("suffix", ["ts", "mkv"])
def test_two_fields_are_one_frame(suffix: str, fields: dict[str, Path], tmp_path: Path) -> None:
    info = probe_video(fields[suffix])
    assert (info.frames, float(info.fps)) == (FRAMES, 25.0)
    assert info.duration_seconds == pytest.approx(FRAMES / 25)
    assert [frame.index for frame in read_frames(info)] == list(range(FRAMES))
    masks = np.zeros((FRAMES, SIDE, SIDE), np.uint8)
    masks[:, 10:30, 10:30] = 255
    mask = write_video(tmp_path / "m.mkv", masks)
    assert float(probe_video(mask).fps) == 25.0
    run = ["harmonize", str(fields[suffix]), "--mask", str(mask), "--strict", "-q"]
    for name in ("o.mkv", "o.avi", "o.mp4"):
        assert main([*run, "-o", str(tmp_path / name)]) == 0, name
        made = probe_video(tmp_path / name)
        assert (made.frames, round(float(made.fps))) == (FRAMES, 25), name


def test_rates_are_those_of_frames() -> None:
    """Files tell the mean of packets, of fields or of what is shown; fields and frames may mix."""
    film = Fraction(30000, 1001)
    assert rate_of_frames(2 * film, 40, 20, float(19 / film)) == film
    assert rate_of_frames(film, 40, 20, float(19 / film)) == film
    assert rate_of_frames(Fraction(75, 2), 15, 10, 9 / 25) == 25
    assert rate_of_frames(film, 20, 20, 1.0) == film


@pytest.mark.parametrize(
    "head", ["0164001fffe10000", "0164001fffe1000867000000000000000000", "00000001670000000000"]
)
def test_a_damaged_head_is_no_fault_of_ours(head: str) -> None:
    begins = frame_counter("h264", bytes.fromhex(head))
    assert begins(b"\0\0\0\1\x65" + bytes(40))
    assert begins(bytes(8))


def textured(number: int) -> np.ndarray:
    noise = np.random.default_rng(1).integers(0, 256, (90, 160 + 4 * FRAMES, 3), np.uint8)
    return cv2.GaussianBlur(noise, (0, 0), 1)[:, 4 * number : 4 * number + 160]


def coded(path: Path, codec: str, pix_fmt: str, **options: str) -> Path:
    with av.open(path, "w") as out:
        stream: Any = out.add_stream(codec, rate=25, options=options)
        stream.width, stream.height, stream.pix_fmt = 160, 90, pix_fmt
        for number in range(FRAMES):
            frame = av.VideoFrame.from_ndarray(textured(number), format="rgb24")
            frame = frame.reformat(format=pix_fmt)
            frame.pts, frame.time_base = number, Fraction(1, 25)
            out.mux(stream.encode(frame))
        out.mux(stream.encode(None))
    return path


Change = Callable[[int, bytes], Iterator[bytes]]


def rewritten(source: Path, path: Path, change: Change) -> Path:
    with av.open(source) as before, av.open(path, "w") as out:
        stream: Any = out.add_stream_from_template(before.streams.video[0])
        written = 0
        packets = (packet for packet in before.demux(video=0) if packet.size)
        for place, packet in enumerate(packets):
            for data in change(place, bytes(packet)):
                new = av.Packet(data)
                new.pts = new.dts = written
                new.time_base, new.duration = Fraction(1, 25), 1
                new.is_keyframe, new.stream = packet.is_keyframe, stream
                out.mux(new)
                written += 1
    return path


def test_what_is_never_shown_is_no_frame(tmp_path: Path) -> None:
    def hide(place: int, data: bytes) -> Iterator[bytes]:
        if place in (4, 8):
            yield bytes([data[0] & ~0x10]) + data[1:]
        yield data

    plain = coded(tmp_path / "v.webm", "libvpx", "yuv420p", g="1", deadline="realtime", crf="4")
    info = probe_video(rewritten(plain, tmp_path / "h.webm", hide))
    assert info.frames == FRAMES
    assert [frame.index for frame in read_frames(info)] == list(range(FRAMES))


def test_frames_behind_a_damaged_one_keep_their_numbers_in_avi(tmp_path: Path) -> None:
    def damage(place: int, data: bytes) -> Iterator[bytes]:
        yield bytes(200) if place == 4 else data

    whole = coded(tmp_path / "j.avi", "mjpeg", "yuvj420p", flags="+qscale", global_quality="236")
    info = probe_video(rewritten(whole, tmp_path / "d.avi", damage))
    assert [frame.index for frame in read_frames(info)] == [0, 1, 2, 3, 5, 6, 7, 8, 9]


def harmonized(video: Path, tmp_path: Path, *options: str) -> tuple[np.ndarray, np.ndarray]:
    """Frames before and after, (T, H, W, 3) in levels, in the half that stays as it is."""
    masks = np.zeros((FRAMES, 90, 160), bool)
    masks[:, :, :60] = True
    write_mask_bits(masks, tmp_path / "m.npz")
    out = tmp_path / f"o{video.suffix}"
    run = ["harmonize", str(video), "--mask", str(tmp_path / "m.npz"), "-o", str(out), "-q"]
    assert main([*run, *options]) == 0
    read = [
        np.stack([255.0 * one.image.rgb()[:, 80:] for one in read_frames(probe_video(path))])
        for path in (video, out)
    ]
    return read[0], read[1]


def test_vp8_keeps_its_quality(tmp_path: Path) -> None:
    video = coded(tmp_path / "v.webm", "libvpx", "yuv420p", crf="4", b="100000000")
    before, after = harmonized(video, tmp_path)
    error = float(np.square(before - after).mean())
    assert 10.0 * np.log10(255.0**2 / error) > 38.0


def test_captures_of_screens_stay_in_rgb(tmp_path: Path) -> None:
    video = coded(tmp_path / "v.mp4", "libx264rgb", "rgb24", crf="0")
    before, after = harmonized(video, tmp_path, "--strict")
    assert probe_video(tmp_path / "o.mp4").pixel_format == "gbrp"
    assert np.abs(before - after).mean() < 2.0
    asked = harmonized(video, tmp_path, "--pix-fmt", "yuv420p")
    assert probe_video(tmp_path / "o.mp4").pixel_format == "yuv420p"
    assert len(asked[1]) == FRAMES
    pictures = probe_video(write_video(tmp_path / "p.mkv", np.zeros((2, 64, 64, 3), np.uint8)))
    assert choose_encoder("libx264", pictures) == "libx264"


def test_what_loses_steps_by_itself_is_told(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    video = coded(tmp_path / "v.webm", "libvpx-vp9", "yuv444p", crf="4")
    info = probe_video(video)
    fewer = pixel_format("libvpx-vp9", info, None)
    harmonized(video, tmp_path)
    told = "libvpx-vp9 holds chroma of fewer pixels" in capsys.readouterr().err
    assert told is (fewer != "yuv444p")
    deep = coded(tmp_path / "u.avi", "ffv1", "yuv422p10le")
    out = ["-o", str(tmp_path / "o.avi"), "--codec", "utvideo", "--mask", str(tmp_path / "m.npz")]
    assert main(["harmonize", str(deep), *out]) == 0
    assert "holds" not in capsys.readouterr().err  # who names a codec knows it


@pytest.mark.parametrize(
    ("flags", "told"),
    [
        (["--codec", "hap"], "--codec hap: can be read and not written here"),
        (["--codec", "h265x"], "--codec h265x: unknown"),
        (["--pix-fmt", "pal8"], "--pix-fmt pal8: no palette is made here; take rgb24"),
    ],
)
def test_what_is_not_written_is_one_line(
    flags: list[str], told: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    video = coded(tmp_path / "v.mkv", "ffv1", "yuv420p")
    write_mask_bits(np.ones((FRAMES, 90, 160), bool), tmp_path / "m.npz")
    run = ["harmonize", str(video), "--mask", str(tmp_path / "m.npz"), *flags]
    assert main([*run, "-o", str(tmp_path / "o.mkv")]) == 2
    assert told in capsys.readouterr().err


def test_a_disk_that_fills_while_parts_are_joined_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    video = coded(tmp_path / "v.mkv", "ffv1", "yuv420p")
    writer = VideoWriter(tmp_path / "o.mkv", probe_video(video), codec="ffv1", joined=True)

    class Full:
        def mux_one(self, packet: object) -> None:
            raise OSError(errno.ENOSPC, "No space left on device", str(tmp_path / ".o.part"))

    with monkeypatch.context() as patched, av.open(video) as source:
        packets = [packet for packet in source.demux(video=0) if packet.size]
        patched.setattr("vhmae.video.writer.read_packets", lambda path: packets)
        patched.setattr("vhmae.video.writer.presentation_times", lambda path: [*range(FRAMES)])
        patched.setattr(writer, "_container", Full())
        with pytest.raises(VhmaeError) as told:
            writer.copy(video)
    writer.abandon()
    assert str(told.value) == (
        f"{tmp_path / 'o.mkv'}: joining failed at frame 0 (No space left on device); check the "
        "space on the disk, and resume"
    )
