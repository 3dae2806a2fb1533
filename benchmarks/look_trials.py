"""What the look path lives on: trials of a few minutes each, trained and scored on drawn pixels
(docs/results-parts.md, "The recipe").

python benchmarks/look_trials.py --data DATA --cache CACHE [--only NAME ...] [--json FILE]

Each trial changes one thing of the first (configs/ablations/look.yaml) and is scored on the dev
clips, under training LUTs: choices are made here, never on val. Stop it at any time: finished
    trials are skipped. About four minutes a trial on one core.
"""

from __future__ import annotations

import argparse
import dataclasses
import hashlib
import json
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import torch
import yaml
from hardware import describe
from torch import Tensor
from trial import Pairs, Trial, answers, make_pairs, make_path, train

from vhmae.arrays import Frame, Mask
from vhmae.color.lut import read_lut_bank
from vhmae.config import build
from vhmae.data.clips import Pack
from vhmae.data.looks import LookMixture, LookSampler
from vhmae.data.synthesis import REFERENCE_LINES, Scene, SceneRecipe, SceneSampler, close_edge
from vhmae.model.look import LookPath
from vhmae.training.recipe import DataConfig, LookStage
from vhmae.training.sources import LookBank, bank_file, load_packs, make_sampler
from vhmae.training.splitting import split_dev

ROOT = Path(__file__).parents[1]


# --- scenes


class WholeFrames:
    """Whole dev frames, squeezed to a square, instead of crops around the foreground."""

    def __init__(self, pack: Pack) -> None:
        self.pack = pack

    def draw(self, rng: np.random.Generator, frames: int, size: int) -> Scene:
        clip = int(rng.integers(len(self.pack.names)))
        rows = self.pack.frames_of[clip]
        picks = (
            np.linspace(0, len(rows) - 1, frames).round().astype(int)
            if frames > 1
            else [int(rng.integers(len(rows)))]
        )
        parts: list[tuple[Frame, Mask]] = []
        for pick in picks:
            picture, labels = self.pack.picture(int(rows[pick])), self.pack.labels(int(rows[pick]))
            assert labels is not None
            frame, region = close_edge(
                picture, labels > 0, round(4 * picture.shape[0] / REFERENCE_LINES)
            )
            small = np.asarray(
                cv2.resize(frame, (size, size), interpolation=cv2.INTER_AREA), np.uint8
            )
            parts.append(
                (
                    small,
                    cv2.resize(
                        region.astype(np.uint8), (size, size), interpolation=cv2.INTER_NEAREST
                    )
                    > 0,
                )
            )
        stack, regions = (
            np.stack([frame for frame, _ in parts]),
            np.stack([region for _, region in parts]),
        )
        return Scene(stack, regions, regions, self.pack.source_numbers[clip])


DEV_SCENES = SceneRecipe(
    clean_edge=1.0, clean_edge_pixels=(4, 4), mask_jitter_pixels=0, inverted=0.0, block=0.0
)
DEV_LARGE = dataclasses.replace(DEV_SCENES, large=1.0, large_foreground=(0.4, 0.8))
DEV_SEED = 12345


class Data:
    """Banks of training and dev scenes, drawn once a kind and kept in the cache."""

    def __init__(self, config: DataConfig, cache: Path, workers: int) -> None:
        self.config, self.cache, self.workers = config, cache, workers
        self.packs, self.dev_pack = split_dev(load_packs(config, cache), config.dev_list)
        self.luts = read_lut_bank(config.root_path / config.luts, "train")
        self.dev_looks = LookSampler.from_luts(self.luts, LookMixture(), 512, DEV_SEED)

    def training(self, trial: Trial, samples: int) -> LookBank:
        stage = LookStage(samples=samples, clip_frames=trial.clip_frames)
        path = self.cache / bank_file(self.config, SceneRecipe(), stage, 0)
        if not path.exists():
            LookBank.draw(
                make_sampler(self.packs, self.config, SceneRecipe()), stage, 0, self.workers
            ).save(path)
        return LookBank.load(path)

    def rows(self, trial: Trial, bank: LookBank) -> Tensor:
        """The rows of a training bank that a trial may use."""
        allowed: list[int] = []
        for folder, pack in zip(self.config.folders, self.packs, strict=True):
            numbers = sorted(set(pack.source_numbers))
            if folder in trial.folders:
                allowed += (
                    numbers[: trial.videos] if folder == "train" and trial.videos else numbers
                )
        low, high = trial.foreground
        share = bank.shares[:, 0]
        kept = torch.isin(bank.source, torch.tensor(allowed)) & (share >= low) & (share <= high)
        return kept.nonzero()[: trial.samples, 0]

    def dev(self, kind: str, clip_frames: int) -> Pairs:
        """Dev composites of a kind: ``two``, ``one``, ``mild``, ``large``, ``same``, ``whole``."""
        scenes = DEV_LARGE if kind == "large" else DEV_SCENES
        sampler = (
            WholeFrames(self.dev_pack)
            if kind == "whole"
            else SceneSampler([self.dev_pack], [1.0], scenes)
        )
        facts = (
            self.dev_pack.names,
            str(self.config.root_path),
            None if kind == "whole" else scenes,
            clip_frames,
        )
        path = self.cache / f"look_dev.{_digest(repr(facts))}.npz"
        if not path.exists():
            LookBank.draw(
                sampler, LookStage(samples=900, clip_frames=clip_frames), DEV_SEED, self.workers
            ).save(path)
        bank = LookBank.load(path)
        strength = {"mild": (0.1, 0.4), "same": (0.0, 0.0)}.get(kind, (0.3, 1.0))
        mixture = LookMixture(strength=strength, one_look=float(kind == "one"), same_look=0.0)
        pairs = self.dev_looks.with_mixture(mixture).draw_pairs(
            np.random.default_rng(DEV_SEED), len(bank)
        )
        return make_pairs(bank, torch.arange(len(bank)), *pairs)


