"""Scores a method on a data set: per frame, then per composite, then per video (docs/conventions.md, "means")."""

from __future__ import annotations

import dataclasses
import itertools
import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from rich.console import Console
from rich.progress import track

from vhmae import metrics
from vhmae.data.clips import list_clips
from vhmae.data.hyoutube import Sample, read_list
from vhmae.errors import InputError, did_you_mean
from vhmae.evaluation.methods import Clip, Method

Array = np.ndarray
METRICS = ("fmse", "mse", "psnr", "fssim")
BIN_EDGES = (0.0, 0.05, 0.15, 0.30, 0.50, 0.70, 1.0)
RESAMPLES = 2000


@dataclasses.dataclass(frozen=True)
class CompositeScore:
    """The scores of one composite: means over its frames."""

    name: str
    video: str
    foreground_ratio: float
    values: dict[str, float]
    untouched: dict[str, float]
    """fmse and mse of the untouched composite."""


def evaluate(
    data: Path,
    method: Method,
    wanted: Sequence[str] = METRICS,
    list_file: Path | None = None,
    swap_background: bool = False,
    progress: bool = False,
) -> dict[str, Any]:
    """Score a method; returns the report of docs/cli.md.

    Args:
        data: a set in the HYouTube layout.
        wanted: names out of ``METRICS``.
        swap_background: show each foreground before the next other video's pictures; then only foreground metrics count,
            and ratios are still taken to the composite as it was.
    """
    for name in wanted:
        if name not in METRICS:
            raise InputError(f"--metrics {name}: unknown{did_you_mean(name, METRICS)}; expected some of {', '.join(METRICS)}")
    if swap_background and not method.takes_other_backgrounds:
        raise InputError(f"--swap-background: {method.name} holds results made beforehand; use a method that runs")
    if swap_background:
        wanted = [name for name in wanted if name in ("fmse", "fssim")] or ["fmse"]
    samples = read_list(data, list_file)
    numbers = range(len(samples))
    scores = []
    for number in track(numbers, method.name, console=Console(stderr=True), transient=True) if progress else numbers:
        scores.append(_score(samples, number, method, wanted, swap_background))
    return _report(scores, method.name, data, wanted, swap_background)


def _score(samples: list[Sample], number: int, method: Method, wanted: Sequence[str], swap: bool) -> CompositeScore:
    sample = samples[number]
    composite, target, mask = sample.read()
    shown = composite
    if swap:
        shown = np.where(mask[..., None], composite, _other_background(samples, number, composite.shape))
    harmonized = method.harmonize(Clip(shown, mask, None if swap else sample))
    if harmonized.shape != composite.shape:
        raise InputError(f"{method.name}: gave frames {harmonized.shape} for {composite.shape}")
    values = _frame_means(harmonized, target, mask, wanted)
    untouched = _frame_means(composite, target, mask, ("fmse", "mse"))
    return CompositeScore(sample.name, sample.video, float(mask.mean()), values, untouched)


def _other_background(samples: list[Sample], number: int, shape: tuple[int, ...]) -> Array:
    """The frames of the next composite in list order that comes from another video, resized; cyclic."""
    count = len(samples)
    order = (samples[(number + step) % count] for step in range(1, count))
    other = next((sample for sample in order if sample.video != samples[number].video), None)
    if other is None:
        raise InputError("--swap-background: the list has one video only; it needs another to swap with")
    frames = other.read()[0]
    picks = [frames[index % len(frames)] for index in range(shape[0])]
    return np.stack([cv2.resize(frame, (shape[2], shape[1]), interpolation=cv2.INTER_AREA) for frame in picks])


def _frame_means(frames: Array, target: Array, mask: Array, wanted: Sequence[str]) -> dict[str, float]:
    measures = {
        "fmse": lambda f, t, m: metrics.fmse(f, t, m),
        "mse": lambda f, t, m: metrics.mse(f, t),
        "psnr": lambda f, t, m: metrics.psnr(f, t),
        "fssim": lambda f, t, m: metrics.fssim(f, t, m),
    }
    means = {}
    for name in wanted:
        values = np.array([measures[name](*frame) for frame in zip(frames, target, mask, strict=True)])
        means[name] = float(np.nanmean(values)) if np.isfinite(values).any() else math.nan
    return means


# --- from scores to the report


def video_means(scores: Sequence[CompositeScore], name: str, untouched: bool = False) -> Array:
    """One mean a video, over its composites."""
    by_video: dict[str, list[float]] = {}
    for score in scores:
        by_video.setdefault(score.video, []).append((score.untouched if untouched else score.values)[name])
    return np.array([np.mean(values) for values in by_video.values()])


def bootstrap_interval(values: Array, seed: int = 0) -> list[float]:
    """95 % interval of the mean by bootstrap over videos."""
    rng = np.random.default_rng(seed)
    means = values[rng.integers(len(values), size=(RESAMPLES, len(values)))].mean(axis=1)
    return [round(float(bound), 4) for bound in np.percentile(means, [2.5, 97.5])]


def _summary(scores: Sequence[CompositeScore], name: str) -> dict[str, Any]:
    values = video_means(scores, name)
    return {"mean": round(float(values.mean()), 4), "ci95": bootstrap_interval(values)}


def _ratio(scores: Sequence[CompositeScore], name: str) -> float | None:
    """The ratio of two set means, never the mean of ratios."""
    base = video_means(scores, name, untouched=True).mean()
    return round(float(video_means(scores, name).mean() / base), 4) if base > 0 else None


def _report(scores: list[CompositeScore], method: str, data: Path, wanted: Sequence[str], swap: bool) -> dict[str, Any]:
    report: dict[str, Any] = {
        "schema": 1,
        "method": method,
        "data": str(data),
        "protocol": "clean",
        "swap_background": swap,
        "composites": len(scores),
        "videos": len({score.video for score in scores}),
        "overall": {name: _summary(scores, name) for name in wanted},
        "ratio": {name: _ratio(scores, name) for name in ("fmse", "mse") if name in wanted},
    }
    if "fmse" in wanted:
        report["bins"] = _bins(scores)
        report["thirds"] = _thirds(scores)
        worse = [score.values["fmse"] > score.untouched["fmse"] for score in scores]
        report["worse_share"] = round(float(np.mean(worse)), 4)
    return report


def _bins(scores: list[CompositeScore]) -> list[dict[str, Any]]:
    """Scores by the mean mask share of the composites."""
    bins = []
    for low, high in itertools.pairwise(BIN_EDGES):
        inside = [s for s in scores if low <= s.foreground_ratio < high or (high == 1.0 and s.foreground_ratio == 1.0)]
        if inside:
            videos = len({score.video for score in inside})
            row = {"from": low, "to": high, "composites": len(inside), "videos": videos}
            bins.append({**row, "fmse": _summary(inside, "fmse"), "ratio": {"fmse": _ratio(inside, "fmse")}})
    return bins


def _thirds(scores: list[CompositeScore]) -> list[dict[str, Any]]:
    """Scores by the strength of the mismatch, weakest third first."""
    ordered = sorted(scores, key=lambda score: score.untouched["fmse"])
    thirds = []
    for part in np.array_split(np.arange(len(ordered)), 3):
        inside = [ordered[index] for index in part]
        if inside:
            span = [round(inside[0].untouched["fmse"], 3), round(inside[-1].untouched["fmse"], 3)]
            thirds.append({"composite_fmse": span, "ratio": {"fmse": _ratio(inside, "fmse")}})
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
