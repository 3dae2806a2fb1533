"""``vhmae rcvh build``: raw footage -> clips and mattes -> pairs -> composites, in parallel, to be gone on with after a kill."""

from __future__ import annotations

import collections
import concurrent.futures
import contextlib
import dataclasses
import json
import multiprocessing
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from rich.console import Console
from rich.progress import track

from vhmae.cluster import spread, with_absolute_paths
from vhmae.data.hyoutube import COMPOSITE, MASK, TEST_LIST
from vhmae.errors import InputError, VhmaeError
from vhmae.rcvh.catalogue import Footage, RawClip, Refusal, make_catalogue
from vhmae.rcvh.composite import OBJECT, Pair, build_composite
from vhmae.rcvh.figures import draw_statistics
from vhmae.rcvh.placement import Silhouette, place

MANIFEST, REFUSED, RECIPE = "manifest.jsonl", "refused.jsonl", "recipe.json"
PAIR_TRIES = 60
"""Pairs that are drawn for a composite before it is given up."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class BuildJob:
    """A set to build; the fields are the options of ``vhmae rcvh build``."""

    footage: Footage
    count: int = 3148
    seed: int = 0
    ratios: tuple[float, float] = (0.3, 0.8)
    """Bounds of the mean share of the frame that a foreground covers."""
    workers: int = 1
    ray: bool = False
    progress: bool = False


def build_set(job: BuildJob) -> dict[str, Any]:
    """Build the set, or what of it is not there yet; returns the report.

    Raises:
        InputError: for what the caller can mend; says what was refused where nothing is left.
    """
    began = time.monotonic()
    footage = with_absolute_paths(job.footage)
    out = footage.out
    _check(job)
    run = _through_ray if job.ray else _in_processes(job.workers)
    clips, refusals = make_catalogue(footage, _shown(run, job.progress, "clips"))
    _write_lines(out / REFUSED, [dataclasses.asdict(refusal) for refusal in refusals])
    pairs = plan(job, clips, refusals)
    cut_seconds = time.monotonic() - began
    done = {line["name"]: line for line in read_manifest(out)}
    waiting = [(pair, footage) for pair in pairs if pair.name not in done]
    began = time.monotonic()
    with (out / MANIFEST).open("a", encoding="utf-8") as manifest:
        for line in _shown(run, job.progress, "composites")(build_composite, waiting):
            manifest.write(json.dumps(line, ensure_ascii=False) + "\n")
            manifest.flush()
            done[line["name"]] = line
    seconds = time.monotonic() - began
    lines = [done[pair.name] for pair in pairs]
    _write_lines(out / MANIFEST, lines)
    write_list(out, lines)
    draw_statistics(lines, out / "statistics.png")
    low, high = job.ratios
    fewer = f"{len(lines)} of {job.count} composites: foregrounds that cover {low:g} to {high:g} of the frame are rare in this footage"
    return {
        "schema": 1, "warnings": [fewer] if len(lines) < job.count else [],
        "composites": len(lines), "built": len(waiting), "clips": len(clips),
        "foregrounds": sum(clip.matte_ratio is not None for clip in clips), "sources": len({clip.source for clip in clips}),
        "refused": dict(collections.Counter(refusal.part for refusal in refusals)), "seconds_to_cut": round(cut_seconds, 1),
        "composites_a_minute": round(60.0 * len(waiting) / seconds, 1) if waiting else None,
    }  # fmt: skip


def _check(job: BuildJob) -> None:
    low, high = job.ratios
    shortest, longest = job.footage.seconds
    if not 0.0 < low < high <= 1.0:
        raise InputError(f"--foreground-ratio {low:g}:{high:g}: expected LOW:HIGH within 0 to 1, as in 0.3:0.8")
    if not 0.1 <= shortest <= longest <= 60.0:
        raise InputError(f"--seconds {shortest:g}:{longest:g}: expected LOW:HIGH, as in 2:4")
    if job.footage.way == "file" and job.footage.mattes is None:
        raise InputError("--matte file: needs --mattes DIR, the mattes by the names of the raw files")
    if job.footage.mattes is not None and not job.footage.mattes.is_dir():
        raise InputError(f"--mattes {job.footage.mattes}: is not a folder")
    out = job.footage.out
    if not out.absolute().parent.is_dir():
        raise InputError(f"{out}: the folder {out.parent} does not exist; make it first")
    if out.exists() and not out.is_dir():
        raise InputError(f"{out}: is a file; give a folder")
    out.mkdir(exist_ok=True)
    recipe = {
        "seed": job.seed, "foreground_ratio": list(job.ratios), "seconds": list(job.footage.seconds), "lines": job.footage.lines,
        "matte": job.footage.way,
    }  # fmt: skip
    path = out / RECIPE
    if path.exists():
        before = json.loads(path.read_text(encoding="utf-8"))
        changed = [key for key, value in recipe.items() if before.get(key) != value]
        if changed:
            raise InputError(f"{out}: was begun with {changed[0]} {before.get(changed[0])}; go on with that, or give a new folder")
    elif any(out.iterdir()):
        raise InputError(f"{out}: holds something else; give a new folder")
    path.write_text(json.dumps(recipe) + "\n", encoding="utf-8")


def plan(job: BuildJob, clips: list[RawClip], refusals: list[Refusal]) -> list[Pair]:
    """Draw pairs and placements: each number by its own seed, so that a larger set begins with the smaller one.

    Raises:
        InputError: if there are not enough sources, or foregrounds cannot be laid as large as is asked.
    """
    foregrounds = _by_source([clip for clip in clips if clip.matte_ratio is not None])
    backgrounds = _by_source(clips)
    if not foregrounds or len(backgrounds) < 2:
        told = f"; the first refusal: {refusals[0].name} {refusals[0].reason}" if refusals else ""
        raise InputError(f"--raw {job.footage.raw}: needs a foreground and a background of another source{told} ({REFUSED} lists all)")
    silhouettes: dict[str, Silhouette] = {}
    pairs: list[Pair] = []
    used: set[tuple[str, str]] = set()
    possible = sum(len(backgrounds[other]) * len(own) for source, own in foregrounds.items() for other in backgrounds if other != source)
    for number in range(job.count):
        rng = np.random.default_rng([job.seed, number])
        for tried in range(PAIR_TRIES):
            source = _draw(list(foregrounds), rng)
            foreground = _draw(foregrounds[source], rng)
            background = _draw(backgrounds[_draw([one for one in backgrounds if one != source], rng)], rng)
            # A pair is taken again once there is no other, or none that could be found.
            if (foreground.name, background.name) in used and len(used) < possible and tried < PAIR_TRIES // 2:
                continue
            if foreground.name not in silhouettes:
                silhouettes[foreground.name] = job.footage.silhouette(foreground)
            laid = place(silhouettes[foreground.name], (background.width, background.height), job.ratios, rng)
            if laid is not None:
                used.add((foreground.name, background.name))
                pairs.append(Pair(number, foreground, background, laid))
                break
    if not pairs:
        raise InputError(f"--foreground-ratio {job.ratios[0]:g}:{job.ratios[1]:g}: no foreground can be laid so large; lower it")
    return pairs


def _by_source(clips: list[RawClip]) -> dict[str, list[RawClip]]:
    found: dict[str, list[RawClip]] = {}
    for clip in clips:
        found.setdefault(clip.source, []).append(clip)
    return found


def _draw(items: list[Any], rng: np.random.Generator) -> Any:
    return items[int(rng.integers(len(items)))]


# --- the set on the disk


def read_manifest(out: Path) -> list[dict[str, Any]]:
    """The lines of a set's manifest; half a line, left by a kill, is not one."""
    path = out / MANIFEST
    lines = []
    for text in path.read_text(encoding="utf-8").splitlines() if path.exists() else []:
        with contextlib.suppress(ValueError):
            lines.append(json.loads(text))
    return lines


