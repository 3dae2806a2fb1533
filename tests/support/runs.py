"""Runs that are stopped, and whether two wrote the same frames."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from tests.support.scenes import decode
from vhmae.cli import main
from vhmae.video.planes import PlanarFrame
from vhmae.video.reader import TimedFrame
from vhmae.video.segments import SegmentedWriter


def same_frames(one: Path, other: Path) -> bool:
    pairs = list(zip(decode(one), decode(other), strict=True))
    return all(
        np.array_equal(a, b) for left, right in pairs for a, b in zip(left, right, strict=True)
    )


def stop_at(frame: int, run: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    """Interrupt a run before it writes a frame."""
    write = SegmentedWriter.write

    def dying(self: SegmentedWriter, timed: TimedFrame, image: PlanarFrame) -> None:
        if self.frames == frame:
            raise KeyboardInterrupt
        write(self, timed, image)

    with monkeypatch.context() as patched:
        patched.setattr(SegmentedWriter, "write", dying)
        assert main(run) == 130
