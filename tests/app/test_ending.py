"""The end of the app: whoever waits is told at once, whatever is being done."""

from __future__ import annotations

import functools
import threading
from collections.abc import Iterator
from concurrent.futures import CancelledError, Future
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from tests.app.conftest import begun
from tests.app.page import Page, app_of
from vhmae.app import project
from vhmae.app.run import RunFolder
from vhmae.app.worker import AWAITED, OPENING, PREPARED, READING, Worker
from vhmae.errors import InputError

PATIENCE_SECONDS = 60


def held(worker: Worker, gate: threading.Event) -> Future[bool]:
    """Keep a worker busy; returns once it is."""
    begun = threading.Event()

    def work() -> bool:
        begun.set()
        return gate.wait(PATIENCE_SECONDS)

    future = worker.ask(AWAITED, work)
    assert begun.wait(PATIENCE_SECONDS)
    return future


def test_nobody_waits_for_a_worker_that_was_stopped(gate: threading.Event) -> None:
    worker = Worker()
    running = held(worker, gate)
    done: list[Any] = []
    waiting = worker.ask(PREPARED, lambda: done.append("late"))
    worker.take_turns(READING, map(done.append, ["turn"]))
    worker.stop()
    late = worker.ask(AWAITED, lambda: done.append("later"))
    for future in (running, waiting, late):
        with pytest.raises(CancelledError):
            future.result(PATIENCE_SECONDS)
    assert not gate.is_set(), "the work itself went on meanwhile"
    gate.set()
    worker.end()
    assert done == []


def test_what_was_asked_for_last_is_done_first(gate: threading.Event) -> None:
    worker = Worker()
    held(worker, gate)
    done: list[str] = []
    numbers = ("first", "second", "third")
    asked = [worker.ask(AWAITED, functools.partial(done.append, one)) for one in numbers]
    worker.ask(PREPARED, lambda: done.append("soon"))
    worker.ask(OPENING, lambda: done.append("opening"))
    worker.hurry(asked[0])
    gate.set()
    worker.ask(READING, lambda: None).result(PATIENCE_SECONDS)
    assert done == ["opening", "first", "third", "second", "soon"]
    worker.hurry(asked[0])  # it has been done
    worker.ask(READING, lambda: None).result(PATIENCE_SECONDS)
    worker.end()
    assert len(done) == 5


