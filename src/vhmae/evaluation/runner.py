"""Scores a method on a data set: per frame, then per composite, then per video
(docs/conventions.md, "means")."""

from __future__ import annotations

import contextlib
import dataclasses
import functools
import itertools
import math
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from vhmae.arrays import Array, Frames, Mask
from vhmae.data.clips import list_clips
from vhmae.data.decoded import Pictures, read_decoded
from vhmae.data.digests import set_digest, settings_digest
from vhmae.data.hyoutube import Sample, read_list, require_foreground
from vhmae.errors import InputError, did_you_mean
from vhmae.evaluation import anatomy, metrics
from vhmae.evaluation.clip import Clip, Method, require_method
from vhmae.evaluation.groups import counted_in_fmse, views_of, worse_share
from vhmae.evaluation.pooling import CompositeScore, Pool, bootstrap_interval, detail_of
from vhmae.evaluation.protocols import FRAME_METRICS, Frame, Protocol, find_protocol
from vhmae.evaluation.results import ResultWriter
from vhmae.overlap import run_ahead
from vhmae.progress import tracked

METRICS = FRAME_METRICS
TEMPORAL = ("tl_dis", "frtc", "flicker")
BIN_EDGES = (0.0, 0.05, 0.15, 0.30, 0.50, 0.70, 1.0)
FLOW = "dis_medium"


@dataclasses.dataclass
class _Seconds:
    """Where the time of an evaluation went."""

    method: float = 0.0
    scoring: float = 0.0


def evaluate(
    data: Path | str,
    method: Method,
    wanted: Sequence[str] = METRICS,
    list_file: Path | str | None = None,
    swap_background: bool = False,
    progress: bool = False,
    protocol: Protocol | str = "clean",
    cache: Path | str | None = None,
    size: int | None = None,
    write: Path | str | None = None,
) -> dict[str, Any]:
    """Score a method; returns the report of docs/cli.md.

    Args:
        data: a set in the HYouTube layout.
        wanted: names out of ``METRICS``, and ``temporal`` for all of ``TEMPORAL``.
        swap_background: show each foreground before the next other video's pictures; then only
            foreground metrics count, and ratios are still taken to the composite as it was.
        protocol: how is scored, by name ("clean", "co2net", "vtt", "hinet", docs/conventions.md),
            or as ``find_protocol`` gives it.
        cache: folder of decoded sets, filled on the way.
        size: side of the square that pictures are resized to before all else, as the protocol does
            it.
        write: a new folder for the results' frames, as ``folder:`` reads them.
    """
    began = time.monotonic()
    require_method(method)
    data, protocol = Path(data), find_protocol(protocol)
    list_file, cache, write = (
        None if path is None else Path(path) for path in (list_file, cache, write)
    )
    if size is not None and size < 1:
        raise InputError("expected a number of pixels from 1 up", field="size", value=size)
    _check_metrics(wanted)
    if swap_background:
        if not method.takes_other_backgrounds:
            raise InputError(
                f"{method.name} was made for the composites as they are; use a method that runs",
                field="swap_background",
            )
        if write is not None:
            raise InputError(
                "keeps results on the composites as they are; leave `swap_background` out",
                field="write",
            )
        wanted = [name for name in wanted if name in ("fmse", "fssim")] or ["fmse"]
    samples = read_list(data, list_file)
    read = functools.partial(read_decoded, cache=cache, size=size, resizing=protocol.resizing)
    seconds, scores = _Seconds(), []
    shown = run_ahead(_shown(samples, read, swap_background, views_of(data)), 2)
    steps = tracked(shown, method.name, len(samples), progress)
    with contextlib.nullcontext() if write is None else ResultWriter(write) as writer:
        for sample, truth, seen in steps:
            clip = (
                Clip(seen, truth.mask, sample, truth.target)
                if not swap_background
                else Clip(seen, truth.mask)
            )
            harmonized = _harmonized(method, clip, seconds)
            scores.append(_score(sample, harmonized, truth, wanted, protocol, seconds))
            if writer is not None:
                writer.write(sample, harmonized)
    report = _report(scores, method.name, data, wanted, swap_background, protocol)
    settings = {
        "protocol": protocol.name,
        "version": protocol.version,
        "size": size,
        "resizing": protocol.resizing if size else None,
    }
    report |= {"settings": settings, "method_facts": dict(method.facts)}
    report["digests"] = {
        "weights": method.facts.get("weights_sha256"),
        "set": set_digest(samples),
        "protocol": settings_digest(settings),
        "method": method.digest,
    }
    report["composites_detail"] = detail_of(scores)
    report["seconds"] = {key: round(value, 2) for key, value in dataclasses.asdict(seconds).items()}
    report["seconds"]["all"] = round(time.monotonic() - began, 2)
    return report


