"""``vhmae batch``: a table of jobs, one after the other or several at once; what is done is
skipped, what fails does not stop the rest."""

from __future__ import annotations

import dataclasses
import itertools
import multiprocessing
import os
import signal
import time
from collections.abc import Container, Iterable, Iterator, Sequence
from concurrent.futures import Future, ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Any, Literal

from vhmae.engine.harmonizer import Harmonizer
from vhmae.engine.networks import WindowNetwork
from vhmae.errors import InputError, VhmaeError, is_interrupted
from vhmae.guide.reading import read_guide
from vhmae.partial_output import has_parts
from vhmae.video.pairing import numbers_of
from vhmae.video.sequence import PICTURES, files_of, has_number, is_sequence
from vhmae.work.chains import Chains, Task, is_there
from vhmae.work.cluster import for_another_folder, spread
from vhmae.work.harmonize import harmonize_job
from vhmae.work.job import HarmonizeJob
from vhmae.work.ledger import Ledger

Status = Literal["done", "checked", "skipped", "failed"]


@dataclasses.dataclass(frozen=True)
class Outcome:
    """What became of a job."""

    composite: str
    out: str
    status: Status
    frames: int = 0
    seconds: float = 0.0
    message: str = ""
    """The error, or the warnings."""
    needed: tuple[dict[str, Any], ...] = ()
    """For each shot, where one guide rules all of them: what it still needed beside the guide."""


def of_scenes(jobs: Sequence[HarmonizeJob]) -> list[Task]:
    """The jobs, each with the one that its guide was said of: where several name one guide file
    that rules all shots, its places lie in the first of them, and what follows from it is told to
    all."""
    first: dict[Path, HarmonizeJob] = {}
    tasks: list[Task] = []
    for job in jobs:
        path = job.words.guide
        try:
            guide = None if path is None else read_guide(path)
        except InputError:  # the job itself says what is wrong with it
            guide = None
        if path is None or guide is None or guide.shots != "all" or not guide.frames:
            tasks.append((job, None))
            continue
        leader = first.setdefault(path.resolve(), job)
        tasks.append((job, None if leader is job else leader))
    return tasks


def is_done(
    job: HarmonizeJob, scene_leader: HarmonizeJob | None = None, lacking: Container[int] = ()
) -> bool:
    """Whether the output is there, younger than all that it is made of. Outputs appear whole or not
    at all.

    Args:
        lacking: numbers of pictures that the run before could not make.
    """
    try:
        return _is_done(job, scene_leader, lacking)
    except OSError:  # the job itself says what cannot be looked at
        return False


def _is_done(job: HarmonizeJob, scene_leader: HarmonizeJob | None, lacking: Container[int]) -> bool:
    written = files_of(job.output) if _is_series(job) and is_there(job.output) else [job.output]
    in_parts = job.resume or job.output.suffix.lower() in PICTURES
    if (in_parts and has_parts(job.output)) or not all(path.exists() for path in written):
        return False
    if _is_series(job) and any(one not in lacking for one in holes_of(job, written)):
        return False
    made = min(path.stat().st_mtime for path in written)
    inputs = [
        *job.inputs().values(),
        *(() if scene_leader is None else scene_leader.inputs().values()),
    ]
    try:
        sources = [file for path in inputs if is_there(path) for file in files_of(path)]
    except InputError:  # the job itself says what is wrong with a folder
        return False
    return all(source.stat().st_mtime <= made for source in sources)


def _is_series(job: HarmonizeJob) -> bool:
    """Whether an output is numbered pictures: a video's name may look like theirs."""
    return has_number(job.output) and job.output.suffix.lower() in PICTURES


def holes_of(job: HarmonizeJob, written: Sequence[Path]) -> list[int]:
    """Numbers of pictures that are missing between the first and the last: somebody took them out
    to have them made anew, or they could not be made."""
    numbers = numbers_of(written)
    if numbers is None or job.pair == "overlap":
        return []
    between = range(min(numbers), max(numbers) + 1)
    wanted: Iterable[int] = between
    if is_sequence(job.composite):  # it may have gaps of its own
        try:
            wanted = [one for one in numbers_of(files_of(job.composite)) or () if one in between]
        except InputError:  # the job itself says what is wrong with it
            return []
    return sorted({*wanted} - {*numbers})


def run_batch(
    jobs: list[HarmonizeJob],
    workers: int = 1,
    again: bool = False,
    ray: bool = False,
    ledger: Ledger | None = None,
) -> Iterator[Outcome]:
    """Run jobs; their outcomes as they come. What takes another job's output waits for it, and is
    done anew where that is.

    Args:
        workers: processes; the threads of each are a share of the machine's where the jobs do not
            say.
        again: do what is done, too.
        ray: spread the jobs over a Ray cluster (``vhmae.work.cluster``) instead.
        ledger: what was asked of outputs that are there; without one their times alone tell whether
            they are done.
    Raises:
        InputError: where jobs take each other's outputs, round and round.
    """
    worker = Worker()
    chains = Chains(jobs)
    for wave in chains.waves(of_scenes(jobs)):
        todo = []
        asked: dict[Path, tuple[HarmonizeJob, str]] = {}
        for job, scene_leader in wave:
            if job.check and (later := chains.made_later(job, scene_leader)) is not None:
                told = f"{later}: is made by another line; check this one when it is there"
                yield Outcome(str(job.composite), str(job.output), "checked", message=told)
                continue
            # Before the work: what is saved while it goes on is of the next time.
            now = "" if ledger is None else ledger.asked_of(job, scene_leader)
            asked_anew = ledger is not None and ledger.differs(job, now)
            lacking = () if ledger is None else ledger.lacking(job)
            if not again and not asked_anew and is_done(job, scene_leader, lacking):
                if ledger is not None and not ledger.knows(job) and not job.check:
                    ledger.keep(job, now)
                yield Outcome(str(job.composite), str(job.output), "skipped")
            else:
                todo.append((job, scene_leader))
                asked[job.output.absolute()] = job, now
        if not todo:
            continue
        if ray:
            outcomes = _over_cluster(todo)
        elif workers == 1:
            outcomes = itertools.starmap(worker, todo)
        else:
            outcomes = _run_many(todo, workers)
        for outcome in outcomes:
            if ledger is not None and outcome.status == "done":
                job, now = asked[Path(outcome.out).absolute()]
                pictures = files_of(job.output) if _is_series(job) else []
                ledger.keep(job, now, holes_of(job, pictures) if pictures else [])
            yield outcome


