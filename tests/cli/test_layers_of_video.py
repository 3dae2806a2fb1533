"""Two layers in the place of a composite: laid over each other by us, then harmonized."""

from __future__ import annotations

import json
import types
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import cv2
import numpy as np
import OpenEXR
import pytest

from tests.support.networks import changing_model
from tests.support.scenes import moving_scene, write_video
from vhmae.arrays import Array
from vhmae.cli import main
from vhmae.color.srgb import linear
from vhmae.data.clips import write_mask_bits
from vhmae.errors import InputError
from vhmae.grade.shots import graded_file
from vhmae.model.weights import save_model
from vhmae.video.layers import LayeredSource
from vhmae.video.matte import open_matte
from vhmae.video.placement import Placement
from vhmae.video.probe import VideoInfo, probe_video
from vhmae.video.reader import TimedFrame, read_frames, read_rgb_frames
from vhmae.video.sequence import probe_pictures
from vhmae.video.source import probe_source

FRAMES = 6
SIDE = 40


@pytest.fixture(scope="module")
def work(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A background with sound, and a small foreground: as PNGs with alpha (straight,
    premultiplied), and as a video with a mask."""
    folder = tmp_path_factory.mktemp("layers")
    frames, _ = moving_scene(FRAMES, 96, 64)
    write_video(folder / "back.mkv", frames, pix_fmt="yuv444p", audio=True)
    front, alpha = layer()
    for number in range(FRAMES):
        straight = np.dstack([front[..., ::-1], alpha])
        multiplied = np.dstack(
            [np.rint(front[..., ::-1] * (alpha[..., None] / 255.0)).astype(np.uint8), alpha]
        )
        assert cv2.imwrite(str(folder / f"f.{number:02d}.png"), straight)
        assert cv2.imwrite(str(folder / f"p.{number:02d}.png"), multiplied)
    write_video(folder / "front.mkv", np.stack([front] * FRAMES), pix_fmt="yuv444p")
    write_mask_bits(np.stack([alpha > 127] * FRAMES), folder / "m.npz")
    save_model(changing_model(), folder / "w.safetensors", {})
    return folder


def layer() -> tuple[Array, Array]:
    """A disc of two colors with a soft edge: (H, W, 3) and alpha (H, W), uint8."""
    y, x = np.mgrid[0:SIDE, 0:SIDE].astype(np.float32)
    front = np.stack([60 + 4 * x, 200 - 3 * y, 120 + 0 * x], axis=-1).astype(np.uint8)
    distance = np.hypot(x - 19.5, y - 19.5)
    return front, np.rint(np.clip((17.0 - distance) / 4.0, 0.0, 1.0) * 255.0).astype(np.uint8)


def run(work: Path, out: Path, *options: str) -> int:
    weights = ["--weights", str(work / "w.safetensors"), "--precision", "fp32", "-q"]
    return main(
        ["harmonize", "--background", str(work / "back.mkv"), "-o", str(out), *weights, *options]
    )


def laid(back: Array, x: int, y: int) -> Array:
    """The composite by its definition, in floats."""
    front, alpha = layer()
    expected = back.astype(np.float64)
    share = alpha[..., None] / 255.0
    expected[y : y + SIDE, x : x + SIDE] += share * (front - expected[y : y + SIDE, x : x + SIDE])
    return expected


@pytest.mark.parametrize("kind", ["f.%02d.png", "p.%02d.png"])
def test_layers_are_composited_by_their_alpha(work: Path, tmp_path: Path, kind: str) -> None:
    premultiplied = ("--premultiplied",) if kind.startswith("p") else ()
    front = ("--foreground", str(work / kind), "--position", "30,12")
    assert run(work, tmp_path / "out.mkv", *front, *premultiplied, "--strength", "0") == 0
    for back, out in zip(
        *(read_rgb_frames(path, [0, 3]) for path in (work / "back.mkv", tmp_path / "out.mkv")),
        strict=True,
    ):
        expected = laid(back, 30, 12)
        assert np.abs(out - expected).max() <= 3.0
        outside = np.ones(back.shape[:2], bool)
        outside[12 : 12 + SIDE, 30 : 30 + SIDE] = layer()[1] == 0
        assert np.array_equal(out[outside], back[outside])


def test_a_mask_takes_the_place_of_alpha_and_the_layer_is_harmonized(
    work: Path, tmp_path: Path
) -> None:
    front = (
        "--foreground",
        str(work / "front.mkv"),
        "--mask",
        str(work / "m.npz"),
        "--position",
        "30,12",
        "--caution",
        "0",
    )
    assert run(work, tmp_path / "bare.mkv", *front, "--strength", "0") == 0
    assert run(work, tmp_path / "out.mkv", *front) == 0
    bare, out = (
        read_rgb_frames(tmp_path / f"{name}.mkv", [2])[0].astype(int) for name in ("bare", "out")
    )
    hole = np.zeros((64, 96), bool)
    hole[12 : 12 + SIDE, 30 : 30 + SIDE] = layer()[1] > 127
    assert np.abs(out - bare)[hole].mean() > 1.0
    assert np.array_equal(out[~hole], bare[~hole])
    with av.open(str(tmp_path / "out.mkv")) as container:
        assert len(container.streams.audio) == 1


@pytest.mark.parametrize("scale", [2.0, 0.5])
def test_a_scaled_layer_lies_where_it_should(work: Path, tmp_path: Path, scale: float) -> None:
    front = ("--foreground", str(work / "f.00.png"), "--position", "8,4", "--scale", str(scale))
    assert run(work, tmp_path / "out.mkv", *front, "--strength", "0") == 0
    back, out = (
        read_rgb_frames(path, [0])[0].astype(float)
        for path in (work / "back.mkv", tmp_path / "out.mkv")
    )
    changed = np.argwhere(np.abs(out - back).max(axis=-1) > 8)
    reach = (17.0 * scale, np.array([4.0, 8.0]) + 20.0 * scale)
    middle = (changed.min(axis=0) + np.minimum(changed.max(axis=0), [63, 95])) / 2.0 + 0.5
    if scale < 1.0:  # the whole disc is within the frame
        assert np.abs(middle - reach[1]).max() < 1.5
        assert np.abs((np.ptp(changed, axis=0) + 1) / 2.0 - reach[0]).max() < 1.5
    else:
        assert np.abs(changed.min(axis=0) - (reach[1] - reach[0])).max() < 2.5


@pytest.mark.parametrize("premultiplied", [False, True])
def test_a_white_layer_on_white_leaves_no_fringe(
    work: Path, tmp_path: Path, premultiplied: bool
) -> None:
    white = np.full((2, 64, 96, 3), 255, np.uint8)
    write_video(tmp_path / "white.mkv", white, pix_fmt="yuv444p")
    front = np.zeros((20, 20, 4), np.uint8)
    front[4:16, 4:16] = 255  # transparent black around it
    assert cv2.imwrite(str(tmp_path / "f.png"), front)
    options = [
        "--foreground",
        str(tmp_path / "f.png"),
        "--position",
        "-1.5,10.5",
        "--scale",
        "1.3",
        "--strength",
        "0",
    ]
    options += ["--premultiplied"] if premultiplied else []
    arguments = [
        "harmonize",
        "--background",
        str(tmp_path / "white.mkv"),
        "-o",
        str(tmp_path / "out.mkv"),
        "-q",
        *options,
    ]
    assert main([*arguments, "--weights", str(work / "w.safetensors")]) == 0
    assert read_rgb_frames(tmp_path / "out.mkv", [0])[0].min() >= 253


def test_a_gap_in_the_foreground_shifts_no_mask(
    work: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    coded = np.stack(
        [np.full((SIDE, SIDE), 40 * (1 + number), np.uint8) for number in range(FRAMES)]
    )
    for number, matte in enumerate(coded):
        assert cv2.imwrite(str(work / f"coded.{number}.png"), matte)
    back, front, mattes = (
        probe_video(work / "back.mkv"),
        probe_video(work / "front.mkv"),
        open_matte(work / "coded.%d.png"),
    )
    source = LayeredSource(back, front, mattes, Placement(), FRAMES)

    def with_a_gap(info: VideoInfo, *, first: int = 0) -> Iterator[TimedFrame]:
        return (
            timed
            for timed in read_frames(info, first=first)
            if info is not front or timed.index != 2
        )

    monkeypatch.setattr("vhmae.video.layers.read_frames", with_a_gap)
    for first in (0, 1, 4):
        levels = [round(int(cover[0, 0]) / 257) for _, cover in source.read(first)]
        # The lost frame has the one before it, with its own matte; from there on, nothing shifts.
        assert levels == [40, 80, 80, 160, 200, 240][first:]


def test_one_picture_stands_still_behind_a_moving_foreground(work: Path, tmp_path: Path) -> None:
    assert cv2.imwrite(str(tmp_path / "plate.png"), np.full((64, 96, 3), 90, np.uint8))
    options = [
        "--foreground",
        str(work / "front.mkv"),
        "--mask",
        str(work / "m.npz"),
        "-o",
        str(tmp_path / "out.mkv"),
        "-q",
    ]
    weights = ["--weights", str(work / "w.safetensors")]
    assert (
        main(
            [
                "harmonize",
                "--background",
                str(tmp_path / "plate.png"),
                *options,
                *weights,
                "--codec",
                "ffv1",
            ]
        )
        == 0
    )
    assert len(read_rgb_frames(tmp_path / "out.mkv", list(range(FRAMES)))) == FRAMES


def test_what_layers_lose_of_times_and_shapes_is_told(work: Path, tmp_path: Path) -> None:
    plate = tmp_path / "plate.png"
    assert cv2.imwrite(str(plate), np.full((64, 96, 3), 90, np.uint8))
    uneven = tmp_path / "uneven.mov"
    with av.open(str(uneven), "w") as container:
        stream: Any = container.add_stream("libx264", rate=25)
        stream.width, stream.height, stream.pix_fmt = 96, 64, "yuv444p"
        stream.codec_context.time_base = Fraction(1, 1000)
        stream.codec_context.sample_aspect_ratio = Fraction(4, 3)
        for at in (0, 40, 300, 340, 380):
            frame = av.VideoFrame.from_ndarray(layer()[0]).reformat(format="yuv444p")
            frame.pts, frame.time_base = at, Fraction(1, 1000)
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    told = LayeredSource(
        probe_source(plate, "background"),
        probe_source(uneven, "foreground"),
        open_matte(work / "m.npz"),
        Placement(),
        5,
    ).warnings
    assert ["uneven times" in told[0], "pixels of 4:3, plate.png of 1:1" in told[1]] == [True, True]


def test_layers_of_uneven_times_are_laid_by_time(tmp_path: Path) -> None:
    """A phone's clip, one of whose frames stands for 200 ms, over a plate of 25 a second."""

    def video(name: str, times: list[int], levels: list[int]) -> VideoInfo:
        with av.open(str(tmp_path / name), "w") as container:
            stream: Any = container.add_stream("ffv1", rate=25)
            stream.width, stream.height, stream.pix_fmt = 96, 64, "gray"
            stream.codec_context.time_base = Fraction(1, 1000)
            for at, level in zip(times, levels, strict=True):
                frame = av.VideoFrame.from_ndarray(np.full((64, 96), level, np.uint8), "gray")
                frame.pts, frame.time_base = at, Fraction(1, 1000)
                container.mux(stream.encode(frame))
            container.mux(stream.encode(None))
        return probe_video(tmp_path / name)

    front = video("front.mkv", [0, 40, 80, 120, 320, 360], [50, 70, 90, 110, 130, 150])
    back = video("back.mkv", list(range(0, 400, 40)), [200] * 10)
    write_mask_bits(np.ones((6, 64, 96), bool), tmp_path / "m.npz")
    mattes = open_matte(tmp_path / "m.npz")
    laid = LayeredSource(back, front, mattes, Placement(), 10)
    assert "back.mkv is given the foreground of its time" in laid.warnings[0]
    for first in (0, 3):
        shown = [int(timed.image.planes[0][0, 0]) for timed, _ in laid.read(first)]
        assert shown == [50, 70, 90, 110, 110, 110, 110, 110, 130, 150][first:]
    assert [laid.place(number) for number in (0, 3, 7, 9, 10)] == [0, 3, 3, 5, -1]
    sources: Any = types.SimpleNamespace(info=back, layers=laid)
    assert graded_file(sources, "foreground") is front
    with pytest.raises(InputError, match="conform it first"):
        graded_file(sources, "foreground", is_timed=True)
    longer = video("long.mkv", list(range(0, 600, 40)), [200] * 15)
    with pytest.raises(InputError, match=r"ends before frame 10 of long\.mkv"):
        LayeredSource(longer, front, mattes, Placement(), 15)
    assert LayeredSource(longer, front, mattes, Placement(), 10).read(0)


def test_a_foreground_may_end_where_the_part_ends(
    work: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write_video(tmp_path / "short.mkv", np.stack([layer()[0]] * 4), pix_fmt="yuv444p")
    write_mask_bits(np.stack([layer()[1] > 127] * 4), tmp_path / "short.npz")
    short = ["--foreground", str(tmp_path / "short.mkv"), "--mask", str(tmp_path / "short.npz")]
    report = ["--json", str(tmp_path / "r.json")]
    assert run(work, tmp_path / "o.mkv", *short, "--end", "0.16", *report) == 0  # 4 frames of 40 ms
    found = json.loads((tmp_path / "r.json").read_text())
    assert (found["frames"], found["skipped"]) == (4, FRAMES - 4)
    assert run(work, tmp_path / "o.mkv", *short, "--end", "0.2") == 2
    assert "has 4 frames but" in capsys.readouterr().err


def test_layers_that_do_not_fit_are_refused(
    work: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    short = tmp_path / "short.%d.png"
    for number in range(3):
        (tmp_path / f"short.{number}.png").write_bytes((work / "f.00.png").read_bytes())
    for options, message in (
        (("--foreground", str(work / "front.mkv")), "has no alpha channel"),
        (("--foreground", str(short)), "has 3 frames"),
        (("--foreground", str(work / "f.%02d.png"), "--scale", "0"), "--scale"),
        (("--foreground", str(work / "f.%02d.png"), "--position", "1"), "is not X,Y"),
        (("--foreground", str(work / "f.%02d.png"), "--position", "500,0"), "within the frame"),
        ((), "--foreground and --background"),
    ):
        assert run(work, tmp_path / "x.mkv", *options) == 2, options
        assert message in capsys.readouterr().err
    assert not (tmp_path / "x.mkv").exists()


@pytest.mark.parametrize(
    ("kind", "given", "hinted"),
    [("p", False, True), ("f", False, False), ("p", True, False)],
    ids=["multiplied", "straight", "told"],
)
def test_a_layer_that_looks_multiplied_is_told(
    kind: str, given: bool, hinted: bool, work: Path
) -> None:
    layers = LayeredSource(
        probe_video(work / "back.mkv"),
        probe_pictures(work / f"{kind}.%02d.png", "foreground"),
        None,
        Placement(premultiplied=given),
        FRAMES,
    )
    told = layers.doubt()
    assert (told is not None) == hinted
    if told is not None:
        assert "`premultiplied`" in told


def test_a_hard_or_black_layer_is_not_said_to_be_multiplied(work: Path, tmp_path: Path) -> None:
    front, alpha = layer()
    hard = np.dstack([front[..., ::-1] * 0, np.where(alpha > 127, 255, 0).astype(np.uint8)])
    assert cv2.imwrite(str(tmp_path / "h.png"), hard)
    foreground = probe_pictures(tmp_path / "h.png", "foreground")
    layers = LayeredSource(probe_video(work / "back.mkv"), foreground, None, Placement(), FRAMES)
    assert layers.doubt() is None


def test_light_is_compared_with_its_alpha_as_light(work: Path, tmp_path: Path) -> None:
    """OpenEXR has light multiplied by alpha, whose codes are above it."""
    front, alpha = layer()
    cover = (alpha / np.float32(255.0))[..., None]
    for name, light in (
        ("multiplied", linear(front / np.float32(255.0)) * cover),
        ("straight", linear(front / np.float32(255.0))),
    ):
        planes = {one: light[..., at].astype(np.float16) for at, one in enumerate("RGB")}
        pixels = {**planes, "A": cover[..., 0].astype(np.float16)}
        OpenEXR.File({"type": OpenEXR.scanlineimage}, pixels).write(str(tmp_path / f"{name}.exr"))
        foreground = probe_pictures(tmp_path / f"{name}.exr", "foreground")
        layers = LayeredSource(
            probe_video(work / "back.mkv"), foreground, None, Placement(), FRAMES
        )
        assert (layers.doubt() is not None) == (name == "multiplied")


def test_a_gap_that_both_layers_have_loses_no_render(work: Path, tmp_path: Path) -> None:
    for number in (0, 1, 3, 4):
        back = np.full((64, 96, 3), 60 + 10 * number, np.uint8)
        assert cv2.imwrite(str(tmp_path / f"b.{number:02d}.png"), back)
        data = (work / f"f.{number:02d}.png").read_bytes()
        (tmp_path / f"f.{number:02d}.png").write_bytes(data)
    layers = ["--background", tmp_path / "b.%02d.png", "--foreground", tmp_path / "f.%02d.png"]
    told = ["-o", tmp_path / "o.%02d.png", "--weights", work / "w.safetensors", "-q"]
    assert main(["harmonize", *map(str, [*layers, *told])]) == 0
    written = sorted(path.name for path in tmp_path.glob("o.*"))
    assert written == [f"o.{number:02d}.png" for number in (0, 1, 3, 4)]


def test_a_rate_is_that_of_the_pictures_laid_over_a_still(work: Path, tmp_path: Path) -> None:
    assert cv2.imwrite(str(tmp_path / "plate.png"), np.full((64, 96, 3), 90, np.uint8))
    layers = ["--background", tmp_path / "plate.png", "--foreground", work / "f.%02d.png"]
    told = ["-o", tmp_path / "o.mkv", "--weights", work / "w.safetensors", "-q"]
    assert main(["harmonize", *map(str, [*layers, *told]), "--rate", "12", "--end", "0.25"]) == 0
    info = probe_video(tmp_path / "o.mkv")
    assert info.fps == 12
    assert info.frames == 3
