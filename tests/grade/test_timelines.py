"""Time lines that find their media: time code as the clip tells it, pictures by their numbers."""

from __future__ import annotations

import dataclasses
import os
import urllib.parse
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import cv2
import numpy as np
import OpenEXR
import opentimelineio as otio
import pytest

from tests.support.scenes import moving_scene, write_video
from vhmae.cli import main
from vhmae.data.clips import write_mask_bits
from vhmae.errors import InputError
from vhmae.grade.cdl import Cdl
from vhmae.grade.media import media_of
from vhmae.grade.shots import ShotGrade
from vhmae.grade.timeline import write_edl, write_otio
from vhmae.video.source import probe_source

FRAMES = 12
RATES = {
    "23.976": (Fraction(24000, 1001), 24),
    "24": (Fraction(24), 24),
    "25": (Fraction(25), 25),
    "29.97": (Fraction(30000, 1001), 30),
    "30": (Fraction(30), 30),
    "50": (Fraction(50), 50),
    "59.94": (Fraction(60000, 1001), 60),
}


def clip(path: Path, rate: Fraction, timecode: str | None, codec: str = "mpeg4") -> Path:
    """A clip of twelve frames with a time code of its own, kept as its container keeps them."""
    frames, _ = moving_scene(FRAMES, 64, 48)
    with av.open(str(path), "w") as container:
        options = {"gop_timecode": timecode} if codec == "mpeg2video" and timecode else {}
        stream: Any = container.add_stream(codec, rate=rate, options=options)
        stream.width, stream.height, stream.pix_fmt = 64, 48, "yuv420p"
        if timecode and codec != "mpeg2video":
            place = stream if path.suffix in (".mov", ".mp4") else container
            place.metadata["timecode"] = timecode
        for picture in frames:
            container.mux(stream.encode(av.VideoFrame.from_ndarray(picture, format="rgb24")))
        container.mux(stream.encode(None))
    return path


def pictures(folder: Path, names: Iterator[str] | list[str]) -> Path:
    folder.mkdir()
    frames, _ = moving_scene(FRAMES, 64, 48)
    for name, picture in zip(names, frames, strict=False):
        cv2.imwrite(str(folder / name), picture)
    return folder


def a_grade(first: int, last: int, number: int = 1) -> ShotGrade:
    colors = np.random.default_rng(0).random((5, 3), np.float32)
    places = np.zeros(5, np.int64)
    return ShotGrade(number, first, last, np.zeros((3, 10)), (), colors, colors, places)


PLAIN = Cdl((1.0, 1.0, 1.0), (0.0, 0.0, 0.0), (1.0, 1.0, 1.0), 1.0)


def written(source: Path, output: Path) -> Any:
    """The clips of a time line of two shots, read back by OpenTimelineIO."""
    media = media_of(probe_source(source, "composite"), output)
    grades, cdls = [a_grade(0, 4), a_grade(7, FRAMES - 1, 2)], [PLAIN, PLAIN]
    if output.suffix == ".edl":
        write_edl(grades, cdls, media, "look", output)
        timeline = otio.adapters.read_from_file(str(output), rate=media.rate)
    else:
        luts = [output.with_name(f"look.{number}.cube") for number in (1, 2)]
        write_otio(grades, cdls, luts, media, "look", output)
        timeline = otio.adapters.read_from_file(str(output))
    return list(timeline.find_clips())


# --- clips


