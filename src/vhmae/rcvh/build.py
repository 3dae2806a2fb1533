"""``vhmae rcvh build``: raw footage -> clips and mattes -> pairs -> composites, in parallel, to be
gone on with after a kill."""

from __future__ import annotations

import collections
import concurrent.futures
import dataclasses
import multiprocessing
import os
import time
from collections.abc import Callable, Iterator, Sequence
from fractions import Fraction
from typing import Any

import cv2
import numpy as np

from vhmae.digest import file_digest
from vhmae.errors import InputError, VhmaeError, counted
from vhmae.matting.networks import find_network
from vhmae.matting.run import make_network
from vhmae.partial_output import OutputLock
from vhmae.progress import tracked
from vhmae.rcvh.catalogue import make_catalogue
from vhmae.rcvh.composite import Pair, build_composite
from vhmae.rcvh.figures import draw_statistics
from vhmae.rcvh.footage import SOURCES, RawClip, Refusal, raw_files, read_silhouette
from vhmae.rcvh.job import BuildJob, Footage
from vhmae.rcvh.manifest import Line, add_line, rewrite, write_lines
from vhmae.rcvh.placement import Silhouette, place
from vhmae.web.records import read_object
from vhmae.work.cluster import spread, with_absolute_paths

REFUSED, RECIPE, _LOCK = "refused.jsonl", "recipe.json", "build"
NETWORK_BYTES = 4 << 30
"""What a process takes that runs a salient-object network of 1024 x 1024 (2.8 GiB were measured),
with room."""
PAIR_TRIES = 60
"""Pairs that are drawn for a composite before it is given up."""


