"""One guide over many shots of one scene."""

from __future__ import annotations

import contextlib
import dataclasses
import json
import os
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from tests.support.networks import changing_model
from tests.support.runs import same_frames
from tests.support.scenes import decode, moving_scene, write_video
from vhmae.cli import main
from vhmae.data.clips import write_mask_bits
from vhmae.engine.pointing import foreground_colors
from vhmae.errors import InputError
from vhmae.guide.dials import Dials, dial_change
from vhmae.guide.document import Guide, Point
from vhmae.guide.options import GuideOptions
from vhmae.model.weights import save_model
from vhmae.work import renderer
from vhmae.work.analysis import open_analysis
from vhmae.work.batch import is_done, of_scenes
from vhmae.work.cluster import with_absolute_paths
from vhmae.work.guiding import hear_guide
from vhmae.work.harmonize import harmonize_job
from vhmae.work.job import HarmonizeJob
from vhmae.work.named import Named

FRAMES, MASKS = moving_scene(8, 96, 64)
ys, xs = np.nonzero(MASKS[3])
PLACE = (float(np.median(xs)), float(np.median(ys)))
SCENE = Guide(points=(Point(kind="target", at=PLACE, frame=3, to=(0.3, 0.5, 0.6)),), shots="all")
HOW = ["--precision", "fp32", "--caution", "0", "-q"]


