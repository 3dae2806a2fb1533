"""The scores of docs/results.md: val-two and val-one made anew, every method, swapped backgrounds, natural drift.

python benchmarks/scores.py --data DATA [--sets FOLDER] [--weights NAME|PATH]

Writes benchmarks/results/scores.json (rows of methods that are not run anew are kept); benchmarks/tables.py makes the tables of
the docs from it. About 15 minutes on 2 cores.
"""

from __future__ import annotations

import argparse
import json
import tempfile
from pathlib import Path
from typing import Any

from hardware import describe

from vhmae.data.synthesize import SynthesisRecipe, synthesize
from vhmae.evaluation.methods import find_method
from vhmae.evaluation.runner import METRICS, evaluate, natural_drift
from vhmae.evaluation.tables import format_report

METHODS = ("composite", "constant", "mkl", "vhmae")


def recipes(data: Path) -> dict[str, SynthesisRecipe]:
    luts = data / "luts" / "hyoutube_luts.npz"
    return {
        "val-two": SynthesisRecipe(videos=data / "val", luts=luts, looks="two"),
        "val-one": SynthesisRecipe(videos=data / "val", luts=luts, looks="one", shifts=("lut",)),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--sets", type=Path, help="folder that keeps the made sets")
    parser.add_argument("--weights", default="default")
    parser.add_argument("--methods", default=",".join(METHODS))
    parser.add_argument("--json", type=Path, default=Path(__file__).parent / "results" / "scores.json")
    args = parser.parse_args()
    methods = args.methods.split(",")
    kept = json.loads(args.json.read_text())["scores"] if args.json.exists() else []
    rows: list[dict[str, Any]] = [row for row in kept if row["method"] not in methods]
    with tempfile.TemporaryDirectory() as temporary:
        root = args.sets or Path(temporary)
        for name, recipe in recipes(args.data).items():
            if not (root / name / "test_list.txt").exists():
                synthesize(recipe, root / name)
            for method_name in methods:
                method = find_method(method_name, root / name, args.weights)
                for swap in (False, True) if method_name == "vhmae" else (False,):
                    report = evaluate(root / name, method, METRICS, swap_background=swap)
                    if method_name == "vhmae" and not swap and name == "val-two":
                        report["natural_drift"] = natural_drift(args.data / "val", method)
                    rows.append({**report, "data": name})
                    print(format_report(rows[-1]), flush=True)
    rows.sort(key=lambda row: (list(recipes(args.data)).index(row["data"]), METHODS.index(row["method"]), row["swap_background"]))
    args.json.write_text(json.dumps({"schema": 1, "hardware": describe(), "weights": args.weights, "scores": rows}, indent=1) + "\n")


if __name__ == "__main__":
    main()
