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

from tests.support.commands import error_of
from tests.support.runs import same_frames, stop_at
from tests.support.scenes import decode, moving_scene, packets, save_bold_weights, write_video
from vhmae.cli import main
from vhmae.data.clips import write_mask_bits
from vhmae.engine import backends
from vhmae.video.segments import SegmentedWriter
from vhmae.work import renderer

KILLS = (10, pytest.param(50, marks=pytest.mark.long))
FRAMES = 90

# A run with short segments, so that a short clip has many of them.
SCRIPT = (
    "import sys; import vhmae.work.renderer as r; r.CHECKPOINT_FRAMES = 10; from vhmae.cli import "
    "main; sys.exit(main(sys.argv[1:]))"
)


@pytest.fixture(scope="module")
def work(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A clip of two shots with sound, its mask, weights that change much, and the result of an
    unbroken run."""
    folder = tmp_path_factory.mktemp("resume")
    frames, masks = moving_scene(FRAMES, 96, 64)
    frames[50:] = np.roll(frames[50:, :, ::-1] // 3, 20, axis=1)
    masks[:3] = True  # opens on a close-up
    masks[20:24] = False
    write_video(folder / "in.mkv", frames, audio=True)
    write_mask_bits(masks, folder / "m.npz")
    save_bold_weights(folder / "w.safetensors")
    assert (
        main([*arguments(folder, folder / "whole.mkv"), "--json", str(folder / "whole.json")]) == 0
    )
    return folder


def arguments(work: Path, out: Path) -> list[str]:
    files = (
        "harmonize",
        work / "in.mkv",
        "--mask",
        work / "m.npz",
        "-o",
        out,
        "--weights",
        work / "w.safetensors",
    )
    return [*map(str, files), "--precision", "fp32", "--threads", "1"]


def times(path: Path) -> list[float]:
    with av.open(str(path)) as container:
        return [float(frame.time) for frame in container.decode(video=0)]


@pytest.fixture
def short_segments(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(renderer, "CHECKPOINT_FRAMES", 10)


@pytest.mark.usefixtures("short_segments")
def test_an_unbroken_run_in_segments_is_the_plain_run(work: Path, tmp_path: Path) -> None:
    out = tmp_path / "out.mkv"
    assert main([*arguments(work, out), "--resume", "--json", str(tmp_path / "r.json")]) == 0
    assert same_frames(out, work / "whole.mkv")
    assert packets(out, "audio") == packets(work / "whole.mkv", "audio")
    whole, parts = (
        json.loads(path.read_text()) for path in (work / "whole.json", tmp_path / "r.json")
    )
    for key in ("frames", "mean_change", "passed_through", "skipped", "warnings"):
        assert parts[key] == whole[key]
    assert [path.name for path in tmp_path.iterdir() if path.name != "r.json"] == ["out.mkv"]


@pytest.mark.usefixtures("short_segments")
@pytest.mark.parametrize("stopped_at", [0, 9, 10, 33, 64, 79, 89])
def test_a_stopped_run_goes_on_to_the_same_frames(
    stopped_at: int, work: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    out = tmp_path / "out.mkv"
    stop_at(stopped_at, [*arguments(work, out), "--resume"], monkeypatch)
    assert not out.exists()
    assert main([*arguments(work, out), "--resume", "--json", str(tmp_path / "r.json")]) == 0
    assert same_frames(out, work / "whole.mkv")
    assert times(out) == times(work / "whole.mkv")
    assert packets(out, "audio") == packets(work / "whole.mkv", "audio")
    report = json.loads((tmp_path / "r.json").read_text())
    assert (report["frames"], report["warnings"]) == (
        FRAMES,
        json.loads((work / "whole.json").read_text())["warnings"],
    )


@pytest.mark.long
@pytest.mark.usefixtures("short_segments")
def test_best_with_several_renderers_goes_on_to_the_same_frames(
    work: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(renderer, "RENDERERS", 4)
    options = ["--quality", "best", "--threads", "2"]
    whole, out = tmp_path / "whole.mkv", tmp_path / "out.mkv"
    assert main([*arguments(work, whole), *options, "--json", str(tmp_path / "whole.json")]) == 0
    stop_at(33, [*arguments(work, out), *options, "--resume"], monkeypatch)
    assert (
        main([*arguments(work, out), *options, "--resume", "--json", str(tmp_path / "r.json")]) == 0
    )
    assert same_frames(out, whole)
    reports = [json.loads((tmp_path / name).read_text()) for name in ("whole.json", "r.json")]
    assert reports[0]["mean_change"] == reports[1]["mean_change"]


@pytest.mark.timeout(900)  # as many starts as kills, one after the other
@pytest.mark.parametrize("wanted", KILLS)
def test_kills_lose_nothing(wanted: int, work: Path, tmp_path: Path) -> None:
    """kill -9 at random moments, run after run, until the clip is done; then from the start
    again."""
    out = tmp_path / "out.mkv"
    command = [sys.executable, "-c", SCRIPT, *arguments(work, out), "--resume", "-q"]
    dice = random.Random(0)
    kills = 0
    source = tmp_path / ".out.mkv.part"
    deadline = time.monotonic() + 600
    while kills < wanted and time.monotonic() < deadline:
        # The start-up is forked over once: what is killed is the work.
        process = subprocess.Popen(
            command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True
        )
        begun = time.monotonic()
        while (
            not source.exists()
            and not out.exists()
            and process.poll() is None
            and time.monotonic() - begun < 60
        ):
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
    assert kills >= min(wanted, 10)
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stderr
    assert same_frames(out, work / "whole.mkv")
    assert not source.exists()


@pytest.mark.usefixtures("short_segments")
def test_a_lossy_run_keeps_count_times_and_sound(
    work: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    out = tmp_path / "out.mp4"
    run = [*arguments(work, out), "--codec", "libx264", "--preset", "veryfast"]
    assert main(run) == 0
    expected, sound, count = times(out), packets(out, "audio"), len(decode(out))
    out.unlink()
    calls: list[int] = []
    checkpoint = SegmentedWriter.checkpoint

    def dying(self: SegmentedWriter, *args: object) -> None:
        checkpoint(self, *args)  # type: ignore[arg-type]  # handed on as they came
        calls.append(1)
        if len(calls) == 4:
            raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(SegmentedWriter, "checkpoint", dying)
        assert main([*run, "--resume"]) == 130
    assert main([*run, "--resume"]) == 0
    assert len(decode(out)) == count == FRAMES
    assert times(out) == pytest.approx(expected, abs=1e-4)
    assert packets(out, "audio") == sound


@pytest.fixture
def stopped(work: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The parts of a stopped run, three segments of them."""
    monkeypatch.setattr(renderer, "CHECKPOINT_FRAMES", 10)
    stop_at(35, [*arguments(work, tmp_path / "out.mkv"), "--resume"], monkeypatch)
    return tmp_path / ".out.mkv.part"


def cut_short(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-40])


