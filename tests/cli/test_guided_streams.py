"""A person's word in pipes, where nobody can read ahead."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.support.scenes import moving_scene
from vhmae.data.clips import write_mask_bits
from vhmae.errors import InputError
from vhmae.guide.options import GuideOptions
from vhmae.work.job import StreamJob
from vhmae.work.stream import harmonize_stream

FRAMES, MASKS = moving_scene(12, 96, 64)


def piped(tmp_path: Path, lookahead: int = 0, **words: Any) -> tuple[np.ndarray, dict[str, Any]]:
    (tmp_path / "in.raw").write_bytes(FRAMES.tobytes())
    write_mask_bits(MASKS, tmp_path / "m.npz")
    job = StreamJob(
        masks=(tmp_path / "m.npz",),
        raw="96x64:rgb24:25",
        lookahead=lookahead,
        precision="fp32",
        words=GuideOptions(**words),
    )
    sink = io.BytesIO()
    with (tmp_path / "in.raw").open("rb") as source:
        report = harmonize_stream(job, source, sink)
    return np.frombuffer(sink.getvalue(), np.uint8).reshape(FRAMES.shape), report


def inside(frame: int) -> str:
    ys, xs = np.nonzero(MASKS[frame])
    return f"{int(np.median(xs))},{int(np.median(ys))}"


def test_a_word_acts_from_its_frame_on(tmp_path: Path) -> None:
    plain, _ = piped(tmp_path)
    said, report = piped(tmp_path, target=(f"{inside(4)}=#202020@4",), lookahead=3)
    apart = np.abs(said.astype(int) - piped(tmp_path, lookahead=3)[0]).sum(axis=(1, 2, 3))
    assert not apart[:5].any()
    assert (apart[5:] > 0).all()
    assert np.array_equal(said[~MASKS], FRAMES[~MASKS])
    assert report["guide"]["points"][0]["frame"] == 4
    assert report["guided"][0]["point"] == 1
    assert report["warnings"] == []
    assert plain.shape == said.shape


def test_what_was_not_heard_is_told(tmp_path: Path) -> None:
    _, report = piped(tmp_path, neutral=(f"{inside(0)}@40",))
    assert report["guided"] == []
    assert "frames 40 did not come" in report["warnings"][0]


def test_a_place_outside_the_stream_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="lies outside the frame"):
        piped(tmp_path, neutral=("96,0",))


def test_more_frames_than_can_be_held_are_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A stream's named frames are held to its end."""
    monkeypatch.setattr("vhmae.memory.available_bytes", lambda: 3 * 96 * 64 * 4)
    words = tuple(f"{inside(frame)}@{frame}" for frame in range(4))
    with pytest.raises(InputError, match=r"-: needs .* of memory, .*; name fewer frames"):
        piped(tmp_path, neutral=words)
    piped(tmp_path, neutral=words[:3])