def _check_metrics(wanted: Sequence[str]) -> None:
    """Refuse names that no metric has."""
    known = (*METRICS, "temporal")
    for name in wanted:
        if name not in known:
            raise InputError(
                f"unknown{did_you_mean(name, known)}; expected some of {', '.join(known)}",
                field="metrics",
                value=name,
            )
    if not wanted:
        raise InputError(f"names none; expected some of {', '.join(known)}", field="metrics")


def _shown(
    samples: list[Sample], read: Any, swap: bool, views: Mapping[str, str]
) -> Iterator[tuple[Sample, Pictures, Array]]:
    """Each sample with its pictures, and the frames that the method is shown."""
    for number, sample in enumerate(samples):
        truth: Pictures = read(sample)
        require_foreground(sample, truth.mask)
        seen = truth.composite
        if swap:
            behind = _other_background(samples, number, seen.shape, read, views)
            seen = np.where(truth.mask[..., None], seen, behind)
        yield sample, truth, seen


def _harmonized(method: Method, clip: Clip, seconds: _Seconds) -> Array:
    """What the method makes of a clip: frames of the composite's shape."""
    began = time.monotonic()
    harmonized = method.run(clip)
    seconds.method += time.monotonic() - began
    return harmonized


def _score(
    sample: Sample,
    harmonized: Array,
    truth: Pictures,
    wanted: Sequence[str],
    protocol: Protocol,
    seconds: _Seconds,
) -> CompositeScore:
    composite, target, mask, _ = truth
    began = time.monotonic()
    names = [name for name in wanted if name in METRICS]
    values, counted = _frame_means(protocol, harmonized, truth, names)
    bases = [name for name in ("fmse", "mse") if name in names]
    untouched, _ = _frame_means(protocol, composite, truth, bases)
    own: dict[str, float] = {}
    if "temporal" in wanted:
        ours, before, after = metrics.temporal_losses((harmonized, composite, target), target, mask)
        values |= {"tl_dis": ours, **_over_time(harmonized, composite, target, mask)}
        untouched |= {"tl_dis": before, **_over_time(composite, composite, target, mask)}
        own = {"tl_dis": after}
    parts = anatomy.measure(sample, harmonized, (composite, target, mask))
    seconds.scoring += time.monotonic() - began
    return CompositeScore(
        sample.name,
        sample.video,
        len(mask),
        float(mask.mean()),
        values,
        untouched,
        own,
        parts,
        {name: count for name, count in counted.items() if count < len(mask)},
    )


def _over_time(clip: Frames, composite: Frames, target: Frames, mask: Mask) -> dict[str, float]:
    return {
        "frtc": metrics.foreground_tone_change(clip, target, mask),
        "flicker": metrics.flicker(clip, composite, target, mask),
    }


def _other_background(
    samples: list[Sample],
    number: int,
    shape: tuple[int, ...],
    read: Any,
    views: Mapping[str, str],
) -> Array:
    """The frames of the next composite in list order that comes from another video, resized;
    cyclic.

    Args:
        views: the view of each composite by its name, where the set knows: regions of one view are
            videos of their own, and have one background.
    """
    count = len(samples)
    own = samples[number]
    order = (samples[(number + step) % count] for step in range(1, count))
    other = next(
        (
            sample
            for sample in order
            if sample.video != own.video
            and (sample.name not in views or views[sample.name] != views.get(own.name))
        ),
        None,
    )
    if other is None:
        what = "view" if own.name in views else "video"
        raise InputError(
            f"the list has one {what} only; it needs another to swap with", field="swap_background"
        )
    frames = read(other).composite
    picks = [frames[index % len(frames)] for index in range(shape[0])]
    return np.stack(
        [cv2.resize(frame, (shape[2], shape[1]), interpolation=cv2.INTER_AREA) for frame in picks]
    )


