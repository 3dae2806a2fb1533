"""What a mask's numbers, colors and alpha stand for, and which matte belongs to which frame."""

from __future__ import annotations

import itertools
import os
from fractions import Fraction
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from tests.support.scenes import moving_scene, write_video
from vhmae.data.clips import write_mask_bits
from vhmae.engine.sight import MaskKind, one_before_another
from vhmae.errors import InputError
from vhmae.video import mask_meaning, reader
from vhmae.video.mask_meaning import LOOKED_FILES, MaskReading
from vhmae.video.matte import LOOKED_FRAMES, open_matte
from vhmae.video.pairing import natural_order, numbers_of
from vhmae.video.probe import VideoInfo, probe_video
from vhmae.video.sequence import older_pictures, probe_pictures, sequence_files
from vhmae.video.source import probe_source
from vhmae.video.stills import Turn, turn_of

INSIDE = np.zeros((64, 96), bool)
INSIDE[16:40, 20:60] = True


def first_of(path: Path, reading: MaskReading | None = None) -> tuple[np.ndarray, list[str]]:
    """The first matte of a mask at its own size, and what is said of it."""
    source = open_matte(path, reading or MaskReading())
    return next(source._start(0)), source.warnings


def save(path: Path, picture: np.ndarray) -> Path:
    assert cv2.imwrite(str(path), picture)
    return path


def colored(label_color: tuple[int, int, int]) -> np.ndarray:
    picture = np.zeros((64, 96, 3), np.uint8)
    picture[INSIDE] = label_color[::-1]
    return picture


def test_alpha_that_varies_is_the_mask_and_other_alpha_is_not(tmp_path: Path) -> None:
    grey = INSIDE.astype(np.uint8) * 255
    cutout = np.dstack([255 - grey, 255 - grey, 255 - grey, grey])
    matte, told = first_of(save(tmp_path / "a.png", cutout))
    assert np.array_equal(matte == 255, INSIDE)
    assert "alpha channel, which was taken" in told[0]
    opaque = np.dstack([grey, grey, grey, np.full_like(grey, 255)])
    matte, told = first_of(save(tmp_path / "b.png", opaque))
    assert np.array_equal(matte == 255, INSIDE)
    assert "the same everywhere" in told[0]


def test_labels_are_foreground_and_one_can_be_named(tmp_path: Path) -> None:
    picture = colored((128, 0, 0))
    picture[50:60, 70:90] = (0, 128, 0)
    both = picture.any(axis=2)
    matte, told = first_of(save(tmp_path / "c.png", picture))
    assert np.array_equal(matte == 255, both)
    assert "`mask_label`" in told[0]
    matte, _ = first_of(tmp_path / "c.png", MaskReading(label=1))
    assert np.array_equal(matte == 255, INSIDE)
    with pytest.raises(InputError, match=r"`mask_label` 7: is not in .*, which has 0, 1, 2"):
        open_matte(tmp_path / "c.png", MaskReading(label=7))
    numbers = INSIDE.astype(np.uint8) * 3
    matte, told = first_of(save(tmp_path / "n.png", numbers))
    assert np.array_equal(matte == 255, INSIDE)
    assert "0 to 3" in told[0]


@pytest.mark.parametrize(
    ("suffix", "codec", "pix_fmt"),
    [(".mov", "png", "rgb24"), (".mov", "qtrle", "argb"), (".mkv", "ffv1", "bgr0")],
)
def test_a_video_of_colored_labels_is_read_as_its_pictures(
    suffix: str, codec: str, pix_fmt: str, tmp_path: Path
) -> None:
    picture = colored((128, 0, 0))
    picture[50:60, 70:90] = (0, 128, 0)
    frames = np.stack([np.zeros_like(picture), picture, picture])[..., ::-1]
    path = write_video(tmp_path / f"m{suffix}", frames, codec=codec, pix_fmt=pix_fmt)
    source = open_matte(path)
    mattes = list(source.stored())
    assert not mattes[0].any()
    assert np.array_equal(mattes[2] == 255, picture.any(axis=2))
    assert any("is a map of colored labels" in told for told in source.warnings)
    one = list(open_matte(path, MaskReading(label=1)).stored())
    assert np.array_equal(one[1] == 255, INSIDE)
    with pytest.raises(InputError, match=r"`mask_label` 7: is not in .*, which has 0, 1, 2"):
        open_matte(path, MaskReading(label=7))


