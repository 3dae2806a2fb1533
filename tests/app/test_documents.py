"""The project beside the clip: saved whole, opened again, run by the command, and not torn between
tabs."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.app.conftest import begun, fill
from tests.app.page import Page, app_of, picture_of
from tests.support.commands import error_of, harmonize
from tests.support.scenes import decode, moving_scene, write_video
from vhmae.app.document import Document, new_document
from vhmae.app.refusals import Refused
from vhmae.cli.options import read_job_file
from vhmae.errors import InputError
from vhmae.grade.job import ExportJob
from vhmae.guide.reading import guide_from
from vhmae.work.job import HarmonizeJob
from vhmae.work.project import project_beside

POINT = {"frame": 4, "at": [45.0, 32.0], "is": "target", "to": "#8090a0"}
GUIDE = guide_from({"schema": 1, "points": [POINT]}, "guide").to_tree()


@pytest.fixture
def own(tmp_path: Path, bold_weights: Path) -> Iterator[Page]:
    """An app of a folder that nobody has touched."""
    app = app_of(fill(tmp_path / "own"), bold_weights)
    try:
        yield Page(app)
    finally:
        app.close()


def saved(page: Page, number: str, **changes: Any) -> dict[str, Any]:
    """Save a changed document; returns the answer."""
    facts = page.get(f"projects/{number}").json()
    document = {**facts["document"], **changes}
    answer = page.send(
        "PUT", f"projects/{number}/document", {"revision": facts["revision"], "document": document}
    )
    assert answer.status_code == 200, answer.text
    return answer.json()


def test_a_project_is_saved_beside_the_clip_and_opened_again(own: Page, bold_weights: Path) -> None:
    folder = own.app.folder.root
    number = own.opened(composite="clip.mkv", masks=["mask.mkv"])
    file = folder / "clip.vhmae.json"
    assert not file.exists()  # looking at a clip leaves nothing beside it
    job = own.get(f"projects/{number}").json()["document"]["job"]
    version = {"name": "first", "saved": "2026-01-01T00:00:00Z", "job": {}, "guide": GUIDE}
    told = saved(own, number, job={**job, "strength": 0.5}, guide=GUIDE, versions=[version])
    digest = own.get(f"projects/{number}").json()["digest"]
    assert told == {"revision": 2, "digest": digest, "restarted": False}
    tree = json.loads(file.read_text())
    assert (tree["schema"], tree["vhmae"]) == (1, "project")
    assert (tree["job"]["composite"], tree["job"]["masks"]) == ("clip.mkv", ["mask.mkv"])
    assert tree["job"]["strength"] == 0.5
    own.app.close()
    again = app_of(folder, bold_weights)
    try:
        page = Page(again)
        row = next(one for one in page.get("files").json()["entries"] if one["name"] == "clip.mkv")
        assert row["project"] == "clip.vhmae.json"
        found = page.opened(project="clip.vhmae.json")
        document = page.get(f"projects/{found}").json()["document"]
        assert document["guide"] == GUIDE
        assert document["versions"] == [version]
        by_clip = page.opened(composite="clip.mkv")
        assert by_clip == found
    finally:
        again.close()


def test_the_command_runs_the_project_as_the_app_shows_it(
    own: Page, bold_weights: Path, tmp_path: Path
) -> None:
    folder = own.app.folder.root
    number = own.opened(composite="clip.mkv", masks=["mask.mkv"])
    job = own.get(f"projects/{number}").json()["document"]["job"]
    saved(own, number, job={**job, "strength": 0.8, "keep": ["hue"]}, guide=GUIDE)
    out = tmp_path / "out.mkv"
    harmonize("--job", folder / "clip.vhmae.json", "-o", out)
    wanted = decode(out)
    project = own.app.projects.get(number)
    clip, guide = project.clip, project.document.guide
    with pytest.raises(Refused, match="moment"):
        clip.rendered(clip.reel.payload(4), guide, project.job)  # nobody has looked at frame 4
    project.ensure_looks([4])
    assert (
        np.concatenate([w[0] for w in wanted])
        != np.concatenate([w[0] for w in decode(folder / "clip.mkv")])
    ).any()
    for frame in (0, 4, 13, 29):
        image = clip.rendered(clip.reel.payload(frame), guide, project.job)
        for plane, other in zip(image.planes, wanted[frame], strict=True):
            np.testing.assert_array_equal(plane, other)
    # The guide alone, out of the project's file.
    by_guide = tmp_path / "by_guide.mkv"
    harmonize(
        folder / "clip.mkv", "--mask", folder / "mask.mkv", "--weights", bold_weights,
        "--device", "cpu", "--strength", "0.8", "--keep", "hue",
        "--guide", folder / "clip.vhmae.json", "-o", by_guide,
    )  # fmt: skip
    for planes, others in zip(decode(by_guide), wanted, strict=True):
        for plane, other in zip(planes, others, strict=True):
            np.testing.assert_array_equal(plane, other)


def test_other_commands_take_what_they_know_of_a_project(tmp_path: Path) -> None:
    tree = new_document({"composite": "c.mkv", "masks": ["m.mkv"], "crf": 12, "output": "o.mkv"})
    file = tmp_path / "sub" / "c.vhmae.json"
    file.parent.mkdir()
    file.write_text(json.dumps({**tree, "guide": GUIDE}))
    values = read_job_file(file, ExportJob)
    assert "crf" not in values
    assert values["composite"] == file.parent / "c.mkv"
    assert values["masks"] == (file.parent / "m.mkv",)
    assert values["guide"] == file
    assert read_job_file(file, HarmonizeJob)["crf"] == 12


@pytest.mark.parametrize(
    ("tree", "told"),
    [
        ({"schema": 2, "vhmae": "project", "job": {}}, "schema 2"),
        ({"schema": 1, "vhmae": "project", "job": []}, "expected options"),
        ({"schema": 1, "vhmae": "project", "job": {"composit": "x"}}, "composite?"),
        ({"schema": 1, "vhmae": "project", "job": {}, "guide": {"schema": 1, "x": 1}}, "'x'"),
    ],
)
def test_projects_that_cannot_be_are_refused_by_the_command(
    tree: dict[str, Any], told: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "c.vhmae.json"
    file.write_text(json.dumps(tree))
    line = error_of("harmonize", "--job", file, "-o", tmp_path / "o.mkv", capsys=capsys)
    assert told in line


def test_two_tabs_do_not_write_over_one_another(own: Page) -> None:
    number = own.opened(composite="clip.mkv", masks=["mask.mkv"])
    first = own.get(f"projects/{number}").json()
    other = Page(own.app)
    assert other.opened(composite="clip.mkv", masks=["mask.mkv"]) == number
    saved(other, number, guide=GUIDE)
    body = {"revision": first["revision"], "document": {**first["document"], "view": {"a": 1}}}
    late = own.send("PUT", f"projects/{number}/document", body)
    assert (late.status_code, late.json()["key"]) == (409, "server.revision")
    told = late.json()["values"]
    assert (told["revision"], told["mark"]) == (2, None)
    assert told["document"]["guide"] == GUIDE
    merged = {**told["document"], "view": {"a": 1}}
    body = {"revision": 2, "document": merged, "mark": "mine"}
    assert own.send("PUT", f"projects/{number}/document", body).json()["revision"] == 3
    again = own.send("PUT", f"projects/{number}/document", body)  # as if no answer had come
    assert (again.status_code, again.json()["values"]["mark"]) == (409, "mine")
    tree = json.loads((own.app.folder.root / "clip.vhmae.json").read_text())
    assert (tree["guide"], tree["view"]) == (GUIDE, {"a": 1})


def test_many_writers_leave_a_whole_file_and_lose_nothing(tmp_path: Path) -> None:
    document = Document(tmp_path / "c.vhmae.json", new_document({"composite": "c.mkv"}), False)
    won: list[int] = []

    def write(number: int) -> None:
        for _ in range(10):
            try:
                tree = {**document.shown, "view": {"by": number}}
                document.change(document.revision, tree)
                won.append(number)
            except Refused:
                continue

    threads = [threading.Thread(target=write, args=(number,)) for number in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert document.revision == 1 + len(won)
    tree = json.loads(document.path.read_text())
    assert tree["view"] == {"by": won[-1]} or tree["view"]["by"] in won
    assert [one.name for one in tmp_path.iterdir()] == ["c.vhmae.json"]


def test_another_program_that_writes_the_file_is_not_written_over(tmp_path: Path) -> None:
    path = tmp_path / "c.vhmae.json"
    document = Document(path, new_document({"composite": "c.mkv"}), False)
    document.change(1, document.shown)
    tree = json.loads(path.read_text())
    path.write_text(json.dumps({**tree, "view": {"by": "another"}}))
    with pytest.raises(Refused) as refused:
        document.change(2, {**document.shown, "view": {}})
    assert refused.value.values["document"]["view"] == {"by": "another"}


def test_what_the_server_keeps_is_not_the_pages_to_change(tmp_path: Path) -> None:
    document = Document(tmp_path / "c.vhmae.json", new_document({"composite": "c.mkv"}), False)
    document.keep("renders", [{"id": "x"}])
    assert "renders" not in document.shown
    document.change(1, {**document.shown, "view": {"a": 1}})
    assert document.own("renders") == [{"id": "x"}]
    with pytest.raises(InputError, match="unknown"):
        document.change(2, {**document.shown, "renders": []})


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"job": {"composite": "clip.mkv", "strenth": 1}}, "strength?"),
        ({"job": {"composite": "clip.mkv", "strength": 2}}, "strength"),
        ({"job": {"composite": "clip.mkv", "guide": "g.json"}}, "guide"),
        ({"job": {"composite": "clip.mkv", "dial": ["exposure=1"]}}, "dial"),
        ({"job": {"composite": "clip.mkv", "move": "sideways"}}, "expected foreground"),
        ({"job": {}}, "composite"),
        ({"job": 3}, "job"),
        ({"guide": {"schema": 1, "points": [{}]}}, "at"),
        ({"versions": [{"guide": GUIDE}]}, "versions"),
        ({"versions": [{"name": "first", "guide": GUIDE}]}, "saved"),
        ({"view": {"a": "x" * 20_000}}, "view"),
        ({"more": 1}, "more"),
    ],
)
def test_documents_that_cannot_be_are_refused_and_not_saved(
    change: dict[str, Any], told: str, page: Page
) -> None:
    number = page.opened(composite="clip.mkv", masks=["mask.mkv"])
    facts = page.get(f"projects/{number}").json()
    document = {**facts["document"], **change}
    body = {"revision": facts["revision"], "document": document}
    answer = page.send("PUT", f"projects/{number}/document", body)
    assert answer.status_code in (400, 422), answer.text
    assert told in answer.text
    assert page.get(f"projects/{number}").json()["document"] == facts["document"]


def test_options_that_the_network_sees_read_the_clip_anew(own: Page) -> None:
    number = own.opened(composite="clip.mkv", masks=["mask.mkv"])
    job = own.get(f"projects/{number}").json()["document"]["job"]
    for name, value, restarted in (
        ("strength", 0.5, False),
        ("crf", 12, False),
        ("caution", 0.0, True),
        ("quality", "best", True),
    ):
        job = {**job, name: value}
        assert saved(own, number, job=job)["restarted"] is restarted, name
        assert own.settled(number)["state"] == "ready"
    shown = picture_of(own.get(f"projects/{number}/rendered/3"))
    assert shown.shape == (64, 96, 3)


def test_clips_of_one_name_have_projects_of_their_own(own: Page) -> None:
    folder = own.app.folder.root
    (folder / "clip.mov").write_bytes((folder / "clip.mkv").read_bytes())
    one = own.opened(composite="clip.mkv", masks=["mask.mkv"])
    saved(own, one, guide=GUIDE)
    two = own.opened(composite="clip.mov", masks=["mask.mkv"])
    assert two != one
    saved(own, two, view={"a": 1})
    names = sorted(file.name for file in folder.glob("*.vhmae.json"))
    assert names == ["clip.mov.vhmae.json", "clip.vhmae.json"]


def test_files_of_other_folders_are_told_from_the_project(own: Page) -> None:
    folder = own.app.folder.root
    (folder / "short.mkv").write_bytes((folder / "sub" / "matte.mkv").read_bytes())
    number = own.opened(composite="sub/other.mkv", masks=["short.mkv"])
    job = own.get(f"projects/{number}").json()["document"]["job"]
    assert (job["composite"], job["masks"]) == ("other.mkv", ["../short.mkv"])
    told = own.get(f"projects/{number}/path", params={"of": "clip.mkv"}).json()
    assert told == {"path": "../clip.mkv"}


@pytest.mark.parametrize(
    ("wanted", "changed"),
    [
        ({"composite": "clip.mp4", "masks": ["mask.mp4"]}, {"strength": 0.5}),
        (
            {
                "foreground": "mask.mp4",
                "background": "clip.mp4",
                "placement": {"position": [0.0, 0.0], "scale": 1.0},
            },
            {"position": [120.0, 40.0], "scale": 0.5},
        ),
    ],
)
@pytest.mark.parametrize("is_closed", [True, False])
def test_what_was_saved_is_kept_when_a_clip_is_brought_again(
    wanted: dict[str, Any], changed: dict[str, Any], is_closed: bool, stubbed: Page
) -> None:
    number = begun(stubbed, **wanted)
    job = stubbed.get(f"projects/{number}").json()["document"]["job"]
    saved(stubbed, number, job={**job, **changed})
    kept = stubbed.get(f"projects/{number}").json()["document"]["job"]
    assert changed.items() <= kept.items()
    if is_closed:
        stubbed.send("DELETE", f"projects/{number}")
    assert begun(stubbed, **{**wanted, "masks": []}) == number
    assert stubbed.get(f"projects/{number}").json()["document"]["job"] == kept


@pytest.mark.parametrize("spoilt", ['{"x": NaN}', '{"x": 1e999}', '{"x": "\\ud83d"}'])
def test_what_json_does_not_know_is_refused_wherever_it_comes_from(
    spoilt: str, stubbed: Page
) -> None:
    number = begun(stubbed)
    facts = stubbed.get(f"projects/{number}").json()
    text = json.dumps({"revision": 1, "document": {**facts["document"], "view": "SPOILT"}})
    text = text.replace('"SPOILT"', spoilt)
    json_type = {"content-type": "application/json"}
    path = f"projects/{number}/document"
    answer = stubbed.send("PUT", path, content=text, headers=json_type)
    assert (answer.status_code, "JSON" in answer.json()["detail"]) == (400, True)
    assert stubbed.get(f"projects/{number}").status_code == 200
    tree = json.dumps({**facts["document"], "view": "SPOILT"}).replace('"SPOILT"', spoilt)
    (stubbed.app.folder.root / "other.vhmae.json").write_text(tree)
    opened = stubbed.post("projects", {"project": "other.vhmae.json"})
    assert (opened.status_code, "JSON" in opened.json()["detail"]) == (400, True)
    options = f'{{"kind": "matte", "options": {spoilt.replace("x", "key")}}}'
    asked = stubbed.send("POST", f"projects/{number}/renders", content=options, headers=json_type)
    assert asked.status_code == 400, asked.text
    assert stubbed.get("renders").json() == []


def test_a_document_of_many_versions_can_be_saved(stubbed: Page) -> None:
    number = begun(stubbed)
    versions = [
        {
            "name": "name",
            "saved": "2026-01-01T00:00:00Z",
            "job": {},
            "guide": {
                "schema": 1,
                "points": [POINT] * 60,
            },
        }
        for _ in range(450)
    ]
    assert len(json.dumps(versions)) > 1_500_000
    saved(stubbed, number, versions=versions)
    stubbed.send("DELETE", f"projects/{number}")
    assert begun(stubbed) == number
    document = stubbed.get(f"projects/{number}").json()["document"]
    assert len(document["versions"]) == 450
    text = "a" * 21_000_000
    answer = stubbed.send("PUT", f"projects/{number}/document", content=text)
    assert answer.status_code == 413


def test_guides_that_leave_out_what_is_usual_are_told_in_full(stubbed: Page) -> None:
    root = stubbed.app.folder.root
    part = {"schema": 1, "points": [POINT]}
    tree = {
        "schema": 1,
        "vhmae": "project",
        "guide": part,
        "job": {"composite": "clip.mp4", "masks": ["mask.mp4"]},
        "versions": [{"name": "first", "saved": "2026-01-01T00:00:00Z", "guide": part}],
    }
    (root / "clip.vhmae.json").write_text(json.dumps(tree))
    number = begun(stubbed, project="clip.vhmae.json")
    whole = {"schema", "points", "choices", "dials", "shots"}

    def check() -> None:
        document = stubbed.get(f"projects/{number}").json()["document"]
        (version,) = document["versions"]
        for guide in (document["guide"], version["guide"]):
            assert guide.keys() == whole
            assert guide["points"] == [POINT]
        assert version["job"] == {}

    check()
    saved(stubbed, number, guide=part, versions=tree["versions"])  # by another program
    check()


def test_a_file_that_came_meanwhile_is_not_written_over(tmp_path: Path) -> None:
    path = tmp_path / "c.vhmae.json"
    late, asked = (Document(path, new_document({"composite": "c.mkv"}), False) for _ in range(2))
    first = Document(path, new_document({"composite": "c.mkv"}), False)
    first.change(1, {**first.shown, "view": {"by": "another"}})
    with pytest.raises(Refused) as refused:
        late.change(1, {**late.shown, "view": {}})
    assert refused.value.values["document"]["view"] == {"by": "another"}
    asked.ensure_saved()
    assert json.loads(path.read_text())["view"] == {"by": "another"}


def test_what_is_changed_while_a_clip_opens_is_opened(own: Page) -> None:
    gate = threading.Event()
    own.app.worker.ask(0, gate.wait)  # the network is busy
    try:
        folder = own.app.folder.root
        (folder / "black.mkv").write_bytes((folder / "mask.mkv").read_bytes())
        number = begun(own, composite="clip.mkv", masks=["mask.mkv"])
        job = own.get(f"projects/{number}").json()["document"]["job"]
        assert not saved(own, number, job={**job, "masks": ["black.mkv"]})["restarted"]
        gate.set()
        assert own.settled(number)["state"] == "ready"
        assert own.app.projects.get(number).clip.job.masks == (folder / "black.mkv",)
    finally:
        gate.set()


def test_a_matte_that_was_made_anew_is_read_anew(own: Page) -> None:
    folder = own.app.folder.root
    number = own.opened(composite="sub/other.mkv", masks=["sub/matte.mkv"])
    project = own.app.projects.get(number)
    before = project.clip
    job = own.get(f"projects/{number}").json()["document"]["job"]
    assert saved(own, number, job=job)["restarted"] is False
    white = moving_scene(10, 96, 64)[1].astype(np.uint8) * 255
    write_video(folder / "sub" / "matte.mkv", white[:, ::-1], pix_fmt="yuv444p")
    assert saved(own, number, job=job)["restarted"] is True
    assert own.settled(number)["state"] == "ready"
    write_video(folder / "sub" / "matte.mkv", white, pix_fmt="yuv444p")
    assert own.opened(composite="sub/other.mkv", masks=["sub/matte.mkv"]) == number
    assert project.clip is not before
    shown = picture_of(own.get(f"projects/{number}/frames/3/matte"))
    np.testing.assert_array_equal(shown > 127, white[3] > 127)


def test_a_project_lies_beside_its_clip() -> None:
    for clip, project in (
        ("a/clip.mp4", "a/clip.vhmae.json"),
        ("a/shot.%04d.png", "a/shot.04d.vhmae.json"),
        ("clip.tar.mov", "clip.tar.vhmae.json"),
    ):
        assert project_beside(Path(clip)) == Path(project)


def test_layers_of_like_names_have_projects_of_their_own(stubbed: Page) -> None:
    root = stubbed.app.folder.root
    for name in ("bg1/street.mp4", "bg2/street.mp4", "front.mov", "front.mkv"):
        (root / name).parent.mkdir(exist_ok=True)
        (root / name).write_bytes(name.encode())
    pairs = [
        (back, front)
        for back in ("bg1/street.mp4", "bg2/street.mp4")
        for front in ("front.mov", "front.mkv")
    ]
    found: dict[tuple[str, str], str] = {}
    for _ in range(2):  # the second time each finds its own
        for back, front in pairs:
            answer = stubbed.post("projects", {"background": back, "foreground": front})
            assert answer.status_code == 201, answer.text
            job = answer.json()["document"]["job"]
            assert (job["composite"], job["foreground"]) == (back, front)
            number = found.setdefault((back, front), answer.json()["id"])
            assert number == answer.json()["id"]
    assert len(set(found.values())) == 4
