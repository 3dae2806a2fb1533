"""Scores of real looks, for docs/results.md: cameras, photographic looks, people, real light.

python benchmarks/look_scores.py --data DATA [--sets FOLDER] [--cache FOLDER]
[--weights NAME|PATH] [--methods vhmae,mkl:0.25] [--only SET,...]

Writes benchmarks/results/looks.json after each score (rows that are not run anew are kept);
benchmarks/tables.py makes the tables of the docs from it. About 15 minutes on 2 cores. Real light
needs DATA/webcams.
"""

from __future__ import annotations

import argparse
import json
import tempfile
from pathlib import Path
from typing import Any

from hardware import chosen, describe
from scores import QUARTER, method_of

from vhmae.config import read_config
from vhmae.data.aligned import write_aligned
from vhmae.data.evaluation_sets import synthesize
from vhmae.data.job import AlignedRecipe, SynthesisRecipe
from vhmae.evaluation.methods import find_method
from vhmae.evaluation.runner import evaluate, natural_drift
from vhmae.evaluation.tables import format_report
from vhmae.partial_output import write_text_whole

CONFIGS = Path(__file__).parents[1] / "configs" / "benchmarks"
REAL_LIGHT = ("val-real", "dev-real")
VAL = (
    "val-two",
    "val-one",
    "val-light",
    "val-camera",
    "val-photo",
    "val-people",
    "val-hyoutube",
    "val-real",
)
DEV = ("dev-two", "dev-camera", "dev-photo", "dev-people", "dev-real")
SETS = (*VAL, *DEV)
METHODS = ("constant", *QUARTER, "vhmae", "vhmae-look")
"""As in scores.py."""
PEOPLE = CONFIGS.parent / "val-people.txt"


def make_set(name: str, data: Path, folder: Path) -> None:
    """Make a set by its recipe, where it is not there yet."""
    if (folder / "test_list.txt").exists():
        return
    path = CONFIGS / f"{name}.yaml"
    if name in REAL_LIGHT:
        write_aligned(read_config(AlignedRecipe, path).below(data), folder)
    else:
        synthesize(read_config(SynthesisRecipe, path).below(data), folder)


def people_drift(data: Path, weights: str, threads: int | None) -> dict[str, Any]:
    """How far people who need nothing are moved, in levels: the clips of val-people, untouched."""
    with tempfile.TemporaryDirectory() as temporary:
        names = [line for line in PEOPLE.read_text().splitlines() if not line.startswith("#")]
        for name in names:
            for suffix in (".mp4", ".mask.npz"):
                Path(temporary, f"{name}{suffix}").symlink_to(
                    (data / "val" / f"{name}{suffix}").resolve()
                )
        method = find_method("vhmae", Path(temporary), weights, threads=threads)
        return natural_drift(Path(temporary), method)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--sets", type=Path, help="folder that keeps the made sets")
    parser.add_argument("--cache", type=Path, help="folder that keeps the decoded sets")
    parser.add_argument("--weights", default="default")
    parser.add_argument("--methods", default=",".join(METHODS))
    parser.add_argument("--only", default=",".join(SETS), metavar="SET,...")
    parser.add_argument("--threads", type=int)
    parser.add_argument(
        "--json", type=Path, default=Path(__file__).parent / "results" / "looks.json"
    )
    args = parser.parse_args()
    sets = chosen(parser, "--only", args.only, SETS)
    methods = chosen(parser, "--methods", args.methods, METHODS)
    try:
        rows = kept_rows(args.json, args.weights)
    except ValueError as error:
        parser.error(str(error))
    with tempfile.TemporaryDirectory() as temporary:
        for name in sets:
            folder = (args.sets or Path(temporary)) / name
            make_set(name, args.data, folder)
            for method_name in methods:
                method = method_of(method_name, folder, args.weights, args.threads)
                row = evaluate(folder, method, ("fmse",), cache=args.cache)
                if name == "val-people" and method_name == "vhmae":
                    row["natural_drift"] = people_drift(args.data, args.weights, args.threads)
                named = {"data": name, "method": method_name, "hardware": describe()}
                rows[name, method_name] = {**row, **named}
                print(format_report(row), flush=True)
                write(args.json, rows, args.weights)


def kept_rows(path: Path, weights: str) -> dict[tuple[str, str], dict[str, Any]]:
    """The rows of a file that stand, by set and method; none where there is no file.

    Raises:
        ValueError: where they are of other weights, among which new ones would be lost.
    """
    if not path.exists():
        return {}
    kept = json.loads(path.read_text())
    if kept["weights"] != weights:
        raise ValueError(
            f"--json {path}: holds scores of the weights {kept['weights']}, not of {weights}; name "
            "another file"
        )
    return {
        (row["data"], row["method"]): {"hardware": kept["hardware"], **row}
        for row in kept["scores"]
    }


def write(path: Path, rows: dict[tuple[str, str], dict[str, Any]], weights: str) -> None:
    """Write the rows in the order of ``SETS`` and ``METHODS``."""
    ordered = sorted(
        rows.values(), key=lambda row: (SETS.index(row["data"]), METHODS.index(row["method"]))
    )
    report = {"schema": 1, "hardware": describe(), "weights": weights, "scores": ordered}
    write_text_whole(path, json.dumps(report, indent=1) + "\n")


if __name__ == "__main__":
    main()