def _frame_means(
    protocol: Protocol, frames: Array, truth: Pictures, wanted: Sequence[str]
) -> tuple[dict[str, float], dict[str, int]]:
    """The means over frames that have a value, NaN where none has; and how many have."""
    rows = [
        protocol.score(Frame(*pictures), wanted) for pictures in zip(frames, *truth, strict=True)
    ]
    kept = {name: [row[name] for row in rows if math.isfinite(row[name])] for name in wanted}
    means = {name: float(np.mean(own)) if own else math.nan for name, own in kept.items()}
    return means, {name: len(own) for name, own in kept.items()}


# --- from scores to the report


def _report(
    scores: list[CompositeScore],
    method: str,
    data: Path,
    wanted: Sequence[str],
    swap: bool,
    protocol: Protocol,
) -> dict[str, Any]:
    by_frames = protocol.pooling == "frames"
    pool = Pool(scores, by_frames)
    report: dict[str, Any] = {
        "schema": 1,
        "method": method,
        "data": str(data),
        "protocol": protocol.name,
        "pooling": protocol.pooling,
        "swap_background": swap,
        "composites": len(scores),
        "videos": len({score.video for score in scores}),
        "overall": {name: pool.summary(name) for name in wanted if name != "temporal"},
        "ratio": {name: pool.ratio(name) for name in ("fmse", "mse") if name in wanted},
        "ratio_ci95": {
            name: pool.ratio_interval(name) for name in ("fmse", "mse") if name in wanted
        },
        "flow": FLOW,
    }
    if "fmse" in wanted:
        report["bins"] = _bins(scores, by_frames)
        counted = counted_in_fmse(scores)
        report["thirds"] = _thirds(counted, by_frames)
        report["worse_share"] = worse_share(counted)
        report["without_fmse"] = len(scores) - len(counted)
    if "temporal" in wanted:
        rows = {"method": "values", "composite": "untouched", "target": "target"}
        report["temporal"] = {
            name: {row: pool.summary(name, part) for row, part in rows.items()} for name in TEMPORAL
        }
    return report | anatomy.summarize(scores, data, lambda part: Pool(part, by_frames))


def _bins(scores: list[CompositeScore], by_frames: bool) -> list[dict[str, Any]]:
    """Scores by the mean mask share of the composites."""
    bins = []
    for low, high in itertools.pairwise(BIN_EDGES):
        inside = [
            s
            for s in scores
            if low <= s.foreground_ratio < high or (high == 1.0 and s.foreground_ratio == 1.0)
        ]
        if inside:
            pool = Pool(inside, by_frames)
            row: dict[str, Any] = {
                "from": low,
                "to": high,
                "composites": len(inside),
                "videos": len({score.video for score in inside}),
            }
            row |= {"fmse": pool.summary("fmse"), "ratio": {"fmse": pool.ratio("fmse")}}
            bins.append(row | {"ratio_ci95": {"fmse": pool.ratio_interval("fmse")}})
    return bins


def _thirds(scores: list[CompositeScore], by_frames: bool) -> list[dict[str, Any]]:
    """Scores that have an fMSE by the strength of the mismatch, weakest third first."""
    ordered = sorted(scores, key=lambda score: score.untouched["fmse"])
    thirds = []
    for part in np.array_split(np.arange(len(ordered)), 3):
        inside = [ordered[index] for index in part]
        if inside:
            span = [round(inside[0].untouched["fmse"], 3), round(inside[-1].untouched["fmse"], 3)]
            pool = Pool(inside, by_frames)
            row: dict[str, Any] = {"composite_fmse": span, "ratio": {"fmse": pool.ratio("fmse")}}
            thirds.append(row | {"ratio_ci95": {"fmse": pool.ratio_interval("fmse")}})
    return thirds


def natural_drift(folder: Path, method: Method, frames: int = 20) -> dict[str, Any]:
    """How far a method moves clips that need no harmonizing: mean absolute change inside the mask,
    in levels of 0-255."""
    drifts = []
    for clip in list_clips(folder):
        natural, mask = clip.read(frames)
        harmonized = method.run(Clip(natural, mask))
        drifts.append(float(np.abs(harmonized[mask].astype(float) - natural[mask]).mean()))
    values = np.array(drifts)
    return {
        "mean": round(float(values.mean()), 4),
        "ci95": bootstrap_interval(values),
        "clips": len(drifts),
    }
