"""HDR and log footage in and out: in light, at its own depth, untouched outside the matte, and told
as what it is."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import av
import cv2
import numpy as np
import OpenEXR
import pytest

from tests.support.commands import error_of
from tests.support.hdr import (
    TO_2020,
    WHITE,
    hlg_display,
    planes_in,
    pq_inverse,
    signal_in,
    srgb_light,
    write_hdr,
)
from tests.support.networks import changing_model
from tests.support.scenes import moving_scene
from vhmae.arrays import Array
from vhmae.cli import main
from vhmae.color.spaces import find_space
from vhmae.data.clips import write_mask_bits
from vhmae.model.weights import save_model
from vhmae.video.probe import probe_video

FRAMES, WIDTH, HEIGHT = 4, 96, 64
MASTERING = "G(13250,34500)B(7500,3000)R(34000,16000)WP(15635,16450)L(10000000,50)"


def lit_scene() -> tuple[Array, Array]:
    """Light (T, H, W, 3) of BT.709's primaries, and masks: a lamp of 8 in the subject, one of 5 and
    a green beyond BT.709 outside it."""
    pictures, masks = moving_scene(FRAMES, WIDTH, HEIGHT)
    lights = srgb_light(pictures / 255.0)
    for light, mask in zip(lights, masks, strict=True):
        row, column = (int(values.mean()) for values in np.nonzero(mask))
        light[row - 3 : row + 3, column - 3 : column + 3] = (8.0, 6.0, 2.0)
        light[:4, :4] = 5.0
        light[40:44, :8] = np.linalg.solve(TO_2020, [0.05, 0.9, 0.1])
    return lights, masks


@pytest.fixture(scope="module")
def work(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The scene as PQ, HLG, OpenEXR of several spaces and log video, with its mask."""
    folder = tmp_path_factory.mktemp("hdr")
    lights, masks = lit_scene()
    write_mask_bits(masks, folder / "m.npz")
    save_model(changing_model(), folder / "w.safetensors", {})
    for curve in ("PQ", "HLG"):
        write_hdr(folder / f"{curve}.mkv", lights, curve)
    for number, light in enumerate(lights, 1):
        write_exr(folder / f"light.{number:04d}.exr", light)
        cg = find_space("ACEScg").from_light(np.moveaxis(light, -1, 0).astype(np.float32))
        write_exr(folder / f"cg.{number:04d}.exr", np.moveaxis(cg, 0, -1))
    write_log(folder / "log.mkv", lights)
    return folder


def write_exr(path: Path, values: Array) -> None:
    planes = {name: values[..., at].astype(np.float32) for at, name in enumerate("RGB")}
    header = {"compression": OpenEXR.ZIP_COMPRESSION, "type": OpenEXR.scanlineimage}
    OpenEXR.File(header, planes).write(str(path))


def read_exr(path: Path) -> Array:
    channels = OpenEXR.File(str(path), separate_channels=True).channels()
    return np.stack([channels[name].pixels for name in "RGB"], axis=-1).astype(np.float64)


def write_log(path: Path, lights: Array) -> None:
    """ARRI LogC3 in R'G'B' of 12 bit, untagged as such footage is."""
    space = find_space("ARRI LogC3 (EI800)")
    with av.open(str(path), "w") as container:
        stream: Any = container.add_stream("ffv1", rate=25)
        stream.width, stream.height, stream.pix_fmt = WIDTH, HEIGHT, "gbrp12le"
        for light in lights:
            values = space.from_light(np.moveaxis(light, -1, 0).astype(np.float32))
            codes = np.rint(np.clip(values, 0, 1) * 4095).astype(np.uint16)
            frame = av.VideoFrame(WIDTH, HEIGHT, "gbrp12le")
            for plane, values in zip(frame.planes, codes[[1, 2, 0]], strict=True):
                rows = np.frombuffer(memoryview(plane), np.uint16).reshape(HEIGHT, -1)
                rows[:, :WIDTH] = values
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))