@pytest.fixture
def work(tmp_path: Path) -> Path:
    """Two shots of a scene; in the second, the guide's place is of the background."""
    for name, frames, masks in (
        ("one", FRAMES, MASKS),
        ("two", np.ascontiguousarray(FRAMES[..., ::-1] // 2 + 40), np.zeros_like(MASKS)),
    ):
        if name == "two":
            masks[:, 2:20, 2:20] = True
        write_video(tmp_path / f"{name}.mkv", frames)
        write_mask_bits(masks, tmp_path / f"{name}.npz")
    save_model(changing_model(), tmp_path / "w.safetensors", {})
    SCENE.write(tmp_path / "scene.json")
    return tmp_path


def job(work: Path, name: str, guide: str | None = "scene.json") -> HarmonizeJob:
    return HarmonizeJob(
        composite=work / f"{name}.mkv",
        masks=(work / f"{name}.npz",),
        output=work / f"{name}.out.mkv",
        weights=str(work / "w.safetensors"),
        precision="fp32",
        caution=0.0,
        words=GuideOptions(guide=work / guide if guide else None),
    )


def test_a_leader_whose_mask_was_made_is_looked_at_again(
    work: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made: list[Path] = []

    @contextlib.contextmanager
    def made_matte(video: Path, way: str, beside: Path, **options: object) -> Iterator[Path]:
        made.append(video)
        yield video.with_suffix(".npz")

    monkeypatch.setattr("vhmae.matting.run.made_matte", made_matte)
    led = harmonize_job(job(work, "two"), None, job(work, "one"))
    leader = dataclasses.replace(job(work, "one"), masks=(), matte="rvm")
    again = harmonize_job(job(work, "two"), None, leader)
    assert made == [work / "one.mkv"]
    assert again["guided"] == led["guided"]
    checked = harmonize_job(dataclasses.replace(job(work, "two"), check=True), None, leader)
    assert made == [work / "one.mkv"]
    assert "whose mask the work makes: not heard" in checked["warnings"][-1]


def test_what_is_said_of_one_shot_is_told_to_all(work: Path) -> None:
    lines = ["composite,mask,out,guide"]
    lines += [f"{name}.mkv,{name}.npz,{name}.batch.mkv,scene.json" for name in ("one", "two")]
    (work / "jobs.csv").write_text("\n".join(lines) + "\n")
    run = ["batch", str(work / "jobs.csv"), "--weights", str(work / "w.safetensors"), *HOW]
    assert main([*run, "--json", str(work / "r.json")]) == 0
    rows = json.loads((work / "r.json").read_text())["jobs"]
    assert [row["status"] for row in rows] == ["done", "done"]
    for row in rows:
        (needed,) = row["needed"]
        assert (needed["shot"], needed["object"], needed["first"], needed["last"]) == (1, 1, 0, 7)
        assert needed["words"]
    first = harmonize_job(job(work, "one"))
    second = harmonize_job(job(work, "two"), scene_leader=job(work, "one"))
    assert second["guided"] == first["guided"]
    assert second["needed"] == rows[1]["needed"]
    told = work / "two.out.mkv"
    assert same_frames(told, work / "two.batch.mkv")
    harmonize_job(job(work, "two", None))
    assert not same_frames(told, work / "two.batch.mkv")


def test_what_a_shot_needed_is_what_the_network_alone_says(work: Path) -> None:
    """The guide's own part is taken out: ``diagnose`` without a guide reads the same."""
    run = [str(work / "one.mkv"), "--mask", str(work / "one.npz"), *HOW]
    run += ["--weights", str(work / "w.safetensors"), "--json", str(work / "r.json")]
    assert main(["diagnose", *run]) == 0
    (shot,) = json.loads((work / "r.json").read_text())["shots"]
    (needed,) = harmonize_job(job(work, "one"))["needed"]
    for dial in ("exposure", "contrast", "saturation"):
        assert needed[dial] == pytest.approx(shot[dial], abs=0.03)
    assert needed["change_levels"] == pytest.approx(shot["change_levels"], abs=1.0)


def test_what_a_shot_needed_is_not_cut_off_by_the_guide(work: Path) -> None:
    """A word that drives colors to white, and what is kept, are no part of what was needed."""
    bright = dataclasses.replace(SCENE, dials=Dials(exposure=3.0))
    plain = dataclasses.replace(job(work, "one"), keep=("luma",))
    found = []
    for guide in (SCENE, bright):
        guide.write(work / "scene.json")
        (needed,) = harmonize_job(plain)["needed"]
        found.append(needed)
    assert found[0] == found[1]


def test_a_point_of_its_own_is_not_looked_for_in_another_video(work: Path) -> None:
    own = job(work, "two")
    own = dataclasses.replace(own, words=dataclasses.replace(own.words, target=("5,5=#ffffff",)))
    told = r"point 1 \(5,5 of frame 0.*\) is said of .*two.mkv, but `guide` .* of .*one.mkv: put"
    for check in (False, True):
        with pytest.raises(InputError, match=told):
            harmonize_job(dataclasses.replace(own, check=check), scene_leader=job(work, "one"))


def test_a_scenes_dials_are_turned_in_each_shot_of_its_own(work: Path) -> None:
    turned = dataclasses.replace(SCENE, dials=Dials(saturation=1.0))
    turned.write(work / "scene.json")
    found = harmonize_job(job(work, "two"), scene_leader=job(work, "one"))
    assert [row["point"] for row in found["guided"]] == [1]
    analyses = [open_analysis(job(work, "two")) for _ in range(2)]
    hear_guide(analyses[0], scene_leader=job(work, "one"))
    SCENE.write(work / "scene.json")
    hear_guide(analyses[1], scene_leader=job(work, "one"))
    own, word = (one.harmonizers[0].stream_guide.guide_changes.at(0, 0) for one in analyses)
    assert own is not None
    assert word is not None
    first = next(Named(analyses[1], Guide()).firsts(0))[1]
    colors = foreground_colors(first.frame, first.matte)
    answer = first.answer.overall + word
    expected = dial_change(colors, answer.ravel().astype(np.float64), turned.dials)
    assert own - word == pytest.approx(expected.reshape(3, 10), abs=1e-5)


def test_the_first_shot_that_names_a_guide_is_the_one_it_was_said_of(work: Path) -> None:
    one, two = job(work, "one"), job(work, "two")
    Guide(points=SCENE.points).write(work / "shot.json")
    jobs = [job(work, "two", None), one, two, job(work, "two", "shot.json")]
    assert of_scenes(jobs) == [(jobs[0], None), (one, None), (two, one), (jobs[3], None)]
    (work / "two.out.mkv").write_bytes(b"x")
    assert is_done(two, one)
    os.utime(work / "one.npz", (later := time.time() + 60.0, later))
    assert not is_done(two, one)


def test_a_guide_is_found_from_another_folder(work: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(work)
    moved = with_absolute_paths(
        HarmonizeJob(
            composite=Path("one.mkv"),
            output=Path("o.mkv"),
            words=GuideOptions(guide=Path("scene.json")),
        )
    )
    assert moved.words.guide == work / "scene.json"


def test_a_check_knows_the_stopped_run_of_a_scene(
    work: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(renderer, "CHECKPOINT_FRAMES", 2)
    mine, scene_leader = dataclasses.replace(job(work, "two"), resume=True), job(work, "one")

    def stop(done: int, _total: int | None) -> None:
        if done >= 6:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        harmonize_job(mine, scene_leader=scene_leader, on_progress=stop)
    assert (work / ".two.out.mkv.part").exists()
    assert harmonize_job(dataclasses.replace(mine, check=True), scene_leader=scene_leader)["check"]


def test_a_scenes_word_may_lie_outside_of_what_is_kept(work: Path) -> None:
    lines = ["composite,mask,out,guide,end"]
    lines += [f"{name}.mkv,{name}.npz,{name}.part.mkv,scene.json,0.1" for name in ("one", "two")]
    (work / "jobs.csv").write_text("\n".join(lines) + "\n")
    run = ["batch", str(work / "jobs.csv"), "--weights", str(work / "w.safetensors"), *HOW]
    assert main([*run, "--json", str(work / "r.json")]) == 0
    rows = json.loads((work / "r.json").read_text())["jobs"]
    assert [(row["status"], row["frames"]) for row in rows] == [("done", 3), ("done", 3)]
    plain = dataclasses.replace(job(work, "two", None), end=0.1)
    harmonize_job(plain)
    told, untold = decode(work / "two.part.mkv"), decode(plain.output)
    assert np.abs(told[0][0].astype(int) - untold[0][0])[2:20, 2:20].mean() > 2.0
