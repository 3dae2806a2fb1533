"""Puts the tables made from benchmarks/results/*.json into README.md and docs/results.md, between
their markers.

python benchmarks/tables.py [--check]
"""

from __future__ import annotations

import json
import re
import statistics
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from guided_tables import guided_blocks
from look_tables import look_blocks
from scores import FINALISTS, LEADING, SETS
from speed_tables import (
    RESULTS,
    engine_table,
    profile_table,
    speed_table,
    training_table,
    video_table,
)

from vhmae.evaluation.freshness import outdated

ROOT = Path(__file__).parents[1]
PAGES = ("README.md", "docs/results.md", "docs/one-look.md", "docs/looks.md")


def _scores() -> list[dict[str, Any]]:
    scores: list[dict[str, Any]] = json.loads((RESULTS / "scores.json").read_text())["scores"]
    return scores


def clean_scores() -> list[dict[str, Any]]:
    """The rows of the protocol that leads."""
    return [row for row in _scores() if row["protocol"] == "clean"]


def _measured(name: str) -> str:
    hardware = json.loads((RESULTS / f"{name}.json").read_text())["hardware"]
    return (
        f"Measured here on {hardware['cores']} cores ({hardware['cpu']}), {hardware['date']}, by "
        f"`benchmarks/results/{name}.json`."
    )


EVALUATED = {
    "scores": ("scores", "all-scores", "sets", "protocols", "temporal", "bins", "paired", "drift"),
    "one_look": ("one-look",),
    "looks": ("looks", "looks-mean", "looks-change", "looks-light", "looks-people"),
    "looks-free": ("looks-free",),
}
"""Blocks that rest on reports of ``evaluate``, by their result file."""


def older(name: str) -> str:
    """The commit that a result file was measured at, where its digests are not all those of today's
    package, or rows have none; else nothing."""
    result = json.loads((RESULTS / f"{name}.json").read_text())
    rows = result.get("scores", result.get("rows", []))
    if all(row.get("digests") and not outdated(row) for row in rows):
        return ""
    return str(result["hardware"]["commit"])


def marked(made: dict[str, str]) -> dict[str, str]:
    """The blocks, those of an older package with the commit that they were measured at."""
    commits = {block: older(name) for name, found in EVALUATED.items() for block in found}
    return {
        block: f"{text}\n\n*Measured at {commits[block]}.*" if commits.get(block) else text
        for block, text in made.items()
    }


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


def score_table(every_metric: bool) -> str:
    """One row a leading set and finalist."""
    head = [
        "set",
        "method",
        "fMSE",
        "ratio",
        "weakest / middle / strongest third",
        "worse than untouched",
    ]
    head += ["MSE", "PSNR", "fSSIM"] if every_metric else []
    lines = ["| " + " | ".join(head) + " |", "|" + "---|" * len(head)]
    for row in _leading():
        fmse = row["overall"]["fmse"]
        thirds = " / ".join(f"{third['ratio']['fmse']:.2f}" for third in row["thirds"])
        interval = f"{fmse['mean']:.0f} [{fmse['ci95'][0]:.0f}, {fmse['ci95'][1]:.0f}]"
        bold, _, between = _ratio(row).partition(" ")
        cells = [row["data"], _named(row), interval, f"**{bold}** {between}".strip()]
        cells += [thirds, f"{row['worse_share']:.0%}"]
        if every_metric:
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
            of_before = " (of before: it has changed)" if "protocol" in outdated(row) else ""
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


def one_look_table() -> str:
    """docs/one-look.md: what needs no background."""
    rows = json.loads((RESULTS / "one_look.json").read_text())["rows"]
    lines = [
        "| method | val-one | val-one, swapped | val-two | val-two, swapped |",
        "|---|---|---|---|---|",
    ]
    for name in dict.fromkeys(row["method"] for row in rows):
        cells = [
            row["ratio"] for row in rows if row["method"] == name
        ]  # val-one, swapped, val-two, swapped
        lines.append(f"| {name} | " + " | ".join(f"{ratio:.3f}" for ratio in cells) + " |")
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


def ablation_runs() -> dict[str, list[dict[str, dict[str, Any]]]]:
    """The runs of each variant of the plain model, one a seed: their scores by set."""
    rows = [
        json.loads(line) for line in (RESULTS / "ablation-paper.jsonl").read_text().splitlines()
    ]
    runs: dict[str, list[dict[str, dict[str, Any]]]] = {row["run"]: [] for row in rows}
    for row in rows:
        runs[row["run"]].append({score["set"]: score for score in row["scores"]})
    return runs


def ablation_table() -> str:
    """The plain model's variants: means over seeds on val-two, ratios on the other sets."""
    lines = [
        "| variant | seeds | fMSE | MSE | PSNR | fSSIM | seam | val-two | val-one | val-large |",
        "|" + "---|" * 10,
    ]
    for name, runs in ablation_runs().items():
        two = [run["val-two"] for run in runs]

        def mean(values: list[float]) -> float:
            return sum(values) / len(values)

        cells = [name, str(len(runs))]
        for metric, digits in (("fmse", 0), ("mse", 1), ("psnr", 2), ("fssim", 4)):
            cells.append(f"{mean([score['overall'][metric]['mean'] for score in two]):.{digits}f}")
        cells.append(f"{mean([score['seam'] for score in two]):.2f}")
        cells += [
            f"{mean([run[key]['ratio']['fmse'] for run in runs]):.2f}"
            for key in ("val-two", "val-one", "val-large")
        ]
        lines.append("| " + " | ".join(cells) + " |")
    return "\n".join(lines)


