"""A table of jobs: skipped where done, gone on with after a failure, several at once."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import cv2
import numpy as np
import pytest

from tests.support.networks import changing_model
from tests.support.scenes import lay_graph, moving_scene, write_video
from vhmae.cli import main
from vhmae.data.clips import write_mask_bits
from vhmae.guide.dials import Dials
from vhmae.guide.document import Guide
from vhmae.model.vhmae import VHMAE
from vhmae.model.weights import load_model, save_model
from vhmae.partial_output import partial_name
from vhmae.work.batch import Outcome, Worker, run_batch
from vhmae.work.job import HarmonizeJob
from vhmae.work.jobs_table import read_jobs

FRAMES = 8


def word_at(frame: int) -> dict[str, object]:
    return {"frame": frame, "at": [30, 30], "is": "brightness", "to": 0.5}


@pytest.fixture
def work(tmp_path: Path) -> Path:
    for name in ("one", "two"):
        frames, masks = moving_scene(FRAMES, 96, 64)
        write_video(tmp_path / f"{name}.mkv", np.roll(frames, 5 if name == "two" else 0, axis=2))
        write_mask_bits(masks, tmp_path / f"{name}.npz")
    save_model(changing_model(), tmp_path / "w.safetensors", {})
    (tmp_path / "out").mkdir()
    return tmp_path


def batch(work: Path, text: str, *options: str) -> tuple[int, dict[str, object]]:
    (work / "jobs.csv").write_text(text)
    common = [
        "--weights",
        str(work / "w.safetensors"),
        "--precision",
        "fp32",
        "--json",
        str(work / "r.json"),
    ]
    code = main(["batch", str(work / "jobs.csv"), *common, *options])
    return code, json.loads((work / "r.json").read_text()) if (work / "r.json").exists() else {}


THREE = """composite,mask,out,strength
one.mkv,one.npz,out/1.mkv,
gone.mkv,one.npz,out/2.mkv,
two.mkv,two.npz,out/3.mkv,0.5
"""


@pytest.mark.parametrize("workers", ["1", pytest.param("2", marks=pytest.mark.long)])
def test_a_failure_does_not_stop_the_rest_and_what_is_done_is_skipped(
    work: Path, workers: str, capsys: pytest.CaptureFixture[str]
) -> None:
    code, report = batch(work, THREE, "--workers", workers)
    assert code == 1
    assert (report["done"], report["skipped"], report["failed"]) == (2, 0, 1)
    output = capsys.readouterr()
    assert "gone.mkv: no such file" in output.err
    assert output.err.splitlines()[-1].startswith("vhmae: error: ")
    assert sorted(path.name for path in (work / "out").iterdir()) == ["1.mkv", "3.mkv"]
    (work / "gone.mkv").write_bytes((work / "one.mkv").read_bytes())
    code, report = batch(work, THREE, "--workers", workers)
    assert code == 0
    assert (report["done"], report["skipped"]) == (1, 2)


def test_an_output_older_than_its_input_is_made_again(work: Path) -> None:
    table = "composite,mask,out\none.mkv,one.npz,out/1.mkv\n"
    assert batch(work, table)[0] == 0
    assert batch(work, table)[1]["skipped"] == 1
    assert batch(work, table, "--again")[1]["done"] == 1
    later = (work / "out" / "1.mkv").stat().st_mtime + 5
    os.utime(work / "one.mkv", (later, later))
    assert batch(work, table)[1]["done"] == 1


def test_what_is_asked_anew_is_made_anew(work: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def ran(dial: str, *words: str) -> object:
        code, report = batch(
            work, f"composite,mask,out,dial\none.mkv,one.npz,a.mkv,{dial}\n", *words
        )
        assert code == 0
        return [one["status"] for one in report["jobs"]]  # type: ignore[attr-defined]

    assert ran("exposure=+0.3") == ["done"]
    assert ran("exposure=+0.3") == ["skipped"]
    assert ran("exposure=+0.3", "--threads", "1") == ["skipped"], "the same frames"
    assert ran("exposure=+1") == ["done"]
    assert ran("exposure=+1", "--strength", "0.5") == ["done"]
    assert ran("exposure=+1", "--strength", "0.5") == ["skipped"]
    for start in (work, work.parent):  # however the table is called
        monkeypatch.chdir(start)
        call = ["batch", os.path.relpath(work / "jobs.csv"), "--strength", "0.5", "-q"]
        weights = os.path.relpath(work / "w.safetensors")
        call += ["--weights", weights, "--precision", "fp32", "--json", str(work / "r.json")]
        assert main(call) == 0
        assert json.loads((work / "r.json").read_text())["skipped"] == 1
    (work / ".jobs.csv.asked.json").unlink()
    assert ran("exposure=+2") == ["skipped"], "nobody knows what it was made of"
    assert ran("exposure=+3") == ["done"], "from then on it is known"
    assert ran("exposure=+3", "--again") == ["done"]
    assert ran("exposure=+3") == ["skipped"]
    save_model(changing_model(), work / "other.safetensors", {})
    assert ran("exposure=+3", "--weights", str(work / "other.safetensors")) == ["done"]
    (work / ".jobs.csv.asked.json").unlink()
    assert ran("exposure=+4", "--check") == ["skipped"]
    assert not (work / ".jobs.csv.asked.json").exists(), "nothing is written"


def test_a_guide_that_is_saved_while_it_is_rendered_is_of_the_next_time(
    work: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    guide = work / "guide.json"
    Guide(dials=Dials(exposure=0.3)).write(guide)
    call = Worker.__call__

    def saved_meanwhile(
        self: Worker, job: HarmonizeJob, scene_leader: HarmonizeJob | None
    ) -> Outcome:
        outcome = call(self, job, scene_leader)
        Guide(dials=Dials(exposure=1.5)).write(guide)
        os.utime(guide, (0, 0))
        return outcome

    table = "composite,mask,out,guide\none.mkv,one.npz,a.mkv,guide.json\n"
    with monkeypatch.context() as during:
        during.setattr(Worker, "__call__", saved_meanwhile)
        assert batch(work, table)[1]["done"] == 1
    assert batch(work, table)[1]["done"] == 1
    assert batch(work, table)[1]["skipped"] == 1


def test_a_folder_of_two_sequences_fails_its_own_job_alone(work: Path) -> None:
    (work / "plates").mkdir()
    for name in ("p.01", "p.02", "q.01", "q.02"):
        cv2.imwrite(str(work / "plates" / f"{name}.png"), np.zeros((64, 96, 3), np.uint8))
    (work / "x.mkv").write_bytes(b"there")
    table = "composite,mask,out\nplates,one.npz,x.mkv\none.mkv,one.npz,a.mkv\n"
    code, report = batch(work, table)
    assert (code, report["failed"], report["done"]) == (1, 1, 1)


def test_pictures_and_several_masks_are_jobs_too(work: Path) -> None:
    table = "composite,mask,out\none.mkv,one.npz|two.npz,out/x.%03d.png\n"
    assert batch(work, table)[1]["done"] == 1
    assert len(list((work / "out").glob("x.*.png"))) == FRAMES
    assert batch(work, table)[1]["skipped"] == 1
    # As a kill leaves it while the pictures take their places.
    partial_name(work / "out" / "x.%03d.png").with_suffix("").mkdir()
    assert batch(work, table)[1]["done"] == 1
    assert batch(work, table)[1]["skipped"] == 1


def test_options_of_a_line_overrule_those_of_the_command(work: Path) -> None:
    (work / "jobs.csv").write_text(
        "composite,mask,out,strength,crf\none.mkv,one.npz,a.mkv,0.25,\ntwo.mkv,two.npz,b.mkv,,9\n"
    )
    first, second = read_jobs(work / "jobs.csv", {"strength": 0.75})
    assert (first.strength, first.crf, second.strength, second.crf) == (0.25, None, 0.75, 9)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("composite,out\na,b\n", "no column 'mask'"),
        ("composite,mask,out\n", "holds no job"),
        ("composite,mask,out,strenght\na,b,c,1\n", "did you mean strength"),
        ("composite,mask,out,crf\na,b,c,much\n", "is not a number"),
        ("composite,mask,out,colorspace\na,b,c,bt907\n", "did you mean bt"),
        ("composite,mask,out\na,b,c.mkv\n\nd,e,x/../c.mkv\n", "line 4"),
        ("composite,mask,out\na,b\n", "line 2"),
        ("composite,mask,out\na,b,c.mkv\nd,e,c.mkv\n", "line 3"),
    ],
)
def test_a_wrong_table_is_refused_before_any_work(
    work: Path, text: str, message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert batch(work, text)[0] == 2
    error = capsys.readouterr().err
    assert message in error
    assert error.count("\n") == 1


def _die_of_the_second(job: HarmonizeJob, scene_leader: HarmonizeJob | None) -> Outcome:
    if job.output.name == "2.mkv":
        os.kill(os.getpid(), signal.SIGKILL)
    return Worker()(job, scene_leader)


def test_a_killed_worker_loses_its_own_job_alone(
    work: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (work / "jobs.csv").write_text(THREE)
    lay_graph(work / "w.safetensors")
    jobs = read_jobs(
        work / "jobs.csv", {"weights": str(work / "w.safetensors"), "precision": "fp32"}
    )
    monkeypatch.setattr("vhmae.work.batch._work", _die_of_the_second)
    outcomes = {Path(outcome.out).name: outcome for outcome in run_batch(jobs, workers=2)}
    assert {name: outcome.status for name, outcome in outcomes.items()} == {
        "1.mkv": "done",
        "2.mkv": "failed",
        "3.mkv": "done",
    }
    assert "killed" in outcomes["2.mkv"].message
    assert sorted(path.name for path in (work / "out").iterdir()) == ["1.mkv", "3.mkv"]


def test_the_model_is_loaded_once(work: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    loaded: list[str] = []

    def load(name: str) -> VHMAE:
        loaded.append(name)
        return load_model(name)

    monkeypatch.setattr("vhmae.engine.torch_network.load_model", load)
    assert (
        batch(work, "composite,mask,out\none.mkv,one.npz,out/1.mkv\ntwo.mkv,two.npz,out/2.mkv\n")[
            1
        ]["done"]
        == 2
    )
    assert loaded == [str(work / "w.safetensors")]


@pytest.mark.long
@pytest.mark.usefixtures("cluster")
def test_over_a_cluster_a_killed_worker_loses_nothing(
    work: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Mortal(Worker):
        def __call__(self, job: HarmonizeJob, scene_leader: HarmonizeJob | None = None) -> Outcome:
            if job.output.name == "3.mkv" and not (job.output.parent.parent / "killed").exists():
                (job.output.parent.parent / "killed").touch()
                os.kill(os.getpid(), signal.SIGKILL)
            return super().__call__(job, scene_leader)

    monkeypatch.setattr("vhmae.work.batch.Worker", Mortal)
    monkeypatch.chdir(work)
    code, report = batch(Path(), THREE, "--ray")
    assert code == 1
    assert (work / "killed").exists()
    assert (report["done"], report["failed"]) == (
        2,
        1,
    )  # one of the three names a file that is not there
    assert sorted(path.name for path in (work / "out").iterdir()) == ["1.mkv", "3.mkv"]
    assert batch(Path(), THREE, "--ray")[1]["skipped"] == 2


def test_an_interrupt_stops_all_workers_and_leaves_nothing_half_written(work: Path) -> None:
    frames, masks = moving_scene(200, 192, 128)
    lines = ["composite,mask,out"]
    for number in range(5):
        write_video(work / f"long{number}.mkv", frames)
        write_mask_bits(masks, work / f"long{number}.npz")
        lines.append(f"long{number}.mkv,long{number}.npz,out/{number}.mkv")
    (work / "jobs.csv").write_text("\n".join(lines) + "\n")
    command = [
        sys.executable,
        "-m",
        "vhmae",
        "batch",
        str(work / "jobs.csv"),
        "--workers",
        "2",
        "--quality",
        "best",
    ]
    with subprocess.Popen(
        command, stderr=subprocess.PIPE, stdout=subprocess.DEVNULL, text=True
    ) as process:
        deadline = time.monotonic() + 60
        while not list((work / "out").glob(".*")) and time.monotonic() < deadline:
            time.sleep(0.1)
        process.send_signal(signal.SIGTERM)
        _, error = process.communicate(timeout=30)
    assert process.returncode == 130, error
    assert len(list((work / "out").iterdir())) <= 1  # one may have been done just then
    assert not list((work / "out").glob(".*"))


def test_what_takes_another_jobs_output_waits_for_it(work: Path) -> None:
    table = "composite,mask,out\nout/1.mkv,two.npz,out/2.mkv\none.mkv,one.npz,out/1.mkv\n"
    code, report = batch(work, table)
    assert (code, report["done"]) == (0, 2)
    assert batch(work, table)[1]["skipped"] == 2
    later = (work / "out" / "2.mkv").stat().st_mtime + 5
    os.utime(work / "one.mkv", (later, later))
    assert batch(work, table)[1]["done"] == 2
    assert (work / "out" / "2.mkv").stat().st_mtime >= (work / "out" / "1.mkv").stat().st_mtime


def test_a_scene_whose_leader_is_made_first_is_checked(work: Path) -> None:
    guide = {"schema": 1, "shots": "all", "points": [word_at(2)]}
    (work / "g.json").write_text(json.dumps(guide))
    table = (
        "composite,mask,out,guide\none.mkv,one.npz,mid.mkv,\nmid.mkv,one.npz,b.mkv,g.json\n"
        "two.mkv,two.npz,d.mkv,g.json\n"
    )
    code, report = batch(work, table, "--check")
    assert (code, report["checked"]) == (0, 3), report


def test_jobs_that_wait_for_each_other_are_refused(
    work: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    table = "composite,mask,out\na.mkv,one.npz,b.mkv\nb.mkv,one.npz,a.mkv\n"
    assert batch(work, table)[0] == 2
    assert "a.mkv: are made of one another" in capsys.readouterr().err


def test_a_scenes_leader_is_made_before_those_that_hear_its_guide(work: Path) -> None:
    guide = {"schema": 1, "shots": "all", "points": [word_at(2)]}
    (work / "g.json").write_text(json.dumps(guide))
    table = (
        "composite,mask,out,guide\none.mkv,one.npz,n1.mkv,\nn1.mkv,one.npz,n2.mkv,\n"
        "n2.mkv,one.npz,n3.mkv,g.json\ntwo.mkv,two.npz,n4.mkv,g.json\n"
    )
    code, report = batch(work, table)
    assert (code, report["done"]) == (0, 4), report


def test_a_path_that_cannot_be_looked_at_stops_no_table(
    work: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    looked_at = Path.is_symlink

    def is_symlink(self: Path) -> bool:
        if "locked" in self.parts:
            raise PermissionError(13, "Permission denied", str(self))
        return looked_at(self)

    monkeypatch.setattr(Path, "is_symlink", is_symlink)
    text = "composite,mask,out\nlocked/a.mkv,one.npz,out/a.mkv\none.mkv,one.npz,out/b.mkv\n"
    code, report = batch(work, text)
    assert code == 1
    assert [row["status"] for row in report["jobs"]] == ["failed", "done"]  # type: ignore[attr-defined]


def test_a_link_that_leads_nowhere_is_of_its_own_line(work: Path) -> None:
    (work / "seq").mkdir()
    for number in (1, 2):
        cv2.imwrite(str(work / "seq" / f"s.{number}.png"), np.zeros((64, 96, 3), np.uint8))
    (work / "seq" / "s.3.png").symlink_to(work / "gone.png")
    (work / "out" / "a.1.png").write_bytes(b"x")
    text = "composite,mask,out\nseq,one.npz,out/a.%d.png\none.mkv,one.npz,out/b.mkv\n"
    code, report = batch(work, text)
    assert code == 1
    assert [row["status"] for row in report["jobs"]] == ["failed", "done"]  # type: ignore[attr-defined]


def test_pictures_of_damaged_frames_are_not_asked_for_again(
    work: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def without_the_third(self: Worker, job: HarmonizeJob, scene_leader: object = None) -> Outcome:
        for number in (1, 2, 4):
            Path(str(job.output) % number).write_bytes(b"x")
        return Outcome(str(job.composite), str(job.output), "done")

    monkeypatch.setattr(Worker, "__call__", without_the_third)
    text = "composite,mask,out\none.mkv,one.npz,out/a.%04d.png\n"
    status = [batch(work, text)[1]["jobs"][0]["status"] for _ in range(2)]  # type: ignore[index]
    assert status == ["done", "skipped"]
    (work / "out" / "a.0002.png").unlink()
    assert batch(work, text)[1]["jobs"][0]["status"] == "done"  # type: ignore[index]


@pytest.mark.parametrize("error", [MemoryError(), SystemError("callback")])
def test_what_stops_a_job_is_told_apart_from_faults(
    error: Exception, work: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fails(*_: object) -> None:
        if isinstance(error, MemoryError):
            raise error
        raise error from KeyboardInterrupt()

    monkeypatch.setattr("vhmae.work.batch.harmonize_job", fails)
    jobs = [HarmonizeJob(composite=work / "one.mkv", output=work / "out" / "a.mkv")]
    if isinstance(error, MemoryError):
        (outcome,) = run_batch(jobs)
        assert outcome.message.startswith("out of memory")
    else:
        with pytest.raises(KeyboardInterrupt):
            list(run_batch(jobs))
