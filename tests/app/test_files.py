"""Files of the named folder, and none beside it; what is dropped is found there, or sent."""

from __future__ import annotations

import hashlib
import json
import os
import sys
import time
from io import FileIO
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from tests.app.conftest import begun, sent
from tests.app.page import Page, app_of, picture_of
from vhmae.app.folder import Folder, kind_of
from vhmae.app.maps import Answered, MapStore
from vhmae.app.proxy import Proxy
from vhmae.app.refusals import Refused
from vhmae.app.site import Limits
from vhmae.app.uploads import CHUNK_BYTES, LEFT_SECONDS, Uploads
from vhmae.engine.rendering import FrameTransform

ESCAPES = (
    "..",
    "../outside.mkv",
    "sub/../../outside.mkv",
    "/etc/passwd",
    "link.mkv",
    "linked/outside.mkv",
    ".hidden/secret.txt",
    ".hidden",
    "sub/.hidden",
    "..\\outside.mkv",
    "sub\0",
    "upload:../../etc/passwd",
    "file:///etc/passwd",
    "views/f0000.png",
    "views/f%04d.png",
    "views/f*.png",
)


@pytest.fixture(scope="module")
def baited(folder: Path) -> Path:
    """A folder with links that lead out of it."""
    outside = folder.parent / "outside.mkv"
    outside.write_bytes((folder / "clip.mkv").read_bytes())
    (folder / "link.mkv").symlink_to(outside)
    (folder / "linked").symlink_to(folder.parent)
    (folder / "views").mkdir()
    for number in range(3):
        picture = folder.parent / f"outside{number}.png"
        cv2.imwrite(str(picture), np.full((8, 8, 3), 200, np.uint8))
        (folder / "views" / f"f{number:04d}.png").symlink_to(picture)
    return folder


def test_a_folder_is_listed_with_what_each_file_is(baited: Path, page: Page) -> None:
    for number in range(1, 5):
        cv2.imwrite(str(baited / f"shot.{number:04d}.png"), np.full((8, 8, 3), 90, np.uint8))
    tree = page.get("files").json()
    rows = {row["name"]: row for row in tree["entries"]}
    assert set(rows) == {"sub", "views", "clip.mkv", "mask.mkv", "shot.%04d.png"} | {
        name for name in rows if name.endswith(".vhmae.json")
    }
    assert [rows[name]["kind"] for name in ("sub", "clip.mkv", "shot.%04d.png")] == [
        "folder",
        "video",
        "sequence",
    ]
    assert rows["shot.%04d.png"]["frames"] == 4
    assert tree["entries"][0]["name"] == "sub"
    assert (tree["parent"], tree["truncated"]) == (None, False)
    inside = page.get("files", params={"path": "sub"}).json()
    assert (inside["path"], inside["parent"]) == ("sub", "")
    assert [row["path"] for row in inside["entries"]] == ["sub/matte.mkv", "sub/other.mkv"]


@pytest.mark.parametrize("text", ESCAPES)
def test_no_path_leads_out_of_the_folder(text: str, baited: Path, page: Page) -> None:
    for call in ("files", "files/glance"):
        answer = page.get(call, params={"path": text})
        assert answer.status_code in (403, 404), (call, answer.text)
        assert "outside.mkv" not in answer.json()["detail"].replace(text, "")
    for wanted in (
        {"composite": text, "masks": ["mask.mkv"]},
        {"project": text},
        {"foreground": text, "background": "clip.mkv"},
    ):
        assert page.post("projects", wanted).status_code in (403, 404)


def test_names_longer_than_any_are_of_no_file(page: Page) -> None:
    for text in ("a" * 5000, "a/" * 3000, "a" * 300):
        for call in ("files", "files/glance"):
            assert page.get(call, params={"path": text}).status_code == 404, (text[:9], call)


