"""What one-look sets give away: a constant map, and a network that sees the foreground alone
(docs/one-look.md).

python benchmarks/one_look.py --sets SETS --foreground-only RUN/weights.safetensors --both
RUN/weights.safetensors [--cache FOLDER]

The two networks come from configs/foreground-only.yaml, the second with --model.look.background
true; SETS holds val-one and val-two. Caution is off and composites are shown
once, so that the networks are seen as they were trained.
Writes benchmarks/results/one_look.json. About 3 minutes.
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

SETS = ("val-one", "val-two")


def shown_once(weights: str) -> Method:
    """Weights as they were trained: the composite is shown once, without caution."""
    model = load_model(weights)
    if model.look_path is not None:
        model.look_path.config = dataclasses.replace(model.look_path.config, again=0.0)
    harmonizer = Harmonizer(model, caution=0.0, cut_detection=False)  # a sample is one shot

    def harmonize(clip: Clip) -> np.ndarray:
        return np.stack(list(harmonizer.harmonize(clip.composite, clip.mask)))

    return Method("vhmae", harmonize, facts=facts_of(weights, caution=0.0, again=0.0))


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--sets", type=Path, required=True)
    parser.add_argument("--foreground-only", type=Path, required=True)
    parser.add_argument("--both", type=Path, required=True)
    parser.add_argument("--cache", type=Path)
    parser.add_argument(
        "--json", type=Path, default=Path(__file__).parent / "results" / "one_look.json"
    )
    args = parser.parse_args()
    rows: list[dict[str, Any]] = []
    for set_name in SETS:
        data = args.sets / set_name
        methods = {
            "constant map": find_method("constant", data),
            "network, foreground only, trained on one look": shown_once(str(args.foreground_only)),
            "network, both sides, trained on one look": shown_once(str(args.both)),
            "packaged weights (both sides, two looks)": shown_once("default"),
        }
        for name, method in methods.items():
            for swap in (False, True):
                report = evaluate(data, method, ("fmse",), swap_background=swap, cache=args.cache)
                row = {
                    "data": set_name,
                    "method": name,
                    "swap_background": swap,
                    "ratio": report["ratio"]["fmse"],
                }
                rows.append(
                    {
                        **row,
                        "ratio_ci95": report["ratio_ci95"]["fmse"],
                        **{key: report[key] for key in ("digests", "settings", "method_facts")},
                    }
                )
                print(rows[-1], flush=True)
    args.json.write_text(
        json.dumps({"schema": 1, "hardware": describe(), "rows": rows}, indent=1) + "\n"
    )


if __name__ == "__main__":
    main()
