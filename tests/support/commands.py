"""Commands run in this process."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest

from vhmae import cli
from vhmae.cli import main


@dataclasses.dataclass(frozen=True)
class Ran:
    """What a command left behind."""

    returncode: int
    stdout: str
    stderr: str


def vhmae(*arguments: str | Path, capsys: pytest.CaptureFixture[str]) -> Ran:
    """Run in this process: what is to be said of the command, and not of a process of its own."""
    capsys.readouterr()
    code = cli.main([str(argument) for argument in arguments])
    return Ran(code, *capsys.readouterr())


def error_of(*arguments: str | Path, capsys: pytest.CaptureFixture[str]) -> str:
    """Run in this process; check the form of a user's error and return its line."""
    assert cli.main([str(argument) for argument in arguments]) == 2
    err = capsys.readouterr().err
    assert len(err) <= 400
    assert err.count("\n") <= 4
    last = err.strip().splitlines()[-1]
    assert last.startswith("vhmae: error: ")
    assert "Traceback" not in err
    assert "usage:" not in err
    return last


def harmonize(*arguments: object) -> None:
    assert main(["harmonize", *map(str, arguments), "-q"]) == 0