# --- scores


def over_sources(values: Tensor, base: Tensor, source: Tensor) -> float:
    """Standard error of a ratio of sums, by a bootstrap over the sources."""
    groups = [
        (float(values[source == one].sum()), float(base[source == one].sum()))
        for one in source.unique()
    ]
    sums = np.array(groups)[
        np.random.default_rng(0).integers(len(groups), size=(1000, len(groups)))
    ].sum(1)
    return float((sums[:, 0] / sums[:, 1]).std())


@torch.no_grad()
def score(trial: Trial, path: LookPath, data: Data) -> dict[str, Any]:
    """Ratios of the masked error to the untouched composite's, on every kind of dev composites."""
    found: dict[str, Any] = {}
    for kind in ("two", "one", "mild", "large", "whole"):
        pairs = data.dev(kind, trial.clip_frames)
        harmonized, log_variance = answers(path, pairs, trial.basis)
        mean = harmonized.mean(0).clamp(0.0, 1.0)
        error, base = pairs.squared(mean), pairs.squared(pairs.sets[0])
        row: dict[str, Any] = {
            "ratio": float(error.sum() / base.sum()),
            "se": over_sources(error, base, pairs.source),
        }
        if kind in ("two", "mild"):
            thirds = base.argsort().tensor_split(3)
            row["thirds"] = [float(error[third].sum() / base[third].sum()) for third in thirds]
            row["worse"] = float((error > base).float().mean())
        if kind == "two":
            other, _ = answers(path, pairs.other_background(), trial.basis)
            row["swapped"] = float(pairs.squared(other.mean(0).clamp(0.0, 1.0)).sum() / base.sum())
            row["members"] = [
                float(pairs.squared(one.clamp(0.0, 1.0)).sum() / base.sum()) for one in harmonized
            ]
            row["doubt"] = doubts(pairs, harmonized, log_variance)
        found[kind] = row
    found["careful"] = careful(trial, path, data)
    same = data.dev("same", trial.clip_frames)
    harmonized, _ = answers(path, same, trial.basis)
    found["drift"] = float(
        (harmonized.mean(0).clamp(0.0, 1.0) - same.target)
        .abs()
        .mean(-1)
        .mul(same.weight)
        .sum(-1)
        .mean()
        * 255.0
    )
    return found


CAUTIONS = (0.0, 6.0, 10.0, 14.0, 18.0, 22.0, 26.0)
PASSES = {1: (1.0,), 2: (1.0, 0.7), 3: (1.0, 0.7, 0.5)}


def careful(trial: Trial, path: LookPath, data: Data) -> list[dict[str, float]]:
    """Strong and mild mismatches by the caution, and by how often the composite is shown: what one
    costs the other."""
    rows: list[dict[str, float]] = []
    two, mild = data.dev("two", trial.clip_frames), data.dev("mild", trial.clip_frames)
    for passes, shares in PASSES.items():
        changes = [
            answers(path, pairs, trial.basis, shares)[0].mean(0) - pairs.sets[0]
            for pairs in (two, mild)
        ]
        for caution in CAUTIONS:
            ratios, found = [], []
            for pairs, change in zip((two, mild), changes, strict=True):
                size = (change.square().mean(-1) * pairs.weight).sum(-1) * 255.0**2
                kept = (size / (size + caution**2).clamp_min(1e-9)).view(-1, 1, 1)
                error = pairs.squared((pairs.sets[0] + kept * change).clamp(0.0, 1.0))
                found.append(error)
                ratios.append(float(error.sum() / pairs.squared(pairs.sets[0]).sum()))
            base = two.squared(two.sets[0])
            thirds = [
                float(found[0][third].sum() / base[third].sum())
                for third in base.argsort().tensor_split(3)
            ]
            rows.append(
                {
                    "passes": passes,
                    "caution": caution,
                    "two": ratios[0],
                    "mild": ratios[1],
                    "weakest": thirds[0],
                    "strongest": thirds[2],
                    "worse": float((found[0] > base).float().mean()),
                }
            )
    return rows


