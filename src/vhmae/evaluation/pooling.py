"""From composites to videos to a set: means, ratios, differences, and their intervals.

Intervals are by bootstrap over videos. Each draws the same videos for all that it compares:
numerator and denominator of a ratio, and both methods of a difference (docs/conventions.md).
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable, Mapping, Sequence, Set
from typing import Any

import numpy as np

from vhmae.arrays import Array, Numbers, Places
from vhmae.errors import InputError

RESAMPLES = 2000


@dataclasses.dataclass(frozen=True)
class CompositeScore:
    """The scores of one composite: means over its frames."""

    name: str
    video: str
    frames: int
    foreground_ratio: float
    values: dict[str, float]
    untouched: dict[str, float]
    """fmse and mse of the untouched composite, and its temporal metrics where they are asked
    for."""
    target: dict[str, float]
    """The target's own temporal metrics."""
    parts: dict[str, float] = dataclasses.field(default_factory=dict)
    """What ``anatomy.measure`` says of it."""
    counted: dict[str, int] = dataclasses.field(default_factory=dict)
    """Of metrics that not all of its frames have: how many have it."""


def pooled(
    scores: Sequence[CompositeScore], name: str, part: str = "values", by_frames: bool = False
) -> tuple[Numbers, Numbers]:
    """Means and weights of videos: each counts the same, or by its frames; ``part`` is a field of
    the scores."""
    videos = _by_video(scores, name, part, by_frames)
    return np.array([mean for mean, _ in videos.values()]), np.array(
        [w for _, w in videos.values()]
    )


def _by_video(
    scores: Sequence[CompositeScore], name: str, part: str, by_frames: bool
) -> dict[str, tuple[float, float]]:
    """Mean and weight of each video that has a value."""
    rows: dict[str, list[tuple[float, float]]] = {}
    for score in scores:
        value = getattr(score, part).get(name, math.nan)
        if math.isfinite(value):
            rows.setdefault(score.video, []).append(
                (value, float(score.counted.get(name, score.frames)) if by_frames else 1.0)
            )
    return {
        video: (
            float(np.average([v for v, _ in own], weights=[w for _, w in own])),
            sum(w for _, w in own) if by_frames else 1.0,
        )
        for video, own in rows.items()
    }


def bootstrap(statistic: Callable[[Places], Numbers], videos: int, seed: int = 0) -> list[float]:
    """95 % interval of a statistic by bootstrap over videos.

    Args:
        statistic: called with drawn videos (RESAMPLES, V), as indices; gives (RESAMPLES,).
    """
    drawn = np.random.default_rng(seed).integers(videos, size=(RESAMPLES, videos))
    # A draw of nothing but videos without any error has no ratio.
    return [round(float(bound), 4) for bound in np.nanpercentile(statistic(drawn), [2.5, 97.5])]


def bootstrap_interval(
    values: Numbers, weights: Numbers | None = None, seed: int = 0
) -> list[float]:
    """95 % interval of the mean of videos."""
    counts = np.ones(len(values)) if weights is None else weights
    return bootstrap(lambda drawn: _drawn_mean(values, counts, drawn), len(values), seed)


def _quotient(values: Array, bases: Array) -> Array:
    """Values over bases; NaN where a base is zero."""
    return np.divide(values, bases, out=np.full_like(values, np.nan), where=bases > 0.0)


def _drawn_mean(values: Array, weights: Array, drawn: Array) -> Array:
    return (values[drawn] * weights[drawn]).sum(axis=1) / weights[drawn].sum(axis=1)


@dataclasses.dataclass(frozen=True)
class Pool:
    """Scores, summed up in a protocol's way."""

    scores: Sequence[CompositeScore]
    by_frames: bool

    def mean(self, name: str, part: str = "values") -> float:
        """The set's mean; NaN where no composite has a value."""
        values, weights = pooled(self.scores, name, part, self.by_frames)
        return float(np.average(values, weights=weights)) if len(values) else math.nan

    def summary(self, name: str, part: str = "values") -> dict[str, Any] | None:
        """Mean and interval; None where no composite has a value."""
        values, weights = pooled(self.scores, name, part, self.by_frames)
        if not len(values):
            return None
        mean = float(np.average(values, weights=weights))
        return {"mean": round(mean, 4), "ci95": bootstrap_interval(values, weights)}

    def ratio(self, name: str) -> float | None:
        """The ratio of two set means, never the mean of ratios."""
        base = self.mean(name, "untouched")
        return round(self.mean(name) / base, 4) if base > 0 else None

    def ratio_interval(self, name: str) -> list[float] | None:
        """95 % interval of the ratio; None where there is none, as without any error to begin
        with."""
        own = _by_video(self.scores, name, "values", self.by_frames)
        bases = _by_video(self.scores, name, "untouched", self.by_frames)
        videos = [video for video in own if video in bases]
        if not videos or not sum(bases[video][0] for video in videos) > 0.0:
            return None
        (values, counts), (base, base_counts) = (
            np.array([rows[video] for video in videos]).T for rows in (own, bases)
        )

        def ratios(drawn: Array) -> Array:
            own_means = _drawn_mean(values, counts, drawn)
            return _quotient(own_means, _drawn_mean(base, base_counts, drawn))

        return bootstrap(ratios, len(videos))


