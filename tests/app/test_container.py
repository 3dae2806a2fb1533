"""The container file says what can be said: it is not built here, where there is no engine for
images, so each of its lines is held against what it rests on."""

from __future__ import annotations

import json
import os
import re
import shlex
import shutil
import subprocess
import sys
import tomllib
import zipfile
from pathlib import Path

import pytest

from tests.app.page import app_of
from vhmae.cli import build_parser

ROOT = Path(__file__).parents[2]
FILE = ROOT / "Containerfile"
KNOWN = {
    *("FROM", "RUN", "COPY", "USER", "ENV", "VOLUME", "EXPOSE", "STOPSIGNAL"),
    *("HEALTHCHECK", "ENTRYPOINT", "CMD"),
}


def instructions() -> list[tuple[str, str]]:
    """Its lines, those that go on put together: (instruction, arguments)."""
    text = re.sub(r"\\\n\s*", " ", FILE.read_text())
    lines = [line for line in text.splitlines() if line.strip() and not line.startswith("#")]
    found = [line.partition(" ") for line in lines]
    return [(name, rest.strip()) for name, _, rest in found]


def arguments_of(name: str) -> str:
    [found] = [rest for known, rest in instructions() if known == name]
    return found


def test_its_lines_are_instructions() -> None:
    names = [name for name, _ in instructions()]
    assert set(names) <= KNOWN
    assert names[0] == "FROM"
    assert names.index("USER") > max(at for at, name in enumerate(names) if name == "RUN")
    for name, rest in instructions():
        if name == "RUN":
            checked = subprocess.run(["sh", "-n", "-c", rest], capture_output=True, text=True)
            assert checked.returncode == 0, checked.stderr
        elif name in ("ENTRYPOINT", "CMD"):
            assert all(isinstance(word, str) for word in json.loads(rest))
        elif name == "ENV":
            assert all(re.fullmatch(r"[A-Z_]+=\S+", word) for word in shlex.split(rest))
    assert arguments_of("STOPSIGNAL") == "SIGINT"  # what the app ends well by


def test_what_it_serves_is_a_command(capsys: pytest.CaptureFixture[str]) -> None:
    program, *words = json.loads(arguments_of("ENTRYPOINT"))
    given = build_parser().parse_args([*words, *json.loads(arguments_of("CMD"))])
    assert program == "vhmae"
    assert given.remote is True
    assert str(given.folder) == arguments_of("VOLUME")
    assert str(given.port) == arguments_of("EXPOSE")
    assert given.upload_limit < 2048  # MB: less than the usual of other machines
    assert 0 < given.rate < 6000


def test_whether_it_is_well_is_asked_where_it_answers(folder: Path, bold_weights: Path) -> None:
    command = arguments_of("HEALTHCHECK").removeprefix("CMD ")
    python, flag, code = json.loads(command)
    assert (python, flag) == ("python", "-c")
    compile(code, "HEALTHCHECK", "exec")
    [(port, path)] = re.findall(r"http://127\.0\.0\.1:(\d+)(/\w+)", code)
    assert port == arguments_of("EXPOSE")
    app = app_of(folder, bold_weights, remote=True)
    try:
        routes = {getattr(route, "path", "") for route in app.application.routes}
        assert path in routes
    finally:
        app.close()


def test_what_it_copies_makes_the_package(tmp_path: Path) -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    source = tmp_path / "source"
    for name, rest in instructions():
        if name != "COPY":
            continue
        *files, target = shlex.split(rest)
        into = tmp_path / target.lstrip("/")
        for file in files:
            if (ROOT / file).is_dir():
                shutil.copytree(ROOT / file, into, ignore=shutil.ignore_patterns("__pycache__"))
            else:
                into.mkdir(parents=True, exist_ok=True)
                shutil.copy(ROOT / file, into)
    [install] = [rest for name, rest in instructions() if name == "RUN" and "pip install" in rest]
    words = shlex.split(install.partition("&&")[0])
    assert words[:2] == ["pip", "install"]
    constraints = words[words.index("--constraint") + 1]
    assert (tmp_path / constraints.lstrip("/")).is_file()
    place, extras = re.fullmatch(r"(/\w+)\[(.*)\]", words[-1]).groups()  # type: ignore[union-attr]
    assert tmp_path / place.lstrip("/") == source
    assert set(extras.split(",")) <= project["project"]["optional-dependencies"].keys()
    # pip knows its own flags; and what was copied is all that the package is built from.
    flags = [word for word in words[2:-1] if word.startswith("--") and word != "--constraint"]
    pip = [sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "--no-build-isolation"]
    made = subprocess.run(
        [*pip, *flags, "--wheel-dir", str(tmp_path / "wheels"), str(source)],
        capture_output=True,
        text=True,
        env={**os.environ, "PIP_DISABLE_PIP_VERSION_CHECK": "1"},
    )
    assert made.returncode == 0, made.stderr
    [wheel] = (tmp_path / "wheels").glob("*.whl")
    with zipfile.ZipFile(wheel) as archive:
        names = set(archive.namelist())
    assert {"vhmae/app/static/index.html", "vhmae/app/static/assets/events.js"} <= names
    assert {"vhmae/app/catalogue/server.de.json", "vhmae/assets/demo/camera.json"} <= names


def test_it_writes_where_it_may() -> None:
    for word in shlex.split(arguments_of("ENV")):
        name, _, value = word.partition("=")
        assert value.startswith("/tmp/") or name == "PYTHONUNBUFFERED", word