def trial_scores() -> dict[str, list[dict[str, Any]]]:
    """The look path's trials, their scores one a seed."""
    found: dict[str, list[dict[str, Any]]] = {}
    for row in map(json.loads, (RESULTS / "look-trials.jsonl").read_text().splitlines()):
        found.setdefault(row["trial"], []).append(row["scores"])
    return found


def trial_table() -> str:
    """What the look path lives on: ratios on dev composites, one row a trial."""
    lines = [
        "| trial | two looks | weakest / middle / strongest third | worse | swapped | one look | "
        "mild | large | whole frames | drift |"
    ]
    lines.append("|" + "---|" * 10)
    for name, seeds in trial_scores().items():

        def mean(
            read: Callable[[dict[str, Any]], float], seeds: list[dict[str, Any]] = seeds
        ) -> float:
            return statistics.fmean(map(read, seeds))

        thirds = " / ".join(f"{mean(lambda s, i=i: s['two']['thirds'][i]):.2f}" for i in range(3))  # type: ignore[misc]
        ratio, deviation = mean(lambda s: s["two"]["ratio"]), mean(lambda s: s["two"]["se"])
        cells = [
            name,
            f"**{ratio:.3f}** ± {deviation:.3f}",
            thirds,
            f"{mean(lambda s: s['two']['worse']):.0%}",
        ]
        cells += [f"{mean(lambda s: s['two']['swapped']):.2f}"]
        for key in ("one", "mild", "large", "whole"):
            cells.append(f"{statistics.fmean(seed[key]['ratio'] for seed in seeds):.3f}")
        lines.append("| " + " | ".join([*cells, f"{mean(lambda s: s['drift']):.1f}"]) + " |")
    return "\n".join(lines)


def doubt_table() -> str:
    """How well each sign tells where the answer errs, and what being careful by it gives."""
    names = {
        "constant": "the size of the change",
        "members": "spread of the members",
        "likelihood": "a deviation that is learned",
    }
    lines = [
        "| sign | rank correlation with the error | weakest third, worse: ratio .02 higher | .05 "
        "higher | .1 higher |",
        "|" + "---|" * 5,
    ]
    for sign, doubt in trial_scores()["with a likelihood"][0]["two"]["doubt"].items():
        curve = [f"{point['weakest']:.2f}, {point['worse']:.0%}" for point in doubt["curve"]]
        lines.append("| " + " | ".join([names[sign], f"{doubt['rank']:.2f}", *curve]) + " |")
    return "\n".join(lines)


def token_table(plan: str) -> str:
    """What the tokens add to the look path, by a plan: dev composites, in brackets the share that
    ends worse."""
    lines = ["| variant | seeds | dev-two | dev-large | dev-mild |", "|" + "---|" * 5]
    rows = [
        json.loads(line) for line in (RESULTS / f"ablation-{plan}.jsonl").read_text().splitlines()
    ]
    for name in dict.fromkeys(row["run"] for row in rows if row["scores"]):
        runs = [
            {score["set"]: score for score in row["scores"]} for row in rows if row["run"] == name
        ]
        cells = [name.replace("first", "look path alone"), str(len(runs))]
        for key in ("dev-two", "dev-large", "dev-mild"):
            ratio = statistics.fmean(run[key]["ratio"]["fmse"] for run in runs)
            worse = statistics.fmean(run[key]["worse_share"] for run in runs)
            cells.append(f"{ratio:.3f} ({worse:.0%})")
        lines.append("| " + " | ".join(cells) + " |")
    return "\n".join(lines)


def context_table() -> str:
    """What the packaged network is shown of a shot: dev composites, in brackets the share that ends
    worse."""
    lines = ["| changed | shown | dev-two | dev-large | dev-mild |", "|" + "---|" * 5]
    for row in json.loads((RESULTS / "context.json").read_text())["rows"]:
        cells = [f"{score['ratio']:.3f} ({score['worse']:.0%})" for score in row["scores"].values()]
        lines.append("| " + " | ".join([row["changes"], row["name"], *cells]) + " |")
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
        "doubt": doubt_table(),
        "tokens": token_table("tokens"),
        "gpu": token_table("gpu"),
        "context": context_table(),
        "engine": engine_table(),
        "mattes": matte_table(),
        "measured-mattes": _measured("mattes"),
        "scores": score_table(every_metric=False),
        "all-scores": score_table(every_metric=True),
        "sets": set_table(),
        "protocols": protocol_table(),
        "temporal": temporal_table(),
        "one-look": one_look_table(),
        "training": training_table(),
        "video": video_table(),
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
        **guided_blocks(),
    }


def filled(text: str) -> str:
    """A page with its blocks filled in anew."""
    made = marked(blocks())

    def fill(match: re.Match[str]) -> str:
        return f"<!-- {match[1]} -->\n{made[match[1]]}\n<!-- end -->"

    return re.sub(r"<!-- ([\w-]+) -->\n.*?<!-- end -->", fill, text, flags=re.DOTALL)


def main() -> int:
    stale = []
    for page in (ROOT / name for name in PAGES):
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
