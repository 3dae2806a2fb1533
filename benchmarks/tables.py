"""Puts the tables made from benchmarks/results/*.json into the pages that show them, between their
markers, and the scores that the package tells into its file.

python benchmarks/tables.py [--check]
"""

from __future__ import annotations

import json
import re
import statistics
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from card_tables import CARDS, card_blocks, card_rows, packaged_scores
from guided_tables import guided_blocks
from look_tables import look_blocks
from score_tables import (
    bin_table,
    drift_line,
    paired_table,
    protocol_table,
    score_change_table,
    score_table,
    set_table,
    summary_table,
    temporal_table,
)
from speed_tables import (
    RESULTS,
    app_table,
    backend_table,
    engine_table,
    profile_table,
    speed_table,
    training_table,
    video_table,
)
from table1_rows import ROWS
from table1_tables import table1_blocks
from trial_tables import (
    ablation_table,
    context_table,
    doubt_table,
    evidence_table,
    gradient_table,
    token_table,
    trial_table,
)

from vhmae.evaluation.freshness import outdated
from vhmae.model.files import packaged_weights
from vhmae.partial_output import write_text_whole

ROOT = Path(__file__).parents[1]
PAGES = (
    "README.md",
    "docs/results.md",
    "docs/results-parts.md",
    "docs/results-speed.md",
    "docs/one-look.md",
    "docs/looks.md",
    "docs/table1.md",
    "docs/decisions.md",
    "docs/app.md",
    "docs/backends.md",
    "src/vhmae/assets/MODEL_CARD.md",
    "src/vhmae/assets/MODEL_CARD.free.md",
)
TITLES = {row.name: row.title for row in ROWS}
PACKAGED_SCORES = "src/vhmae/assets/scores.json"


def _measured(name: str) -> str:
    result = json.loads((RESULTS / f"{name}.json").read_text())
    hardware = result["hardware"]
    rows = result.get("scores", result.get("rows", []))
    days = sorted({row.get("hardware", hardware)["date"] for row in rows} or {hardware["date"]})
    when = days[0] if len(days) == 1 else f"{days[0]} to {days[-1]}"
    return (
        f"Measured here on {hardware['cores']} cores ({hardware['cpu']}), {when}, by "
        f"`benchmarks/results/{name}.json`."
    )


EVALUATED = {
    "scores": (
        *("summary", "all-scores", "sets", "scores-change", "protocols", "temporal", "bins"),
        *("paired", "drift"),
    ),
    "one_look": ("one-look",),
    "looks": ("summary", "looks", "looks-mean", "looks-change", "looks-light", "looks-people"),
    "looks-free": ("looks-free",),
    "scores-free": ("looks-free",),
    "table1": ("summary", "table1"),
    "context": ("context",),
    "steadiness": ("steadiness",),
}
"""Blocks that rest on scores of sets, by their result file; those of guided.json say themselves
which weights they are of."""


def older(name: str) -> dict[str, list[str]]:
    """The commits (or days, where no commit is known) that rows of a result file were measured at
    whose digests are not all those of today's package, or that have none, and which rows these are;
    none are named where all are."""
    if name == "table1" and not (RESULTS / "table1.json").exists():
        return {}  # no row has been scored yet, and the page says so
    result = json.loads((RESULTS / f"{name}.json").read_text())
    rows = result.get("scores", result.get("rows", []))
    return _commits([{"hardware": result["hardware"], **row} for row in rows])


def _commits(rows: list[dict[str, Any]]) -> dict[str, list[str]]:
    """As :func:`older`, of rows that say where they were measured."""
    old: dict[str, list[str]] = {}
    for row in rows:
        if any(not report.get("digests") or _outdated(report) for report in _reports(row)):
            for one in row["hardware"].get("scores", [row["hardware"]]):
                old.setdefault(one["commit"] or one["date"], []).append(_name(row))
    every = {_name(row) for row in rows}
    of_all = every == {name for names in old.values() for name in names}
    return {
        commit: [] if of_all else [*dict.fromkeys(filter(None, names))]
        for commit, names in old.items()
    }