@pytest.mark.parametrize("suffix", [".edl", ".otio"])
@pytest.mark.parametrize("rate", RATES)
@pytest.mark.parametrize("container", [".mov", ".mxf", ".mkv"])
def test_the_source_begins_at_the_clips_own_time_code(
    tmp_path: Path, container: str, rate: str, suffix: str
) -> None:
    exact, base = RATES[rate]
    codec = "mpeg2video" if container == ".mxf" else "mpeg4"
    path = clip(tmp_path / f"in{container}", exact, None, codec)
    if container == ".mxf":
        path.unlink()
        path = with_mxf_timecode(tmp_path / "in.mxf", exact, "10:00:00:00")
    else:
        path = clip(path, exact, "10:00:00:00", codec)
    shots = written(path, tmp_path / f"look{suffix}")
    start = 10 * 3600 * base
    spans = [
        (one.source_range.start_time.to_frames(), one.source_range.duration.to_frames())
        for one in shots
    ]
    assert spans == [(start, 5), (start + 7, 5)]
    if suffix == ".otio":
        available = shots[0].media_reference.available_range
        assert (available.start_time.to_frames(), available.duration.to_frames()) == (start, FRAMES)
        assert shots[0].media_reference.target_url == path.name


def with_mxf_timecode(path: Path, rate: Fraction, timecode: str) -> Path:
    """MXF keeps the time code that its muxer is told of as metadata of the picture."""
    frames, _ = moving_scene(FRAMES, 64, 48)
    with av.open(str(path), "w") as container:
        stream = container.add_stream("mpeg2video", rate=rate)
        stream.width, stream.height, stream.pix_fmt = 64, 48, "yuv420p"
        stream.metadata["timecode"] = timecode
        for picture in frames:
            container.mux(stream.encode(av.VideoFrame.from_ndarray(picture, format="rgb24")))
        container.mux(stream.encode(None))
    return path


@pytest.mark.parametrize(
    ("rate", "timecode", "line", "first"),
    [
        ("29.97", "01:00:00;00", "FCM: DROP FRAME", "01:00:00;00 01:00:00;05"),
        ("29.97", "01:00:00:00", "FCM: NON-DROP FRAME", "01:00:00:00 01:00:00:05"),
        ("29.97", "00:59:59;28", "FCM: DROP FRAME", "00:59:59;28 01:00:00;03"),
        ("29.97", "00:58:59;28", "FCM: DROP FRAME", "00:58:59;28 00:59:00;05"),
        ("59.94", "01:00:00;00", "FCM: DROP FRAME", "01:00:00;00 01:00:00;05"),
        ("29.97", None, "FCM: NON-DROP FRAME", "00:00:00:00 00:00:00:05"),
        ("25", "23:59:59:23", "FCM: NON-DROP FRAME", "23:59:59:23 00:00:00:03"),
    ],
)
def test_an_edl_says_how_it_counts(
    tmp_path: Path, rate: str, timecode: str | None, line: str, first: str
) -> None:
    path = clip(tmp_path / "in.mov", RATES[rate][0], timecode)
    written_line = tmp_path / "look.edl"
    media = media_of(probe_source(path, "composite"), written_line)
    write_edl([a_grade(0, 4)], [PLAIN], media, "look", written_line)
    title, says, _, event, *_ = written_line.read_text().splitlines()
    assert (title, says) == ("TITLE: look", line)
    assert " ".join(event.split()[4:6]) == first
    assert ("* FROM CLIP NAME:  in.mov") in written_line.read_text()


def test_a_time_code_that_came_with_the_pictures_counts_too(tmp_path: Path) -> None:
    path = clip(tmp_path / "in.mpg", Fraction(25), "02:03:04:05", "mpeg2video")
    media = media_of(probe_source(path, "composite"), tmp_path / "look.edl")
    assert media.counting.text(media.start) == "02:03:04:05"


def test_a_time_code_of_another_rate_is_told(tmp_path: Path) -> None:
    path = clip(tmp_path / "in.mkv", Fraction(24), "01:00:00:29")
    media = media_of(probe_source(path, "composite"), tmp_path / "look.edl")
    assert media.start == 0
    assert "01:00:00:29" in media.warnings[0]


# --- sequences


