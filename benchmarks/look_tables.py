"""Tables of results/looks.json, which look_scores.py writes, for docs/looks.md."""

from __future__ import annotations

import json
import statistics
from typing import Any

from speed_tables import RESULTS

from vhmae.evaluation.change import TRAITS
from vhmae.evaluation.pooling import paired_difference


def rows(name: str = "looks") -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = json.loads((RESULTS / f"{name}.json").read_text())["scores"]
    return found


def _ratio(value: float | None) -> str:
    return "-" if value is None else f"{value:.3f}"


def _by_set() -> dict[str, dict[str, dict[str, Any]]]:
    """Rows by set, then by method; sets whose scoring was stopped half-way are left out."""
    found: dict[str, dict[str, dict[str, Any]]] = {}
    for row in rows():
        found.setdefault(row["data"], {})[row["method"]] = row
    needed = {"constant", "vhmae"}
    return {name: methods for name, methods in found.items() if needed <= methods.keys()}


def look_table() -> str:
    """One row a set: what the packaged weights leave, beside the constant map and the ceilings."""
    head = ["set", "composites", "videos", "vhmae", "weakest / middle / strongest third"]
    head += ["worse", "constant map", "best affine map", "best quadratic map"]
    lines = ["| " + " | ".join(head) + " |", "|" + "---|" * len(head)]
    for name, methods in _by_set().items():
        row, constant = methods["vhmae"], methods["constant"]
        thirds = " / ".join(_ratio(third["ratio"]["fmse"]) for third in row["thirds"])
        cells = [name, str(row["composites"]), str(row["videos"])]
        cells += [f"**{row['ratio']['fmse']:.3f}**", thirds]
        cells += [f"{row['worse_share']:.0%}", _ratio(constant["ratio"]["fmse"])]
        cells += [_ratio(row["ceiling"][key]) for key in ("affine", "quadratic")]
        lines.append("| " + " | ".join(cells) + " |")
    return "\n".join(lines)


def free_table() -> str:
    """One row a set: the weights that everyone may use, beside the default ones."""
    usual = {row["data"]: row for row in [*_ours("scores"), *_ours("looks")]}
    found_of = {row["data"]: row for row in [*_ours("scores-free"), *_ours("looks-free")]}
    lines = [
        "| set | free | 95 % | weakest / middle / strongest third | worse | default | worse | free "
        "less default |",
        "|---|---|---|---|---|---|---|---|",
    ]
    for row in sorted(found_of.values(), key=lambda row: row["data"].startswith("dev")):
        other = usual[row["data"]]
        if "leading" in row:
            part, beside = row["leading"], other["leading"]
            name = f"{row['data']}, under {part['below_fmse']:,g} fMSE"
            cells = [name, f"**{part['ratio']['fmse']:.3f}**", _interval(part["ratio"]["ci95"]), ""]
            lines.append(_free_row(cells, part, beside, ""))
        thirds = " / ".join(_ratio(third["ratio"]["fmse"]) for third in row["thirds"])
        cells = [row["data"], f"**{row['ratio']['fmse']:.3f}**"]
        cells += [_interval(row["ratio_ci95"]["fmse"]), thirds]
        lines.append(_free_row(cells, row, other, _pair(row, other)))
    found = [leading_ratio(rows(name)) for name in ("looks-free", "looks")]
    told = "{:.3f} for free, {:.3f} for default".format(*found)
    return "\n".join(lines) + f"\n\nGeometric mean of the leading sets: {told}."


def _interval(ends: list[float]) -> str:
    low, high = ends
    return f"[{low:.2f}, {high:.2f}]"


def _pair(row: dict[str, Any], other: dict[str, Any]) -> str:
    """The difference of two reports with its interval; empty where one has no rows to pair."""
    if "composites_detail" not in row or "composites_detail" not in other or "groups" in row:
        return ""  # of real light the leading composites tell, not night against day
    found = paired_difference(row, other)["ratio_difference"]
    return f"{found['mean']:+.3f} {_interval(found['ci95'])}"


def _free_row(cells: list[str], row: dict[str, Any], other: dict[str, Any], pair: str) -> str:
    more = [f"{row['worse_share']:.0%}", f"{other['ratio']['fmse']:.3f}"]
    return "| " + " | ".join([*cells, *more, f"{other['worse_share']:.0%}", pair]) + " |"


def _ours(name: str) -> list[dict[str, Any]]:
    """The rows of a result file that are of the network, as it is scored first."""
    return [
        row
        for row in rows(name)
        if row["method"] == "vhmae" and row["protocol"] == "clean" and not row["swap_background"]
    ]


def leading_ratio(found: list[dict[str, Any]]) -> float:
    """The geometric mean of the leading sets; of real light, the composites under the limit."""
    by_set = {row["data"]: row for row in found if row["method"] == "vhmae"}
    return statistics.geometric_mean(
        by_set[name].get("leading", by_set[name])["ratio"]["fmse"] for name in LEADING
    )


