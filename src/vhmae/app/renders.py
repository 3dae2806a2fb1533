"""The queue of what is taken away: one after the other, each to be cancelled, and resumed where a
server was stopped or killed."""

from __future__ import annotations

import contextlib
import dataclasses
import glob
import json
import logging
import secrets
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Literal

from vhmae.app.commands import (
    GRADES,
    Taking,
    guide_of,
    job_tree,
    shown_command,
    usual_name,
)
from vhmae.app.document import RENDERS
from vhmae.app.project import Project
from vhmae.app.refusals import Refused
from vhmae.app.taking import Cancelled, Running, take
from vhmae.errors import InputError, VhmaeError
from vhmae.guide.document import Guide
from vhmae.options import values_from_json
from vhmae.partial_output import resume_folder
from vhmae.video.sequence import PICTURES, has_number, pictures_there
from vhmae.work.job import HarmonizeJob
from vhmae.work.output import Output

State = Literal["waiting", "running", "done", "failed", "cancelled", "stopped"]
OPEN_STATES = ("waiting", "running", "stopped", "cancelled")
"""Of entries that may still be done: they are kept with the project."""
MOST_ENTRIES = 200
GRACE_SECONDS = 1.0
"""For what runs to stop when the server ends."""


@dataclasses.dataclass
class Render:
    """An entry of the queue."""

    number: str
    project: Project
    taking: Taking
    overwrite: bool
    state: State = "waiting"
    done: int = 0
    total: int | None = None
    seconds_left: float | None = None
    error: dict[str, Any] | None = None
    files: list[Path] = dataclasses.field(default_factory=list)
    warnings: list[str] = dataclasses.field(default_factory=list)
    report: dict[str, Any] | None = None
    running: Running | None = None

    @property
    def resumable(self) -> bool:
        return self.state in ("cancelled", "stopped", "failed")

    def tree(self) -> dict[str, Any]:
        """The entry as pages see it."""
        folder, project = self.project.context.folder, self.project
        base = project.document.path.parent
        named = [
            one.relative_to(base).as_posix() if one.is_relative_to(base) else str(one)
            for one in self.files
        ]
        return {
            "id": self.number,
            "project": project.number,
            "kind": self.taking.kind,
            "output": folder.text(self.taking.output),
            "files": [folder.text(one) for one in self.files],
            "from_project": named,
            "state": self.state,
            "done": self.done,
            "total": self.total,
            "seconds_left": self.seconds_left,
            "error": self.error,
            "resumable": self.resumable,
            "command": self._command(),
            "warnings": self.warnings,
            "report": self.report,
        }

    def _command(self) -> str:
        """The line to copy; none where it cannot be said any more: files may have gone."""
        try:
            return command_of(self.project, self.taking)
        except (Refused, VhmaeError):
            return ""

    def kept(self) -> dict[str, Any]:
        """The entry as the project's file keeps it."""
        return {
            "id": self.number,
            "kind": self.taking.kind,
            "output": self.project.context.folder.text(self.taking.output),
            "options": self.taking.options,
            "job": self.taking.job,
            "guide": self.taking.guide,
            "overwrite": self.overwrite,
        }


def command_of(project: Project, taking: Taking) -> str:
    """The line to copy; none for what no command does, and for what was asked for before something
    else was said: the line names the project, which holds what was said last."""
    tree = job_tree(taking, project.job_of(taking.job))
    is_said = guide_of(taking) in (Guide(), project.document.guide)
    if taking.kind in ("before_after", "bundle", "matte") or not is_said:
        return ""
    return shown_command(taking, tree, project.place)


def check_written(project: Project, taking: Taking) -> None:
    """Refuse what the output cannot be, before it waits its turn; what is asked for of a clip that
    is still being opened is refused when its turn comes."""
    if taking.kind not in ("video", "layer"):
        return
    try:
        info = project.clip.info
    except Refused:
        return
    tree = job_tree(taking, project.job_of(taking.job))
    values = values_from_json(HarmonizeJob, tree, "options")
    job = HarmonizeJob(**{**values, "output": taking.output})
    Output(job, info)
    _check_heard(project, taking)
    beyond = [one for one in guide_of(taking).frames if one not in project.clip.within]
    if beyond:  # the project's own start and end: the page cannot show what the word does
        raise InputError(
            f"something is said of frame {beyond[0]}, which the project's start and end leave out; "
            "remove what is said there"
        )


def _check_heard(project: Project, taking: Taking) -> None:
    """Refuse words that cannot be heard, as a choice of an object that is gone."""
    errors = project.clip.clip_guide.sound(guide_of(taking))[2]
    if not errors:
        return
    first = errors[0]
    what = f"point {first['point']}" if "point" in first else f"choice {first['choice']}"
    raise InputError(f"{what}: {first['detail']}")