@pytest.mark.parametrize("suffix", [".edl", ".otio"])
@pytest.mark.parametrize(
    ("name", "first"),
    [
        ("plate.%04d.png", 1001),
        ("plate_%d.png", 95),
        ("v2.%06d.x3.png", 86399),
        ("%d.png", 0),
        ("ab%03d.png", 998),
    ],
)
@pytest.mark.parametrize("as_folder", [False, True])
def test_a_sequence_is_named_by_its_numbers(
    tmp_path: Path, name: str, first: int, suffix: str, as_folder: bool
) -> None:
    folder = pictures(
        tmp_path / "plates", [name % number for number in range(first, first + FRAMES)]
    )
    (tmp_path / "out").mkdir()
    output = tmp_path / "out" / f"look{suffix}"
    shots = written(folder if as_folder else folder / name, output)
    assert [one.source_range.start_time.to_frames() for one in shots] == [first, first + 7]
    if suffix == ".edl":
        assert "[" in shots[0].name
        assert shots[0].name.endswith(".png")
        return
    media = shots[0].media_reference
    assert isinstance(media, otio.schema.ImageSequenceReference)
    assert (media.start_frame, media.frame_step, media.rate) == (first, 1, 24.0)
    assert media.target_url_base == "../plates/"
    urls = [media.target_url_for_image_number(number) for number in range(FRAMES)]
    assert urls == [f"../plates/{name % number}" for number in range(first, first + FRAMES)]
    assert media.frame_for_time(shots[1].source_range.start_time) == first + 7


def exr_pictures(folder: Path, hours: int, frame: int, drop: bool, rate: int) -> Path:
    """Pictures from number 1001 on, whose headers count from a time code."""
    folder.mkdir()
    for number in range(FRAMES):
        code = OpenEXR.TimeCode()
        code.hours, code.minutes, code.dropFrame = hours, 2, drop
        code.seconds, code.frame = 3 + (frame + number) // 30, (frame + number) % 30
        header = {
            "type": OpenEXR.scanlineimage,
            "timeCode": code,
            "framesPerSecond": Fraction(rate * 1000, 1001 if drop else 1000),
        }
        planes = {name: np.zeros((16, 24), np.float16) for name in "RGB"}
        OpenEXR.File(header, planes).write(str(folder / f"plate.{1001 + number}.exr"))
    return folder


@pytest.mark.parametrize(
    ("drop", "rate", "counts"), [(False, 25, "10:02:03:04"), (True, 30, "10:02:03;04")]
)
@pytest.mark.parametrize("suffix", [".edl", ".otio"])
def test_pictures_that_hold_a_time_code_start_at_it(
    tmp_path: Path, suffix: str, drop: bool, rate: int, counts: str
) -> None:
    folder = exr_pictures(tmp_path / "plates", 10, 4, drop, rate)
    output = tmp_path / f"look{suffix}"
    clip_media = media_of(probe_source(folder, "composite"), output)
    assert (clip_media.counting.text(clip_media.start), clip_media.warnings) == (counts, ())
    if suffix == ".edl":
        write_edl([a_grade(0, 4)], [PLAIN], clip_media, "look", output)
        lines = output.read_text().splitlines()
        assert lines[1] == ("FCM: DROP FRAME" if drop else "FCM: NON-DROP FRAME")
        assert lines[3].split()[4] == counts
        return
    shots = written(folder, output)
    assert shots[0].source_range.start_time.to_frames() == clip_media.start
    media = shots[1].media_reference
    assert media.start_frame == 1001  # pictures are found by their names
    assert media.frame_for_time(shots[1].source_range.start_time) == 1008


def test_a_time_code_of_pictures_that_their_rate_cannot_count_is_told(tmp_path: Path) -> None:
    folder = exr_pictures(tmp_path / "plates", 10, 25, False, 25)
    media = media_of(probe_source(folder, "composite"), tmp_path / "look.edl")
    assert media.start == 1001
    assert "its time code 10:02:03:25 is none of 25 frames a second" in media.warnings[0]
    assert media.warnings[0].endswith("took 00:00:40:01")


