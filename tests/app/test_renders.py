"""What is taken away: by a queue, the same as by the command that is shown, and whole or not at
all."""

from __future__ import annotations

import json
import os
import shlex
import shutil
import threading
import zipfile
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest

from tests.app.conftest import GUIDE, begun, fill, taken
from tests.app.page import Page, app_of, picture_of, waited
from tests.support.pictures import read_picture
from tests.support.scenes import decode, moving_scene, packets, write_video
from vhmae.app import renders
from vhmae.app.folder import VIDEOS
from vhmae.app.renders import Render, Renders, command_of
from vhmae.app.taking import Running
from vhmae.cli import main
from vhmae.color.lut import read_cube
from vhmae.grade.export import SUFFIXES
from vhmae.guide.reading import read_guide
from vhmae.partial_output import resume_folder
from vhmae.video.containers import CONTAINERS


def same_video(one: Path, other: Path) -> None:
    for planes, others in zip(decode(one), decode(other), strict=True):
        for plane, wanted in zip(planes, others, strict=True):
            np.testing.assert_array_equal(plane, wanted)
    with av.open(str(one)) as a, av.open(str(other)) as b:
        assert [f.pts for f in a.decode(video=0)] == [f.pts for f in b.decode(video=0)]
    assert packets(one, "audio") == packets(other, "audio") != []


