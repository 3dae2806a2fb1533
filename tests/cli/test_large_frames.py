"""Frames that are too large to wait are read again in their turn, to the same output."""

from __future__ import annotations

import gc
import weakref
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.support.networks import changing_model
from tests.support.pictures import read_picture
from tests.support.scenes import decode, moving_scene, write_video
from vhmae import Harmonizer, harmonize_video
from vhmae.cli import main
from vhmae.data.clips import write_mask_bits
from vhmae.errors import InputError
from vhmae.model.weights import save_model
from vhmae.options import build_options
from vhmae.video import pictures as picture_files
from vhmae.video.planes import PlanarFrame
from vhmae.video.segments import SegmentedWriter
from vhmae.work import renderer, waiting
from vhmae.work import sources as read
from vhmae.work.analysis import open_analysis
from vhmae.work.job import HarmonizeJob

FRAMES = 90
"""More than wait for the network with the usual quality."""
CUT = 60
OPTIONS: dict[str, Any] = {"precision": "fp32", "caution": 0.0, "threads": 1}


@pytest.fixture(scope="module")
def work(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A clip of two shots, the masks of two objects, and weights that change much."""
    folder = tmp_path_factory.mktemp("large")
    frames, masks = moving_scene(FRAMES, 96, 64)
    frames[CUT:] = np.roll(frames[CUT:, :, ::-1] // 3, 20, axis=1)
    other = np.zeros_like(masks)
    other[:, 4:20, 60:90] = True
    masks[:3] = True  # opens on a close-up, whose background is found by reading ahead
    write_video(folder / "in.mkv", frames)
    write_mask_bits(masks & ~other, folder / "disc.npz")
    write_mask_bits(other, folder / "block.npz")
    save_model(changing_model(), folder / "w.safetensors", {})
    return folder


@pytest.fixture
def too_large(monkeypatch: pytest.MonkeyPatch) -> None:
    """Any frame is too large to wait."""
    monkeypatch.setattr(waiting, "WAITING_BYTES", 0)
    monkeypatch.setattr(read, "STAGE_BYTES", 0)


def run(work: Path, out: Path, **options: Any) -> dict[str, Any]:
    files = {"mask": [work / "disc.npz", work / "block.npz"], "weights": work / "w.safetensors"}
    given: dict[str, Any] = {**OPTIONS, **files, **options}
    given["weights"] = str(given["weights"])
    return harmonize_video(work / "in.mkv", out, **given)


def same(one: Path, other: Path) -> bool:
    pairs = list(zip(decode(one), decode(other), strict=True))
    return len(pairs) > 0 and all(
        np.array_equal(a, b) for left, right in pairs for a, b in zip(left, right, strict=True)
    )


VARIANTS: dict[str, dict[str, Any]] = {
    "plain": {},
    "whole shots": {"quality": "best"},
    "a part": {"start": 0.4, "end": 3.6},
    "both sides": {"move": "both"},
    "a word": {"target": ("48,32=#c02020@30",)},
}


@pytest.mark.parametrize("options", VARIANTS.values(), ids=VARIANTS)
def test_what_is_read_again_comes_out_as_what_was_kept(
    options: dict[str, Any], work: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    kept = run(work, tmp_path / "kept.mkv", **options)
    monkeypatch.setattr(waiting, "WAITING_BYTES", 0)
    for stage in (0, 2**30)[: 1 if options else 2]:  # in one thread, and in several
        monkeypatch.setattr(read, "STAGE_BYTES", stage)
        again = run(work, tmp_path / "again.mkv", **options)
        assert same(tmp_path / "again.mkv", tmp_path / "kept.mkv")
        for key in ("frames", "mean_change", "passed_through", "skipped", "warnings"):
            assert again[key] == kept[key]
    assert kept["mean_change"] > 1.0


@pytest.fixture
def alive(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """How many frames there were, each time that another one was read or made."""
    seen: list[weakref.ref[PlanarFrame]] = []
    counts: list[int] = []
    original = PlanarFrame.__init__

    def counted(self: PlanarFrame, *given: Any, **more: Any) -> None:
        original(self, *given, **more)
        seen[:] = [one for one in seen if one() is not None]
        seen.append(weakref.ref(self))
        counts.append(len(seen))

    gc.collect()
    monkeypatch.setattr(PlanarFrame, "__init__", counted)
    return counts


@pytest.mark.usefixtures("too_large")
def test_few_frames_are_held_at_once(work: Path, tmp_path: Path, alive: list[int]) -> None:
    run(work, tmp_path / "out.mkv")
    assert len(alive) >= 2 * FRAMES
    assert max(alive) <= 8


def test_frames_that_are_small_are_read_once(
    work: Path, tmp_path: Path, alive: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    def refused(*_: object) -> None:
        raise AssertionError("read again")

    monkeypatch.setattr(waiting.Again, "read", refused)
    run(work, tmp_path / "out.mkv")
    # As many as a frame waits for; how many more there are is a matter of the threads.
    assert max(alive) > Harmonizer(changing_model()).latency_frames


@pytest.mark.usefixtures("too_large")
def test_a_stopped_run_of_large_frames_goes_on(
    work: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, alive: list[int]
) -> None:
    monkeypatch.setattr(renderer, "CHECKPOINT_FRAMES", 10)
    run(work, tmp_path / "whole.mkv")
    out, write = tmp_path / "out.mkv", SegmentedWriter.write

    def dying(self: SegmentedWriter, *given: Any) -> None:
        if self.frames == 33:
            raise KeyboardInterrupt
        write(self, *given)

    with monkeypatch.context() as patched:
        patched.setattr(SegmentedWriter, "write", dying)
        with pytest.raises(KeyboardInterrupt):
            run(work, out, resume=True)
    gc.collect()
    alive.clear()
    run(work, out, resume=True)
    assert max(alive) <= 8
    assert same(out, tmp_path / "whole.mkv")


@pytest.mark.usefixtures("too_large")
def test_pictures_are_read_again(work: Path, tmp_path: Path) -> None:
    frames, _ = moving_scene(80, 96, 64)
    folder = tmp_path / "in"
    folder.mkdir()
    for number, frame in enumerate(frames, 1001):
        picture_files.write_still(folder / f"{number}.png", frame)
    mask = tmp_path / "m.png"
    still = np.zeros((64, 96), np.uint8)
    still[20:40, 30:60] = 255
    picture_files.write_still(mask, np.repeat(still[..., None], 3, axis=2))
    files: dict[str, Any] = {"mask": mask, "weights": str(work / "w.safetensors")}
    harmonize_video(folder, tmp_path / "%04d.png", **OPTIONS, **files)
    for number, frame in enumerate(frames, 1001):
        after = read_picture(tmp_path / f"{number}.png")[..., ::-1]
        changed = (after != frame).any(axis=-1)
        assert changed[25:35, 35:55].mean() > 0.5
        assert not changed[still == 0].any()


@pytest.mark.usefixtures("too_large")
def test_a_file_that_became_shorter_meanwhile_is_told(
    work: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    frames_of = read.Sources.frames

    def shorter(self: read.Sources, first: int = 0, count: bool = False) -> Iterator[Any]:
        for payload in frames_of(self, first, count):
            if count or payload.timed.index < 50:
                yield payload

    monkeypatch.setattr(read.Sources, "frames", shorter)
    with pytest.raises(Exception, match=r"in.mkv: its frame 50 could be read once, and not again"):
        run(work, tmp_path / "out.mkv")
    assert not list(tmp_path.iterdir())


def test_what_is_needed_is_told(
    work: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """That of the way that is taken: less, where frames are read again."""
    given: dict[str, Any] = {
        "composite": work / "in.mkv",
        "masks": (work / "disc.npz",),
        "output": tmp_path / "out.mkv",
        "weights": str(work / "w.safetensors"),
    }
    analysis = open_analysis(build_options(HarmonizeJob, given))
    frame = 96 * 64 * 3 // 2 + 96 * 64
    assert analysis.sources.payload_bytes == frame
    assert analysis.keeps_frames
    kept = renderer.waiting_bytes(analysis)
    assert kept >= frame * analysis.harmonizers[0].latency_frames
    monkeypatch.setattr(waiting, "WAITING_BYTES", 0)
    monkeypatch.setattr(read, "STAGE_BYTES", 0)
    again = renderer.waiting_bytes(open_analysis(build_options(HarmonizeJob, given)))
    assert 2 * frame <= again <= 6 * frame
    monkeypatch.setattr("vhmae.memory.available_bytes", lambda: again - 1)
    command = ["harmonize", str(work / "in.mkv"), "--mask", str(work / "disc.npz")]
    command += ["-o", str(tmp_path / "out.mkv"), "--weights", given["weights"]]
    assert main(command) == 2
    assert "GiB of memory" in capsys.readouterr().err
    with pytest.raises(InputError, match="GiB of memory"):
        run(work, tmp_path / "out.mkv")