def test_masks_and_outputs_do_not_lead_out_either(baited: Path, page: Page) -> None:
    number = page.opened(composite="clip.mkv", masks=["mask.mkv"])
    document = page.get(f"projects/{number}").json()["document"]
    told = page.get(f"projects/{number}").json()["revision"]
    for name, value in (
        ("masks", ["../outside.mkv"]),
        ("composite", "/etc/passwd"),
        ("reference", "../outside.mkv"),
        ("cuts", "/etc/passwd"),
        ("output", "../out.mkv"),
        ("matte_weights", "/etc/passwd"),
        ("masks", ["views"]),
        ("composite", "views/f%04d.png"),
    ):
        own = {"matte": "salient", "masks": []} if name == "matte_weights" else {}
        wrong = {**document, "job": {**document["job"], **own, name: value}}
        answer = page.send(
            "PUT", f"projects/{number}/document", {"revision": told, "document": wrong}
        )
        assert answer.status_code == 403, (name, answer.text)
    for output in ("../out.mkv", "/tmp/out.mkv", "linked/out.mkv", ".out.mkv"):
        answer = page.post(f"projects/{number}/renders", {"kind": "video", "output": output})
        assert answer.status_code == 403, (output, answer.text)
    assert page.get("renders").json() == []
    assert not (baited.parent / "out.mkv").exists()


def test_messages_do_not_say_where_the_folder_lies(baited: Path, page: Page) -> None:
    (baited / "broken.mkv").write_bytes(b"no video at all")
    answer = page.get("files/glance", params={"path": "broken.mkv"})
    assert answer.status_code == 400
    assert answer.json()["detail"].startswith("broken.mkv: ")
    assert str(baited.parent) not in answer.text


def test_a_glance_shows_the_first_frame(page: Page) -> None:
    shown = picture_of(page.get("files/glance", params={"path": "clip.mkv", "lines": 32}))
    assert shown.shape == (32, 48, 3)
    assert 60 < shown.mean() < 180


def test_a_dropped_file_is_found_by_name_size_and_beginning(folder: Path, page: Page) -> None:
    data = (folder / "sub" / "other.mkv").read_bytes()
    head = hashlib.sha256(data[: 1 << 20]).hexdigest()
    told = {"name": "other.mkv", "bytes": len(data), "head": head}
    assert page.post("files/find", told).json() == {"path": "sub/other.mkv"}
    assert page.post("files/find", {**told, "bytes": len(data) + 1}).json() == {"path": None}
    assert page.post("files/find", {**told, "head": "0" * 64}).json() == {"path": None}
    assert page.post("files/find", {**told, "name": "secret.txt"}).json() == {"path": None}


def test_a_file_that_is_sent_opens_and_goes_with_the_app(folder: Path, bold_weights: Path) -> None:
    app = app_of(folder, bold_weights)
    page = Page(app)
    paths = {}
    for name in ("clip.mkv", "mask.mkv"):
        data = (folder / name).read_bytes()
        begun = page.post("uploads", {"name": f"../../{name}", "bytes": len(data)})
        assert begun.status_code == 201, begun.text
        number = begun.json()["upload"]
        for offset in range(0, len(data), 20_000):
            answer = page.send(
                "PUT", f"uploads/{number}?offset={offset}", content=data[offset : offset + 20_000]
            )
            assert answer.status_code == 200, answer.text
        assert answer.json() == {"received": len(data), "path": f"upload:{number}"}
        paths[name] = answer.json()["path"]
    number = page.opened(composite=paths["clip.mkv"], masks=[paths["mask.mkv"]])
    facts = page.get(f"projects/{number}").json()
    assert (facts["frames"], facts["file"]) == (30, None)
    own = app.run.path
    sent = app.uploads.file(paths["clip.mkv"].removeprefix("upload:"))
    assert sent.is_relative_to(own)
    assert sent.name == "clip.mkv"
    app.close()
    assert not own.exists()


def test_pieces_come_in_order_and_no_more_than_was_said(page: Page) -> None:
    number = page.post("uploads", {"name": "a.mkv", "bytes": 100}).json()["upload"]
    late = page.send("PUT", f"uploads/{number}?offset=50", content=b"x" * 50)
    assert (late.status_code, late.json()["values"]) == (409, {"received": 0})
    assert page.send("PUT", f"uploads/{number}?offset=0", content=b"x" * 60).status_code == 200
    more = page.send("PUT", f"uploads/{number}?offset=60", content=b"x" * 41)
    assert (more.status_code, more.json()["values"]) == (409, {"received": 60})
    half = page.post("projects", {"composite": f"upload:{number}", "masks": []})
    assert half.status_code == 409
    large = page.send("PUT", f"uploads/{number}?offset=60", content=b"x" * (2 * CHUNK_BYTES))
    assert large.status_code == 413
    assert page.send("DELETE", f"uploads/{number}").status_code == 204
    gone = page.send("PUT", f"uploads/{number}?offset=60", content=b"x")
    assert (gone.status_code, gone.json()["key"]) == (404, "server.no-upload")
    assert page.post("uploads", {"name": "a.mkv", "bytes": 0}).json()["key"] == "server.empty"


