"""A long run that is killed goes on where it stood, to the same frames."""

from __future__ import annotations

import json
import os
import random
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import av
import numpy as np
import pytest
import torch

from tests.cli.test_cli import error_of
from tests.conftest import decode, moving_scene, packets, write_video
from tests.model.test_vhmae import model
from vhmae import pipeline
from vhmae.cli import main
from vhmae.data.clips import write_mask_bits
from vhmae.model.weights import save_model

KILLS = 50
FRAMES = 90

# A run with short segments, so that a short clip has many of them.
SCRIPT = "import sys; from vhmae import pipeline; pipeline.CHECKPOINT_FRAMES = 10; from vhmae.cli import main; sys.exit(main(sys.argv[1:]))"


@pytest.fixture(scope="module")
def work(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A clip of two shots with sound, its mask, weights that change much, and the result of an unbroken run."""
    folder = tmp_path_factory.mktemp("resume")
    frames, masks = moving_scene(FRAMES, 96, 64)
    frames[50:] = np.roll(frames[50:, :, ::-1] // 3, 20, axis=1)
    masks[:3] = True  # opens on a close-up
    masks[20:24] = False
    write_video(folder / "in.mkv", frames, audio=True)
    write_mask_bits(masks, folder / "m.npz")
    network = model()
    torch.manual_seed(0)
    for layer in (network.head.local, network.head.overall):
        torch.nn.init.normal_(layer.weight, std=0.1)
    save_model(network, folder / "w.safetensors", {})
    assert main([*arguments(folder, folder / "whole.mkv"), "--json", str(folder / "whole.json")]) == 0
    return folder


def arguments(work: Path, out: Path) -> list[str]:
    files = ("harmonize", work / "in.mkv", "--mask", work / "m.npz", "-o", out, "--weights", work / "w.safetensors")
    return [*map(str, files), "--precision", "fp32", "--threads", "1"]


def same_frames(one: Path, other: Path) -> bool:
    pairs = list(zip(decode(one), decode(other), strict=True))
    return all(np.array_equal(a, b) for left, right in pairs for a, b in zip(left, right, strict=True))


def times(path: Path) -> list[float]:
    with av.open(str(path)) as container:
        return [float(frame.time) for frame in container.decode(video=0)]


@pytest.fixture
def short_segments(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pipeline, "CHECKPOINT_FRAMES", 10)


@pytest.mark.usefixtures("short_segments")
def test_an_unbroken_run_in_segments_is_the_plain_run(work: Path, tmp_path: Path) -> None:
    out = tmp_path / "out.mkv"
    assert main([*arguments(work, out), "--resume", "--json", str(tmp_path / "r.json")]) == 0
    assert same_frames(out, work / "whole.mkv")
    assert packets(out, "audio") == packets(work / "whole.mkv", "audio")
    whole, parts = (json.loads(path.read_text()) for path in (work / "whole.json", tmp_path / "r.json"))
    for key in ("frames", "mean_change", "passed_through", "skipped", "warnings"):
        assert parts[key] == whole[key]
    assert [path.name for path in tmp_path.iterdir() if path.name != "r.json"] == ["out.mkv"]


@pytest.mark.usefixtures("short_segments")
@pytest.mark.parametrize("stopped_at", [0, 9, 10, 33, 64, 79, 89])
def test_a_stopped_run_goes_on_to_the_same_frames(stopped_at: int, work: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    out = tmp_path / "out.mkv"
    write = pipeline.SegmentedWriter.write

    def dying(self: pipeline.SegmentedWriter, *args: object) -> None:
        if self.frames == stopped_at:
            raise KeyboardInterrupt
        write(self, *args)  # type: ignore[arg-type]  # handed on as they came

    with monkeypatch.context() as patched:
        patched.setattr(pipeline.SegmentedWriter, "write", dying)
        assert main([*arguments(work, out), "--resume"]) == 130
    assert not out.exists()
    assert main([*arguments(work, out), "--resume", "--json", str(tmp_path / "r.json")]) == 0
    assert same_frames(out, work / "whole.mkv")
    assert times(out) == times(work / "whole.mkv")
    assert packets(out, "audio") == packets(work / "whole.mkv", "audio")
    report = json.loads((tmp_path / "r.json").read_text())
    assert (report["frames"], report["warnings"]) == (FRAMES, json.loads((work / "whole.json").read_text())["warnings"])


def test_fifty_kills_lose_nothing(work: Path, tmp_path: Path) -> None:
    """kill -9 at random moments, run after run, until the clip is done; then from the start again."""
    out = tmp_path / "out.mkv"
    command = [sys.executable, "-c", SCRIPT, *arguments(work, out), "--resume", "-q"]
    dice = random.Random(0)
    kills = 0
    source = tmp_path / ".out.mkv.part"
    deadline = time.monotonic() + 150
    while kills < KILLS and time.monotonic() < deadline:
        # The start-up is forked over once: what is killed is the work.
        process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
        begun = time.monotonic()
        while not source.exists() and not out.exists() and process.poll() is None and time.monotonic() - begun < 60:
            time.sleep(0.01)
        time.sleep(dice.uniform(0.0, 0.4))
        os.kill(process.pid, signal.SIGKILL) if process.poll() is None else None
        _, err = process.communicate()
        assert "Traceback" not in err
        assert process.returncode in (0, -9), err
        kills += process.returncode == -9
        if out.exists():
            assert same_frames(out, work / "whole.mkv")
            out.unlink()
    assert kills >= min(KILLS, 10)
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stderr
    assert same_frames(out, work / "whole.mkv")
    assert not source.exists()


@pytest.mark.usefixtures("short_segments")
def test_a_lossy_run_keeps_count_times_and_sound(work: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    out = tmp_path / "out.mp4"
    run = [*arguments(work, out), "--codec", "libx264", "--preset", "veryfast"]
    assert main(run) == 0
    expected, sound, count = times(out), packets(out, "audio"), len(decode(out))
    out.unlink()
    calls: list[int] = []
    checkpoint = pipeline.SegmentedWriter.checkpoint

    def dying(self: pipeline.SegmentedWriter, *args: object) -> None:
        checkpoint(self, *args)  # type: ignore[arg-type]  # handed on as they came
        calls.append(1)
        if len(calls) == 4:
            raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(pipeline.SegmentedWriter, "checkpoint", dying)
        assert main([*run, "--resume"]) == 130
    assert main([*run, "--resume"]) == 0
    assert len(decode(out)) == count == FRAMES
    assert times(out) == pytest.approx(expected, abs=1e-4)
    assert packets(out, "audio") == sound


@pytest.fixture
def stopped(work: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The parts of a stopped run, three segments of them."""
    monkeypatch.setattr(pipeline, "CHECKPOINT_FRAMES", 10)
    write = pipeline.SegmentedWriter.write

    def dying(self: pipeline.SegmentedWriter, *args: object) -> None:
        if self.frames == 35:
            raise KeyboardInterrupt
        write(self, *args)  # type: ignore[arg-type]  # handed on as they came

    with monkeypatch.context() as patched:
        patched.setattr(pipeline.SegmentedWriter, "write", dying)
        assert main([*arguments(work, tmp_path / "out.mkv"), "--resume"]) == 130
    return tmp_path / ".out.mkv.part"


def cut_short(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-40])


