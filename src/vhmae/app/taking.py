"""What is taken away, made: commands in processes of their own, so that each ends when it is told
to and takes nothing with it; pictures and clips to show here."""

from __future__ import annotations

import json
import secrets
import subprocess
import sys
import threading
import time
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np

from vhmae.app.clip import plain_job, seen_of
from vhmae.app.commands import GRADES, STILLS, Taking, guide_of, job_tree
from vhmae.app.pictures import png
from vhmae.app.project import Project
from vhmae.arrays import Array
from vhmae.errors import InputError
from vhmae.partial_output import OutputLock, whole_file
from vhmae.video.browser import resized, shown_size, write_browser_video
from vhmae.video.pictures import check_still, write_still
from vhmae.video.sequence import PICTURES
from vhmae.work.job import HarmonizeJob
from vhmae.work.project import MARK, SUFFIX

WAIT_SECONDS = 15.0
"""For a process that a killed server has left to let an output go."""
BETWEEN = 6
"""White pixels between before and after."""
USUAL_LINES = 720
CHANGED = "the clip was opened anew with other options meanwhile; ask for it again"
Advance = Callable[[int, int | None, float | None], None]
"""Takes how much is done, of how much, and how many seconds are left."""


class Cancelled(Exception):
    """Somebody does not want it any more."""


class Running:
    """Something that is being made, to be stopped from another thread."""

    def __init__(self) -> None:
        self._process: subprocess.Popen[str] | None = None
        self._lock = threading.Lock()
        self.cancelled = False

    def cancel(self) -> None:
        with self._lock:
            self.cancelled = True
            process = self._process
        if process is not None:
            process.terminate()

    def check(self) -> None:
        """Raise where it was stopped."""
        if self.cancelled:
            raise Cancelled

    def run(self, arguments: list[str], advance: Advance) -> None:
        """Run a command of this package to its end.

        Raises:
            InputError: with the command's own words, where it fails.
            Cancelled: where it was stopped.
        """
        command = [sys.executable, "-m", "vhmae.app.child", *arguments]
        with self._lock:
            if self.cancelled:
                raise Cancelled
            self._process = process = subprocess.Popen(
                command,
                stdin=subprocess.PIPE,  # held open for as long as this process lives
                stdout=subprocess.DEVNULL,
                stderr=subprocess.PIPE,
                text=True,
                start_new_session=True,
            )
        last = ""
        with process:
            assert process.stderr is not None
            for line in process.stderr:
                if line.startswith("{"):
                    told = json.loads(line)
                    advance(told["done"], told["total"], told["seconds_left"])
                elif line.strip():
                    last = line.strip()
        self.check()
        if process.returncode:
            raise InputError(last.removeprefix("vhmae: error: ") or "the command failed")


def take(
    project: Project, taking: Taking, overwrite: bool, running: Running, advance: Advance
) -> dict[str, Any]:
    """Make something.

    Args:
        taking: what is made of the project, by which options, and where it goes.
        overwrite: whether a file that is there may be replaced.
        running: what a user may stop it by.
        advance: told how far it is.
    Returns:
        The command's report, with the files that were written under ``files``.
    Raises:
        VhmaeError: where it cannot be made.
        Cancelled: where it was stopped.
    """
    if taking.output.parent.name == STILLS:
        taking.output.parent.mkdir(exist_ok=True)
    with OutputLock(taking.output, WAIT_SECONDS):
        pass  # what a killed server began has ended
    job = project.job_of(taking.job)
    if taking.kind in ("video", "layer"):
        return _harmonized(project, taking, job, overwrite, running, advance)
    if taking.kind in GRADES:
        return _graded(project, taking, job, running, advance)
    if taking.kind == "matte":
        return _cut_out(project, taking, job, running, advance)
    _await_clip(project, job, running)
    if taking.kind == "bundle":
        return _bundled(project, taking, job, running, advance)
    return _before_after(project, taking, job, running, advance)


def _await_clip(project: Project, job: HarmonizeJob, running: Running) -> None:
    """Wait until the clip is open; refuse one that is another than what was asked for."""
    while project.state == "opening":
        running.check()
        time.sleep(0.1)
    if project.clip.closed or seen_of(plain_job(job)) != seen_of(project.clip.job):
        raise InputError(CHANGED)


def _snapshot(project: Project, taking: Taking, job: HarmonizeJob) -> Path:
    """The job and the guide as they were when this was asked for, in a file of the run."""
    folder = project.context.run.folder("jobs")
    path = folder / f"{secrets.token_hex(8)}{SUFFIX}"
    tree = {**MARK, "job": job_tree(taking, job), "guide": taking.guide}
    path.write_text(json.dumps(tree), encoding="utf-8")
    return path


def _report(path: Path) -> dict[str, Any]:
    tree: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    path.unlink()
    return tree


def _harmonized(
    project: Project,
    taking: Taking,
    job: HarmonizeJob,
    overwrite: bool,
    running: Running,
    advance: Advance,
) -> dict[str, Any]:
    file, output = _snapshot(project, taking, job), taking.output
    report = file.with_suffix(".report.json")
    arguments = ["harmonize", "--job", str(file), "-o", str(output), "-q", "--progress", "json"]
    arguments += ["--json", str(report)]
    if output.suffix.lower() not in PICTURES:
        arguments.append("--resume")
    if not overwrite:
        arguments.append("--no-overwrite")
    running.run(arguments, advance)
    return {**_report(report), "files": [str(output)]}