def run(work: Path, composite: str, out: Path, *more: object) -> dict[str, Any]:
    """Harmonize, by weights that change much, and return the report."""
    report = out.parent / "report.json"
    options = ["--weights", work / "w.safetensors", "--precision", "fp32", "--caution", "0"]
    named = [work / composite, "--mask", work / "m.npz", "-o", out, "--json", report, "-q"]
    assert main(["harmonize", *map(str, [*named, *options, *more])]) == 0
    told: dict[str, Any] = json.loads(report.read_text())
    return told


def light_in(path: Path) -> Array:
    """Light (T, H, W, 3) of BT.709's primaries of HDR, by the standards' formulas."""
    curve = {16: "PQ", 18: "HLG"}[tags_of(path)[0]]
    display = {"PQ": pq_inverse, "HLG": hlg_display}[curve]
    signals = [np.clip(signal_in(planes), 0.0, 1.0) for planes in planes_in(path)]
    return np.stack([display(signal) for signal in signals]) @ np.linalg.inv(TO_2020).T / WHITE


def tags_of(path: Path) -> tuple[int, ...]:
    with av.open(str(path)) as container:
        context: Any = container.streams.video[0].codec_context
        told = (context.color_trc, context.color_primaries, context.colorspace)
        return tuple(map(int, told))


def shown(light: Array) -> Array:
    """Light as levels of sRGB."""
    inside = np.clip(light, 0.0, 1.0)
    return 255.0 * np.where(
        inside <= 0.0031308, 12.92 * inside, 1.055 * inside ** (1 / 2.4) - 0.055
    )


@pytest.mark.parametrize(("curve", "tag"), [("PQ", 16), ("HLG", 18)])
def test_hdr_is_harmonized_as_openexr_is(curve: str, tag: int, work: Path, tmp_path: Path) -> None:
    out = tmp_path / "out.mkv"
    report = run(work, f"{curve}.mkv", out)
    assert report["input_space"] == report["output_space"] == f"{curve} BT.2020"
    assert report["warnings"] == []
    assert tags_of(out) == (tag, 9, 9)
    info = probe_video(out)
    assert (info.pixel_format, info.encoding.bits) == ("yuv444p10le", 10)
    _, masks = lit_scene()
    before, after = planes_in(work / f"{curve}.mkv"), planes_in(out)
    for old, new, mask in zip(before, after, masks, strict=True):
        for one, other in zip(old, new, strict=True):
            assert np.array_equal(one[~mask], other[~mask])
        assert (old[0] != new[0])[mask].mean() > 0.5
    run(work, "light.%04d.exr", tmp_path / "e.%04d.exr")
    found, was = light_in(out), light_in(work / f"{curve}.mkv")
    for number, mask in enumerate(masks):
        expected = read_exr(tmp_path / f"e.{number + 1:04d}.exr")
        light = read_exr(work / f"light.{number + 1:04d}.exr")
        moved = shown(expected) - shown(light)
        assert np.abs(moved[mask]).mean() > 5.0
        # A code of 10 bit is up to a level of 8, and both sides round to one.
        off = shown(found[number]) - shown(expected)
        assert np.abs(off[mask]).mean() < 1.0
        assert np.percentile(np.abs(off[mask]), 99) < 3.0
        lamp = mask & (was[number] > 1.2).all(axis=-1)
        assert lamp.sum() >= 16
        assert expected[lamp].max() > 1.5
        # Highlights are multiplied, in both; HLG ends at 1,000 cd/m2, below the lamp's.
        ratios = found[number][lamp] / was[number][lamp], expected[lamp] / light[lamp]
        assert np.abs(ratios[0] - ratios[1]).max() < 0.02


def side_data(path: Path) -> dict[str, bytes]:
    with av.open(str(path)) as container:
        frame = next(container.decode(video=0))
        return {one.type.name: bytes(one) for one in frame.side_data}


