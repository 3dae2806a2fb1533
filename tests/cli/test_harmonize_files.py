"""``vhmae harmonize`` on files as they come: other clocks, turned pictures, grey pictures, shots
that open on a close-up."""

from __future__ import annotations

import json
import struct
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path

import av
import cv2
import numpy as np
import pytest

from tests.support.commands import error_of, harmonize
from tests.support.scenes import break_packets, decode, moving_scene, packets, write_video
from vhmae.cli import main
from vhmae.data.clips import write_mask_bits
from vhmae.video.probe import probe_video

Maker = Callable[..., tuple[Path, Path]]


def delayed(source: Path, path: Path, seconds: Fraction) -> Path:
    """The same packets, shown later."""
    with av.open(str(source)) as container, av.open(str(path), "w") as out:
        streams = {
            stream.index: out.add_stream_from_template(stream) for stream in container.streams
        }
        for packet in container.demux():
            if packet.dts is None or packet.pts is None:
                continue
            shift = round(seconds / packet.time_base)
            packet.pts, packet.dts = packet.pts + shift, packet.dts + shift
            packet.stream = streams[packet.stream.index]
            out.mux(packet)
    return path


def test_start_and_end_count_from_the_first_frame(small_clip: Maker, tmp_path: Path) -> None:
    composite, mask = small_clip(frames=30, audio=True)
    late = delayed(composite, tmp_path / "late.mkv", Fraction(7))
    assert probe_video(late).start_seconds == pytest.approx(7.0, abs=0.03)
    for name, source in (("plain", composite), ("late", late)):
        harmonize(
            source,
            "--mask",
            mask,
            "-o",
            tmp_path / f"{name}-out.mkv",
            "--start",
            0.4,
            "--end",
            0.8,
            "--json",
            tmp_path / f"{name}.json",
        )
    plain, shifted = (
        json.loads((tmp_path / f"{name}.json").read_text()) for name in ("plain", "late")
    )
    assert (
        (shifted["frames"], shifted["skipped"]) == (plain["frames"], plain["skipped"]) == (10, 20)
    )
    first, second = decode(tmp_path / "plain-out.mkv"), decode(tmp_path / "late-out.mkv")
    assert all(np.array_equal(a[0], b[0]) for a, b in zip(first, second, strict=True))
    assert packets(tmp_path / "late-out.mkv", "audio") == packets(
        tmp_path / "plain-out.mkv", "audio"
    )
    harmonize(
        late, "--mask", mask, "-o", tmp_path / "whole.mkv"
    )  # a whole copy keeps the file's clock
    assert probe_video(tmp_path / "whole.mkv").start_seconds == pytest.approx(7.0, abs=0.03)


