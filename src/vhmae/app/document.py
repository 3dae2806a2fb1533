"""The document of a project as the page sees it, and its file: saved whole, told by a revision, so
that two tabs do not write over one another."""

from __future__ import annotations

import copy
import hashlib
import json
import os
import threading
from pathlib import Path
from typing import Any

from vhmae.app.refusals import Refused
from vhmae.errors import InputError
from vhmae.guide.document import Guide
from vhmae.guide.options import GuideOptions
from vhmae.guide.reading import guide_from
from vhmae.memory import bounded
from vhmae.options import options_of, values_from_json
from vhmae.partial_output import write_text_whole
from vhmae.web.records import is_whole
from vhmae.work.job import HarmonizeJob
from vhmae.work.project import MARK, is_project

PAGE_KEYS = ("job", "guide", "versions", "view")
"""What the page may change; the rest is the server's."""
RENDERS = "renders"
"""Key of what is to be rendered and is not done: the queue's own."""
MOST_VERSIONS = 500
LARGEST_VIEW_BYTES = 16_000
LARGEST_BYTES = 20_000_000
"""Of the file."""


def new_document(job: dict[str, Any]) -> dict[str, Any]:
    """The document of a clip that was not opened before."""
    return {**MARK, "job": tidied(job), "guide": Guide().to_tree(), "versions": [], "view": {}}


def read_document(path: Path) -> dict[str, Any]:
    """Read a project.

    Raises:
        InputError: where it is none, or of another version.
    """
    try:
        with bounded(path).open("rb") as file:
            data = file.read(LARGEST_BYTES + 1)
        if len(data) > LARGEST_BYTES:
            raise InputError(f"{path}: is too large to be a project; choose another file")
        tree = json.loads(data.decode("utf-8"))
    except OSError as error:
        raise InputError(f"{path}: cannot be read ({error.strerror}); check the path") from None
    except (ValueError, RecursionError):
        raise InputError(f"{path}: is no project; restore it, or remove it to begin anew") from None
    if not is_project(tree) or tree.get("schema") != MARK["schema"]:
        told = f"is no project of schema {MARK['schema']}; take the version that wrote it"
        raise InputError(f"{path}: {told}, or remove it to begin anew")
    return checked_document({**new_document({}), **tree}, str(path))


def checked_document(tree: dict[str, Any], source: str = "document") -> dict[str, Any]:
    """A document with its guides, and its versions, in full: files may leave out what is usual.

    Raises:
        InputError: names what is wrong.
    """
    if not is_whole(tree):
        raise InputError(
            f"{source}: holds NaN, an infinite number or half a letter, which JSON does not know; "
            "mend it"
        )
    job, versions = tree.get("job"), tree.get("versions")
    if not isinstance(job, dict) or not isinstance(versions, list):
        raise InputError(f'{source}: expected "job" {{...}} and "versions" [...]; mend it')
    values = values_from_json(HarmonizeJob, job, f"{source}: job")
    words = sorted({one.name for one in options_of(GuideOptions)} & values.keys())
    if words:
        told = f'{words[0]}: what is said stands in "guide"; move it there'
        raise InputError(f"{source}: job: {told}")
    guide = guide_from(tree.get("guide"), f"{source}: guide").to_tree()
    if len(versions) > MOST_VERSIONS:
        raise InputError(f"{source}: more than {MOST_VERSIONS} versions; remove some")
    whole = []
    for version in versions:
        held = version if isinstance(version, dict) else {}
        if not all(isinstance(held.get(key), str) for key in ("name", "saved")):
            told = '{"name": "...", "saved": "...", "guide": {...}}'
            raise InputError(f"{source}: expected versions {told}")
        said = guide_from(version.get("guide"), f"{source}: version {version['name'][:40]}")
        own = version.get("job") or {}
        values_from_json(HarmonizeJob, own, f"{source}: version")
        whole.append({**version, "job": own, "guide": said.to_tree()})
    if len(json.dumps(tree.get("view"))) > LARGEST_VIEW_BYTES:
        raise InputError(f"{source}: view takes more than {LARGEST_VIEW_BYTES} bytes")
    return {**tree, "guide": guide, "versions": whole}


