"""Tables of results/guided.json, which guided.py writes, for docs/results.md."""

from __future__ import annotations

import json
from typing import Any

from speed_tables import RESULTS

from vhmae.digest import file_digest
from vhmae.model.files import DEFAULT, find_weights

Row = dict[str, Any]
REAL = ("val-real", "dev-real")
"""Sets of fixed cameras, whose goal is for both together."""


def result() -> dict[str, Any]:
    found: dict[str, Any] = json.loads((RESULTS / "guided.json").read_text())
    return found


def _row(rows: list[Row], **wanted: Any) -> Row:
    return next(row for row in rows if all(row.get(key) == value for key, value in wanted.items()))


def _together(**wanted: Any) -> Row:
    """A row of the sets of fixed cameras taken for one. Its means are over all videos of both, and
    so the sets' ratios weighed by what is wrong in each, whose mean looks.json has."""
    told, scores = result(), json.loads((RESULTS / "looks.json").read_text())["scores"]
    parts: list[tuple[float, int, Row]] = []
    for name in REAL:
        one = next(one for one in told["sets"] if one["data"] == name)
        score = next(row for row in scores if row["data"] == name and row["method"] == "vhmae")
        untouched = score["overall"]["fmse"]["mean"] / score["ratio"]["fmse"]
        row = _row(one["rows"], **wanted)
        parts.append((one["videos"] * untouched, one["composites"], row))
    wrong, composites = sum(share for share, _, _ in parts), sum(count for _, count, _ in parts)
    return {
        "ratio": sum(share * row["ratio"] for share, _, row in parts) / wrong,
        "worse": sum(count * row["worse"] for _, count, row in parts) / composites,
    }


def _size_of_both() -> str:
    both = [one for one in result()["sets"] if one["data"] in REAL]
    return " / ".join(str(sum(one[name] for one in both)) for name in ("composites", "videos"))


def _cell(row: Row, interval: bool = False) -> str:
    low, high = row.get("ratio_ci95", (0.0, 0.0))
    between = f" [{low:.2f}, {high:.2f}]" if interval and "ratio_ci95" in row else ""
    return f"{row['ratio']:.3f}{between} ({row['worse']:.0%})"


def _table(head: list[str], lines: list[list[str]]) -> str:
    rows = [head, ["---"] * len(head), *lines]
    return "\n".join("| " + " | ".join(row) + " |" for row in rows)


def point_table() -> str:
    """One row a set: after 0 to 5 points of an eye that errs by 12 levels."""
    lines = []
    for one in result()["sets"]:
        cells = [one["data"], f"{one['composites']} / {one['videos']}"]
        for points in (0, 1, 2, 3, 5):
            row = _row(one["rows"], kind="target", error=12.0, points=points)
            cells.append(_cell(row, interval=points in (1, 3)))
        lines.append(cells)
    both = [_together(kind="target", error=12.0, points=points) for points in (0, 1, 2, 3, 5)]
    lines.append([" and ".join(REAL), _size_of_both(), *map(_cell, both)])
    head = ["set", "composites / videos", "no point", "one", "two", "three", "five"]
    return _table(head, lines)


def third_table() -> str:
    """One row a set: the weakest, middle and strongest third of the mismatches, after 0, 1 and 3
    points of an eye that errs by 12 levels."""
    lines = []
    for one in result()["sets"]:
        rows = [_row(one["rows"], kind="target", error=12.0, points=count) for count in (0, 1, 3)]
        thirds = [" / ".join(f"{ratio:.2f}" for ratio in row["thirds"]) for row in rows]
        lines.append([one["data"], *thirds])
    return _table(["set", "no point: weakest / middle / strongest third", "one", "three"], lines)


def word_table() -> str:
    """One row a set: other eyes, other words, and choices."""
    wanted: list[Row] = [
        *({"kind": "target", "error": error, "points": 1} for error in (4.0, 24.0)),
        *({"kind": kind, "points": 1} for kind in ("match", "neutral", "brightness")),
        *({"kind": "choices", "rounds": rounds, "eye": 0.3, "points": 0} for rounds in (1, 2)),
        {"kind": "choices", "rounds": 1, "eye": 0.3, "points": 1},
    ]
    lines = [
        [one["data"], *(_cell(_row(one["rows"], **one_of)) for one_of in wanted)]
        for one in result()["sets"]
    ]
    lines.append([" and ".join(REAL), *(_cell(_together(**one_of)) for one_of in wanted)])
    head = ["set", "one point, eye of 4", "of 24", "match", "neutral", "brightness"]
    head += ["one choice of six", "two choices", "a choice and a point"]
    return _table(head, lines)


def measured_line() -> str:
    """Where and with what it was measured."""
    told = result()
    seconds = max(one["seconds_a_point"] for one in told["sets"])
    days = sorted({one.get("hardware", told.get("hardware"))["date"] for one in told["sets"]})
    when = days[0] if len(days) == 1 else f"{days[0]} to {days[-1]}"
    older = file_digest(find_weights(DEFAULT)) != told["weights_sha256"]
    before = " **With weights before today's.**" if older else ""
    return (
        f"A point takes {1000.0 * seconds:.1f} ms. {told['seeds']} seeds, prior of "
        f"{told['prior']['composites']} dev composites, {when}.{before}"
    )


def guided_blocks() -> dict[str, str]:
    """Blocks of the pages by their markers."""
    return {
        "guided-points": point_table(),
        "guided-thirds": third_table(),
        "guided-words": word_table(),
        "measured-guided": measured_line(),
    }