def _write_lines(path: Path, lines: list[dict[str, Any]]) -> None:
    part = path.with_name(f".{path.name}.part")
    part.write_text("".join(json.dumps(line, ensure_ascii=False) + "\n" for line in lines), encoding="utf-8")
    part.replace(path)


def write_manifest(out: Path, lines: list[dict[str, Any]]) -> None:
    """Write a set's manifest anew."""
    _write_lines(out / MANIFEST, lines)


def write_list(out: Path, lines: list[dict[str, Any]]) -> None:
    """Write the list of the HYouTube layout: no target (-), mask, composite."""
    text = "".join(f"- {MASK}/{line['name']}/{OBJECT} {COMPOSITE}/{line['name']}/{OBJECT}\n" for line in lines)
    part = out / f".{TEST_LIST}.part"
    part.write_text(text, encoding="utf-8")
    part.replace(out / TEST_LIST)


# --- many at once

WORKER_DIED = "a worker died; check the memory, and run it again to go on"
Work = list[tuple[Any, ...]]
Runner = Callable[[Callable[..., Any], Work], Iterator[Any]]


def _shown(run: Runner, progress: bool, what: str) -> Runner:
    """A runner that shows how far it is."""

    def shown(function: Callable[..., Any], work: Work) -> Iterator[Any]:
        console = Console(stderr=True)
        yield from track(run(function, work), what, len(work), console=console, transient=True, disable=not progress)

    return shown


def _in_processes(workers: int) -> Runner:
    """Run in processes of one thread each; a worker that dies ends the run, which can be gone on with."""

    def run(function: Callable[..., Any], work: Work) -> Iterator[Any]:
        if workers == 1 or len(work) < 2:
            yield from (function(*one) for one in work)
            return
        spawn = multiprocessing.get_context("spawn")
        with concurrent.futures.ProcessPoolExecutor(workers, mp_context=spawn, initializer=cv2.setNumThreads, initargs=(1,)) as pool:
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
    """Run over a cluster by Ray Data; the folders must be shared by its machines. What a killed worker did is done again."""

    def make() -> Callable[..., Any]:
        cv2.setNumThreads(1)
        return function

    for _, result in spread(make, work):
        if result is None:
            raise VhmaeError(WORKER_DIED)
        yield result