def doubts(pairs: Pairs, harmonized: Tensor, log_variance: Tensor) -> dict[str, Any]:
    """How well three signs tell where the answer errs, and what a careful answer by each of them
    makes of weak mismatches.

    A sign's ``rank`` is its rank correlation with the error; ``curve`` shrinks each answer by c^2 /
    (c^2 + k d^2), where c is the size of the change, d the doubt, and k such that the ratio rises
    by .02, .05 and .1.
    """
    mean = harmonized.mean(0)
    error, base = pairs.squared(mean.clamp(0.0, 1.0)), pairs.squared(pairs.sets[0])
    change = mean - pairs.sets[0]
    size = (change.square().mean(-1) * pairs.weight).sum(-1)
    signs = {"constant": torch.full_like(size, (6.0 / 255.0) ** 2)}
    signs["members"] = ((harmonized - mean).square().mean((0, -1)) * pairs.weight).sum(-1)
    if float(log_variance.abs().sum()) > 0.0:
        signs["likelihood"] = (log_variance - 5.0).clamp(-12.0, 2.0).exp().mean(0)
    weakest = base.argsort()[: len(base) // 3]
    found: dict[str, Any] = {}
    for name, doubt in signs.items():
        ranks = [
            one.argsort().argsort().double()
            for one in (doubt if name != "constant" else size, error)
        ]
        row: dict[str, Any] = {"rank": float(torch.corrcoef(torch.stack(ranks))[0, 1]), "curve": []}
        start = float(error.sum() / base.sum())
        for loss in (0.02, 0.05, 0.1):
            low, high = 1e-4, 1e4
            for _ in range(40):
                k = (low * high) ** 0.5
                scale = (size / (size + k * doubt + 1e-12)).view(-1, 1, 1)
                careful = pairs.squared((pairs.sets[0] + scale * change).clamp(0.0, 1.0))
                low, high = (
                    (k, high) if float(careful.sum() / base.sum()) < start + loss else (low, k)
                )
            weak = float(careful[weakest].sum() / base[weakest].sum())
            row["curve"].append(
                {
                    "loss": loss,
                    "k": k,
                    "weakest": weak,
                    "worse": float((careful > base).float().mean()),
                }
            )
        found[name] = row
    return found


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:12]


def rounded(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: rounded(item) for key, item in value.items()}
    if isinstance(value, list):
        return [rounded(item) for item in value]
    return round(value, 4) if isinstance(value, float) else value


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument(
        "--cache", type=Path, required=True, help="folder that keeps packs and banks"
    )
    parser.add_argument("--plan", type=Path, default=ROOT / "configs" / "ablations" / "look.yaml")
    parser.add_argument("--only", nargs="*", help="names of trials")
    parser.add_argument("--workers", type=int, default=1, help="processes that draw banks")
    parser.add_argument(
        "-o",
        "--output",
        type=Path,
        help="folder that keeps the trials' networks, to score them anew",
    )
    parser.add_argument(
        "--json", type=Path, default=Path(__file__).parent / "results" / "look-trials.jsonl"
    )
    args = parser.parse_args(arguments)
    plan = yaml.safe_load(args.plan.read_text())
    done = (
        {(row["trial"], row["seed"]) for row in map(json.loads, args.json.read_text().splitlines())}
        if args.json.exists()
        else set()
    )
    data = Data(
        DataConfig(root=str(args.data), dev_list=ROOT / "configs" / "dev.txt"),
        args.cache,
        args.workers,
    )
    most = max(
        build(Trial, {**plan["settings"], **changes}, str(args.plan)).samples
        for changes in plan["trials"].values()
    )
    for seed in plan["seeds"]:
        for name, changes in plan["trials"].items():
            if (name, seed) in done or (args.only and name not in args.only):
                continue
            trial = build(Trial, {**plan["settings"], **changes}, f"{args.plan}: {name}")
            began = time.monotonic()
            bank = data.training(trial, most if trial.clip_frames == 1 else trial.samples)
            rows = data.rows(trial, bank)
            drawn = time.monotonic()
            kept = (
                args.output / f"{_digest(repr(trial))}.{seed}.pt"
                if args.output is not None
                else None
            )
            if kept is not None and kept.exists():  # trained before, to be scored anew
                path = make_path(trial).eval()
                path.load_state_dict(torch.load(kept, weights_only=True))
                seconds = None
            else:
                path = train(
                    trial,
                    bank,
                    rows,
                    LookSampler.from_luts(data.luts, trial.looks, 4096, seed),
                    seed,
                )
                seconds = round(time.monotonic() - drawn)
                if kept is not None:
                    kept.parent.mkdir(parents=True, exist_ok=True)
                    torch.save(path.state_dict(), kept)
            row = {
                "trial": name,
                "seed": seed,
                "scenes": len(rows),
                "drawn_seconds": round(drawn - began),
                "trained_seconds": seconds,
                "scores": rounded(score(trial, path, data)),
                "hardware": describe(),
            }
            with args.json.open("a", encoding="utf-8") as file:
                file.write(json.dumps(row) + "\n")
            print(
                name,
                seed,
                {
                    key: value["ratio"]
                    for key, value in row["scores"].items()
                    if isinstance(value, dict)
                },
                flush=True,
            )


if __name__ == "__main__":
    main()
