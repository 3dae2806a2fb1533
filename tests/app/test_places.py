"""Where projects lie: each clip's beside it, whatever clips of like names there are."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from tests.app.conftest import begun
from tests.app.page import Page
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


def test_places_are_told_apart_by_the_whole_name() -> None:
    one, two = (places_of(Path(name)) for name in ("x 1.mp4", "x% 1.mp4"))
    assert one[:2] == two[:2]
    assert one[2] != two[2]
