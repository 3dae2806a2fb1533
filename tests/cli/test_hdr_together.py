"""HDR and OpenEXR's own words beside other options: who moves, and spaces that are named."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import OpenEXR
import pytest

from tests.support.hdr import (
    FRAMES,
    light_in,
    lit_scene,
    planes_in,
    read_exr,
    run,
    shown,
    tags_of,
)
from vhmae.color.spaces import find_space

AP1 = (0.713, 0.293, 0.165, 0.830, 0.128, 0.044, 0.32168, 0.33767)


@pytest.mark.parametrize(("curve", "tag"), [("PQ", 16), ("HLG", 18)])
@pytest.mark.parametrize("move", ["background", "both"])
def test_the_background_of_hdr_moves_as_that_of_openexr(
    move: str, curve: str, tag: int, hdr_work: Path, tmp_path: Path
) -> None:
    out = tmp_path / "out.mkv"
    report = run(hdr_work, f"{curve}.mkv", out, "--move", move)
    assert len(report["warnings"]) == 1  # what is asked for is given up
    assert report["output_space"] == f"{curve} BT.2020"
    assert tags_of(out) == (tag, 9, 9)
    _, masks = lit_scene()
    before, after = planes_in(hdr_work / f"{curve}.mkv"), planes_in(out)
    for old, new, mask in zip(before, after, masks, strict=True):
        still = all(np.array_equal(a[mask], b[mask]) for a, b in zip(old, new, strict=True))
        assert still == (move == "background")
        assert (old[0] != new[0])[~mask].mean() > 0.5
    run(hdr_work, "light.%04d.exr", tmp_path / "e.%04d.exr", "--move", move)
    found, was = light_in(out), light_in(hdr_work / f"{curve}.mkv")
    for number, mask in enumerate(masks, 1):
        expected = read_exr(tmp_path / f"e.{number:04d}.exr")
        light = read_exr(hdr_work / f"light.{number:04d}.exr")
        assert np.abs(shown(expected) - shown(light))[~mask].mean() > 2.0
        off = shown(found[number - 1]) - shown(expected)
        # Codes of 10 bit, of the source and of the result, are off by half a code at the most: a
        # level in the mean of what is shown.
        assert np.abs(off[~mask]).mean() < 1.0
        lamp = light[:4, :4], expected[:4, :4]  # of 5, in the background: a highlight
        ratio = lamp[1] / lamp[0]
        own = found[number - 1][:4, :4] / was[number - 1][:4, :4]
        assert np.abs(own - ratio).max() < 0.02  # the roundings of test_hdr.py's highlights


def write_of(path: Path, light: np.ndarray, chromaticities: tuple[float, ...] | None) -> None:
    planes = {name: light[..., at].astype(np.float32) for at, name in enumerate("RGB")}
    header = {"compression": OpenEXR.ZIP_COMPRESSION, "type": OpenEXR.scanlineimage}
    if chromaticities is not None:
        header["chromaticities"] = chromaticities
    OpenEXR.File(header, planes).write(str(path))


@pytest.fixture(scope="module")
def said(hdr_work: Path) -> Path:
    """The scene in ACEScg, whose files say AP1."""
    for number, light in enumerate(lit_scene()[0], 1):
        cg = find_space("ACEScg").from_light(np.moveaxis(light, -1, 0).astype(np.float32))
        write_of(hdr_work / f"said.{number:04d}.exr", np.moveaxis(cg, 0, -1), AP1)
    return hdr_work


def test_a_space_that_says_what_the_file_says_changes_nothing(said: Path, tmp_path: Path) -> None:
    alone = run(said, "said.%04d.exr", tmp_path / "a.%04d.exr")
    named = run(said, "said.%04d.exr", tmp_path / "b.%04d.exr", "--input-space", "ACEScg")
    assert (alone["warnings"], named["warnings"]) == ([], [])
    one, two = (read_exr(tmp_path / f"{name}.0001.exr") for name in "ab")
    before = read_exr(said / "said.0001.exr")
    assert np.abs(one - before).max() > 0.01
    # Two ways to the same matrix, and 16-bit codes between.
    assert np.abs(one - two).max() <= 2e-3 * one.max()
    told = OpenEXR.File(str(tmp_path / "b.0001.exr"), header_only=True).header()
    assert told["chromaticities"] == pytest.approx(AP1, abs=1e-6)


def test_a_space_that_is_named_overrules_the_file_and_it_is_said(
    said: Path, tmp_path: Path
) -> None:
    report = run(said, "said.%04d.exr", tmp_path / "c.%04d.exr", "--input-space", "ACES2065-1")
    (warning,) = report["warnings"]
    assert "says chromaticities that are not those of ACES2065-1" in warning
    assert report["input_space"] == "ACES2065-1"
    for number in range(1, FRAMES + 1):  # as if the file said nothing
        values = read_exr(said / f"said.{number:04d}.exr")
        write_of(said / f"bare.{number:04d}.exr", values, None)
    bare = run(said, "bare.%04d.exr", tmp_path / "d.%04d.exr", "--input-space", "ACES2065-1")
    assert bare["warnings"] == []
    assert np.array_equal(read_exr(tmp_path / "c.0001.exr"), read_exr(tmp_path / "d.0001.exr"))
