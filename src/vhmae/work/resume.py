"""What a stopped run needs to be resumed: what makes two runs the same work, and where one
stood."""

from __future__ import annotations

import dataclasses
import hashlib
import itertools
import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from vhmae.arrays import Array
from vhmae.engine.harmonizer import Harmonizer
from vhmae.engine.memory import Snapshot
from vhmae.errors import InputError
from vhmae.guide.options import GuideOptions
from vhmae.options import options_of, values_to_json
from vhmae.partial_output import resume_folder
from vhmae.version import __version__
from vhmae.video.segments import STATE
from vhmae.video.sequence import files_of
from vhmae.work.cluster import with_absolute_paths
from vhmae.work.job import HarmonizeJob
from vhmae.work.report import Tally
from vhmae.work.waiting import Waiting


def job_identity(
    job: HarmonizeJob, harmonizer: Harmonizer, scene_leader: HarmonizeJob | None = None
) -> dict[str, Any]:
    """What makes two runs the same work, to the last bit: options, input files (those that the
    guide was said of with them), weights, precision."""
    facts = _asked(job)
    said = {} if scene_leader is None else scene_leader.inputs()
    inputs = job.inputs() | {f"guide's {name}": path for name, path in said.items()}
    for name, path in inputs.items():
        if name.endswith("guide"):
            continue
        stats = [(file.name, file.stat()) for file in files_of(path)]
        facts[f"{name} file"] = _digest(
            [(file, stat.st_size, stat.st_mtime_ns) for file, stat in stats]
        )
    network = harmonizer.network
    return {
        **facts,
        "weights": network.digest(),
        "backend": network.backend,
        "precision": network.precision,
        "version": __version__,
    }


def _asked(job: HarmonizeJob) -> dict[str, str]:
    """The options that say what frames are written, and what was said: wherever and in whatever
    form it was written down."""
    free = {one.name for one in options_of(type(job)) if one.same_frames}
    free |= {one.name for one in options_of(GuideOptions)}
    facts = {name: str(value) for name, value in values_to_json(job).items() if name not in free}
    return {**facts, "guide": _digest([job.words.read().to_tree()])}


def digest_of_asked(job: HarmonizeJob, scene_leader: HarmonizeJob | None, folder: Path) -> str:
    """A digest of what is asked of a job, as far as it says what frames are written; what lies in
    its files is left out, and the machine.

    Args:
        scene_leader: the job that its guide was said of.
        folder: what paths count from, however they are written.
    Raises:
        InputError: for a guide that cannot be read.
    """
    here = {"threads", "device", "backend"}
    told = "" if scene_leader is None else str(scene_leader.composite.absolute())
    facts = {"said of": told, **_asked(with_absolute_paths(job)), "weights": job.weights}
    if (file := Path(job.weights)).is_file():
        stat = file.stat()
        facts["weights"] = f"{os.path.realpath(file)} {stat.st_size} {stat.st_mtime_ns}"
    within = f"{folder}{os.sep}"
    asked = [
        (name, (os.path.normpath(text) if os.sep in text else text).replace(within, ""))
        for name, text in facts.items()
        if name not in here
    ]
    return _digest(asked)


def as_stopped(job: HarmonizeJob) -> HarmonizeJob:
    """A job that goes on with a stopped run: what the job leaves open is done as that run did it.
    Without one, as this machine does."""
    try:
        state = json.loads((resume_folder(job.output) / STATE).read_text(encoding="utf-8"))
        found = {name: state["job"][name] for name in ("backend", "precision")}
        left_open = {name: value for name, value in found.items() if getattr(job, name) == "auto"}
        return dataclasses.replace(job, **left_open)
    except (OSError, ValueError, KeyError, TypeError, RecursionError, InputError):
        return job  # whatever is wrong with it is said where it is taken up


@dataclasses.dataclass(frozen=True)
class Standing:
    """Where a run stands after a frame: everything that a later run needs."""

    next: int
    """Number of the next frame to read."""
    skipped_before: int
    overlapping: bool
    """Whether mattes that were read overlap."""
    tally: Tally
    stream: Snapshot
    """The memory of all harmonizers, and the numbers of the frames that wait."""

    def saved(self) -> tuple[dict[str, Any], dict[str, Array]]:
        """The numbers, for JSON, and the arrays: what :meth:`of` takes."""
        numbers = {
            "next": self.next,
            "skipped_before": self.skipped_before,
            "overlapping": self.overlapping,
            "tally": dataclasses.asdict(self.tally),
            "stream": self.stream.numbers,
        }
        return numbers, self.stream.arrays

    @classmethod
    def of(cls, numbers: dict[str, Any], arrays: dict[str, Array]) -> Standing:
        tally, stream = Tally(**numbers["tally"]), Snapshot(numbers["stream"], arrays)
        return cls(
            numbers["next"],
            numbers["skipped_before"],
            numbers.get("overlapping", False),
            tally,
            stream,
        )


def snapshot_of(harmonizers: list[Harmonizer]) -> Snapshot:
    """The harmonizers' memory, and which frames wait."""
    own = [harmonizer.snapshot() for harmonizer in harmonizers]
    waiting = [one.index for one in harmonizers[0].waiting]
    arrays = {
        f"{place}.{key}": array
        for place, one in enumerate(own)
        for key, array in one.arrays.items()
    }
    return Snapshot({"objects": [one.numbers for one in own], "waiting": waiting}, arrays)


def restore(harmonizers: list[Harmonizer], stream: Snapshot, frames: Iterator[Waiting]) -> None:
    """Give harmonizers the memory of a stopped run; the frames that waited are read again.

    Args:
        frames: as they wait, from the first one that did.

    Raises:
        InputError: where other frames come than waited then.
    """
    numbers = stream.numbers["waiting"]
    waiting = list(itertools.islice(frames, len(numbers)))
    if [one.index for one in waiting] != numbers:
        told = "the composite is not read as it was before; delete the parts to begin anew"
        raise InputError(told, field="resume")
    for place, harmonizer in enumerate(harmonizers):
        prefix = f"{place}."
        own = {
            key.removeprefix(prefix): array
            for key, array in stream.arrays.items()
            if key.startswith(prefix)
        }
        harmonizer.restore(Snapshot(stream.numbers["objects"][place], own), waiting)


def _digest(facts: list[Any]) -> str:
    return hashlib.sha256(repr(facts).encode()).hexdigest()[:16]
