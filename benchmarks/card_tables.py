"""The scores on the model cards of the packaged weights, from results/looks*.json and
results/scores*.json."""

from __future__ import annotations

import json
from typing import Any

from look_scores import SETS as LOOK_SETS
from look_tables import LEADING, leading_ratio
from look_tables import rows as look_rows
from scores import SETS as LUT_SETS
from speed_tables import RESULTS

CARDS = {"default": ("looks", "scores"), "free": ("looks-free", "scores-free")}
"""By weights, the result files that their card's scores are from."""


def card_rows(weights: str, method: str = "vhmae") -> list[dict[str, Any]]:
    """The reports of a method that a card shows, one a set, each with where it was measured; the
    first file that has a set's tells it."""
    found: dict[str, dict[str, Any]] = {}
    for name in CARDS[weights]:
        result = json.loads((RESULTS / f"{name}.json").read_text())
        for row in result["scores"]:
            ours = row["method"] == method and row["protocol"] == "clean"
            if ours and not row["swap_background"]:
                found.setdefault(row["data"], {"hardware": result["hardware"], **row})
    order = sorted([*LOOK_SETS, *LUT_SETS], key=lambda name: name.startswith("dev"))
    return sorted(found.values(), key=lambda row: order.index(row["data"]))


def card_table(weights: str) -> str:
    """One row a set, with the look path alone where that was scored; of real light, the composites
    that a grade can mend have a row of their own, and lead. Below, the sum of all and the drift."""
    alone = {row["data"]: row for row in card_rows(weights, "vhmae-look")}
    head = ["set", "ratio", "95 %", "worse", *(["look path alone"] if alone else [])]
    lines = ["| " + " | ".join(head) + " |", "|" + "---|" * len(head)]
    drift = None
    for row in card_rows(weights):
        drift = row.get("natural_drift", drift)
        look = alone.get(row["data"], {})
        name = row["data"]
        if "groups" in row:
            cameras = len(row["groups"])
            name += f" (an indication: {cameras} camera{'s' if cameras > 1 else ''})"
        whole = {"ratio": row["ratio"]["fmse"], "ci95": row["ratio_ci95"]["fmse"]}
        parts = [(name, {**row, **whole}, look.get("ratio", {}).get("fmse"))]
        if "leading" in row:
            part = row["leading"]
            label = f"{name}, under {part['below_fmse']:g} fMSE"
            whole = {"ratio": part["ratio"]["fmse"], "ci95": part["ratio"]["ci95"]}
            other = look.get("leading", {}).get("ratio", {}).get("fmse")
            parts.insert(0, (label, {**part, **whole}, other))
        for label, part, other in parts:
            low, high = part["ci95"]
            cells = [label, f"{part['ratio']:.3f}", f"[{low:.2f}, {high:.2f}]"]
            cells += [f"{part['worse_share']:.0%}"]
            cells += [f"{other:.3f}" if other is not None else ""] if alone else []
            lines.append("| " + " | ".join(cells) + " |")
    mean = leading_ratio(look_rows(CARDS[weights][0]))
    sets = f"{', '.join(LEADING[:-1])} and {LEADING[-1]}"
    told = f"Geometric mean of {sets} (under 3,000 fMSE): {mean:.3f}."
    if drift is not None:
        low, high = drift["ci95"]
        told += (
            f" Natural drift on the clips of people: {drift['mean']:.2f} levels [{low:.2f}, "
            f"{high:.2f}]."
        )
    return "\n".join([*lines, "", told])


def packaged_scores() -> str:
    """What ``vhmae weights`` tells: by weights and set, fMSE over that of the untouched composite,
    its interval over videos, and the share of composites that are worse than untouched; of real
    light, the leading row as well."""
    scores = {
        weights: {row["data"]: _packaged_score(row) for row in card_rows(weights)}
        for weights in CARDS
    }
    return json.dumps(scores, indent=1) + "\n"


def _packaged_score(row: dict[str, Any]) -> dict[str, Any]:
    score: dict[str, Any] = {
        "ratio": round(row["ratio"]["fmse"], 4),
        "ci95": [round(end, 4) for end in row["ratio_ci95"]["fmse"]],
        "worse_share": round(row["worse_share"], 4),
    }
    if part := row.get("leading"):
        score["leading"] = {
            "below_fmse": part["below_fmse"],
            "ratio": round(part["ratio"]["fmse"], 4),
            "ci95": [round(end, 4) for end in part["ratio"]["ci95"]],
            "worse_share": round(part["worse_share"], 4),
        }
    return score


def card_blocks() -> dict[str, str]:
    """Blocks of the cards by their markers."""
    return {f"card-{weights}": card_table(weights) for weights in CARDS}
