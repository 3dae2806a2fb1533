"""Shells complete what the options' own definitions say."""

from __future__ import annotations

import json
import shutil
import subprocess
from pathlib import Path

import pytest

from vhmae.cli import main


@pytest.fixture(scope="module")
def script(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("completion")
    assert main(["completion", "bash", "--json", str(folder / "report.json")]) == 0
    path = folder / "vhmae.bash"
    path.write_text(json.loads((folder / "report.json").read_text())["script"])
    return path


def completed(script: Path, words: list[str]) -> set[str]:
    """What bash offers for the last of these words."""
    bash = shutil.which("bash")
    assert bash is not None
    asked = f"COMP_WORDS=({' '.join(map(repr, words))}); COMP_CWORD={len(words) - 1}"
    show = 'printf "%s\\n" "${COMPREPLY[@]}"'
    told = subprocess.run(
        [bash, "--norc", "-c", f"source {script}; {asked}; _shtab_vhmae; {show}"],
        cwd=script.parent,
        check=True,
        capture_output=True,
        text=True,
    )
    return {*told.stdout.split()}


@pytest.mark.parametrize(
    ("words", "offered"),
    [
        (["vhmae", "harm"], {"harmonize"}),
        (["vhmae", "rcvh", ""], {"build", "review"}),
        (["vhmae", "matte", "--ke"], {"--key", "--keep-largest"}),
        (["vhmae", "matte", "--with", ""], {"chroma", "rvm", "salient", "plate", "file"}),
        (["vhmae", "study", "create", "--see"], {"--seed"}),
        (["vhmae", "evaluate", "--protocol", ""], {"clean", "co2net", "vtt", "hinet"}),
        (["vhmae", "harmonize", "a.mp4", "--audio", ""], {"copy", "aac", "none"}),
        (["vhmae", "fit-prior", "--data", "vhmae"], {"vhmae.bash"}),
        (["vhmae", "harmonize", "--mask", "vhmae"], {"vhmae.bash"}),
    ],
)
def test_what_bash_offers(script: Path, words: list[str], offered: set[str]) -> None:
    assert completed(script, words) == offered


@pytest.mark.parametrize("shell", ["bash", "zsh", "tcsh"])
def test_each_shell_has_its_script(shell: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["completion", shell]) == 0
    assert "keep-largest" in capsys.readouterr().out


def test_another_shell_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["completion", "fish"]) == 2
    assert "fish: unknown" in capsys.readouterr().err
