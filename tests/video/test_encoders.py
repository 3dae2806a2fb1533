"""What an encoder does to the process that it runs in."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import numpy as np
import pytest

from tests.support.scenes import write_video
from vhmae.video.probe import probe_video
from vhmae.video.reader import read_frames
from vhmae.video.writer import VideoWriter


@pytest.mark.skipif(sys.platform != "linux", reason="threads are listed in /proc on Linux alone")
def test_no_encoder_leaves_threads_of_real_time(tmp_path: Path) -> None:
    """SVT-AV1 run by root would: a machine of two cores then waits for one clip."""
    source = probe_video(write_video(tmp_path / "in.mkv", np.zeros((2, 64, 64, 3), np.uint8)))
    with VideoWriter(tmp_path / "out.mkv", source, codec="libsvtav1") as writer:
        for timed in read_frames(source):
            writer.write(timed, timed.image.copy())
        policies = {
            os.sched_getscheduler(int(thread.name)) for thread in Path("/proc/self/task").iterdir()
        }
    assert policies == {os.SCHED_OTHER}
