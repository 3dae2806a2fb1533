"""What is said is heard at once, and as ``vhmae harmonize --guide`` hears it."""

from __future__ import annotations

import dataclasses
import json
import threading
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import av
import numpy as np
import pytest

from tests.app.page import Page, app_of, maps_of, picture_of, shaded, waited
from tests.support.scenes import moving_scene, write_video
from vhmae.app.clip_guide import ClipGuide, Part
from vhmae.app.looks import Look, Looks
from vhmae.app.maps import Answered
from vhmae.app.refusals import Refused
from vhmae.engine.moving import Side
from vhmae.engine.pointing import DialFrames
from vhmae.engine.rendering import FrameTransform, render_planes
from vhmae.guide.dials import DIALS
from vhmae.guide.document import Guide
from vhmae.guide.options import GuideOptions
from vhmae.guide.reading import guide_from
from vhmae.video.reader import to_uint8
from vhmae.work.alternatives import show_alternatives
from vhmae.work.analysis import BACKGROUND, Analysis, open_analysis
from vhmae.work.diagnosis import diagnose
from vhmae.work.guiding import hear_guide
from vhmae.work.job import AlternativesJob, AnalysisJob

POINT = {"frame": 4, "at": [45.0, 32.0], "is": "target", "to": "#8090a0"}
SECOND = {"frame": 9, "at": [40.0, 30.0], "is": "match", "to": [5.0, 5.0], "to_frame": 11}


@pytest.fixture(scope="module")
def clip(page: Page) -> str:
    return page.opened(composite="clip.mkv", masks=["mask.mkv"])


def job_of(folder: Path, weights: Path, guide: dict[str, Any], **more: Any) -> AnalysisJob:
    """A command's job with a guide."""
    file = folder.parent / "guide.json"
    file.write_text(json.dumps({"schema": 1, **guide}))
    files = {"composite": folder / "clip.mkv", "masks": (folder / "mask.mkv",)}
    said = {"weights": str(weights), "device": "cpu", "words": GuideOptions(guide=file)}
    return AnalysisJob(**{**files, **said, **more})


def told_by_files(folder: Path, weights: Path, guide: dict[str, Any], **more: Any) -> Any:
    """What the commands make of a guide: the harmonizers' decisions, and rows of points."""
    job = job_of(folder, weights, guide, **more)
    analysis = open_analysis(job)
    heard = hear_guide(analysis)
    assert heard is not None
    return analysis.harmonizers[0].stream_guide.guide_changes.at(0, 0), heard.points, job


@pytest.mark.parametrize(
    "guide",
    [
        {"points": [POINT]},
        {"points": [POINT, SECOND], "dials": {"exposure": 0.4, "saturation": -0.3}},
        {"choices": [{"frame": 4, "round": 1, "of": 6, "chosen": 5}], "points": [SECOND]},
        {"dials": {"temperature": 20.0}},
        {"points": [POINT], "shots": "all"},
    ],
)
def test_a_guide_changes_what_the_commands_change(
    guide: dict[str, Any], folder: Path, page: Page, clip: str, bold_weights: Path
) -> None:
    wanted, points, _ = told_by_files(folder, bold_weights, guide)
    heard = page.heard(clip, guide, 4)
    shots = {row["shot"]: row for row in heard["changes"]}
    # Dials turn each shot in its own colors; where nobody has come to one, as in the first frame.
    assert len(shots) == (2 if set(guide) == {"dials"} else 1)
    change = shots.get(0, shots.get(None))
    assert change is not None
    found = np.array(change["change"]).reshape(3, 10).astype(np.float32)
    np.testing.assert_array_equal(found, wanted)
    named = "points" in guide or "choices" in guide
    own = set(guide) == {"dials"} or (named and guide.get("shots") != "all")
    assert change["shot"] == (0 if own else None)
    for row, other in zip(heard["points"], points, strict=True):
        assert {key: row[key] for key in other} == other
    assert heard["errors"] == []