def tidied(job: dict[str, Any]) -> dict[str, Any]:
    """A job without what is the default anyway."""
    known = {one.name: one for one in options_of(HarmonizeJob)}
    return {
        name: value
        for name, value in job.items()
        if name not in known or value != known[name].to_json(known[name].default)
    }


class Document:
    """A document with its file; for any thread."""

    def __init__(self, path: Path, tree: dict[str, Any], saved: bool) -> None:
        """Hold a document; ``saved`` where the file holds it already."""
        self.path = path
        self.revision = 1
        self._tree = tree
        self._mark: str | None = None
        self._lock = threading.RLock()
        self._stamp = _stamp(path) if saved else None

    @property
    def tree(self) -> dict[str, Any]:
        """A copy of it."""
        with self._lock:
            return copy.deepcopy(self._tree)

    @property
    def shown(self) -> dict[str, Any]:
        """What of it is the page's."""
        return {key: value for key, value in self.tree.items() if key in (*MARK, *PAGE_KEYS)}

    @property
    def state(self) -> dict[str, Any]:
        """What of it is the page's, with its revision, and its digest, by which a page knows
        whether another program has changed it."""
        with self._lock:
            shown, revision = self.shown, self.revision
        digest = hashlib.sha256(json.dumps(shown, sort_keys=True).encode()).hexdigest()
        return {"revision": revision, "document": shown, "digest": digest}

    @property
    def guide(self) -> Guide:
        return guide_from(self.tree["guide"], "guide")

    @property
    def is_saved(self) -> bool:
        return self._stamp is not None

    def change(self, revision: int, tree: dict[str, Any], mark: str | None = None) -> int:
        """Put what the page has in the place of what it had, and save it; returns the revision.

        Args:
            mark: what the page calls this save. A refusal tells that of the last one, by which a
                page knows its own where the answer was lost.
        Raises:
            Refused: where somebody else was faster.
            InputError: where it cannot be meant, or not be written.
        """
        own = {key: copy.deepcopy(tree[key]) for key in PAGE_KEYS if key in tree}
        unknown = [key for key in tree if key not in (*MARK, *PAGE_KEYS)]
        if unknown:
            raise InputError(f"document: {unknown[0]}: unknown; leave it out")
        with self._lock:
            self._take_up()
            if revision != self.revision:
                told = {**self.state, "mark": self._mark}
                raise Refused("server.revision", **told)
            whole = checked_document({**self._tree, **own})
            whole["job"] = tidied(whole["job"])
            self._write(whole)
            self._tree, self._mark = whole, mark
            self.revision += 1
            return self.revision

    def ensure_saved(self) -> None:
        """Write the file, if nobody has: commands that are copied name it."""
        with self._lock:
            self._take_up()
            if self._stamp is None:
                self._write(self._tree)

    def keep(self, key: str, value: Any) -> None:
        """Save something of the server's own; the page's revision stays."""
        with self._lock:
            self._take_up()
            whole = {**self._tree, key: copy.deepcopy(value)}
            if not value:
                whole.pop(key)
            self._write(whole)
            self._tree = whole

    def own(self, key: str) -> Any:
        """What :meth:`keep` has saved."""
        return self.tree.get(key)

    def _take_up(self) -> None:
        """Read the file again, if another program has changed it, or made one where none was."""
        stamp = _stamp(self.path)
        if stamp in (self._stamp, None):
            return
        self._tree, self._stamp, self._mark = read_document(self.path), stamp, None
        self.revision += 1

    def _write(self, tree: dict[str, Any]) -> None:
        text = json.dumps(tree, indent=1, allow_nan=False) + "\n"
        if len(text) > LARGEST_BYTES:  # it is ASCII
            told = f"takes more than {LARGEST_BYTES} bytes; remove some versions"
            raise InputError(f"{self.path}: {told}")
        write_text_whole(self.path, text)
        self._stamp = _stamp(self.path)


def _stamp(path: Path) -> tuple[int, int, int] | None:
    try:
        stat = os.stat(path)
    except OSError:
        return None
    return stat.st_ino, stat.st_size, stat.st_mtime_ns
