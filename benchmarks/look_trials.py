"""What the look path lives on: trials of a few minutes each, trained and scored on drawn pixels (docs/results.md, "The recipe").

python benchmarks/look_trials.py --data DATA --cache CACHE [--only NAME ...] [--json FILE]

Each trial changes one thing of the first (configs/ablations/look.yaml) and is scored on the dev clips, under training LUTs:
choices are made here, never on val. Stop it at any time: finished trials are skipped. About four minutes a trial on one core.
"""

from __future__ import annotations

import argparse
import dataclasses
import hashlib
import json
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal

import cv2
import numpy as np
import torch
import yaml
from hardware import describe
from torch import Tensor, nn

from vhmae.color import statistics
from vhmae.color.lut import apply_luts, read_lut_bank
from vhmae.color.transform import color_basis
from vhmae.config import build
from vhmae.data.clips import Pack
from vhmae.data.looks import LookMixture, LookSampler
from vhmae.data.synthesis import REFERENCE_LINES, Scene, SceneRecipe, SceneSampler, close_edge
from vhmae.model.look import LookConfig, LookPath, MemberLinear
from vhmae.training.recipe import DataConfig, LookStage
from vhmae.training.sources import LookBank, bank_file, load_packs, make_sampler, split_dev

ROOT = Path(__file__).parents[1]
Basis = Literal["affine", "quadratic", "luma"]
LUMA_NODES = 3
NUMBERS = {"moments": range(18), "quantiles": range(18, 53), "luma bands": range(53, 71), "clipped": range(71, 77)}
"""Where each kind of number stands among ``statistics.STATISTICS``."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class Trial:
    """One way to train the look path."""

    sets: tuple[str, ...] = statistics.SETS
    """Pixel sets that are shown."""
    numbers: tuple[str, ...] = tuple(NUMBERS)
    histograms: bool = True
    basis: Basis = "quadratic"
    """Of the answer; ``luma`` is an affine map at each of three luma nodes, interpolated: a bilateral grid without places."""
    members: int = 4
    width: int = 256
    steps: int = 1500
    batch_size: int = 256
    samples: int = 40000
    loss: Literal["relative", "l1", "lab", "likelihood"] = "relative"
    """``relative`` to the composite's error + floor (a large floor is the plain squared error); ``lab`` squares distances in CIELAB;
    ``likelihood`` is a Gaussian's, whose deviation each member says, too."""
    floor: float = 0.03
    harm_weight: float = 0.0
    looks: LookMixture = dataclasses.field(default_factory=LookMixture)
    folders: tuple[str, ...] = ("train", "photos", "scenes")
    """Where scenes may come from."""
    videos: int = 0
    """How many of the training videos; 0 takes all."""
    foreground: tuple[float, float] = (0.0, 1.0)
    """Shares of scenes that are kept."""
    clip_frames: int = 1
    """Frames that the pixels of a scene are drawn from, in training and on dev."""
    passes: int = 1
    """How often training shows a composite, the later times as harmonized so far."""


class Keep(nn.Module):
    """Features times zeros and ones: what a trial is not shown."""

    kept: Tensor

    def __init__(self, kept: Tensor) -> None:
        super().__init__()
        self.register_buffer("kept", kept)

    def forward(self, features: Tensor) -> Tensor:
        return features * self.kept


def make_path(trial: Trial) -> LookPath:
    """The look path of a trial."""
    path = LookPath(LookConfig(members=trial.members, width=trial.width))
    shown = torch.zeros(len(statistics.SETS), statistics.STATISTICS)
    seen = torch.tensor([name in trial.sets for name in statistics.SETS])
    for name in trial.numbers:
        shown[:, list(NUMBERS[name])] = 1.0
    shown *= seen.unsqueeze(-1)
    path.normalize = nn.Sequential(path.normalize, Keep(torch.cat([shown.flatten(), seen.float()])))  # type: ignore[assignment]
    cells = (seen * float(trial.histograms)).repeat_interleave(statistics.HISTOGRAM_BINS**3)
    path.read_histogram = nn.Sequential(Keep(cells), path.read_histogram)  # type: ignore[assignment]
    terms = {"affine": 4, "quadratic": 10, "luma": 4 * LUMA_NODES}[trial.basis]
    path.answer = MemberLinear(trial.members, trial.width, 3 * terms + 3 * (trial.loss == "likelihood"))
    nn.init.zeros_(path.answer.weight)
    return path


