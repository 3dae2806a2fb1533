"""Figure 7: how often each method was ranked 1st, 2nd and so on."""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.figure import Figure

from vhmae.errors import counted

BEST, WORST = np.array([0.13, 0.35, 0.58]), np.array([0.90, 0.86, 0.78])
"""Colors of the first and the last rank; told apart in grey too."""


def ordinal(rank: int) -> str:
    """1st, 2nd, 3rd, 4th."""
    teens = 10 <= rank % 100 <= 20
    return f"{rank}{'th' if teens else {1: 'st', 2: 'nd', 3: 'rd'}.get(rank % 10, 'th')}"


def draw_shares(report: dict[str, Any], path: Path) -> None:
    """One bar a method and rank, with its 95 % interval; best mean rank to the left. The ending
    chooses the format."""
    methods = sorted(report["methods"], key=lambda row: row["mean_rank"]["mean"])
    count = len(methods)
    figure = Figure(figsize=(max(5.0, 1.9 * count), 3.6), layout="constrained")
    axes = figure.subplots()
    width = 0.8 / count
    for rank in range(count):
        color = BEST + (WORST - BEST) * (rank / max(1, count - 1))
        shares = np.array([row["shares"][rank]["share"] for row in methods])
        bounds = np.array(
            [row["shares"][rank]["ci95"] or (row["shares"][rank]["share"],) * 2 for row in methods]
        ).T
        at = np.arange(count) + (rank - (count - 1) / 2) * width
        error = np.abs(bounds - shares)
        axes.bar(
            at,
            100 * shares,
            width * 0.92,
            color=color,
            edgecolor="black",
            linewidth=0.5,
            label=ordinal(rank + 1),
        )
        axes.errorbar(
            at, 100 * shares, 100 * error, fmt="none", ecolor="black", elinewidth=0.9, capsize=2
        )
    axes.set_xticks(np.arange(count), [row["method"] for row in methods], parse_math=False)
    axes.set_ylabel("share of rankings, %")
    axes.set_ylim(
        0,
        min(
            100,
            1.15
            * 100
            * max(
                (one["ci95"] or (0, one["share"]))[1] for row in methods for one in row["shares"]
            ),
        ),
    )
    axes.spines[["top", "right"]].set_visible(False)
    axes.legend(
        title="ranked", ncols=count, frameon=False, loc="upper center", bbox_to_anchor=(0.5, 1.18)
    )
    people = (
        f"{counted(report['participants'], 'person', 'people')}, "
        f"{counted(report['rankings'], 'ranking')} of {counted(report['clips'], 'clip')}; "
        "bars: 95 % intervals over people"
    )
    axes.set_xlabel(people, fontsize=8)
    with warnings.catch_warnings():
        # The tables have every name as it is written.
        warnings.filterwarnings("ignore", message="Glyph .* missing")
        figure.savefig(path, dpi=160, metadata={"Date": None} if path.suffix == ".svg" else None)
