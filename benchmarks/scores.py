"""The scores of docs/results.md: the sets of configs/benchmarks made anew, every method, swapped
backgrounds, natural drift.

python benchmarks/scores.py --data DATA [--sets FOLDER] [--cache FOLDER] [--work FOLDER]
[--weights NAME|PATH] [--methods vhmae,mkl]

WORK keeps each method's rows on each set, so that a run that was stopped goes on: what is there,
for the same method and set, is not scored again. Writes benchmarks/results/scores.json (rows of
methods that are not run anew are kept); benchmarks/tables.py makes the tables of the docs from it.
About 20 minutes on 2 cores, of which vhmae alone takes 6.
"""

from __future__ import annotations

import argparse
import json
import tempfile
from pathlib import Path
from typing import Any

from hardware import describe

from vhmae.config import read_config
from vhmae.data.digests import set_digest
from vhmae.data.evaluation_sets import synthesize
from vhmae.data.hyoutube import read_list
from vhmae.data.job import SynthesisRecipe
from vhmae.evaluation.methods import NETWORKS, Method, find_method
from vhmae.evaluation.pooling import paired_difference
from vhmae.evaluation.protocols import PROTOCOLS
from vhmae.evaluation.runner import METRICS, evaluate, natural_drift
from vhmae.evaluation.tables import format_report

CONFIGS = Path(__file__).parents[1] / "configs" / "benchmarks"
SETS = ("val-two", "val-one", "val-edge", "val-mild", "val-large", "val-light")
METHODS = (
    "composite",
    "constant",
    "reinhard",
    "reinhard:0.5",
    "histogram",
    "histogram:0.5",
    "mkl",
    "mkl:0.5",
    "vhmae",
    "vhmae-look",
    "vhmae:best",
    "oracle-affine",
    "oracle-quadratic",
)
"""NAME:MIX goes a part of the way, vhmae:QUALITY is another quality than the one that ships;
vhmae-look is the look path alone."""
OURS = "vhmae"
"""Every other method's difference to this one is kept, over the same composites."""
LEADING = ("val-two", "val-one")
"""Sets whose finalists get every metric; the first of them every protocol too."""
FINALISTS = ("composite", "constant", "mkl", "vhmae", "vhmae-look", "vhmae:best")


def method_of(name: str, data: Path, weights: str) -> Method:
    plain, _, setting = name.partition(":")
    if plain == "vhmae":
        return find_method(plain, data, weights, quality=setting or "balanced")  # type: ignore[arg-type]  # checked there
    return find_method(plain, data, weights, mix=float(setting or 1.0))


def rows_of(
    name: str, set_name: str, folder: Path, data: Path, weights: str, cache: Path | None
) -> list[dict[str, Any]]:
    """All that is asked of a method on a set."""
    method = method_of(name, folder, weights)
    leading = set_name in LEADING and name in FINALISTS
    ours = name.partition(":")[0] in NETWORKS
    wanted = (
        (*METRICS, "temporal")
        if leading and (ours or name == "composite")
        else METRICS
        if leading
        else ("fmse",)
    )
    rows = [evaluate(folder, method, wanted, cache=cache)]
    if ours:
        rows.append(
            evaluate(
                folder, method, METRICS if leading else ("fmse",), swap_background=True, cache=cache
            )
        )
    if set_name == LEADING[0] and name in ("composite", "vhmae"):
        rows += [
            evaluate(folder, method, METRICS, protocol=PROTOCOLS[key], cache=cache)
            for key in ("co2net", "vtt", "hinet")
        ]
    if set_name == SETS[0] and name.partition(":")[0] == OURS:
        rows[0]["natural_drift"] = natural_drift(data / "val", method)
    return [{**row, "method": name, "data": set_name} for row in rows]


def rows_or_kept(
    name: str, set_name: str, args: argparse.Namespace, folder: Path
) -> list[dict[str, Any]]:
    """The rows of a method on a set, or those that a run before this one left in the work folder
    for the same method and set."""
    kept = args.work / f"{name.replace(':', '-')}.{set_name}.json" if args.work else None
    if kept is not None and kept.exists():
        rows: list[dict[str, Any]] = json.loads(kept.read_text())
        expected = {
            "set": set_digest(read_list(folder)),
            "method": method_of(name, folder, args.weights).digest,
        }
        if all(rows[0]["digests"][key] == value for key, value in expected.items()):
            return rows
    rows = rows_of(name, set_name, folder, args.data, args.weights, args.cache)
    if kept is not None:
        kept.parent.mkdir(parents=True, exist_ok=True)
        kept.write_text(json.dumps(rows) + "\n")
    return rows


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--sets", type=Path, help="folder that keeps the made sets")
    parser.add_argument("--cache", type=Path, help="folder that keeps the decoded sets")
    parser.add_argument("--work", type=Path, help="folder that keeps the rows of a stopped run")
    parser.add_argument("--weights", default="default")
    parser.add_argument("--methods", default=",".join(METHODS))
    parser.add_argument(
        "--json", type=Path, default=Path(__file__).parent / "results" / "scores.json"
    )
    args = parser.parse_args()
    methods = args.methods.split(",")
    kept = json.loads(args.json.read_text()) if args.json.exists() else {"scores": []}
    rows: list[dict[str, Any]] = [row for row in kept["scores"] if row["method"] not in methods]
    pairs: list[dict[str, Any]] = [
        row for row in kept.get("paired", []) if not {*row["methods"]} & {*methods}
    ]
    with tempfile.TemporaryDirectory() as temporary:
        root = args.sets or Path(temporary)
        for set_name in SETS:
            folder = root / set_name
            if not (folder / "test_list.txt").exists():
                synthesize(
                    read_config(SynthesisRecipe, CONFIGS / f"{set_name}.yaml").below(args.data),
                    folder,
                )
            leaders = {}
            for name in methods:
                fresh = rows_or_kept(name, set_name, args, folder)
                print(format_report(fresh[0]), flush=True)
                leaders[name] = fresh[0]
                # Rows of composites are what pairs are made of; in the file they would be most of
                # it.
                rows += [
                    {key: value for key, value in row.items() if key != "composites_detail"}
                    for row in fresh
                ]
            if OURS in leaders:
                others = [row for name, row in leaders.items() if name != OURS]
                pairs += [
                    {"data": set_name, **paired_difference(leaders[OURS], other)}
                    for other in others
                ]
    rows.sort(
        key=lambda row: (
            SETS.index(row["data"]),
            METHODS.index(row["method"]),
            row["protocol"] != "clean",
            row["swap_background"],
        )
    )
    report = {
        "schema": 1,
        "hardware": describe(),
        "weights": args.weights,
        "scores": rows,
        "paired": pairs,
    }
    args.json.write_text(json.dumps(report, indent=1) + "\n")


if __name__ == "__main__":
    main()
