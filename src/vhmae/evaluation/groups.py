"""Parts of a set by its maker's journal: each camera, and composites that a grade can mend."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any, Protocol, TypeVar

import numpy as np

from vhmae.errors import InputError


class Scored(Protocol):
    """The scores of one composite, as the runner has them."""

    @property
    def name(self) -> str: ...
    @property
    def video(self) -> str: ...
    @property
    def values(self) -> dict[str, float]: ...
    @property
    def untouched(self) -> dict[str, float]: ...


ScoreT = TypeVar("ScoreT", bound=Scored)


class Pooled(Protocol):
    """Scores summed up in a protocol's way, as the runner does it."""

    def mean(self, name: str, part: str = ...) -> float: ...
    def ratio(self, name: str) -> float | None: ...
    def ratio_interval(self, name: str) -> list[float] | None: ...


def read_journal(data: Path) -> dict[str, Any]:
    """What the maker of a set wrote down (synthesis.json); nothing in sets of others."""
    path = data / "synthesis.json"
    if not path.exists():
        return {}
    try:
        journal = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise InputError(f"{path}: cannot be read ({error}); make the set again") from None
    return journal if isinstance(journal, dict) else {}


def views_of(data: Path) -> dict[str, str]:
    """The view of each composite of a set, by its name, where the set's journal knows of such."""
    entries = read_journal(data).get("composites", [])
    return {str(one.get("composite")): str(one["group"]) for one in entries if "group" in one}


def summarize_groups(
    journal: dict[str, Any], scores: Sequence[Scored], pool: Callable[[Sequence[Any]], Pooled]
) -> dict[str, Any]:
    """Rows of the report: ``leading`` and ``groups``, where the journal knows of such, and how many
    ``views`` the composites are of.

    Args:
        journal: ``composites`` with ``composite``, ``group`` and ``fmse``, and
            ``leading_below_fmse``.
        scores: of all composites; rows of those without fMSE hold no ratio.
        pool: sums scores up.
    """
    entries = {str(entry.get("composite")): entry for entry in journal.get("composites", [])}
    known = [(score, entries[score.name]) for score in scores if score.name in entries]
    report: dict[str, Any] = {}
    limit = journal.get("leading_below_fmse")
    if limit is not None:
        inside = [(score, entry) for score, entry in known if entry.get("fmse", 0.0) < limit]
        if inside:
            row = _row([score for score, _ in inside], pool)
            names = [score.name for score, _ in inside]
            report["leading"] = {"below_fmse": limit, **row, "names": names}
            named = {entry["group"] for _, entry in inside if "group" in entry}
            if named:  # regions of one view are videos of their own, and no more views for it
                report["leading"]["groups"] = len(named)
    groups: dict[str, list[Scored]] = {}
    for score, entry in known:
        if "group" in entry:
            groups.setdefault(str(entry["group"]), []).append(score)
    if groups:
        report["views"] = len(groups)
        report["groups"] = [
            {"group": name, **_row(rows, pool), "groups": 1} for name, rows in groups.items()
        ]
    return report


def counted_in_fmse(scores: Iterable[ScoreT]) -> list[ScoreT]:
    """Those that have an fMSE: a protocol has none where no pixel of a composite is wholly
    foreground."""
    return [score for score in scores if math.isfinite(score.untouched["fmse"])]


def worse_share(scores: Sequence[Scored]) -> float | None:
    """The share of composites that end worse than untouched; None where none has an fMSE."""
    worse = [s.values["fmse"] > s.untouched["fmse"] for s in counted_in_fmse(scores)]
    return round(float(np.mean(worse)), 4) if worse else None


def _row(scores: Sequence[Scored], pool: Callable[[Sequence[Any]], Pooled]) -> dict[str, Any]:
    row: dict[str, Any] = {
        "composites": len(scores),
        "videos": len({score.video for score in scores}),
    }
    if not all("fmse" in score.values for score in scores):
        return {**row, "ratio": {"fmse": None, "ci95": None}, "worse_share": None}
    return row | {
        "ratio": {"fmse": pool(scores).ratio("fmse"), "ci95": ratio_interval(scores, pool(scores))},
        "worse_share": worse_share(scores),
    }


def ratio_interval(scores: Sequence[Scored], pool: Pooled) -> list[float] | None:
    """95 % interval of the fMSE ratio; None with one video, where there is nothing to draw from."""
    videos = {score.video for score in counted_in_fmse(scores)}
    return pool.ratio_interval("fmse") if len(videos) > 1 else None


def describe_groups(report: dict[str, Any]) -> list[str]:
    """Lines for a terminal, the leading row first."""
    lines = []
    if "leading" in report:
        row = report["leading"]
        lines.append(f"  leading, under {row['below_fmse']:g} fMSE: {_words(row)}")
    lines += [f"  {row['group']}: {_words(row)}" for row in report.get("groups", [])]
    return lines


def _words(row: dict[str, Any]) -> str:
    ratio, interval = row["ratio"]["fmse"], row["ratio"]["ci95"]
    words = "ratio -" if ratio is None else f"ratio {ratio:.3f}"
    if interval is not None:
        words += f" [{interval[0]:.3f}, {interval[1]:.3f}]"
    counts = f"{row['composites']} composites of {row['videos']}"
    if row["worse_share"] is not None:
        words += f", worse than untouched {row['worse_share']:.0%}"
    doubt = ""
    if row.get("groups", 8) < 8:
        counts += f", {row['groups']} views" if row["groups"] > 1 else ", one view"
        doubt = "  (under 8 views: no claim)"
    elif row["videos"] < 8:
        doubt = "  (under 8 videos: no claim)"
    return f"{words} ({counts}){doubt}"