def test_reports_of_points_tell_what_comes_out(
    folder: Path, page: Page, clip: str, bold_weights: Path
) -> None:
    """With what is kept, and as far as the answer goes."""
    guide, how = {"points": [POINT, SECOND]}, {"strength": 0.5, "keep": ("hue", "luma")}
    _, wanted, _ = told_by_files(folder, bold_weights, guide, **how)
    found = page.heard(clip, guide, 4, strength=0.5, keep=["hue", "luma"])["points"]
    plain = page.heard(clip, guide, 4)["points"]
    for row, other, full in zip(found, wanted, plain, strict=True):
        assert {key: row[key] for key in other} == other
        assert row["got"] != full["got"]


def test_what_is_said_fades_with_the_picture(tmp_path: Path, bold_weights: Path) -> None:
    """What the page is told of a frame that fades is what the command writes and reports."""
    pictures, masks = moving_scene(40, 96, 64)
    left = np.clip(1.0 - (np.arange(40) - 23.0) / 12.0, 0.0, 1.0)[:, None, None, None]
    pictures = np.rint(pictures * left + 255.0 * (1.0 - left)).astype(np.uint8)
    write_video(tmp_path / "clip.mkv", pictures, pix_fmt="bgr0")
    white = masks.astype(np.uint8) * 255
    write_video(tmp_path / "mask.mkv", white, pix_fmt="yuv444p")
    frame = 31
    guide = {"points": [{**POINT, "frame": frame, "at": [55.0, 32.0], "to": "#405060"}]}
    files = {"composite": tmp_path / "clip.mkv", "masks": (tmp_path / "mask.mkv",)}
    analysis, points, job = told_by_files(tmp_path, bold_weights, guide, **files)
    _, points, job = told_by_files(tmp_path, bold_weights, guide, **files)
    analysis = open_analysis(job)
    hear_guide(analysis)
    ready = next(
        one
        for one in analysis.harmonized(analysis.sources.frames())
        if one.payload.timed.index == frame
    )
    assert 0.1 < ready.shares[0] < 0.9, "it fades"
    (faded,) = ready.changes
    assert faded is not None
    wanted = render_planes(ready.payload.timed.image, ready.covers[0], faded)[0].rgb()
    app = app_of(tmp_path, bold_weights)
    try:
        page = Page(app)
        number = page.opened(composite="clip.mkv", masks=["mask.mkv"])
        heard = page.heard(number, guide, frame)
        [row], [change] = heard["points"], heard["changes"]
        assert {key: row[key] for key in points[0]} == points[0]
        [told] = maps_of(page.get(f"projects/{number}/maps?first={frame}&count=1").content)[1]
        assert told["shares"][0] == pytest.approx(ready.shares[0], abs=1e-6)
        document = {
            **page.get(f"projects/{number}").json()["document"],
            "guide": {"schema": 1, **guide},
        }
        saved = page.send(
            "PUT", f"projects/{number}/document", {"revision": 1, "document": document}
        )
        assert saved.status_code == 200, saved.text
        shown = picture_of(page.get(f"projects/{number}/rendered/{frame}?size=full")).astype(int)
        # As the page's shader draws it, too.
        maps = told["answers"][0].scaled(told["shares"][0])
        added = np.reshape(change["change"], (3, 10)) * told["shares"][0]
        picture = picture_of(page.get(f"projects/{number}/frames/{frame}?size=full&as=exact"))
        drawn = shaded(picture, white[frame], maps, added)
    finally:
        app.close()
    assert np.abs(to_uint8(wanted).astype(int) - shown).max() <= 1
    assert np.abs(drawn - shown).max() <= 1
    assert np.abs(shown - picture.astype(int))[masks[frame]].mean() > 2.0, "nothing to see"


def test_the_goal_of_a_point_is_told(page: Page, clip: str) -> None:
    rows = page.heard(clip, {"points": [POINT, {"frame": 4, "at": [45, 32], "is": "neutral"}]})
    assert rows["points"][0]["goal"] == [128.0, 144.0, 160.0]
    assert rows["points"][1]["goal"] is None
    assert rows["points"][0]["contradicts"] in (None, 2)


