"""Node for the tests of the pages' library: bundles it, and calls its functions."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

FRONTEND = Path(__file__).parents[2] / "frontend"


def bundle(entry: str, out: Path) -> Path:
    """One module of the pages with all that it imports, in one file."""
    run(["node", "build.mjs", "--bundle", entry, str(out)])
    return out


def run(command: list[str]) -> str:
    """Run a command of the pages' own folder."""
    need_node()
    done = subprocess.run(
        command, cwd=FRONTEND, capture_output=True, text=True, check=False, timeout=120
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def need_node() -> None:
    """Skip where Node or what the pages are built with is missing, but not in CI."""
    missing = (
        "Node is not installed (Debian: apt install nodejs npm)"
        if shutil.which("node") is None
        else "frontend/node_modules is missing: run npm ci in frontend"
    )
    if shutil.which("node") is not None and (FRONTEND / "node_modules" / "esbuild").is_dir():
        return
    assert not os.environ.get("CI"), f"{missing}; .ci/run does"
    pytest.skip(missing)


class Library:
    """The library in a process of Node."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self.process = process

    def __call__(self, name: str, *args: Any, prior: Any = None) -> Any:
        """Call a function; arrays go as rows of numbers, a prior first."""
        call: dict[str, Any] = {"call": name, "args": [_plain(one) for one in args]}
        if prior is not None:
            tree = ("covariance", "scales", "weights")
            call["prior"] = {key: getattr(prior, key).tolist() for key in tree}
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        self.process.stdin.write(json.dumps(call) + "\n")
        self.process.stdin.flush()
        line = self.process.stdout.readline()
        assert line, self.process.stderr.read() if self.process.stderr else "no answer"
        return json.loads(line)


@contextlib.contextmanager
def library(folder: Path) -> Iterator[Library]:
    """The library, bundled into a folder."""
    built = bundle("src/index.ts", folder / "library.mjs")
    command = ["node", str(FRONTEND / "tests" / "ask.mjs"), str(built)]
    pipe = subprocess.PIPE
    with subprocess.Popen(command, stdin=pipe, stdout=pipe, stderr=pipe, text=True) as process:
        try:
            yield Library(process)
        finally:
            process.communicate(timeout=20)


def _plain(value: Any) -> Any:
    """Arrays as rows of numbers, whatever their shape."""
    if isinstance(value, np.ndarray):
        return value.ravel().tolist()
    if isinstance(value, dict):
        return {name: _plain(one) for name, one in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(one) for one in value]
    return value
