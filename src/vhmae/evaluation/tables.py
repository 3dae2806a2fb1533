"""Reports as text for the terminal."""

from __future__ import annotations

from typing import Any

from vhmae.evaluation.anatomy import describe


def _number(ratio: float | None) -> str:
    """A ratio, or a dash where the untouched composites have no error to compare with."""
    return "-" if ratio is None else f"{ratio:.3f}"


def format_report(report: dict[str, Any]) -> str:
    """A report as a few lines that fit a terminal."""
    swapped = ", background swapped" if report["swap_background"] else ""
    counts = f"{report['composites']} composites, {report['videos']} videos"
    lines = [f"{report['method']} on {report['data']} ({report['protocol']}{swapped}): {counts}"]
    for name, summary in report["overall"].items():
        if summary is None:
            continue
        low, high = summary["ci95"]
        ratio = report["ratio"].get(name)
        beside = f"  ratio to the composite {ratio:.3f}" if ratio is not None else ""
        lines.append(f"  {name:<6}{summary['mean']:10.3f}  [{low:.3f}, {high:.3f}]{beside}")
    for row in report.get("bins", []):
        few = "" if row["videos"] >= 8 else "  (under 8 videos: no claim)"
        share = f"{row['from']:.0%}-{row['to']:.0%}"
        lines.append(f"  foreground {share:<9} {row['composites']:4d} composites  ratio {_number(row['ratio']['fmse'])}{few}")
    if "thirds" in report:
        thirds = "  ".join(_number(third["ratio"]["fmse"]) for third in report["thirds"])
        lines.append(f"  thirds by mismatch, weakest first: {thirds}   worse than untouched: {report['worse_share']:.1%}")
    lines += describe(report)
    for name, rows in report.get("temporal", {}).items():
        beside = "  ".join(f"{row} {summary['mean']:.3f}" for row, summary in rows.items() if summary is not None)
        lines.append(f"  {name:<8}{beside}  (flow: {report['flow']})")
    if "seconds" in report:
        spent = report["seconds"]
        lines.append(f"  {spent['all']:.1f} s: the method {spent['method']:.1f}, scoring {spent['scoring']:.1f}")
    if "natural_drift" in report:
        drift = report["natural_drift"]
        low, high = drift["ci95"]
        lines.append(f"  natural drift {drift['mean']:.2f} levels [{low:.2f}, {high:.2f}] on {drift['clips']} untouched clips")
    return "\n".join(lines)
