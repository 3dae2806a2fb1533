"""HDR and log footage in and out: in light, at its own depth, untouched outside the matte, and told
as what it is."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import av
import cv2
import numpy as np
import pytest

from tests.support.commands import error_of
from tests.support.dynamic import add_units, dolby_vision, hdr10_plus
from tests.support.hdr import (
    HEIGHT,
    WIDTH,
    light_in,
    lit_scene,
    planes_in,
    read_exr,
    rounded_levels,
    run,
    shown,
    signal_in,
    signal_of,
    tags_of,
    write_hdr,
)
from tests.support.pictures import read_picture
from vhmae.color.spaces import find_space
from vhmae.video.probe import probe_video

MASTERING = "G(13250,34500)B(7500,3000)R(34000,16000)WP(15635,16450)L(10000000,50)"


@pytest.mark.parametrize(("curve", "tag"), [("PQ", 16), ("HLG", 18)])
def test_hdr_is_harmonized_as_openexr_is(
    curve: str, tag: int, hdr_work: Path, tmp_path: Path
) -> None:
    out = tmp_path / "out.mkv"
    report = run(hdr_work, f"{curve}.mkv", out)
    assert report["input_space"] == report["output_space"] == f"{curve} BT.2020"
    assert report["warnings"] == []
    assert tags_of(out) == (tag, 9, 9)
    info = probe_video(out)
    assert (info.pixel_format, info.encoding.bits) == ("yuv444p10le", 10)
    _, masks = lit_scene()
    before, after = planes_in(hdr_work / f"{curve}.mkv"), planes_in(out)
    for old, new, mask in zip(before, after, masks, strict=True):
        for one, other in zip(old, new, strict=True):
            assert np.array_equal(one[~mask], other[~mask])
        assert (old[0] != new[0])[mask].mean() > 0.5
    run(hdr_work, "light.%04d.exr", tmp_path / "e.%04d.exr")
    found, was = light_in(out), light_in(hdr_work / f"{curve}.mkv")
    for number, mask in enumerate(masks):
        expected = read_exr(tmp_path / f"e.{number + 1:04d}.exr")
        light = read_exr(hdr_work / f"light.{number + 1:04d}.exr")
        moved = shown(expected) - shown(light)
        assert np.abs(moved[mask]).mean() > 5.0
        # Both files round to codes of 10 bit, the source before a change that steepens colors by
        # less than a half; what is shown to the network differs by what the source rounds.
        off = shown(found[number]) - shown(expected)
        room = rounded_levels(after[number], curve) + 1.5 * rounded_levels(before[number], curve)
        lit = mask & (light <= 1.0).all(axis=-1)  # highlights: below
        assert lit.sum() > 900
        assert (np.abs(off[lit]) <= room[lit] + 0.5).all()
        lamp = mask & (was[number] > 1.2).all(axis=-1)
        assert lamp.sum() >= 16
        assert expected[lamp].max() > 1.5
        # Highlights are multiplied, in both; HLG ends at 1,000 cd/m2, below the lamp's. A code of
        # luma is .9 % of light there: the file rounds half of one, and of blue's chroma 1.84
        # (1.8814 x 876 / 896) times as much again, 1.3 % together; the rest is what the network
        # sees otherwise.
        ratios = found[number][lamp] / was[number][lamp], expected[lamp] / light[lamp]
        assert np.abs(ratios[0] - ratios[1]).max() < 0.02


def side_data(path: Path) -> set[str]:
    with av.open(str(path)) as container:
        found: Any = next(container.decode(video=0)).side_data
        return {one.type.name for one in found}


@pytest.fixture(scope="module")
def graded(hdr_work: Path) -> Path:
    """HDR10 as it is delivered: HEVC of 4:2:0 that tells its mastering display and its light."""
    told = f"master-display={MASTERING}:max-cll=1000,400:log-level=error"
    options = {"x265-params": told, "crf": "6"}
    lights, _ = lit_scene()
    made = {"codec": "libx265", "pix_fmt": "yuv420p10le", "options": options}
    return write_hdr(hdr_work / "graded.mp4", lights, **made)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("suffix", "more"),
    [(".mp4", []), (".mkv", ["--codec", "libx264"]), (".mp4", ["--codec", "libsvtav1"])],
)
def test_what_the_film_tells_of_its_light_is_kept(
    suffix: str, more: list[str], graded: Path, hdr_work: Path, tmp_path: Path
) -> None:
    out = tmp_path / f"out{suffix}"
    report = run(hdr_work, "graded.mp4", out, *more)
    assert report["warnings"] == []
    info, before = probe_video(out), probe_video(graded)
    assert tags_of(out) == (16, 9, 9)
    assert info.encoding.bits == 10
    assert info.hdr.content_light == before.hdr.content_light == (1000, 400)
    assert info.hdr.mastering == pytest.approx(before.hdr.mastering, rel=2e-4, abs=2e-4)
    assert before.hdr.mastering == pytest.approx(
        (0.68, 0.32, 0.265, 0.69, 0.15, 0.06, 0.3127, 0.329, 0.005, 1000.0)
    )


def test_what_cannot_be_told_is_told_to_the_user(
    graded: Path, hdr_work: Path, tmp_path: Path
) -> None:
    report = run(hdr_work, "graded.mp4", tmp_path / "out.mkv", "--codec", "ffv1")
    (warning,) = report["warnings"]
    assert "the mastering display, the content light levels of " in warning
    assert "left out, its picture (PQ BT.2020) is kept" in warning


@pytest.mark.parametrize("curve", ["PQ", "HLG"])
def test_what_was_measured_on_single_frames_is_left_out_and_told(
    curve: str, hdr_work: Path, tmp_path: Path
) -> None:
    lights, _ = lit_scene()
    made = {"codec": "libx265", "pix_fmt": "yuv420p10le"}
    plain = write_hdr(tmp_path / "plain.mp4", lights, curve, **made)  # type: ignore[arg-type]
    units = {"before": hdr10_plus(), "after": dolby_vision(1, False)}
    add_units(plain, hdr_work / "dynamic.mp4", **units)
    assert {"DYNAMIC_HDR_PLUS", "DOVI_METADATA"} <= side_data(hdr_work / "dynamic.mp4")
    out = tmp_path / "out.mp4"
    (warning,) = run(hdr_work, "dynamic.mp4", out)["warnings"]
    assert "HDR10+ metadata, Dolby Vision metadata of " in warning
    assert f"left out, its picture ({curve} BT.2020) is kept" in warning
    assert not {"DYNAMIC_HDR_PLUS", "DOVI_METADATA"} & side_data(out)
    assert tags_of(out) == tags_of(plain)
    run(hdr_work, "dynamic.mp4", tmp_path / "again.mp4", "--strength", "0")
    was, is_now = planes_in(plain)[0][0], planes_in(tmp_path / "again.mp4")[0][0]
    # The base layer, whose codes of 10 bit a lossy codec wrote once more: a level of 8 bit.
    assert np.abs(was.astype(int) - is_now).mean() < 4


def test_a_base_layer_that_is_no_picture_is_refused(
    hdr_work: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    lights, _ = lit_scene()
    made = {"codec": "libx265", "pix_fmt": "yuv420p10le"}
    plain = write_hdr(tmp_path / "plain.mp4", lights, "PQ", **made)  # type: ignore[arg-type]
    add_units(plain, tmp_path / "five.mp4", after=dolby_vision(0, True))
    command: list[str | Path] = [
        "harmonize",
        tmp_path / "five.mp4",
        "--mask",
        hdr_work / "m.npz",
        "-o",
    ]
    told = error_of(*command, tmp_path / "out.mp4", capsys=capsys)
    assert "five.mp4: is Dolby Vision profile 5, which shows wrong colors" in told


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
    hdr_work: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    command: list[str | Path] = [
        "harmonize",
        hdr_work / "PQ.mkv",
        "--mask",
        hdr_work / "m.npz",
        "-o",
        tmp_path / out,
        *more,
    ]
    assert told in error_of(*command, capsys=capsys)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("out", "more"),
    [("out.%04d.jpg", []), ("out.mp4", ["--codec", "libx264", "--pix-fmt", "yuv420p"])],
)
def test_log_of_ten_bit_is_not_written_in_eight(
    out: str,
    more: list[str],
    hdr_work: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    command: list[str | Path] = ["harmonize", hdr_work / "log.mkv", "--mask", hdr_work / "m.npz"]
    command += ["--input-space", "ARRI LogC3", "-o", tmp_path / out, *more, "--check"]
    assert "needs 10 bit, and" in error_of(*command, capsys=capsys)


def test_hdr_becomes_pictures_that_say_so(hdr_work: Path, tmp_path: Path) -> None:
    run(hdr_work, "PQ.mkv", tmp_path / "video.mkv")
    expected = light_in(tmp_path / "video.mkv")
    report = run(hdr_work, "PQ.mkv", tmp_path / "p.%04d.exr")
    assert report["output_space"] == "Linear Rec.709 (sRGB)"
    found = read_exr(tmp_path / "p.0001.exr")
    # Pictures have the steps between the codes that the video rounds to: half a code of luma, and
    # 1.8814 times half of one of chroma (876 / 896 as large).
    off = np.abs(signal_of(found, "PQ") - signal_of(expected[0], "PQ"))
    assert off.max() <= 1.45 / 876
    report = run(hdr_work, "PQ.mkv", tmp_path / "p.%04d.png")
    assert report["output_space"] == "PQ BT.2020"
    data = (tmp_path / "p.0001.png").read_bytes()
    assert data[data.index(b"cICP") + 4 :][:4] == bytes([9, 16, 0, 1])  # PNG's third edition
    picture = read_picture(tmp_path / "p.0001.png", cv2.IMREAD_UNCHANGED)[..., ::-1] / 65535.0
    assert np.abs(picture - signal_in(planes_in(tmp_path / "video.mkv")[0])).max() <= 1.45 / 876
    again = run(hdr_work, "PQ.mkv", tmp_path / "q.mkv", "--input-space", "PQ")
    assert again["mean_change"] == report["mean_change"]


def test_pictures_that_say_they_are_hdr_are_taken_at_their_word(
    hdr_work: Path, tmp_path: Path
) -> None:
    run(hdr_work, "PQ.mkv", tmp_path / "p.%04d.png", "--strength", "0")
    for name in ("m.npz", "w.safetensors"):
        (tmp_path / name).write_bytes((hdr_work / name).read_bytes())
    report = run(tmp_path, "p.%04d.png", tmp_path / "out.mp4", "--codec", "libx265")
    assert report["input_space"] == "PQ BT.2020"
    assert tags_of(tmp_path / "out.mp4") == (16, 9, 9)
    assert probe_video(tmp_path / "out.mp4").encoding.bits == 10


def test_light_of_aces_is_harmonized_as_what_it_is(hdr_work: Path, tmp_path: Path) -> None:
    run(hdr_work, "light.%04d.exr", tmp_path / "light.%04d.exr")
    report = run(hdr_work, "cg.%04d.exr", tmp_path / "cg.%04d.exr", "--input-space", "acescg")
    assert report["input_space"] == report["output_space"] == "ACEScg"
    assert report["job"]["input_space"] == "acescg"
    _, masks = lit_scene()
    for number, mask in enumerate(masks, 1):
        before, after = (
            read_exr(folder / f"cg.{number:04d}.exr") for folder in (hdr_work, tmp_path)
        )
        assert np.array_equal(before[~mask], after[~mask])
        planes = np.moveaxis(after, -1, 0).astype(np.float32)
        light = np.moveaxis(find_space("ACEScg").to_light(planes), 0, -1)
        expected = read_exr(tmp_path / f"light.{number:04d}.exr")
        # The files hold float32; both are shown to the network in 16-bit codes, whose roundings
        # differ where the primaries do.
        assert np.abs(light - expected)[mask].max() <= 2e-3 * expected.max()
    run(hdr_work, "cg.%04d.exr", tmp_path / "wrong.%04d.exr")  # taken for Rec. 709, it is another
    assert np.abs(read_exr(tmp_path / "wrong.0001.exr") - after).max() > 0.01


def test_log_footage_is_harmonized_in_light_and_stays_log(hdr_work: Path, tmp_path: Path) -> None:
    out = tmp_path / "out.mkv"
    report = run(hdr_work, "log.mkv", out, "--input-space", "ARRI LogC3")
    assert report["input_space"] == report["output_space"] == "ARRI LogC3 (EI800)"
    run(hdr_work, "light.%04d.exr", tmp_path / "light.%04d.exr")
    _, masks = lit_scene()
    space = find_space("ARRI LogC3")
    both = planes_in(hdr_work / "log.mkv"), planes_in(out)
    for number, (before, after, mask) in enumerate(zip(*both, masks, strict=True), 1):
        for one, other in zip(before, after, strict=True):
            assert np.array_equal(one[~mask], other[~mask])
        values = np.stack([after[at] for at in (2, 0, 1)]) / np.float32(4095)
        light = np.moveaxis(space.to_light(values), 0, -1)
        expected = read_exr(tmp_path / f"light.{number:04d}.exr")
        # Half a code of 12 bit is .114 % of light (LogC3: all of them are 1/.24719 tenfolds), and
        # levels rise by 112 (255 x 1.055 / 2.4) at the most where light rises by its own size: .13
        # of the source, which the change steepens by less than a half, and .13 of the result are
        # the most of one pixel, of which the mean stays below.
        assert np.abs(shown(light) - shown(expected))[mask].mean() < 0.3
        lamp = mask & (expected > 1.2).any(axis=-1)
        assert lamp.sum() >= 16
        # Both roundings of a code are .3 % of light; the rest is what the network sees otherwise.
        assert np.abs(light[lamp] - expected[lamp]).max() < 0.02 * expected[lamp].max()
    assert tags_of(out) == tags_of(hdr_work / "log.mkv")


def test_a_user_says_what_a_file_does_not(hdr_work: Path, tmp_path: Path) -> None:
    bare = tmp_path / "bare.mkv"
    with av.open(str(hdr_work / "PQ.mkv")) as source, av.open(str(bare), "w") as target:
        stream: Any = target.add_stream("ffv1", rate=25)
        stream.width, stream.height, stream.pix_fmt = WIDTH, HEIGHT, "yuv444p10le"
        for frame in source.decode(video=0):
            frame.colorspace = frame.color_trc = frame.color_primaries = 2
            target.mux(stream.encode(frame))
        target.mux(stream.encode(None))
    assert tags_of(bare) == (2, 2, 2)
    for name in ("m.npz", "w.safetensors"):
        (tmp_path / name).write_bytes((hdr_work / name).read_bytes())
    report = run(tmp_path, "bare.mkv", tmp_path / "out.mkv", "--input-space", "pq")
    assert report["input_space"] == "PQ BT.2020"
    assert tags_of(tmp_path / "out.mkv") == (16, 9, 9)
    run(hdr_work, "PQ.mkv", tmp_path / "told.mkv")
    for one, other in zip(
        planes_in(tmp_path / "out.mkv"), planes_in(tmp_path / "told.mkv"), strict=True
    ):
        assert all(np.array_equal(a, b) for a, b in zip(one, other, strict=True))
