"""The folder that the app was opened for: no path leads out of it, and nothing hidden is shown."""

from __future__ import annotations

import hashlib
import itertools
import json
import os
import re
from collections.abc import Iterator
from pathlib import Path, PurePosixPath
from typing import Any

from vhmae.app.bodies import LONGEST_PATH
from vhmae.app.document import LARGEST_BYTES
from vhmae.app.refusals import Refused
from vhmae.app.uploads import Uploads
from vhmae.errors import InputError
from vhmae.video.sequence import PICTURES, is_pattern, sequence_files
from vhmae.web.records import is_whole
from vhmae.work.project import SUFFIX, is_project, places_of

VIDEOS = (
    *(".mp4", ".mov", ".m4v", ".mkv", ".webm", ".avi", ".mxf", ".mpg", ".mpeg", ".ts", ".m2ts"),
    *(".mts", ".wmv", ".flv", ".y4m", ".gif", ".apng", ".ogv", ".3gp"),
)
MOST_ENTRIES = 5000
"""Of a folder that are listed."""
MOST_LOOKED_AT = 50_000
"""Files that are looked at to find a dropped one."""
HEAD_BYTES = 1 << 20
"""By which, with its name and size, a dropped file is told from others."""
FEWEST_NUMBERED = 3
"""Pictures with numbers in their names that are shown as one sequence."""
NUMBERED = re.compile(r"(.*?)([0-9]+)(\.[^.]+)")
LONGEST_NAME_BYTES = 255
"""Of a file or folder, in common file systems."""
UPLOAD = "upload:"