def test_what_cannot_be_is_told_and_the_rest_is_heard(page: Page, clip: str) -> None:
    wrong = [
        {"frame": 4, "at": [1, 1], "is": "keep"},  # outside the mask
        {"frame": 4, "at": [500, 1], "is": "keep"},
        {"frame": 400, "at": [45, 32], "is": "keep"},
        {"frame": 4, "at": [45, 32], "is": "keep", "object": 2},
    ]
    heard = page.heard(clip, {"points": [*wrong, POINT]}, 4)
    assert [row["point"] for row in heard["errors"]] == [1, 2, 3, 4]
    assert heard["errors"][0]["key"] == "server.point-outside-mask"
    assert "outside the frame" in heard["errors"][1]["detail"]
    assert [row["point"] for row in heard["points"]] == [5]
    alone = page.heard(clip, {"points": [POINT]}, 4)
    assert heard["changes"] == alone["changes"]


@pytest.mark.parametrize(
    "guide",
    [
        {"points": [{"frame": 0, "at": [1, 1], "is": "kep"}]},
        {"points": [{"frame": 0, "at": [1, "a"], "is": "keep"}]},
        {"dials": {"exposure": 99}},
        {"schema": 2},
        {"unknown": 1},
        {"choices": [{"frame": 0, "round": 2, "of": 6, "chosen": 1}]},
    ],
)
def test_what_no_guide_can_say_is_refused(guide: dict[str, Any], page: Page, clip: str) -> None:
    body = {"guide": {"schema": 1, **guide}, "frame": 0}
    answer = page.post(f"projects/{clip}/guide", body)
    assert answer.status_code == 400
    assert answer.json()["detail"].startswith("guide")
    unsaid = page.post(f"projects/{clip}/guide", {"frame": 0})
    assert (unsaid.status_code, {*unsaid.json()}) == (422, {"detail", "key", "values"})
    more = {**body, "strength": 1.5}
    assert page.post(f"projects/{clip}/guide", more).status_code == 422


def test_a_frame_that_is_not_looked_at_is_pending_first(page: Page, clip: str) -> None:
    guide = {"schema": 1, "points": [{**POINT, "frame": 21}]}
    first = page.post(f"projects/{clip}/guide", {"guide": guide, "frame": 21}).json()
    assert (first["pending"], first["changes"]) == ([21], [])
    assert page.heard(clip, guide, 21)["changes"]
    assert page.post(f"projects/{clip}/look", {"frame": 22}).status_code == 202
    assert page.post(f"projects/{clip}/look", {"frame": 99}).status_code == 404


def test_the_diagnosis_says_what_the_command_says(
    folder: Path, page: Page, clip: str, bold_weights: Path
) -> None:
    *_, job = told_by_files(folder, bold_weights, {"points": [POINT]})
    [wanted] = diagnose(job)["shots"]
    [row] = page.heard(clip, {"points": [POINT]}, 4)["diagnosis"]
    assert (row["object"], row["shot"]) == (1, 0)
    assert row["nothing_to_do"] == wanted["nothing_to_do"]
    assert row["change_levels"] == pytest.approx(wanted["change_levels"], rel=0.03)
    assert row["plain_dials"] == row["dials"]
    assert set(row["dials"]) == set(DIALS)


def test_nothing_to_do_is_said(page: Page, clip: str) -> None:
    [row] = page.heard(clip, {}, 4, strength=0.0)["diagnosis"]
    assert row["nothing_to_do"] is True
    assert row["change_levels"] == 0.0
    assert all(abs(value) < 1e-3 for value in row["dials"].values())


def test_dials_stand_where_the_answer_is(page: Page, clip: str) -> None:
    """Held at many places, the answer stands, and a dial says what it turns."""
    places = [(x, y) for x in (38.0, 42.0, 46.0, 50.0) for y in (24.0, 28.0, 32.0, 36.0, 40.0)]
    keep = [{"frame": 4, "at": at, "is": "keep", "weight": 100.0} for at in places]
    plain = page.heard(clip, {"points": keep}, 4)["diagnosis"][0]
    turned = page.heard(clip, {"points": keep, "dials": {"exposure": 0.5}}, 4)["diagnosis"][0]
    assert turned["plain_dials"] == plain["dials"]
    assert turned["dials"]["exposure"] - plain["dials"]["exposure"] == pytest.approx(0.5, abs=0.2)