def evaluate_basis(rgb: Tensor, basis: Basis) -> Tensor:
    """Colours (..., 3) -> (..., terms)."""
    if basis != "luma":
        return color_basis(rgb, {"affine": 4, "quadratic": 10}[basis])
    luma = rgb @ rgb.new_tensor([0.299, 0.587, 0.114])
    nodes = torch.linspace(0.0, 1.0, LUMA_NODES)
    weight = (1.0 - (luma.unsqueeze(-1) - nodes).abs() * (LUMA_NODES - 1)).clamp_min(0.0)
    return (weight.unsqueeze(-1) * color_basis(rgb, 4).unsqueeze(-2)).flatten(-2)


def to_lab(rgb: Tensor) -> Tensor:
    """sRGB (..., 3) in [0, 1] -> CIELAB over 100, the white of D65."""
    linear = torch.where(rgb <= 0.04045, rgb / 12.92, ((rgb.clamp_min(0.0) + 0.055) / 1.055) ** 2.4)
    matrix = rgb.new_tensor([[0.4124, 0.3576, 0.1805], [0.2126, 0.7152, 0.0722], [0.0193, 0.1192, 0.9505]])
    xyz = (linear @ matrix.T / rgb.new_tensor([0.9505, 1.0, 1.089])).clamp_min(0.0)
    root = torch.where(xyz > 0.008856, (xyz + 1e-8) ** (1 / 3), 7.787 * xyz + 16 / 116)
    x, y, z = root.unbind(-1)
    return torch.stack([1.16 * y - 0.16, 5.0 * (x - y), 2.0 * (y - z)], dim=-1)


