"""The clips that are open, each with its document; what is asked of them finds them here."""

from __future__ import annotations

import contextlib
import dataclasses
import hashlib
import json
import os
import re
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

from vhmae.app.document import Document, new_document, read_document
from vhmae.app.folder import UPLOAD
from vhmae.app.project import OWN, AppContext, Project
from vhmae.app.refusals import Refused
from vhmae.engine.settings import HarmonizerSettings
from vhmae.options import options_of, values_to_json
from vhmae.work.job import HarmonizeJob
from vhmae.work.project import SUFFIX, places_of, project_beside


@dataclasses.dataclass(frozen=True)
class Wanted:
    """What the page wants to open: files as it writes them."""

    composite: str
    masks: tuple[str, ...] | None = None
    foreground: str | None = None
    placement: dict[str, Any] | None = None
    options: dict[str, Any] | None = None


class Projects:
    """The open clips, by their number; for any thread."""

    def __init__(self, context: AppContext) -> None:
        self.context = context
        self._open: dict[str, Project] = {}
        self._revisions: dict[str, int] = {}
        """The last of each clip that was closed: none comes again, so that no tab takes what it
        knows of before for what there is."""
        self._lock = threading.Lock()

    def open_file(self, text: str) -> Project:
        """Open a project by its file."""
        path = self.context.folder.existing(text)
        project = self._take(path, lambda: Document(path, read_document(path), saved=True))
        return _renewed(project)

    def open(self, wanted: Wanted) -> Project:
        """Open a clip; the project that lies beside it, if there is one, keeps its masks where none
        are named here, and its placement."""
        folder = self.context.folder
        clip = folder.existing(wanted.composite)
        front = None if wanted.foreground is None else folder.existing(wanted.foreground)
        path = self._place(clip, front)
        job: dict[str, Any] = {"composite": self._from(path, wanted.composite)}
        if wanted.masks:
            job["masks"] = [self._from(path, mask) for mask in wanted.masks]
        if wanted.foreground is not None:
            job["foreground"] = self._from(path, wanted.foreground)
        job |= wanted.options or {}
        # An empty slot and a foreground that was just dropped overrule nothing that is there.
        usual: dict[str, Any] = {} if wanted.masks is None else {"masks": []}
        begun = self._usual() | usual | (wanted.placement or {}) | job

        def document() -> Document:
            if not path.is_file():
                return Document(path, new_document(begun), saved=False)
            found = Document(path, read_document(path), saved=True)
            if (tree := _with(found, job)) is not None:
                found.change(found.revision, tree)
            return found

        project = self._take(path, document)
        if (tree := _with(project.document, job)) is not None:  # it was open already
            project.change(project.document.revision, tree)
            return project
        return _renewed(project)

    def _place(self, clip: Path, front: Path | None) -> Path:
        """Where the project of a clip lies: another clip may have taken its name."""
        files, places = {"composite": clip}, places_of(clip)
        if front is not None:
            files["foreground"] = front
            beside, whole = (place.name for place in places[:2])
            stem = project_beside(front).name.removesuffix(SUFFIX)
            lies = hashlib.sha256(os.fsencode(clip)).hexdigest()[:8]
            names = [f"{stem}.over.{beside}", f"{front.name}.over.{whole}"]
            names += [f"{front.name}.over.{lies}.{whole}"]
            places = tuple(front.with_name(name.replace("%", "")) for name in names)
        found = next((one for one in places[:-1] if self._is_free(one, files)), places[-1])
        if not self.context.folder.holds(found):  # of FOLDER itself, beside which it would lie
            raise Refused("server.outside", path=clip.name)
        return found

    def _is_free(self, path: Path, files: dict[str, Path]) -> bool:
        """Whether no other clip's project lies at a place."""
        number, job = _number(path), None
        if number in self._open:
            job = self._open[number].document.tree["job"]
        elif path.is_file():
            job = read_document(path)["job"]
        known = {name: None if job is None else job.get(name) for name in files}
        return all(
            one is None or self.context.folder.is_named(str(one), path, files[name])
            for name, one in known.items()
        )

    def _usual(self) -> dict[str, Any]:
        """The command's own options, where they are not the default."""
        told, plain = (values_to_json(one) for one in (self.context.settings, HarmonizerSettings()))
        return {name: told[name] for name in OWN if told[name] != plain[name]}

    def _from(self, project: Path, text: str) -> str:
        """A file as the project names it: from its own folder."""
        if text.startswith("upload:"):
            return text
        path = self.context.folder.path(text)
        if path.is_relative_to(project.parent):
            return path.relative_to(project.parent).as_posix()
        if self.context.folder.is_sent(project):
            return path.as_posix()
        ups = len(project.parent.relative_to(self.context.folder.root).parts)
        return "../" * ups + path.relative_to(self.context.folder.root).as_posix()

    def _take(self, path: Path, document: Callable[[], Document]) -> Project:
        number = _number(path)
        with self._lock:
            found = self._open.get(number)
            if found is not None and found.state != "failed":
                return found
            if found is None and len(self._open) >= self.context.most:
                raise Refused("server.too-many", most=self.context.most)
            if found is not None:
                self._left(found)
            made = document()
            made.revision += self._revisions.get(number, 0)
            project = Project(number, made, self.context)
            self._open[number] = project
        project.begin()
        return project

    def get(self, number: str) -> Project:
        """An open project."""
        project = self._open.get(number)
        if project is None:
            raise Refused("server.no-project")
        return project

    def named(self, project: Project, text: str) -> str:
        """A file of the folder as a project's document names it."""
        self.context.folder.existing(text)
        return self._from(project.document.path, text)

    def briefly(self) -> list[dict[str, Any]]:
        """What is open, first opened first."""
        return [project.brief() for project in list(self._open.values())]

    def numbers(self) -> list[str]:
        return list(self._open)

    def forget(self, number: str) -> None:
        """Close a project, and tell those who look at it; its file stays."""
        project = self.get(number)
        with self._lock:
            self._open.pop(number, None)
            self._left(project)
        self._give_back(project)
        self.context.tell("closed", {"id": number})

    def _left(self, project: Project) -> None:
        project.close()
        self._revisions[project.number] = project.document.revision

    def _give_back(self, project: Project) -> None:
        """Make room: what was sent for a clip that was sent itself, and that nothing else open
        names, cannot be reached any more. A clip of the folder can be opened again, with it."""
        if not self.context.folder.is_sent(project.document.path):
            return
        named = _sent(project).difference(*map(_sent, list(self._open.values())))
        for upload in named:
            with contextlib.suppress(Refused):  # it was given back by itself
                self.context.folder.uploads.forget(upload)

    def close(self) -> None:
        with self._lock:
            projects, self._open = list(self._open.values()), {}
        for project in projects:
            project.close()


def _number(path: Path) -> str:
    return hashlib.sha256(str(path.resolve()).encode()).hexdigest()[:12]


def _sent(project: Project) -> set[str]:
    """The uploads that a project names, in versions and exports too."""
    return {*re.findall(rf'"{UPLOAD}(\w+)"', json.dumps(project.document.tree))}


def _renewed(project: Project) -> Project:
    """A project that was open already, perhaps, with its files as they are by now."""
    if project.state in ("reading", "ready"):
        project.renew()
    return project


def _with(document: Document, job: dict[str, Any]) -> dict[str, Any] | None:
    """A document with other options; None where it has them already."""
    tree = document.shown
    known = {one.name: one.to_json(one.default) for one in options_of(HarmonizeJob)}
    if all(tree["job"].get(name, known.get(name)) == value for name, value in job.items()):
        return None
    return {**tree, "job": {**tree["job"], **job}}
