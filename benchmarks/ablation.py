"""Train variants of a recipe one after the other, and score each: one JSON line a run
(docs/results-parts.md, "The paper's claims").

python benchmarks/ablation.py --plan configs/ablations/paper.yaml --data DATA --sets SETS -o RUNS
[--cache FOLDER] [--json FILE]

A plan names a recipe, what all runs share, seeds, runs that take the first seed alone, what each
run changes, and perhaps a first run whose weights the others start from, but for those that begin
afresh. Stop it at any time:
finished runs are skipped and the one that was going on resumes. All runs of the first seed come
first. SETS holds the sets of configs/benchmarks.
"""

from __future__ import annotations

import argparse
import dataclasses
import json
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import yaml
from hardware import describe

from vhmae.config import read_config
from vhmae.evaluation import metrics
from vhmae.evaluation.methods import Clip, Method, find_method
from vhmae.evaluation.runner import evaluate
from vhmae.model.weights import count_parameters
from vhmae.training.loop import Trainer
from vhmae.training.recipe import Recipe
from vhmae.training.resuming import CHECKPOINT

WEIGHTS = "weights.safetensors"
RESULTS = Path(__file__).parent / "results"
KEPT = (
    "overall",
    "ratio",
    "ratio_ci95",
    "settings",
    "method_facts",
    "digests",
    "bins",
    "thirds",
    "worse_share",
    "composites",
    "videos",
)


@dataclasses.dataclass(frozen=True)
class Run:
    """One variant under one seed."""

    name: str
    seed: int
    recipe: Recipe
    folder: Path
    start_from: Path | None = None


def runs_of(plan_file: Path, data: Path, cache: Path | None, folder: Path) -> Iterator[Run]:
    """All runs of a plan, those of the first seed first."""
    plan = yaml.safe_load(plan_file.read_text())
    places = {"data.root": str(data), **({"data.cache": str(cache)} if cache else {})}

    def run(name: str, seed: int, changes: dict[str, Any], start_from: Path | None) -> Run:
        settings = {**plan["settings"], **changes, **places, "train.seed": seed}
        recipe = read_config(
            Recipe,
            plan_file.parent / plan["recipe"],
            {key: json.dumps(value) for key, value in settings.items()},
        )
        return Run(
            name,
            seed,
            recipe,
            folder / f"{name.replace(', ', '-').replace(' ', '-')}.{seed}",
            start_from,
        )

    for seed in plan["seeds"]:
        first = run("first", seed, plan["first"], None) if "first" in plan else None
        first_weights = None
        if first is not None:
            yield first
            first_weights = first.folder / WEIGHTS
        once = plan.get("once", ()) if seed != plan["seeds"][0] else ()
        for name, changes in plan["runs"].items():
            if name in once:
                continue
            afresh = name in plan.get("afresh", ())
            yield run(name, seed, changes, None if afresh else first_weights)


def with_seams(method: Method, size: int, patch: int, found: list[float]) -> Method:
    """The same method; keeps the seam energy of each of its frames in ``found``."""

    def harmonize(clip: Clip) -> np.ndarray:
        result = method.harmonize(clip)
        found.extend(
            metrics.seam_ratio(r, c, m, size // patch)
            for r, c, m in zip(result, clip.composite, clip.mask, strict=True)
        )
        return result

    return dataclasses.replace(method, harmonize=harmonize)


def score(
    weights: Path, plan: dict[str, Any], patch: int, sets: Path, cache: Path | None
) -> list[dict[str, Any]]:
    """The reports of one run on the sets of its plan, at the plan's size."""
    reports = []
    for name, wanted in plan["sets"].items():
        seams: list[float] = []
        method = with_seams(
            find_method("vhmae", sets / name, str(weights), caution=0.0), plan["size"], patch, seams
        )
        report = evaluate(sets / name, method, wanted, cache=cache, size=plan["size"])
        kept: dict[str, Any] = {key: report[key] for key in KEPT if key in report}
        if "weights" in kept["method_facts"]:  # not where they lie on this machine
            kept["method_facts"]["weights"] = f"runs/{weights.parent.name}/{weights.name}"
        reports.append({"set": name, **kept, "seam": round(float(np.nanmean(seams)), 4)})
    return reports


def train(run: Run) -> Trainer:
    """Train a run to its end, from its checkpoint where it has one."""
    trainer = Trainer(
        run.recipe,
        run.folder,
        start_from=str(run.start_from) if run.start_from is not None else None,
    )
    trainer.run(resume=(run.folder / CHECKPOINT).exists())
    return trainer


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--plan", type=Path, required=True)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--sets", type=Path, required=True)
    parser.add_argument("--cache", type=Path, help="folder that keeps packs and decoded sets")
    parser.add_argument("-o", "--output", type=Path, required=True, help="folder of the runs")
    parser.add_argument("--json", type=Path, help="one line a run (results/ablation-PLAN.jsonl)")
    args = parser.parse_args()
    lines = args.json or RESULTS / f"ablation-{args.plan.stem}.jsonl"
    plan = yaml.safe_load(args.plan.read_text())
    done = (
        {(row["run"], row["seed"]) for row in map(json.loads, lines.read_text().splitlines())}
        if lines.exists()
        else set()
    )
    for run in runs_of(args.plan, args.data, args.cache, args.output):
        starts_others = run.name == "first" and not (run.folder / WEIGHTS).exists()
        if (run.name, run.seed) in done and not starts_others:
            continue
        trainer = train(run)
        began = time.monotonic()
        reports = score(
            run.folder / WEIGHTS, plan, run.recipe.model.patch_size, args.sets, args.cache
        )
        row = {
            "run": run.name,
            "seed": run.seed,
            "steps": trainer.state.step,
            "parameters": count_parameters(trainer.model),
            "trained_seconds": round(trainer.state.trained_seconds),
            "scored_seconds": round(time.monotonic() - began),
            "precision": trainer.state.precision,
            "validation": trainer.scores,
            "scores": reports,
            "hardware": describe(),
        }
        with lines.open("a", encoding="utf-8") as file:
            file.write(json.dumps(row) + "\n")
        (
            run.folder / CHECKPOINT
        ).unlink()  # several times the weights; a finished run needs them no more
        print(
            row["run"],
            row["seed"],
            {report["set"]: report["ratio"] for report in reports},
            flush=True,
        )


if __name__ == "__main__":
    main()
