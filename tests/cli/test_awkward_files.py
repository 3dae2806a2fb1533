"""Lost packets, odd starts, subtitles and shapes of pixels, through the whole command."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest

from tests.support.commands import error_of, harmonize
from tests.support.scenes import break_packets, decode, moving_scene, write_video
from vhmae.cli import main
from vhmae.data.clips import write_mask_bits
from vhmae.video.probe import VideoInfo
from vhmae.video.reader import TimedFrame, read_frames

Maker = Callable[..., tuple[Path, Path]]


def test_a_lost_packet_shifts_no_mask(
    tmp_path: Path, bold: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Frame 5 cannot be decoded: the frames after it still have their own masks, and a warning
    counts it."""
    frames, masks = moving_scene(10, 96, 64)
    whole = write_video(tmp_path / "whole.mkv", frames, gop=1)  # every frame stands alone
    break_packets(whole, tmp_path / "in.mkv", lambda number: number == 5)
    write_mask_bits(masks, tmp_path / "m.npz")
    assert (
        main(
            [
                "harmonize",
                str(tmp_path / "in.mkv"),
                "--mask",
                str(tmp_path / "m.npz"),
                "-o",
                str(tmp_path / "out.mkv"),
            ]
        )
        == 0
    )
    assert "1 of its 10 frames could not be decoded" in capsys.readouterr().err
    before, after = decode(whole), decode(tmp_path / "out.mkv")
    assert len(after) == 9
    for number, new in zip([0, 1, 2, 3, 4, 6, 7, 8, 9], after, strict=True):
        assert np.array_equal(before[number][0][~masks[number]], new[0][~masks[number]])
    strict = (
        "harmonize",
        tmp_path / "in.mkv",
        "--mask",
        tmp_path / "m.npz",
        "-o",
        tmp_path / "strict.mkv",
        "--strict",
    )
    assert "--strict" in error_of(*strict, capsys=capsys)
    assert not (tmp_path / "strict.mkv").exists()


def test_avi_keeps_masks_and_frames_together(tmp_path: Path, bold: Path) -> None:
    """AVI stores no presentation times: with B-frames, what is read as such is the decoding
    order."""
    frames, masks = moving_scene(30, 96, 64)
    composite = write_video(tmp_path / "in.avi", frames, codec="libx264")
    write_mask_bits(masks, tmp_path / "m.npz")
    harmonize(
        composite,
        "--mask",
        tmp_path / "m.npz",
        "-o",
        tmp_path / "out.mkv",
        "--codec",
        "ffv1",
        "--weights",
        bold,
    )
    before, after = decode(composite), decode(tmp_path / "out.mkv")
    assert len(before) == len(after) == 30
    for old, new, hole in zip(before, after, masks, strict=True):
        assert np.array_equal(old[0][~hole], new[0][~hole])


def test_a_start_counts_by_time_stamps_not_by_frames(tmp_path: Path) -> None:
    frames, masks = moving_scene(6, 64, 48)
    composite = write_video(tmp_path / "in.mkv", frames, pts=[0, 40, 80, 3000, 5000, 9000])
    write_mask_bits(masks, tmp_path / "m.npz")
    harmonize(composite, "--mask", tmp_path / "m.npz", "-o", tmp_path / "out.mkv", "--start", 2)
    assert len(decode(tmp_path / "out.mkv")) == 3


def test_what_lies_before_the_start_is_not_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    frames, masks = moving_scene(40, 96, 64)
    write_video(tmp_path / "in.mkv", frames, gop=10)
    write_mask_bits(masks, tmp_path / "m.npz")
    read: list[int] = []

    def counted(info: VideoInfo, *, first: int = 0) -> Iterator[TimedFrame]:
        read.append(first)
        return read_frames(info, first=first)

    monkeypatch.setattr("vhmae.work.sources.read_frames", counted)
    out = tmp_path / "out.mkv"
    harmonize(
        tmp_path / "in.mkv",
        "--mask",
        tmp_path / "m.npz",
        "-o",
        out,
        "--start",
        1.2,
        "--json",
        tmp_path / "r.json",
    )
    assert set(read) == {30}
    assert len(decode(out)) == 10
    assert json.loads((tmp_path / "r.json").read_text())["warnings"] == []


def test_subtitles_are_kept_as_the_container_knows_them_or_told(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    frames, masks = moving_scene(6, 64, 48)
    plain = write_video(tmp_path / "plain.mkv", frames)
    (tmp_path / "words.srt").write_text("1\n00:00:00,000 --> 00:00:00,200\nhello\n")
    with (
        av.open(str(plain)) as source,
        av.open(str(tmp_path / "words.srt")) as words,
        av.open(str(tmp_path / "in.mkv"), "w") as container,
    ):
        streams = [container.add_stream_from_template(one.streams[0]) for one in (source, words)]
        for one, stream in zip((source, words), streams, strict=True):
            for packet in one.demux():
                if packet.size:
                    packet.stream = stream
                    container.mux(packet)
    write_mask_bits(masks, tmp_path / "m.npz")
    run = ["harmonize", str(tmp_path / "in.mkv"), "--mask", str(tmp_path / "m.npz")]
    kinds = {"a.MKV": "srt", "b.mp4": "mov_text", "c.mov": "mov_text", "d.avi": None}
    for name, kind in kinds.items():
        assert main([*run, "-o", str(tmp_path / name), "--codec", "libx264"]) == 0
        told = (
            f"{name}: cannot hold subtitles (srt, stream 1): left out\n" in capsys.readouterr().err
        )
        assert told == (kind is None)
        with av.open(str(tmp_path / name)) as made:
            found = [one.codec_context.name for one in made.streams.subtitles]
            assert found == ([] if kind is None else [kind])
            shown = [bytes(one) for one in made.demux(subtitles=0)] if found else []
            assert any(b"hello" in one for one in shown) == bool(found)


@pytest.mark.parametrize(
    ("name", "codec", "kept"),
    [
        ("a.mp4", "libx264", True),
        ("a.mkv", "libx264", True),
        ("a.mkv", "ffv1", False),
        ("a.webm", "vp9", False),
    ],
)
def test_pixels_that_are_not_square_are_kept_or_told(
    name: str, codec: str, kept: bool, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    frames, masks = moving_scene(4, 64, 48)
    with av.open(str(tmp_path / "in.mp4"), "w") as container:
        stream = container.add_stream("libx264", rate=25)
        stream.width, stream.height, stream.pix_fmt = 64, 48, "yuv420p"
        stream.codec_context.sample_aspect_ratio = Fraction(16, 11)
        for picture in frames:
            container.mux(
                stream.encode(
                    av.VideoFrame.from_ndarray(picture, format="rgb24").reformat(format="yuv420p")
                )
            )
        container.mux(stream.encode(None))
    write_mask_bits(masks, tmp_path / "m.npz")
    run = [
        "harmonize",
        str(tmp_path / "in.mp4"),
        "--mask",
        str(tmp_path / "m.npz"),
        "-o",
        str(tmp_path / name),
        "--codec",
        codec,
    ]
    assert main(run) == 0
    assert (
        "cannot hold pixels that are not square (16:11): left out\n" in capsys.readouterr().err
    ) != kept
    with av.open(str(tmp_path / name)) as container:
        assert (container.streams.video[0].sample_aspect_ratio == Fraction(16, 11)) == kept
