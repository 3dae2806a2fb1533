"""A clip that is open: its frames exactly, its maps as the renderer takes them, whatever way up it
lies."""

from __future__ import annotations

import os
import struct
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np
import pytest

from tests.app.page import Page, app_of, maps_of, picture_of, shaded
from tests.support.scenes import decode, moving_scene, write_video
from tests.support.turned import frames_of, sideways
from vhmae.app.worker import AWAITED, NICENESS, OPENING
from vhmae.engine.rendering import FrameTransform, render_rgb
from vhmae.video.probe import probe_video
from vhmae.work.sources import Payload

NOTHING = np.zeros((3, 10))


@pytest.fixture(scope="module")
def clip(page: Page) -> str:
    return page.opened(composite="clip.mkv", masks=["mask.mkv"])


def test_the_first_frame_is_there_before_the_clip_is(folder: Path, bold_weights: Path) -> None:
    app, answers = app_of(folder, bold_weights), threading.Event()
    try:
        page = Page(app)
        app.worker.ask(0, answers.wait)  # the network is busy
        begun = page.post("projects", {"composite": "clip.mkv", "masks": ["mask.mkv"]}).json()
        assert begun["state"] == "opening"
        assert begun["width"] is None
        shown = picture_of(page.get(f"projects/{begun['id']}/glance"))
        assert np.abs(shown - frames_of(folder / "clip.mkv")[0].astype(int)).mean() < 8
        early = page.get(f"projects/{begun['id']}/frames/0")
        assert (early.status_code, early.json()["key"]) == (409, "server.not-yet")
        answers.set()
        assert page.settled(begun["id"])["state"] == "ready"
    finally:
        answers.set()
        app.close()


@pytest.mark.parametrize("wrong", [False, True], ids=["as it is", "weights that are none"])
def test_the_network_is_opened_before_a_clip_asks_for_it(
    wrong: bool, folder: Path, bold_weights: Path
) -> None:
    app = app_of(folder, folder / "none.safetensors" if wrong else bold_weights)
    try:
        app.open_network()
        early = app.worker.ask(OPENING, lambda: app.context.network).result(60)
        assert (early is None) == wrong
        page = Page(app)
        begun = page.post("projects", {"composite": "clip.mkv", "masks": ["mask.mkv"]}).json()
        found = page.settled(begun["id"])
        assert found["state"] == ("failed" if wrong else "ready")
        assert app.context.network is early
        if wrong:
            assert "none.safetensors" in found["error"]["detail"]
    finally:
        app.close()


def test_facts_are_told(page: Page, clip: str) -> None:
    facts = page.get(f"projects/{clip}").json()
    told = {key: facts[key] for key in ("width", "height", "fps", "frames", "objects", "turned")}
    assert told == {
        "width": 96,
        "height": 64,
        "fps": 25.0,
        "frames": 30,
        "objects": 1,
        "turned": 0,
    }
    assert facts["audio"] is True
    assert facts["progress"] == {"proxy": 1.0, "maps": 1.0}
    assert facts["shots"]["rows"] == [{"shot": 0, "first": 0, "last": 29}]
    assert facts["shots"]["complete"] is True
    assert page.get("projects/unknown").json()["key"] == "server.no-project"


def test_a_standing_frame_is_exact_and_a_playing_one_is_near(
    folder: Path, page: Page, clip: str
) -> None:
    wanted = frames_of(folder / "clip.mkv")
    for number in (7, 0, 29, 8, 3):
        for size in ("full", "preview"):
            params = {"size": size, "as": "exact"}
            answer = page.get(f"projects/{clip}/frames/{number}", params=params)
            assert answer.headers["x-exact"] == "1"
            np.testing.assert_array_equal(picture_of(answer), wanted[number])
        fast = page.get(f"projects/{clip}/frames/{number}")
        assert fast.headers["content-type"] == "image/jpeg"
        assert fast.headers["x-exact"] == "0"
        assert np.abs(picture_of(fast).astype(int) - wanted[number]).mean() < 8
    thumb = picture_of(page.get(f"projects/{clip}/frames/3", params={"size": "thumb"}))
    assert thumb.shape == (64, 96, 3)


