"""Tables of results/table1.json, which table1.py writes, for docs/table1.md."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from typing import Any

from speed_tables import RESULTS
from table1_rows import ROWS, Row

SETS = ("val-one", "val-two", "val-camera", "val-large", "val-real")
METRICS = (("mse", 1), ("fmse", 1), ("psnr", 2), ("fssim", 4))
LEAST_VIDEOS = 8
"""An interval over fewer videos is no ground for a claim."""


def result() -> dict[str, Any]:
    found: dict[str, Any] = json.loads((RESULTS / "table1.json").read_text())
    return found


def scored() -> list[tuple[Row, dict[str, Any]]]:
    """The rows that have been scored, in the order of the table."""
    by_name = {row["row"]: row for row in result()["rows"]}
    return [(row, by_name[row.name]) for row in ROWS if row.name in by_name]


def _lines(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    told = [[*head], ["---"] * len(head), *([*row] for row in rows)]
    return "\n".join("| " + " | ".join(row) + " |" for row in told)


def _named(row: Row, found: dict[str, Any]) -> str:
    mix = f", {found['mix']:g} of the way" if row.group == "classical" else ""
    return row.title + mix


def _cell(report: dict[str, Any] | None) -> str:
    """A ratio of fMSE with its interval and the share of composites that are worse."""
    if report is None:
        return ""
    low, high = report["ratio_ci95"]["fmse"]
    return f"{report['ratio']['fmse']:.3f} [{low:.2f}, {high:.2f}] ({report['worse_share']:.0%})"


def ratio_table(kind: str) -> str:
    """One row a method, one column a set: as drawn (``sets``) or by its colors alone."""
    rows = [
        [
            _named(row, found),
            *(_cell(found[kind].get(name, found["sets"].get(name))) for name in SETS),
        ]
        for row, found in scored()
        if row.group != "untouched"
    ]
    return _lines(["method", *SETS], rows)


def metric_table(name: str) -> str:
    """All metrics of one set, with intervals over videos; steadiness for methods for videos."""
    rows = []
    for row, found in scored():
        report = found["sets"][name]
        cells = [_named(row, found)]
        for key, digits in METRICS:
            told = report["overall"].get(key)
            cells.append(_interval(told, digits) if told else "")
        over_time = report.get("temporal", {})
        cells += [
            _interval(told["method"], 2) if (told := over_time.get(key)) else ""
            for key in ("tl_dis", "frtc")
        ]
        rows.append(cells)
    head = ["method", "MSE", "fMSE", "PSNR", "fSSIM", "TL", "fRTC"]
    return _lines(head, rows)


def _interval(told: dict[str, Any], digits: int) -> str:
    low, high = told["ci95"]
    return f"{told['mean']:.{digits}f} [{low:.{digits}f}, {high:.{digits}f}]"


def swapped_table() -> str:
    """val-two with the background that belongs, and with another video's."""
    rows = [
        [_named(row, found), _cell(found["sets"]["val-two"]), _cell(found["swapped"]["val-two"])]
        for row, found in scored()
        if found["swapped"] and row.group != "untouched"
    ]
    return _lines(["method", "its own background", "another video's"], rows)


def cost_table() -> str:
    """Parameters, time and memory; how far each was trained."""
    rows = []
    for row, found in scored():
        cost = found["cost"]
        sizes = [cost["training size"], cost["1080 lines"]]
        cells = [row.title, f"{found['parameters'] / 1e6:.2f}" if found["parameters"] else ""]
        cells += [f"{one['cpu_seconds_a_frame']:.3f}" for one in sizes]
        rows.append([*cells, f"{sizes[1]['peak_mib']:.0f}", _trained(found)])
    head = ["method", "parameters (M)", "s a frame, 128 px", "s a frame, 1080 lines"]
    return _lines([*head, "peak MiB, 1080 lines", "samples, time of training"], rows)


def _trained(found: dict[str, Any]) -> str:
    if "samples" not in found:
        return ""
    minutes = found["trained_seconds"] / 60
    return f"{found['samples']:,} at {found['image_size']} px, {minutes:.0f} min of one thread"


def curve_table() -> str:
    """fMSE ratios on dev-two after 1/4, 1/2 and all of the samples."""
    rows = [
        [row.title, *(f"{ratio:.3f}" for ratio in found["curve"].values())]
        for row, found in scored()
        if len(found["curve"]) == 3
    ]
    return _lines(["method", "1/4", "1/2", "all"], rows) if rows else "No row has been trained."


def paired_table() -> str:
    """Each row's ratio less that of VHMAE with transforms; bold where the interval leaves 0 out."""
    pairs = result()["paired"]
    titles = {row.name: row.title for row in ROWS}
    rows = []
    for name in dict.fromkeys(pair["row"] for pair in pairs):
        for colors in (False, True):
            own = {p["data"]: p for p in pairs if p["row"] == name and p["colors"] == colors}
            if own:
                label = titles[name] + (", colors alone" if colors else "")
                rows.append([label, *(_difference(own.get(data)) for data in SETS)])
    if not rows:
        return "VHMAE with transforms has not been trained: there is nothing to pair with."
    return _lines(["method", *SETS], rows)


def _difference(pair: dict[str, Any] | None) -> str:
    if pair is None:
        return ""
    told = pair["ratio_difference"]
    low, high = told["ci95"]
    sure = (low > 0.0 or high < 0.0) and pair["videos"] >= LEAST_VIDEOS
    mark = "**" if sure else ""
    return f"{mark}{told['mean']:+.3f}{mark} [{low:+.2f}, {high:+.2f}]"


def missing_line() -> str:
    """Which rows of the table have no weights yet."""
    done = {row.name for row, _ in scored()}
    absent = [row.title for row in ROWS if row.name not in done]
    return f"Not trained yet: {', '.join(absent)}." if absent else "Every row is trained."


def table1_blocks() -> dict[str, str]:
    return {
        "table1-missing": missing_line(),
        "table1-colors": ratio_table("colors"),
        "table1-drawn": ratio_table("sets"),
        **{f"table1-{name}": metric_table(name) for name in SETS},
        "table1-swapped": swapped_table(),
        "table1-cost": cost_table(),
        "table1-curves": curve_table(),
        "table1-paired": paired_table(),
    }