DAMAGES: dict[str, Callable[[Path], None]] = {
    "state lost": lambda parts: (parts / "state.json").unlink(),
    "state cut": lambda parts: cut_short(parts / "state.json"),
    "arrays cut": lambda parts: cut_short(next(parts.glob("state-*.npz"))),
    "arrays lost": lambda parts: next(parts.glob("state-*.npz")).unlink(),
    "segment cut": lambda parts: cut_short(parts / "00001.nut"),
    "segment lost": lambda parts: (parts / "00002.nut").unlink(),
}


@pytest.mark.parametrize("damage", DAMAGES)
def test_a_damaged_state_is_an_error(damage: str, stopped: Path, work: Path, capsys: pytest.CaptureFixture[str]) -> None:
    capsys.readouterr()
    DAMAGES[damage](stopped)
    line = error_of(*arguments(work, stopped.parent / "out.mkv"), "--resume", capsys=capsys)
    assert "--resume" in line
    assert "to begin anew" in line
    shutil.rmtree(stopped)
    assert main([*arguments(work, stopped.parent / "out.mkv"), "--resume"]) == 0
    assert same_frames(stopped.parent / "out.mkv", work / "whole.mkv")


def test_another_job_does_not_go_on_with_it(stopped: Path, work: Path, capsys: pytest.CaptureFixture[str]) -> None:
    capsys.readouterr()
    run = arguments(work, stopped.parent / "out.mkv")
    assert "another strength" in error_of(*run, "--resume", "--strength", "0.5", capsys=capsys)
    assert main([*run, "--resume"]) == 0
