"""The command that serves: its first line, its events, its end; and an end that nobody foresaw."""

from __future__ import annotations

import asyncio
import contextlib
import errno
import json
import os
import signal
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx2
import numpy as np
import pytest

from tests.app.conftest import fill
from tests.app.page import Page, waited
from tests.support.scenes import decode, moving_scene, write_video
from tests.support.server import served, serving
from vhmae import partial_output
from vhmae.app.events import LOST, WAITING_EVENTS, Events
from vhmae.app.run import PREFIX, RunFolder
from vhmae.cli import main
from vhmae.partial_output import lock_file

FRAMES = 2160
"""Enough for several segments of a run that can be resumed."""


def app_command(folder: Path, weights: Path, *more: str) -> tuple[str, ...]:
    where = ("--weights", str(weights), "--device", "cpu", "--precision", "fp32")
    return ("app", str(folder), "--no-browser", *where, *more)


@contextlib.contextmanager
def visited(address: str) -> Iterator[Page]:
    page = Page(None, address)
    with contextlib.closing(page.client):
        yield page


def events_of(client: httpx2.Client, count: int) -> list[tuple[str, Any]]:
    found: list[tuple[str, Any]] = []
    with client.stream("GET", "/api/events") as stream:
        name = ""
        for line in stream.iter_lines():
            if line.startswith("event: "):
                name = line.removeprefix("event: ")
            elif line.startswith("data: "):
                found.append((name, json.loads(line.removeprefix("data: "))))
                if len(found) >= count or name == "bye":
                    return found
    return found


def test_the_command_serves_tells_and_ends(tmp_path: Path, bold_weights: Path) -> None:
    folder = fill(tmp_path / "own")
    with (
        contextlib.ExitStack() as stack,
        served(*app_command(folder, bold_weights)) as (address, process),
    ):
        assert address.startswith("http://127.0.0.1:")
        assert address.endswith("/")
        page = stack.enter_context(visited(address))
        heard: list[tuple[str, Any]] = []
        stream_guide = threading.Thread(target=lambda: heard.extend(events_of(page.client, 10_000)))
        stream_guide.start()
        number = page.opened(composite="clip.mkv", masks=["mask.mkv"])
        process.send_signal(signal.SIGINT)
        assert process.wait(timeout=120) == 130  # that nobody is waited for: test_ending.py
        assert "Traceback" not in process.told
        stream_guide.join(timeout=60)
    names = [name for name, _ in heard]
    assert {"project", "maps", "shots"} <= set(names)
    assert names[-1] == "bye"
    states = [told["state"] for name, told in heard if name == "project" and told["id"] == number]
    assert states[-1] == "ready"


def test_other_machines_are_served_by_token(tmp_path: Path, bold_weights: Path) -> None:
    folder = fill(tmp_path / "own")
    command = [sys.executable, "-m", "vhmae"]
    command += app_command(folder, bold_weights, "--remote", "--host", "127.0.0.1", "--port", "0")
    with serving(command) as (address, _):
        bare, _, token = address.partition("?token=")
        assert len(token) > 20
        with httpx2.Client(base_url=bare, timeout=30.0) as client:
            assert client.get("api/files").status_code == 401
            assert client.get("", params={"token": token}).status_code == 200
            assert client.get("api/files").status_code == 200