@pytest.fixture(scope="module")
def graded(work: Path) -> Path:
    """HDR10 as it is delivered: HEVC of 4:2:0 that tells its mastering display and its light."""
    told = f"master-display={MASTERING}:max-cll=1000,400:log-level=error"
    options = {"x265-params": told, "crf": "6"}
    lights, _ = lit_scene()
    made = {"codec": "libx265", "pix_fmt": "yuv420p10le", "options": options}
    return write_hdr(work / "graded.mp4", lights, **made)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("suffix", "more"),
    [(".mp4", []), (".mkv", ["--codec", "libx264"]), (".mp4", ["--codec", "libsvtav1"])],
)
def test_what_the_film_tells_of_its_light_is_kept(
    suffix: str, more: list[str], graded: Path, work: Path, tmp_path: Path
) -> None:
    out = tmp_path / f"out{suffix}"
    report = run(work, "graded.mp4", out, *more)
    assert report["warnings"] == []
    info, before = probe_video(out), probe_video(graded)
    assert tags_of(out) == (16, 9, 9)
    assert info.encoding.bits == 10
    assert info.hdr.content_light == before.hdr.content_light == (1000, 400)
    assert info.hdr.mastering == pytest.approx(before.hdr.mastering, rel=2e-4, abs=2e-4)
    assert before.hdr.mastering == pytest.approx(
        (0.68, 0.32, 0.265, 0.69, 0.15, 0.06, 0.3127, 0.329, 0.005, 1000.0)
    )


def test_what_cannot_be_told_is_told_to_the_user(graded: Path, work: Path, tmp_path: Path) -> None:
    report = run(work, "graded.mp4", tmp_path / "out.mkv", "--codec", "ffv1")
    (warning,) = report["warnings"]
    assert "the mastering display, the content light levels of " in warning
    assert "left out, its picture (PQ BT.2020) is kept" in warning


