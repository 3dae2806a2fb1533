"""Where projects lie: each clip's beside it, whatever clips of like names there are."""

from __future__ import annotations

import json
import shlex
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from tests.app.conftest import begun, taken
from tests.app.page import Page
from tests.support.scenes import moving_scene
from vhmae.app.commands import Place
from vhmae.cli.options import read_job_file
from vhmae.work.job import HarmonizeJob
from vhmae.work.project import places_of


def exposed(page: Page, number: str, stops: float) -> None:
    """Say something of a clip, and save it."""
    facts = page.get(f"projects/{number}").json()
    guide = {"schema": 1, "dials": {"exposure": stops}}
    body = {"revision": facts["revision"], "document": {**facts["document"], "guide": guide}}
    assert page.send("PUT", f"projects/{number}/document", body).status_code == 200


def listed(page: Page) -> dict[str, Any]:
    return {row["name"]: row for row in page.get("files").json()["entries"]}


def write_pictures(folder: Path, name: str, count: int = 3) -> None:
    for number in range(1, count + 1):
        cv2.imwrite(str(folder / (name % number)), np.full((8, 8, 3), 90, np.uint8))


@pytest.mark.parametrize(
    "names",
    [
        ("plate.%04d.png", "plate.%04d.jpg"),
        ("x 1.mp4", "x% 1.mp4"),
        ("x 1.mp4", "x% 1.mkv"),
        ("take.mp4", "take.mov", "take%.mov"),
    ],
)
def test_clips_of_like_names_have_projects_of_their_own(
    names: tuple[str, ...], stubbed: Page
) -> None:
    root = stubbed.app.folder.root
    for name in names:
        if name.endswith(("png", "jpg")):
            write_pictures(root, name)
        else:
            (root / name).write_bytes(b"x")
    opened = {name: begun(stubbed, composite=name, masks=["mask.mp4"]) for name in names}
    assert len(set(opened.values())) == len(names)
    for stops, number in enumerate(opened.values(), 1):
        exposed(stubbed, number, stops / 2)
    for stops, (name, number) in enumerate(opened.items(), 1):
        stubbed.send("DELETE", f"projects/{number}")
        beside = listed(stubbed)[name]["project"]
        tree = json.loads((root / beside).read_text())
        assert (tree["job"]["composite"], tree["guide"]["dials"]["exposure"]) == (name, stops / 2)
        assert begun(stubbed, composite=name, masks=[]) == number


def test_a_clip_is_not_listed_with_the_project_of_another(stubbed: Page) -> None:
    (stubbed.app.folder.root / "clip.mov").write_bytes(b"x")
    exposed(stubbed, begun(stubbed), 0.5)
    rows = listed(stubbed)
    assert rows["clip.mp4"]["project"] == "clip.vhmae.json"
    assert rows["clip.mov"]["project"] is None


def test_a_sequence_whose_name_has_a_percent_sign_can_be_opened(own: Page) -> None:
    write_pictures(own.app.folder.root, "p 50%% %04d.png")
    row = listed(own)["p 50% %04d.png"]
    assert row["frames"] == 3
    assert own.get("files/glance", params={"path": row["path"]}).status_code == 200


def test_a_line_to_copy_says_no_more_of_places_than_it_has_to(stubbed: Page) -> None:
    root = stubbed.app.folder.root
    (root / "shots").mkdir()
    (root / "shots" / "a.mp4").write_bytes(b"x")
    number = begun(stubbed, composite="shots/a.mp4", masks=["mask.mp4"])
    answer = stubbed.post(f"projects/{number}/command", {"kind": "video"}).json()
    words = shlex.split(answer["command"])
    assert words == ["vhmae", "harmonize", "a.mp4", "--mask", "../mask.mp4", "-o", words[-1]]
    assert (answer["folder"], words[-1]) == ("shots", "a.harmonized.mp4")


def test_a_clip_that_was_sent_is_called_as_its_file_was(own: Page) -> None:
    data = (own.app.folder.root / "sub" / "other.mkv").read_bytes()
    number = own.post("uploads", {"name": "my film.mkv", "bytes": len(data)}).json()["upload"]
    sent = own.send("PUT", f"uploads/{number}?offset=0", content=data).json()["path"]
    answer = own.post("projects", {"composite": sent, "masks": ["sub/matte.mkv"]}).json()
    assert answer["name"] == "my film.mkv"
    assert "my film.mkv" in [one["name"] for one in own.get("projects").json()]
    own.settled(answer["id"])
    told = own.post(f"projects/{answer['id']}/command", {"kind": "video"}).json()
    assert str(own.app.run.path) not in told["command"]
    own.send("DELETE", f"projects/{answer['id']}")


