"""The tables of scores: what benchmarks/tables.py puts into the docs from the results of
scores.py."""

from __future__ import annotations

import json
from typing import Any

from look_tables import change_table
from look_tables import rows as look_rows
from scores import FINALISTS, LEADING, SETS
from speed_tables import RESULTS
from table1_rows import ROWS
from table1_tables import rows_by_name as table1_rows

from vhmae.evaluation.freshness import outdated


def _scores() -> list[dict[str, Any]]:
    scores: list[dict[str, Any]] = json.loads((RESULTS / "scores.json").read_text())["scores"]
    return scores


def clean_scores() -> list[dict[str, Any]]:
    """The rows of the protocol that leads."""
    return [row for row in _scores() if row["protocol"] == "clean"]


def _named(row: dict[str, Any]) -> str:
    name, _, setting = row["method"].partition(":")
    name += f", {setting}" if name == "vhmae" and setting else f", mix {setting}" if setting else ""
    return name + (", background swapped" if row["swap_background"] else "")


def _ratio(row: dict[str, Any]) -> str:
    """A ratio of fMSE with its interval, where the run kept one."""
    interval = row.get("ratio_ci95", {}).get("fmse")
    return f"{row['ratio']['fmse']:.3f}" + (
        f" [{interval[0]:.3f}, {interval[1]:.3f}]" if interval else ""
    )


def _leading() -> list[dict[str, Any]]:
    return [
        row
        for row in _scores()
        if row["data"] in LEADING and row["protocol"] == "clean" and row["method"] in FINALISTS
    ]


def score_table() -> str:
    """One row a leading set and finalist, with every metric."""
    head = [
        "set",
        "method",
        "fMSE",
        "ratio",
        "weakest / middle / strongest third",
        "worse than untouched",
    ]
    head += ["MSE", "PSNR", "fSSIM"]
    lines = ["| " + " | ".join(head) + " |", "|" + "---|" * len(head)]
    for row in _leading():
        fmse = row["overall"]["fmse"]
        thirds = " / ".join(f"{third['ratio']['fmse']:.2f}" for third in row["thirds"])
        interval = f"{fmse['mean']:.0f} [{fmse['ci95'][0]:.0f}, {fmse['ci95'][1]:.0f}]"
        bold, _, between = _ratio(row).partition(" ")
        cells = [row["data"], _named(row), interval, f"**{bold}** {between}".strip()]
        cells += [thirds, f"{row['worse_share']:.0%}"]
        cells += [
            f"{row['overall'][key]['mean']:.{digits}f}" if key in row["overall"] else ""
            for key, digits in METRIC_DIGITS
        ]
        lines.append("| " + " | ".join(cells) + " |")
    return "\n".join(lines)


METRIC_DIGITS = (("mse", 1), ("psnr", 2), ("fssim", 4))


def set_table() -> str:
    """fMSE ratios, one row a method, one column a set."""
    rows: dict[str, dict[str, str]] = {}
    for row in _scores():
        if row["protocol"] == "clean" and row["method"] != "composite":
            worse = "" if row["swap_background"] else f" ({row['worse_share']:.0%})"
            rows.setdefault(_named(row), {})[row["data"]] = f"{row['ratio']['fmse']:.3f}{worse}"
    lines = ["| method | " + " | ".join(SETS) + " |", "|---|" + "---|" * len(SETS)]
    lines += [
        "| " + " | ".join([name, *(cells.get(column, "") for column in SETS)]) + " |"
        for name, cells in rows.items()
    ]
    return "\n".join(lines)


def score_change_table() -> str:
    """What was needed and made on each set, and the ceilings."""
    ours = [row for row in clean_scores() if row["method"] == "vhmae"]
    return change_table([row for row in ours if not row["swap_background"]], ceilings=True)


def protocol_table() -> str:
    """The same results under every protocol."""
    lines = [
        "| set | protocol | method | fMSE | ratio | MSE | PSNR | fSSIM |",
        "|---|---|---|---|---|---|---|---|",
    ]
    for row in _scores():
        if (
            row["data"] in LEADING
            and row["method"] in ("composite", "vhmae")
            and not row["swap_background"]
        ):
            values = [f"{row['overall'][key]['mean']:.{digits}f}" for key, digits in METRIC_DIGITS]
            of_before = " (an earlier version)" if "protocol" in outdated(row) else ""
            cells = [
                row["data"],
                row["protocol"] + of_before,
                row["method"],
                f"{row['overall']['fmse']['mean']:.1f}",
                _ratio(row),
            ]
            lines.append("| " + " | ".join([*cells, *values]) + " |")
    return "\n".join(lines)


def temporal_table() -> str:
    """Temporal metrics beside the composite's and the target's own."""
    lines = [
        "| set | metric | composite | vhmae | vhmae, best | target |",
        "|---|---|---|---|---|---|",
    ]
    rows = {(row["data"], row["method"]): row for row in _scores() if "temporal" in row}
    for data in dict.fromkeys(data for data, _ in rows):
        ours, best = rows[data, "vhmae"]["temporal"], rows[data, "vhmae:best"]["temporal"]
        for name, values in ours.items():
            shown = (values["composite"], values["method"], best[name]["method"], values["target"])
            lines.append(
                f"| {data} | {name} | "
                + " | ".join(f"{one['mean']:.2f}" if one else "" for one in shown)
                + " |"
            )
    return "\n".join(lines)