def test_a_render_is_what_the_shown_command_writes(
    own: Page, clip: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = own.app.folder.root
    told = own.post(f"projects/{clip}/command", {"kind": "video"}).json()
    made = taken(own, clip, kind="video")
    assert made["command"] == told["command"]
    assert made["files"] == made["from_project"] == ["clip.harmonized.mkv"]
    assert (made["done"], made["total"], made["warnings"][:0]) == (30, 30, [])
    assert made["report"]["guide"]["points"][0]["at"] == [45.0, 32.0]
    written = folder / "clip.harmonized.mkv"
    kept = folder.parent / "kept.mkv"
    shutil.move(written, kept)
    monkeypatch.chdir(folder / told["folder"])
    for command in (told["command"], told["job"]):
        words = shlex.split(command)
        assert words[:2] == ["vhmae", "harmonize"]
        assert main([*words[1:], "-q"]) == 0
        same_video(written, kept)
        written.unlink()
    leftover = [one.name for one in folder.iterdir() if one.name.startswith(".clip")]
    assert leftover == []


def test_what_is_there_is_replaced_only_when_told(own: Page, clip: str) -> None:
    folder = own.app.folder.root
    (folder / "there.mkv").write_bytes(b"precious")
    wanted = {"kind": "video", "output": "there.mkv"}
    answer = own.post(f"projects/{clip}/renders", wanted)
    assert (answer.status_code, answer.json()["key"]) == (409, "server.exists")
    assert (folder / "there.mkv").read_bytes() == b"precious"
    over_input = {"kind": "video", "output": "clip.mkv", "overwrite": True}
    answer = own.post(f"projects/{clip}/renders", over_input)
    assert answer.status_code == 400
    assert "input" in answer.json()["detail"]
    assert decode(folder / "clip.mkv")


@pytest.mark.parametrize(
    ("wanted", "told"),
    [
        ({"kind": "film"}, "unknown kind"),
        ({"kind": "video", "options": {"crff": 3}}, "crff"),
        ({"kind": "video", "options": {"crf": "much"}}, "crf"),
        ({"kind": "video", "options": {"codec": "libx264", "crf": 80}}, "crf"),
        ({"kind": "video", "options": {"codec": "nothing"}}, "nothing"),
        ({"kind": "video", "options": {"preset": "swift"}}, "preset"),
        ({"kind": "video", "output": "film.xyz"}, "film.xyz"),
        ({"kind": "layer", "options": {"codec": "libx264"}}, "alpha"),
        ({"kind": "cube", "options": {"crf": 3}}, "crf"),
        ({"kind": "cube", "options": {"key_frames": "many"}}, "key_frames"),
        ({"kind": "cube", "options": {"key_frames": -1}}, "key_frames -1: expected 1 or more"),
        ({"kind": "before_after", "options": {"clip": True, "lines": "abc"}}, "lines"),
        ({"kind": "bundle", "options": {"frame": True}}, "frame"),
        ({"kind": "matte", "options": {"way": "by hand"}}, "chroma, salient, rvm"),
    ],
)
def test_what_cannot_be_made_is_refused_at_once(
    wanted: dict[str, Any], told: str, own: Page, clip: str
) -> None:
    answer = own.post(f"projects/{clip}/renders", wanted)
    assert answer.status_code == 400
    assert told in answer.json()["detail"]


def test_the_queue_is_one_after_the_other_and_can_be_cancelled(own: Page, clip: str) -> None:
    first = own.post(f"projects/{clip}/renders", {"kind": "video", "output": "a.mkv"}).json()
    second = own.post(f"projects/{clip}/renders", {"kind": "video", "output": "b.mkv"}).json()
    twice = own.post(f"projects/{clip}/renders", {"kind": "video", "output": "b.mkv"})
    assert twice.json()["key"] == "server.busy"
    assert own.send("DELETE", f"projects/{clip}").json()["key"] == "server.exporting"
    assert clip in {one["id"] for one in own.get("projects").json()}
    assert own.post(f"renders/{second['id']}/cancel").json()["state"] == "cancelled"
    assert own.post(f"renders/{first['id']}/cancel").status_code == 200
    assert own.rendered(first["id"])["state"] == "cancelled"
    folder = own.app.folder.root
    assert not (folder / "a.mkv").exists()
    kept = json.loads((folder / "clip.vhmae.json").read_text())["renders"]
    assert {row["id"] for row in kept} >= {first["id"], second["id"]}
    assert own.post(f"renders/{first['id']}/resume").json()["state"] in ("waiting", "running")
    assert own.rendered(first["id"])["state"] == "done"
    assert (folder / "a.mkv").exists()
    assert own.post(f"renders/{first['id']}/resume").json()["key"] == "server.not-resumable"
    download = own.get(f"renders/{first['id']}/files/0")
    assert download.content == (folder / "a.mkv").read_bytes()
    assert "attachment" in download.headers["content-disposition"]
    assert own.get(f"renders/{first['id']}/files/1").status_code == 404
    assert own.send("DELETE", f"renders/{second['id']}").status_code == 204
    assert own.get(f"renders/{second['id']}/files/0").json()["key"] == "server.no-render"
    assert "renders" not in json.loads((folder / "clip.vhmae.json").read_text()) or not any(
        row["id"] == second["id"]
        for row in json.loads((folder / "clip.vhmae.json").read_text())["renders"]
    )


@pytest.mark.parametrize(
    "kind", ["cdl", *(pytest.param(k, marks=pytest.mark.long) for k in ("dctl", "edl", "otio"))]
)
def test_grades_are_those_of_the_shown_command(
    kind: str, own: Page, clip: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = taken(own, clip, kind=kind)
    files = [own.app.folder.root / name for name in made["files"]]
    assert {file.suffix for file in files} & set(SUFFIXES[kind])
    kept = {file: file.read_bytes() for file in files}
    assert all(kept.values())
    monkeypatch.chdir(own.app.folder.root)
    words = shlex.split(made["command"])
    assert words[:3] == ["vhmae", "export", kind]
    assert main([*words[1:], "-q"]) == 0
    assert {file: file.read_bytes() for file in files} == kept


def test_grades_hold_the_guide(own: Page, clip: str) -> None:
    made = taken(own, clip, kind="cube", output="guided.cube")
    assert made["command"].startswith("vhmae export cube clip.mkv")
    path = own.app.folder.root / made["files"][0]
    lut = read_cube(path)
    point = own.heard(clip, GUIDE, 4)["points"][0]
    before = np.array(point["composite"]) / 255.0
    import torch

    graded = lut(torch.tensor(before, dtype=torch.float32)[None])[0].numpy() * 255.0
    assert np.abs(graded - point["got"]).max() < 40  # the map of a whole shot
    assert np.abs(graded - 255 * before).max() > 5


def test_a_layer_has_alpha(own: Page, clip: str) -> None:
    made = taken(own, clip, kind="layer", output="layer.mkv")
    with av.open(str(own.app.folder.root / made["files"][0])) as container:
        frame = next(container.decode(video=0))
    assert "a" in frame.format.name
    alpha = frame.to_ndarray(format="rgba")[..., 3]
    assert (alpha[moving_scene(30, 96, 64)[1][0]] == 255).mean() > 0.95


def test_before_and_after_to_show(own: Page, clip: str) -> None:
    made = taken(own, clip, kind="before_after", options={"frame": 4})
    sheet = read_picture(own.app.folder.root / made["files"][0])[..., ::-1]
    params = {"size": "full", "as": "exact"}
    before = picture_of(own.get(f"projects/{clip}/frames/4", params=params))
    after = picture_of(own.get(f"projects/{clip}/rendered/4", params={"size": "full"}))
    np.testing.assert_array_equal(sheet[:, :96], before)
    np.testing.assert_array_equal(sheet[:, -96:], after)
    assert np.abs(before.astype(int) - after).max() > 5
    film = taken(own, clip, kind="before_after", options={"clip": True})
    shown = own.app.folder.root / film["files"][0]
    with av.open(str(shown)) as container:
        frames = [frame.to_ndarray(format="rgb24") for frame in container.decode(video=0)]
    assert len(frames) == 30
    assert frames[4].shape == (64, 198, 3)
    assert np.abs(frames[4][:, -96:].astype(int) - after).mean() < 12
    wrong = own.post(f"projects/{clip}/renders", {"kind": "before_after", "output": "x.txt"})
    assert own.rendered(wrong.json()["id"])["state"] == "failed"


def test_a_bundle_holds_no_footage(own: Page, clip: str, tmp_path: Path) -> None:
    made = taken(own, clip, kind="bundle", options={"frame": 4})
    path = own.app.folder.root / made["files"][0]
    with zipfile.ZipFile(path) as archive:
        assert sorted(archive.namelist()) == [
            "clip.after.png",
            "clip.before.png",
            "clip.cube",
            "clip.guide.json",
        ]
        archive.extractall(tmp_path)
    assert read_guide(tmp_path / "clip.guide.json").to_tree()["points"] == GUIDE["points"]
    assert read_cube(tmp_path / "clip.cube")


def test_a_green_screen_is_cut_out(own: Page) -> None:
    folder = own.app.folder.root
    pictures, masks = moving_scene(6, 96, 64)
    pictures[~masks] = (20, 200, 30)
    write_video(folder / "green.mkv", pictures)
    shutil.copy(folder / "sub" / "other.mkv", folder / "behind.mkv")
    number = own.opened(composite="sub/other.mkv", masks=["sub/matte.mkv"])
    wrong = {"kind": "matte", "options": {"of": "foreground"}}
    answer = own.post(f"projects/{number}/renders", wrong)
    assert own.rendered(answer.json()["id"])["state"] == "failed"
    green = own.post("projects", {"composite": "green.mkv", "masks": []}).json()["id"]
    assert own.settled(green)["state"] == "failed"  # it has no mask yet
    made = taken(own, green, kind="matte", options={"way": "chroma", "key": "green"})
    assert made["from_project"] == ["green.matte.mkv"]
    number = own.opened(composite="green.mkv", masks=made["files"])
    matte = picture_of(own.get(f"projects/{number}/frames/3/matte", params={"size": "full"}))
    assert ((matte > 127) == masks[3]).mean() > 0.95


def test_a_part_hears_what_is_said_outside_of_it(own: Page, clip: str) -> None:
    made = taken(own, clip, kind="video", output="part.mkv", options={"end": 0.1})  # said at 4
    assert made["done"] == 3
    (row,) = made["report"]["guided"]
    assert (row["point"], row["shot"]) == (1, 1)


def test_trouble_ends_one_entry_and_not_the_queue(own: Page, clip: str) -> None:
    wrong = {"kind": "matte", "output": "no.mkv", "options": {"of": "foreground"}}
    failed = own.rendered(own.post(f"projects/{clip}/renders", wrong).json()["id"])
    assert failed["state"] == "failed"
    assert "two layers" in failed["error"]["detail"]
    assert str(own.app.folder.root) not in json.dumps(failed)
    assert taken(own, clip, kind="before_after", output="ok.png", options={"frame": 1})
    assert not [name for name in os.listdir(own.app.folder.root) if name.startswith("no.mkv")]


def test_an_entry_of_a_closed_clip_is_resumed_once_the_clip_is_open_again(
    own: Page, clip: str
) -> None:
    added = own.post(f"projects/{clip}/renders", {"kind": "video", "output": "again.mkv"}).json()
    own.post(f"renders/{added['id']}/cancel")
    assert own.rendered(added["id"])["state"] == "cancelled"
    assert own.send("DELETE", f"projects/{clip}").status_code == 204
    answer = own.post(f"renders/{added['id']}/resume")
    assert (answer.status_code, answer.json()["key"]) == (404, "server.no-project")
    assert own.entry(added["id"])["state"] == "cancelled"
    assert own.opened(composite="clip.mkv", masks=["mask.mkv"]) == clip
    assert own.post(f"renders/{added['id']}/resume").status_code == 200
    assert own.rendered(added["id"])["state"] == "done"


def test_entries_wait_for_a_project_that_is_opened_again(
    tmp_path: Path, bold_weights: Path
) -> None:
    folder = fill(tmp_path / "own")
    app = app_of(folder, bold_weights)
    page = Page(app)
    number = page.opened(composite="clip.mkv", masks=["mask.mkv"])
    ids = []
    for name in ("a.mkv", "b.mkv"):
        added = page.post(f"projects/{number}/renders", {"kind": "video", "output": name})
        ids.append(added.json()["id"])
    app.close()
    app = app_of(folder, bold_weights)
    try:
        page = Page(app)
        assert page.get("renders").json() == []
        page.opened(composite="clip.mkv", masks=["mask.mkv"])
        rows = page.get("renders").json()
        assert [(row["id"], row["state"]) for row in rows] == [(one, "stopped") for one in ids]
        page.post(f"renders/{ids[0]}/resume")
        assert waited(lambda: page.entry(ids[0]), "done", "failed")["state"] == "done"
    finally:
        app.close()


# --- the queue alone


@pytest.fixture
def halfway(gate: threading.Event, monkeypatch: pytest.MonkeyPatch) -> None:
    """Has what is rendered wait, with something half written, until the gate is open."""

    def take(
        project: Any, taking: Any, overwrite: bool, running: Running, advance: Any
    ) -> dict[str, Any]:
        parts = resume_folder(taking.output)
        parts.mkdir(exist_ok=True)
        (parts / "0").write_text("half")
        while not gate.wait(0.01):
            running.check()
        return {"files": [str(taking.output)]}

    monkeypatch.setattr(renders, "take", take)


@pytest.mark.parametrize("error", [ValueError("odd"), KeyError("odd"), RuntimeError("odd")])
def test_no_error_ends_the_queue(
    error: Exception, stubbed: Page, monkeypatch: pytest.MonkeyPatch
) -> None:
    number = begun(stubbed)
    fails = [True]

    def take(*_: Any) -> dict[str, Any]:
        if fails.pop():
            raise error
        return {"files": []}

    monkeypatch.setattr(renders, "take", take)
    plain = Renders._keep

    def keep(self: Renders, project: Any) -> None:
        plain(self, project)
        if threading.current_thread() is self._thread and not fails:
            raise error

    monkeypatch.setattr(Renders, "_keep", keep)
    for output, state in (("a.mp4", "failed"), ("b.mp4", "done"), ("c.mp4", "done")):
        added = stubbed.post(f"projects/{number}/renders", {"kind": "video", "output": output})
        found = stubbed.rendered(added.json()["id"])
        assert found["state"] == state, found
        assert state == "done" or "odd" in found["error"]["detail"]
        fails.append(False)


@pytest.mark.usefixtures("halfway")
def test_what_is_left_out_takes_nothing_of_its_twin_with_it(stubbed: Page) -> None:
    number = begun(stubbed)
    parts = resume_folder(stubbed.app.folder.root / "clip.harmonized.mp4")

    def added() -> str:
        found: str = stubbed.post(f"projects/{number}/renders", {"kind": "video"}).json()["id"]
        waited(lambda: stubbed.entry(found), "running")
        while not (parts / "0").exists():
            assert stubbed.entry(found)["state"] == "running"
        return found

    first = added()
    stubbed.post(f"renders/{first}/cancel")
    assert stubbed.rendered(first)["state"] == "cancelled"
    second = added()
    again = stubbed.post(f"renders/{first}/resume")
    assert (again.status_code, again.json()["key"]) == (409, "server.busy")
    assert stubbed.send("DELETE", f"renders/{first}").status_code == 204
    assert (parts / "0").exists()
    stubbed.post(f"renders/{second}/cancel")
    assert stubbed.rendered(second)["state"] == "cancelled"
    assert (parts / "0").exists()
    assert stubbed.send("DELETE", f"renders/{second}").status_code == 204
    assert not parts.exists()


@pytest.mark.parametrize(
    "rows",
    [
        5,
        [7],
        [{"id": "zz"}],
        [{"kind": "video", "job": {"nonsense": 1}}],
        [{"kind": "video", "guide": {"schema": 1, "points": 3}}],
        [{"kind": "matte", "options": ["way"]}],
    ],
)
def test_damaged_entries_of_a_project_are_left_out(rows: Any, stubbed: Page) -> None:
    usual = {
        "id": "zz",
        "kind": "video",
        "output": "a.mp4",
        "options": {},
        "overwrite": False,
        "job": {"composite": "clip.mp4", "masks": ["mask.mp4"]},
        "guide": {"schema": 1},
    }
    if isinstance(rows, list):
        rows = [
            {**usual, **row} if isinstance(row, dict) and "kind" in row else row for row in rows
        ]
        rows.append({**usual, "id": "whole"})
    number = begun(stubbed)
    facts = stubbed.get(f"projects/{number}").json()
    tree = {**facts["document"], "renders": rows}
    (stubbed.app.folder.root / "other.vhmae.json").write_text(json.dumps(tree))
    begun(stubbed, project="other.vhmae.json")
    found = [one["id"] for one in stubbed.get("renders").json()]
    assert found == (["whole"] if isinstance(rows, list) else [])


def test_the_queue_is_told_while_it_changes(stubbed: Page, monkeypatch: pytest.MonkeyPatch) -> None:
    number = begun(stubbed)
    project, queue = stubbed.app.projects.get(number), stubbed.app.renders
    monkeypatch.setattr(renders, "take", lambda *_: {"files": []})
    plain, grown = Render.tree, list[Render]()

    def tree(self: Render) -> dict[str, Any]:
        if not grown:
            grown.append(self)
            queue.add(project, queue.taking(project, "video", "more.mp4", {}), False)
        return plain(self)

    queue.add(project, queue.taking(project, "video", "first.mp4", {}), False)
    monkeypatch.setattr(Render, "tree", tree)
    assert len(queue.list()) >= 1
    assert len(queue.list()) == 2


@pytest.mark.parametrize(
    ("clip", "output", "words"),
    [
        ("my clip.mp4", None, ["my clip.mp4", "my clip.vhmae.json", "my clip.harmonized.mp4"]),
        ("clip.mp4", "sub/a.mp4", ["clip.mp4", "clip.vhmae.json", "sub/a.mp4"]),
        ("-x.mp4", None, ["./-x.mp4", "./-x.vhmae.json", "./-x.harmonized.mp4"]),
    ],
)
def test_commands_name_files_as_a_shell_and_a_command_take_them(
    clip: str, output: str | None, words: list[str], stubbed: Page
) -> None:
    root = stubbed.app.folder.root
    (root / clip).write_bytes(b"x")
    (root / "sub").mkdir()
    number = begun(stubbed, composite=clip, masks=["mask.mp4"])
    told = stubbed.post(f"projects/{number}/command", {"kind": "video", "output": output}).json()
    composite, project, written = words
    by_job = ["vhmae", "harmonize", "--job", project, "-o", written]
    assert shlex.split(told["job"]) == by_job
    whole = shlex.split(told["command"])
    assert whole == ["vhmae", "harmonize", composite, "--mask", "mask.mp4", "-o", written]


def test_a_line_that_would_do_something_else_by_now_is_not_shown(stubbed: Page) -> None:
    number = begun(stubbed)
    project, queue = stubbed.app.projects.get(number), stubbed.app.renders

    def exposed(stops: float) -> None:
        tree = {**project.document.shown, "guide": {"schema": 1, "dials": {"exposure": stops}}}
        project.document.change(project.document.revision, tree)

    exposed(0.2)
    first = queue.taking(project, "video", "first.mp4", {})
    assert "--guide clip.vhmae.json" in command_of(project, first)
    exposed(-1.0)
    assert command_of(project, first) == ""
    assert command_of(project, queue.taking(project, "video", "second.mp4", {})) != ""


@pytest.mark.parametrize("suffix", VIDEOS)
def test_the_usual_output_can_be_written(suffix: str, stubbed: Page) -> None:
    (stubbed.app.folder.root / f"a{suffix}").write_bytes(b"x")
    number = begun(stubbed, composite=f"a{suffix}", masks=["mask.mp4"])
    output = stubbed.app.projects.get(number).job.output
    assert output.suffix in CONTAINERS
    assert suffix not in CONTAINERS or output.suffix == suffix


def test_mattes_made_in_other_ways_are_other_files(stubbed: Page) -> None:
    project, queue = stubbed.app.projects.get(begun(stubbed)), stubbed.app.renders
    names = {
        queue.taking(project, "matte", None, {"way": way}).output.name
        for way in ("chroma", "salient", "rvm")
    }
    assert names == {"clip.matte.mkv", "clip.matte-salient.mkv", "clip.matte-rvm.mkv"}
