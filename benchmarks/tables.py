"""Puts the tables made from benchmarks/results/*.json into README.md and docs/results.md, between their markers.

python benchmarks/tables.py [--check]
"""

from __future__ import annotations

import json
import re
import sys
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[1]
RESULTS = ROOT / "benchmarks" / "results"


def _scores() -> list[dict[str, Any]]:
    scores: list[dict[str, Any]] = json.loads((RESULTS / "scores.json").read_text())["scores"]
    return scores


def _measured(name: str) -> str:
    hardware = json.loads((RESULTS / f"{name}.json").read_text())["hardware"]
    return f"Measured here on {hardware['cores']} cores ({hardware['cpu']}), {hardware['date']}, by `benchmarks/results/{name}.json`."


def score_table(every_metric: bool) -> str:
    """One row a set and method."""
    head = ["set", "method", "fMSE", "ratio", "weakest / middle / strongest third", "worse than untouched"]
    head += ["MSE", "PSNR", "fSSIM"] if every_metric else []
    lines = ["| " + " | ".join(head) + " |", "|" + "---|" * len(head)]
    for row in _scores():
        fmse = row["overall"]["fmse"]
        name = row["method"] + (", background swapped" if row["swap_background"] else "")
        thirds = " / ".join(f"{third['ratio']['fmse']:.2f}" for third in row["thirds"])
        cells = [row["data"], name, f"{fmse['mean']:.0f} [{fmse['ci95'][0]:.0f}, {fmse['ci95'][1]:.0f}]", f"**{row['ratio']['fmse']:.3f}**"]
        cells += [thirds, f"{row['worse_share']:.0%}"]
        if every_metric:
            cells += [f"{row['overall'][key]['mean']:.{digits}f}" if key in row["overall"] else "" for key, digits in METRIC_DIGITS]
        lines.append("| " + " | ".join(cells) + " |")
    return "\n".join(lines)


METRIC_DIGITS = (("mse", 1), ("psnr", 2), ("fssim", 4))


def bin_table() -> str:
    """Ratios of our method by foreground share."""
    lines = ["| set | foreground | composites | videos | ratio |", "|---|---|---|---|---|"]
    for row in _scores():
        if row["method"] == "vhmae" and not row["swap_background"]:
            for part in row["bins"]:
                few = "" if part["videos"] >= 8 else " (under 8 videos: no claim)"
                share = f"{part['from']:.0%}-{part['to']:.0%}"
                lines.append(f"| {row['data']} | {share} | {part['composites']} | {part['videos']} | {part['ratio']['fmse']:.3f}{few} |")
    return "\n".join(lines)


def drift_line() -> str:
    drift = next(row["natural_drift"] for row in _scores() if "natural_drift" in row)
    low, high = drift["ci95"]
    return (
        f"Natural drift, the mean change of {drift['clips']} untouched clips inside their masks: "
        f"**{drift['mean']:.2f}** levels of 255 [{low:.2f}, {high:.2f}]."
    )


def speed_table() -> str:
    """Speed and memory of ``vhmae harmonize`` at 854x480."""
    result = json.loads((RESULTS / "harmonize.json").read_text())
    lines = [
        "| quality | frames | fps, start-up in | CPU ms a frame | peak memory, MiB | seconds: decode / network / render / encode |",
        "|---|---|---|---|---|---|",
    ]
    for run in result["runs"]:
        stages = " / ".join(f"{seconds:.1f}" for seconds in run["report"]["seconds_by_stage"].values())
        numbers = f"{run['fps_with_start_up']:.1f} | {run['cpu_ms_per_frame']:.0f} | {run['peak_mib']}"
        lines.append(f"| {run['quality']} | {run['frames']} | {numbers} | {stages} |")
    return "\n".join(lines)


def blocks() -> dict[str, str]:
    return {
        "scores": score_table(every_metric=False),
        "all-scores": score_table(every_metric=True),
        "bins": bin_table(),
        "drift": drift_line(),
        "speed": speed_table(),
        "measured-scores": _measured("scores"),
        "measured-speed": _measured("harmonize"),
    }


def filled(text: str) -> str:
    """A page with its blocks filled in anew."""
    made = blocks()

    def fill(match: re.Match[str]) -> str:
        return f"<!-- {match[1]} -->\n{made[match[1]]}\n<!-- end -->"

    return re.sub(r"<!-- ([\w-]+) -->\n.*?<!-- end -->", fill, text, flags=re.DOTALL)


def main() -> int:
    stale = []
    for page in (ROOT / "README.md", ROOT / "docs" / "results.md"):
        text = page.read_text()
        new = filled(text)
        if new != text:
            stale.append(page.name)
            if "--check" not in sys.argv:
                page.write_text(new)
    if stale and "--check" in sys.argv:
        print(f"stale: {', '.join(stale)}; run python benchmarks/tables.py")
        return 1
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
