"""The wheel says what it holds, and holds what it needs: the demo runs from it alone."""

from __future__ import annotations

import subprocess
import sys
import tomllib
import zipfile
from email.parser import Parser
from pathlib import Path

import pytest

from tests.support.wheel import build_wheel
from vhmae.version import __version__

ROOT = Path(__file__).parents[1]


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    pytest.importorskip("hatchling")
    return build_wheel(tmp_path_factory.mktemp("wheel"))


def test_the_version_stands_in_one_place(wheel: Path) -> None:
    assert wheel.name == f"vhmae-{__version__}-py3-none-any.whl"
    assert "version" in tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["dynamic"]


def test_the_metadata_names_every_licence(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        names = set(archive.namelist())
        info = f"vhmae-{__version__}.dist-info"
        metadata = Parser().parsestr(archive.read(f"{info}/METADATA").decode())
        notice = archive.read(f"{info}/licenses/NOTICE").decode()
    assert metadata["License-Expression"] == (
        "Apache-2.0 AND CC0-1.0 AND MIT AND LicenseRef-vhmae-weights"
    )
    files = metadata.get_all("License-File")
    assert set(files or ()) == {
        "LICENSE",
        "NOTICE",
        "LICENSES/CC0-1.0.txt",
        "LICENSES/MIT.txt",
        "src/vhmae/assets/LICENSE-WEIGHTS.txt",
    }
    assert {f"{info}/licenses/{file}" for file in files or ()} <= names
    assets = {Path(name).name for name in names if name.startswith("vhmae/assets/")}
    told = notice + (ROOT / "src/vhmae/assets/LICENSE-WEIGHTS.txt").read_text()
    texts = {"MODEL_CARD.md", "MODEL_CARD.free.md", "README.md"}
    texts |= {"LICENSE-WEIGHTS.txt", "LICENSE-APACHE.txt"}
    assert not {name for name in assets - texts if name not in told}


def test_the_package_is_whole_and_nothing_else(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        names = set(archive.namelist())
    assert {name.split("/")[0] for name in names} == {"vhmae", f"vhmae-{__version__}.dist-info"}
    photographs = {"astronaut.png", "rocket.jpg", "chelsea.png", "coffee.png"}
    held = {f"vhmae/assets/demo/photographs/{name}" for name in photographs}
    assert {"vhmae/py.typed", "vhmae/assets/default.safetensors", *held} <= names
    texts = {f"vhmae/app/catalogue/server.{language}.json" for language in ("en", "de")}
    assert {"vhmae/app/unbuilt.html", "vhmae/assets/demo/camera.json", *texts} <= names


def test_the_demo_needs_no_extra() -> None:
    """Photographs are the package's own: what only tests install is not imported."""
    code = (
        "import sys; sys.modules['skimage'] = None\n"
        "from vhmae.work.demo import _frames\n"
        "frame, matte = next(_frames())\n"
        "assert frame.shape == (480, 854, 3) and matte.any() and not matte.all()"
    )
    run = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=False, timeout=120
    )
    assert run.returncode == 0, run.stderr
