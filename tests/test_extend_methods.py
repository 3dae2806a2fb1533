"""The page on methods of one's own: all of it run as it stands, from a folder of a stranger."""

from __future__ import annotations

import json
import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from tests.support.scenes import moving_scene, save_bold_weights, write_video
from vhmae import cli
from vhmae.data.clips import write_mask_bits

PAGE = Path(__file__).parents[1] / "docs" / "extend-methods.md"


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A stranger's folder: two clips, two trainings, and the page's function in its file."""
    folder = tmp_path_factory.mktemp("stranger")
    (folder / "clips").mkdir()
    for number, name in enumerate(("park", "street")):
        frames, masks = moving_scene(9, 96, 64)
        write_video(
            folder / "clips" / f"{name}.mp4", np.roll(frames, 9 * number, 2), codec="libx264"
        )
        write_mask_bits(np.roll(masks, 9 * number, 2), folder / "clips" / f"{name}.mask.npz")
    for name in "ab":
        (folder / "runs" / name).mkdir(parents=True)
        save_bold_weights(folder / "runs" / name / "weights.safetensors")
    (folder / "gray_world.py").write_text(blocks("python")[0])
    return folder


def blocks(language: str) -> list[str]:
    """The page's blocks of a language; those without one are commands."""
    found = re.findall(r"^```(\w*)\n(.*?)^```$", PAGE.read_text(), flags=re.DOTALL | re.MULTILINE)
    return [text for name, text in found if name == language]


def run(command: list[str], folder: Path) -> str:
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    done = subprocess.run(
        command, cwd=folder, capture_output=True, text=True, check=False, env=environment
    )
    assert done.returncode == 0, f"{shlex.join(command)}: {done.stderr}"
    return done.stdout


@pytest.mark.long
@pytest.mark.timeout(900)  # the network runs six times, on whatever the machine has left
def test_every_command_and_program_of_the_page_runs(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(folder)
    monkeypatch.setattr(sys, "path", [*sys.path])
    commands = [
        line for block in blocks("") for line in block.splitlines() if line.startswith("vhmae ")
    ]
    assert len(commands) >= 10
    for command in commands:  # here, since each process of its own waits seconds for torch
        assert cli.main(shlex.split(command)[1:]) == 0, f"{command}: {capsys.readouterr().err}"
    report = json.loads((folder / "report.json").read_text())
    assert [one["method"] for one in report["reports"]] == ["gray", "ours"]
    expected = {"digests", "settings", "method_facts", "composites_detail"}
    assert expected <= report["reports"][0].keys()
    assert (folder / "sheet.png").exists()
    study = json.loads((folder / "study" / "study.json").read_text())
    assert study["methods"] == ["gray", "mkl"]
    assert "ci95" in run([sys.executable, "-c", blocks("python")[1]], folder)
    alone = ["evaluate", "--data", "set", "--method", "gray_world:gray_world", "--metrics", "fmse"]
    assert "gray_world:gray_world on set" in run([sys.executable, "-m", "vhmae", *alone], folder)