def default_workers(way: str) -> int:
    """Processes that a machine bears: one a core, but no more of a large network than its memory
    holds."""
    cores = os.cpu_count() or 1
    if way != "salient" or not hasattr(os, "sysconf"):
        return cores
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    return max(1, min(cores, memory // NETWORK_BYTES))


def build_set(job: BuildJob) -> dict[str, Any]:
    """Build the set, or what of it is not there yet; returns the report.

    Raises:
        InputError: for what the caller can mend; says what was refused where nothing is left.
    """
    footage = with_absolute_paths(job.footage)
    _check(job)
    _begin_or_go_on(job)
    try:
        lock = OutputLock(footage.out / _LOCK)
    except InputError:
        raise InputError(
            f"{footage.out}: another process builds it; wait for it, or stop it"
        ) from None
    with lock:
        workers = job.workers or default_workers(footage.way)
        threads = 1 if job.ray or workers > 1 else None
        return _build(job, dataclasses.replace(footage, threads=threads), workers)


def _build(job: BuildJob, footage: Footage, workers: int) -> dict[str, Any]:
    began = time.monotonic()
    out = footage.out
    run = _through_ray if job.ray else _in_processes(workers)
    clips, refusals = make_catalogue(footage, _shown(run, job.progress, "clips"))
    write_lines(out / REFUSED, [dataclasses.asdict(refusal) for refusal in refusals])
    pairs = plan(job, clips, refusals)
    cut_seconds = time.monotonic() - began
    known = rewrite(out, lambda lines: _with_sources(lines, clips), unfinished=True)
    done = {line["name"] for line in known}
    waiting = [(pair, footage) for pair in pairs if pair.name not in done]
    began = time.monotonic()
    for line in _shown(run, job.progress, "composites")(build_composite, waiting):
        add_line(out, line)
    seconds = time.monotonic() - began
    lines = rewrite(out)
    draw_statistics(lines, out / "statistics.png")
    low, high = job.ratios
    fewer = (
        f"{len(lines)} of {job.count} composites: foregrounds that cover {low:g} to {high:g} of "
        "the frame are rare in this footage"
    )
    return {
        "schema": 1,
        "warnings": [*([fewer] if len(lines) < job.count else []), *_told_of_twins(lines)],
        "composites": len(lines),
        "built": len(waiting),
        "clips": len(clips),
        "foregrounds": sum(clip.matte_ratio is not None for clip in clips),
        "sources": len({clip.source for clip in clips}),
        "refused": dict(collections.Counter(refusal.part for refusal in refusals)),
        "seconds_to_cut": round(cut_seconds, 1),
        "composites_a_minute": round(60.0 * len(waiting) / seconds, 1) if waiting else None,
    }


def _with_sources(lines: list[Line], clips: Sequence[RawClip]) -> list[Line]:
    """Composites with the sources and licences of their parts as ``sources.csv`` has them now."""
    by_name = {clip.name: clip for clip in clips}
    for line in lines:
        for part in (line[name] for name in ("foreground", "background") if name in line):
            if (clip := by_name.get(part.get("name"))) is not None:
                part |= {"source": clip.source, "licence": clip.licence}
    return lines


def _told_of_twins(lines: list[Line]) -> list[str]:
    """What is to be said of composites whose parts are of one source, as was learned later."""
    twins = [
        line["name"]
        for line in lines
        if {"foreground", "background"} <= line.keys()
        and line["foreground"]["source"] == line["background"]["source"]
    ]
    if not twins:
        return []
    named = ", ".join(twins[:5]) + (", ..." if len(twins) > 5 else "")
    return [
        f"{counted(len(twins), 'composite')} ({named}): foreground and background are of one "
        f"source by {SOURCES}; reject such in the review, or build a new set"
    ]


def _check(job: BuildJob) -> None:
    """Refuse what no set can be built of or by, before anything is written."""
    low, high = job.ratios
    shortest, longest = job.footage.seconds
    if not 0.0 < low < high <= 1.0:
        raise InputError(
            f"`ratios` {low:g}:{high:g}: expected LOW:HIGH within 0 to 1, as in 0.3:0.8"
        )
    if not 0.1 <= shortest <= longest <= 60.0:
        raise InputError(f"`seconds` {shortest:g}:{longest:g}: expected LOW:HIGH, as in 2:4")
    if job.footage.way == "file" and job.footage.mattes is None:
        raise InputError("`way` file: needs `mattes` DIR, the mattes by the names of the raw files")
    if job.footage.mattes is not None and not job.footage.mattes.is_dir():
        raise InputError(f"`mattes` {job.footage.mattes}: is not a folder")
    out = job.footage.out
    if not out.absolute().parent.is_dir():
        raise InputError(f"{out}: the folder {out.parent} does not exist; make it first")
    if out.exists() and not out.is_dir():
        raise InputError(f"{out}: is a file; give a folder")
    raw_files(job.footage)
    if job.footage.way in ("rvm", "salient"):  # told now, and not after the footage is cut
        make_network(job.footage.way, job.footage.weights, None)


def _begin_or_go_on(job: BuildJob) -> None:
    """Make the folder with its recipe, or see that the one that is there was begun by this one.

    Raises:
        InputError: for a folder that was begun otherwise, or holds something else.
    """
    out, weights = job.footage.out, None
    if job.footage.way in ("rvm", "salient"):
        weights = file_digest(find_network(job.footage.way, job.footage.weights))[:16]
    out.mkdir(exist_ok=True)
    recipe = {
        "seed": job.seed,
        "foreground_ratio": list(job.ratios),
        "seconds": list(job.footage.seconds),
        "lines": job.footage.lines,
        "matte": job.footage.way,
        "key": job.footage.key,
        "weights": weights,
    }
    path = out / RECIPE
    if path.exists():
        try:
            before = read_object(path)
        except (OSError, ValueError) as error:
            raise InputError(
                f"{path}: cannot be read ({str(error)[:80]}); restore it from a copy, or give a "
                "new folder"
            ) from None
        changed = [key for key, value in recipe.items() if before.get(key, value) != value]
        if changed == ["weights"]:
            raise InputError(
                f"{out}: was begun with other `weights` (sha256 {before['weights']}...); go on "
                "with those, or give a new folder"
            )
        if changed:
            raise InputError(
                f"{out}: was begun with {changed[0]} {before.get(changed[0])}; go on with that, or "
                "give a new folder"
            )
        return
    if any(not one.name.startswith(".") for one in out.iterdir()):
        raise InputError(f"{out}: holds something else; give a new folder")
    write_lines(path, [recipe])


def plan(job: BuildJob, clips: list[RawClip], refusals: list[Refusal]) -> list[Pair]:
    """Draw pairs and placements: each number by its own seed, so that a larger set begins with the
    smaller one.

    Raises:
        InputError: if there are not enough sources, or foregrounds cannot be laid as large as is
            asked.
    """
    foregrounds = _by_source([clip for clip in clips if clip.matte_ratio is not None])
    backgrounds = _by_source(clips)
    if not foregrounds or len(backgrounds) < 2:
        told = f"; the first refusal: {refusals[0].name} {refusals[0].reason}" if refusals else ""
        raise InputError(
            f"`raw` {job.footage.raw}: needs a foreground and a background of another source{told} "
            f"({REFUSED} lists all)"
        )
    silhouettes: dict[tuple[str, int], Silhouette] = {}
    pairs: list[Pair] = []
    used: set[tuple[str, str]] = set()
    possible = sum(
        len(backgrounds[other]) * len(own)
        for source, own in foregrounds.items()
        for other in backgrounds
        if other != source
    )
    for number in range(job.count):
        rng = np.random.default_rng([job.seed, number])
        for tried in range(PAIR_TRIES):
            source = _draw(list(foregrounds), rng)
            foreground = _draw(foregrounds[source], rng)
            background = _draw(
                backgrounds[_draw([one for one in backgrounds if one != source], rng)], rng
            )
            # A pair is taken again once there is no other, or none that could be found.
            if (
                (foreground.name, background.name) in used
                and len(used) < possible
                and tried < PAIR_TRIES // 2
            ):
                continue
            shown = _shown_frames(foreground, background)
            if (foreground.name, shown) not in silhouettes:
                whole = read_silhouette(job.footage, foreground)
                silhouettes[foreground.name, shown] = dataclasses.replace(
                    whole, mattes=whole.mattes[:shown]
                )
            laid = place(
                silhouettes[foreground.name, shown],
                (background.width, background.height),
                job.ratios,
                rng,
            )
            if laid is not None:
                used.add((foreground.name, background.name))
                pairs.append(Pair(number, foreground, background, laid))
                break
    if not pairs:
        raise InputError(
            f"`ratios` {job.ratios[0]:g}:{job.ratios[1]:g}: no foreground can be laid so "
            "large; lower it"
        )
    return pairs


def _shown_frames(foreground: RawClip, background: RawClip) -> int:
    """Frames of a foreground that are seen while both last."""
    return min(
        foreground.frames,
        max(1, int(Fraction(background.frames) / background.rate * foreground.rate)),
    )


def _by_source(clips: list[RawClip]) -> dict[str, list[RawClip]]:
    found: dict[str, list[RawClip]] = {}
    for clip in clips:
        found.setdefault(clip.source, []).append(clip)
    return found


def _draw(items: list[Any], rng: np.random.Generator) -> Any:
    return items[int(rng.integers(len(items)))]


# --- many at once

WORKER_DIED = "a worker died; check the memory, and run it again to go on"
Work = list[tuple[Any, ...]]
Runner = Callable[[Callable[..., Any], Work], Iterator[Any]]


def _shown(run: Runner, progress: bool, what: str) -> Runner:
    """A runner that shows how far it is."""

    def shown(function: Callable[..., Any], work: Work) -> Iterator[Any]:
        yield from tracked(run(function, work), what, len(work), progress)

    return shown


def _in_processes(workers: int) -> Runner:
    """Run in processes of one thread each; a worker that dies ends the run, which can be gone on
    with."""

    def run(function: Callable[..., Any], work: Work) -> Iterator[Any]:
        if workers == 1 or len(work) < 2:
            yield from (function(*one) for one in work)
            return
        spawn = multiprocessing.get_context("spawn")
        with concurrent.futures.ProcessPoolExecutor(
            workers, mp_context=spawn, initializer=cv2.setNumThreads, initargs=(1,)
        ) as pool:
            futures = [pool.submit(function, *one) for one in work]
            try:
                for future in concurrent.futures.as_completed(futures):
                    yield future.result()
            except concurrent.futures.process.BrokenProcessPool:
                raise VhmaeError(WORKER_DIED) from None
            finally:
                pool.shutdown(wait=True, cancel_futures=True)

    return run


def _through_ray(function: Callable[..., Any], work: Work) -> Iterator[Any]:
    """Run over a cluster by Ray Data; the folders must be shared by its machines. What a killed
    worker did is done again."""

    def make() -> Callable[..., Any]:
        cv2.setNumThreads(1)
        return function

    for _, result in spread(make, work):
        if result is None:
            raise VhmaeError(WORKER_DIED)
        yield result
