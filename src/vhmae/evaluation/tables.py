"""Reports as text for the terminal."""

from __future__ import annotations

from typing import Any

from vhmae.errors import counted
from vhmae.evaluation.anatomy import describe
from vhmae.evaluation.groups import describe_groups


def _number(row: dict[str, Any], name: str = "fmse") -> str:
    """A ratio and its interval, or a dash where the untouched composites have no error to compare
    with."""
    ratio, interval = row["ratio"].get(name), row.get("ratio_ci95", {}).get(name)
    if ratio is None:
        return "-"
    return f"{ratio:.3f}" + (
        f" [{interval[0]:.3f}, {interval[1]:.3f}]" if interval is not None else ""
    )


def format_difference(row: dict[str, Any]) -> str:
    """A paired difference as a line; one whose interval holds zero is no claim. Where some
    composites lead, theirs is the first line."""
    if "leading" in row:
        part, whole = row["leading"], {key: one for key, one in row.items() if key != "leading"}
        limit = f"leading, under {part['below_fmse']:g} fMSE: "
        return f"{limit}{format_difference(part)}\nall: {format_difference(whole)}"
    first, second = row["methods"]
    told = row.get("ratio_difference", row["difference"])
    low, high = told["ci95"]
    what = f"{row['metric']} ratio" if "ratio_difference" in row else row["metric"]
    doubt = "  (the interval holds 0: no claim)" if low <= 0.0 <= high else ""
    doubt = "  (under 8 videos: no claim)" if row["videos"] < 8 else doubt
    doubt = "  (under 8 views: no claim)" if (row.get("views") or 8) < 8 else doubt
    return (
        f"{first} - {second}: {what} {told['mean']:+.3f} [{low:+.3f}, {high:+.3f}], "
        f"{counted(row['videos'], 'video')}{doubt}"
    )


def format_report(report: dict[str, Any]) -> str:
    """A report as a few lines that fit a terminal."""
    swapped = ", background swapped" if report["swap_background"] else ""
    counts = f"{counted(report['composites'], 'composite')}, {counted(report['videos'], 'video')}"
    if "views" in report:
        few = "" if report["views"] >= 8 else " (under 8: no claim)"
        counts += f", {counted(report['views'], 'view')}{few}"
    lines = [f"{report['method']} on {report['data']} ({report['protocol']}{swapped}): {counts}"]
    lines += describe_groups(report)
    for name, summary in report["overall"].items():
        if summary is None:
            continue
        low, high = summary["ci95"]
        beside = (
            f"  ratio to the composite {_number(report, name)}"
            if report["ratio"].get(name) is not None
            else ""
        )
        lines.append(f"  {name:<6}{summary['mean']:10.3f}  [{low:.3f}, {high:.3f}]{beside}")
    for row in report.get("bins", []):
        few = "" if row["videos"] >= 8 else "  (under 8 videos: no claim)"
        share = f"{row['from']:.0%}-{row['to']:.0%}"
        lines.append(
            f"  foreground {share:<9} {row['composites']:4d} composites  ratio {_number(row)}{few}"
        )
    if report.get("without_fmse"):
        lines.append(
            f"  {counted(report['without_fmse'], 'composite')} without a pixel at full matte: left "
            "out of fMSE, thirds and shares"
        )
    if report.get("thirds"):
        thirds = "  ".join(_number(third) for third in report["thirds"])
        lines.append(f"  thirds by mismatch, weakest first: {thirds}")
        lines.append(f"  worse than untouched: {report['worse_share']:.1%}")
    lines += describe(report)
    for name, rows in report.get("temporal", {}).items():
        told = {
            row: f"{one['mean']:.3f} [{one['ci95'][0]:.3f}, {one['ci95'][1]:.3f}]"
            for row, one in rows.items()
            if one
        }
        if not told:
            lines.append(f"  {name:<8}-  (of stills: nothing moves)")
            continue
        beside = "  ".join(f"{row} {text}" for row, text in told.items())
        lines.append(f"  {name:<8}{beside}  (flow: {report['flow']})")
    if "seconds" in report:
        spent = report["seconds"]
        lines.append(
            f"  {spent['all']:.1f} s: the method {spent['method']:.1f}, scoring "
            f"{spent['scoring']:.1f}"
        )
    if "natural_drift" in report:
        drift = report["natural_drift"]
        low, high = drift["ci95"]
        lines.append(
            f"  natural drift {drift['mean']:.2f} levels [{low:.2f}, {high:.2f}] on "
            f"{drift['clips']} untouched clips"
        )
    return "\n".join(lines)
