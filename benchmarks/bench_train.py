"""How fast training is, and where its time goes.

python benchmarks/bench_train.py --data DATA [--config configs/small.yaml] [--json FILE]

Prints JSON: samples a second with and without the model, the share of the measured matrix rate that
    the step reaches (model
FLOP utilisation), the share of time spent waiting for scenes, a step's time by foreground share
(packed and key-masked encoder), by size, and with compiled decoder or unfused AdamW. Every
comparison is measured in turns within one run. About 4 minutes.
"""

from __future__ import annotations

import argparse
import dataclasses
import functools
import json
import tempfile
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from hardware import describe
from torch.utils.flop_counter import FlopCounterMode

from vhmae.color.lut import read_lut_bank
from vhmae.config import read_config
from vhmae.data.looks import LookSampler
from vhmae.data.synthesis import Scene, StackedScenes, TrainingBatch, make_batch
from vhmae.model.precision import DTYPES, choose_device, choose_precision
from vhmae.model.vhmae import VHMAE
from vhmae.training.objective import batch_losses
from vhmae.training.recipe import Recipe, Stage
from vhmae.training.sources import Batches, iterate_batches, load_packs, make_sampler
from vhmae.training.splitting import split_dev

ROUNDS = 3
SHARES = (0.1, 0.3, 0.5, 0.7)
SIZES = ((96, 1), (160, 1), (256, 2))


def best_seconds(
    works: Mapping[str, Callable[[], object]], device: torch.device, rounds: int = ROUNDS
) -> dict[str, float]:
    """Best time of each piece of work, all taken in turns so that other load meets them alike."""
    best = dict.fromkeys(works, float("inf"))
    for number in range(rounds + 1):
        for name, work in works.items():
            start = time.perf_counter()
            work()
            if device.type == "cuda":
                torch.cuda.synchronize()
            if number:  # the first round warms up
                best[name] = min(best[name], time.perf_counter() - start)
    return best


def matrix_rate(device: torch.device, precision: str, size: int = 2048) -> float:
    """FLOP/s of a large matrix product in a precision."""
    matrix = torch.ones(size, size, device=device, dtype=DTYPES[precision])
    return 2.0 * size**3 / best_seconds({"product": lambda: matrix @ matrix}, device, 8)["product"]


class Step:
    """A training step of a model on given scenes."""

    def __init__(
        self,
        recipe: Recipe,
        device: torch.device,
        precision: Any,
        fused: bool = True,
        compiled: bool = False,
    ) -> None:
        torch.manual_seed(0)
        self.model = VHMAE(recipe.model).to(device).train()
        if compiled:
            self.model.decoder.compile()
        self.recipe, self.device, self.precision = recipe, device, precision
        self.optimizer = torch.optim.AdamW(self.model.parameters(), lr=1e-4, fused=fused)

    def __call__(self, batch: TrainingBatch) -> None:
        values = batch_losses(
            self.model, batch, self.recipe.train.loss, self.recipe.model.patch_size, self.precision
        )
        self.optimizer.zero_grad(set_to_none=True)
        values["loss"].backward()
        torch.nn.utils.clip_grad_norm_(self.model.parameters(), 1.0)
        self.optimizer.step()


def square_batch(
    share: float, batch_size: int, frames: int, size: int, device: torch.device
) -> TrainingBatch:
    """Composites with a square foreground that takes a share of each frame."""
    generator = torch.Generator().manual_seed(0)
    pictures = torch.rand(batch_size, frames, 3, size, size, generator=generator).to(device)
    mask = torch.zeros(batch_size, frames, 1, size, size, dtype=torch.bool, device=device)
    side = round(size * share**0.5)
    mask[..., :side, :side] = True
    return TrainingBatch(
        pictures,
        (pictures * 0.9).contiguous(),
        mask,
        mask,
        torch.zeros(batch_size, dtype=torch.long),
    )


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--config", type=Path, default=Path("configs/small.yaml"))
    parser.add_argument("--cache", type=Path, help="folder of packs made before")
    parser.add_argument("--device", default="auto")
    parser.add_argument("--steps", type=int, default=8)
    parser.add_argument(
        "--stage", type=int, default=-1, help="which stage of the recipe (the last)"
    )
    parser.add_argument("--batch-size", type=int, help="instead of the recipe's")
    parser.add_argument(
        "--compile", action="store_true", help="measure the compiled decoder too (takes minutes)"
    )
    parser.add_argument("--json", type=Path)
    args = parser.parse_args()
    recipe = read_config(Recipe, args.config, {"data.root": str(args.data)})
    device = choose_device(args.device)
    precision = choose_precision("auto", device)
    peak = matrix_rate(device, precision)
    stage = dataclasses.replace(
        recipe.train.stages[args.stage],
        batch_size=args.batch_size or recipe.train.stages[args.stage].batch_size,
    )
    result: dict[str, Any] = {
        "schema": 1,
        "hardware": describe(),
        "config": args.config.name,
        "device": str(device),
        "precision": precision,
    }
    result["matrix_gflops"] = {
        name: round(matrix_rate(device, name) / 1e9, 1) for name in sorted({"fp32", precision})
    }
    with tempfile.TemporaryDirectory() as temporary:
        result["training"] = measure_training(
            recipe, stage, args.cache or Path(temporary), device, precision, peak, args.steps
        )
    result["by_foreground_share"] = measure_shares(recipe, stage, device, precision)
    result["by_size"] = measure_sizes(recipe, stage, device, precision)
    result["variants"] = measure_variants(recipe, stage, device, precision, args.compile)
    text = json.dumps(result, indent=1)
    print(text)
    if args.json:
        args.json.write_text(text + "\n")


