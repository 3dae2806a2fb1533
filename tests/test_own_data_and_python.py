"""The pages on training on one's own clips and on Python: run as they stand, in a fresh folder."""

from __future__ import annotations

import json
import re
import shlex
import shutil
import sys
from pathlib import Path

import cv2
import numpy as np
import pytest
import yaml

import vhmae
from tests.support.commands import error_of
from tests.support.looks import luts
from tests.support.scenes import moving_scene, write_video
from vhmae import cli
from vhmae.color.cube import write_cube
from vhmae.data.clips import list_stills, read_mask_bits
from vhmae.data.looks import kinds
from vhmae.video.matte import open_matte

DOCS = Path(__file__).parents[1] / "docs"


def blocks(page: str, language: str) -> list[str]:
    """A page's blocks of a language; those without one are commands."""
    text = (DOCS / page).read_text()
    found = re.findall(r"^```(\w*)\n(.*?)^```$", text, flags=re.DOTALL | re.MULTILINE)
    return [block for name, block in found if name == language]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A stranger's folder: what the page says that it holds."""
    folder = tmp_path_factory.mktemp("own")
    (folder / "clips" / "street-masks").mkdir(parents=True)
    frames, masks = moving_scene(6, 96, 72)
    white = masks.astype(np.uint8) * 255
    write_video(folder / "clips" / "park.mp4", frames, codec="libx264")
    write_video(folder / "clips" / "street.mp4", np.roll(frames, 9, 2), codec="libx264")
    write_video(folder / "clips" / "park-mask.mkv", white)
    for number, mask in enumerate(np.roll(white, 9, 2)):
        cv2.imwrite(str(folder / "clips" / "street-masks" / f"{number:03d}.png"), mask)
    cv2.imwrite(str(folder / "clips" / "desk.png"), frames[0])
    cv2.imwrite(str(folder / "clips" / "desk.mask.png"), white[0])
    for name, lut in zip(("warm", "night", "faded", "teal"), luts(4), strict=True):
        write_cube(lut, folder / "clips" / f"{name}.cube")
    for name, block in zip(("mine", "pairs"), blocks("train-your-own.md", "yaml"), strict=True):
        (folder / f"{name}.yaml").write_text(block)
    [pair] = blocks("train-your-own.md", "text")
    pictures = (frames[0], white[0], np.clip(frames[0] * 0.6, 0, 255).astype(np.uint8))
    for name, picture in zip(pair.split(), pictures, strict=True):
        (folder / "data" / name).parent.mkdir(parents=True)
        cv2.imwrite(str(folder / "data" / name), picture)
    (folder / "data" / "pairs.txt").write_text(pair)
    (folder / "gains.py").write_text(blocks("train-your-own.md", "python")[1])
    return folder


def done(line: str) -> int:
    """Run a line of the page, in this process: one of its own would wait seconds for torch."""
    command, *words = shlex.split(line)
    if command == "vhmae":
        try:
            return cli.main(words)
        except SystemExit as left:  # --keys
            return int(left.code or 0)
    if command == "mkdir":
        for word in words[1:]:
            Path(word).mkdir(parents=True)
    else:
        assert command == "cp"
        for word in words[:-1]:
            shutil.copy(word, words[-1])
    return 0