def test_a_call_for_maps_does_not_wait_for_long(
    stubbed: Page, gate: threading.Event, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(project, "LOOK_SECONDS", 10 * PATIENCE_SECONDS)  # others would wait on
    held(stubbed.app.worker, gate)
    number = begun(stubbed)
    clip = SimpleNamespace(
        check_frame=lambda frame: None,
        maps=SimpleNamespace(known=[False] * 9),
        looks=SimpleNamespace(has=lambda frame: False),
        close=lambda: None,
    )
    monkeypatch.setattr(stubbed.app.projects.get(number), "_clip", clip)
    answers: list[Any] = []
    call = threading.Thread(
        target=lambda: answers.append(stubbed.get(f"projects/{number}/maps?first=4")), daemon=True
    )
    call.start()
    call.join(PATIENCE_SECONDS)
    assert [one.json()["key"] for one in answers] == ["server.not-yet"]


def test_an_opening_takes_nothing_of_the_next_one_with_it(
    stubbed: Page, monkeypatch: pytest.MonkeyPatch
) -> None:
    folders: list[Path] = []
    plain = RunFolder.folder

    def folder(self: RunFolder, name: str) -> Path:
        folders.append(plain(self, name))
        raise InputError("far enough")

    checked = SimpleNamespace(check=lambda: None)
    monkeypatch.setattr(project, "Sources", lambda job: checked)
    monkeypatch.setattr(project.Project, "_analysis", lambda self, sources: None)
    monkeypatch.setattr(RunFolder, "folder", folder)
    for _ in range(2):
        number = begun(stubbed)
        stubbed.app.projects.get(number)._open(0)
        assert stubbed.send("DELETE", f"projects/{number}").status_code == 204
    assert len(set(folders)) == 2
    assert all(one.name.startswith(f"{number}-") for one in folders)


def test_a_call_that_waits_is_refused_when_the_app_ends(
    folder: Path, bold_weights: Path, gate: threading.Event, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(project, "LOOK_SECONDS", 10 * PATIENCE_SECONDS)  # it would wait on
    app = app_of(folder, bold_weights)
    try:
        page = Page(app)
        number = page.opened(composite="clip.mkv", masks=["mask.mkv"])
        held(app.worker, gate)
        answers: list[Any] = []
        asked = {"guide": {"schema": 1}, "frame": 17, "object": 1, "count": 6}
        call = threading.Thread(
            target=lambda: answers.append(page.post(f"projects/{number}/takes", asked))
        )
        call.start()
        clip = app.projects.get(number)
        while 17 not in clip._looking:
            assert call.is_alive(), answers
            gate.wait(0.01)
        app.end()
        call.join(PATIENCE_SECONDS)
        assert answers, "the call still waits"
        assert answers[0].status_code == 409
        assert not gate.is_set()
        gate.set()
    finally:
        app.close()


def test_what_is_read_of_a_closed_clip_is_given_up(page: Page) -> None:
    number = page.opened(composite="clip.mkv", masks=["mask.mkv"])
    clip = page.app.projects.get(number).clip
    taken = []

    class Once:
        """Frames of a file during which the clip is closed."""

        def __init__(self, sources: Any) -> None:
            self.sources = sources

        def frames(self, first: int) -> Iterator[Any]:
            for one in self.sources.frames(first):
                taken.append(one.timed.index)
                clip.reel._closed = True
                yield one

    clip.reel.sources = Once(clip.reel.sources)  # type: ignore[assignment]
    assert page.get(f"projects/{number}/frames/29?size=full").json()["key"] == "server.no-project"
    assert taken == [29]
    page.send("DELETE", f"projects/{number}")


def test_a_clip_that_is_closed_between_its_survey_and_its_reading_is_given_up(
    page: Page, caplog: pytest.LogCaptureFixture
) -> None:
    number = page.opened(composite="clip.mkv", masks=["mask.mkv"])
    found = page.app.projects.get(number)
    clip, generation = found.clip, found._generation

    def surveying() -> Iterator[int]:
        yield 1
        page.send("DELETE", f"projects/{number}")  # after the last of its turns

    clip.analysis.survey_lazily = surveying  # type: ignore[method-assign]
    assert len(list(found._reading(clip, generation))) == 1
    assert caplog.records == []


def test_what_was_surveyed_of_an_earlier_opening_looks_at_nothing_of_the_next(
    page: Page, monkeypatch: pytest.MonkeyPatch
) -> None:
    number = page.opened(composite="clip.mkv", masks=["mask.mkv"])
    found = page.app.projects.get(number)
    clip, generation = found.clip, found._generation
    found.begin()
    assert page.settled(number)["state"] == "ready"
    asked: list[int] = []
    monkeypatch.setattr(found, "look", asked.append)
    found._surveyed(clip, generation)
    assert asked == []
    found._surveyed(found.clip, found._generation)
    assert asked == [found.clip.clip_guide.default]
    page.send("DELETE", f"projects/{number}")


def test_a_clip_that_is_closed_once_it_is_open_is_not_looked_at(
    page: Page, monkeypatch: pytest.MonkeyPatch
) -> None:
    told = project.Project._tell_state
    closed: list[threading.Thread] = []
    faults: list[Any] = []

    def closing(self: project.Project) -> None:
        told(self)
        if self.state == "reading" and not closed:
            closed.append(threading.current_thread())
            self.close()

    monkeypatch.setattr(project.Project, "_tell_state", closing)
    monkeypatch.setattr(threading, "excepthook", faults.append)
    number = page.post("projects", {"composite": "clip.mkv", "masks": ["mask.mkv"]}).json()["id"]
    assert page.app.projects.get(number).settled.wait(PATIENCE_SECONDS)
    closed[0].join(PATIENCE_SECONDS)
    assert faults == []
    page.send("DELETE", f"projects/{number}")


def test_a_look_at_a_clip_that_is_closed_meanwhile_is_given_up(page: Page) -> None:
    number = page.opened(composite="clip.mkv", masks=["mask.mkv"])
    clip = page.app.projects.get(number).clip
    covers = clip.analysis.covers
    asked: list[int] = []

    def closing(mattes: Any) -> Any:
        asked.append(len(asked))
        clip.closed = len(asked) > 1  # it was open when the frame itself was read
        return covers(mattes)

    clip.analysis.covers = closing  # type: ignore[method-assign]
    with pytest.raises(CancelledError):
        clip.look(25)
    assert len(asked) == 2
    assert clip.looks.get(25) is None
    page.send("DELETE", f"projects/{number}")
