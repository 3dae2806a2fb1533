"""What CI installs is what constraints.txt says, by digest; what is fetched is checked, too."""

from __future__ import annotations

import importlib.util
import re
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
LOCK = ROOT / "requirements.lock"


def same(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


def pins(path: Path) -> dict[str, str]:
    found = re.findall(r"^([\w.-]+)(?:\[[\w,]+\])?==([^\s;\\]+)", path.read_text(), re.MULTILINE)
    return {same(name): version.partition("+")[0] for name, version in found}


def test_every_package_of_the_lock_has_a_digest() -> None:
    entries = re.split(r"\n(?=\w)", LOCK.read_text().split("\n", 2)[2])
    assert len(entries) == len(pins(LOCK))
    for entry in entries:
        assert re.search(r"--hash=sha256:[0-9a-f]{64}", entry), entry.splitlines()[0]


def test_the_lock_has_the_versions_of_the_constraints() -> None:
    locked, constrained = pins(LOCK), pins(ROOT / "constraints.txt")
    assert {n: v for n, v in locked.items() if constrained.get(n, v) != v} == {}


def test_all_that_the_package_requires_is_locked() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    lists = [project["dependencies"], *project["optional-dependencies"].values()]
    names = {same(re.split(r"[^\w.-]", line, maxsplit=1)[0]) for one in lists for line in one}
    names.remove("vhmae")  # an extra that takes in others
    assert names <= pins(LOCK).keys()


def test_a_fetched_network_that_is_another_file_is_refused(tmp_path: Path) -> None:
    spec = importlib.util.spec_from_file_location("fetch_isnet", ROOT / "tools" / "fetch_isnet.py")
    assert spec is not None
    assert spec.loader is not None
    tool = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(tool)
    (tmp_path / "isnet.onnx").write_bytes(b"another network")
    with pytest.raises(SystemExit, match=r"SHA-256 is .* remove it and fetch it again"):
        tool.check(tmp_path / "isnet.onnx")