def detail_of(scores: Sequence[CompositeScore]) -> list[dict[str, Any]]:
    """One row a composite for ``--json``: enough to pair methods, and to pool anew. NaN is null."""

    def told(values: Mapping[str, float]) -> dict[str, float | None]:
        return {
            key: round(value, 4) if math.isfinite(value) else None for key, value in values.items()
        }

    return [
        {
            "name": score.name,
            "video": score.video,
            "frames": score.frames,
            "foreground_ratio": round(score.foreground_ratio, 4),
            "values": told(score.values),
            "untouched": told(score.untouched),
            **({"counted": score.counted} if score.counted else {}),
        }
        for score in scores
    ]


def paired_difference(
    first: Mapping[str, Any], second: Mapping[str, Any], name: str = "fmse"
) -> dict[str, Any]:
    """How two reports of one set differ: first minus second, over the composites of both.

    Args:
        first, second: reports of ``evaluate``, with their ``composites_detail``.
        name: a metric that both have.
    Returns:
        ``{"methods", "metric", "videos", "composites", "difference": {"mean", "ci95"},
        "smaller_share"}`` and, for fmse and mse, ``"ratio_difference"`` likewise: the difference
        of the ratios to the untouched composite. ``smaller_share`` is the share of composites on
        which the first has the smaller value. Of sets where some composites lead, ``"leading"``
        holds the same of these.
    Raises:
        InputError: if the reports are of different sets or protocols, or share no composite with a
        value.
    """
    for part in ("set", "protocol"):
        if first["digests"][part] != second["digests"][part]:
            raise InputError(
                f"{first['method']}, {second['method']}: were scored with another {part}; score "
                "both in the same way"
            )
    for report in (first, second):
        if "composites_detail" not in report:
            raise InputError(
                f"{report['method']}: its report holds no row for each composite; score it again"
            )
    others = {row["name"]: row for row in second["composites_detail"]}
    rows = [
        (row, others[row["name"]])
        for row in first["composites_detail"]
        if row["name"] in others
        and row["values"].get(name) is not None
        and others[row["name"]]["values"].get(name) is not None
    ]
    if not rows:
        raise InputError(f"{name}: no composite has it in both reports; ask for it by `metrics`")
    videos: dict[str, list[tuple[float, float, float, float]]] = {}
    for row, other in rows:
        counted = row.get("counted", {}).get(name, row["frames"])
        weight = float(counted) if first["pooling"] == "frames" else 1.0
        base = row["untouched"].get(name)
        own = (
            row["values"][name],
            other["values"][name],
            math.nan if base is None else base,
            weight,
        )
        videos.setdefault(row["video"], []).append(own)
    by_frames = first["pooling"] == "frames"
    means = np.array(
        [
            np.average([r[:3] for r in own], axis=0, weights=[r[3] for r in own])
            for own in videos.values()
        ]
    )
    weights = np.array([sum(r[3] for r in own) if by_frames else 1.0 for own in videos.values()])

    def summary(divide: bool) -> dict[str, Any]:
        def difference(drawn: Array) -> Array:
            gap = _drawn_mean(means[:, 0] - means[:, 1], weights, drawn)
            return _quotient(gap, _drawn_mean(means[:, 2], weights, drawn)) if divide else gap

        whole = float(difference(np.arange(len(means))[None])[0])
        return {"mean": round(whole, 4), "ci95": bootstrap(difference, len(means))}

    views = first.get("views")
    made: dict[str, Any] = {
        **({} if views is None else {"views": views}),
        "methods": [first["method"], second["method"]],
        "metric": name,
        "videos": len(videos),
        "composites": len(rows),
        "difference": summary(divide=False),
        "smaller_share": round(
            float(np.mean([r["values"][name] < o["values"][name] for r, o in rows])), 4
        ),
    }
    if np.isfinite(means[:, 2]).all() and means[:, 2].sum() > 0.0:
        made["ratio_difference"] = summary(divide=True)
    names = {*first.get("leading", {}).get("names", ())}
    if names & {row["name"] for row, _ in rows}:
        inside = paired_difference(_leading(first, names), _leading(second, names), name)
        made["leading"] = {"below_fmse": first["leading"]["below_fmse"], **inside}
    return made


def _leading(report: Mapping[str, Any], names: Set[str]) -> dict[str, Any]:
    """A report of the composites that lead alone."""
    rows = [row for row in report["composites_detail"] if row["name"] in names]
    views = report.get("leading", {}).get("groups")
    return {**report, "composites_detail": rows, "leading": {}, "views": views}