class Folder:
    """A folder and what was sent to this run, by paths as the page writes them."""

    def __init__(self, root: Path, uploads: Uploads) -> None:
        """Open it.

        Raises:
            InputError: where it is no folder that can be read.
        """
        if not root.is_dir() or not os.access(root, os.R_OK | os.X_OK):
            raise InputError(f"{root}: is no folder that can be read; name another")
        self.root = root.resolve()
        self.uploads = uploads
        self._composites: dict[Path, tuple[Any, str | None]] = {}

    @property
    def warnings(self) -> list[str]:
        """What is to be said of the folder to who opens it."""
        if os.access(self.root, os.W_OK):
            return []
        return [
            f"{self.root}: cannot be written, so that no project and no result is kept; open a "
            "folder that can be"
        ]

    def path(self, text: str, base: Path | None = None) -> Path:
        """The file that the page means.

        Args:
            text: from the folder, with slashes; or ``upload:ID``.
            base: the folder within this one that it is told from.
        Raises:
            Refused: where it leads out.
        """
        if text.startswith(UPLOAD):
            return self.uploads.file(text.removeprefix(UPLOAD))
        told = PurePosixPath(text)
        hidden = any(part.startswith(".") and part != ".." for part in told.parts)
        if "\0" in text or "\\" in text or told.is_absolute() or hidden:
            raise Refused("server.outside", path=text[:200])
        longest = max((len(part.encode(errors="replace")) for part in told.parts), default=0)
        if len(text) > LONGEST_PATH or longest > LONGEST_NAME_BYTES:
            raise Refused("server.no-file", path=text[:200])
        path = (base or self.root) / told
        if not self.holds(path) or (base is None and not path.resolve().is_relative_to(self.root)):
            raise Refused("server.outside", path=text[:200])
        plain = Path(os.path.normpath(path))
        return plain if plain.resolve() == path.resolve() else path

    def plain(self, text: str) -> str:
        """A message without where the folder, and what was sent, lie."""
        for place in (self.uploads.folder, self.uploads.folder.resolve(), self.root):
            if place == Path(place.anchor):  # all paths begin with it
                continue
            whole = rf"(?<![\w./-]){re.escape(str(place))}"
            text = re.sub(rf"{whole}/", "", text)
            text = re.sub(rf"{whole}(?![\w-])", ".", text)
        return text

    def is_sent(self, path: Path) -> bool:
        """Whether something lies where what is sent does, which goes with this run; it may be a
        place within the folder."""
        return path.resolve().is_relative_to(self.uploads.folder.resolve())

    def told(self, text: str, base: Path) -> Path:
        """The file that a project names, from its folder ``base``; it may be an absolute path.

        Raises:
            Refused: where it, or a picture of it, leads out of the folder and of what was sent.
        """
        path = Path(text)
        if text.startswith(UPLOAD) or not path.is_absolute():
            path = self.path(text, base)
        elif not self.holds(path):
            raise Refused("server.outside", path=text[:200])
        if text.startswith(UPLOAD):
            self.uploads.keep(text.removeprefix(UPLOAD))
        if not all(self.holds(link) for link in _linked_pictures(path)):
            raise Refused("server.outside", path=text[:200])
        return path

    def holds(self, path: Path) -> bool:
        """Whether a file lies in the folder, or was sent."""
        places = (self.root, self.uploads.folder.resolve())
        try:
            return any(path.resolve().is_relative_to(place) for place in places)
        except (OSError, RuntimeError, ValueError):  # links that lead to themselves, long names
            return False

    def text(self, path: Path) -> str:
        """A file of the folder, or one that was sent, as the page writes it."""
        if (sent := self.uploads.name_of(path)) is not None:
            return UPLOAD + sent
        return path.relative_to(self.root).as_posix()

    def existing(self, text: str) -> Path:
        """As :meth:`path`, of something that is there: a file, a folder or a sequence, of which no
        picture leads out either."""
        path = self.path(text)
        there = path.exists()
        if not there and is_pattern(path):
            try:
                there = bool(sequence_files(path, gaps=True))
            except InputError:
                there = False
        if not there:
            raise Refused("server.no-file", path=text[:200])
        if not all(self.holds(link) for link in _linked_pictures(path)):
            raise Refused("server.outside", path=text[:200])
        return path

    def listing(self, text: str) -> dict[str, Any]:
        """What lies in a folder, as ``GET api/files`` tells it."""
        folder = self.path(text)
        if not folder.is_dir():
            raise Refused("server.no-file", path=text[:200])
        found = list(itertools.islice(self._seen(folder), MOST_ENTRIES + 1))
        rows = [*self._folded(found[:MOST_ENTRIES])]
        rows.sort(key=lambda row: (row["kind"] != "folder", _natural(row["name"])))
        here = folder.resolve()
        parent = None if here == self.root else self.text(folder.parent).removeprefix(".")
        shown = self.text(folder).removeprefix(".")
        truncated = len(found) > MOST_ENTRIES
        return {"path": shown, "parent": parent, "entries": rows, "truncated": truncated}

    def _seen(self, folder: Path) -> Iterator[Path]:
        """What lies in a folder and within reach, nothing hidden; nothing either whose name is no
        text, as no page could name it."""
        try:
            entries = sorted(folder.iterdir())
        except OSError as error:
            raise InputError(
                f"{folder}: cannot be read ({error.strerror}); check its permissions"
            ) from None
        for entry in entries:
            if entry.name.startswith(".") or not is_whole(entry.name):
                continue
            try:
                inside = entry.resolve().is_relative_to(self.root) and entry.exists()
            except (OSError, RuntimeError):
                inside = False
            if inside and (entry.is_dir() or entry.is_file()):
                yield entry

    def _folded(self, entries: list[Path]) -> Iterator[dict[str, Any]]:
        """A row for each entry, and one for each sequence of numbered pictures."""
        groups: dict[tuple[str, int, str], list[Path]] = {}
        for entry in entries:
            form = NUMBERED.fullmatch(entry.name) if entry.is_file() else None
            if form is not None and form[3].lower() in PICTURES:
                groups.setdefault((form[1], len(form[2]), form[3]), []).append(entry)
            else:
                yield self._row(entry)
        for (before, digits, after), files in groups.items():
            if len(files) < FEWEST_NUMBERED:
                yield from map(self._row, files)
                continue
            name = f"{before}%0{digits}d{after}"
            facts = [file.stat() for file in files]
            yield {
                **self._facts(files[0].with_name(name), "sequence"),
                "bytes": sum(one.st_size for one in facts),
                "modified": max(one.st_mtime for one in facts),
                "frames": len(files),
            }

    def _row(self, entry: Path) -> dict[str, Any]:
        stat = entry.stat()
        kind = "folder" if entry.is_dir() else kind_of(entry.name)
        sizes = {"bytes": 0 if kind == "folder" else stat.st_size, "modified": stat.st_mtime}
        return {**self._facts(entry, kind), **sizes, "frames": None}

    def _facts(self, path: Path, kind: str) -> dict[str, Any]:
        is_clip = kind in ("video", "picture", "sequence")
        project = self.project_of(path) if is_clip else None
        return {
            "name": path.name,
            "path": self.text(path),
            "kind": kind,
            "project": None if project is None else self.text(project),
        }

    def project_of(self, clip: Path) -> Path | None:
        """The project of a clip, where there is one; another clip's may lie in its place."""
        for place in places_of(clip):
            known = self._composite_of(place)
            if known is not None and self.is_named(known, place, clip):
                return place
        return None

    def _composite_of(self, project: Path) -> str | None:
        """The clip that a project names; None where there is none, or the file is no project. It is
        read once: a folder may hold thousands, and is listed again and again."""
        try:
            stat = project.stat()
            stamp = stat.st_ino, stat.st_size, stat.st_mtime_ns
            if self._composites.get(project, (None,))[0] != stamp:
                large = stat.st_size > LARGEST_BYTES or not project.is_file()
                tree = {} if large else json.loads(project.read_bytes())
                named = tree["job"].get("composite") if is_project(tree) else None
                self._composites[project] = stamp, None if named is None else str(named)
        except (OSError, ValueError, LookupError, TypeError, AttributeError, RecursionError):
            return None  # nobody's
        return self._composites[project][1]

    def is_named(self, known: str, project: Path, clip: Path) -> bool:
        """Whether what a project names is a clip; of what is not here any more, its name tells: the
        folder may have been moved."""
        try:
            return self.told(known, project.parent).resolve() == clip.resolve()
        except Refused:
            return (project.parent / known).name == clip.name

    def find(self, name: str, size: int, head: str) -> str | None:
        """A file by its name, its size and the SHA-256 of its first megabyte, in hexadecimal
        digits."""
        looked_at = 0
        for folder, folders, files in os.walk(self.root):
            folders[:] = sorted(one for one in folders if not one.startswith("."))
            looked_at += len(files)
            if name in files and not name.startswith("."):
                path = Path(folder) / name
                if path.resolve().is_relative_to(self.root) and _is_same(path, size, head):
                    return self.text(path)
            if looked_at > MOST_LOOKED_AT:
                break
        return None


