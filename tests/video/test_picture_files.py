"""Pictures are read and written as bytes: by names that are no text, and never out of a pipe."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import cv2
import numpy as np
import pytest

import vhmae
from tests.support.networks import changing_model
from tests.support.pictures import read_picture as read_by_opencv
from tests.support.scenes import moving_scene, write_video
from vhmae.data.hyoutube import read_picture, write_jpeg, write_mask
from vhmae.errors import InputError
from vhmae.model.weights import save_model
from vhmae.video.pictures import write_still

FRAMES, MASKS = moving_scene(2, 96, 64)
ODD = os.fsdecode(b"p\xe9\xff")


def test_no_module_hands_a_picture_s_name_to_opencv() -> None:
    """Its readers and writers of files crash on names that are no UTF-8, and wait for pipes."""
    found = [
        path.name
        for path in Path(vhmae.__file__).parent.rglob("*.py")
        if re.search(r"\bcv2\.im(read|write)\b", path.read_text(encoding="utf-8"))
    ]
    assert not found


@pytest.mark.parametrize("folder", ["", ODD], ids=["name", "folder"])
def test_sets_are_read_and_written_by_names_that_are_no_text(tmp_path: Path, folder: str) -> None:
    (tmp_path / folder).mkdir(exist_ok=True)
    picture, mask = (tmp_path / folder / f"{ODD}{kind}" for kind in (".jpg", ".png"))
    write_jpeg(picture, FRAMES[0])
    write_mask(mask, MASKS[0])
    assert np.abs(read_picture(picture).astype(int) - FRAMES[0]).mean() < 1.0
    assert np.array_equal(read_picture(mask, color=False), MASKS[0] * 255)


def test_pictures_of_a_set_are_those_of_opencv(tmp_path: Path) -> None:
    deep = FRAMES[0][..., ::-1].astype(np.uint16) * 257
    for name, stored in {"deep.png": deep, "grey.png": deep[..., 1], "p.jpg": FRAMES[0]}.items():
        path = tmp_path / name
        assert cv2.imwrite(str(path), stored)
        assert np.array_equal(read_picture(path)[..., ::-1], read_by_opencv(path))
        grey = read_by_opencv(path, cv2.IMREAD_GRAYSCALE)
        assert np.array_equal(read_picture(path, color=False), grey)


def test_a_pipe_is_no_picture_of_a_set(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.png")
    with pytest.raises(InputError, match="is a pipe or a device"):
        read_picture(tmp_path / "pipe.png")


def test_a_still_that_cannot_be_written_is_told_by_its_own_name(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"s\.xyz: cannot be written as a picture") as told:
        write_still(tmp_path / "s.xyz", FRAMES[0])
    assert ".part-" not in str(told.value)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("command", ["preview", "alternatives", "harmonize"])
def test_commands_write_stills_by_names_that_are_no_text(tmp_path: Path, command: str) -> None:
    save_model(changing_model(), tmp_path / "w.safetensors", {})
    (tmp_path / ODD).mkdir()
    out = tmp_path / ODD / f"{ODD}.png"
    mask = tmp_path / f"m{ODD}.png"
    write_mask(mask, MASKS[0])
    if command == "harmonize":
        source = tmp_path / f"{ODD}.png"
        write_still(source, FRAMES[0])
    else:
        source = write_video(tmp_path / "in.mkv", FRAMES)
    files = [str(source), "--mask", str(mask), "-o", str(out)]
    files += ["--weights", str(tmp_path / "w.safetensors"), "--precision", "fp32"]
    # A process of its own: what fails here dies of a signal.
    run = subprocess.run(
        [sys.executable, "-m", "vhmae", command, *files],
        capture_output=True,
        timeout=120,
        check=False,
    )
    assert (run.returncode, out.is_file()) == (0, True), run.stderr
    assert not [path for path in out.parent.iterdir() if ".part" in path.name]