def test_hue_is_kept_in_the_diagnosis_too(page: Page, clip: str) -> None:
    [free] = page.heard(clip, {}, 4)["diagnosis"]
    [kept] = page.heard(clip, {}, 4, keep=["hue", "saturation"])["diagnosis"]
    assert kept["change_levels"] < free["change_levels"]


def test_takes_are_those_of_the_command(
    folder: Path, page: Page, clip: str, bold_weights: Path, tmp_path: Path
) -> None:
    job = AlternativesJob(
        composite=folder / "clip.mkv",
        masks=(folder / "mask.mkv",),
        weights=str(bold_weights),
        device="cpu",
        output=tmp_path / "sheet.png",
        frame=4,
    )
    wanted = show_alternatives(job)["takes"]
    found = page.post(f"projects/{clip}/takes", {"guide": {"schema": 1}, "frame": 4}).json()
    assert [row["word"] for row in found["takes"]] == [row["word"] for row in wanted]
    assert [row["key"] for row in found["takes"]][:2] == ["take.plain", "take.untouched"]
    assert (found["round"], found["frame"], found["object"]) == (1, 4, 1)
    texts = page.get("catalogue/de").json()
    assert all(row["key"] in texts for row in found["takes"])
    # Choosing one is a guide, and the next round is finer.
    chosen = found["takes"][4]
    guide = {"schema": 1, "choices": [chosen["choice"]]}
    assert page.heard(clip, guide, 4)["changes"][0]["change"] == chosen["change"]
    finer = page.post(f"projects/{clip}/takes", {"guide": guide, "frame": 4}).json()
    assert finer["round"] == 2
    assert finer["takes"][0]["change"] == chosen["change"]
    first = np.subtract(found["takes"][2]["change"], found["takes"][3]["change"])
    second = np.subtract(finer["takes"][2]["change"], finer["takes"][3]["change"])
    assert np.linalg.norm(second) < np.linalg.norm(first)
    odd = page.post(f"projects/{clip}/takes", {"guide": guide, "frame": 4, "count": 7})
    assert odd.status_code == 400
    other = page.post(f"projects/{clip}/takes", {"guide": guide, "frame": 4, "object": 2})
    assert other.json()["key"] == "server.no-object"


def test_takes_of_a_clip_that_is_being_closed_are_refused(
    page: Page, clip: str, tmp_path: Path
) -> None:
    clip_guide = page.app.projects.get(clip).clip.clip_guide
    clip_guide = dataclasses.replace(clip_guide, looks=Looks(tmp_path))
    with pytest.raises(Refused, match="still being opened"):
        clip_guide.takes(Guide(), 0, 1, 6, (1.0,))


def test_the_rendered_frame_heeds_the_saved_guide(page: Page, clip: str) -> None:
    before = picture_of(page.get(f"projects/{clip}/rendered/4"))
    facts = page.get(f"projects/{clip}").json()
    document = {**facts["document"], "guide": {"schema": 1, "points": [POINT]}}
    body = {"revision": facts["revision"], "document": document}
    assert page.send("PUT", f"projects/{clip}/document", body).json()["restarted"] is False
    after = picture_of(page.get(f"projects/{clip}/rendered/4"))
    got = page.heard(clip, {"points": [POINT]}, 4)["points"][0]["got"]
    assert np.abs(before.astype(int) - after).max() > 3
    np.testing.assert_allclose(after[32, 45], got, atol=8)


def test_the_prior_is_told_for_the_page_to_solve_by_itself(page: Page, clip: str) -> None:
    prior = page.get("prior", params={"project": clip}).json()
    assert np.shape(prior["covariance"]) == (30, 30)
    assert len(prior["scales"]) == len(prior["weights"])
    heard = page.heard(clip, {"points": [POINT]}, 4, covariance=True)
    assert np.shape(heard["changes"][0]["deviation"]) == (30, 30)