def test_a_sequence_on_twos_is_named_by_opentimelineio_and_refused_for_an_edl(
    tmp_path: Path,
) -> None:
    folder = pictures(
        tmp_path / "plates", [f"a.{number:04d}.png" for number in range(1001, 1025, 2)]
    )
    media = written(folder, tmp_path / "look.otio")[0].media_reference
    assert (media.start_frame, media.frame_step) == (1001, 2)
    assert media.number_of_images_in_sequence() == 12
    assert media.target_url_for_image_number(3) == "plates/a.1007.png"
    assert media.target_url_for_image_number(11) == "plates/a.1023.png"
    with pytest.raises(InputError, match="export otio"):
        media_of(probe_source(folder, "composite"), tmp_path / "look.edl")


def test_what_an_address_takes_for_its_own_is_quoted_in_names_of_pictures(tmp_path: Path) -> None:
    names = [f"shot #2 100%.{number}.png" for number in range(1001, 1005)]
    folder = pictures(tmp_path / "my plates", names)
    media = written(folder, tmp_path / "look.otio")[0].media_reference
    address = media.target_url_for_image_number(0)
    assert address == "my%20plates/shot%20%232%20100%25.1001.png"
    assert urllib.parse.unquote(address) == f"my plates/{names[0]}"


@pytest.mark.parametrize(
    ("names", "said"),
    [
        ([f"a.{number}.png" for number in (1, 2, 3, 5, 6)], "number 4 is missing"),
        (["one.png", "three.png", "two.png"], "no running number"),
        (["a1.png", "b2.png", "c3.png"], "no running number"),
    ],
)
def test_pictures_that_a_time_line_cannot_name_are_refused(
    tmp_path: Path, names: list[str], said: str
) -> None:
    folder = pictures(tmp_path / "plates", names)
    for suffix in (".edl", ".otio"):
        with pytest.raises(InputError, match=said):
            media_of(probe_source(folder, "composite"), tmp_path / f"look{suffix}")


def test_one_picture_is_a_file_that_begins_at_nothing(tmp_path: Path) -> None:
    folder = pictures(tmp_path / "plates", ["still.0042.png"])
    media = media_of(probe_source(folder / "still.0042.png", "composite"), tmp_path / "look.otio")
    assert (media.start, media.numbering, media.address) == (0, None, "plates/still.0042.png")


# --- reels


def with_reel(path: Path, reel: str) -> Path:
    """A clip or a picture that says which reel it was recorded on."""
    if path.suffix == ".exr":
        header = {"type": OpenEXR.scanlineimage, "reelName": reel}
        planes = {name: np.zeros((16, 24), np.float16) for name in "RGB"}
        OpenEXR.File(header, planes).write(str(path))
        return path
    with av.open(str(path), "w") as container:
        stream: Any = container.add_stream("mpeg4", rate=25)
        stream.width, stream.height, stream.pix_fmt = 64, 48, "yuv420p"
        place = stream if path.suffix == ".mov" else container
        place.metadata.update({"timecode": "01:00:00:00", "reel_name": reel})
        for picture in moving_scene(FRAMES, 64, 48)[0]:
            container.mux(stream.encode(av.VideoFrame.from_ndarray(picture, format="rgb24")))
        container.mux(stream.encode(None))
    return path


