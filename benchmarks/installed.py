"""What the package and all that it requires take: on the disk here, and by the wheels of PyPI."""

from __future__ import annotations

import importlib.metadata
import io
import json
import re
import subprocess
import sys
import tomllib
import urllib.request
import zipfile
from collections.abc import Callable, Iterable
from pathlib import Path

import vhmae

PACKAGE = Path(vhmae.__file__).parent
NUMBA = ("numba", "llvmlite")
RUNTIME = "onnxruntime"


def installed_mib() -> dict[str, float]:
    """MiB on the disk here: with ONNX Runtime; the same without numba; and as it was when torch,
    here its CPU build, stood in the place of ONNX Runtime."""
    needed = required()
    found = {
        "onnx": closure(needed),
        "onnx_without_numba": closure(needed, without=NUMBA),
        "torch": closure([*needed, "torch"], without=(RUNTIME,)),
    }
    own = sum(
        path.stat().st_size
        for path in PACKAGE.rglob("*")
        if path.is_file() and path.suffix != ".pyc"
    )
    return {way: (own + sum(map(_size, names))) / 2**20 for way, names in found.items()}


def required() -> list[str]:
    """What the package requires at the least, as this tree says it."""
    with (PACKAGE.parents[1] / "pyproject.toml").open("rb") as file:
        lines: list[str] = tomllib.load(file)["project"]["dependencies"]
    return lines


def closure(lines: Iterable[str], without: tuple[str, ...] = ()) -> set[str]:
    """Names of installed distributions that requirements come to; those of ``without`` are left
    out, and what nothing else requires."""
    found: set[tuple[str, str]] = set()

    def add(line: str, extra: str) -> None:
        wanted, _, marker = line.partition(";")
        asked = re.search(r"extra\s*==\s*['\"]([\w-]+)", marker)
        told = re.match(r"\s*([\w.-]+)(?:\[([\w-]+)\])?", wanted)
        if told is None or (asked is not None and asked[1] != extra):
            return
        key = re.sub(r"[-_.]+", "-", told[1]).lower(), told[2] or ""
        if key in found or key[0] in without:
            return
        try:
            more = importlib.metadata.requires(told[1]) or []
        except importlib.metadata.PackageNotFoundError:  # for other platforms
            return
        found.add(key)
        for one in more:
            add(one, key[1])

    for line in lines:
        add(line, "")
    return {name for name, _ in found}


def _size(name: str) -> int:
    files = importlib.metadata.files(name) or []
    paths = (Path(str(file.locate())) for file in files if file.suffix != ".pyc")
    return sum(path.stat().st_size for path in paths if path.is_file())


def wheels() -> dict[str, dict[str, float]]:
    """What pip would fetch from PyPI beside our own wheel, torch as PyPI has it, and what that is
    unpacked: by the directories at the ends of the wheels, of which nothing else is fetched."""
    needed = required()
    return {
        "onnx": _told(needed),
        "onnx_without_numba": _told(_without(needed, *NUMBA)),
        "torch": _told(["torch", *_without(needed, RUNTIME)]),
    }


def _without(lines: Iterable[str], *names: str) -> list[str]:
    return [line for line in lines if not line.startswith(names)]


def _told(requirements: Iterable[str]) -> dict[str, float]:
    command = [sys.executable, "-m", "pip", "install", "--quiet", "--dry-run", "--report", "-"]
    command += ["--ignore-installed", "--isolated", "--only-binary", ":all:"]
    command += ["--index-url", "https://pypi.org/simple"]
    told = subprocess.run([*command, *requirements], capture_output=True, text=True, check=True)
    wheels = [Remote(one["download_info"]["url"]) for one in json.loads(told.stdout)["install"]]
    unpacked = 0
    for wheel in wheels:
        with zipfile.ZipFile(io.BufferedReader(wheel, 1 << 20)) as archive:
            unpacked += sum(file.file_size for file in archive.infolist())
    return {
        "fetched_mb": sum(wheel.size for wheel in wheels) / 1e6,
        "unpacked_mib": unpacked / 2**20,
    }


class Remote(io.RawIOBase):
    """A file of a server that gives any part of it."""

    def __init__(self, address: str) -> None:
        self._address = address
        request = urllib.request.Request(address, method="HEAD")
        with urllib.request.urlopen(request, timeout=60) as answer:
            self.size = int(answer.headers["Content-Length"])
        self._at = 0

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        begins: dict[int, Callable[[], int]] = {
            io.SEEK_SET: lambda: 0,
            io.SEEK_CUR: lambda: self._at,
            io.SEEK_END: lambda: self.size,
        }
        self._at = begins[whence]() + offset
        return self._at

    def readinto(self, buffer: memoryview) -> int:  # type: ignore[override]  # what it is given
        last = min(self._at + len(buffer), self.size) - 1
        if last < self._at:
            return 0
        part = {"Range": f"bytes={self._at}-{last}"}
        request = urllib.request.Request(self._address, headers=part)
        with urllib.request.urlopen(request, timeout=60) as answer:
            if answer.status != 206:
                raise OSError(f"{self._address}: is given as a whole alone")
            found = answer.read()
        buffer[: len(found)] = found
        self._at += len(found)
        return len(found)