PLATES = ("plate.1001", "plate.1002", "q.8", "q.1001", "q.1002", "thumb")
VERSIONS = ("plate_v01.01", "plate_v01.02", "plate_v02.01", "plate_v02.02")


@pytest.mark.parametrize(
    ("names", "said"),
    [(PLATES, ("plate.%04d", "q.%01d")), (VERSIONS, ("plate_v01.%02d", "plate_v02.%02d"))],
)
def test_a_folder_of_two_sequences_is_none_of_them(
    tmp_path: Path, names: tuple[str, ...], said: tuple[str, str]
) -> None:
    for name in names:
        save(tmp_path / f"{name}.png", INSIDE * np.uint8(255))
    with pytest.raises(InputError) as raised:
        probe_pictures(tmp_path, "composite")
    told = f"holds several sequences ({said[0]}.png and {said[1]}.png); name one of them"
    assert told in str(raised.value)


@pytest.mark.parametrize(
    "names",
    [
        ("01-00-00-00", "01-00-00-01", "01-00-01-00", "01-00-01-01"),
        (
            "2024-01-01_10-00-00",
            "2024-01-01_10-00-01",
            "2024-01-01_10-01-00",
            "2024-01-01_10-01-01",
        ),
        ("p.1", "p.2", "q.1"),
    ],
)
def test_time_code_is_one_number_and_one_other_picture_no_sequence(
    tmp_path: Path, names: tuple[str, ...]
) -> None:
    for name in names:
        save(tmp_path / f"{name}.png", INSIDE * np.uint8(255))
    assert probe_pictures(tmp_path, "composite").frames == len(names)


