"""Scores a method on a data set: per frame, then per composite, then per video (docs/conventions.md, "means")."""

from __future__ import annotations

import dataclasses
import functools
import itertools
import math
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from rich.console import Console
from rich.progress import track

from vhmae import metrics
from vhmae.data.clips import list_clips
from vhmae.data.decoded import read_decoded
from vhmae.data.hyoutube import Sample, read_list
from vhmae.errors import InputError, did_you_mean
from vhmae.evaluation import anatomy
from vhmae.evaluation.methods import Clip, Method
from vhmae.evaluation.protocols import FRAME_METRICS, PROTOCOLS, Frame, Protocol
from vhmae.video.overlap import run_ahead

Array = np.ndarray
METRICS = FRAME_METRICS
TEMPORAL = ("tl_dis", "frtc", "flicker")
BIN_EDGES = (0.0, 0.05, 0.15, 0.30, 0.50, 0.70, 1.0)
RESAMPLES = 2000
FLOW = "dis_medium"


@dataclasses.dataclass(frozen=True)
class CompositeScore:
    """The scores of one composite: means over its frames."""

    name: str
    video: str
    frames: int
    foreground_ratio: float
    values: dict[str, float]
    untouched: dict[str, float]
    """fmse and mse of the untouched composite, and its temporal metrics where they are asked for."""
    target: dict[str, float]
    """The target's own temporal metrics."""
    parts: dict[str, float] = dataclasses.field(default_factory=dict)
    """What :func:`vhmae.evaluation.anatomy.measure` says of it."""


@dataclasses.dataclass
class _Seconds:
    """Where the time of an evaluation went."""

    method: float = 0.0
    scoring: float = 0.0


def evaluate(
    data: Path,
    method: Method,
    wanted: Sequence[str] = METRICS,
    list_file: Path | None = None,
    swap_background: bool = False,
    progress: bool = False,
    protocol: Protocol = PROTOCOLS["clean"],
    cache: Path | None = None,
    size: int | None = None,
) -> dict[str, Any]:
    """Score a method; returns the report of docs/cli.md.

    Args:
        data: a set in the HYouTube layout.
        wanted: names out of ``METRICS``, and ``temporal`` for all of ``TEMPORAL``.
        swap_background: show each foreground before the next other video's pictures; then only foreground metrics count,
            and ratios are still taken to the composite as it was.
        cache: folder of decoded sets, filled on the way.
        size: side of the square that pictures are resized to before all else.
    """
    began = time.monotonic()
    known = (*METRICS, "temporal")
    for name in wanted:
        if name not in known:
            raise InputError(f"--metrics {name}: unknown{did_you_mean(name, known)}; expected some of {', '.join(known)}")
    if not wanted:
        raise InputError(f"--metrics: names none; expected some of {', '.join(known)}")
    if swap_background and not method.takes_other_backgrounds:
        raise InputError(f"--swap-background: {method.name} was made for the composites as they are; use a method that runs")
    if swap_background:
        wanted = [name for name in wanted if name in ("fmse", "fssim")] or ["fmse"]
    samples = read_list(data, list_file)
    read = functools.partial(read_decoded, cache=cache, size=size)
    seconds, scores = _Seconds(), []
    shown = run_ahead(_shown(samples, read, swap_background), 2)
    steps = track(shown, method.name, len(samples), console=Console(stderr=True), transient=True) if progress else shown
    for sample, composite, target, mask, seen in steps:
        clip = Clip(seen, mask, sample, target) if not swap_background else Clip(seen, mask)
        scores.append(_score(sample, clip, (composite, target, mask), method, wanted, protocol, seconds))
    report = _report(scores, method.name, data, wanted, swap_background, protocol)
    report["seconds"] = {key: round(value, 2) for key, value in dataclasses.asdict(seconds).items()}
    report["seconds"]["all"] = round(time.monotonic() - began, 2)
    return report


def _shown(samples: list[Sample], read: Any, swap: bool) -> Iterator[tuple[Sample, Array, Array, Array, Array]]:
    """Each sample with its pictures, and the frames that the method is shown."""
    for number, sample in enumerate(samples):
        composite, target, mask = read(sample)
        if not mask.any():
            raise InputError(f"{sample.mask}: has no foreground in any frame; leave this composite out of the list")
        seen = np.where(mask[..., None], composite, _other_background(samples, number, composite.shape, read)) if swap else composite
        yield sample, composite, target, mask, seen


