"""The tables of what was trained and compared: what benchmarks/tables.py puts into the docs from
the results of ablation.py, look_trials.py and context.py."""

from __future__ import annotations

import json
import statistics
from collections.abc import Callable
from typing import Any

from speed_tables import RESULTS


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

        thirds = " / ".join(
            f"{statistics.fmean(seed['two']['thirds'][third] for seed in seeds):.2f}"
            for third in range(3)
        )
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


EVIDENCE_SETS = ("dev-two", "dev-camera", "dev-photo", "dev-real", "dev-people")
USUAL_CAUTION = 3
"""Place among the cautions of evidence_trials.py: 16 levels."""


def evidence_table() -> str:
    """More evidence and bolder answers: ratios on the dev sets at the usual caution, and what is
    left at the caution that leaves as much of dev-mild as the first trial's."""
    rows = [
        json.loads(line) for line in (RESULTS / "evidence-trials.jsonl").read_text().splitlines()
    ]
    trials: dict[str, list[dict[str, Any]]] = {}
    for row in rows:
        trials.setdefault(row["trial"], []).append(row["scores"]["frames"])
    first = next(iter(trials.values()))
    harm = statistics.fmean(seed["dev-mild"]["ratio"][USUAL_CAUTION] for seed in first)
    shown = (*EVIDENCE_SETS, "dev-mild")
    lines = [
        f"| trial | seeds | {' | '.join(shown)} | mean | spread | at equal dev-mild | worse |",
        "|" + "---|" * (len(shown) + 6),
    ]
    for name, seeds in trials.items():
        at = USUAL_CAUTION if len(seeds[0]["dev-mild"]["ratio"]) > 1 else 0
        cells = [
            f"{statistics.fmean(seed[key]['ratio'][at] for seed in seeds):.3f}" for key in shown
        ]
        means = [_mean_ratio([seed], at) for seed in seeds]
        spread = f"{statistics.stdev(means):.3f}" if len(means) > 1 else ""
        worse = statistics.fmean(seed[key]["worse"][at] for seed in seeds for key in EVIDENCE_SETS)
        equal = _at_equal_harm(seeds, harm) if at else None
        cells += [f"{statistics.fmean(means):.3f}", spread, f"{equal:.3f}" if equal else ""]
        lines.append("| " + " | ".join([name, str(len(seeds)), *cells, f"{worse:.0%}"]) + " |")
    return "\n".join(lines)


def _mean_ratio(seeds: list[dict[str, Any]], at: int) -> float:
    """Geometric mean over ``EVIDENCE_SETS`` of the seeds' mean ratios."""
    return statistics.geometric_mean(
        statistics.fmean(seed[key]["ratio"][at] for seed in seeds) for key in EVIDENCE_SETS
    )


def _at_equal_harm(seeds: list[dict[str, Any]], harm: float) -> float | None:
    """The mean ratio at the caution that leaves ``harm`` of dev-mild, on straight lines between the
    cautions; None where none does."""
    count = len(seeds[0]["dev-mild"]["ratio"])
    mild = [
        statistics.fmean(seed["dev-mild"]["ratio"][at] for seed in seeds) for at in range(count)
    ]
    means = [_mean_ratio(seeds, at) for at in range(count)]
    for at in range(count - 1):
        if mild[at] >= harm > mild[at + 1]:
            share = (mild[at] - harm) / (mild[at] - mild[at + 1])
            return means[at] + share * (means[at + 1] - means[at])
    return None


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


def gradient_table() -> str:
    """How hard each term of Eq. 6 pulls over a run, and the seam, with and without patch
    balancing."""
    head = ["b", "step", "Eq. 1", "Eq. 3", "Eq. 4", "gradient of Eq. 1", "of Eq. 3", "of Eq. 4"]
    lines = ["| " + " | ".join([*head, "seam"]) + " |", "|" + "---|" * 9]
    terms = ("reconstruction", "alignment", "balance")
    for row in json.loads((RESULTS / "gradient_norms.json").read_text())["rows"]:
        cells = [f"{row['b']:g}", str(row["step"])]
        cells += [f"{row['losses'][term]:.2f}" for term in terms]
        cells += [f"{row['norms'][term]:.2f}" for term in terms]
        lines.append("| " + " | ".join([*cells, f"{row['seam']:.2f}"]) + " |")
    return "\n".join(lines)
