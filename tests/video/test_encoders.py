"""What an encoder does to the process that it runs in."""

from __future__ import annotations

import os
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.support.scenes import write_video
from vhmae.video.encoders import priorities, usual_priority
from vhmae.video.probe import probe_video
from vhmae.video.reader import read_frames
from vhmae.video.writer import VideoWriter

pytestmark = pytest.mark.skipif(
    sys.platform != "linux", reason="threads are listed in /proc on Linux alone"
)


def in_a_thread(work: Callable[[], Any]) -> Any:
    """What work gives in a thread of its own, whose priority no other has."""
    found: list[Any] = []
    thread = threading.Thread(target=lambda: found.append(work()))
    thread.start()
    thread.join()
    (only,) = found
    return only


def become(policy: int, priority: int) -> None:
    """Give the thread that runs this a priority."""
    os.sched_setscheduler(0, policy, os.sched_param(priority))


def mine() -> tuple[int, int]:
    """Policy and priority of the thread that runs this."""
    return os.sched_getscheduler(0), os.sched_getparam(0).sched_priority


@pytest.fixture
def may_be_real_time() -> None:
    def tried() -> str:
        try:
            become(os.SCHED_FIFO, 1)
        except PermissionError as error:
            return str(error)
        return ""

    if told := in_a_thread(tried):
        pytest.skip(f"nobody can be given a priority of real time here ({told}); run it as root")


@pytest.mark.usefixtures("may_be_real_time")
def test_no_encoder_leaves_threads_of_real_time(tmp_path: Path) -> None:
    """SVT-AV1 run by root would: a machine of two cores then waits for one clip."""
    before, own = priorities(), mine()
    source = probe_video(write_video(tmp_path / "in.mkv", np.zeros((2, 64, 64, 3), np.uint8)))
    with VideoWriter(tmp_path / "out.mkv", source, codec="libsvtav1") as writer:
        for timed in read_frames(source):
            writer.write(timed, timed.image.copy())
        after = priorities()
    assert len(after) > len(before), "it works in threads"
    assert after == {thread: before.get(thread, own) for thread in after}


@pytest.mark.usefixtures("may_be_real_time")
@pytest.mark.parametrize("usual", [("SCHED_OTHER", 0), ("SCHED_RR", 7), ("SCHED_FIFO", 3)])
def test_a_thread_that_opens_an_encoder_keeps_its_own_priority(usual: tuple[str, int]) -> None:
    policy, priority = getattr(os, usual[0]), usual[1]
    made: list[tuple[int, int]] = []
    go_on = threading.Event()

    def started() -> None:
        go_on.wait(60)
        made.append(mine())

    def opening() -> tuple[int, int]:
        become(policy, priority)
        with usual_priority():
            become(os.SCHED_FIFO, 99)  # as SVT-AV1 does
            thread = threading.Thread(target=started)
            thread.start()
        go_on.set()
        thread.join()
        return mine()

    assert in_a_thread(opening) == (policy, priority)
    assert made == [(policy, priority)]


@pytest.mark.usefixtures("may_be_real_time")
def test_a_host_keeps_its_own_threads_of_real_time() -> None:
    """A player's sound, beside which an encoder is opened."""
    begun, done = threading.Event(), threading.Event()

    def playing() -> tuple[int, int]:
        become(os.SCHED_FIFO, 20)
        begun.set()
        done.wait(60)
        return mine()

    found: list[tuple[int, int]] = []
    sound = threading.Thread(target=lambda: found.append(in_a_thread(playing)))
    sound.start()
    begun.wait(60)
    with usual_priority():
        in_a_thread(lambda: become(os.SCHED_FIFO, 99))
    done.set()
    sound.join()
    assert found == [(os.SCHED_FIFO, 20)]


@pytest.mark.usefixtures("may_be_real_time")
def test_a_priority_that_cannot_be_given_back_is_no_failure(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    become_again = os.sched_setscheduler

    def refused(*_: Any) -> None:
        raise OSError(22, "Invalid argument")

    def opening() -> None:
        with usual_priority():
            become(os.SCHED_FIFO, 99)
            monkeypatch.setattr(os, "sched_setscheduler", refused)
        assert mine() == (os.SCHED_FIFO, 99)
        monkeypatch.setattr(os, "sched_setscheduler", become_again)

    in_a_thread(opening)