@pytest.mark.timeout(600)
def test_the_pages_run_as_they_stand(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(folder)
    monkeypatch.setattr(sys, "path", [*sys.path, str(folder)])
    lines = [line for block in blocks("train-your-own.md", "") for line in block.splitlines()]
    assert len(lines) >= 12
    for line in lines:
        assert done(line) == 0, f"{line}: {capsys.readouterr().err}"
    _, masks = moving_scene(6, 96, 72)
    assert np.array_equal(read_mask_bits(Path("data/train/park.mask.npz")), masks)
    assert np.array_equal(read_mask_bits(Path("data/train/street.mask.npz")), np.roll(masks, 9, 2))
    assert [still.name for still in list_stills(Path("data/photos"))] == ["desk"]
    exec(blocks("train-your-own.md", "python")[0], {})
    assert len(vhmae.read_list(Path("sepia-set"))) == 2
    kinds.LOOKS.pop("sepia")
    exec(blocks("train-your-own.md", "python")[2], {})
    everything: dict[str, object] = {}
    for block in blocks("python.md", "python"):  # a page is one program
        exec(block, everything)
    assert Path("runs/python/weights.safetensors").exists()


def test_the_page_names_all_that_is_offered() -> None:
    page = (DOCS / "python.md").read_text()
    assert [name for name in vhmae.__all__ if f"`{name}`" not in page] == ["__version__"]
    assert (Path(vhmae.__file__).parent / "py.typed").exists()


def test_masks_that_cannot_be_packed_are_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for name, picture in (("black", np.zeros((8, 8))), ("white", np.full((6, 8), 255))):
        cv2.imwrite(str(tmp_path / f"{name}.png"), picture)
    black, white, out = tmp_path / "black.png", tmp_path / "white.png", tmp_path / "o.mask.npz"
    for masks, target, word in (
        ([black], out, "must be white"),
        ([white, black], out, "at one size"),
        ([white], tmp_path / "o.npz", "NAME.mask.npz"),
        ([white], tmp_path / "gone" / "o.mask.npz", "make it first"),
    ):
        assert word in error_of("pack-mask", *masks, "-o", target, capsys=capsys)
    assert not out.exists()


def test_what_a_mask_tells_is_told_when_it_is_packed(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    labels = np.zeros((8, 8), np.uint8)
    labels[2:4], labels[5:7] = 1, 2
    cv2.imwrite(str(tmp_path / "labels.png"), labels)
    [told] = open_matte(tmp_path / "labels.png").warnings
    report = tmp_path / "r.json"
    run = ["pack-mask", str(tmp_path / "labels.png"), "-o", str(tmp_path / "o.mask.npz")]
    assert cli.main([*run, "--json", str(report)]) == 0
    assert json.loads(report.read_text())["warnings"] == [told]
    assert "all but 0 are taken as foreground, --mask-label" in capsys.readouterr().err
    assert read_mask_bits(tmp_path / "o.mask.npz").sum() == 32
    assert cli.main([*run, "--mask-label", "2"]) == 0
    assert read_mask_bits(tmp_path / "o.mask.npz").sum() == 16


def test_pictures_given_one_by_one_are_one_clip(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """An object may be out of some frames, and what is to be told is told once."""
    for number, objects in enumerate(((1, 2), (1,), (2, 1))):
        labels = np.zeros((8, 8), np.uint8)
        for place, label in enumerate(objects):
            labels[2 * place : 2 * place + 2] = label
        cv2.imwrite(str(tmp_path / f"f{number}.png"), labels)
    files = [str(tmp_path / f"f{number}.png") for number in range(3)]
    out = tmp_path / "o.mask.npz"
    assert cli.main(["pack-mask", *files, "-o", str(out), "--mask-label", "2"]) == 0
    assert read_mask_bits(out).sum(axis=(1, 2)).tolist() == [16, 0, 16]
    assert cli.main(["pack-mask", *files, "-o", str(out)]) == 0
    assert capsys.readouterr().err.count("are taken as foreground") == 1
    error_of("pack-mask", *files, "-o", out, "--mask-label", "3", capsys=capsys)
    for number, top in enumerate((1, 255)):  # each means what it holds
        white = np.zeros((8, 8), np.uint8)
        white[:2] = top
        cv2.imwrite(str(tmp_path / f"f{number}.png"), white)
    assert cli.main(["pack-mask", *files[:2], "-o", str(out)]) == 0
    assert read_mask_bits(out).sum(axis=(1, 2)).tolist() == [16, 16]


def test_cite_names_paper_program_and_weights(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["cite", "--weights", "default"]) == 0
    told = capsys.readouterr().out
    cited = yaml.safe_load((DOCS.parent / "CITATION.cff").read_text())["references"][0]
    authors = [f"{one['family-names']}, {one['given-names']}" for one in cited["authors"]]
    assert len(authors) == 5
    for word in (*authors, cited["doi"], vhmae.__version__, "SHA-256", "research use"):
        assert word in told