DAMAGES: dict[str, Callable[[Path], None]] = {
    "state lost": lambda parts: (parts / "state.json").unlink(),
    "state cut": lambda parts: cut_short(parts / "state.json"),
    "arrays cut": lambda parts: cut_short(next(parts.glob("state-*.npz"))),
    "arrays lost": lambda parts: next(parts.glob("state-*.npz")).unlink(),
    "segment cut": lambda parts: cut_short(parts / "00001.packets"),
    "segment lost": lambda parts: (parts / "00002.packets").unlink(),
}


@pytest.mark.parametrize("damage", DAMAGES)
def test_a_damaged_state_is_an_error(
    damage: str, stopped: Path, work: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    capsys.readouterr()
    DAMAGES[damage](stopped)
    line = error_of(*arguments(work, stopped.parent / "out.mkv"), "--resume", capsys=capsys)
    assert "--resume" in line
    assert "to begin anew" in line
    shutil.rmtree(stopped)
    assert main([*arguments(work, stopped.parent / "out.mkv"), "--resume"]) == 0
    assert same_frames(stopped.parent / "out.mkv", work / "whole.mkv")


def test_another_job_does_not_go_on_with_it(
    stopped: Path, work: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    capsys.readouterr()
    run = arguments(work, stopped.parent / "out.mkv")
    assert "another strength" in error_of(*run, "--resume", "--strength", "0.5", capsys=capsys)
    assert main([*run, "--resume"]) == 0


def open_gops(path: Path, frames: np.ndarray) -> Path:
    """x264 whose key frames are followed by pictures that need those before them."""
    with av.open(str(path), "w") as container:
        stream = container.add_stream(
            "libx264",
            rate=25,
            options={"x264-params": "open-gop=1:keyint=10:min-keyint=10:bframes=3:scenecut=0"},
        )
        stream.width, stream.height, stream.pix_fmt = frames.shape[2], frames.shape[1], "yuv420p"
        for frame in frames:
            container.mux(stream.encode(av.VideoFrame.from_ndarray(frame)))
        container.mux(stream.encode(None))
    return path


@pytest.mark.parametrize("suffix", [".mp4", ".mkv"])
def test_reading_from_any_frame_loses_none(suffix: str, tmp_path: Path) -> None:
    from vhmae.video.probe import probe_video
    from vhmae.video.reader import read_frames

    frames, _ = moving_scene(45, 96, 64)
    info = probe_video(open_gops(tmp_path / f"open{suffix}", frames))
    whole = [frame.image.planes[0].copy() for frame in read_frames(info)]
    for first in range(45):
        found = [
            (frame.index, frame.image.planes[0].copy()) for frame in read_frames(info, first=first)
        ]
        assert [index for index, _ in found] == list(range(first, 45))
        assert all(np.array_equal(luma, whole[index]) for index, luma in found)


@pytest.mark.usefixtures("short_segments")
def test_a_run_in_half_precision_goes_on_to_the_same_frames(
    work: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    half = ["--precision", "bf16", "--end", "1.6"]
    assert main([*arguments(work, tmp_path / "whole.mkv"), *half]) == 0
    out = tmp_path / "out.mkv"
    stop_at(33, [*arguments(work, out), *half, "--resume"], monkeypatch)
    assert main([*arguments(work, out), *half, "--resume"]) == 0
    assert same_frames(out, tmp_path / "whole.mkv")


@pytest.mark.usefixtures("short_segments")
@pytest.mark.parametrize("backend", ["torch", "onnx"])
def test_a_stopped_run_goes_on_by_the_backend_that_it_began_with(
    backend: str, work: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = ["harmonize", str(work / "in.mkv"), "--mask", str(work / "m.npz"), "--end", "1.6"]
    out, report = tmp_path / "out.mkv", tmp_path / "r.json"
    assert main([*run, "-o", str(tmp_path / "whole.mkv"), "--backend", backend]) == 0
    run += ["-o", str(out), "--resume"]
    stop_at(33, [*run, "--backend", backend], monkeypatch)
    # What the machine would take by itself has changed in between.
    monkeypatch.setattr(
        backends, "_fitting", lambda *_: {"torch": "onnx", "onnx": "torch"}[backend]
    )
    assert main([*run, "--json", str(report)]) == 0
    assert json.loads(report.read_text())["backend"] == backend
    assert same_frames(out, tmp_path / "whole.mkv")


@pytest.mark.usefixtures("short_segments")
@pytest.mark.parametrize("told", [1, 2], ids=["limited", "full"])
def test_color_tags_and_names_outlive_segments(told: int, work: Path, tmp_path: Path) -> None:
    source = tmp_path / "tagged.mkv"
    frames, masks = moving_scene(24, 96, 64)
    with av.open(str(source), "w") as container:
        stream = container.add_stream("ffv1", rate=25)
        stream.width, stream.height, stream.pix_fmt = 96, 64, "yuv420p"
        context = stream.codec_context
        context.colorspace = context.color_primaries = context.color_trc = 1
        context.color_range = told
        stream.metadata.update({"language": "deu", "title": "T"})
        for frame in frames:
            container.mux(
                stream.encode(av.VideoFrame.from_ndarray(frame).reformat(format="yuv420p"))
            )
        container.mux(stream.encode(None))
    write_mask_bits(masks, tmp_path / "m.npz")
    run = [
        "harmonize",
        str(source),
        "--mask",
        str(tmp_path / "m.npz"),
        "-q",
        "--weights",
        str(work / "w.safetensors"),
    ]
    facts = []
    for name, options in (("plain.mkv", []), ("parts.mkv", ["--resume"])):
        assert main([*run, "-o", str(tmp_path / name), *options]) == 0
        with av.open(str(tmp_path / name)) as container:
            stream = container.streams.video[0]
            context = stream.codec_context
            tags = [
                int(value)
                for value in (
                    context.colorspace,
                    context.color_primaries,
                    context.color_trc,
                    context.color_range,
                )
            ]
            facts.append((tags, stream.metadata.get("language"), stream.metadata.get("title")))
    assert facts[0] == facts[1] == ([1, 1, 1, told], "deu", "T")


@pytest.mark.usefixtures("short_segments")
def test_what_the_container_cannot_hold_is_told_before_the_work(
    work: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    line = error_of(
        *arguments(work, tmp_path / "o.webm"), "--codec", "libx264", "--resume", capsys=capsys
    )
    assert "cannot be written to it" in line
    assert not list(tmp_path.iterdir())


def test_other_cuts_are_another_job(
    work: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(renderer, "CHECKPOINT_FRAMES", 10)
    (tmp_path / "cuts.txt").write_text("40\n")
    run = [*arguments(work, tmp_path / "out.mkv"), "--cuts", str(tmp_path / "cuts.txt"), "--resume"]
    stop_at(25, run, monkeypatch)
    capsys.readouterr()
    (tmp_path / "cuts.txt").write_text("60\n")
    assert "another cuts file" in error_of(*run, capsys=capsys)


def test_a_kill_between_the_first_arrays_and_their_state_begins_again(
    stopped: Path, work: Path
) -> None:
    for path in stopped.iterdir():
        if path.name != "00000.packets":
            path.unlink()
    (stopped / "state-1.npz").write_bytes(b"half")
    assert main([*arguments(work, stopped.parent / "out.mkv"), "--resume"]) == 0
    assert same_frames(stopped.parent / "out.mkv", work / "whole.mkv")


@pytest.mark.usefixtures("short_segments")
def test_what_was_seen_before_a_stop_is_told(
    work: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Masks that overlap in the first frames alone."""
    other = np.zeros((FRAMES, 64, 96), bool)
    other[:, :8, :8] = True
    other[4:8] = True
    write_mask_bits(other, tmp_path / "other.npz")
    run = [*arguments(work, tmp_path / "out.mkv"), "--mask", str(tmp_path / "other.npz")]
    run += ["--resume", "-q"]
    stop_at(60, run, monkeypatch)
    assert main([*run, "--json", str(tmp_path / "r.json")]) == 0
    told = json.loads((tmp_path / "r.json").read_text())["warnings"]
    assert any("masks overlap" in one for one in told)


def test_a_run_that_its_guide_refuses_leaves_no_parts(work: Path, tmp_path: Path) -> None:
    run = [*arguments(work, tmp_path / "out.mkv"), "--resume", "--target", "0,0=#a08070@5"]
    assert main(run) == 2
    assert list(tmp_path.iterdir()) == []
