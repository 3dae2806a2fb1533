"""``vhmae matte``: files in, files out."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import cv2
import numpy as np
import pytest

from tests.support.formats import Row, make
from tests.support.matting import write_rvm
from tests.support.pictures import read_picture
from tests.support.scenes import decode, moving_scene, packets, write_video
from vhmae.cli import main
from vhmae.matting.job import MatteJob
from vhmae.matting.maker import MatteMaker
from vhmae.matting.run import matte_video
from vhmae.video.matte import alpha_matte, open_matte
from vhmae.video.probe import probe_video
from vhmae.video.reader import read_frames, to_uint8


@pytest.fixture
def screen(tmp_path: Path) -> tuple[Path, np.ndarray]:
    """A clip before a green screen, with sound, and its true masks."""
    frames, masks = moving_scene(8, 96, 64)
    frames[masks] = (210, 120, 90)
    frames[~masks] = (40, 180, 60)
    return write_video(
        tmp_path / "green.mp4", frames, codec="libx264", pix_fmt="yuv444p", audio=True
    ), masks


@pytest.mark.parametrize("name", ["matte.mkv", "matte.mp4", "matte.webm", "matte.%03d.png"])
def test_mattes_are_read_back_as_they_were_made(
    screen: tuple[Path, np.ndarray], tmp_path: Path, name: str
) -> None:
    video, masks = screen
    assert main(["matte", str(video), "-o", str(tmp_path / name), "--with", "chroma", "-q"]) == 0
    mattes = open_matte(tmp_path / name)
    read = np.stack(
        [matte for matte, _ in zip(mattes.read(probe_video(video)), masks, strict=False)]
    )
    assert mattes.frames == 8
    inner = np.stack([cv2.erode(mask.astype(np.uint8), np.ones((7, 7))) > 0 for mask in masks])
    outer = np.stack([cv2.dilate(mask.astype(np.uint8), np.ones((7, 7))) == 0 for mask in masks])
    assert read[inner].mean() > 252
    assert read[outer].mean() < 3
    if name == "matte.mkv":
        assert probe_video(tmp_path / name).codec == "ffv1"
        assert packets(tmp_path / name, "audio") == packets(video, "audio")


@pytest.mark.parametrize("told", [0, 1, 2], ids=["untold", "limited", "full"])
@pytest.mark.parametrize("name", ["matte.mkv", "matte.mp4", "matte.webm"])
def test_a_matte_tells_its_own_range_and_not_that_of_its_video(
    name: str, told: int, tmp_path: Path
) -> None:
    video = tmp_path / "video.mp4"
    with av.open(str(video), "w") as container:
        stream = container.add_stream("libx264", rate=25)
        stream.width, stream.height, stream.pix_fmt = 256, 64, "yuv420p"
        stream.codec_context.color_range = told
        for picture in moving_scene(3, 256, 64)[0]:
            container.mux(
                stream.encode(
                    av.VideoFrame.from_ndarray(picture).reformat(
                        format="yuv420p", dst_color_range=told or 1
                    )
                )
            )
        container.mux(stream.encode(None))
    assert probe_video(video).encoding.full_range == (told == 2)
    ramp = np.tile(np.arange(256, dtype=np.uint8), (64, 1))
    cv2.imwrite(str(tmp_path / "ramp.png"), ramp)
    assert (
        main(
            [
                "matte",
                str(video),
                "--with",
                "file",
                "--matte",
                str(tmp_path / "ramp.png"),
                "-o",
                str(tmp_path / name),
                "-q",
            ]
        )
        == 0
    )
    read = next(open_matte(tmp_path / name).read(probe_video(video)))
    soft = slice(20, 236)  # a lossy codec's black and white are cleaned of noise
    assert np.abs(read.astype(int) - ramp)[:, soft].max() <= (0 if name.endswith("mkv") else 3)
    assert (read[:, 0] == 0).all()
    assert (read[:, 255] == 255).all()


@pytest.mark.parametrize("name", ["fg.mov", "fg.webm", "fg.mkv", "fg.%03d.png"])
def test_the_foreground_carries_its_alpha_in_every_container(
    screen: tuple[Path, np.ndarray], tmp_path: Path, name: str
) -> None:
    video, masks = screen
    assert (
        main(["matte", str(video), "--foreground", str(tmp_path / name), "--with", "chroma", "-q"])
        == 0
    )
    if name.endswith(".png"):
        picture = cv2.imread(str(tmp_path / "fg.004.png"), cv2.IMREAD_UNCHANGED)
        assert picture is not None
        alpha, color = picture[..., 3], picture[..., 2::-1]
        mask = masks[3]
    else:
        info = probe_video(tmp_path / name)
        assert "a" in info.pixel_format
        timed = list(read_frames(info))[3]
        alpha, color, mask = alpha_matte(timed.image), to_uint8(timed.image.rgb()), masks[3]
        alpha = alpha if alpha.dtype == np.uint8 else alpha // 257
    inner = cv2.erode(mask.astype(np.uint8), np.ones((7, 7))) > 0
    outer = cv2.dilate(mask.astype(np.uint8), np.ones((9, 9))) == 0
    assert alpha[inner].min() > 240
    assert alpha[outer].max() < 12
    assert np.abs(color[inner].astype(float) - (210, 120, 90)).mean() < 6


def test_a_foreground_with_vp9_alpha_is_harmonized_over_a_background(
    screen: tuple[Path, np.ndarray], tmp_path: Path
) -> None:
    video, masks = screen
    wall = np.full((8, 64, 96, 3), 70, np.uint8) + np.arange(96, dtype=np.uint8)[:, None]
    back = write_video(tmp_path / "back.mp4", wall, codec="libx264")
    layer = tmp_path / "fg.webm"
    assert main(["matte", str(video), "--foreground", str(layer), "--with", "chroma", "-q"]) == 0
    out = tmp_path / "out.mp4"
    command = [
        "harmonize",
        "--foreground",
        str(layer),
        "--background",
        str(back),
        "-o",
        str(out),
        "-q",
        "--strength",
        "0",
    ]
    assert main(command) == 0
    (shown, *_) = [
        to_uint8(timed.image.rgb()).astype(int) for timed in read_frames(probe_video(out))
    ]
    inside = cv2.erode(masks[0].astype(np.uint8), np.ones((9, 9))) > 0
    outside = cv2.dilate(masks[0].astype(np.uint8), np.ones((9, 9))) == 0
    assert (
        np.abs(shown[inside].mean(axis=0) - (210, 120, 90)).max() < 12
    )  # the subject, not the wall
    assert np.abs(shown[outside] - wall[0][outside]).mean() < 4


def test_a_given_matte_is_brought_into_another_form(
    screen: tuple[Path, np.ndarray], tmp_path: Path
) -> None:
    video, masks = screen
    np.savez(tmp_path / "m.npz", bits=np.packbits(masks, axis=-1), shape=np.array(masks.shape))
    arguments = [
        "matte",
        str(video),
        "-o",
        str(tmp_path / "out.mkv"),
        "--with",
        "file",
        "--matte",
        str(tmp_path / "m.npz"),
        "-q",
    ]
    assert main(arguments) == 0
    read = [
        matte
        for matte, _ in zip(
            open_matte(tmp_path / "out.mkv").read(probe_video(video)), masks, strict=False
        )
    ]
    assert np.array_equal(np.stack(read) > 127, masks)


def test_each_shot_is_cut_out_by_itself(tmp_path: Path) -> None:
    green, masks = moving_scene(6, 96, 64)
    green[masks] = (210, 120, 90)
    blue = green.copy()
    green[~masks], blue[~masks] = (40, 180, 60), (30, 60, 200)
    video = write_video(tmp_path / "both.mkv", np.concatenate([green, blue]), pix_fmt="bgr0")
    assert main(["matte", str(video), "-o", str(tmp_path / "m.mkv"), "--with", "chroma", "-q"]) == 0
    read = (
        np.stack(
            [
                matte
                for matte, _ in zip(
                    open_matte(tmp_path / "m.mkv").read(probe_video(video)), range(12), strict=False
                )
            ]
        )
        > 127
    )
    true = np.concatenate([masks, masks])
    assert ((read & true).sum((1, 2)) / (read | true).sum((1, 2))).min() > 0.95


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--with", "chroma"], "-o: missing"),
        (["--with", "plate", "-o", "m.mkv"], "--plate"),
        (["--with", "file", "-o", "m.mkv"], "--matte"),
        (["--with", "chroma", "-o", "m.xyz"], "unknown container"),
        (["--with", "chroma", "--foreground", "fg.mp4"], "holds no alpha"),
        (["--with", "chroma", "--foreground", "fg.jpg"], "one picture"),
        (["--with", "chroma", "-o", "m.mkv", "--foreground", "m.mkv"], "named twice"),
        (["--with", "chroma", "-o", "m.%04d.png", "--foreground", "m.####.png"], "named twice"),
        (["--with", "magic", "-o", "m.mkv"], "expected one of chroma"),
        (["-o", "m.mkv"], "--with"),
    ],
)
def test_what_cannot_work_is_told_before_the_work(
    screen: tuple[Path, np.ndarray],
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    arguments: list[str],
    said: str,
) -> None:
    monkeypatch.chdir(tmp_path)
    before = sorted(tmp_path.iterdir())
    assert main(["matte", "green.mp4", *arguments]) == 2
    assert said in capsys.readouterr().err
    assert sorted(tmp_path.iterdir()) == before


def test_where_no_person_is_found_another_way_is_named_and_nothing_is_left(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    video = write_video(tmp_path / "dark.mp4", np.zeros((6, 64, 96, 3), np.uint8), codec="libx264")
    weights = write_rvm(tmp_path / "rvm.onnx")
    assert (
        main(
            [
                "matte",
                str(video),
                "-o",
                str(tmp_path / "m.mkv"),
                "--with",
                "rvm",
                "--weights",
                str(weights),
            ]
        )
        == 2
    )
    assert "try --with salient" in capsys.readouterr().err
    assert {path.name for path in tmp_path.iterdir()} == {"dark.mp4", "rvm.onnx"}


def test_memory_does_not_grow_with_the_video(screen: tuple[Path, np.ndarray]) -> None:
    """Frames are held only while their mattes are made."""
    from vhmae.matting.chroma import ChromaKey
    from vhmae.matting.job import MatteJob
    from vhmae.matting.run import cut_out

    video, _ = screen
    info = probe_video(video)
    ahead = 0

    def counted():  # type: ignore[no-untyped-def]
        nonlocal ahead
        for timed in read_frames(info):
            ahead += 1
            yield timed

    for done, _ in enumerate(
        cut_out(MatteJob(video=video, output=None, way="chroma"), info, ChromaKey(), counted()), 1
    ):
        assert ahead - done <= 1
    with av.open(str(video)) as container:
        assert done == container.streams.video[0].frames


def test_a_mask_is_made_where_none_is_given(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    frames, masks = moving_scene(6, 96, 64)
    frames[~masks] = (20, 120, 160)
    frames[masks] = (255, 120, 90)  # the small network takes red for alpha
    video = write_video(tmp_path / "in.mkv", frames, pix_fmt="bgr0")
    weights = write_rvm(tmp_path / "rvm.onnx")
    arguments = [
        "harmonize",
        str(video),
        "-o",
        str(tmp_path / "out.mkv"),
        "--matte",
        "rvm",
        "--matte-weights",
        str(weights),
    ]
    assert main([*arguments, "--caution", "0"]) == 0
    assert "the mask was made by rvm" in capsys.readouterr().err
    (before, *_), (after, *_) = (
        [timed.image.rgb() for timed in read_frames(probe_video(path))]
        for path in (video, tmp_path / "out.mkv")
    )
    assert np.abs(after - before)[masks[0]].mean() > 0.002
    assert {path.name for path in tmp_path.iterdir()} == {"in.mkv", "out.mkv", "rvm.onnx"}
    assert main([*arguments, "--mask", str(video)]) == 2


@pytest.mark.parametrize("option", ["--no-cut-detection", "--cuts"])
def test_a_mask_that_is_made_heeds_what_is_said_of_cuts(
    option: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    video = write_video(tmp_path / "in.mkv", moving_scene(6, 96, 64)[0], pix_fmt="bgr0")
    (tmp_path / "cuts.txt").write_text("3\n")
    jobs: list[MatteJob] = []

    def seen(job: MatteJob, *_: object) -> None:
        jobs.append(job)
        raise KeyboardInterrupt

    monkeypatch.setattr("vhmae.matting.run.matte_video", seen)
    value = [str(tmp_path / "cuts.txt")] if option == "--cuts" else []
    assert (
        main(
            [
                "harmonize",
                str(video),
                "-o",
                str(tmp_path / "out.mkv"),
                "--matte",
                "rvm",
                option,
                *value,
            ]
        )
        == 130
    )
    assert (jobs[0].cuts, jobs[0].cut_detection) == (
        (tmp_path / "cuts.txt", True) if value else (None, False)
    )


def test_what_cuts_out_sees_the_video_upright(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    video = tmp_path / "turned.mp4"
    make(Row("mp4", "libx264", "yuv420p", rotation=90), video)
    seen: list[tuple[int, ...]] = []

    class Red(MatteMaker):
        def mattes(self, frames: Iterable[np.ndarray]) -> Iterator[np.ndarray]:
            for frame in frames:
                seen.append(frame.shape)
                yield frame[..., 0].astype(np.float32) / 255.0

    monkeypatch.setattr("vhmae.matting.run.make_maker", lambda job, info: Red())
    matte_video(MatteJob(video=video, output=tmp_path / "m.mkv", way="rvm"))
    assert set(seen) == {(96, 64, 3)}
    stored = next(read_frames(probe_video(video))).image.rgb()[..., 0] * 255.0
    assert np.abs(decode(tmp_path / "m.mkv")[0][0] - stored).max() <= 1.0


@pytest.mark.parametrize(
    ("option", "way"),
    [
        ("--matte-ratio=0", "chroma"),
        ("--threads=2", "plate"),
        ("--no-despill", "rvm"),
        ("--plate=x.png", "salient"),
    ],
)
def test_an_option_of_another_way_is_refused(
    option: str, way: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["matte", "x.mp4", "-o", str(tmp_path / "m.mkv"), "--with", way, option]) == 2
    assert f"not for {way}; leave it out" in capsys.readouterr().err


@pytest.mark.parametrize(("option", "name"), [("--foreground", "fg.mkv"), ("-o", "m.mkv")])
def test_sound_that_a_container_cannot_hold_is_left_out_and_told(
    screen: tuple[Path, np.ndarray],
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    option: str,
    name: str,
) -> None:
    video = tmp_path / "wma.nut"
    with av.open(str(screen[0])) as source, av.open(str(video), "w") as container:
        picture = container.add_stream_from_template(source.streams.video[0])
        sound = container.add_stream("wmav2", rate=44100, layout="stereo")
        sound.bit_rate = 128000
        for packet in source.demux(source.streams.video[0]):
            if packet.size:
                packet.stream = picture
                container.mux(packet)
        for start in range(0, 16384, 2048):
            tone = av.AudioFrame.from_ndarray(
                np.zeros((2, 2048), np.float32), format="fltp", layout="stereo"
            )
            tone.sample_rate, tone.pts, tone.time_base = 44100, start, Fraction(1, 44100)
            container.mux(sound.encode(tone))
        container.mux(sound.encode(None))
    assert main(["matte", str(video), option, str(tmp_path / name), "--with", "chroma"]) == 0
    assert "cannot hold the sound (wmav2)" in capsys.readouterr().err
    with av.open(str(tmp_path / name)) as container:
        assert not container.streams.audio


def test_what_a_ready_made_matte_is_taken_for_is_told(tmp_path: Path) -> None:
    frames, masks = moving_scene(3, 96, 64)
    video = write_video(tmp_path / "in.mkv", frames)
    cutout = np.dstack([frames[0], masks[0] * np.uint8(255)])
    cv2.imwrite(str(tmp_path / "cutout.png"), cutout)
    report = matte_video(
        MatteJob(
            video=video,
            output=tmp_path / "out.mkv",
            way="file",
            matte=tmp_path / "cutout.png",
            progress=False,
        )
    )
    assert any("alpha channel, which was taken" in told for told in report["warnings"])
    read = next(open_matte(tmp_path / "out.mkv").stored())
    assert np.array_equal(read > 127, masks[0])


@pytest.mark.parametrize("form", ["ones", "cutout"])
def test_a_garbage_matte_is_read_as_masks_are(form: str, tmp_path: Path) -> None:
    green = np.zeros((2, 64, 96, 3), np.uint8) + np.array([20, 200, 30], np.uint8)
    green[:, 10:50, 10:30] = (200, 40, 40)
    green[:, 20:40, 70:80] = (40, 40, 200)
    video = write_video(tmp_path / "in.mkv", green, pix_fmt="bgr0")
    rigging = np.zeros((64, 96), np.uint8)
    rigging[:, 50:] = 1
    picture = rigging if form == "ones" else np.dstack([green[0], rigging * np.uint8(255)])
    cv2.imwrite(str(tmp_path / "garbage.png"), picture)
    report = matte_video(
        MatteJob(
            video=video,
            output=tmp_path / "out.mkv",
            way="chroma",
            garbage=tmp_path / "garbage.png",
            progress=False,
        )
    )
    matte = next(open_matte(tmp_path / "out.mkv").stored())
    assert matte[20:40, 15:25].min() > 200
    assert matte[:, 60:].max() == 0
    assert any("alpha channel" in told for told in report["warnings"]) == (form == "cutout")


def damaged(path: Path, frames: np.ndarray, lost: int) -> Path:
    """A video, one of whose frames cannot be decoded."""
    with av.open(str(write_video(path.with_suffix(".whole.mkv"), frames))) as source:
        template = source.streams.video[0]
        with av.open(str(path), "w") as container:
            stream = container.add_stream_from_template(template)
            for place, packet in enumerate(source.demux(template)):
                if not packet.size:
                    continue
                sent: av.Packet[Any] = packet
                if place == lost:
                    sent = av.Packet(b"\x07" * 20)
                    sent.pts, sent.dts, sent.time_base = packet.pts, packet.dts, packet.time_base
                    sent.is_keyframe = True
                sent.stream = stream
                container.mux(sent)
    return path


@pytest.mark.parametrize("lost", [1, 4, 9])
def test_a_damaged_frame_shifts_no_matte_and_is_told(lost: int, tmp_path: Path) -> None:
    video = damaged(tmp_path / "bad.mkv", moving_scene(10, 64, 48)[0], lost)
    coded = np.stack([np.full((48, 64, 3), 20 + 20 * place, np.uint8) for place in range(10)])
    write_video(tmp_path / "coded.mkv", coded, pix_fmt="gray")
    job = MatteJob(
        video=video, output=tmp_path / "m.%02d.png", way="file", matte=tmp_path / "coded.mkv"
    )
    report = matte_video(job)
    assert report["frames"] == 10
    assert any("1 of its 10 frames could not be decoded" in one for one in report["warnings"])
    written = sorted(tmp_path.glob("m.*.png"))
    levels = [int(read_picture(one, cv2.IMREAD_GRAYSCALE)[0, 0]) for one in written]
    expected = [20 + 20 * place for place in range(10)]
    expected[lost] = expected[lost - 1]
    assert levels == expected