def _score(
    sample: Sample, clip: Clip, truth: tuple[Array, Array, Array], method: Method, wanted: Sequence[str], protocol: Protocol,
    seconds: _Seconds,
) -> CompositeScore:  # fmt: skip
    composite, target, mask = truth
    began = time.monotonic()
    harmonized = method.harmonize(clip)
    seconds.method += time.monotonic() - began
    if harmonized.shape != composite.shape:
        raise InputError(f"{method.name}: gave frames {harmonized.shape} for {composite.shape}")
    began = time.monotonic()
    names = [name for name in wanted if name in METRICS]
    values = _frame_means(protocol, harmonized, truth, names)
    bases = [name for name in ("fmse", "mse") if name in names or name == "fmse"]
    untouched = _frame_means(protocol, composite, truth, bases)
    own: dict[str, float] = {}
    if "temporal" in wanted:
        values |= _over_time(harmonized, composite, target, mask)
        untouched |= _over_time(composite, composite, target, mask)
        own = {"tl_dis": metrics.temporal_loss(target, target, mask)}
    parts = anatomy.measure(sample, harmonized, truth)
    seconds.scoring += time.monotonic() - began
    return CompositeScore(sample.name, sample.video, len(mask), float(mask.mean()), values, untouched, own, parts)


def _over_time(clip: Array, composite: Array, target: Array, mask: Array) -> dict[str, float]:
    return {
        "tl_dis": metrics.temporal_loss(clip, target, mask),
        "frtc": metrics.foreground_tone_change(clip, target, mask),
        "flicker": metrics.flicker(clip, composite, target, mask),
    }


def _other_background(samples: list[Sample], number: int, shape: tuple[int, ...], read: Any) -> Array:
    """The frames of the next composite in list order that comes from another video, resized; cyclic."""
    count = len(samples)
    order = (samples[(number + step) % count] for step in range(1, count))
    other = next((sample for sample in order if sample.video != samples[number].video), None)
    if other is None:
        raise InputError("--swap-background: the list has one video only; it needs another to swap with")
    frames = read(other)[0]
    picks = [frames[index % len(frames)] for index in range(shape[0])]
    return np.stack([cv2.resize(frame, (shape[2], shape[1]), interpolation=cv2.INTER_AREA) for frame in picks])


def _frame_means(protocol: Protocol, frames: Array, truth: tuple[Array, Array, Array], wanted: Sequence[str]) -> dict[str, float]:
    rows = [protocol.score(Frame(*pictures), wanted) for pictures in zip(frames, *truth, strict=True)]
    return {name: _mean([row[name] for row in rows]) for name in wanted}


def _mean(values: Sequence[float]) -> float:
    """The mean of what is a number; NaN where nothing is."""
    kept = [value for value in values if math.isfinite(value)]
    return float(np.mean(kept)) if kept else math.nan


# --- from scores to the report


def video_means(scores: Sequence[CompositeScore], name: str, part: str = "values") -> Array:
    """One mean a video, over its composites that have a value; ``part`` is a field of :class:`CompositeScore`."""
    return pooled(scores, name, part)[0]


def pooled(scores: Sequence[CompositeScore], name: str, part: str = "values", by_frames: bool = False) -> tuple[Array, Array]:
    """Means and weights of videos: each counts the same, or by its frames."""
    by_video: dict[str, list[tuple[float, float]]] = {}
    for score in scores:
        value = getattr(score, part).get(name, math.nan)
        if math.isfinite(value):
            by_video.setdefault(score.video, []).append((value, float(score.frames) if by_frames else 1.0))
    means = [np.average([v for v, _ in rows], weights=[w for _, w in rows]) for rows in by_video.values()]
    weights = [sum(w for _, w in rows) if by_frames else 1.0 for rows in by_video.values()]
    return np.array(means), np.array(weights)


def bootstrap_interval(values: Array, weights: Array | None = None, seed: int = 0) -> list[float]:
    """95 % interval of the mean by bootstrap over videos."""
    rng = np.random.default_rng(seed)
    weights = np.ones(len(values)) if weights is None else weights
    drawn = rng.integers(len(values), size=(RESAMPLES, len(values)))
    means = (values[drawn] * weights[drawn]).sum(axis=1) / weights[drawn].sum(axis=1)
    return [round(float(bound), 4) for bound in np.percentile(means, [2.5, 97.5])]


