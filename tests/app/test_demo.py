"""The demo of the app: two shots, a strong rendering over the astronaut alone."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.support.commands import error_of
from vhmae.app import site
from vhmae.app.demo import camera_map, make_demo, rendered
from vhmae.cli import main
from vhmae.web import serving
from vhmae.work import demo
from vhmae.work.demo import HEIGHT, WIDTH


def test_the_camera_renders_strongly_and_keeps_black(rng: np.random.Generator) -> None:
    colors = rng.random((1000, 3))
    seen = rendered(colors, camera_map())
    assert seen.min() >= 0.0
    assert seen.max() <= 1.0
    assert 255 * np.sqrt(np.square(seen - colors).mean()) > 20
    np.testing.assert_allclose(rendered(np.zeros((1, 3)), camera_map()), 0.0)


def test_the_clip_is_made_once_and_the_astronaut_alone_is_rendered(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(demo, "SECONDS_A_SHOT", 1)
    monkeypatch.setattr(demo, "FPS", 4)
    path = make_demo(tmp_path / "new" / "demo")
    assert path == tmp_path / "new" / "demo" / "composite.mp4"
    assert (path.parent / "mask.mp4").is_file()
    plain = list(demo._frames())
    from tests.support.turned import frames_of

    frames = frames_of(path)
    assert len(frames) == len(plain) == 8
    assert frames[0].shape == (HEIGHT, WIDTH, 3)
    for number, (frame, (composite, matte)) in enumerate(zip(frames, plain, strict=True)):
        apart = np.abs(frame.astype(int) - composite)
        inside, outside = apart[matte == 255].mean(), apart[matte == 0].mean()
        assert outside < 3
        assert (inside > 20) == (number < 4)
    stamp = path.stat().st_mtime_ns
    assert make_demo(path.parent).stat().st_mtime_ns == stamp


@pytest.mark.parametrize(
    ("words", "folder", "clips"),
    [((), ".", []), (("--demo",), "demo", ["composite.mp4", "mask.mp4"])],
)
def test_without_a_folder_the_current_one_is_opened_or_the_demo_is_made_in_it(
    words: tuple[str, ...],
    folder: str,
    clips: list[str],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(demo, "SECONDS_A_SHOT", 1)
    monkeypatch.setattr(demo, "FPS", 4)
    monkeypatch.setattr(serving, "serve", lambda *_, **__: None)
    opened: list[Path] = []
    application = site.App

    def opening(folder: Path, *more: Any, **named: Any) -> site.App:
        opened.append(folder)
        return application(folder, *more, **named)

    monkeypatch.setattr(site, "App", opening)
    monkeypatch.chdir(tmp_path)
    assert main(["app", *words, "--no-browser", "--port", "0"]) == 0
    assert opened == [Path(folder)]
    assert sorted(path.name for path in Path(folder).glob("*.mp4")) == clips
    assert {path.name for path in tmp_path.iterdir()} <= {"demo", ".vhmae"}


def test_a_folder_that_cannot_be_made_is_told(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "file").write_text("")
    told = error_of("app", tmp_path / "file" / "demo", "--demo", "--port", "0", capsys=capsys)
    assert "cannot be made" in told