def test_the_colors_that_dials_are_fitted_in_are_told(
    folder: Path, page: Page, clip: str, bold_weights: Path
) -> None:
    answer = page.get(f"projects/{clip}/colors", params={"frame": 4})
    assert answer.headers["x-frame"] == "4"
    found = np.frombuffer(answer.content, "<f4").reshape(-1, 3)
    shown = picture_of(
        page.get(f"projects/{clip}/frames/4", params={"size": "full", "as": "exact"})
    )
    matte = picture_of(page.get(f"projects/{clip}/frames/4/matte", params={"size": "full"}))
    wanted = shown[matte >= 128] / 255.0
    assert len(found) == len(wanted)  # few enough for all to be taken
    np.testing.assert_allclose(found, wanted, atol=1e-6)
    assert page.get(f"projects/{clip}/colors").headers["x-frame"] == "0"
    other = page.get(f"projects/{clip}/colors", params={"object": 2})
    assert other.json()["key"] == "server.no-object"


def test_what_was_heard_before_the_survey_is_heard_anew(
    page: Page, folder: Path, bold_weights: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With quality best the network knows whole shots; before, the frames around one alone."""
    plain, gate = Analysis.survey_lazily, threading.Event()

    def held(self: Analysis) -> Iterator[int]:
        while not gate.wait(0.01):
            yield 0
        yield from plain(self)

    monkeypatch.setattr(Analysis, "survey_lazily", held)
    told: list[tuple[str, dict[str, Any]]] = []
    monkeypatch.setattr(page.app.context, "tell", lambda name, tree: told.append((name, tree)))
    files = {"composite": "sub/long.mkv", "masks": ["sub/long_mask.mkv"]}
    pictures, masks = moving_scene(80, 96, 64)
    pictures[40:] = pictures[40:] // 2  # what comes later is another light
    write_video(folder / "sub" / "long.mkv", pictures)
    write_video(folder / "sub" / "long_mask.mkv", masks.astype(np.uint8) * 255, pix_fmt="yuv444p")
    wanted = {**files, "options": {"quality": "best", "cut_detection": False}}
    number = page.post("projects", wanted).json()["id"]
    waited(lambda: page.get(f"projects/{number}").json(), "reading", "failed")
    early = page.heard(number, {"points": [POINT]}, 4)
    shown = maps_of(page.get(f"projects/{number}/maps?first=4&count=1").content)[1][0]
    assert shown["flags"] == 0
    told.clear()
    gate.set()
    assert page.settled(number)["state"] == "ready"
    assert told[0] == ("maps", {"id": number, "first": 0, "last": 79}), "pages look anew"
    late = page.heard(number, {"points": [POINT]}, 4)
    again = maps_of(page.get(f"projects/{number}/maps?first=4&count=1").content)[1][0]
    assert page.send("DELETE", f"projects/{number}").status_code == 204
    assert page.opened(**wanted) == number
    fresh = page.heard(number, {"points": [POINT]}, 4)
    page.send("DELETE", f"projects/{number}")
    assert late["changes"] == fresh["changes"]
    assert late["points"] == fresh["points"] != early["points"]
    assert not np.array_equal(shown["answers"][0].overall, again["answers"][0].overall)


def test_choices_of_another_object_are_no_error_where_the_background_moves_alone() -> None:
    """As points: of the background is said what is said of the first object."""
    pixels = np.zeros((8, 8, 3), np.uint8)
    nothing = np.zeros((3, 10), np.float32), np.zeros((2, 2, 3, 4), np.float32)
    look = Look(pixels, (pixels[..., 0],), (Answered(FrameTransform(*nothing)),))
    clip_guide = ClipGuide(
        info=SimpleNamespace(width=8, height=8, frames=5, turned=0),  # type: ignore[arg-type]
        objects=2,
        parts=(Part(BACKGROUND, Side("background", True)),),
        looks=SimpleNamespace(get=lambda frame: look),  # type: ignore[arg-type]
        prior=None,  # type: ignore[arg-type]
        maps=None,  # type: ignore[arg-type]
        samples=None,  # type: ignore[arg-type]
        default=0,
        dial_frames=DialFrames(1),
        warnings=(),
    )
    choice = {"frame": 0, "round": 1, "of": 6, "chosen": 2, "object": 2}
    guide = guide_from({"schema": 1, "choices": [choice]}, "guide")
    sound, _, errors = clip_guide.sound(guide)
    assert (sound.choices, errors) == (guide.choices, [])


def test_a_choice_of_an_object_that_is_gone_is_told_and_refused_before_the_queue(
    folder: Path, page: Page
) -> None:
    choice = {"frame": 3, "round": 1, "of": 6, "chosen": 2, "object": 2}
    number = page.opened(composite="clip.mkv", masks=["mask.mkv"])
    guide = {"schema": 1, "choices": [choice]}
    answer = page.heard(number, guide, 3)
    assert [one["choice"] for one in answer["errors"]] == [1]
    facts = page.get(f"projects/{number}").json()
    document = {**facts["document"], "guide": guide}
    body = {"revision": facts["revision"], "document": document}
    assert page.send("PUT", f"projects/{number}/document", body).status_code == 200
    refused = page.post(f"projects/{number}/renders", {"kind": "video"})
    assert refused.status_code == 400
    assert "names object 2" in refused.json()["detail"]


def test_dials_turn_an_object_of_which_nothing_else_is_said_as_the_command_does(
    folder: Path, page: Page
) -> None:
    """A point about one of two objects, and a dial: both are turned, here and in the file."""
    masks = moving_scene(30, 96, 64)[1]
    other = np.zeros_like(masks)
    other[:, 4:20, 70:90] = True
    write_video(folder / "second.mkv", (other & ~masks).astype(np.uint8) * 255, pix_fmt="yuv444p")
    number = page.opened(composite="clip.mkv", masks=["mask.mkv", "second.mkv"])
    for shots in ("this", "all"):
        facts = page.get(f"projects/{number}").json()
        guide = {"schema": 1, "points": [POINT], "dials": {"exposure": 0.5}, "shots": shots}
        document = {**facts["document"], "guide": guide}
        body = {"revision": facts["revision"], "document": document}
        assert page.send("PUT", f"projects/{number}/document", body).status_code == 200
        answer = page.get(f"projects/{number}/rendered/15", params={"size": "full"})
        wanted = {"kind": "video", "output": f"two.{shots}.mkv"}
        made = page.rendered(page.post(f"projects/{number}/renders", wanted).json()["id"])
        with av.open(str(folder / made["files"][0])) as container:
            frames = [one.to_ndarray(format="rgb24") for one in container.decode(video=0)]
        for mask in (masks[15], other[15] & ~masks[15]):
            shown, written = (one[mask].mean(axis=0) for one in (picture_of(answer), frames[15]))
            np.testing.assert_allclose(shown, written, atol=3.0)  # of a file in 4:2:0


def test_a_point_after_another_shot_silences_no_other(folder: Path, page: Page) -> None:
    pictures, masks = moving_scene(24, 96, 64)
    pictures[12:] = 255 - pictures[12:, :, ::-1]
    write_video(folder / "two.mkv", pictures)
    away = masks.copy()
    away[9] = False
    write_video(folder / "two.mask.mkv", away.astype(np.uint8) * 255, pix_fmt="yuv444p")
    number = page.opened(composite="two.mkv", masks=["two.mask.mkv"])
    rows, columns = np.nonzero(masks[2])
    good = {"frame": 2, "at": [float(np.median(columns)), float(np.median(rows))]}
    point = {**good, "is": "target", "to": "#808080"}
    for frame, told in ((20, "another shot"), (9, "no foreground")):
        match = {**good, "is": "match", "to": [2, 2], "to_frame": frame}
        found = page.heard(number, {"points": [point, match]}, 2)
        assert [row["point"] for row in found["errors"]] == [2]
        assert told in found["errors"][0]["detail"]
        assert [row["point"] for row in found["points"]] == [1]