@dataclasses.dataclass(frozen=True)
class Pairs:
    """Drawn pixels of composites and what they should be."""

    sets: list[Tensor]
    """One (B, P, 3) a set, as the network sees them."""
    shares: Tensor
    target: Tensor
    """(B, P, 3) of the foreground."""
    weight: Tensor
    """(B, P): the recoloured pixels, sums to one."""
    source: Tensor

    def squared(self, colors: Tensor) -> Tensor:
        """Mean squared error (..., B)."""
        return ((colors - self.target).square().mean(-1) * self.weight).sum(-1)

    def other_background(self) -> Pairs:
        """Each foreground before the background of another clip."""
        order = torch.argsort(self.source, stable=True)
        other = order[(torch.argsort(order) + len(order) // 2) % len(order)]
        own = [name in statistics.FOREGROUND_SETS for name in statistics.SETS]
        sets = [colors if mine else colors[other] for colors, mine in zip(self.sets, own, strict=True)]
        return dataclasses.replace(self, sets=sets)


def make_pairs(bank: LookBank, rows: Tensor, background: Tensor, foreground: Tensor) -> Pairs:
    """Scenes of a bank under drawn looks (``vhmae.training.objective.look_losses``)."""
    pixels, region = bank.pixels[rows].float() / 255.0, bank.region[rows]
    target = apply_luts(pixels, background).clamp(0.0, 1.0)
    composite = torch.where(region.unsqueeze(-1), apply_luts(pixels, foreground).clamp(0.0, 1.0), target)
    count = statistics.PIXELS[0]
    weight = region[:, :count].float()
    weight = weight / weight.sum(1, keepdim=True).clamp_min(1.0)
    return Pairs(list(composite.split(statistics.PIXELS, dim=1)), bank.shares[rows], target[:, :count], weight, bank.source[rows])


def answers(path: LookPath, pairs: Pairs, basis: Basis, shares: Sequence[float] = (1.0,)) -> tuple[Tensor, Tensor]:
    """The members' harmonized colours (M, B, P, 3), and what they say of their error's variance (M, B).

    Args:
        shares: one for each time that the composite is shown, each time as harmonized so far: how much of the answer is added.
    """
    said = path.read(pairs.sets, pairs.shares).member_coefficients
    terms = evaluate_basis(pairs.sets[0][:, :1], basis).shape[-1]
    total = shares[0] * said[..., :terms]
    for share in shares[1:]:
        shown = [recolored(colors, total.mean(0).detach(), basis) if name in statistics.FOREGROUND_SETS else colors
                 for name, colors in zip(statistics.SETS, pairs.sets, strict=True)]  # fmt: skip
        again = path.read(shown, pairs.shares).member_coefficients
        total = total.mean(0, keepdim=True).detach() + share * again[..., :terms]
    return recolored(pairs.sets[0], total, basis, clip=False), said[..., terms:].sum((-1, -2))


def recolored(colors: Tensor, coefficients: Tensor, basis: Basis, clip: bool = True) -> Tensor:
    changed = colors + evaluate_basis(colors, basis) @ coefficients.transpose(-1, -2)
    return changed.clamp(0.0, 1.0) if clip else changed


def loss_of(trial: Trial, path: LookPath, pairs: Pairs) -> Tensor:
    if trial.passes > 1:
        one = dataclasses.replace(trial, passes=1)
        return torch.stack([_loss_of(one, path, pairs, (1.0,) * count) for count in range(1, trial.passes + 1)]).mean()
    return _loss_of(trial, path, pairs, (1.0,))


def _loss_of(trial: Trial, path: LookPath, pairs: Pairs, shares: Sequence[float]) -> Tensor:
    harmonized, log_variance = answers(path, pairs, trial.basis, shares)
    untouched = pairs.squared(pairs.sets[0])
    if trial.loss == "l1":
        return ((harmonized - pairs.target).abs().mean(-1) * pairs.weight).sum(-1).mean()
    if trial.loss == "lab":
        return ((to_lab(harmonized) - to_lab(pairs.target)).square().mean(-1) * pairs.weight).sum(-1).mean()
    error = pairs.squared(harmonized)
    if trial.loss == "likelihood":  # the mean is fitted as ever; the deviation learns from its errors
        spread = (log_variance - 5.0).clamp(-12.0, 2.0)
        return (error / (untouched + trial.floor)).mean() + 0.1 * (error.detach() * (-spread).exp() + spread).mean()
    harm = trial.harm_weight * (error - untouched).clamp_min(0.0)
    return ((error + harm) / (untouched + trial.floor)).mean()


def train(trial: Trial, bank: LookBank, rows: Tensor, looks: LookSampler, seed: int) -> LookPath:
    """Fit a trial's look path; the averaged weights."""
    torch.manual_seed(seed)
    path = make_path(trial)
    average = make_path(trial).eval()
    average.load_state_dict(path.state_dict())
    optimizer = torch.optim.AdamW(path.parameters(), lr=1e-3, weight_decay=0.05)
    for step in range(trial.steps):
        rng = np.random.default_rng([seed, step, 1])
        picks = rows[torch.from_numpy(rng.integers(len(rows), size=trial.batch_size))]
        rate = 1e-3 * min(1.0, (step + 1) / 100) * 0.5 * (1.0 + np.cos(np.pi * step / trial.steps))
        for group in optimizer.param_groups:
            group["lr"] = rate
        optimizer.zero_grad(set_to_none=True)
        loss_of(trial, path, make_pairs(bank, picks, *looks.draw_pairs(rng, len(picks)))).backward()
        nn.utils.clip_grad_norm_(path.parameters(), 1.0)
        optimizer.step()
        with torch.no_grad():
            for mean, value in zip(average.parameters(), path.parameters(), strict=True):
                mean.lerp_(value, 1.0 - min(0.998, (step + 1) / (step + 10)))
            for kept, counted in zip(average.buffers(), path.buffers(), strict=True):
                kept.copy_(counted)
    return average


# --- scenes


class WholeFrames:
    """Whole dev frames, squeezed to a square, instead of crops around the foreground."""

    def __init__(self, pack: Pack) -> None:
        self.pack = pack

    def draw(self, rng: np.random.Generator, frames: int, size: int) -> Scene:
        clip = int(rng.integers(len(self.pack.names)))
        rows = self.pack.frames_of[clip]
        picks = np.linspace(0, len(rows) - 1, frames).round().astype(int) if frames > 1 else [int(rng.integers(len(rows)))]
        parts = []
        for pick in picks:
            picture, labels = self.pack.picture(int(rows[pick])), self.pack.labels(int(rows[pick]))
            assert labels is not None
            frame, region = close_edge(picture, labels > 0, round(4 * picture.shape[0] / REFERENCE_LINES))
            small = cv2.resize(frame, (size, size), interpolation=cv2.INTER_AREA)
            parts.append((small, cv2.resize(region.astype(np.uint8), (size, size), interpolation=cv2.INTER_NEAREST) > 0))
        stack, regions = np.stack([frame for frame, _ in parts]), np.stack([region for _, region in parts])
        return Scene(stack, regions, regions, self.pack.source_numbers[clip])


DEV_SCENES = SceneRecipe(clean_edge=1.0, clean_edge_pixels=(4, 4), mask_jitter_pixels=0, inverted=0.0, block=0.0)
DEV_LARGE = dataclasses.replace(DEV_SCENES, large=1.0, large_foreground=(0.4, 0.8))
DEV_SEED = 12345


class Data:
    """Banks of training and dev scenes, drawn once a kind and kept in the cache."""

    def __init__(self, config: DataConfig, cache: Path, workers: int) -> None:
        self.config, self.cache, self.workers = config, cache, workers
        self.packs, self.dev_pack = split_dev(load_packs(config, cache), ROOT / config.dev_list)
        self.luts = read_lut_bank(config.root_path / config.luts, "train")
        self.dev_looks = LookSampler.from_luts(self.luts, LookMixture(), 512, DEV_SEED)

    def training(self, trial: Trial, samples: int) -> LookBank:
        stage = LookStage(samples=samples, clip_frames=trial.clip_frames)
        path = self.cache / bank_file(self.config, SceneRecipe(), stage, 0)
        if not path.exists():
            LookBank.draw(make_sampler(self.packs, self.config, SceneRecipe()), stage, 0, self.workers).save(path)
        return LookBank.load(path)

    def rows(self, trial: Trial, bank: LookBank) -> Tensor:
        """The rows of a training bank that a trial may use."""
        allowed: list[int] = []
        for folder, pack in zip(self.config.folders, self.packs, strict=True):
            numbers = sorted(set(pack.source_numbers))
            if folder in trial.folders:
                allowed += numbers[: trial.videos] if folder == "train" and trial.videos else numbers
        low, high = trial.foreground
        share = bank.shares[:, 0]
        kept = torch.isin(bank.source, torch.tensor(allowed)) & (share >= low) & (share <= high)
        return kept.nonzero()[: trial.samples, 0]

    def dev(self, kind: str, clip_frames: int) -> Pairs:
        """Dev composites of a kind: ``two``, ``one``, ``mild``, ``large``, ``same``, ``whole``."""
        scenes = DEV_LARGE if kind == "large" else DEV_SCENES
        sampler = WholeFrames(self.dev_pack) if kind == "whole" else SceneSampler([self.dev_pack], [1.0], scenes)
        facts = (self.dev_pack.names, str(self.config.root_path), None if kind == "whole" else scenes, clip_frames)
        path = self.cache / f"look_dev.{_digest(repr(facts))}.npz"
        if not path.exists():
            LookBank.draw(sampler, LookStage(samples=900, clip_frames=clip_frames), DEV_SEED, self.workers).save(path)
        bank = LookBank.load(path)
        strength = {"mild": (0.1, 0.4), "same": (0.0, 0.0)}.get(kind, (0.3, 1.0))
        mixture = LookMixture(strength=strength, one_look=float(kind == "one"), same_look=0.0)
        pairs = self.dev_looks.with_mixture(mixture).draw_pairs(np.random.default_rng(DEV_SEED), len(bank))
        return make_pairs(bank, torch.arange(len(bank)), *pairs)


# --- scores


def over_sources(values: Tensor, base: Tensor, source: Tensor) -> float:
    """Standard error of a ratio of sums, by a bootstrap over the sources."""
    groups = [(float(values[source == one].sum()), float(base[source == one].sum())) for one in source.unique()]
    sums = np.array(groups)[np.random.default_rng(0).integers(len(groups), size=(1000, len(groups)))].sum(1)
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
        row: dict[str, Any] = {"ratio": float(error.sum() / base.sum()), "se": over_sources(error, base, pairs.source)}
        if kind in ("two", "mild"):
            thirds = base.argsort().tensor_split(3)
            row["thirds"] = [float(error[third].sum() / base[third].sum()) for third in thirds]
            row["worse"] = float((error > base).float().mean())
        if kind == "two":
            other, _ = answers(path, pairs.other_background(), trial.basis)
            row["swapped"] = float(pairs.squared(other.mean(0).clamp(0.0, 1.0)).sum() / base.sum())
            row["members"] = [float(pairs.squared(one.clamp(0.0, 1.0)).sum() / base.sum()) for one in harmonized]
            row["doubt"] = doubts(pairs, harmonized, log_variance)
        found[kind] = row
    found["careful"] = careful(trial, path, data)
    same = data.dev("same", trial.clip_frames)
    harmonized, _ = answers(path, same, trial.basis)
    found["drift"] = float((harmonized.mean(0).clamp(0.0, 1.0) - same.target).abs().mean(-1).mul(same.weight).sum(-1).mean() * 255.0)
    return found


CAUTIONS = (0.0, 6.0, 10.0, 14.0, 18.0, 22.0, 26.0)
PASSES = {1: (1.0,), 2: (1.0, 0.7), 3: (1.0, 0.7, 0.5)}


def careful(trial: Trial, path: LookPath, data: Data) -> list[dict[str, float]]:
    """Strong and mild mismatches by the caution, and by how often the composite is shown: what one costs the other."""
    rows: list[dict[str, float]] = []
    two, mild = data.dev("two", trial.clip_frames), data.dev("mild", trial.clip_frames)
    for passes, shares in PASSES.items():
        changes = [answers(path, pairs, trial.basis, shares)[0].mean(0) - pairs.sets[0] for pairs in (two, mild)]
        for caution in CAUTIONS:
            ratios, found = [], []
            for pairs, change in zip((two, mild), changes, strict=True):
                size = (change.square().mean(-1) * pairs.weight).sum(-1) * 255.0**2
                kept = (size / (size + caution**2).clamp_min(1e-9)).view(-1, 1, 1)
                error = pairs.squared((pairs.sets[0] + kept * change).clamp(0.0, 1.0))
                found.append(error)
                ratios.append(float(error.sum() / pairs.squared(pairs.sets[0]).sum()))
            base = two.squared(two.sets[0])
            thirds = [float(found[0][third].sum() / base[third].sum()) for third in base.argsort().tensor_split(3)]
            rows.append({
                "passes": passes, "caution": caution, "two": ratios[0], "mild": ratios[1], "weakest": thirds[0], "strongest": thirds[2],
                "worse": float((found[0] > base).float().mean()),
            })  # fmt: skip
    return rows


def doubts(pairs: Pairs, harmonized: Tensor, log_variance: Tensor) -> dict[str, Any]:
    """How well three signs tell where the answer errs, and what a careful answer by each of them makes of weak mismatches.

    A sign's ``rank`` is its rank correlation with the error; ``curve`` shrinks each answer by c^2 / (c^2 + k d^2), where c is the
    size of the change, d the doubt, and k such that the ratio rises by .02, .05 and .1.
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
        ranks = [one.argsort().argsort().double() for one in (doubt if name != "constant" else size, error)]
        row: dict[str, Any] = {"rank": float(torch.corrcoef(torch.stack(ranks))[0, 1]), "curve": []}
        start = float(error.sum() / base.sum())
        for loss in (0.02, 0.05, 0.1):
            low, high = 1e-4, 1e4
            for _ in range(40):
                k = (low * high) ** 0.5
                scale = (size / (size + k * doubt + 1e-12)).view(-1, 1, 1)
                careful = pairs.squared((pairs.sets[0] + scale * change).clamp(0.0, 1.0))
                low, high = (k, high) if float(careful.sum() / base.sum()) < start + loss else (low, k)
            weak = float(careful[weakest].sum() / base[weakest].sum())
            row["curve"].append({"loss": loss, "k": k, "weakest": weak, "worse": float((careful > base).float().mean())})
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
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--cache", type=Path, required=True, help="folder that keeps packs and banks")
    parser.add_argument("--plan", type=Path, default=ROOT / "configs" / "ablations" / "look.yaml")
    parser.add_argument("--only", nargs="*", help="names of trials")
    parser.add_argument("--workers", type=int, default=1, help="processes that draw banks")
    parser.add_argument("-o", "--output", type=Path, help="folder that keeps the trials' networks, to score them anew")
    parser.add_argument("--json", type=Path, default=Path(__file__).parent / "results" / "look-trials.jsonl")
    args = parser.parse_args(arguments)
    plan = yaml.safe_load(args.plan.read_text())
    done = {(row["trial"], row["seed"]) for row in map(json.loads, args.json.read_text().splitlines())} if args.json.exists() else set()
    data = Data(DataConfig(root=str(args.data), dev_list="configs/dev.txt"), args.cache, args.workers)
    most = max(build(Trial, {**plan["settings"], **changes}, str(args.plan)).samples for changes in plan["trials"].values())
    for seed in plan["seeds"]:
        for name, changes in plan["trials"].items():
            if (name, seed) in done or (args.only and name not in args.only):
                continue
            trial = build(Trial, {**plan["settings"], **changes}, f"{args.plan}: {name}")
            began = time.monotonic()
            bank = data.training(trial, most if trial.clip_frames == 1 else trial.samples)
            rows = data.rows(trial, bank)
            drawn = time.monotonic()
            kept = args.output / f"{_digest(repr(trial))}.{seed}.pt" if args.output is not None else None
            if kept is not None and kept.exists():  # trained before, to be scored anew
                path = make_path(trial).eval()
                path.load_state_dict(torch.load(kept, weights_only=True))
                seconds = None
            else:
                path = train(trial, bank, rows, LookSampler.from_luts(data.luts, trial.looks, 4096, seed), seed)
                seconds = round(time.monotonic() - drawn)
                if kept is not None:
                    kept.parent.mkdir(parents=True, exist_ok=True)
                    torch.save(path.state_dict(), kept)
            row = {
                "trial": name, "seed": seed, "scenes": len(rows), "drawn_seconds": round(drawn - began),
                "trained_seconds": seconds, "scores": rounded(score(trial, path, data)), "hardware": describe(),
            }  # fmt: skip
            with args.json.open("a", encoding="utf-8") as file:
                file.write(json.dumps(row) + "\n")
            print(name, seed, {key: value["ratio"] for key, value in row["scores"].items() if isinstance(value, dict)}, flush=True)


if __name__ == "__main__":
    main()
