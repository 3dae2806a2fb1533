"""Which lines of a table make what other lines take, by the names of both: nothing need be there
yet."""

from __future__ import annotations

import functools
import re
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

from vhmae.errors import InputError
from vhmae.video.sequence import (
    PICTURES,
    files_of,
    has_number,
    is_pattern,
    numbered_alike,
    takes_from,
)
from vhmae.work.job import HarmonizeJob

Task = tuple[HarmonizeJob, HarmonizeJob | None]
"""A job, and the one whose frames its guide names, where that is another shot of the scene."""
_NUMBER = re.compile(r"[0-9]+")
_PLACE = re.compile(r"%0[0-9]*d")


class Chains:
    """The outputs of jobs, found by what reads them; thousands lie in a few folders."""

    def __init__(self, jobs: Sequence[HarmonizeJob]) -> None:
        self._jobs = jobs
        self._made: dict[Path, set[int]] = {}
        self._numbered: dict[tuple[Path, str], set[int]] = {}
        """Numbered outputs by folder and name, whatever their digits."""
        self._pictures: dict[Path, list[int]] = {}
        """Outputs that are pictures, by folder."""
        self._folder = functools.cache(Path.resolve)
        for number, job in enumerate(jobs):
            folder, name = self._folder(job.output.parent), job.output.name
            own = job.output.resolve() if job.output.is_symlink() else folder / name
            self._made.setdefault(own, set()).add(number)
            if job.output.suffix.lower() in PICTURES:
                self._pictures.setdefault(folder, []).append(number)
                if has_number(job.output):
                    self._numbered.setdefault((folder, _without_number(name)), set()).add(number)

    def makers(self, path: Path) -> set[int]:
        """The jobs, by number, whose outputs a path means; none where it cannot be looked at, which
        the job itself says."""
        try:
            return self._makers(path)
        except OSError:
            return set()

    def _makers(self, path: Path) -> set[int]:
        is_special = path.is_symlink() or path.name in ("", "..")
        source = path.resolve() if is_special else self._folder(path.parent) / path.name
        found = set(self._made.get(source, ()))
        found |= {*self._pictures.get(source, ())}
        near = self._pictures.get(source.parent, ())
        if near and is_pattern(path):  # starred, ranged or numbered: each in its own way
            found |= {one for one in near if takes_from(path, self._jobs[one].output)}
        elif near:
            for begin, end in _numbers_in(path.name):
                name = f"{path.name[:begin]}%d{path.name[end:]}"
                likely = self._numbered.get((source.parent, name), ())
                found |= {one for one in likely if takes_from(path, self._jobs[one].output)}
        return found

    def made_later(
        self, job: HarmonizeJob, scene_leader: HarmonizeJob | None = None
    ) -> Path | None:
        """What a job, and the one that its guide was said of, need that is not there yet, where
        other jobs will make all of it."""
        needed = [
            *job.inputs().values(),
            *(() if scene_leader is None else scene_leader.inputs().values()),
        ]
        missing = [path for path in needed if not is_there(path)]
        made = all(any(self._jobs[one] is not job for one in self.makers(path)) for path in missing)
        return missing[0] if missing and made else None

    def waves(self, tasks: Sequence[Task]) -> list[list[Task]]:
        """The tasks of the jobs in their order, but each after those whose outputs it takes.

        Raises:
            InputError: where jobs take each other's outputs.
        """
        needs = [self._taken(job) | self._taken(scene_leader) for job, scene_leader in tasks]
        left, waves = dict(enumerate(tasks)), []
        while left:
            wave = [number for number in left if not (needs[number] - {number}) & left.keys()]
            if not wave:
                loop = _loop({number: needs[number] & left.keys() for number in left})
                outputs = ", ".join(str(left[number][0].output) for number in loop)
                raise InputError(f"{outputs}: are made of one another; give the jobs other outputs")
            waves.append([left.pop(number) for number in wave])
        return waves

    def _taken(self, job: HarmonizeJob | None) -> set[int]:
        paths: Iterable[Path] = () if job is None else job.inputs().values()
        return {number for path in paths for number in self.makers(path)}


def is_there(path: Path) -> bool:
    """Whether a file, a sequence or a folder with pictures is there."""
    try:
        if path.is_dir():
            return any(
                file.suffix.lower() in PICTURES and not file.name.startswith("._")
                for file in path.iterdir()
            )
        return bool(files_of(path)) if is_pattern(path) else path.exists()
    except InputError:
        return False
    except OSError:  # it cannot be looked at: the job itself says so
        return True


def _numbers_in(name: str) -> Iterator[tuple[int, int]]:
    """Where a number may stand in a name: all digits of a run or the last of them, with a minus
    before them or not."""
    for run in _NUMBER.finditer(name):
        for begin in range(run.start(), run.end()):
            yield begin, run.end()
        if name[run.start() - 1 : run.start()] == "-":
            yield run.start() - 1, run.end()


def _without_number(name: str) -> str:
    return _PLACE.sub("%d", numbered_alike(name), count=1)


def _loop(needs: dict[int, set[int]]) -> list[int]:
    """Some that need each other, round and round, where each needs another."""
    way: list[int] = []
    at = next(iter(needs))
    while at not in way:
        way.append(at)
        at = min(needs[at] - {at})
    return way[way.index(at) :]