@pytest.mark.parametrize("suffix", [".mov", ".mkv", ".exr"])
@pytest.mark.parametrize(
    ("reel", "column"),
    [("A001C003", "A001C003"), ("A001C003_230412_R1AB", "A001C003"), ("B-7", "B7"), (None, "in")],
)
def test_a_reel_is_named_as_the_clip_names_it(
    tmp_path: Path, reel: str | None, column: str, suffix: str
) -> None:
    source = tmp_path / f"in{suffix}"
    if reel is not None:
        with_reel(source, reel)
    elif suffix == ".exr":
        planes = {name: np.zeros((16, 24), np.float16) for name in "RGB"}
        OpenEXR.File({"type": OpenEXR.scanlineimage}, planes).write(str(source))
    else:
        clip(source, Fraction(25), "01:00:00:00")
    media = media_of(probe_source(source, "composite"), tmp_path / "look.edl")
    write_edl([a_grade(0, 0)], [PLAIN], media, "look", tmp_path / "look.edl")
    lines = (tmp_path / "look.edl").read_text().splitlines()
    assert lines[3].split()[:3] == ["001", column, "V"]
    assert [line for line in lines if "SOURCE FILE" in line] == (
        [] if reel is None else [f"* SOURCE FILE: {reel}"]
    )
    cut = reel is not None and reel != column
    assert [f"its reel is {reel}" in warning for warning in media.warnings] == [True] * cut
    media = media_of(probe_source(source, "composite"), tmp_path / "look.otio")
    assert media.warnings == ()
    write_otio([a_grade(0, 0)], [PLAIN], [Path("a.cube")], media, "look", tmp_path / "look.otio")
    (shot,) = otio.adapters.read_from_file(str(tmp_path / "look.otio")).find_clips()
    assert shot.metadata.get("cmx_3600", {}).get("reel") == reel


# --- names


@pytest.mark.parametrize("kind", ["edl", "otio", "cdl", "dctl", "cube"])
def test_odd_names_are_no_fault(tmp_path: Path, kind: str) -> None:
    frames, masks = moving_scene(FRAMES, 64, 48)
    odd = tmp_path / os.fsdecode(b'a b&<\x01"\xe9%20.mkv')
    odd.write_bytes(write_video(tmp_path / "in.mkv", frames).read_bytes())
    write_mask_bits(masks, tmp_path / "m.npz")
    suffix = {"cdl": "ccc"}.get(kind, kind)
    output = tmp_path / os.fsdecode(b"look\xe9." + suffix.encode())
    common = ["--mask", str(tmp_path / "m.npz"), "--precision", "fp32", "--quality", "fast", "-q"]
    assert main(["export", kind, str(odd), *common, "-o", str(output)]) == 0
    assert output.stat().st_size > 100
    if kind == "otio":
        (shot,) = otio.adapters.read_from_string(output.read_text(), "otio_json").find_clips()
        assert shot.media_reference.target_url == "a%20b%26%3C%01%22%E9%2520.mkv"
    elif kind == "edl":
        assert 'a b&<?"?%20.mkv' in output.read_text()


def test_a_time_line_is_refused_before_the_work(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    frames, masks = moving_scene(FRAMES, 64, 48)
    write_video(tmp_path / "odd.mkv", frames, fps=17)
    write_mask_bits(masks, tmp_path / "m.npz")
    arguments = [
        "edl",
        str(tmp_path / "odd.mkv"),
        "--mask",
        str(tmp_path / "m.npz"),
        "-o",
        str(tmp_path / "x.edl"),
    ]
    assert main(["export", *arguments]) == 2
    assert "time code cannot count" in capsys.readouterr().err
    assert np.all([not one.name.startswith(".") for one in tmp_path.iterdir()])
    assert dataclasses.is_dataclass(
        media_of(probe_source(tmp_path / "odd.mkv", "composite"), tmp_path / "x.otio")
    )


def test_frames_that_are_not_evenly_spaced_are_told(tmp_path: Path) -> None:
    frames, _ = moving_scene(FRAMES, 64, 48)
    late = [40 * (number + 3 * (number > 5)) for number in range(FRAMES)]
    even = write_video(tmp_path / "even.mkv", frames)
    uneven = write_video(tmp_path / "uneven.mkv", frames, pts=late)
    assert media_of(probe_source(even, "composite"), tmp_path / "o.edl").warnings == ()
    (told,) = media_of(probe_source(uneven, "composite"), tmp_path / "o.edl").warnings
    assert "not evenly spaced" in told
