"""The scores of docs/results.md: the sets of configs/benchmarks made anew, every method, swapped
backgrounds, natural drift.

python benchmarks/scores.py --data DATA [--sets FOLDER] [--cache FOLDER] [--work FOLDER]
[--weights NAME|PATH] [--methods vhmae,mkl] [--only SET,...]

WORK keeps each method's rows on each set, so that a run that was stopped goes on: what is there,
for the same method and set, is not scored again. Writes benchmarks/results/scores.json (rows of
methods and sets that are not run anew are kept, and paired with those that are where their
composites lie in WORK); benchmarks/tables.py makes the tables of the docs from it.
About 20 minutes on 2 cores, of which vhmae alone takes 6.
"""

from __future__ import annotations

import argparse
import json
import tempfile
from pathlib import Path
from typing import Any

from hardware import chosen, describe

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
from vhmae.partial_output import write_text_whole

CONFIGS = Path(__file__).parents[1] / "configs" / "benchmarks"
SETS = ("val-two", "val-one", "val-edge", "val-mild", "val-large", "val-light")
QUARTER = ("gain:0.25", "reinhard:0.25", "histogram:0.25", "mkl:0.25")
METHODS = (
    "composite",
    "constant",
    *QUARTER,
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


def method_of(name: str, data: Path, weights: str, threads: int | None = None) -> Method:
    plain, _, setting = name.partition(":")
    if plain == "vhmae":
        quality: Any = setting or "balanced"  # checked there
        return find_method(plain, data, weights, threads=threads, quality=quality)
    return find_method(plain, data, weights, threads=threads, mix=float(setting or 1.0))


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
    named = {"method": name, "data": set_name, "hardware": describe()}
    return [{**row, **named} for row in rows]


def rows_or_kept(
    name: str, set_name: str, args: argparse.Namespace, folder: Path
) -> list[dict[str, Any]]:
    """The rows of a method on a set, or those that a run before this one left in the work folder
    for the same method and set."""
    kept = kept_rows(args.work, name, set_name)
    if kept:
        expected = {
            "set": set_digest(read_list(folder)),
            "method": method_of(name, folder, args.weights).digest,
        }
        if all(kept[0]["digests"][key] == value for key, value in expected.items()):
            return kept
    rows = rows_of(name, set_name, folder, args.data, args.weights, args.cache)
    if args.work is not None:
        path = kept_file(args.work, name, set_name)
        path.parent.mkdir(parents=True, exist_ok=True)
        write_text_whole(path, json.dumps(rows) + "\n")
    return rows


def kept_file(work: Path, name: str, set_name: str) -> Path:
    return work / f"{name.replace(':', '-')}.{set_name}.json"


def kept_rows(work: Path | None, name: str, set_name: str) -> list[dict[str, Any]]:
    """The rows of a method on a set that lie in the work folder; none where there are none."""
    if work is None or not kept_file(work, name, set_name).exists():
        return []
    rows: list[dict[str, Any]] = json.loads(kept_file(work, name, set_name).read_text())
    return rows


def paired_rows(
    set_name: str,
    before: dict[str, Any],
    fresh: dict[str, dict[str, Any]],
    work: Path | None,
) -> list[dict[str, Any]]:
    """The differences of a set: made anew where a method was scored, the others as they were.

    Args:
        before: what scores.json held.
        fresh: the leading reports of the methods that were scored, with their composites.
        work: where those of the others may lie.
    """
    old: dict[str, dict[str, Any]] = {}
    for row in before["scores"]:
        if row["data"] == set_name:
            old.setdefault(row["method"], row)  # a method's leading row stands first
    leaders = dict(fresh)
    for name in old.keys() - fresh.keys():
        kept = kept_rows(work, name, set_name)
        if kept and kept[0]["digests"] == old[name].get("digests"):
            leaders[name] = kept[0]
    made = []
    if OURS in leaders:
        made = [
            {"data": set_name, **paired_difference(leaders[OURS], leaders[name])}
            for name in METHODS
            if name != OURS and name in leaders and {name, OURS} & fresh.keys()
        ]
    changed = {
        name for name, row in fresh.items() if row["digests"] != old.get(name, {}).get("digests")
    }
    done = [{*pair["methods"]} for pair in made]
    stand = [
        pair
        for pair in before.get("paired", [])
        if pair["data"] == set_name
        and {*pair["methods"]} not in done
        and not {*pair["methods"]} & changed
    ]
    return [*stand, *made]


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
    parser.add_argument("--only", default=",".join(SETS), metavar="SET,...")
    parser.add_argument(
        "--json", type=Path, default=Path(__file__).parent / "results" / "scores.json"
    )
    args = parser.parse_args()
    methods = chosen(parser, "--methods", args.methods, METHODS)
    sets = chosen(parser, "--only", args.only, SETS)
    kept = json.loads(args.json.read_text()) if args.json.exists() else {"scores": []}
    if kept.get("weights", args.weights) != args.weights:
        parser.error(
            f"--json {args.json}: holds scores of the weights {kept['weights']}; name another file"
        )
    rows: list[dict[str, Any]] = [
        {"hardware": kept["hardware"], **row}
        for row in kept["scores"]
        if row["method"] not in methods or row["data"] not in sets
    ]
    pairs = [pair for pair in kept.get("paired", []) if pair["data"] not in sets]
    with tempfile.TemporaryDirectory() as temporary:
        root = args.sets or Path(temporary)
        for set_name in sets:
            folder = root / set_name
            if not (folder / "test_list.txt").exists():
                synthesize(
                    read_config(SynthesisRecipe, CONFIGS / f"{set_name}.yaml").below(args.data),
                    folder,
                )
            leaders: dict[str, dict[str, Any]] = {}
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
            pairs += paired_rows(set_name, kept, leaders, args.work)
    rows.sort(
        key=lambda row: (
            SETS.index(row["data"]),
            METHODS.index(row["method"]),
            row["protocol"] != "clean",
            row["swap_background"],
        )
    )
    pairs.sort(key=lambda pair: SETS.index(pair["data"]))
    report = {
        "schema": 1,
        "hardware": describe(),
        "weights": args.weights,
        "scores": rows,
        "paired": pairs,
    }
    write_text_whole(args.json, json.dumps(report, indent=1) + "\n")


if __name__ == "__main__":
    main()
