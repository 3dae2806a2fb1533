"""Projects: the options of a run and what was said of it, in one file beside the clip.

``CLIP.vhmae.json`` holds a job (options of ``vhmae harmonize`` by their names), a guide, named
versions of both, and what the app keeps of its own; commands take it as ``--job`` and ``--guide``.
Files are named from the project's folder, so that a folder may be moved as a whole.
"""

from __future__ import annotations

import hashlib
import os
from pathlib import Path
from typing import Any

from vhmae.errors import InputError
from vhmae.guide.options import GuideOptions
from vhmae.guide.reading import guide_from
from vhmae.options import options_of, values_from_json
from vhmae.work.job import HarmonizeJob

SUFFIX = ".vhmae.json"
SCHEMA = 1
LONGEST_NAME = 255
"""Bytes that a file's name may have, nearly everywhere."""
MARK = {"schema": SCHEMA, "vhmae": "project"}
"""What every project begins with."""


def project_beside(clip: Path) -> Path:
    """Where the project of a clip lies: ``clip.vhmae.json`` beside ``clip.mp4``."""
    return clip.with_name(_named(clip.name if clip.is_dir() else clip.stem))


def places_of(clip: Path) -> tuple[Path, ...]:
    """Where the project of a clip may lie, likeliest first: a clip of another ending, or one whose
    name differs by a % alone, may have taken its name."""
    told = hashlib.sha256(os.fsencode(clip.name)).hexdigest()[:8]
    names = _named(clip.name), _named(f"{clip.name}.{told}")
    places = (clip.with_name(name) for name in names if len(os.fsencode(name)) <= LONGEST_NAME)
    return project_beside(clip), *places


def _named(stem: str) -> str:
    """The name of a project; letters that mean a sequence are none of it."""
    plain = stem.replace("%", "").replace("*", "").replace("#", "")
    return f"{plain or 'sequence'}{SUFFIX}"


def is_project(tree: Any) -> bool:
    """Whether what a file holds is a project, of whatever version."""
    return isinstance(tree, dict) and tree.get("vhmae") == MARK["vhmae"]


def project_values(tree: dict[str, Any], path: Path, kind: type = HarmonizeJob) -> dict[str, Any]:
    """The options that a project holds, for a job of some kind.

    Args:
        path: of the project; its guide is read from there.
        kind: options of harmonizing that it does not have are left out.
    Raises:
        InputError: for a project of another version, unknown options, and wrong values.
    """
    if tree.get("schema") != SCHEMA:
        told = f"is a project of schema {tree.get('schema')}, this version reads {SCHEMA}"
        raise InputError(f"{path}: {told}; take the version that wrote it")
    job, said = tree.get("job", {}), tree.get("guide")
    if not isinstance(job, dict):
        raise InputError(f"{path}: job {job!r:.40}: expected options by their names; mend it")
    values = reported_values(job, path, kind)
    for one in options_of(kind):
        is_file = one.role != "plain" or one.hint is Path
        if is_file and one.name in values:
            values[one.name] = _from(path.parent, values[one.name])
    words = {one.name for one in options_of(GuideOptions)}
    if said is not None and guide_from(said, f"{path}: guide") and not words & values.keys():
        values["guide"] = path
    return values


def reported_values(job: dict[str, Any], path: Path, kind: type = HarmonizeJob) -> dict[str, Any]:
    """The options of harmonizing that a file holds, for a job of some kind: what is read and how,
    for another kind, and not where it is written; a job that was checked is to be done now.

    Args:
        path: of the file, for messages.
        kind: options of harmonizing that it does not have are left out.
    Raises:
        InputError: for unknown options, and wrong values.
    """
    values = values_from_json(HarmonizeJob, job, str(path))
    values.pop("check", None)
    if issubclass(kind, HarmonizeJob):
        return values
    own = {one.name for one in options_of(kind) if one.role != "output"}
    return {name: value for name, value in values.items() if name in own}


def _from(folder: Path, value: Any) -> Any:
    if isinstance(value, tuple):
        return tuple(_from(folder, one) for one in value)
    return folder / value if isinstance(value, Path) else value