@pytest.mark.parametrize("gop", [1, 100])
def test_a_long_mask_is_not_decoded_to_find_its_colors(
    gop: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    decoded = []
    planar = reader.planar_frame

    def counted(*args: Any) -> Any:
        decoded.append(args)
        return planar(*args)

    monkeypatch.setattr(reader, "planar_frame", counted)
    frames = np.zeros((60, 64, 96, 3), np.uint8)
    frames[:, INSIDE] = 255
    frames[1, INSIDE] = (128, 0, 0)  # between those that are looked at
    white = write_video(tmp_path / "w.mkv", frames[2:], pix_fmt="bgr0", gop=gop)
    assert open_matte(white).warnings == []
    assert len(decoded) <= 2 * LOOKED_FRAMES + 4
    late = open_matte(write_video(tmp_path / "l.mkv", frames, pix_fmt="bgr0", gop=1))
    assert all(np.array_equal(matte == 255, INSIDE) for matte in late.stored())


def test_a_label_is_read_without_sorting_pixels(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    frames = np.stack([colored((128, 0, 0))[..., ::-1]] * 2)
    source = open_matte(write_video(tmp_path / "m.mkv", frames, pix_fmt="bgr0"), MaskReading(1))
    monkeypatch.delattr(np, "unique")
    assert all(np.array_equal(matte == 255, INSIDE) for matte in source.stored())


def test_labels_are_found_among_deep_colors(tmp_path: Path) -> None:
    eight = colored((64, 0, 128))[..., ::-1]  # the palette's entry 12
    deep = eight.astype(np.uint16) * 257
    save(tmp_path / "filled.png", deep[..., ::-1])
    save(tmp_path / "shifted.png", eight[..., ::-1].astype(np.uint16) << 8)
    write_exr(tmp_path / "m.exr", dict(zip("RGB", np.moveaxis(eight / 255.0, 2, 0), strict=True)))
    for bits in (10, 12, 16):
        frames = np.stack([eight] * 2)
        write_video(tmp_path / f"{bits}.mkv", frames, codec="ffv1", pix_fmt=f"gbrp{bits}le")
    names = ("filled.png", "shifted.png", "m.exr", "10.mkv", "12.mkv", "16.mkv")
    for name in names:
        assert np.array_equal(first_of(tmp_path / name, MaskReading(12))[0] == 255, INSIDE), name


def test_a_video_that_is_grey_or_a_photograph_is_no_map_of_labels(tmp_path: Path) -> None:
    for name, frames in (
        ("grey", np.full((2, 64, 96), 90, np.uint8)),
        ("photo", moving_scene(2, 96, 64)[0]),
    ):
        path = write_video(tmp_path / f"{name}.mkv", frames, pix_fmt="bgr0")
        told = open_matte(path).warnings
        assert not any("labels:" in one for one in told)
        assert any("brightness was taken" in one for one in told) == (name == "photo")


def test_a_label_of_packed_bits_is_one(tmp_path: Path) -> None:
    write_mask_bits(INSIDE[None], tmp_path / "m.npz")
    matte, _ = first_of(tmp_path / "m.npz", MaskReading(label=1))
    assert np.array_equal(matte == 255, INSIDE)
    with pytest.raises(InputError, match=r"`mask_label` 7: is not in .*, which has 1"):
        open_matte(tmp_path / "m.npz", MaskReading(label=7))


@pytest.mark.parametrize("kind", [np.uint8, np.uint16])
def test_a_mask_that_is_dim_everywhere_is_told(kind: type, tmp_path: Path) -> None:
    matte, told = first_of(save(tmp_path / "m.png", (INSIDE * 20).astype(kind)))
    assert np.array_equal(matte, INSIDE * 20)
    assert "nowhere brighter than 20" in told[0]
    assert "`mask_label`" in told[0]
    matte, _ = first_of(tmp_path / "m.png", MaskReading(label=20))
    assert np.array_equal(matte == 255, INSIDE)
    half: np.ndarray = (INSIDE * (np.iinfo(kind).max // 2)).astype(kind)
    assert first_of(save(tmp_path / "half.png", half))[1] == []


def test_a_number_that_two_pictures_have_is_refused(tmp_path: Path) -> None:
    for name in ("m.0001.png", "m.0002.png", "m.00002.png"):
        save(tmp_path / name, INSIDE.astype(np.uint8) * 255)
    with pytest.raises(InputError, match=r"has the number of m\.0+2\.png"):
        open_matte(tmp_path / "m.%04d.png")


def test_packed_bits_that_may_not_be_read_are_told_as_that(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_mask_bits(INSIDE[None], tmp_path / "m.npz")

    def refused(*_: object, **__: object) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr("vhmae.video.mask_bits.zipfile.ZipFile", refused)
    with pytest.raises(InputError, match=r"m\.npz: cannot be read \(Permission denied\)"):
        open_matte(tmp_path / "m.npz")


def test_masks_of_which_some_have_alpha_are_refused(tmp_path: Path) -> None:
    grey = INSIDE.astype(np.uint8) * 255
    save(tmp_path / "m.0001.png", np.full((64, 96, 3), 200, np.uint8))
    save(tmp_path / "m.0002.png", np.dstack([grey * 0 + 200] * 3 + [grey]))
    with pytest.raises(InputError, match=r"m\.0002\.png: has an alpha channel, the first mask has"):
        open_matte(tmp_path / "m.%04d.png")


def write_exr(path: Path, channels: dict[str, np.ndarray]) -> Path:
    library = pytest.importorskip("OpenEXR")
    planes = {name: plane.astype(np.float16) for name, plane in channels.items()}
    library.File({"compression": library.ZIP_COMPRESSION}, planes).write(str(path))
    return path


def test_openexr_masks_follow_the_rule_of_pictures(tmp_path: Path) -> None:
    inside, ones = INSIDE.astype(np.float32), np.ones(INSIDE.shape, np.float32)
    rgb = dict.fromkeys("RGB", inside)
    for name, channels, said in (
        ("cutout", {**dict.fromkeys("RGB", ones), "A": inside}, "alpha channel, which was taken"),
        ("opaque", {**rgb, "A": ones}, "the same everywhere"),
        ("empty", {**rgb, "A": 0 * ones}, "the same everywhere"),
        ("luma", {"Y": inside, "A": ones}, "the same everywhere"),
        ("red", {"R": inside, "G": 0 * ones, "B": 0 * ones}, "map of colored labels"),
    ):
        matte, told = first_of(write_exr(tmp_path / f"{name}.exr", channels))
        assert np.array_equal(matte, INSIDE * np.iinfo(matte.dtype).max), name
        assert said in told[0], name
    for name, channels in (("y", {"Y": inside}), ("a", {"A": inside}), ("rgb", rgb)):
        matte, told = first_of(write_exr(tmp_path / f"{name}.exr", channels))
        assert (matte.max(), told) == (65535, []), name


def test_labels_with_an_opaque_alpha_are_labels_in_pictures_and_video(tmp_path: Path) -> None:
    picture = colored((128, 0, 0))
    save(tmp_path / "m.png", np.dstack([picture, np.full(INSIDE.shape, 255, np.uint8)]))
    frames = np.stack([picture[..., ::-1]] * 2)
    write_video(tmp_path / "m.mov", frames, codec="qtrle", pix_fmt="argb")
    for name in ("m.png", "m.mov"):
        matte, told = first_of(tmp_path / name)
        assert np.array_equal(matte, INSIDE * 255), name
        assert "the same everywhere, and was not taken" in told[0]
        assert "is a map of colored labels" in told[1]
        assert not any("brightness" in one for one in told)


@pytest.mark.parametrize("kind", ["png", "exr"])
def test_a_few_pictures_tell_whether_all_are_colored(
    kind: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    looked = []
    stored = mask_meaning._stored

    def counted(file: Path) -> Any:
        looked.append(file)
        return stored(file)

    monkeypatch.setattr(mask_meaning, "_stored", counted)
    for number in range(60):
        color = (128, 0, 0) if number == 5 else (255, 255, 255)  # 5 is not looked at
        planes = np.moveaxis(colored(color), 2, 0)
        if kind == "exr":
            name = tmp_path / f"m.{number:02d}.exr"
            write_exr(name, dict(zip("BGR", planes / 255.0, strict=True)))
        else:
            save(tmp_path / f"m.{number:02d}.png", colored(color))
    source = open_matte(tmp_path / f"m.%02d.{kind}")
    assert len(looked) <= LOOKED_FILES + 6
    mattes = list(source.stored())
    assert all(np.array_equal(one, INSIDE * np.iinfo(one.dtype).max) for one in mattes)
    assert len({one.dtype for one in mattes}) == 1


def test_colored_openexr_masks_are_taken_by_their_brightness(tmp_path: Path) -> None:
    ramp = np.linspace(0.0, 1.0, INSIDE.size, dtype=np.float32).reshape(INSIDE.shape)
    channels = {"R": ramp, "G": ramp**2, "B": 0 * ramp}
    matte, told = first_of(write_exr(tmp_path / "m.exr", channels))
    expected = 65535 * (0.299 * ramp + 0.587 * ramp**2)
    assert np.abs(matte - expected).max() < 200
    assert "brightness was taken" in told[0]


def test_labels_of_openexr_masks_are_whole_numbers(tmp_path: Path) -> None:
    path = write_exr(tmp_path / "m.exr", {"Y": INSIDE * 3.0 + (~INSIDE) * 0.5})
    matte, _ = first_of(path, MaskReading(label=3))
    assert np.array_equal(matte == 255, INSIDE)
    with pytest.raises(InputError, match=r"`mask_label` 2: is not in .*, which has -1, 3"):
        open_matte(path, MaskReading(label=2))


@pytest.mark.parametrize(("deep", "ends"), [(1, (16, 235)), (257, (4112, 60395))])
def test_levels_of_video_are_stretched(tmp_path: Path, deep: int, ends: tuple[int, int]) -> None:
    kind = np.uint8 if deep == 1 else np.uint16
    picture = np.where(INSIDE, ends[1], ends[0]).astype(kind)
    matte, told = first_of(save(tmp_path / "s.png", picture))
    assert np.array_equal(matte, INSIDE * np.iinfo(kind).max)
    assert "stretched" in told[0]
    picture[0, 0] = 0  # a mask with a true black keeps its levels
    matte, told = first_of(save(tmp_path / "t.png", picture))
    assert np.array_equal(matte, picture)
    assert told == []


def test_the_later_of_two_masks_is_in_front() -> None:
    rear, front = np.zeros((2, 8, 8), np.uint8)
    rear[:6], front[3:, 2:] = 255, 128
    (left, right), overlap = one_before_another([rear, front])
    assert overlap
    assert np.array_equal(right, front)
    assert (left.astype(int) + right <= 255).all()
    assert (left[3:6, 2:] == 127).all()
    apart = [np.eye(8, dtype=np.uint8) * 255, np.fliplr(np.eye(8, dtype=np.uint8)) * 255]
    shown, overlap = one_before_another(apart)
    assert not overlap
    assert all(np.array_equal(one, other) for one, other in zip(shown, apart, strict=True))


@pytest.fixture
def plates(tmp_path: Path) -> VideoInfo:
    (tmp_path / "plate").mkdir()
    for number in (3, 4, 6):
        save(tmp_path / "plate" / f"p.{number:04d}.png", np.full((8, 8, 3), 90, np.uint8))
    return probe_source(tmp_path / "plate", "composite")


def rotos(folder: Path, *numbers: int) -> Path:
    folder.mkdir()
    for number in numbers:
        save(folder / f"r.{number:04d}.png", np.full((8, 8), 100 + number, np.uint8))
    return folder


def test_pictures_pair_by_their_numbers(plates: VideoInfo, tmp_path: Path) -> None:
    mask = rotos(tmp_path / "r", 1, 2, 3, 4, 6, 9)
    for name in (mask, mask / "r.%04d.png", mask / "r.####.png", mask / "r.*.png"):
        source = open_matte(name)
        assert source.check_fits(plates, False) is None
        found = [int(one[0, 0]) for one in itertools.islice(source.read(plates), 3)]
        assert found == [103, 104, 106]
    by_order = open_matte(mask, MaskReading(pair="order"))
    with pytest.raises(InputError, match="has 6 frames but plate has 3"):
        by_order.check_fits(plates, False)


def test_pictures_without_a_partner_are_refused_by_number(
    plates: VideoInfo, tmp_path: Path
) -> None:
    source = open_matte(rotos(tmp_path / "r", 2, 3, 4))
    with pytest.raises(InputError, match=r"has no number 6, which .* has; it has 2 to 4"):
        source.check_fits(plates, False)
    assert "stands still" in str(source.check_fits(plates, True))
    assert open_matte(tmp_path / "r", MaskReading(pair="overlap")).shared(plates) == [0, 1]


def test_numbers_that_share_nothing_pair_by_order(plates: VideoInfo, tmp_path: Path) -> None:
    source = open_matte(rotos(tmp_path / "r", 100, 101, 102))
    assert "paired by their order" in str(source.check_fits(plates, False))
    with pytest.raises(InputError, match="not equally many"):
        open_matte(rotos(tmp_path / "s", 100, 101)).check_fits(plates, False)


def test_names_of_sequences(tmp_path: Path) -> None:
    for number in (-2, -1, 0, 1, 10):
        save(tmp_path / f"a.{number:04d}.png", np.zeros((4, 4), np.uint8))
    files = list(tmp_path.iterdir())
    assert numbers_of(sorted(files, key=natural_order)) == (-2, -1, 0, 1, 10)
    assert list(sequence_files(tmp_path / "a.-####.png".replace("-", ""), gaps=True)) == [
        -2,
        -1,
        0,
        1,
        10,
    ]
    assert list(sequence_files(tmp_path / "a.0000-0001.png")) == [0, 1]
    assert list(sequence_files(tmp_path / "a.%04d.png -1-1")) == [-1, 0, 1]
    assert len(sequence_files(tmp_path / "a.*.png")) == 5
    with pytest.raises(InputError, match="number 2 is missing"):
        sequence_files(tmp_path / "a.0001-0003.png")
    told = older_pictures(tmp_path / "a.####.png", range(-2, 5))
    assert "1 older pictures" in str(told)
    assert older_pictures(tmp_path / "b.%04d.png", range(3)) is None


def test_a_mask_of_another_rate_is_laid_by_time(tmp_path: Path) -> None:
    composite = probe_video(write_video(tmp_path / "c.mkv", moving_scene(12, 96, 64)[0], fps=24))
    grey = np.broadcast_to((np.arange(15) * 10 + 20).astype(np.uint8)[:, None, None], (15, 64, 96))
    path = write_video(tmp_path / "m.mkv", grey, codec="ffv1", pix_fmt="gray", fps=30)
    expected = [int(number * 30 / 24 + 0.1) for number in range(12)]
    (tmp_path / "p").mkdir()
    for number, picture in enumerate(grey):
        save(tmp_path / "p" / f"{number:02d}.png", picture)
    for name, reading in (
        (path, MaskReading()),
        (tmp_path / "p", MaskReading(rate=Fraction(30))),
    ):
        source = open_matte(name, reading)
        assert "30.000 frames a second" in str(source.check_fits(composite, False))
        found = [int(one[0, 0]) for one in itertools.islice(source.read(composite), 12)]
        assert found == [20 + 10 * number for number in expected]
        later = next(source.read(composite, 7))
        assert int(later[0, 0]) == 20 + 10 * expected[7]


def test_what_is_no_picture_is_not_opened(tmp_path: Path) -> None:
    for name, data in (
        ("list.png", b"ffconcat version 1.0\nfile secret.png\n"),
        ("sdp.jpg", b"v=0\nm=video 45004 RTP/AVP 96\n"),
    ):
        (tmp_path / name).write_bytes(data)
        with pytest.raises(InputError, match="no picture in it"):
            probe_pictures(tmp_path / name, "composite")
        with pytest.raises(InputError, match="no picture in it"):
            open_matte(tmp_path / name)
    os.mkfifo(tmp_path / "pipe.png")
    with pytest.raises(InputError, match="is a pipe or a device"):
        probe_pictures(tmp_path / "pipe.png", "composite")


def test_names_that_are_no_text_are_read(tmp_path: Path) -> None:
    data = save(tmp_path / "m.png", INSIDE.astype(np.uint8) * 255).read_bytes()
    odd = tmp_path / os.fsdecode(b"m\xe9.png")
    odd.write_bytes(data)
    assert np.array_equal(first_of(odd)[0] == 255, INSIDE)


@pytest.mark.parametrize("orientation", range(1, 9))
def test_exif_turns_are_those_of_opencv(orientation: int, tmp_path: Path) -> None:
    plain = np.zeros((24, 40, 3), np.uint8)
    plain[2:8, 3:15] = 255
    data = cv2.imencode(".jpg", plain)[1].tobytes()
    tag = b"Exif\0\0II*\0\x08\0\0\0\x01\0\x12\x01\x03\0\x01\0\0\0%c\0\0\0\0\0\0\0" % orientation
    data = data[:2] + b"\xff\xe1" + (len(tag) + 2).to_bytes(2, "big") + tag + data[2:]
    encoded = np.frombuffer(data, np.uint8)
    stored = cv2.imdecode(encoded, cv2.IMREAD_COLOR | cv2.IMREAD_IGNORE_ORIENTATION)
    turn = turn_of(data)
    assert bool(turn) == (orientation > 1)
    assert isinstance(turn, Turn)
    expected = cv2.imdecode(encoded, cv2.IMREAD_COLOR)
    assert stored is not None
    assert expected is not None
    assert np.array_equal(turn.plane(stored), expected)


def test_masks_of_zero_and_one_are_masks_of_bools() -> None:
    kinds, frame = MaskKind(), np.zeros((8, 8, 3), np.uint8)
    ones = np.eye(8, dtype=np.uint8)
    assert np.array_equal(kinds.checked(frame, ones), ones > 0)
    assert kinds.checked(frame, ones * np.uint8(255)).max() == 255
    assert kinds.checked(frame, ones).dtype == np.uint8  # all but faded out