def measure_training(
    recipe: Recipe,
    stage: Stage,
    cache: Path,
    device: torch.device,
    precision: Any,
    peak: float,
    steps: int,
) -> dict[str, Any]:
    """Real scenes through the real loader: rates, waiting, utilisation."""
    data = recipe.data
    packs, _ = split_dev(load_packs(data, cache), data.dev_list)
    looks = LookSampler.from_luts(
        read_lut_bank(data.root_path / data.luts, "train"), recipe.looks, data.looks_pool
    ).to(device)
    sampler = make_sampler(packs, data, recipe.scenes)
    batches = Batches(sampler, 0, range(stage.batch_size), stage.clip_frames, stage.image_size)
    step = Step(recipe, device, precision)
    waiting = synthesis = working = 0.0
    scenes: list[Scene] = []
    loader = iter(iterate_batches(batches, range(steps + 2), max(1, data.workers)))
    for number in range(steps + 2):
        start = time.perf_counter()
        scenes = next(loader)
        arrived = time.perf_counter()
        batch = make_batch(
            StackedScenes.of(scenes).to(device), looks, np.random.default_rng(number)
        )
        made = time.perf_counter()
        step(batch)
        if device.type == "cuda":
            torch.cuda.synchronize()
        if number >= 2:  # workers and kernels are warm by then
            waiting += arrived - start
            synthesis += made - arrived
            working += time.perf_counter() - made
    with FlopCounterMode(display=False) as counter:
        step(batch)
    flops = float(counter.get_total_flops())
    start = time.perf_counter()
    for number in range(2):
        make_batch(
            StackedScenes.of(batches[1000 + number]).to(device),
            looks,
            np.random.default_rng(number),
        )
    alone = (time.perf_counter() - start) / 2
    total = waiting + synthesis + working
    return {
        "batch_size": stage.batch_size,
        "image_size": stage.image_size,
        "clip_frames": stage.clip_frames,
        "samples_per_second": round(steps * stage.batch_size / total, 2),
        "samples_per_second_without_model_one_process": round(stage.batch_size / alone, 2),
        "seconds_per_step": round(total / steps, 4),
        "waiting_share": round(waiting / total, 4),
        "synthesis_share": round(synthesis / total, 4),
        "gflop_per_step": round(flops / 1e9, 1),
        "flop_utilisation": round(flops / (working / steps) / peak, 4),
    }


def measure_shares(
    recipe: Recipe, stage: Stage, device: torch.device, precision: Any
) -> list[dict[str, Any]]:
    """A step's time by foreground share: packing against key masking."""
    step = Step(recipe, device, precision)
    rows = []
    for share in SHARES:
        batch = square_batch(share, stage.batch_size, stage.clip_frames, stage.image_size, device)

        def run(packed: bool, batch: TrainingBatch = batch) -> None:
            step.model.packed = packed
            step(batch)

        best = best_seconds(
            {"packed": functools.partial(run, True), "masked": functools.partial(run, False)},
            device,
        )
        seconds = {name: round(value, 4) for name, value in best.items()}
        rows.append(
            {"foreground": share, **seconds, "ratio": round(best["packed"] / best["masked"], 3)}
        )
    return rows


def measure_sizes(
    recipe: Recipe, stage: Stage, device: torch.device, precision: Any
) -> list[dict[str, Any]]:
    """Seconds a sample at the sizes of low-resolution stages, beside the last stage's."""
    step = Step(recipe, device, precision)
    works = {}
    for size, frames in SIZES:
        batch = square_batch(0.3, stage.batch_size, frames, size, device)
        works[f"{size} px, {frames} frames"] = lambda batch=batch: step(batch)
    best = best_seconds(works, device)
    return [
        {"stage": name, "seconds_per_sample": round(seconds / stage.batch_size, 5)}
        for name, seconds in best.items()
    ]


def measure_variants(
    recipe: Recipe, stage: Stage, device: torch.device, precision: Any, compiled: bool
) -> dict[str, float]:
    """Seconds a step with one thing changed."""
    batch = square_batch(0.3, stage.batch_size, stage.clip_frames, stage.image_size, device)
    steps = {
        "as trained": Step(recipe, device, precision),
        "AdamW not fused": Step(recipe, device, precision, fused=False),
    }
    if compiled:
        steps["decoder compiled"] = Step(recipe, device, precision, compiled=True)
    best = best_seconds(
        {name: functools.partial(step, batch) for name, step in steps.items()}, device
    )
    return {name: round(seconds, 4) for name, seconds in best.items()}


if __name__ == "__main__":
    main()
