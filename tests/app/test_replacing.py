"""What is taken away is of what was asked for, and takes nobody's place."""

from __future__ import annotations

import dataclasses

from tests.app.conftest import taken
from tests.app.page import Page
from vhmae.app.renders import Render
from vhmae.app.taking import Running


def test_grades_of_several_files_replace_none_unless_told(own: Page, clip: str) -> None:
    folder = own.app.folder.root
    for there, kind, name in (
        ("g.cube", "otio", "g.otio"),
        ("h.shot002.cube", "cube", "h.cube"),
        ("i.foreground.cube", "cube", "i.cube"),
    ):
        (folder / there).write_bytes(b"precious")
        wanted = {"kind": kind, "output": name}
        answer = own.post(f"projects/{clip}/renders", wanted)
        assert (answer.status_code, answer.json()["key"]) == (409, "server.exists")
        assert (folder / there).read_bytes() == b"precious"
    assert taken(own, clip, kind="cube", output="g.cube", overwrite=True)["files"]


def test_what_comes_while_a_grade_waits_is_kept(own: Page, clip: str) -> None:
    folder = own.app.folder.root
    project = own.app.projects.get(clip)
    taking = own.app.renders.taking(project, "cube", "late.cube", {})
    waiting = Render("late", project, taking, overwrite=False)
    (folder / "late.cube").write_bytes(b"precious")
    own.app.renders._work(waiting, Running())
    assert waiting.state == "failed"
    assert (folder / "late.cube").read_bytes() == b"precious"


def test_a_picture_is_of_what_was_asked_for_or_none(own: Page, clip: str) -> None:
    project = own.app.projects.get(clip)
    taking = own.app.renders.taking(project, "before_after", "asked.png", {"frame": 4})
    other = dataclasses.replace(taking, job={**taking.job, "caution": 200})
    waiting = Render("asked", project, other, overwrite=False)
    own.app.renders._work(waiting, Running())
    assert waiting.state == "failed"
    assert waiting.error is not None
    assert "opened anew" in waiting.error["detail"]
    assert not (own.app.folder.root / "asked.png").exists()