def test_an_empty_part_is_refused_early(
    small_clip: Maker, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    composite, _ = small_clip(frames=20)
    masks = moving_scene(20, 96, 64)[1]
    masks[5:] = False
    write_mask_bits(masks, tmp_path / "m.npz")
    run = ("harmonize", composite, "--mask", tmp_path / "m.npz", "-o", tmp_path / "o.mkv")
    assert "no frame is shown" in error_of(
        *run, "--start", "0.045", "--end", "0.055", capsys=capsys
    )
    assert "no foreground between --start and --end" in error_of(
        *run, "--start", "0.4", capsys=capsys
    )
    assert not (tmp_path / "o.mkv").exists()


def test_a_turned_picture_stays_turned(tmp_path: Path, bold: Path) -> None:
    frames, masks = moving_scene(6, 96, 64)
    with av.open(str(tmp_path / "in.mp4"), "w") as container:
        stream = container.add_stream("libx264", rate=25)
        stream.width, stream.height, stream.pix_fmt = 96, 64, "yuv420p"
        stream.set_display_rotation(90)
        for frame in frames:
            container.mux(stream.encode(av.VideoFrame.from_ndarray(frame)))
        container.mux(stream.encode(None))
    write_mask_bits(masks, tmp_path / "m.npz")
    harmonize(
        tmp_path / "in.mp4",
        "--mask",
        tmp_path / "m.npz",
        "-o",
        tmp_path / "out.mp4",
        "--weights",
        bold,
    )
    before, after = probe_video(tmp_path / "in.mp4"), probe_video(tmp_path / "out.mp4")
    assert before.display_matrix is not None
    assert struct.unpack("<9i", before.display_matrix)[:2] != (65536, 0)
    assert after.display_matrix == before.display_matrix
    assert (after.width, after.height) == (96, 64)


@pytest.mark.parametrize("degrees", [90, 180, 270])
@pytest.mark.parametrize(
    "form", ["upright pictures", "upright video", "turned in its own way", "as stored"]
)
def test_masks_of_a_turned_video_lie_as_it_is_shown(
    degrees: int, form: str, tmp_path: Path, bold: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    frames, masks = moving_scene(4, 96, 64)
    masks[:] = False
    masks[:, 4:24, 6:36] = True

    def write(path: Path, pictures: np.ndarray, turned: int) -> Path:
        with av.open(str(path), "w") as container:
            stream = container.add_stream("libx264", rate=25, options={"qp": "0"})
            stream.width, stream.height, stream.pix_fmt = (
                pictures.shape[2],
                pictures.shape[1],
                "yuv444p",
            )
            stream.set_display_rotation(turned)  # counterclockwise; for 0 nothing is written
            for picture in pictures:
                container.mux(
                    stream.encode(av.VideoFrame.from_ndarray(np.ascontiguousarray(picture)))
                )
            container.mux(stream.encode(None))
        return path

    composite = write(tmp_path / "in.mp4", frames, degrees)
    grey = np.repeat(masks[..., None], 3, axis=-1).astype(np.uint8) * 255
    upright = np.rot90(grey, degrees // 90, axes=(1, 2))
    own = {90: 270, 180: 90, 270: 180}[degrees]
    if form == "turned in its own way":
        mask = write(tmp_path / "m.mp4", np.rot90(upright, -own // 90, axes=(1, 2)), own)
        assert probe_video(mask).display_matrix not in (None, probe_video(composite).display_matrix)
    elif form == "as stored":
        mask = write(tmp_path / "m.mp4", grey, degrees)
    elif form == "upright video":
        mask = write(tmp_path / "m.mp4", upright, 0)
    else:
        mask = tmp_path / "m.png"
        cv2.imwrite(str(mask), np.ascontiguousarray(upright[0]))
    run = [
        "harmonize",
        str(composite),
        "--mask",
        str(mask),
        "-o",
        str(tmp_path / "out.mkv"),
        "--codec",
        "ffv1",
        "--caution",
        "0",
    ]
    assert main([*run, "--weights", str(bold)]) == 0
    told = "does not say how it lies" in capsys.readouterr().err
    # What has no matrix is known to stand upright by its sides, but for a half turn.
    assert told == (degrees == 180 and form in ("upright pictures", "upright video"))
    if told:
        return
    for old, new, hole in zip(decode(composite), decode(tmp_path / "out.mkv"), masks, strict=True):
        assert np.array_equal(old[0][~hole], new[0][~hole])
        assert (old[0][hole] != new[0][hole]).mean() > 0.5


@pytest.mark.parametrize("pix_fmt", ["gray", "gray10le", "gray16le"])
def test_grey_pictures_stay_exact_outside_the_matte(
    pix_fmt: str, tmp_path: Path, bold: Path
) -> None:
    frames, masks = moving_scene(8, 96, 64)
    composite = write_video(tmp_path / "in.mkv", frames, pix_fmt=pix_fmt)
    write_mask_bits(masks, tmp_path / "m.npz")
    harmonize(
        composite, "--mask", tmp_path / "m.npz", "-o", tmp_path / "out.mkv", "--weights", bold
    )
    assert probe_video(tmp_path / "out.mkv").pixel_format == pix_fmt
    changed = 0
    for old, new, hole in zip(decode(composite), decode(tmp_path / "out.mkv"), masks, strict=True):
        assert np.array_equal(old[0][~hole], new[0][~hole])
        changed += int((old[0] != new[0]).sum())
    assert changed


def test_grey_mattes_of_any_depth_are_read(small_clip: Maker, tmp_path: Path) -> None:
    composite, mask = small_clip()
    harmonize(composite, "--mask", mask, "-o", tmp_path / "expected.mkv")
    masks = moving_scene(12, 96, 64)[1].astype(np.uint8) * 255
    for pix_fmt in ("gray", "gray10le", "gray16le"):
        matte = write_video(tmp_path / f"{pix_fmt}.mkv", masks, pix_fmt=pix_fmt)
        harmonize(composite, "--mask", matte, "-o", tmp_path / "o.mkv")
        assert all(
            np.array_equal(a[0], b[0])
            for a, b in zip(
                decode(tmp_path / "expected.mkv"), decode(tmp_path / "o.mkv"), strict=True
            )
        )


def other_scene(count: int) -> np.ndarray:
    """A shot with other colors, laid out in another way."""
    rng = np.random.default_rng(3)
    still = np.kron(rng.integers(0, 80, (8, 12, 3)), np.ones((8, 8, 1), int)).astype(np.uint8)
    return np.stack([np.roll(still, t, axis=1) for t in range(count)])


def test_a_later_shot_that_opens_on_a_close_up_reads_ahead(
    tmp_path: Path, bold: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    frames, masks = moving_scene(12, 96, 64)
    composite = write_video(tmp_path / "in.mkv", np.concatenate([frames, other_scene(70)]))
    holes = np.concatenate([masks, np.ones((70, 64, 96), bool)])
    holes[72:, :, 40:] = False  # the background of the second shot is seen only after 60 frames
    write_mask_bits(holes, tmp_path / "m.npz")
    run = (
        "harmonize",
        composite,
        "--mask",
        tmp_path / "m.npz",
        "-o",
        tmp_path / "out.mkv",
        "--weights",
        bold,
    )
    assert main([*map(str, run), "--caution", "0"]) == 0
    assert "60 frames show no background" in capsys.readouterr().err
    before, after = decode(composite), decode(tmp_path / "out.mkv")
    assert not np.array_equal(before[12][0], after[12][0])
    holes[12:] = True
    write_mask_bits(holes, tmp_path / "m.npz")
    assert "shows no background in the shot at 0.48 s (frame 12)" in error_of(*run, capsys=capsys)


def test_cuts_can_be_named_or_left_out(
    tmp_path: Path, bold: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    frames, masks = moving_scene(10, 96, 64)
    composite = write_video(tmp_path / "in.mkv", np.concatenate([frames, other_scene(10)]))
    write_mask_bits(np.concatenate([masks, masks]), tmp_path / "m.npz")
    (tmp_path / "cuts.txt").write_text("# the second shot\n10\n")
    run = (composite, "--mask", tmp_path / "m.npz", "--weights", bold)
    for name, options in (
        ("found", ()),
        ("named", ("--cuts", tmp_path / "cuts.txt")),
        ("one", ("--no-cut-detection",)),
    ):
        harmonize(*run, "-o", tmp_path / f"{name}.mkv", *options)
    found, named, one = (decode(tmp_path / f"{name}.mkv") for name in ("found", "named", "one"))
    assert all(np.array_equal(a[0], b[0]) for a, b in zip(found, named, strict=True))
    assert not all(np.array_equal(a[0], b[0]) for a, b in zip(found, one, strict=True))
    for text, message in (
        ("20\n", "line 1 is '20'"),
        ("x\n", "expected the number of a frame, 0 to 19"),
    ):
        (tmp_path / "cuts.txt").write_text(text)
        assert message in error_of(
            "harmonize",
            *run,
            "-o",
            tmp_path / "o.mkv",
            "--cuts",
            tmp_path / "cuts.txt",
            capsys=capsys,
        )


def test_a_mask_video_that_breaks_off_is_refused(
    small_clip: Maker, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    composite, mask = small_clip(frames=12)
    break_packets(mask, tmp_path / "broken.mkv", lambda number: number >= 7)
    run = ("harmonize", composite, "--mask", tmp_path / "broken.mkv", "-o", tmp_path / "out.mkv")
    assert "its frame 7 cannot be read" in error_of(*run, capsys=capsys)
    assert not (tmp_path / "out.mkv").exists()


@pytest.mark.parametrize(
    ("codec", "suffix"), [("mpeg4", ".mp4"), ("mpeg2video", ".mkv"), ("mjpeg", ".mov")]
)
def test_encoders_without_a_quality_scale_are_kept_good(
    codec: str, suffix: str, small_clip: Maker, tmp_path: Path
) -> None:
    composite, mask = small_clip(frames=10)
    harmonize(
        composite,
        "--mask",
        mask,
        "-o",
        tmp_path / f"out{suffix}",
        "--codec",
        codec,
        "--strength",
        "0",
    )
    before, after = decode(composite), decode(tmp_path / f"out{suffix}")
    assert len(before) == len(after) == 10
    if codec != "mjpeg":  # mjpeg is full range: other code values
        assert (
            np.mean(
                [np.abs(a[0].astype(int) - b[0]).mean() for a, b in zip(before, after, strict=True)]
            )
            < 2.0
        )


@pytest.mark.parametrize(
    ("source", "wanted"), [("bgra", "yuv420p"), ("yuv420p", "gbrp10le"), ("yuv444p", "yuv420p10le")]
)
def test_another_pixel_format_keeps_the_colors(source: str, wanted: str, tmp_path: Path) -> None:
    from vhmae.video.reader import read_rgb_frames

    frames, masks = moving_scene(4, 96, 64)
    composite = write_video(tmp_path / "in.mkv", frames, pix_fmt=source)
    write_mask_bits(masks, tmp_path / "m.npz")
    harmonize(
        composite,
        "--mask",
        tmp_path / "m.npz",
        "-o",
        tmp_path / "out.mkv",
        "--pix-fmt",
        wanted,
        "--codec",
        "ffv1",
        "--strength",
        "0",
    )
    assert probe_video(tmp_path / "out.mkv").pixel_format == wanted
    before, after = (
        read_rgb_frames(path, [0, 3])[0].astype(int) for path in (composite, tmp_path / "out.mkv")
    )
    assert np.abs(before - after).mean() < 2.5
    assert np.abs((before - after).mean((0, 1))).max() < 1.0


def test_what_the_encoder_does_not_know_is_refused(
    small_clip: Maker, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    composite, mask = small_clip(frames=3)
    run = ("harmonize", composite, "--mask", mask, "-o", tmp_path / "out.mp4")
    for options, message in (
        (("--codec", "libx264", "--crf", "99"), "expected 0 (best) to 51"),
        (("--codec", "libx264", "--crf", "-5"), "expected 0 (best) to 51"),
        (("--codec", "libx264", "--preset", "vryfast"), "did you mean veryfast"),
        (("--codec", "ffv1", "--preset", "fast"), "has no such setting"),
        (("--codec", "libx264", "--pix-fmt", "yuv420q"), "did you mean yuv420p"),
        (("--json", composite), "is a file of the work itself"),
        (("--json", tmp_path / "out.mp4"), "is a file of the work itself"),
    ):
        assert message in error_of(*run, *options, capsys=capsys)
    assert decode(composite)
