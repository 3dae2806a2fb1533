"""Who moves: what the app shows where the background goes to the foreground, or both meet."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.app.page import Page, app_of, maps_of, picture_of
from tests.support.scenes import moving_scene, write_video
from tests.support.turned import frames_of
from vhmae.app.site import App
from vhmae.arrays import Array
from vhmae.engine.rendering import render_rgb

FRAME = 6
INSIDE, OUTSIDE = [42.0, 32.0], [80.0, 10.0]
POINTS = {
    "background": [{"frame": FRAME, "at": OUTSIDE, "is": "neutral"}],
    "both:0.3": [{"frame": FRAME, "at": INSIDE, "is": "match", "to": OUTSIDE}],
}


def app_on(folder: Path, pictures: Array, masks: Array, weights: Path) -> App:
    """The app on a clip and its mask. Every pixel has a color of its own: what is drawn can be
    compared with what is written."""
    write_video(folder / "clip.mkv", pictures, pix_fmt="bgr0")
    write_video(folder / "mask.mkv", masks.astype(np.uint8) * 255, pix_fmt="yuv444p")
    return app_of(folder, weights)


def saved(page: Page, number: str, **changed: Any) -> dict[str, Any]:
    facts = page.get(f"projects/{number}").json()
    document = {**facts["document"], **changed}
    body = {"revision": facts["revision"], "document": document}
    answer = page.send("PUT", f"projects/{number}/document", body)
    assert answer.status_code == 200, answer.text
    return answer.json()


@pytest.mark.parametrize("move", sorted(POINTS))
def test_what_is_shown_is_what_is_written(move: str, tmp_path: Path, bold_weights: Path) -> None:
    pictures, masks = moving_scene(12, 96, 64)
    app = app_on(tmp_path, pictures, masks, bold_weights)
    try:
        page = Page(app)
        number = page.opened(composite="clip.mkv", masks=["mask.mkv"])
        job = page.get(f"projects/{number}").json()["document"]["job"]
        assert saved(page, number, job={**job, "move": move})["restarted"] is True
        facts = page.settled(number)
        parts = [0] if move == "background" else [1, 0]
        assert facts["parts"] == parts
        guide = {"schema": 1, "points": POINTS[move]}
        heard = page.heard(number, guide, FRAME)
        assert heard["errors"] == []
        assert [row["object"] for row in heard["changes"]] == parts
        assert [row["object"] for row in heard["diagnosis"]] == parts
        assert saved(page, number, guide=guide)["restarted"] is False

        params = {"size": "full", "as": "exact"}
        drawn = picture_of(page.get(f"projects/{number}/frames/{FRAME}", params=params))
        [row] = maps_of(page.get(f"projects/{number}/maps", params={"first": FRAME}).content)[1]
        shares = {0: 1.0} if move == "background" else {1: 0.3, 0: 0.7}
        for part, answer, told in zip(parts, row["answers"], heard["changes"], strict=True):
            sized = {"size": "full", "object": part}
            matte = picture_of(page.get(f"projects/{number}/frames/{FRAME}/matte", params=sized))
            np.testing.assert_array_equal(matte > 127, masks[FRAME] == (part > 0))
            added = np.array(told["change"], np.float32).reshape(3, 10)
            whole = dataclasses.replace(answer, overall=answer.overall + added)
            drawn = render_rgb(drawn, matte, whole.scaled(shares[part]))
        shown = picture_of(page.get(f"projects/{number}/rendered/{FRAME}", params=params))
        assert np.abs(drawn.astype(int) - shown).max() <= 1
        assert np.abs(shown.astype(int) - pictures[FRAME])[~masks[FRAME]].mean() > 3.0

        begun = page.post(f"projects/{number}/renders", {"kind": "video"}).json()
        assert page.rendered(begun["id"])["state"] == "done"
        assert f"--move {move}" in begun["command"]
        written = frames_of(tmp_path / "clip.harmonized.mkv")[FRAME]
        np.testing.assert_array_equal(shown, written)
    finally:
        app.close()


def test_dials_are_turned_in_each_shot_of_its_own(tmp_path: Path, bold_weights: Path) -> None:
    """What a frame of any shot is shown as is what is written."""
    pictures, masks = moving_scene(24, 96, 64)
    pictures[12:] = np.roll(pictures[12:, :, ::-1] // 3, 20, axis=1)
    masks[12:] = np.roll(masks[12:, :, ::-1], 20, axis=1)
    app = app_on(tmp_path, pictures, masks, bold_weights)
    try:
        page = Page(app)
        number = page.opened(composite="clip.mkv", masks=["mask.mkv"])
        rows = page.get(f"projects/{number}").json()["shots"]["rows"]
        assert [row["first"] for row in rows] == [0, 12]
        guide = {"schema": 1, "dials": {"exposure": 0.5, "saturation": 0.6}}
        told = [page.heard(number, guide, frame)["changes"] for frame in (3, 15)]
        assert [{row["shot"] for row in changes} for changes in told] == [{None, 0}, {None, 1}]
        [first], [second] = ([row for row in one if row["shot"] is not None] for one in told)
        assert np.abs(np.subtract(first["change"], second["change"])).max() > 0.01
        saved(page, number, guide=guide)
        sized = {"size": "full", "as": "exact"}
        shown = {
            frame: picture_of(page.get(f"projects/{number}/rendered/{frame}", params=sized))
            for frame in (3, 15, 20)
        }
        begun = page.post(f"projects/{number}/renders", {"kind": "video"}).json()
        assert page.rendered(begun["id"])["state"] == "done"
        written = frames_of(tmp_path / "clip.harmonized.mkv")
        for frame, picture in shown.items():
            np.testing.assert_array_equal(picture, written[frame])
    finally:
        app.close()


def test_how_far_each_side_goes_needs_no_new_reading(page: Page) -> None:
    number = page.opened(
        composite="sub/other.mkv", masks=["sub/matte.mkv"], options={"move": "both"}
    )
    job = page.get(f"projects/{number}").json()["document"]["job"]
    assert saved(page, number, job={**job, "move": "both:0.8"})["restarted"] is False
    for move, at in (("background", [40, 32]), ("foreground", [90, 5])):
        answer = saved(page, number, job={**job, "move": move})
        assert answer["restarted"] is True
        page.settled(number)
        guide = {"points": [{"frame": 0, "at": at, "is": "neutral"}]}
        [error] = page.heard(number, guide, move=move)["errors"]
        assert "lies" in error["detail"]
    other = {"guide": {"schema": 1}, "frame": 0, "move": "both"}
    early = page.post(f"projects/{number}/guide", other)
    assert (early.status_code, early.json()["key"]) == (409, "server.not-yet")