def played_of(data: bytes) -> list[tuple[int, list[bytes]]]:
    """What ``GET frames`` answers, read as its layout says and by nothing of ours."""
    assert data[:4] == b"VREL"
    version, count, pictures = struct.unpack_from("<3I", data, 4)
    assert version == 1
    at, rows = 16, []
    for _ in range(count):
        frame, *sizes = struct.unpack_from(f"<{1 + pictures}I", data, at)
        at += 4 * (1 + pictures)
        ends = [at + sum(sizes[: i + 1]) for i in range(pictures)]
        rows.append(
            (frame, [data[end - size : end] for end, size in zip(ends, sizes, strict=True)])
        )
        at += sum(sizes)
    assert at == len(data)
    return rows


@pytest.mark.parametrize(
    ("asked", "wanted"),
    [
        ({"first": 4, "count": 3}, [4, 5, 6]),
        ({"first": 20, "count": 4, "step": -7}, [20, 13, 6]),
        ({"first": 26, "count": 9, "step": 2}, [26, 28]),
        ({"first": 1, "count": 99}, list(range(1, 17))),
        ({"first": 5, "count": -2, "step": 0}, [5]),
    ],
)
def test_frames_to_be_played_come_together(
    page: Page, clip: str, asked: dict[str, int], wanted: list[int]
) -> None:
    rows = played_of(page.get(f"projects/{clip}/frames", params=asked).content)
    assert [frame for frame, _ in rows] == wanted
    for frame, (picture, matte) in rows:
        assert picture == page.get(f"projects/{clip}/frames/{frame}").content
        assert matte == page.get(f"projects/{clip}/frames/{frame}/matte").content