def test_pictures_of_a_sequence_do_not_lie_among_its_own(own: Page) -> None:
    folder = own.app.folder.root / "plates"
    folder.mkdir()
    pictures, masks = moving_scene(3, 96, 64)
    for place, (picture, mask) in enumerate(zip(pictures, masks, strict=True), 1):
        cv2.imwrite(str(folder / f"p.{place:04d}.png"), picture)
        cv2.imwrite(str(folder.parent / f"m.{place:04d}.png"), mask.astype(np.uint8) * 255)
    for named, picture in (
        ("plates/p.%04d.png", "plates/stills/p.04d.before-after.png"),
        ("plates", "plates.before-after.png"),
    ):
        number = own.opened(composite=named, masks=["m.%04d.png"])
        made = taken(own, number, kind="before_after", options={"frame": 1})
        assert made["files"] == [picture]
        assert sorted(one.name for one in folder.glob("*.png")) == [
            f"p.{place:04d}.png" for place in (1, 2, 3)
        ]


def test_a_project_of_other_weights_is_told_and_its_line_says_which(
    own: Page, bold_weights: Path
) -> None:
    root = own.app.folder.root
    tree = {"composite": "sub/other.mkv", "masks": ["sub/matte.mkv"], "check": True}
    document = {"schema": 1, "vhmae": "project", "job": tree, "guide": {"schema": 1}}
    (root / "plain.vhmae.json").write_text(json.dumps({**document, "versions": [], "view": {}}))
    number = own.opened(project="plain.vhmae.json")
    warnings = own.get(f"projects/{number}").json()["warnings"]
    assert any("weights default" in one for one in warnings)
    told = own.post(f"projects/{number}/command", {"kind": "video"}).json()
    assert f"--weights {bold_weights}" in told["job"]
    made = taken(
        own, number, kind="video", output="plain.mkv"
    )  # a job that was only checked is done
    assert (root / "plain.mkv").is_file()
    assert made["report"]["job"]["check"] is False
    assert read_job_file(root / "plain.vhmae.json", HarmonizeJob).get("check") is None


def test_what_would_be_replaced_is_named(stubbed: Page) -> None:
    number = begun(stubbed)
    (stubbed.app.folder.root / "g.cube").write_bytes(b"x")
    answer = stubbed.post(f"projects/{number}/renders", {"kind": "otio", "output": "g.otio"})
    assert answer.json()["values"] == {"path": "g.cube"}


def test_places_are_told_apart_by_the_whole_name() -> None:
    one, two = (places_of(Path(name)) for name in ("x 1.mp4", "x% 1.mp4"))
    assert one[:2] == two[:2]
    assert one[2] != two[2]


def test_a_document_has_the_same_digest_on_a_server_that_is_begun_anew(stubbed: Page) -> None:
    number = begun(stubbed)
    facts = stubbed.get(f"projects/{number}").json()
    point = {"frame": 1, "at": [4.0, 5.0], "is": "keep", "weight": 1}
    document = {**facts["document"], "guide": {"schema": 1, "points": [point]}}
    document["job"] = {**document["job"], "strength": 1, "keep": []}  # what is usual is left out
    body = {"revision": facts["revision"], "document": document}
    saved = stubbed.send("PUT", f"projects/{number}/document", body).json()
    stubbed.send("DELETE", f"projects/{number}")
    again = stubbed.get(f"projects/{begun(stubbed, project='clip.vhmae.json')}").json()
    assert again["digest"] == saved["digest"] != facts["digest"]


def test_long_names_and_damaged_projects_do_not_end_a_list(stubbed: Page) -> None:
    root = stubbed.app.folder.root
    long = f"{'a' * 235}.mp4"
    (root / long).write_bytes(b"x")
    (root / "clip.vhmae.json").write_text('{"vhmae": "project", "job": []}')
    rows = listed(stubbed)
    assert rows[long]["project"] is None
    assert rows["clip.mp4"]["project"] is None


def test_weights_are_told_as_files_of_the_place(tmp_path: Path, stubbed: Page) -> None:
    root = stubbed.app.folder.root
    beside = root.with_name(f"{root.name}2")
    beside.mkdir()
    for place, told in ((root, "../w.safetensors"), (beside, str(beside / "w.safetensors"))):
        (place / "w.safetensors").write_bytes(b"x")
        assert (
            Place(root / "sub", root, root / "p", tmp_path / "up").told(
                str(place / "w.safetensors")
            )
            == told
        )
