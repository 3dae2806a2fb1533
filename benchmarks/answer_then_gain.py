"""What gains towards the background's mean leave on top of the network's answer: on real light they
are ahead of it when alone (docs/decisions.md).

python benchmarks/answer_then_gain.py --sets SETS [--weights NAME,...] [--cache FOLDER]

On dev alone. The answer of each composite is made once; then each channel of it is multiplied by a
power of what takes its mean to the background's.
"""

from __future__ import annotations

import argparse
import dataclasses
import json
from pathlib import Path
from typing import Any

from hardware import describe

from vhmae.arrays import Frames
from vhmae.evaluation.classical import classical_method
from vhmae.evaluation.clip import Clip, Method
from vhmae.evaluation.methods import find_method
from vhmae.evaluation.runner import evaluate
from vhmae.partial_output import write_text_whole

SETS = ("dev-two", "dev-camera", "dev-photo", "dev-real")
POWERS = (0.0, 0.05, 0.1, 0.2, 0.3)
RESULT = Path(__file__).resolve().parent / "results" / "answer_then_gain.json"


class Answers:
    """A method whose answers are kept, so that several gains are tried on each."""

    def __init__(self, method: Method) -> None:
        self.method = method
        self._kept: dict[str, Frames] = {}

    def then_gain(self, power: float) -> Method:
        """The method with gains of a power on top."""
        gain = classical_method("gain", power)

        def harmonize(clip: Clip) -> Frames:
            return gain.harmonize(dataclasses.replace(clip, composite=self._answer(clip)))

        facts = {**self.method.facts, "gain_on_top": power}
        return dataclasses.replace(
            self.method, name=f"then gain {power:g}", harmonize=harmonize, facts=facts
        )

    def _answer(self, clip: Clip) -> Frames:
        assert clip.sample is not None
        if clip.sample.name not in self._kept:
            self._kept[clip.sample.name] = self.method.harmonize(clip)
        return self._kept[clip.sample.name]


def rows(weights: str, data: Path, cache: Path | None) -> list[dict[str, Any]]:
    """What each power leaves on a set; ``leading`` are the composites that lead on real light."""
    answers = Answers(find_method(f"vhmae:{weights}", data))
    found = []
    for power in POWERS:
        report = evaluate(data, answers.then_gain(power), ("fmse",), cache=cache)
        kept = {key: report[key] for key in ("ratio", "worse_share", "digests")}
        leading = {"leading": report["leading"]} if "leading" in report else {}
        found.append({"weights": weights, "data": data.name, "power": power, **kept, **leading})
        print(json.dumps(found[-1]), flush=True)
    return found


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--sets", type=Path, required=True, help="folder of the made sets")
    parser.add_argument("--weights", default="free,default", metavar="NAME,...")
    parser.add_argument("--cache", type=Path, help="folder that keeps the decoded sets")
    parser.add_argument("--json", type=Path, default=RESULT)
    args = parser.parse_args()
    found = [
        row
        for weights in args.weights.split(",")
        for name in SETS
        for row in rows(weights, args.sets / name, args.cache)
    ]
    report = {"schema": 1, "hardware": describe(), "rows": found}
    write_text_whole(args.json, json.dumps(report, indent=1) + "\n")


if __name__ == "__main__":
    main()