@pytest.mark.parametrize(
    ("out", "more", "told"),
    [
        ("out.mp4", ["--codec", "libx264", "--pix-fmt", "yuv420p"], "needs 10 bit, and libx264"),
        ("out.mkv", ["--codec", "mpeg4"], "needs 10 bit, and mpeg4 would write 8"),
        ("out.avi", [], "ffv1 in .avi cannot say so"),
        ("out.%04d.jpg", [], "mjpeg in .jpg cannot say so"),
        ("out.%04d.tif", [], "tiff in .tif cannot say so"),
    ],
)
def test_hdr_that_would_be_taken_for_sdr_is_refused(
    out: str,
    more: list[str],
    told: str,
    work: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    command = ["harmonize", work / "PQ.mkv", "--mask", work / "m.npz", "-o", tmp_path / out, *more]
    assert told in error_of(*command, capsys=capsys)
    assert list(tmp_path.iterdir()) == []


def test_hdr_becomes_pictures_that_say_so(work: Path, tmp_path: Path) -> None:
    run(work, "PQ.mkv", tmp_path / "video.mkv")
    expected = light_in(tmp_path / "video.mkv")
    report = run(work, "PQ.mkv", tmp_path / "p.%04d.exr")
    assert report["output_space"] == "Linear Rec.709 (sRGB)"
    found = read_exr(tmp_path / "p.0001.exr")
    assert np.abs(found - expected[0]).max() <= 2e-3 * expected[0].max()
    report = run(work, "PQ.mkv", tmp_path / "p.%04d.png")
    assert report["output_space"] == "PQ BT.2020"
    data = (tmp_path / "p.0001.png").read_bytes()
    assert data[data.index(b"cICP") + 4 :][:4] == bytes([9, 16, 0, 1])  # PNG's third edition
    picture = cv2.imread(str(tmp_path / "p.0001.png"), cv2.IMREAD_UNCHANGED)[..., ::-1] / 65535.0
    assert np.abs(picture - signal_in(planes_in(tmp_path / "video.mkv")[0])).max() <= 1e-3
    again = run(work, "PQ.mkv", tmp_path / "q.mkv", "--input-space", "PQ")
    assert again["mean_change"] == report["mean_change"]


def test_pictures_that_say_they_are_hdr_are_taken_at_their_word(work: Path, tmp_path: Path) -> None:
    run(work, "PQ.mkv", tmp_path / "p.%04d.png", "--strength", "0")
    for name in ("m.npz", "w.safetensors"):
        (tmp_path / name).write_bytes((work / name).read_bytes())
    report = run(tmp_path, "p.%04d.png", tmp_path / "out.mp4", "--codec", "libx265")
    assert report["input_space"] == "PQ BT.2020"
    assert tags_of(tmp_path / "out.mp4") == (16, 9, 9)
    assert probe_video(tmp_path / "out.mp4").encoding.bits == 10


def test_light_of_aces_is_harmonized_as_what_it_is(work: Path, tmp_path: Path) -> None:
    run(work, "light.%04d.exr", tmp_path / "light.%04d.exr")
    report = run(work, "cg.%04d.exr", tmp_path / "cg.%04d.exr", "--input-space", "acescg")
    assert report["input_space"] == report["output_space"] == "ACEScg"
    assert report["job"]["input_space"] == "acescg"
    _, masks = lit_scene()
    for number, mask in enumerate(masks, 1):
        before, after = (read_exr(folder / f"cg.{number:04d}.exr") for folder in (work, tmp_path))
        assert np.array_equal(before[~mask], after[~mask])
        planes = np.moveaxis(after, -1, 0).astype(np.float32)
        light = np.moveaxis(find_space("ACEScg").to_light(planes), 0, -1)
        expected = read_exr(tmp_path / f"light.{number:04d}.exr")
        assert np.abs(light - expected)[mask].max() <= 2e-3 * expected.max()
    run(work, "cg.%04d.exr", tmp_path / "wrong.%04d.exr")  # taken for Rec. 709, it is another
    assert np.abs(read_exr(tmp_path / "wrong.0001.exr") - after).max() > 0.01


def test_log_footage_is_harmonized_in_light_and_stays_log(work: Path, tmp_path: Path) -> None:
    out = tmp_path / "out.mkv"
    report = run(work, "log.mkv", out, "--input-space", "ARRI LogC3")
    assert report["input_space"] == report["output_space"] == "ARRI LogC3 (EI800)"
    run(work, "light.%04d.exr", tmp_path / "light.%04d.exr")
    _, masks = lit_scene()
    space = find_space("ARRI LogC3")
    both = planes_in(work / "log.mkv"), planes_in(out)
    for number, (before, after, mask) in enumerate(zip(*both, masks, strict=True), 1):
        for one, other in zip(before, after, strict=True):
            assert np.array_equal(one[~mask], other[~mask])
        values = np.stack([after[at] for at in (2, 0, 1)]) / np.float32(4095)
        light = np.moveaxis(space.to_light(values), 0, -1)
        expected = read_exr(tmp_path / f"light.{number:04d}.exr")
        assert np.abs(shown(light) - shown(expected))[mask].mean() < 0.3
        lamp = mask & (expected > 1.2).any(axis=-1)
        assert lamp.sum() >= 16
        assert np.abs(light[lamp] - expected[lamp]).max() < 0.02 * expected[lamp].max()
    assert tags_of(out) == tags_of(work / "log.mkv")


def test_a_user_says_what_a_file_does_not(work: Path, tmp_path: Path) -> None:
    bare = tmp_path / "bare.mkv"
    with av.open(str(work / "PQ.mkv")) as source, av.open(str(bare), "w") as target:
        stream: Any = target.add_stream("ffv1", rate=25)
        stream.width, stream.height, stream.pix_fmt = WIDTH, HEIGHT, "yuv444p10le"
        for frame in source.decode(video=0):
            frame.colorspace = frame.color_trc = frame.color_primaries = 2
            target.mux(stream.encode(frame))
        target.mux(stream.encode(None))
    assert tags_of(bare) == (2, 2, 2)
    for name in ("m.npz", "w.safetensors"):
        (tmp_path / name).write_bytes((work / name).read_bytes())
    report = run(tmp_path, "bare.mkv", tmp_path / "out.mkv", "--input-space", "pq")
    assert report["input_space"] == "PQ BT.2020"
    assert tags_of(tmp_path / "out.mkv") == (16, 9, 9)
    run(work, "PQ.mkv", tmp_path / "told.mkv")
    for one, other in zip(
        planes_in(tmp_path / "out.mkv"), planes_in(tmp_path / "told.mkv"), strict=True
    ):
        assert all(np.array_equal(a, b) for a, b in zip(one, other, strict=True))
