"""What is begun beside the work, so that it is ready sooner, never holds up its end."""

from __future__ import annotations

import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.support.scenes import heeding_interrupts, moving_scene, save_bold_weights, write_video
from vhmae.errors import InputError
from vhmae.overlap import begin
from vhmae.work import harmonize as pipeline
from vhmae.work import renderer
from vhmae.work.analysis import Analysis
from vhmae.work.harmonize import harmonize_video

Maker = Callable[..., tuple[Path, Path]]
PATIENCE_SECONDS = 60


@pytest.fixture(scope="module")
def weights(tmp_path_factory: pytest.TempPathFactory) -> str:
    path = tmp_path_factory.mktemp("weights") / "w.safetensors"
    save_bold_weights(path)
    return str(path)


def test_what_is_begun_answers_whoever_asks_and_lets_whoever_gives_up_go(
    gate: threading.Event,
) -> None:
    assert begin(divmod, 7, 2).result(PATIENCE_SECONDS) == (3, 1)
    with pytest.raises(ZeroDivisionError):
        begin(divmod, 7, 0).result(PATIENCE_SECONDS)
    waiting = begin(gate.wait, PATIENCE_SECONDS)
    assert waiting.cancel()
    assert not gate.is_set()


def test_a_process_ends_while_what_was_begun_goes_on() -> None:
    code = "import time; from vhmae.overlap import begin; begin(time.sleep, 3600)"
    subprocess.run([sys.executable, "-c", code], check=True, timeout=120)


def test_a_wrong_mask_is_told_before_the_network_is_open(
    small_clip: Maker, tmp_path: Path, gate: threading.Event, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As one that has to be fetched."""
    composite, _ = small_clip()
    black = write_video(tmp_path / "black.mkv", np.zeros((12, 64, 96, 3), np.uint8))
    opened: list[bool] = []
    monkeypatch.setattr(pipeline, "network_for", lambda _: opened.append(gate.wait(60)))
    with pytest.raises(InputError, match="has no foreground"):
        harmonize_video(composite, tmp_path / "out.mkv", mask=black)
    assert opened == []


@pytest.mark.parametrize("changes", [{"check": True}, {"keep": ("hue",)}, {}])
def test_what_renders_is_compiled_beforehand_where_frames_will_be_rendered_by_it(
    changes: dict[str, Any],
    weights: str,
    small_clip: Maker,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    composite, mask = small_clip()
    bits: list[int] = []
    monkeypatch.setattr(renderer, "load_compiled", bits.append)
    harmonize_video(composite, tmp_path / "out.mkv", mask=mask, weights=weights, **changes)
    assert bits == ([] if changes else [8])


def test_an_interrupt_does_not_wait_for_what_is_being_compiled(
    weights: str,
    tmp_path: Path,
    gate: threading.Event,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    frames, masks = moving_scene(30, 96, 64)
    composite = write_video(tmp_path / "in.mkv", frames)
    mask = write_video(tmp_path / "m.mkv", masks.astype(np.uint8) * 255, pix_fmt="yuv444p")
    compiled: list[bool] = []
    main, harmonized = threading.main_thread().ident, Analysis.harmonized
    assert main is not None

    def interrupting(*given: Any) -> Iterator[Any]:
        for number, ready in enumerate(harmonized(*given)):
            if number == 1:  # a frame waits to be rendered
                signal.pthread_kill(main, signal.SIGINT)
            yield ready

    monkeypatch.setattr(Analysis, "harmonized", interrupting)
    monkeypatch.setattr(renderer, "load_compiled", lambda _: compiled.append(gate.wait(60)))
    with heeding_interrupts(), pytest.raises(KeyboardInterrupt):
        harmonize_video(composite, tmp_path / "out.mkv", mask=mask, weights=weights)
    assert compiled == []
    assert not list(tmp_path.glob("*out*"))
