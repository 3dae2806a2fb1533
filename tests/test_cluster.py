"""Work over a cluster, here of one machine: nothing is lost with a killed worker."""

from __future__ import annotations

import contextlib
import os
import signal
from collections.abc import Callable
from pathlib import Path

import pytest

from vhmae.errors import InputError
from vhmae.work.cluster import TRIES, spread

pytestmark = [
    pytest.mark.usefixtures("cluster"),
    pytest.mark.timeout(600),  # seven processes that load Ray, on whatever the machine has left
]


@pytest.mark.long  # a cluster that loses a process waits for a new one
def test_a_killed_actor_is_started_again_and_its_work_is_done_again(tmp_path: Path) -> None:
    def make() -> Callable[..., int]:
        (tmp_path / f"made by {os.getpid()}").touch()

        def square(number: int) -> int:
            tries = tmp_path / f"tries of {number}"
            tries.write_text(tries.read_text() + "x" if tries.exists() else "x")
            if (number == 2 and tries.read_text() == "x") or number == 5:
                os.kill(os.getpid(), signal.SIGKILL)
            return number * number

        return square

    results = dict(spread(make, [(number,) for number in range(8)]))
    assert results == {0: 0, 1: 1, 2: 4, 3: 9, 4: 16, 5: None, 6: 36, 7: 49}
    assert (tmp_path / "tries of 2").read_text() == "xx"
    assert (tmp_path / "tries of 5").read_text() == "x" * TRIES
    killed = 1 + TRIES
    assert (
        len(list(tmp_path.glob("made by *"))) <= (os.cpu_count() or 1) + killed
    )  # and not once a piece of work


def listening() -> list[tuple[str, str]]:
    """What this process and those that it started listen on: (name of the process, address in
    hexadecimal)."""
    parents = {}
    for process in Path("/proc").iterdir():
        with contextlib.suppress(OSError):
            if process.name.isdigit():
                parents[process.name] = (process / "stat").read_text().rpartition(")")[2].split()[1]
    ours = {str(os.getpid())}
    while more := {child for child, parent in parents.items() if parent in ours} - ours:
        ours |= more
    rows = [
        line.split()
        for kind in ("tcp", "tcp6")
        for line in Path("/proc/net", kind).read_text().splitlines()[1:]
    ]
    places = {f"socket:[{row[9]}]": row[1].partition(":")[0] for row in rows if row[3] == "0A"}
    found = []
    for number in ours:
        with contextlib.suppress(OSError):
            for descriptor in Path("/proc", number, "fd").iterdir():
                with contextlib.suppress(OSError):
                    if str(descriptor.readlink()) in places:
                        found.append(
                            (
                                (Path("/proc") / number / "comm").read_text().strip(),
                                places[str(descriptor.readlink())],
                            )
                        )
    return found


def test_a_cluster_of_this_machine_listens_to_this_machine_alone() -> None:
    def make() -> Callable[..., int]:
        return lambda number: number + 1

    assert dict(spread(make, [(1,), (2,)])) == {0: 2, 1: 3}
    found = listening()
    assert {"gcs_server", "raylet"} <= {name for name, _ in found}
    loopback = ("0100007F", "0000000000000000FFFF00000100007F", "00000000000000000000000001000000")
    assert [(name, place) for name, place in found if place not in loopback] == []


def test_an_error_of_the_work_is_told_as_it_was() -> None:
    def make() -> Callable[..., int]:
        def refuse(number: int) -> int:
            raise InputError(f"{number}: is not even; give another")

        return refuse

    with pytest.raises(InputError, match="7: is not even"):
        list(spread(make, [(7,)]))