def kind_of(name: str) -> str:
    """What a file is taken for, by its name."""
    suffix = Path(name).suffix.lower()
    if name.endswith(SUFFIX):
        return "project"
    if suffix in VIDEOS:
        return "video"
    if suffix in PICTURES:
        return "picture"
    return "archive" if suffix == ".npz" else "other"


def _linked_pictures(path: Path) -> list[Path]:
    """The pictures of a folder or a sequence that are links; they may lead anywhere."""
    is_folder = path.is_dir()
    if not is_folder and not is_pattern(path):
        return []
    try:
        with os.scandir(path if is_folder else path.parent) as entries:
            links = [Path(one.path) for one in entries if one.is_symlink()]
    except OSError:
        return []
    if links and not is_folder:
        try:
            named = {*sequence_files(path, gaps=True).values()}
        except InputError:
            return []
        links = [one for one in links if one in named]
    return [one for one in links if one.suffix.lower() in PICTURES]


def _is_same(path: Path, size: int, head: str) -> bool:
    try:
        if path.stat().st_size != size:
            return False
        with path.open("rb") as file:
            return hashlib.sha256(file.read(HEAD_BYTES)).hexdigest() == head.lower()
    except OSError:
        return False


def _natural(name: str) -> list[tuple[int, int, str]]:
    parts = re.findall(r"[0-9]+|[^0-9]+", name.casefold())
    return [(0, int(one), "") if one.isdecimal() else (1, 0, one) for one in parts]