def test_uploads_are_bounded(folder: Path, bold_weights: Path) -> None:
    app = app_of(folder, bold_weights, limits=Limits(upload_bytes=1000))
    try:
        page = Page(app)
        assert page.post("uploads", {"name": "a", "bytes": 600}).status_code == 201
        answer = page.post("uploads", {"name": "b", "bytes": 600})
        assert (answer.status_code, answer.json()["key"]) == (413, "server.uploads-full")
    finally:
        app.close()


def test_names_that_are_sent_are_made_harmless(tmp_path: Path) -> None:
    uploads = Uploads(tmp_path, 1000)
    long = "\u6f22" * 100 + ".mp4"
    for name in ("../../etc", "..", "a\0b.mp4", "C:\\x\\clip.mov", ".bashrc", "%04d.png", long):
        number = uploads.begin(name, 1)
        uploads.add(number, 0, b"x")
        path = uploads.file(number)
        assert path.parent == tmp_path / number
        assert path.name.strip(". ") == path.name
        assert "%" not in path.name
        assert path.suffix == ".mp4" or name != long


def test_kinds_are_told_by_endings() -> None:
    kinds = [kind_of(name) for name in ("a.MOV", "a.exr", "a.npz", "a.vhmae.json", "a.txt")]
    assert kinds == ["video", "picture", "archive", "project", "other"]


def test_a_link_that_leads_to_itself_is_no_way_out(tmp_path: Path) -> None:
    os.symlink("loop", tmp_path / "loop")
    folder = Folder(tmp_path, Uploads(tmp_path, 0))
    assert folder.listing("")["entries"] == []
    with pytest.raises(Refused):
        folder.existing("loop")


