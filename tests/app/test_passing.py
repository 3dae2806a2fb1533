"""What goes when the app ends, or a clip is closed, and what does not come again."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from tests.app.conftest import begun, sent
from tests.app.page import Page
from vhmae.app.clip import _stamp
from vhmae.app.demo import make_demo
from vhmae.app.doubts import doubts_of
from vhmae.app.folder import Folder
from vhmae.app.looks import MOST_KEPT, Look, Looks
from vhmae.app.uploads import Uploads
from vhmae.data.hyoutube import write_mask
from vhmae.errors import InputError


def test_what_was_sent_is_told_to_go(stubbed: Page) -> None:
    clip, mask = sent(stubbed, "up.mp4"), sent(stubbed, "mask one.png")
    folder = stubbed.app.folder
    of_sent = begun(stubbed, composite=clip, masks=["mask.mp4"])
    beside = begun(stubbed, composite="clip.mp4", masks=[mask])
    told = {
        number: doubts_of(stubbed.app.projects.get(number).document, folder, None)
        for number in (of_sent, beside)
    }
    assert "with what was said of it; put it into the folder" in told[of_sent][0]
    assert told[beside] == [
        "mask one.png was sent and goes when the app ends: put it into the folder and choose it "
        "there, so that the project can be opened again"
    ]
    facts = {one["id"]: (one["sent"], one["saved"]) for one in stubbed.get("projects").json()}
    assert facts == {of_sent: (True, False), beside: (False, False)}
    stubbed.post(f"projects/{of_sent}/command", {"kind": "video"})  # saves its document
    facts = {one["id"]: (one["sent"], one["saved"]) for one in stubbed.get("projects").json()}
    assert facts[of_sent] == (True, True)
    assert stubbed.send("DELETE", f"uploads/{mask.removeprefix('upload:')}").status_code == 204
    assert stubbed.get(f"projects/{beside}").status_code == 200


def test_a_revision_never_comes_again_when_a_clip_is_opened_again(stubbed: Page) -> None:
    number = begun(stubbed)
    facts = stubbed.get(f"projects/{number}").json()
    path = f"projects/{number}/document"
    for view in ("a", "b"):
        now = stubbed.get(f"projects/{number}").json()["revision"]
        body = {"revision": now, "document": {**facts["document"], "view": {view: 1}}}
        assert stubbed.send("PUT", path, body).status_code == 200
    stale = {**body, "revision": now + 1}  # what a tab that has slept stands at
    stubbed.send("DELETE", f"projects/{number}")
    assert begun(stubbed) == number
    begins = stubbed.get(f"projects/{number}").json()["revision"]
    assert begins > stale["revision"]
    answer = stubbed.send("PUT", path, stale)
    assert (answer.status_code, answer.json()["key"]) == (409, "server.revision")


def test_what_is_sent_may_lie_within_the_folder(tmp_path: Path) -> None:
    """As with ``vhmae app /tmp``."""
    uploads = Uploads(tmp_path / "run" / "uploads", 100)
    folder = Folder(tmp_path, uploads)
    number = uploads.begin("a.mp4", 1)
    uploads.add(number, 0, b"x")
    assert folder.is_sent(uploads.file(number))
    assert not folder.is_sent(tmp_path / "a.mp4")
    text = f"{uploads.file(number)}: wrong, {tmp_path}/b.mp4 and {tmp_path}x/c.mp4, not {tmp_path}"
    assert folder.plain(text) == f"{number}/a.mp4: wrong, b.mp4 and {tmp_path}x/c.mp4, not ."
    assert Folder(Path("/"), uploads).plain("shots/day 1/a.mov: 24000/1001") == (
        "shots/day 1/a.mov: 24000/1001"
    )


def test_pictures_that_were_made_anew_are_seen(tmp_path: Path) -> None:
    for number in range(3):
        write_mask(tmp_path / f"m.{number:04d}.png", np.eye(32, dtype=bool))
    stamps = [_stamp(tmp_path / name) for name in ("m.%04d.png", ".", "m.0001.png")]
    assert None not in stamps
    write_mask(tmp_path / "m.0001.png", ~np.eye(32, dtype=bool))
    for name, before in zip(("m.%04d.png", ".", "m.0001.png"), stamps, strict=True):
        assert _stamp(tmp_path / name) != before
    assert _stamp(tmp_path / "gone.%04d.png") is None


def test_as_many_frames_are_kept_as_is_meant(tmp_path: Path) -> None:
    looks = Looks(tmp_path)
    for number in range(MOST_KEPT + 10):
        looks._keep(number, Look(np.zeros((1, 1, 3), np.uint8), (), ()), ())
    kept = [number for number in range(MOST_KEPT + 10) if looks.get(number) is not None]
    assert kept == list(range(10, MOST_KEPT + 10))


@pytest.mark.parametrize("name", ["composite.mp4", "mask.mp4"])
def test_the_demo_takes_no_file_away(name: str, tmp_path: Path) -> None:
    (tmp_path / name).write_bytes(b"mine")
    with pytest.raises(InputError, match=f"{name}: is in the way of the demo"):
        make_demo(tmp_path)
    assert (tmp_path / name).read_bytes() == b"mine"
