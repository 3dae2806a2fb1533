"""What one-look sets give away: a constant map, and a network that sees the foreground alone
(docs/one-look.md).

python benchmarks/one_look.py --sets SETS --foreground-only RUN/weights.safetensors --both
RUN/weights.safetensors [--cache FOLDER]

The two networks come from configs/foreground-only.yaml, the second with --model.look.background
true; SETS holds val-one and val-two. Caution is off, so that the networks are seen as they are.
Writes benchmarks/results/one_look.json. About 3 minutes.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

from hardware import describe

from vhmae.evaluation.methods import find_method
from vhmae.evaluation.runner import evaluate

SETS = ("val-one", "val-two")


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
            "network, foreground only, trained on one look": find_method(
                "vhmae", data, str(args.foreground_only), caution=0.0
            ),
            "network, both sides, trained on one look": find_method(
                "vhmae", data, str(args.both), caution=0.0
            ),
            "packaged weights (both sides, two looks)": find_method("vhmae", data, caution=0.0),
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