@pytest.mark.timeout(600)  # three processes that load a network, one after the other
def test_a_render_goes_on_after_the_server_was_killed(tmp_path: Path, bold_weights: Path) -> None:
    folder = tmp_path / "own"
    folder.mkdir()
    pictures, masks = moving_scene(60, 96, 64)
    long = np.concatenate([pictures] * (FRAMES // 60))
    write_video(folder / "clip.mkv", long, audio=True)
    whites = np.concatenate([masks] * (FRAMES // 60)).astype(np.uint8) * 255
    write_video(folder / "mask.mkv", whites, pix_fmt="yuv444p")
    command = app_command(folder, bold_weights)
    with served(*command) as (address, process), visited(address) as page:
        wanted = {"composite": "clip.mkv", "masks": ["mask.mkv"], "options": {"quality": "fast"}}
        number = page.post("projects", wanted).json()["id"]
        render = page.post(f"projects/{number}/renders", {"kind": "video"}).json()["id"]
        part = folder / ".clip.harmonized.mkv.part"
        deadline = time.monotonic() + 300
        while not (part.is_dir() and any(part.glob("*.json"))):
            assert time.monotonic() < deadline, page.entry(render)
            time.sleep(0.02)
        child = next(iter(_children(process.pid)), None)
        process.send_signal(signal.SIGKILL)
        process.wait()
        process.communicate()
    assert child is not None
    deadline = time.monotonic() + 30
    while _runs(child):
        assert time.monotonic() < deadline, "the render outlives its server"
        time.sleep(0.05)
    assert not (folder / "clip.harmonized.mkv").exists()
    assert (folder / ".clip.harmonized.mkv.part").is_dir()
    with served(*command) as (address, _), visited(address) as page:
        assert page.post("projects", wanted).json()["id"] == number
        found = page.entry(render)
        assert (found["state"], found["resumable"]) == ("stopped", True)
        page.post(f"renders/{render}/resume")
        done = waited(lambda: page.entry(render), "done", "failed")
        assert done["state"] == "done", done["error"]
        assert done["done"] == FRAMES
        # Of a run that was resumed, the pace is that of this run alone: it had less to do.
        assert done["report"]["fps"] * done["report"]["seconds"] < FRAMES - 200
    straight = tmp_path / "straight.mkv"
    arguments = [str(folder / "clip.mkv"), "--mask", str(folder / "mask.mkv"), "-q"]
    arguments += [
        "--quality",
        "fast",
        "--weights",
        str(bold_weights),
        "--device",
        "cpu",
        "--precision",
        "fp32",
    ]
    assert main(["harmonize", *arguments, "-o", str(straight)]) == 0
    for planes, others in zip(
        decode(folder / "clip.harmonized.mkv"), decode(straight), strict=True
    ):
        for plane, wanted_plane in zip(planes, others, strict=True):
            np.testing.assert_array_equal(plane, wanted_plane)


def _children(process: int) -> list[int]:
    """The processes that a process has begun."""
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                fields = (entry / "stat").read_text().rpartition(")")[2].split()
            except OSError:
                continue
            if int(fields[1]) == process:
                found.append(int(entry.name))
    return found


def _runs(process: int) -> bool:
    try:
        state = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[0]
    except OSError:
        return False
    return state != "Z"


def test_a_run_that_begins_is_not_cleared_away(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Another run may look for what is left before this one holds its folder."""
    plain = os.open
    others: list[RunFolder] = []

    def opened(path: Any, flags: int, mode: int = 0o777, **more: Any) -> int:
        descriptor = plain(path, flags, mode, **more)
        if flags & os.O_CREAT and not others:
            monkeypatch.setattr(os, "open", plain)
            others.append(RunFolder(tmp_path))
        return descriptor

    monkeypatch.setattr(os, "open", opened)
    run = RunFolder(tmp_path)
    (other,) = others
    for one in (run, other):
        assert one.path.is_dir()
        assert one.path.name.startswith(PREFIX)
        one.close()
    assert os.listdir(tmp_path) == []


def test_what_nobody_takes_is_told_to_be_lost() -> None:
    async def heard() -> list[str]:
        events = Events()
        found = [await anext(stream := events.listen())]
        for number in range(WAITING_EVENTS + 2):
            events.tell("document", {"number": number})
        await asyncio.sleep(0)  # they are handed over by then
        events.end()
        return found + [text async for text in stream]

    texts = asyncio.run(heard())
    assert texts[1] == LOST
    assert [json.loads(text.split("data: ")[1]) for text in texts[2:-1]] == [
        {"number": WAITING_EVENTS},
        {"number": WAITING_EVENTS + 1},
    ]
    assert texts[-1].startswith("event: bye")


def test_what_a_killed_run_has_left_is_cleared_away(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    lives = RunFolder(tmp_path)
    dead = tmp_path / f"{PREFIX}dead"
    dead.mkdir()
    lock_file(dead).touch()
    (dead / "maps").write_bytes(b"x" * 100)
    lock_file(tmp_path / f"{PREFIX}begun").touch()  # killed before it had a folder
    others = {"vhmae-other", f"{PREFIX}of-somebody"}  # no run says that it holds, or held, them
    for name in others:
        (tmp_path / name).mkdir()
    again = RunFolder(tmp_path)
    assert not dead.exists()
    assert lives.path.is_dir()
    lives.close()
    again.close()
    assert {*os.listdir(tmp_path)} == others


def test_what_cannot_be_locked_is_not_cleared_away(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """On file systems without locks nobody knows whose run lasts."""

    def flock(*_: object) -> None:
        raise OSError(errno.ENOLCK, "No locks available")

    monkeypatch.setattr(partial_output.locks, "flock", flock)
    lives = RunFolder(tmp_path)
    again = RunFolder(tmp_path)
    assert lives.path.is_dir()
    lives.close()
    again.close()
    assert os.listdir(tmp_path) == []
