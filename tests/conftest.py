"""What many tests share: where the data lies, and small clips made on the spot."""

from __future__ import annotations

import contextlib
import os
import sys
import threading

# Two test processes on two cores: threads of their own would only wait for each other.
if "PYTEST_XDIST_WORKER" in os.environ:
    os.environ |= {"OMP_NUM_THREADS": "1", "MKL_NUM_THREADS": "1"}

from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
import torch

from tests.support.footage import built, footage
from tests.support.hdr import hdr_work
from tests.support.review import made, review
from tests.support.scenes import bold, moving_scene, write_video
from tests.support.sets import data
from vhmae.engine.onnx_network import OnnxNetwork
from vhmae.video.encoders import priorities

torch.set_num_threads(1 if "PYTEST_XDIST_WORKER" in os.environ else 2)

DATA = Path(os.environ.get("VHMAE_DATA", Path(__file__).parents[2] / "shared" / "data"))


# Fixtures that several rooms share.
__all__ = ["bold", "built", "data", "footage", "hdr_work", "made", "review"]


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Files that are given more time than usual begin first: begun last, they would keep one
    process busy while the others had nothing left to do."""
    given: dict[Path, float] = {}
    for item in items:
        marker = item.get_closest_marker("timeout")
        given[item.path] = max(given.get(item.path, 0.0), marker.args[0] if marker else 0.0)
    items.sort(key=lambda item: -given[item.path])


@pytest.fixture(autouse=True)
def priority() -> Iterator[None]:
    """No test leaves this process at a priority of real time, as SVT-AV1 does where root runs it:
    all that is tested after it, and beside it, would starve."""
    if sys.platform != "linux":
        yield
        return
    before = priorities()
    own = before[threading.get_native_id()]
    yield
    left = False
    for thread, now in priorities().items():
        usual = before.get(thread, own)
        if now != usual and now[0] in (os.SCHED_FIFO, os.SCHED_RR):
            left = True
            with contextlib.suppress(OSError):
                os.sched_setscheduler(thread, usual[0], os.sched_param(usual[1]))
    if left:
        pytest.fail("left real-time threads behind; open the encoder under `usual_priority`")


@pytest.fixture
def gate() -> Iterator[threading.Event]:
    """What work in another thread waits for; opened at the test's end."""
    found = threading.Event()
    yield found
    found.set()


@pytest.fixture(scope="session", autouse=True)
def opened() -> Iterator[None]:
    """The packaged weights stay open: networks of one file share its session (onnx_network.py)."""
    kept = OnnxNetwork("default", "cpu"), OnnxNetwork("default", "auto")
    yield
    del kept


@pytest.fixture(scope="session")
def cluster() -> Iterator[None]:
    """A cluster of this machine alone, which the first work that is spread starts."""
    yield
    import ray

    ray.shutdown()


@pytest.fixture(scope="session")
def data_dir() -> Path:
    if not (DATA / "val").is_dir():
        pytest.skip(f"the data set is not here ({DATA}); set VHMAE_DATA to run this test")
    return DATA


@pytest.fixture
def rng() -> np.random.Generator:
    return np.random.default_rng(7)


@pytest.fixture
def small_clip(tmp_path: Path) -> Callable[..., tuple[Path, Path]]:
    """Makes a composite and its mask as video files."""

    def make(
        frames: int = 12,
        width: int = 96,
        height: int = 64,
        suffix: str = ".mkv",
        codec: str = "ffv1",
        pix_fmt: str = "yuv420p",
        audio: bool = False,
    ) -> tuple[Path, Path]:
        pictures, masks = moving_scene(frames, width, height)
        composite = write_video(
            tmp_path / f"composite{suffix}", pictures, codec=codec, pix_fmt=pix_fmt, audio=audio
        )
        mask = write_video(tmp_path / "mask.mkv", masks.astype(np.uint8) * 255, pix_fmt="yuv444p")
        return composite, mask

    return make