def _graded(
    project: Project, taking: Taking, job: HarmonizeJob, running: Running, advance: Advance
) -> dict[str, Any]:
    file = _snapshot(project, taking, job)
    report = file.with_suffix(".report.json")
    arguments = ["export", taking.kind, "--job", str(file), "-o", str(taking.output), "-q"]
    arguments += ["--json", str(report)]
    if "key_frames" in taking.options:
        arguments += ["--key-frames", str(taking.options["key_frames"])]
    running.run(arguments, advance)
    return _report(report)


def _cut_out(
    project: Project, taking: Taking, job: HarmonizeJob, running: Running, advance: Advance
) -> dict[str, Any]:
    told = taking.options
    way, of = told.get("way", "chroma"), told.get("of", "composite")
    video = job.foreground if of == "foreground" else job.composite
    if video is None:
        raise InputError("of foreground: the clip is not made of two layers; take the composite")
    report = project.context.run.folder("jobs") / f"{secrets.token_hex(8)}.report.json"
    whole = taking.output.name.endswith(".cutout.mkv")
    where = ["--foreground" if whole else "-o", str(taking.output)]
    arguments = ["matte", str(video), *where, "--with", str(way), "-q", "--json", str(report)]
    if way == "chroma" and "key" in told:
        arguments += ["--key", str(told["key"])]
    running.run(arguments, advance)
    return {**_report(report), "files": [str(taking.output)]}


def _frame(project: Project, taking: Taking) -> int:
    number = taking.options.get("frame", project.clip.info.frames // 2)
    if not isinstance(number, int):
        raise InputError(f"frame {number}: expected the number of a frame")
    project.clip.check_frame(number)
    return number


def before_and_after(
    project: Project, number: int, taking: Taking, job: HarmonizeJob
) -> tuple[Array, Array]:
    """A frame before and after, upright: (H, W, 3) uint8 each."""
    clip, guide = project.clip, guide_of(taking)
    known = () if clip.maps.known[number] else (number,)
    project.ensure_looks([*known, *clip.clip_guide.named(guide, number)])
    payload = clip.reel.payload(number)
    after = clip.rendered(payload, guide, job)
    return clip.upright(payload.timed.image), clip.upright(after)


def _beside(before: Array, after: Array) -> Array:
    between = np.full((before.shape[0], BETWEEN, 3), 255, np.uint8)
    return np.hstack([before, between, after])


def _before_after(
    project: Project, taking: Taking, job: HarmonizeJob, running: Running, advance: Advance
) -> dict[str, Any]:
    inputs = list(job.inputs().values())
    if not taking.options.get("clip"):
        check_still(taking.output, inputs)
        number = _frame(project, taking)
        pair = before_and_after(project, number, taking, job)
        write_still(taking.output, _beside(*pair))
        return {"frame": number, "files": [str(taking.output)]}
    if taking.output.suffix.lower() != ".mp4":
        raise InputError(f"{taking.output.name}: a clip to show is written as .mp4; name it so")
    if any(
        taking.output.exists() and one.exists() and taking.output.samefile(one) for one in inputs
    ):
        raise InputError(f"{taking.output.name}: is one of the inputs; choose another name")
    while not project.settled.wait(0.2):
        running.check()
    clip, guide = project.clip, guide_of(taking)
    lines = int(taking.options.get("lines", USUAL_LINES))
    size = shown_size(clip.width, clip.height, max(16, min(lines, 2160)))
    total = clip.sources.expected()

    def frames() -> Iterator[Array]:
        for done, pair in enumerate(clip.pairs(guide, job, project.ensure_looks), 1):
            running.check()
            if clip.closed:  # nothing is known of its frames any more
                raise InputError(CHANGED)
            yield _beside(*resized(iter(pair), size))
            if done % 10 == 0:
                advance(done, total, None)

    with whole_file(taking.output) as part:
        count = write_browser_video(part, frames(), clip.info.fps)
    return {"frames": count, "files": [str(taking.output)]}


def _bundled(
    project: Project, taking: Taking, job: HarmonizeJob, running: Running, advance: Advance
) -> dict[str, Any]:
    if taking.output.suffix.lower() != ".zip":
        raise InputError(f"{taking.output.name}: a bundle is written as .zip; name it so")
    number = _frame(project, taking)
    before, after = before_and_after(project, number, taking, job)
    stem = project.document.path.name.removesuffix(SUFFIX)
    grade = project.context.run.folder("bundle") / f"{stem}.cube"
    several = Taking("cube", grade, {}, taking.job, taking.guide)
    report = _graded(project, several, job, running, advance)
    cubes = [Path(one) for one in report["files"]]
    with whole_file(taking.output) as part, zipfile.ZipFile(part, "w") as archive:
        archive.writestr(f"{stem}.before.png", png(before))
        archive.writestr(f"{stem}.after.png", png(after))
        text = json.dumps(taking.guide, indent=1) + "\n"
        archive.writestr(f"{stem}.guide.json", text, zipfile.ZIP_DEFLATED)
        for cube in cubes:
            archive.write(cube, cube.name, zipfile.ZIP_DEFLATED)
    for cube in cubes:
        cube.unlink()
    return {
        "frame": number,
        "files": [str(taking.output)],
        "warnings": report["warnings"],
        "holds": sorted(archive.namelist()),
    }