class Renders:
    """The queue, and the thread that works on it."""

    def __init__(self, tell: Callable[[str, dict[str, Any]], None]) -> None:
        self._tell = tell
        self._entries: dict[str, Render] = {}
        self._changed = threading.Condition()
        self._ended = False
        self._thread = threading.Thread(target=self._run, name="vhmae-queue", daemon=True)
        self._thread.start()

    # --- what is asked

    def taking(
        self, project: Project, kind: str, output: str | None, options: dict[str, Any]
    ) -> Taking:
        """What is asked for, with its place.

        Raises:
            InputError, Refused: where it cannot be.
        """
        tree = project.document.tree
        stem = project.document.path.name.removesuffix(".vhmae.json")
        suffix = project.job.output.suffix
        usual = usual_name(kind, stem, suffix, options, project.is_among_pictures)
        path = project.context.folder.path(usual if output is None else output, project.outputs)
        if not path.resolve().is_relative_to(project.context.folder.root):
            raise Refused("server.outside", path=output or usual)
        taking = Taking(kind, path, options, tree["job"], tree["guide"])
        command_of(project, taking)  # refuses options that cannot be
        return taking

    def add(self, project: Project, taking: Taking, overwrite: bool) -> Render:
        """Put something into the queue.

        Raises:
            InputError, Refused: where it cannot be written.
        """
        check_written(project, taking)
        if not overwrite and (there := what_is_there(taking)) is not None:
            raise Refused("server.exists", path=project.context.folder.text(there))
        with self._changed:
            self._check_apart(taking)
            render = Render(secrets.token_hex(6), project, taking, overwrite)
            self._entries[render.number] = render
            finished = [key for key, one in self._entries.items() if one.state == "done"]
            for key in finished[: max(0, len(self._entries) - MOST_ENTRIES)]:
                del self._entries[key]
            self._changed.notify_all()
        self._keep(project)
        self._told(render)
        return render

    def adopt(self, project: Project) -> None:
        """Take up what an earlier server has left undone of a project."""
        for one in self._all():
            if one.project.number == project.number:
                one.project = project
        rows = project.document.own(RENDERS)
        for row in rows if isinstance(rows, list) else []:
            # What is damaged is left out, whatever it is.
            with contextlib.suppress(Refused, VhmaeError, LookupError, TypeError, AttributeError):
                path = project.context.folder.path(row["output"])
                taking = Taking(row["kind"], path, row["options"], row["job"], row["guide"])
                command_of(project, taking)  # refuses jobs and guides that cannot be
                render = Render(str(row["id"]), project, taking, bool(row["overwrite"]), "stopped")
                with self._changed:
                    if render.number in self._entries:
                        continue
                    self._entries[render.number] = render
                self._told(render)

    def list(self) -> list[dict[str, Any]]:
        """All entries as pages see them, first asked for first."""
        return [one.tree() for one in self._all()]

    def _all(self) -> tuple[Render, ...]:
        with self._changed:
            return tuple(self._entries.values())

    def _check_apart(self, taking: Taking, but: Render | None = None) -> None:
        """Refuse an output that another entry is going to write."""
        for one in self._all():
            same = one is not but and one.taking.output == taking.output
            if same and one.state in ("waiting", "running"):
                path = one.project.context.folder.text(taking.output)
                raise Refused("server.busy", path=path)

    def get(self, number: str) -> Render:
        render = self._entries.get(number)
        if render is None:
            raise Refused("server.no-render")
        return render

    def check_free(self, project: Project) -> None:
        """Refuse to close a clip of which something is in work.

        Raises:
            Refused: naming what it is.
        """
        for one in self._all():
            if one.project is project and one.state in ("waiting", "running"):
                raise Refused(
                    "server.exporting", path=project.context.folder.text(one.taking.output)
                )

    def cancel(self, number: str) -> Render:
        """Stop an entry; it may be resumed."""
        render = self.get(number)
        with self._changed:
            if render.state == "waiting":
                render.state = "cancelled"
            running = render.running
        if running is not None:
            running.cancel()
        self._keep(render.project)
        self._told(render)
        return render

    def resume(self, number: str) -> Render:
        """Put an entry that was stopped into the queue again.

        Raises:
            Refused: where it goes on or is through, its clip is not open, or another entry writes
                its output.
        """
        render = self.get(number)
        with self._changed:
            if render.project.closed:
                raise Refused("server.no-project")
            if not render.resumable:
                raise Refused("server.not-resumable")
            self._check_apart(render.taking, but=render)
            render.state, render.error, render.seconds_left = "waiting", None, None
            self._changed.notify_all()
        self._keep(render.project)
        self._told(render)
        return render

    def forget(self, number: str) -> None:
        """Leave an entry out, and what it has half written, unless another entry goes on with that;
        the finished file stays."""
        render = self.cancel(number)
        with self._changed:
            while render.running is not None:
                self._changed.wait(1.0)
            self._entries.pop(number, None)
            output = render.taking.output
            twins = [one for one in self._entries.values() if one.taking.output == output]
            if render.state != "done" and all(one.state == "done" for one in twins):
                _remove(resume_folder(output))
        self._keep(render.project)
        self._tell("render", {**render.tree(), "state": "removed"})

    def stop(self) -> None:
        """Have what runs stopped, so that it may be resumed; the rest waits for the next server."""
        with self._changed:
            self._ended = True
            running = [one.running for one in self._entries.values() if one.running is not None]
            self._changed.notify_all()
        for one in running:
            one.cancel()

    def end(self) -> None:
        """Stop, and wait a moment for it; a command that is slow to end does so without us."""
        self.stop()
        self._thread.join(timeout=GRACE_SECONDS)

    # --- the work

    def _run(self) -> None:
        while True:
            with self._changed:
                while not self._ended and self._next() is None:
                    self._changed.wait()
                render = self._next()
                if self._ended or render is None:
                    return
                render.state, render.running = "running", Running()
            self._work(render, render.running)
            with self._changed:
                render.running = None
                self._changed.notify_all()
            if not self._ended:
                with _logged("telling of what was rendered"):
                    self._keep(render.project)
                    self._told(render)

    def _next(self) -> Render | None:
        return next((one for one in self._entries.values() if one.state == "waiting"), None)

    def _work(self, render: Render, running: Running) -> None:
        def advance(done: int, total: int | None, seconds_left: float | None) -> None:
            render.done, render.total, render.seconds_left = done, total, seconds_left
            self._told(render)

        plain = render.project.context.folder.plain
        try:
            self._told(render)
            commanded = render.taking.kind in ("video", "layer")  # the command sees to it
            there = None if render.overwrite or commanded else what_is_there(render.taking)
            if there is not None:
                told = render.project.context.folder.text(there)
                raise Refused("server.exists", path=told)
            report = take(render.project, render.taking, render.overwrite, running, advance)
            render.report = json.loads(plain(json.dumps(report)))
            render.warnings = [plain(one) for one in report.get("warnings", [])]
            render.files = [Path(one) for one in report["files"]]
            render.done = render.total = report.get("frames", 1)
            render.state, render.seconds_left = "done", 0.0
        except Cancelled:
            render.state = "stopped" if self._ended else "cancelled"
        except Refused as error:
            render.state, render.error = "failed", error.tree()
        except Exception as error:  # whatever it was: the queue goes on
            if not isinstance(error, (VhmaeError, OSError)):
                logging.getLogger("vhmae.app").exception("rendering failed")
            detail: dict[str, Any] = {"detail": plain(str(error)), "key": None, "values": {}}
            render.state, render.error = "failed", detail

    def _keep(self, project: Project) -> None:
        """Write what is not done into the project's file."""
        rows = [
            one.kept() for one in self._all() if one.project is project and one.state in OPEN_STATES
        ]
        with contextlib.suppress(VhmaeError, OSError):
            if rows or project.document.own(RENDERS):
                project.document.keep(RENDERS, rows)

    def _told(self, render: Render) -> None:
        self._tell("render", render.tree())


@contextlib.contextmanager
def _logged(what: str) -> Iterator[None]:
    """Nothing that goes wrong within ends the thread: it is written down."""
    try:
        yield
    except Exception:
        logging.getLogger("vhmae.app").exception("%s failed", what)


def what_is_there(taking: Taking) -> Path | None:
    """A file that would be replaced; a grade may be of several."""
    output = taking.output
    if taking.kind in GRADES:
        stem = glob.escape(output.stem)
        endings = [output.suffix, *([".cube"] if taking.kind == "otio" else [])]
        more = ("", ".shot[0-9]*", ".[0-9]*", ".foreground*", ".background*", ".object[0-9]*")
        names = [f"{stem}{one}{glob.escape(ending)}" for ending in endings for one in more]
        return next((file for name in names for file in output.parent.glob(name)), None)
    numbered = has_number(output) and output.suffix.lower() in PICTURES
    return output if (pictures_there(output) if numbered else output.exists()) else None


def _remove(folder: Path) -> None:
    if folder.is_dir():
        for one in folder.iterdir():
            with contextlib.suppress(OSError):
                one.unlink()
        with contextlib.suppress(OSError):
            folder.rmdir()
