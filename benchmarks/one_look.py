"""What one-look sets give away: a constant map, and a network that sees the foreground alone
(docs/one-look.md).

python benchmarks/one_look.py --sets SETS [--foreground-only RUN/weights.safetensors] [--both
RUN/weights.safetensors] [--cache FOLDER]

The two networks come from configs/foreground-only.yaml, the second with --model.look.background
true; SETS holds val-one and val-two. Caution is off and composites are shown
once, so that the networks are seen as they were trained.
Writes benchmarks/results/one_look.json, where rows of a network that is not given stand as they
were. About 3 minutes.
"""

from __future__ import annotations

import argparse
import dataclasses
import json
from pathlib import Path
from typing import Any

import numpy as np
from hardware import describe
from provenance import facts_of

from vhmae.engine.harmonizer import Harmonizer
from vhmae.evaluation.methods import Clip, Method, find_method
from vhmae.evaluation.runner import evaluate
from vhmae.model.weights import load_model
from vhmae.partial_output import write_text_whole

SETS = ("val-one", "val-two")
METHODS = (
    "constant map",
    "network, foreground only, trained on one look",
    "network, both sides, trained on one look",
    "packaged weights (both sides, two looks)",
)


def shown_once(weights: str) -> Method:
    """Weights as they were trained: the composite is shown once, without caution."""
    model = load_model(weights)
    if model.look_path is not None:
        model.look_path.config = dataclasses.replace(model.look_path.config, again=0.0)
    harmonizer = Harmonizer(model, caution=0.0, cut_detection=False)  # a sample is one shot

    def harmonize(clip: Clip) -> np.ndarray:
        return np.stack(list(harmonizer.harmonize(clip.composite, clip.mask)))

    return Method("vhmae", harmonize, facts=facts_of(weights, caution=0.0, again=0.0))


def kept_rows(path: Path) -> dict[tuple[str, str, bool], dict[str, Any]]:
    """The rows of a file, each with where it was measured, by set, method and swap."""
    if not path.exists():
        return {}
    kept = json.loads(path.read_text())
    return {place_of(row): {"hardware": kept["hardware"], **row} for row in kept["rows"]}


def place_of(row: dict[str, Any]) -> tuple[str, str, bool]:
    return row["data"], row["method"], row["swap_background"]


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--sets", type=Path, required=True)
    parser.add_argument("--foreground-only", type=Path)
    parser.add_argument("--both", type=Path)
    parser.add_argument("--cache", type=Path)
    parser.add_argument(
        "--json", type=Path, default=Path(__file__).parent / "results" / "one_look.json"
    )
    args = parser.parse_args()
    rows = kept_rows(args.json)
    networks = dict(zip(METHODS[1:], (args.foreground_only, args.both, "default"), strict=True))
    for set_name in SETS:
        data = args.sets / set_name
        methods = {METHODS[0]: find_method("constant", data)}
        for name, weights in networks.items():
            if weights is not None:
                methods[name] = shown_once(str(weights))
        for name, method in methods.items():
            for swap in (False, True):
                report = evaluate(data, method, ("fmse",), swap_background=swap, cache=args.cache)
                row = {
                    "data": set_name,
                    "method": name,
                    "swap_background": swap,
                    "ratio": report["ratio"]["fmse"],
                    "ratio_ci95": report["ratio_ci95"]["fmse"],
                    "hardware": describe(),
                }
                told = {key: report[key] for key in ("digests", "settings", "method_facts")}
                rows[place_of(row)] = {**row, **told}
                print(rows[place_of(row)], flush=True)
    places = [(one, name, swap) for one in SETS for name in METHODS for swap in (False, True)]
    ordered = [rows[place] for place in places if place in rows]
    report = {"schema": 1, "hardware": describe(), "rows": ordered}
    write_text_whole(args.json, json.dumps(report, indent=1) + "\n")


if __name__ == "__main__":
    main()
