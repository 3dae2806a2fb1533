"""Stills and numbered sequences: in, out, and refused where they would be lost."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest

from tests.support.networks import changing_model
from tests.support.pictures import read_picture
from tests.support.scenes import moving_scene, write_video
from vhmae.cli import main
from vhmae.data.clips import write_mask_bits
from vhmae.model.weights import save_model
from vhmae.video.probe import probe_video
from vhmae.video.reader import read_rgb_frames

FRAMES = 6
FIRST = 11


@pytest.fixture(scope="module")
def work(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Sequences of an odd size in several kinds, numbered from 11, with masks; and the same as a
    video."""
    folder = tmp_path_factory.mktemp("pictures")
    frames, masks = moving_scene(FRAMES, 97, 65)
    for place, (frame, mask) in enumerate(zip(frames, masks, strict=True)):
        number = f"{FIRST + place:04d}"
        deep = frame[..., ::-1].astype(np.uint16) * 257 + 3
        kinds = {
            "png": frame[..., ::-1],
            "tif": frame[..., ::-1],
            "jpg": frame[..., ::-1],
            "deep.png": deep,
            "deep.tif": deep,
        }
        for name, picture in kinds.items():
            assert cv2.imwrite(str(folder / f"a.{number}.{name}"), picture)
        alpha = np.dstack([frame[..., ::-1], np.full(mask.shape, 77, np.uint8)])
        assert cv2.imwrite(str(folder / f"alpha.{number}.png"), alpha)
        assert cv2.imwrite(str(folder / f"m.{number}.png"), mask.astype(np.uint8) * 255)
    write_video(folder / "in.mov", frames, codec="png", pix_fmt="rgb24")
    write_mask_bits(masks, folder / "m.npz")
    save_model(changing_model(), folder / "w.safetensors", {})
    return folder


def run(work: Path, composite: str, out: Path, *options: str, mask: str = "m.npz") -> int:
    arguments = [
        "harmonize",
        str(work / composite),
        "--mask",
        str(work / mask),
        "-o",
        str(out),
        "--weights",
        str(work / "w.safetensors"),
    ]
    return main([*arguments, "--precision", "fp32", "--caution", "0", "-q", *options])


@pytest.mark.parametrize(
    "kind", ["a.%04d.png", "a.%04d.tif", "a.%04d.deep.png", "a.%04d.deep.tif", "alpha.%04d.png"]
)
def test_a_sequence_keeps_its_numbers_its_depth_and_what_is_outside_the_mask(
    work: Path, tmp_path: Path, kind: str
) -> None:
    out = tmp_path / f"out.%04d{Path(kind).suffix}"
    assert run(work, kind, out) == 0
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        out.name % number for number in range(FIRST, FIRST + FRAMES)
    ]
    masks = moving_scene(FRAMES, 97, 65)[1]
    for place, mask in enumerate(masks):
        before, after = (
            read_picture(path % (FIRST + place), -1) for path in (str(work / kind), str(out))
        )
        assert before.dtype == after.dtype
        assert before.shape == after.shape
        assert np.array_equal(before[~mask], after[~mask])
        assert not np.array_equal(before[mask], after[mask])
        assert np.array_equal(before[..., 3:], after[..., 3:])


def test_a_sequence_gives_the_frames_of_the_video(work: Path, tmp_path: Path) -> None:
    assert run(work, "a.%04d.png", tmp_path / "s.%d.png", mask="m.%04d.png") == 0
    assert run(work, "in.mov", tmp_path / "v.%02d.png") == 0
    for place in range(FRAMES):
        one, other = (
            read_picture(tmp_path / f"s.{FIRST + place}.png"),
            read_picture(tmp_path / f"v.{place + 1:02d}.png"),
        )
        assert np.abs(one.astype(int) - other).max() <= 1


def test_pictures_become_a_video_of_the_rate_that_is_asked_for(work: Path, tmp_path: Path) -> None:
    assert (
        run(work, "a.%04d.png", tmp_path / "v.mkv", "--rate", "30000/1001", "--codec", "ffv1") == 0
    )
    info = probe_video(tmp_path / "v.mkv")
    assert float(info.fps) == pytest.approx(30000 / 1001)
    assert info.frames == FRAMES
    assert run(work, "a.%04d.png", tmp_path / "s.%04d.png") == 0
    shown = read_rgb_frames(tmp_path / "v.mkv", [2])[0]
    assert np.array_equal(shown[..., ::-1], read_picture(tmp_path / f"s.{FIRST + 2:04d}.png"))