def bin_table() -> str:
    """Ratios of our method by foreground share."""
    lines = ["| set | foreground | composites | videos | ratio |", "|---|---|---|---|---|"]
    for row in _scores():
        if row["method"] == "vhmae" and not row["swap_background"] and row["protocol"] == "clean":
            for part in row["bins"]:
                few = "" if part["videos"] >= 8 else " (under 8 videos: no claim)"
                share = f"{part['from']:.0%}-{part['to']:.0%}"
                lines.append(
                    f"| {row['data']} | {share} | {part['composites']} | {part['videos']} | "
                    f"{_ratio(part)}{few} |"
                )
    return "\n".join(lines)


def paired_table() -> str:
    """Our method against each other one over the same composites; bold where the interval leaves 0
    out."""
    pairs = json.loads((RESULTS / "scores.json").read_text()).get("paired", [])
    lines = [
        "| set | vhmae less | difference of the ratios | composites on which vhmae is better |",
        "|---|---|---|---|",
    ]
    for row in pairs:
        told = row["ratio_difference"]
        low, high = told["ci95"]
        mark = "**" if (low > 0.0 or high < 0.0) and row["videos"] >= 8 else ""
        cells = [
            row["data"],
            row["methods"][1],
            f"{mark}{told['mean']:+.3f}{mark} [{low:+.3f}, {high:+.3f}]",
        ]
        lines.append("| " + " | ".join([*cells, f"{row['smaller_share']:.0%}"]) + " |")
    return "\n".join(lines)


def drift_line() -> str:
    drift, best = (row["natural_drift"] for row in _scores() if "natural_drift" in row)
    (low, high), (best_low, best_high) = drift["ci95"], best["ci95"]
    return (
        f"Natural drift, the mean change of {drift['clips']} untouched clips inside their masks: "
        f"**{drift['mean']:.2f}** levels of 255 [{low:.2f}, {high:.2f}]; with `best` "
        f"{best['mean']:.2f} [{best_low:.2f}, {best_high:.2f}]."
    )


SUMMARIZED = {
    "val-two": "two looks: the honest test",
    "val-edge": "two looks, edges as they are",
    "val-light": "two looks, uneven light",
    "val-large": "two looks, the foreground 40-80 % of the frame",
    "val-mild": "two looks, mild ones",
    "val-one": "one look, HYouTube's way",
    "val-hyoutube": "one look with HYouTube's enhancement",
    "val-camera": "renderings of real cameras",
    "val-photo": "exposure, temperature, haze",
    "val-people": "people under all looks",
    "val-real": "real light, two fixed cameras: an indication",
}
RIVALS = {
    "constant": "constant map",
    "gain": "gains",
    "reinhard": "Reinhard",
    "histogram": "histograms",
    "mkl": "MKL",
}


def summary_table() -> str:
    """One row a set: ours beside the rival that does best there, of those that were run on it: the
    compared networks of Table 1, and the classical methods, at the mix that dev chose for it there
    among others."""
    looks = [row for row in look_rows() if row["data"] in SUMMARIZED]
    measured = [*looks, *(row for row in clean_scores() if not row["swap_background"])]
    cells = {**_table1_rivals(), **{(row["data"], row["method"]): row for row in measured}}
    alone = any(method == "vhmae-look" for _, method in cells)
    head = ["set", "what it is", "composite, fMSE", "best rival", "its ratio"]
    head += ["look path alone"] if alone else []
    head += ["ours, ratio", "ours made worse"]
    lines = ["| " + " | ".join(head) + " |", "|" + "---|" * len(head)]
    for data, meaning in SUMMARIZED.items():
        least, rival = min(
            (_part(row)["ratio"]["fmse"], method)
            for (where, method), row in cells.items()
            if where == data and method.partition(":")[0] in RIVALS | NETWORKS
        )
        ours = cells[data, "vhmae"]
        ratio, worse = _part(ours)["ratio"]["fmse"], _part(ours)["worse_share"]
        untouched = f"{ours['overall']['fmse']['mean'] / ours['ratio']['fmse']:.0f}"
        if "leading" in ours:
            untouched = f"under {ours['leading']['below_fmse']:.0f}"
        name, _, mix = rival.partition(":")
        line = [data, meaning, untouched]
        called = (RIVALS | NETWORKS)[name]
        line += [called + (f", {float(mix):.0%} of the way" if mix else ""), f"{least:.2f}"]
        if alone:
            look = cells.get((data, "vhmae-look"))
            line += [f"{_part(look)['ratio']['fmse']:.2f}" if look else ""]
        line += [f"{ratio:.2f}", f"{worse:.0%}"]
        lines.append("| " + " | ".join(line) + " |")
    return "\n".join(lines)


def _part(row: dict[str, Any]) -> dict[str, Any]:
    """What is told of a set: of real light, the composites that lead."""
    part: dict[str, Any] = row.get("leading", row)
    return part


NETWORKS = {row.name: row.title for row in ROWS if row.group in ("image", "video")}
"""The compared networks of Table 1."""
SOURCES = {row.name: row.source for row in ROWS}
"""What the rows of Table 1 run."""


def _table1_rivals() -> dict[tuple[str, str], dict[str, Any]]:
    """Table 1's reports of the rivals by set and name, or ``NAME:MIX``; a whole mix goes
    without."""
    found = table1_rows()
    mixed = {
        (data, kind if row["mix"] == 1.0 else f"{kind}:{row['mix']:g}"): report
        for name, row in found.items()
        if (kind := SOURCES.get(name, name)) in RIVALS
        for data, report in row["sets"].items()
    }
    trained = {
        (data, name): report
        for name, row in found.items()
        if name in NETWORKS
        for data, report in row["sets"].items()
    }
    return mixed | trained