@dataclasses.dataclass(frozen=True)
class _Pool:
    """Scores, summed up in a protocol's way."""

    scores: Sequence[CompositeScore]
    by_frames: bool

    def mean(self, name: str, part: str = "values") -> float:
        values, weights = pooled(self.scores, name, part, self.by_frames)
        return float(np.average(values, weights=weights)) if len(values) else math.nan

    def summary(self, name: str, part: str = "values") -> dict[str, Any] | None:
        """Mean and interval; None where no composite has a value."""
        values, weights = pooled(self.scores, name, part, self.by_frames)
        if not len(values):
            return None
        return {"mean": round(float(np.average(values, weights=weights)), 4), "ci95": bootstrap_interval(values, weights)}

    def ratio(self, name: str) -> float | None:
        """The ratio of two set means, never the mean of ratios."""
        base = self.mean(name, "untouched")
        return round(self.mean(name) / base, 4) if base > 0 else None


def _report(scores: list[CompositeScore], method: str, data: Path, wanted: Sequence[str], swap: bool, protocol: Protocol) -> dict[str, Any]:
    by_frames = protocol.pooling == "frames"
    pool = _Pool(scores, by_frames)
    report: dict[str, Any] = {
        "schema": 1,
        "method": method,
        "data": str(data),
        "protocol": protocol.name,
        "swap_background": swap,
        "composites": len(scores),
        "videos": len({score.video for score in scores}),
        "overall": {name: pool.summary(name) for name in wanted if name != "temporal"},
        "ratio": {name: pool.ratio(name) for name in ("fmse", "mse") if name in wanted},
        "flow": FLOW,
    }
    if "fmse" in wanted:
        report["bins"] = _bins(scores, by_frames)
        report["thirds"] = _thirds(scores, by_frames)
        worse = [score.values["fmse"] > score.untouched["fmse"] for score in scores]
        report["worse_share"] = round(float(np.mean(worse)), 4)
    if "temporal" in wanted:
        rows = {"method": "values", "composite": "untouched", "target": "target"}
        report["temporal"] = {name: {row: pool.summary(name, part) for row, part in rows.items()} for name in TEMPORAL}
    return report | anatomy.summarize(scores, data, lambda part: _Pool(part, by_frames))


def _bins(scores: list[CompositeScore], by_frames: bool) -> list[dict[str, Any]]:
    """Scores by the mean mask share of the composites."""
    bins = []
    for low, high in itertools.pairwise(BIN_EDGES):
        inside = [s for s in scores if low <= s.foreground_ratio < high or (high == 1.0 and s.foreground_ratio == 1.0)]
        if inside:
            pool = _Pool(inside, by_frames)
            row = {"from": low, "to": high, "composites": len(inside), "videos": len({score.video for score in inside})}
            bins.append({**row, "fmse": pool.summary("fmse"), "ratio": {"fmse": pool.ratio("fmse")}})
    return bins


def _thirds(scores: list[CompositeScore], by_frames: bool) -> list[dict[str, Any]]:
    """Scores by the strength of the mismatch, weakest third first."""
    ordered = sorted(scores, key=lambda score: score.untouched["fmse"])
    thirds = []
    for part in np.array_split(np.arange(len(ordered)), 3):
        inside = [ordered[index] for index in part]
        if inside:
            span = [round(inside[0].untouched["fmse"], 3), round(inside[-1].untouched["fmse"], 3)]
            thirds.append({"composite_fmse": span, "ratio": {"fmse": _Pool(inside, by_frames).ratio("fmse")}})
    return thirds


def natural_drift(folder: Path, method: Method, frames: int = 20) -> dict[str, Any]:
    """How far a method moves clips that need no harmonizing: mean absolute change inside the mask, in levels of 0-255."""
    drifts = []
    for clip in list_clips(folder):
        natural, mask = clip.read(frames)
        harmonized = method.harmonize(Clip(natural, mask))
        drifts.append(float(np.abs(harmonized[mask].astype(float) - natural[mask]).mean()))
    values = np.array(drifts)
    return {"mean": round(float(values.mean()), 4), "ci95": bootstrap_interval(values), "clips": len(drifts)}
