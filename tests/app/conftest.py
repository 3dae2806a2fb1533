"""An app of a small folder, for all tests of a module."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.app.page import Page, app_of
from tests.support.scenes import moving_scene, save_bold_weights, write_video
from vhmae.app.project import Project
from vhmae.app.site import App
from vhmae.engine.settings import HarmonizerSettings

FRAMES = 30
GUIDE = {"schema": 1, "points": [{"frame": 4, "at": [45.0, 32.0], "is": "target", "to": "#8090a0"}]}


@pytest.fixture(scope="session")
def bold_weights(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save_bold_weights(tmp_path_factory.mktemp("weights") / "bold.safetensors")


def fill(folder: Path) -> Path:
    """A folder as people have them."""
    folder.mkdir(exist_ok=True)
    pictures, masks = moving_scene(FRAMES, 96, 64)
    white = masks.astype(np.uint8) * 255
    write_video(folder / "clip.mkv", pictures, audio=True)
    write_video(folder / "mask.mkv", white, pix_fmt="yuv444p")
    (folder / "sub").mkdir()
    write_video(folder / "sub" / "other.mkv", pictures[:10])
    write_video(folder / "sub" / "matte.mkv", white[:10], pix_fmt="yuv444p")
    (folder / ".hidden").mkdir()
    (folder / ".hidden" / "secret.txt").write_text("not for the page")
    return folder


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return fill(tmp_path_factory.mktemp("clips") / "folder")


@pytest.fixture(scope="module")
def page(folder: Path, bold_weights: Path) -> Iterator[Page]:
    app = app_of(folder, bold_weights)
    try:
        yield Page(app)
    finally:
        app.close()


@pytest.fixture
def stubbed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Page]:
    """An app that opens no clip: files, documents and the queue alone."""

    def begin(self: Project) -> None:
        self.state = "ready"
        self.settled.set()

    monkeypatch.setattr(Project, "begin", begin)
    root = tmp_path / "own"
    root.mkdir()
    for name in ("clip.mp4", "mask.mp4"):
        (root / name).write_bytes(b"x")
    app = App(root, HarmonizerSettings())
    try:
        yield Page(app)
    finally:
        app.close()


def sent(page: Page, name: str) -> str:
    """Send a file; returns its path."""
    upload = page.post("uploads", {"name": name, "bytes": 4}).json()["upload"]
    path: str = page.send("PUT", f"uploads/{upload}?offset=0", content=b"abcd").json()["path"]
    return path


def begun(page: Page, **wanted: object) -> str:
    """Begin to open a clip."""
    wanted = wanted or {"composite": "clip.mp4", "masks": ["mask.mp4"]}
    answer = page.post("projects", wanted)
    assert answer.status_code == 201, answer.text
    number: str = answer.json()["id"]
    return number


@pytest.fixture(scope="module")
def own(tmp_path_factory: pytest.TempPathFactory, bold_weights: Path) -> Iterator[Page]:
    app = app_of(fill(tmp_path_factory.mktemp("renders") / "own"), bold_weights)
    try:
        yield Page(app)
    finally:
        app.close()


@pytest.fixture(scope="module")
def clip(own: Page) -> str:
    """A clip of which something was said."""
    number = own.opened(composite="clip.mkv", masks=["mask.mkv"])
    facts = own.get(f"projects/{number}").json()
    document = {**facts["document"], "guide": GUIDE}
    body = {"revision": facts["revision"], "document": document}
    assert own.send("PUT", f"projects/{number}/document", body).status_code == 200
    return number


def taken(page: Page, number: str, **wanted: Any) -> dict[str, Any]:
    """Have something made, and wait for it."""
    answer = page.post(f"projects/{number}/renders", wanted)
    assert answer.status_code == 202, answer.text
    found = page.rendered(answer.json()["id"])
    assert found["state"] == "done", found["error"]
    return found
