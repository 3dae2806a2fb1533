"""Footage of all kinds, on its way into a set."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from tests.support.footage import build_few, few
from tests.support.formats import Row, make
from tests.support.scenes import decode
from vhmae.data.clips import write_mask_bits
from vhmae.rcvh.catalogue import _segments
from vhmae.rcvh.manifest import read_manifest


@pytest.mark.parametrize("upright", [False, True])
def test_a_video_that_is_shown_turned_gets_its_matte_turned(
    footage: Path, tmp_path: Path, upright: bool
) -> None:
    masks = make(Row("mp4", "libx264", "yuv420p", rotation=90), tmp_path / "turned.mp4")
    raw = few(footage, tmp_path, {"b.mp4": "raw/take1.mp4"})
    (tmp_path / "turned.mp4").rename(raw / "turned.mp4")
    shown = np.rot90(masks, 1, axes=(1, 2))
    given = shown if upright else masks
    (tmp_path / "m").mkdir()
    write_mask_bits(np.ascontiguousarray(given), tmp_path / "m" / "turned.npz")
    assert (
        build_few(
            raw,
            tmp_path / "m",
            tmp_path / "set",
            "--seconds",
            "0.2:1",
            "--foreground-ratio",
            "0.05:0.8",
        )
        == 0
    )
    first = decode(tmp_path / "set" / "parts" / "mattes" / "turned.000.mkv")[0][0] > 127
    assert first.shape == shown[0].shape
    assert (first == shown[0]).mean() > 0.97


def test_mattes_among_the_footage_are_not_footage(footage: Path, tmp_path: Path) -> None:
    raw = few(
        footage,
        tmp_path,
        {"a.mp4": "raw/take0.mp4", "b.mp4": "raw/take1.mp4", "b.mask.mp4": "raw/take2.mp4"},
    )
    (raw / "mattes").mkdir()
    (raw / "mattes" / "a.npz").write_bytes((footage / "mattes" / "take0.npz").read_bytes())
    (raw / "mattes" / "c.mp4").write_bytes((footage / "raw" / "take3.mp4").read_bytes())
    assert build_few(raw, raw / "mattes", tmp_path / "set") == 0
    assert {line["background"]["raw"] for line in read_manifest(tmp_path / "set")} == {"b.mp4"}


@pytest.mark.parametrize(("separator", "encoding"), [(",", "utf-8"), (";", "utf-16")])
def test_odd_signs_in_a_licence_lose_no_line(
    separator: str, encoding: str, footage: Path, tmp_path: Path
) -> None:
    raw = few(
        footage,
        tmp_path,
        {"a.mp4": "raw/take0.mp4", "b.mp4": "raw/take1.mp4", "a.npz": "mattes/take0.npz"},
    )
    text = "file,source,licence\na.mp4,x,one\u2028two\u0085three\n"
    (raw / "sources.csv").write_bytes(text.replace(",", separator).encode(encoding))
    assert build_few(raw, raw, tmp_path / "set") == 0
    assert {line["foreground"]["licence"] for line in read_manifest(tmp_path / "set")} == {
        "one\u2028two\u0085three"
    }


@pytest.mark.parametrize(
    ("fps", "frames", "seconds", "expected"),
    [
        (25, 1505, (4.0, 4.0), [(100 * part, 100) for part in range(15)]),
        (25, 230, (2.0, 4.0), [(0, 76), (76, 76), (152, 76)]),
        (Fraction(1, 10), 3, (2.0, 4.0), [(0, 1), (1, 1), (2, 1)]),
    ],
)
def test_shots_are_cut_into_parts(
    fps: Fraction,
    frames: int,
    seconds: tuple[float, float],
    expected: list[tuple[int, int]],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(
        "vhmae.rcvh.catalogue.read_upright",
        lambda info, first, count: iter([np.zeros((8, 8, 3), np.uint8)] * count),
    )
    info = SimpleNamespace(files=None, frames=frames, fps=Fraction(fps))
    assert list(_segments(info, seconds)) == expected  # type: ignore[arg-type]


def test_foregrounds_that_are_far_too_small_are_told_soon(
    footage: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    raw = few(
        footage,
        tmp_path,
        {"a.mp4": "raw/take0.mp4", "b.mp4": "raw/take1.mp4", "b.npz": "mattes/take1.npz"},
    )
    (raw / "a.npz").write_bytes((footage / "mattes" / "take0.npz").read_bytes())
    with np.load(raw / "a.npz") as kept:
        shape = tuple(kept["shape"])
    small = np.zeros(shape, bool)
    small[:, 40:50, 40:54] = True
    for name in ("a", "b"):
        write_mask_bits(small, raw / f"{name}.npz")
    assert (
        build_few(raw, raw, tmp_path / "set", "--count", "3148", "--foreground-ratio", "0.5:0.8")
        == 2
    )
    assert "lower it" in capsys.readouterr().err


def test_a_file_that_was_replaced_is_not_passed_off_as_the_old_one(
    footage: Path, tmp_path: Path
) -> None:
    raw = few(
        footage,
        tmp_path,
        {
            "a.mp4": "raw/take0.mp4",
            "b.mp4": "raw/take1.mp4",
            "c.mp4": "raw/take2.mp4",
            "a.npz": "mattes/take0.npz",
        },
    )
    assert build_few(raw, raw, tmp_path / "set") == 0
    (raw / "c.mp4").write_bytes((footage / "raw" / "take3.mp4").read_bytes())
    assert build_few(raw, raw, tmp_path / "set", "--count", "6") == 0
    assert "not the file that was cut before" in (tmp_path / "set" / "refused.jsonl").read_text()
    assert all(line["background"]["raw"] != "c.mp4" for line in read_manifest(tmp_path / "set")[3:])


def test_options_of_another_way_are_refused(
    footage: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert build_few(footage / "raw", footage / "mattes", tmp_path / "set", "--key", "green") == 2
    assert "--key: is for --matte chroma, not for file" in capsys.readouterr().err