def _name(row: dict[str, Any]) -> str:
    """What tables call a row."""
    title = TITLES.get(row.get("row", ""))
    return str(title or row.get("method") or row.get("name") or row.get("way") or "")


def _reports(row: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """The reports of a row of a result file; in a row of Table 1, and of context.json, stand
    several."""
    if "sets" in row:
        for kind in ("sets", "colors", "swapped"):
            yield from row[kind].values()
    elif "scores" in row:
        yield from row["scores"].values()
    else:
        yield row


def _outdated(report: dict[str, Any]) -> set[str]:
    """What is not as it is today, but for weights of runs: they lie where they were trained, and
    the package says nothing of them."""
    weights = report.get("method_facts", {}).get("weights")
    elsewhere = weights is not None and weights not in packaged_weights()
    return {*outdated(report)} - ({"weights"} if elsewhere else set())


def marked(made: dict[str, str]) -> dict[str, str]:
    """The blocks, those of an older package with the commits that they were measured at."""
    commits = {name: older(name) for name in EVALUATED}
    of_cards = {f"card-{weights}": _commits(card_rows(weights)) for weights in CARDS}
    marks = {}
    for block in made:
        held = [commits[name] for name, blocks in EVALUATED.items() if block in blocks]
        found: dict[str, list[str]] = {}
        for one in (*held, of_cards.get(block, {})):
            for commit, rows in one.items():
                before = found.get(commit)
                of_all = not rows or before == []
                found[commit] = [] if of_all else [*(before or ()), *rows]
        if block == "summary":  # its rows are sets, of several files
            found = {commit: [] for commit in found}
        marks[block] = " ".join(
            f"*Measured at {commit}.{' Rows: ' + '; '.join(rows) + '.' if rows else ''}*"
            for commit, rows in found.items()
        )
    return {
        block: f"{text}\n\n{marks[block]}" if marks[block] else text for block, text in made.items()
    }


def one_look_table() -> str:
    """docs/one-look.md: what needs no background."""
    rows = json.loads((RESULTS / "one_look.json").read_text())["rows"]
    lines = [
        "| method | val-one | val-one, swapped | val-two | val-two, swapped |",
        "|---|---|---|---|---|",
    ]
    for name in dict.fromkeys(row["method"] for row in rows):
        # Val-one, swapped, val-two, swapped.
        cells = [row["ratio"] for row in rows if row["method"] == name]
        lines.append(f"| {name} | " + " | ".join(f"{ratio:.3f}" for ratio in cells) + " |")
    return "\n".join(lines)


def steadiness_table() -> str:
    """Qualities against the network on each frame by itself."""
    rows = json.loads((RESULTS / "steadiness.json").read_text())["rows"]
    lines = [
        "| way | fMSE ratio | tl_dis | over the target's own | frtc | flicker | seam | seam "
        "without cells | edge |",
        "|---|---|---|---|---|---|---|---|---|",
    ]
    for row in rows:
        cells = [
            row["fmse"] / row["composite_fmse"],
            row["tl_dis"],
            row["tl_dis"] / row["target_tl_dis"],
            row["frtc"],
            row["flicker"],
        ]
        cells += [row["seam"], row["seam_global"], row["edge_band"] / row["interior"]]
        lines.append(f"| {row['way']} | " + " | ".join(f"{value:.3f}" for value in cells) + " |")
    return "\n".join(lines)


def matte_table() -> str:
    """Means over clips of each way to cut out; people and other subjects apart for those that look
    at the picture."""
    rows = json.loads((RESULTS / "mattes.json").read_text())["rows"]
    lines = [
        "| way | clips | IoU, median (lowest, highest) | alpha error, mean | ms a frame, median |",
        "|---|---|---|---|---|",
    ]
    groups: list[tuple[str, str, str | None]] = [
        ("chroma", "chroma, made screens", None),
        ("plate", "plate, made scenes", None),
    ]
    groups += [
        (way, f"{way}, {who}", who)
        for way in ("rvm", "salient")
        for who in ("people", "other subjects")
    ]
    for way, label, who in groups:
        own = [
            row
            for row in rows
            if row["with"] == way and (who is None or (row["clip"] in PEOPLE) == (who == "people"))
        ]
        ious = sorted(row["iou"] for row in own)
        error, cost = (
            sum(row["mae"] for row in own) / len(own),
            statistics.median(row["ms_a_frame"] for row in own),
        )
        lines.append(
            f"| {label} | {len(own)} | {statistics.median(ious):.3f} ({ious[0]:.3f}, "
            f"{ious[-1]:.3f}) | {error:.4f} | {cost:.0f} |"
        )
    return "\n".join(lines)


PEOPLE = {
    "davis__breakdance",
    "davis__dance-twirl",
    "davis__parkour",
    "fresco__music",
    "latentsync__demo3",
    "liveportrait__d12",
    "liveportrait__s18",
    "rerender__suit",
}
"""Clips of DATA/val whose subject is people alone, without a vehicle, animal or kite."""


def blocks() -> dict[str, str]:
    return {
        "ablation": ablation_table(),
        "trials": trial_table(),
        "evidence": evidence_table(),
        "doubt": doubt_table(),
        "tokens": token_table("tokens"),
        "gpu": token_table("gpu"),
        "context": context_table(),
        "gradient-norms": gradient_table(),
        "engine": engine_table(),
        "mattes": matte_table(),
        "measured-mattes": _measured("mattes"),
        "summary": summary_table(),
        "all-scores": score_table(),
        "sets": set_table(),
        "scores-change": score_change_table(),
        "protocols": protocol_table(),
        "temporal": temporal_table(),
        "one-look": one_look_table(),
        "training": training_table(),
        "video": video_table(),
        "app": app_table(),
        "measured-app": _measured("app"),
        "backends": backend_table(),
        "measured-backends": _measured("backends"),
        "profile": profile_table(),
        "measured-profile": _measured("profile"),
        "steadiness": steadiness_table(),
        "bins": bin_table(),
        "paired": paired_table(),
        "drift": drift_line(),
        "speed": speed_table(),
        "measured-scores": _measured("scores"),
        "measured-speed": _measured("harmonize"),
        "measured-training": _measured("train"),
        "measured-video": _measured("video"),
        "measured-steadiness": _measured("steadiness"),
        "measured-one-look": _measured("one_look"),
        "measured-looks": _measured("looks"),
        **look_blocks(),
        **card_blocks(),
        **guided_blocks(),
        **table1_blocks(),
    }


def filled(text: str, made: dict[str, str]) -> str:
    """A page with its blocks filled in anew."""

    def fill(match: re.Match[str]) -> str:
        return f"<!-- {match[1]} -->\n{made[match[1]]}\n<!-- end -->"

    return re.sub(r"<!-- ([\w-]+) -->\n.*?<!-- end -->", fill, text, flags=re.DOTALL)


def fill_pages(pages: Iterable[str] = PAGES, write: bool = True) -> list[str]:
    """Fill the blocks of pages anew.

    Args:
        pages: below the repository's root.
        write: write those that change.
    Returns:
        The pages that change.
    """
    stale, made = [], marked(blocks())
    for name in pages:
        page = ROOT / name
        text = page.read_text()
        new = filled(text, made)
        if new != text:
            stale.append(name)
            if write:
                write_text_whole(page, new)
    return stale


def fill_scores(write: bool = True) -> list[str]:
    """As :func:`fill_pages`, of the scores that the package tells."""
    path, made = ROOT / PACKAGED_SCORES, packaged_scores()
    if path.is_file() and path.read_text() == made:
        return []
    if write:
        write_text_whole(path, made)
    return [PACKAGED_SCORES]


def main() -> int:
    check = "--check" in sys.argv
    stale = fill_pages(write=not check) + fill_scores(write=not check)
    if stale and check:
        print(f"stale: {', '.join(stale)}; run python benchmarks/tables.py")
        return 1
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