LEADING = ("val-two", "val-camera", "val-photo", "val-real")


def geometric_line() -> str:
    """The number that releases are compared by; of real light, the composites under the limit."""
    sets = _by_set()
    if not set(LEADING) <= sets.keys():
        return "Not all of the leading sets have been scored."
    found = []
    for name in LEADING:
        row = sets[name]["vhmae"]
        found.append(row.get("leading", row)["ratio"]["fmse"])
    mean = statistics.geometric_mean(found)
    return (
        f"Geometric mean of {', '.join(LEADING)} (of real light the composites under 3,000 fMSE): "
        f"**{mean:.3f}**."
    )


def change_table(found: list[dict[str, Any]], ceilings: bool = False) -> str:
    """One row a report: slope and cut of each trait.

    Args:
        ceilings: what the best affine and quadratic map of each composite would leave, too.
    """
    head = ["set", *TRAITS, *(["best affine map", "best quadratic map"] if ceilings else [])]
    lines = ["| " + " | ".join(head) + " |", "|" + "---|" * len(head)]
    for row in found:
        cells = [row["data"]]
        for trait in TRAITS:
            part = row["change"][trait]
            of = f"{part['cut']:.0%} of {part['needed_levels']:.0f}"
            cells.append(f"{part['slope']:.2f} ({of})")
        cells += [_ratio(row["ceiling"][key]) for key in row["ceiling"] if ceilings]
        lines.append("| " + " | ".join(cells) + " |")
    return "\n".join(lines)


def light_table() -> str:
    """Sets of real light: the leading composites, then each camera."""
    lines = ["| set | part | method | composites | ratio | 95 % | worse |", "|" + "---|" * 7]
    for name, methods in _by_set().items():
        for method, row in methods.items():
            parts = (
                [(f"under {row['leading']['below_fmse']:g} fMSE", row["leading"])]
                if "leading" in row
                else []
            )
            parts += [(group["group"], group) for group in row.get("groups", [])]
            for label, part in parts:
                interval = ", ".join(f"{bound:.2f}" for bound in part["ratio"]["ci95"] or ())
                cells = [
                    name,
                    label,
                    method,
                    str(part["composites"]),
                    _ratio(part["ratio"]["fmse"]),
                ]
                cells += [f"[{interval}]", f"{part['worse_share']:.0%}"]
                lines.append("| " + " | ".join(cells) + " |")
    return "\n".join(lines)


def free_people() -> str:
    """Skin under the weights that everyone may use, beside the default ones."""
    usual = {row["data"]: row for row in _ours("looks")}
    lines = ["| set | composites with skin | skin's ratio | hue off by | default | its hue |"]
    lines.append("|" + "---|" * 6)
    for row in _ours("looks-free"):
        if "skin" not in row:
            continue
        own, other = row["skin"], usual[row["data"]]["skin"]
        cells = [row["data"], str(own["composites"])]
        for skin in (own, other):
            cells += [_ratio(skin["ratio"]), f"{skin['hue_degrees']['method']:.1f}°"]
        lines.append("| " + " | ".join(cells) + " |")
    return "\n".join(lines)


def people_lines() -> str:
    """Skin, and how far people are moved that need nothing."""
    head = ["set", "method", "composites with skin", "skin's ratio", "hue off by", "untouched"]
    head.append("bleached")
    lines = ["| " + " | ".join(head) + " |", "|" + "---|" * len(head)]
    drift = None
    for name, methods in _by_set().items():
        for method, row in methods.items():
            drift = row.get("natural_drift", drift)
            if "skin" in row:
                skin, hue = row["skin"], row["skin"]["hue_degrees"]
                cells = [name, method, str(skin["composites"]), _ratio(skin["ratio"])]
                cells += [f"{hue['method']:.1f}°", f"{hue['composite']:.1f}°"]
                cells.append(str(skin["grey"]["method"]) if "grey" in skin else "not counted")
                lines.append("| " + " | ".join(cells) + " |")
    if drift is not None:
        low, high = drift["ci95"]
        words = f"{drift['mean']:.2f} levels [{low:.2f}, {high:.2f}]"
        lines += [
            "",
            f"Natural drift on the {drift['clips']} untouched clips of val-people: {words}.",
        ]
    return "\n".join(lines)


def look_blocks() -> dict[str, str]:
    """Blocks of the pages by their markers."""
    return {
        "looks": look_table(),
        "looks-mean": geometric_line(),
        "looks-change": change_table([methods["vhmae"] for methods in _by_set().values()]),
        "looks-light": light_table(),
        "looks-people": people_lines(),
        "looks-free": free_table(),
        "looks-free-change": change_table(_ours("looks-free")),
        "looks-free-people": free_people(),
    }