def test_a_jpeg_and_a_folder_are_taken(work: Path, tmp_path: Path) -> None:
    assert run(work, f"a.{FIRST:04d}.jpg", tmp_path / "one.jpg", mask=f"m.{FIRST:04d}.png") == 0
    assert read_picture(tmp_path / "one.jpg").shape == (65, 97, 3)
    folder = tmp_path / "shots"
    folder.mkdir()
    for number in range(FIRST, FIRST + FRAMES):
        (folder / f"x{number}.png").write_bytes((work / f"a.{number:04d}.png").read_bytes())
    assert run(work, str(folder), tmp_path / "f.%04d.png") == 0
    assert len(list(tmp_path.glob("f.*.png"))) == FRAMES


def test_a_part_of_a_sequence_keeps_its_numbers(work: Path, tmp_path: Path) -> None:
    assert (
        run(
            work,
            "a.%04d.png",
            tmp_path / "p.%04d.png",
            "--rate",
            "10",
            "--start",
            "0.2",
            "--end",
            "0.4",
        )
        == 0
    )
    assert sorted(path.name for path in tmp_path.iterdir()) == ["p.0013.png", "p.0014.png"]


def test_what_would_be_lost_or_is_wrong_is_refused(
    work: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for composite, out, options, message in (
        ("a.%04d.png", tmp_path / "one.png", (), "is one picture but there are 6 frames"),
        ("a.%04d.png", work / "a.%04d.png", (), "is an input"),
        ("none.%04d.png", tmp_path / "x.%04d.png", (), "no file of this sequence"),
        ("none.png", tmp_path / "x.png", (), "no such file"),
        ("a.%04d.png", tmp_path, (), "is a folder"),
        ("a.%04d.png", tmp_path / "x.%04d.png", ("--resume",), "--resume"),
        ("a.%04d.png", tmp_path / "x.%04d.png", ("--codec", "ffv1"), "--codec"),
        ("in.mov", tmp_path / "x.mkv", ("--rate", "24"), "--rate"),
        ("a.%04d.png", tmp_path / "x.mkv", ("--rate", "0"), "--rate"),
    ):
        assert run(work, composite, out, *options) == 2, message
        error = capsys.readouterr().err
        assert message in error
        assert error.count("\n") == 1
    assert not list(tmp_path.iterdir())


def test_numbers_are_those_of_the_pattern_and_gaps_are_refused(
    work: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    shots, out = tmp_path / "shots", tmp_path / "out"
    shots.mkdir()
    out.mkdir()
    for number in range(FIRST, FIRST + FRAMES):
        (shots / f"s.{number:04d}_v2.png").write_bytes((work / f"a.{number:04d}.png").read_bytes())
    (shots / "s.3_v2.png").write_bytes(b"too few digits to belong to it")
    for composite in (shots / "s.%04d_v2.png",):
        assert run(work, str(composite), out / "o.%d.png") == 0
        assert sorted(int(path.name.split(".")[1]) for path in out.iterdir()) == list(
            range(FIRST, FIRST + FRAMES)
        )
    (shots / f"s.{FIRST + 2:04d}_v2.png").unlink()
    assert run(work, str(shots / "s.%04d_v2.png"), out / "o.%d.png") == 2
    assert f"number {FIRST + 2} is missing" in capsys.readouterr().err


@pytest.mark.parametrize("form", ["%04d", "####"])
@pytest.mark.parametrize("pair", ["number", "overlap"])
def test_gaps_of_a_plate_are_kept_where_masks_are_found_by_number(
    pair: str, form: str, work: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Missing: one number in both, and one in the plate alone."""
    folders = {"a": tmp_path / "plate", "m": tmp_path / "mask"}
    for name, folder in folders.items():
        folder.mkdir()
        for number in range(FIRST, FIRST + FRAMES):
            data = (work / f"{name}.{number:04d}.png").read_bytes()
            (folder / f"{name}.{number:04d}.png").write_bytes(data)
    (tmp_path / "plate" / f"a.{FIRST + 1:04d}.png").unlink()
    for name, folder in folders.items():
        (folder / f"{name}.{FIRST + 3:04d}.png").unlink()
    (tmp_path / "out").mkdir()
    plate, mask = (str(folders[name] / f"{name}.{form}.png") for name in "am")
    out = tmp_path / "out" / "o.%04d.png"
    assert run(work, plate, out, "--pair", pair, mask=mask) == 0
    assert (
        main(["harmonize", plate, "--mask", mask, "-o", str(out), "--pair", pair, "--check"]) == 0
    )
    assert f"{plate}: lacks number {FIRST + 1} and 1 more" in capsys.readouterr().err
    kept = [FIRST, FIRST + 2, FIRST + 4, FIRST + 5]
    assert sorted(path.name for path in out.parent.iterdir()) == [f"o.{n:04d}.png" for n in kept]
    for number, alike in zip(kept, moving_scene(FRAMES, 97, 65)[1][[0, 2, 4, 5]], strict=True):
        before, after = (
            read_picture(path)
            for path in (folders["a"] / f"a.{number:04d}.png", Path(str(out) % number))
        )
        assert np.array_equal(before[~alike], after[~alike])
        assert not np.array_equal(before[alike], after[alike])


@pytest.mark.parametrize("case", ["layers", "unnumbered", "two masks"])
def test_a_gap_is_refused_where_something_is_found_by_order(
    case: str, work: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for name in ("plate", "named", "out"):
        (tmp_path / name).mkdir()
    for place, number in enumerate(range(FIRST, FIRST + FRAMES)):
        named = tmp_path / "named" / f"{'abcdef'[place]}.png"
        named.write_bytes((work / f"m.{number:04d}.png").read_bytes())
        if place != 2:
            data = (work / f"a.{number:04d}.png").read_bytes()
            (tmp_path / "plate" / f"a.{number:04d}.png").write_bytes(data)
    plate, out = str(tmp_path / "plate" / "a.%04d.png"), tmp_path / "out" / "o.%04d.png"
    numbered = str(work / "m.%04d.png")
    words = {
        # The masks are those of the foreground.
        "layers": ("--background", plate, "--foreground", str(work / "in.mov"), "--mask", numbered),
        "unnumbered": (plate, "--mask", str(tmp_path / "named")),
        "two masks": (plate, "--mask", numbered, "--mask", str(work / "m.npz")),
    }
    assert main(["harmonize", *words[case], "-o", str(out)]) == 2
    assert f"number {FIRST + 2} is missing between" in capsys.readouterr().err
    assert not list(out.parent.iterdir())


def test_no_input_is_written_over(
    work: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    reference = tmp_path / "ref.png"
    reference.write_bytes((work / f"a.{FIRST:04d}.png").read_bytes())
    before = reference.read_bytes()
    still = (f"a.{FIRST:04d}.png", reference, "--reference", str(reference))
    assert run(work, *still, mask=f"m.{FIRST:04d}.png") == 2
    assert "is an input" in capsys.readouterr().err
    assert reference.read_bytes() == before
    folder = tmp_path / "folder"
    folder.mkdir()
    (folder / "x1.png").write_bytes(before)
    assert run(work, str(folder), folder / "out.%d.png", mask=f"m.{FIRST:04d}.png") == 2
    assert [path.name for path in folder.iterdir()] == ["x1.png"]


def test_a_picture_that_its_tag_turns_is_written_upright(work: Path, tmp_path: Path) -> None:
    plain = (work / f"a.{FIRST:04d}.jpg").read_bytes()
    tag = b"Exif\0\0II*\0\x08\0\0\0\x01\0\x12\x01\x03\0\x01\0\0\0\x06\0\0\0\0\0\0\0"
    (tmp_path / "turned.jpg").write_bytes(
        plain[:2] + b"\xff\xe1" + (len(tag) + 2).to_bytes(2, "big") + tag + plain[2:]
    )
    mask = read_picture(work / f"m.{FIRST:04d}.png", -1)
    cv2.imwrite(str(tmp_path / "m.png"), np.rot90(mask, -1))
    out = tmp_path / "x.png"
    assert run(work, str(tmp_path / "turned.jpg"), out, mask=str(tmp_path / "m.png")) == 0
    stored = read_picture(work / f"a.{FIRST:04d}.jpg")
    shown = read_picture(out).astype(int)
    outside = np.rot90(mask, -1) == 0
    assert shown.shape == (97, 65, 3)
    assert np.abs(shown - np.rot90(stored, -1))[outside].mean() < 4


def test_a_damaged_or_other_picture_in_the_middle_is_named_and_nothing_is_left(
    work: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for name, data in (
        ("cut", (work / "a.0013.png").read_bytes()[:300]),
        ("other", (work / "a.0013.deep.png").read_bytes()),
    ):
        folder, out = tmp_path / name, tmp_path / f"{name}.out"
        folder.mkdir()
        out.mkdir()
        for number in range(FIRST, FIRST + FRAMES):
            (folder / f"x.{number}.png").write_bytes(
                (work / f"a.{number:04d}.png").read_bytes() if number != 13 else data
            )
        assert run(work, str(folder), out / "x.%04d.png") == 2
        assert "x.13.png" in capsys.readouterr().err
        assert not list(out.iterdir())


def test_a_preview_shows_the_frame_that_harmonizing_gives(
    work: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    arguments = [
        "--mask",
        str(work / "m.npz"),
        "--weights",
        str(work / "w.safetensors"),
        "--precision",
        "fp32",
        "--caution",
        "0",
    ]
    assert (
        main(
            [
                "preview",
                str(work / "in.mov"),
                *arguments,
                "-o",
                str(tmp_path / "sheet.png"),
                "--frame",
                "3",
            ]
        )
        == 0
    )
    assert "frame 3" in capsys.readouterr().out
    assert run(work, "in.mov", tmp_path / "v.%d.png") == 0
    sheet, after = read_picture(tmp_path / "sheet.png"), read_picture(tmp_path / "v.4.png")
    assert sheet.shape == (130, 194, 3)
    assert np.abs(sheet[35:65, 97:].astype(int) - after[35:]).max() <= 1  # below the panel's name
    mask = moving_scene(FRAMES, 97, 65)[1][3]
    assert np.array_equal(sheet[65 + 35 :, 97:, 0] > 127, mask[35:])
    for options, message in (
        (("--frame", "6"), "frames 0 to 5"),
        (("-o", str(tmp_path / "x.%d.png")), "a sequence"),
    ):
        assert (
            main(
                [
                    "preview",
                    str(work / "in.mov"),
                    *arguments,
                    "-o",
                    str(tmp_path / "y.png"),
                    *options,
                ]
            )
            == 2
        )
        assert message in capsys.readouterr().err


def test_the_last_mask_stands_still_for_pictures_of_higher_numbers(
    work: Path, tmp_path: Path
) -> None:
    """Masks 11 to 16, a plate from 15 on: what has no mask takes the last, not an earlier one."""
    for number in range(15, 21):
        data = (work / f"a.{FIRST + number % FRAMES:04d}.png").read_bytes()
        (tmp_path / f"a.{number:04d}.png").write_bytes(data)
    out, plate = tmp_path / "o.%04d.png", str(tmp_path / "a.%04d.png")
    assert run(work, plate, out, "--hold-last-mask", mask="m.%04d.png") == 0
    masks = moving_scene(FRAMES, 97, 65)[1]
    for number in range(15, 21):
        before, after = (
            read_picture(tmp_path / f"{name}.{number:04d}.png").astype(int) for name in "ao"
        )
        moved = (before != after).any(axis=2)
        mask = masks[min(number - FIRST, FRAMES - 1)]
        assert not moved[~mask].any()
        assert moved[mask].mean() > 0.9


def test_a_per_cent_sign_in_the_name_of_a_video_is_no_number(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["preview", str(tmp_path / "my%20clip.mp4"), "-o", str(tmp_path / "p.png")]) == 2
    assert "no such file" in capsys.readouterr().err


@pytest.mark.parametrize("name", ["{}.%04d.png 10-18", "{}.0010-0018.png"])
def test_the_ends_of_a_range_that_is_asked_for_are_missed(
    name: str, work: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "o.%04d.png"
    command = ["harmonize", str(work / name.format("a")), "--mask", str(work / name.format("m"))]
    assert main([*command, "-o", str(out), "--check"]) == 0
    assert "lacks number 10 and 2 more" in capsys.readouterr().err
    assert main([*command, "-o", str(out), "--check", "--strict"]) == 2


@pytest.mark.parametrize("stray", ["clean.png", "ref_900.png"])
def test_a_picture_that_is_no_part_of_a_folders_sequence_is_refused(
    stray: str, work: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = tmp_path / "plate"
    folder.mkdir()
    for number in range(FIRST, FIRST + FRAMES):
        name = f"a.{number:04d}.png"
        (folder / name).write_bytes((work / name).read_bytes())
    out = tmp_path / "o.%04d.png"
    assert run(work, str(folder), out, mask="m.%04d.png") == 0
    (folder / stray).write_bytes((work / "a.0012.png").read_bytes())
    assert run(work, str(folder), out, mask="m.%04d.png") == 2
    assert f"{folder / stray}: is none of a.%04d.png beside it" in capsys.readouterr().err


def test_a_kind_of_picture_that_is_not_read_is_called_that(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "a.0001.dpx").write_bytes(b"SDPX" + bytes(2048))
    command = ["harmonize", str(tmp_path / "a.0001.dpx"), "--mask", "m.png", "-o", "o.png"]
    assert main(command) == 2
    assert ".dpx" in capsys.readouterr().err