def test_a_folder_that_cannot_be_written_is_told_of(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert not Folder(tmp_path, Uploads(tmp_path, 0)).warnings
    can = os.access
    monkeypatch.setattr(os, "access", lambda path, mode: mode != os.W_OK and can(path, mode))
    (warning,) = Folder(tmp_path, Uploads(tmp_path, 0)).warnings
    assert warning.startswith(f"{tmp_path}: cannot be written")


@pytest.mark.skipif(sys.platform != "linux", reason="names are bytes there")
def test_a_name_that_is_no_text_is_not_listed_and_hides_nothing_else(tmp_path: Path) -> None:
    (tmp_path / "caf\u00e9.mp4").touch()
    with open(os.path.join(os.fsencode(tmp_path), b"caf\xe9.mp4"), "wb"):
        pass
    rows = Folder(tmp_path, Uploads(tmp_path, 0)).listing("")["entries"]
    assert [row["name"] for row in rows] == ["caf\u00e9.mp4"]
    json.dumps(rows, ensure_ascii=False).encode()


def test_what_was_sent_for_a_closed_clip_is_given_back(stubbed: Page) -> None:
    clip, own, shared = (sent(stubbed, name) for name in ("clip.mp4", "own.mp4", "shared.mp4"))
    number = begun(stubbed, composite=clip, masks=[own, shared])
    other = begun(stubbed, composite="clip.mp4", masks=[shared])
    files = [stubbed.app.uploads.file(path.removeprefix("upload:")) for path in (clip, own, shared)]
    assert stubbed.send("DELETE", f"projects/{number}").status_code == 204
    assert [file.parent.exists() for file in files] == [False, False, True]
    gone = stubbed.post("projects", {"composite": clip, "masks": [shared]})
    assert gone.json()["key"] == "server.no-upload"
    stubbed.post(f"projects/{other}/command", {"kind": "video"})  # saves its document
    assert stubbed.send("DELETE", f"projects/{other}").status_code == 204
    assert begun(stubbed, composite="clip.mp4", masks=[]) == other
    assert files[2].exists()


def test_a_clip_that_was_sent_is_opened_again_as_itself(stubbed: Page) -> None:
    path = sent(stubbed, "up.mp4")
    number = begun(stubbed, composite=path, masks=["mask.mp4"])
    stubbed.post(f"projects/{number}/command", {"kind": "video"})  # saves its document
    assert begun(stubbed, composite=path, masks=["mask.mp4"]) == number


class FullDisk:
    """A file that takes three bytes more, and no more then."""

    def __init__(self, file: FileIO) -> None:
        self.file, self.room = file, 3

    def write(self, data: bytes) -> int:
        if not self.room:
            raise OSError(28, "No space left on device")
        taken, self.room = self.room, 0
        return self.file.write(data[:taken])

    def __getattr__(self, name: str) -> Any:
        return getattr(self.file, name)


def test_a_full_disk_ends_keeping_pictures_and_nothing_else(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    proxy = Proxy(tmp_path / "proxy", 3)
    proxy.put("frame", 0, b"first")
    monkeypatch.setattr(proxy, "_file", FullDisk(proxy._file))
    proxy.put("frame", 1, b"second")  # half of it is written
    assert proxy.get("frame", 1) is None
    monkeypatch.setattr(proxy, "_most_bytes", 1000)
    proxy.put("frame", 2, b"third")
    assert proxy.get("frame", 2) is None
    assert proxy.get("frame", 0) == b"first"
    proxy.close()


def test_a_full_disk_leaves_no_half_of_a_map(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    maps = MapStore(tmp_path / "maps", 3, 1)
    answer = [
        Answered(FrameTransform(np.ones((3, 10), np.float32), np.ones((4, 4, 3, 4), np.float32)))
    ]
    maps.put(0, 0, answer)
    monkeypatch.setattr(maps, "_file", FullDisk(maps._file))
    with pytest.raises(Refused) as refused:
        maps.put(1, 0, answer)
    assert refused.value.key == "server.disk-full"
    assert maps.known.tolist() == [True, False, False]
    assert maps.get(1) is None
    found = maps.get(0)
    assert found is not None
    assert found[0] is not None
    assert np.array_equal(found[0].maps.local, answer[0].maps.local)
    maps.close()


def test_what_was_sent_and_left_gives_way(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    now = [0.0]
    monkeypatch.setattr(time, "monotonic", lambda: now[0])
    uploads = Uploads(tmp_path, 1000)
    left, opened = (uploads.begin(name, 400) for name in ("left.mp4", "opened.mp4"))
    for number in (left, opened):
        uploads.add(number, 0, b"x" * 400)
    assert uploads.file(left).is_file()  # a glance at it is no project
    uploads.keep(opened)
    with pytest.raises(Refused, match="together"):
        uploads.begin("more.mp4", 400)
    now[0] = LEFT_SECONDS + 1.0
    uploads.begin("more.mp4", 400)
    assert uploads.file(opened).read_bytes() == b"x" * 400
    with pytest.raises(Refused):
        uploads.file(left)
    assert not (tmp_path / left).exists()


def test_no_project_lies_beside_the_folder(stubbed: Page) -> None:
    root = stubbed.app.folder.root
    (root / "sub").mkdir()
    for wanted in ({"composite": "."}, {"composite": "sub/.."}):
        answer = stubbed.post("projects", {**wanted, "masks": ["mask.mp4"]})
        assert (answer.status_code, answer.json()["key"]) == (403, "server.outside"), wanted
    layers = {"composite": "clip.mp4", "foreground": ".", "masks": ["mask.mp4"]}
    assert stubbed.post("projects", layers).status_code in (400, 403)
    assert not list(root.parent.glob("*.vhmae.json"))


def test_a_document_comes_back_with_the_files_that_it_names(stubbed: Page) -> None:
    path = sent(stubbed, "clip.mp4")
    number = begun(stubbed, composite=path, masks=["mask.mp4"])
    first = stubbed.get(f"projects/{number}").json()
    body = {"revision": first["revision"], "document": first["document"]}
    assert stubbed.send("PUT", f"projects/{number}/document", body).status_code == 200
    late = stubbed.send("PUT", f"projects/{number}/document", body)
    assert late.status_code == 409
    told = late.json()["values"]["document"]["job"]["masks"]
    assert told == first["document"]["job"]["masks"]