class Worker:
    """Runs one job after the other; the networks that they name are opened once."""

    def __init__(self) -> None:
        self.networks: dict[tuple[Any, ...], WindowNetwork] = {}

    def __call__(self, job: HarmonizeJob, scene_leader: HarmonizeJob | None = None) -> Outcome:
        """Run a job; what goes wrong is its outcome."""
        began = time.monotonic()

        def outcome(
            status: Status, frames: int, message: str, needed: Sequence[dict[str, Any]] = ()
        ) -> Outcome:
            return Outcome(
                str(job.composite),
                str(job.output),
                status,
                frames,
                round(time.monotonic() - began, 3),
                message,
                tuple(needed),
            )

        try:
            # A network is open on one device, in one precision.
            held = (job.weights, job.backend, job.device, job.precision, job.threads)
            if held not in self.networks:
                self.networks[held] = Harmonizer.from_settings(job).network
            report = harmonize_job(job, self.networks[held], scene_leader)
        except VhmaeError as error:
            return outcome("failed", 0, str(error))
        except MemoryError:
            told = "out of memory: the work did not fit; give this job more, or make it smaller"
            return outcome("failed", 0, told)
        except OSError as error:
            return outcome(
                "failed",
                0,
                f"{error.filename or job.output}: {error.strerror or error}; check the disk and "
                "the permissions",
            )
        except Exception as error:  # the others go on
            if is_interrupted(error):
                raise KeyboardInterrupt from None
            return outcome(
                "failed",
                0,
                f"internal error: {type(error).__name__}: {error}; this is a fault of vhmae: "
                "report it",
            )
        status: Status = "checked" if job.check else "done"
        warnings = "; ".join(report["warnings"])
        return outcome(status, report["frames"], warnings, report.get("needed", ()))


MOST_TIMES_TOLD, TOLD_AGAIN_SECONDS = 5, 5.0
"""A worker that is told to stop cleans up within a second."""
KILLED = "its process was killed; there may be too little memory"


def _over_cluster(tasks: list[Task]) -> Iterator[Outcome]:
    gpus = 1.0 if any(job.device.startswith("cuda") for job, _ in tasks) else 0.0
    moved = [
        (for_another_folder(job), scene_leader and for_another_folder(scene_leader))
        for job, scene_leader in tasks
    ]
    for place, outcome in spread(Worker, moved, gpus):
        job = tasks[place][0]
        yield outcome or Outcome(str(job.composite), str(job.output), "failed", message=KILLED)


def _run_many(tasks: list[Task], workers: int) -> Iterator[Outcome]:
    threads = max(1, (os.cpu_count() or 1) // workers)
    left = [
        (job if job.threads else dataclasses.replace(job, threads=threads), scene_leader)
        for job, scene_leader in tasks
    ]
    for outcome in _in_pool(left, workers):
        if outcome is None:
            break  # a worker was killed, and the pool with it: each job left has its own process
        yield outcome
    for task in list(left):
        job, alone = task[0], next(iter(_in_pool([task], 1)))
        yield alone or Outcome(str(job.composite), str(job.output), "failed", message=KILLED)


def _in_pool(tasks: list[Task], workers: int) -> Iterator[Outcome | None]:
    """Outcomes as they come, their jobs taken out of the list; None, and the end, where a worker
    was killed."""
    context = multiprocessing.get_context("spawn")  # a forked torch may hang
    pool = ProcessPoolExecutor(workers, mp_context=context, initializer=_begin_worker)
    try:
        futures: dict[Future[Outcome], Task] = {pool.submit(_work, *task): task for task in tasks}
        for future in as_completed(futures):
            try:
                outcome = future.result()
            except BrokenProcessPool:
                yield None
                return
            tasks.remove(futures[future])
            yield outcome
    except BaseException:
        processes = list((pool._processes or {}).values())
        pool.shutdown(wait=False, cancel_futures=True)
        _stop(processes)
        raise
    finally:
        pool.shutdown(cancel_futures=True)


def _stop(processes: Sequence[BaseProcess]) -> None:
    """Tell workers to stop: they leave nothing half-written. What is raised while a library calls
    back is lost, so that who has not stopped by then is told again."""
    for _ in range(MOST_TIMES_TOLD):
        for process in processes:
            if process.is_alive():
                process.terminate()
        deadline = time.monotonic() + TOLD_AGAIN_SECONDS
        for process in processes:
            process.join(max(0.0, deadline - time.monotonic()))
        if not any(process.is_alive() for process in processes):
            return


_stopped = False
"""In a worker process: that it was told to stop. The jobs that were handed to it ahead are not
begun then."""
_worker = Worker()


def _work(job: HarmonizeJob, scene_leader: HarmonizeJob | None) -> Outcome:
    if _stopped:
        raise KeyboardInterrupt
    return _worker(job, scene_leader)


def _begin_worker() -> None:
    def stop(signum: int, frame: object) -> None:
        global _stopped
        _stopped = True
        raise KeyboardInterrupt

    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, stop)