def test_frames_that_are_not_at_hand_are_not_waited_for(
    page: Page, clip: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    proxy = page.app.projects.get(clip).clip.proxy
    lacking = proxy._places["matte1"].copy()
    lacking[4] = 0
    monkeypatch.setitem(proxy._places, "matte1", lacking)
    rows = played_of(page.get(f"projects/{clip}/frames", params={"first": 3, "count": 3}).content)
    assert [frame for frame, _ in rows] == [3, 5]


def test_a_patient_reader_lets_others_go_first(
    page: Page, clip: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    reel = page.app.projects.get(clip).clip.reel
    begun, ends = [], threading.Event()

    def read(number: int) -> Payload:
        begun.append(number)
        assert number != 5 or ends.wait(60)
        return plain(number)

    plain = reel._read
    monkeypatch.setattr(reel, "_read", read)
    pressing = threading.Thread(target=reel.payload, args=(5,))
    pressing.start()
    while not begun:
        assert pressing.is_alive()
    patient = threading.Thread(target=reel.payload, args=(9, True))
    patient.start()
    reel.payload(7)
    patient.join(0.2)
    assert (begun, patient.is_alive()) == ([5, 7], True)
    ends.set()
    patient.join(60)
    pressing.join(60)
    assert begun == [5, 7, 9]


@pytest.mark.skipif(sys.platform != "linux", reason="threads have priorities of their own there")
def test_the_network_steps_back_for_what_is_waited_for(page: Page) -> None:
    def niceness() -> int:
        return os.getpriority(os.PRIO_PROCESS, threading.get_native_id())

    assert page.app.worker.ask(AWAITED, niceness).result(60) == max(NICENESS, niceness())


def test_the_picker_reads_code_values(folder: Path, page: Page, clip: str) -> None:
    planes = decode(folder / "clip.mkv")[5]
    shown = frames_of(folder / "clip.mkv")[5]
    for x, y in ((0, 0), (95, 63), (40, 33), (41, 32)):
        told = page.get(f"projects/{clip}/frames/5/pixel", params={"x": x, "y": y}).json()
        codes = [planes[0][y, x], planes[1][y // 2, x // 2], planes[2][y // 2, x // 2]]
        assert told["code"] == [int(code) for code in codes]
        assert (told["planes"], told["bits"]) == ("YUV", 8)
        np.testing.assert_array_equal(np.rint(told["rgb"]), shown[y, x])
        assert told["hex"] == "#" + "".join(f"{value:02x}" for value in shown[y, x])
    for x, y in ((96, 0), (-1, 0), (0, 64)):
        answer = page.get(f"projects/{clip}/frames/5/pixel", params={"x": x, "y": y})
        assert answer.status_code == 400


def test_the_matte_is_that_of_the_mask(folder: Path, page: Page, clip: str) -> None:
    wanted = moving_scene(30, 96, 64)[1]
    for number in (0, 17):
        for size in ("preview", "full"):
            shown = picture_of(
                page.get(f"projects/{clip}/frames/{number}/matte", params={"size": size})
            )
            assert shown.shape == (64, 96)
            np.testing.assert_array_equal(shown > 127, wanted[number])
    answer = page.get(f"projects/{clip}/frames/0/matte", params={"object": 2})
    assert answer.json()["key"] == "server.no-object"


def test_frames_that_are_not_there_are_refused(page: Page, clip: str) -> None:
    for path in (
        "frames/30",
        "frames/-1",
        "frames/99/matte",
        "rendered/30",
        "maps?first=30",
        "frames?first=30",
    ):
        answer = page.get(f"projects/{clip}/{path}")
        assert (answer.status_code, answer.json()["key"]) == (404, "server.no-frame"), path


def test_the_shader_makes_what_the_renderer_makes(folder: Path, page: Page, clip: str) -> None:
    head, rows = maps_of(page.get(f"projects/{clip}/maps", params={"first": 4, "count": 3}).content)
    assert (head["version"], head["objects"]) == (2, 1)
    assert [(row["frame"], row["shot"], row["flags"]) for row in rows] == [
        (4, 0, 1),
        (5, 0, 1),
        (6, 0, 1),
    ]
    picture = frames_of(folder / "clip.mkv")[5]
    matte = picture_of(page.get(f"projects/{clip}/frames/5/matte", params={"size": "full"}))
    answer = rows[1]["answers"][0]
    assert isinstance(answer, FrameTransform)
    renderer = render_rgb(picture, matte, answer)
    assert np.abs(renderer.astype(int) - picture)[matte > 0].mean() > 5
    drawn = shaded(picture, matte, answer, NOTHING)
    assert np.abs(drawn - renderer).max() <= 1.0
    params = {"size": "full"}
    written = picture_of(page.get(f"projects/{clip}/rendered/5", params=params))
    inside = matte == 255
    inside &= cv2.erode(inside.astype(np.uint8), np.ones((5, 5))) > 0  # chroma mixes at the edge
    assert np.percentile(np.abs(drawn - written)[inside], 99) <= 6.0  # of 4:2:0, which bleeds


def test_a_frame_nobody_has_come_to_is_looked_at_when_it_is_asked_for(
    folder: Path, bold_weights: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from vhmae.app.clip import OpenClip

    def never(self: OpenClip, tell: object, surveyed: object) -> Iterator[None]:
        return iter(())

    monkeypatch.setattr(OpenClip, "reading", never)
    app = app_of(folder, bold_weights)
    try:
        page = Page(app)
        number = page.opened(composite="clip.mkv", masks=["mask.mkv"])
        [row] = maps_of(page.maps(number, first=20).content)[1]
        assert row["flags"] == 0
        assert row["answers"][0] is not None
        several = page.get(f"projects/{number}/maps", params={"first": 20, "count": 3}).content
        assert [one["flags"] for one in maps_of(several)[1]] == [0, 2, 2]
    finally:
        app.close()


# --- clips of all kinds


@pytest.mark.parametrize("degrees", [90, 270])
def test_a_phone_clip_on_its_side_is_shown_upright(
    degrees: int, tmp_path: Path, bold_weights: Path
) -> None:
    path = sideways(tmp_path / "phone.mp4", degrees)
    assert probe_video(path).turned == degrees
    app = app_of(tmp_path, bold_weights)
    try:
        page = Page(app)
        number = page.opened(composite="phone.mp4", masks=["turned_mask.mkv"])
        facts = page.get(f"projects/{number}").json()
        assert (facts["width"], facts["height"], facts["turned"]) == (64, 96, degrees)
        wanted = frames_of(path)[6]
        assert wanted.shape == (96, 64, 3)
        params = {"size": "full", "as": "exact"}
        shown = picture_of(page.get(f"projects/{number}/frames/6", params=params))
        np.testing.assert_array_equal(shown, wanted)
        preview = picture_of(page.get(f"projects/{number}/frames/6"))
        assert preview.shape == (96, 64, 3)
        assert np.abs(preview.astype(int) - wanted).mean() < 8
        matte = picture_of(page.get(f"projects/{number}/frames/6/matte", params={"size": "full"}))
        mask = np.rot90(moving_scene(12, 96, 64)[1][6], degrees // 90)
        assert (np.abs(matte.astype(int) - 255 * mask) > 127).mean() < 0.01
        for x, y in ((10, 70), (60, 5)):
            told = page.get(f"projects/{number}/frames/6/pixel", params={"x": x, "y": y}).json()
            np.testing.assert_array_equal(np.rint(told["rgb"]), wanted[y, x])
        # The maps lie upright as well: the shader draws what the renderer writes.
        [row] = maps_of(page.get(f"projects/{number}/maps", params={"first": 6}).content)[1]
        answer = row["answers"][0]
        assert isinstance(answer, FrameTransform)
        written = picture_of(page.get(f"projects/{number}/rendered/6", params=params)).astype(int)
        drawn = shaded(wanted, matte, answer, NOTHING)
        inside = cv2.erode((matte == 255).astype(np.uint8), np.ones((7, 7))) > 0
        right = np.abs(drawn - written)[inside].mean()
        wrongly = FrameTransform(answer.overall, np.rot90(answer.local, 1).copy())
        wrong = np.abs(shaded(wanted, matte, wrongly, NOTHING) - written)[inside].mean()
        assert right < 1.5
        assert wrong > 2 * right
        # A point is set where it is seen.
        y, x = np.argwhere(inside).mean(axis=0).round().astype(int)
        guide = {"points": [{"frame": 6, "at": [int(x), int(y)], "is": "keep"}]}
        [point] = page.heard(number, guide, 6)["points"]
        np.testing.assert_allclose(point["composite"], wanted[y, x], atol=12)
    finally:
        app.close()


def test_two_layers_are_laid_and_can_be_laid_elsewhere(tmp_path: Path, bold_weights: Path) -> None:
    pictures, masks = moving_scene(8, 48, 32)
    alpha = np.dstack([pictures[0], masks[0].astype(np.uint8) * 255])
    cv2.imwrite(str(tmp_path / "front.png"), alpha[..., [2, 1, 0, 3]])
    write_video(tmp_path / "back.mkv", moving_scene(8, 96, 64)[0])
    app = app_of(tmp_path, bold_weights)
    try:
        page = Page(app)
        number = page.opened(
            foreground="front.png",
            background="back.mkv",
            placement={"position": [4.0, 6.0], "scale": 1.0},
        )
        facts = page.get(f"projects/{number}").json()
        assert facts["layers"] is True
        front = picture_of(page.get(f"projects/{number}/layers/foreground/frames/0"))
        assert front.shape == (32, 48, 4)
        np.testing.assert_array_equal(front[..., 3], alpha[..., 3])
        back = picture_of(page.get(f"projects/{number}/layers/background/frames/2"))
        np.testing.assert_array_equal(back, frames_of(tmp_path / "back.mkv")[2])

        def left_edge() -> int:
            shown = picture_of(page.get(f"projects/{number}/frames/2/matte"))
            return int(np.flatnonzero(shown.any(axis=0))[0])

        first = left_edge()
        document, revision = facts["document"], facts["revision"]
        document["job"]["position"] = [24.0, 6.0]
        saved = page.send(
            "PUT", f"projects/{number}/document", {"revision": revision, "document": document}
        ).json()
        assert (saved["revision"], saved["restarted"]) == (revision + 1, True)
        assert page.settled(number)["state"] == "ready"
        assert left_edge() == first + 20
    finally:
        app.close()


def test_pictures_sequences_and_stills_open_too(tmp_path: Path, bold_weights: Path) -> None:
    pictures, masks = moving_scene(4, 96, 64)
    for place, (picture, mask) in enumerate(zip(pictures, masks, strict=True), 1001):
        cv2.imwrite(str(tmp_path / f"shot.{place}.png"), picture[..., ::-1])
        cv2.imwrite(str(tmp_path / f"mask.{place}.png"), mask.astype(np.uint8) * 255)
    app = app_of(tmp_path, bold_weights)
    try:
        page = Page(app)
        rows = {row["name"]: row for row in page.get("files").json()["entries"]}
        number = page.opened(composite=rows["shot.%04d.png"]["path"], masks=["mask.%04d.png"])
        assert page.get(f"projects/{number}").json()["frames"] == 4
        params = {"size": "full", "as": "exact"}
        shown = picture_of(page.get(f"projects/{number}/frames/2", params=params))
        np.testing.assert_array_equal(shown, pictures[2])
        still = page.opened(composite="shot.1003.png", masks=["mask.1003.png"])
        assert page.get(f"projects/{still}").json()["frames"] == 1
        told = page.get(f"projects/{still}/frames/0/pixel", params={"x": 50, "y": 30}).json()
        stored = pictures[2][30, 50][[1, 2, 0]].tolist()
        assert (told["planes"], told["code"]) == ("GBR", stored)
    finally:
        app.close()


def test_several_objects_have_maps_and_mattes_each(tmp_path: Path, bold_weights: Path) -> None:
    pictures, masks = moving_scene(10, 96, 64)
    write_video(tmp_path / "clip.mkv", pictures)
    left = np.zeros_like(masks)
    left[:, 4:20, 4:20] = True
    for name, mask in (("one", masks), ("two", left)):
        write_video(tmp_path / f"{name}.mkv", mask.astype(np.uint8) * 255, pix_fmt="yuv444p")
    app = app_of(tmp_path, bold_weights)
    try:
        page = Page(app)
        number = page.opened(composite="clip.mkv", masks=["one.mkv", "two.mkv"])
        head, [row] = maps_of(page.get(f"projects/{number}/maps", params={"first": 3}).content)
        assert head["objects"] == len(row["answers"]) == 2
        second = picture_of(
            page.get(f"projects/{number}/frames/3/matte", params={"object": 2, "size": "full"})
        )
        np.testing.assert_array_equal(second > 127, left[3])
    finally:
        app.close()


def damaged(kind: str, path: Path) -> None:
    if kind == "text":
        path.write_text("this is no video")
    elif kind == "empty":
        path.write_bytes(b"")
    else:
        whole = write_video(path, moving_scene(20, 96, 64)[0], codec="libx264").read_bytes()
        path.write_bytes(whole[: len(whole) // (40 if kind == "head" else 2)])


@pytest.mark.parametrize("kind", ["text", "empty", "head", "half"])
def test_damaged_files_are_told_of_and_break_nothing(kind: str, folder: Path, page: Page) -> None:
    damaged(kind, folder / f"bad_{kind}.mkv")
    answer = page.post("projects", {"composite": f"bad_{kind}.mkv", "masks": ["mask.mkv"]})
    assert answer.status_code == 201
    facts = page.settled(answer.json()["id"])
    assert facts["state"] == "failed"
    assert facts["error"]["detail"].split(":")[0].endswith((f"bad_{kind}.mkv", "mask.mkv"))
    again = page.get(f"projects/{facts['id']}/frames/0")
    assert (again.status_code, again.json()["key"]) == (409, "server.failed")
    assert page.get("session").status_code == 200
    mask = page.post("projects", {"composite": "clip.mkv", "masks": [f"bad_{kind}.mkv"]})
    assert page.settled(mask.json()["id"])["state"] == "failed"
    back = page.opened(composite="clip.mkv", masks=["mask.mkv"])
    assert back == mask.json()["id"]


def test_only_so_many_clips_are_open(folder: Path, bold_weights: Path) -> None:
    from vhmae.app.site import Limits

    app = app_of(folder, bold_weights, limits=Limits(projects=1))
    try:
        page = Page(app)
        number = page.opened(composite="clip.mkv", masks=["mask.mkv"])
        other = {"composite": "sub/other.mkv", "masks": ["sub/matte.mkv"]}
        assert page.post("projects", other).json()["key"] == "server.too-many"
        told = {"id": number, "name": "clip.mkv", "state": "ready", "read": 1.0}
        told |= {"sent": False, "saved": page.get(f"projects/{number}").json()["file"] is not None}
        assert page.get("projects").json() == [told]
        assert page.send("DELETE", f"projects/{number}").status_code == 204
        assert page.opened(**other) != number
    finally:
        app.close()


def test_nothing_of_a_closed_clip_stays_on_the_disk(page: Page) -> None:
    number = page.opened(composite="sub/other.mkv", masks=["sub/matte.mkv"])
    assert page.send("DELETE", f"projects/{number}").status_code == 204
    left = [one for one in page.app.run.path.glob(f"{number}-*") if any(one.iterdir())]
    assert left == []


def test_frames_outside_the_part_are_shown_as_they_are(page: Page) -> None:
    wanted = {"composite": "clip.mkv", "masks": ["mask.mkv"]}
    number = page.opened(**wanted, options={"start": 0.4, "end": 0.8})
    rows = maps_of(page.maps(number, first=0, count=30).content)[1]
    kept = [row["frame"] for row in rows if row["answers"] != [None]]
    assert kept == list(range(10, 20))
    assert {row["flags"] for row in rows} == {1}
    params = {"size": "full"}
    plain = picture_of(page.get(f"projects/{number}/frames/0", params={**params, "as": "exact"}))
    assert np.array_equal(
        picture_of(page.get(f"projects/{number}/rendered/0", params=params)), plain
    )
