"""More evidence for the look path, and bolder ways to answer: trials on the dev sets
(docs/results-parts.md, "More evidence, bolder answers").

python benchmarks/evidence_trials.py --data DATA --sets SETS --cache CACHE [--only NAME ...]
    [--packaged]

Each trial changes one thing of the first (configs/ablations/evidence.yaml). Trials of a seed and
a course are trained side by side, on the same composites. All are scored on drawn pixels of the
dev sets as the harmonizer uses a look path: shown twice, with caution. SETS holds the sets of
configs/benchmarks. Stop it at any time: finished trials are skipped.
"""

from __future__ import annotations

import argparse
import dataclasses
import functools
import hashlib
import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Literal

import numpy as np
import torch
import yaml
from evidence import DRAWN, SIDES, Answer, Packaged, Reading, Shown, draw_bank, read
from evidence import Path as Network
from hardware import describe
from look_trials import rounded
from torch import Tensor, nn

from vhmae.color.basis import apply_transform
from vhmae.color.lut import apply_luts, read_lut_bank
from vhmae.color.transform import luma_of
from vhmae.config import build, read_config
from vhmae.data.looks import LookSampler, draw_blendings, read_cameras
from vhmae.data.looks.photographic import to_display, to_light
from vhmae.data.pairs import PairSampler, read_pairs
from vhmae.data.synthesis import StackedScenes
from vhmae.training.fitting import Course, Fitting, Part, Trained
from vhmae.training.recipe import LookStage, Recipe
from vhmae.training.sources import (
    CHUNK,
    Batches,
    LookBank,
    bank_file,
    layer_planes,
    load_packs,
    make_sampler,
)
from vhmae.training.splitting import split_dev

ROOT = Path(__file__).parents[1]
SETS = ("dev-two", "dev-camera", "dev-photo", "dev-real", "dev-mild", "dev-people")
CAUTIONS = (0.0, 8.0, 12.0, 16.0, 20.0, 24.0)
AGAIN = 0.7
PACKAGED = ("default", "free")
FRAMES_A_COMPOSITE = 5
LEADING = 3000.0
"""Real light is led by pairs below this fMSE, as in ``vhmae evaluate``."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class Draws:
    """What composites are trained on."""

    gain: float = 0.0
    """Share of composites whose foreground differs from its background by light alone: gains in
    linear light, .8 stop on all channels and .15 on each."""
    poisson: float = 0.0
    """Share of foregrounds that are blended into another place of their scene, by gradients."""
    clip_frames: int = 1
    """Frames that the pixels of a scene are drawn from."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class EvidenceTrial:
    """One way to train the look path."""

    draws: Draws = dataclasses.field(default_factory=Draws)
    evidence: tuple[Literal["tone", "illuminant"], ...] = ()
    answers: int = 1
    """Answers of a member, each with a probability; their mean is what is used."""
    likelihood: float = 0.0
    """Weight of the likelihood of the target under all answers; the relative error of their mean
    has what is left to 1."""
    luma_weight: float = 0.0
    """As ``train.loss.luma_weight``."""
    members: int = 2
    width: int = 256
    steps: int = 1200
    batch_size: int = 128
    samples: int = 12000
    floor: float = 0.03

    @property
    def course(self) -> tuple[Draws, int, int, int]:
        """What trials that are trained side by side have in common."""
        return self.draws, self.steps, self.batch_size, self.samples


# --- data


class Data:
    """Banks of training and dev scenes, drawn once and kept in the cache."""

    def __init__(self, recipe: Recipe, sets: Path, cache: Path) -> None:
        self.recipe, self.sets, self.cache = recipe, sets, cache
        cache.mkdir(parents=True, exist_ok=True)

    def looks(self, seed: int) -> LookSampler:
        data = self.recipe.data
        luts = read_lut_bank(data.root_path / data.luts, data.lut_split)
        cameras = read_cameras(data.root_path / data.cameras, "train")
        return LookSampler.from_luts(luts, self.recipe.looks, data.looks_pool, seed, cameras)

    def training(self, samples: int, clip_frames: int) -> LookBank:
        stage = LookStage(samples=samples, clip_frames=clip_frames)
        name = bank_file(self.recipe.data, self.recipe.scenes, stage, 0)
        path = self.cache / f"evidence.{name}"
        if not path.exists():
            packs, _ = split_dev(
                load_packs(self.recipe.data, self.cache), self.recipe.data.dev_list
            )
            sampler = make_sampler(packs, self.recipe.data, self.recipe.scenes)
            batches = Batches(sampler, 0, range(CHUNK), clip_frames, stage.image_size)
            parts = []
            for number in range(-(-samples // CHUNK)):
                scenes = StackedScenes.of(batches[number])
                added = layer_planes(scenes, np.random.default_rng([number, 4]))
                generator = torch.Generator().manual_seed(number)
                drawn = (scenes.frames, scenes.region, scenes.mask, scenes.source)
                parts.append(draw_bank(*drawn, added, generator))
            _joined(parts).save(path)
        return LookBank.load(path)

    def dev(self, name: str, whole: bool) -> tuple[LookBank, LookBank]:
        """Composites of a dev set and their answers, a row each frame, or each ``whole``
        composite; ``source`` is the composite's number."""
        facts = [str((self.sets / name).resolve()), whole]
        files = [self.cache / f"{name}.{kind}.{_digest(facts)}.npz" for kind in ("in", "out")]
        if not all(file.exists() for file in files):
            sampler = PairSampler(read_pairs(self.sets / name, self.sets / name / "test_list.txt"))
            parts: tuple[list[LookBank], list[LookBank]] = ([], [])
            first = 0
            for clip in sampler.clips:
                count = len(clip.composite)
                picks = np.unique(np.linspace(0, count - 1, FRAMES_A_COMPOSITE).round())
                windows = [sampler.window(first + int(pick), 1, 160) for pick in picks]
                first += count
                mask = torch.from_numpy(np.stack([one.mask for one in windows]))
                source = torch.tensor([one.source for one in windows])
                for kind, drawn in zip(("composite", "target"), parts, strict=True):
                    frames = torch.from_numpy(np.stack([getattr(one, kind) for one in windows]))
                    if whole:
                        drawn.append(
                            draw_bank(
                                frames.transpose(0, 1), *(mask.transpose(0, 1),) * 2, source[:1]
                            )
                        )
                    else:
                        drawn.append(draw_bank(frames, mask, mask, source))
            for file, drawn in zip(files, parts, strict=True):
                _joined(drawn).save(file)
        composite, target = (LookBank.load(file) for file in files)
        return composite, target


def _joined(parts: list[LookBank]) -> LookBank:
    names = ("pixels", "region", "shares", "source", "layers")
    return LookBank(**{name: torch.cat([getattr(part, name) for part in parts]) for name in names})


def _digest(facts: object) -> str:
    return hashlib.sha256(repr(facts).encode()).hexdigest()[:12]


def shown_of(bank: LookBank, rows: Tensor, pixels: Tensor) -> Shown:
    assert bank.layers is not None
    return Shown(pixels, bank.layers[rows, :DRAWN, :2].float(), bank.shares[rows])


# --- training


@dataclasses.dataclass(frozen=True)
class Batch:
    """A step's composites and their answers."""

    reading: Reading
    foreground: Tensor
    """(B, P, 3)."""
    target: Tensor
    weight: Tensor
    """(B, P): the recolored pixels, sums to one."""

    def squared(self, colors: Tensor) -> Tensor:
        """(..., B, P, 3) -> (..., B)."""
        return ((colors - self.target).square().mean(-1) * self.weight).sum(-1)


def draw_batch(
    bank: LookBank,
    rows: Tensor,
    looks: LookSampler,
    rng: np.random.Generator,
    draws: Draws,
    evidence: tuple[str, ...],
) -> Batch:
    assert bank.layers is not None
    read_too = slice(None if evidence else DRAWN)  # neighbors are of no use without
    pixels, region = bank.pixels[rows, read_too].float() / 255.0, bank.region[rows, read_too]
    background, foreground = looks.draw_pairs(rng, len(rows))
    target = apply_luts(pixels, background).clamp(0.0, 1.0)
    blendings = draw_blendings(rng, draws.poisson, len(rows))
    amount = pixels.new_tensor([one.amount if one is not None else 0.0 for one in blendings])
    change = amount.view(-1, 1, 1) * bank.layers[rows, read_too, 2:].float()
    own = apply_luts((pixels + change).clamp(0.0, 1.0), foreground).clamp(0.0, 1.0)
    if draws.gain > 0.0:
        lit = torch.from_numpy(rng.random(len(rows)) < draws.gain).view(-1, 1, 1)
        stops = rng.normal(0.0, 0.8, (len(rows), 1, 1)) + rng.normal(0.0, 0.15, (len(rows), 1, 3))
        gained = to_display(to_light(target) * torch.from_numpy(2.0**stops).to(target))
        own = torch.where(lit, gained, own)
    composite = torch.where(region.unsqueeze(-1), own, target)
    composite = (composite * 255.0).round() / 255.0  # as a file holds it
    count = SIDES[0]
    weight = region[:, :count].float()
    weight = weight / weight.sum(1, keepdim=True).clamp_min(1.0)
    shown = shown_of(bank, rows, composite)
    return Batch(read(shown, evidence), shown.foreground, target[:, :count], weight)


INDEPENDENT = 8.0
"""So many independent numbers stand for a foreground's squared error in the likelihood."""


def loss_of(trial: EvidenceTrial, answer: Answer, batch: Batch) -> Tensor:
    """The members' mean loss; each member answers for itself."""
    untouched = batch.squared(batch.foreground)
    mean = apply_transform(batch.foreground.expand(trial.members, -1, -1, -1), answer.member_means)
    luma = (luma_of(mean - batch.target) * batch.weight).sum(-1)
    error = batch.squared(mean) + trial.luma_weight * luma.square()
    loss = (1.0 - trial.likelihood) * (error / (untouched + trial.floor)).mean()
    if trial.likelihood > 0.0:
        colors = batch.foreground.expand(trial.members, -1, -1, -1)
        errors = torch.stack(
            [batch.squared(apply_transform(colors, one)) for one in answer.coefficients.unbind(2)],
            dim=-1,
        )  # (M, B, K)
        log_variance = (answer.log_variance - 5.0).clamp(-9.5, 0.0)
        fit = -0.5 * INDEPENDENT * (log_variance + errors / log_variance.exp())
        likely = (answer.log_share + fit).logsumexp(-1)
        loss = loss - trial.likelihood * likely.mean() / INDEPENDENT
    return loss


class OneTrial:
    """A trial as a stage of training; its batches are handed over."""

    name = "trial"

    def __init__(self, trial: EvidenceTrial, network: Network) -> None:
        self.trial, self.network = trial, network
        self.course = Course(steps=trial.steps, learning_rate=1e-3, ema=0.998, betas=(0.9, 0.999))

    def trained(self) -> list[Trained]:
        return [Trained(dict(self.network.named_parameters()))]

    def begin(self) -> nn.Module:
        return self.network.train()

    def parts(self, steps: range) -> Iterator[list[Part]]:
        raise NotImplementedError("batches are handed over")

    def losses(self, batch: Batch) -> dict[str, Tensor]:
        return {"loss": loss_of(self.trial, self.network(batch.reading), batch)}


def train(
    trials: dict[str, EvidenceTrial], bank: LookBank, looks: LookSampler, seed: int
) -> dict[str, Network]:
    """Fit trials of one ``course`` side by side; their averaged weights."""
    first = next(iter(trials.values()))
    evidence = tuple(dict.fromkeys(name for trial in trials.values() for name in trial.evidence))

    def batch_of(step: int) -> Batch:
        rng = np.random.default_rng([seed, step, 1])
        rows = torch.from_numpy(rng.integers(len(bank), size=first.batch_size))
        return draw_batch(bank, rows, looks, rng, first.draws, evidence)

    example = batch_of(0).reading
    fittings: dict[str, Fitting] = {}
    averages: dict[str, Network] = {}
    for name, trial in trials.items():
        facts = (trial.members, trial.width, trial.answers, trial.evidence, example)
        torch.manual_seed(seed)
        network, average = Network(*facts), Network(*facts).eval()
        average.load_state_dict(network.state_dict())
        fittings[name] = Fitting(OneTrial(trial, network), network, average)
        averages[name] = average
    for step in range(first.steps):
        batch = batch_of(step)
        for fitting in fittings.values():
            stage = fitting.stage
            assert isinstance(stage, OneTrial)
            fitting.update([functools.partial(stage.losses, batch)], step)
        if step % 100 == 0:
            print("step", step, flush=True)
    return averages


# --- scores


@torch.no_grad()
def change_of(network: Network | Packaged, shown: Shown, source: Tensor) -> Tensor:
    """The map (B, 3, QUADRATIC) of each row: the mean over its composite's rows, shown twice."""

    def said(seen: Shown) -> Tensor:
        own = network.say(seen)
        sums = own.new_zeros(int(source.max()) + 1, *own.shape[1:]).index_add_(0, source, own)
        return (sums / source.bincount().view(-1, 1, 1).clamp_min(1))[source]

    once = said(shown)
    return once + AGAIN * said(shown.recolored(once))


def per_composite(values: Tensor, source: Tensor) -> Tensor:
    return torch.stack([values[source == one].mean() for one in source.unique()])


@torch.no_grad()
def score(network: Network | Packaged | None, data: Data, name: str, whole: bool) -> dict[str, Any]:
    """Ratios of a dev set and shares that end worse by the caution; None are gains of a power of
    .3 towards the background's mean."""
    composite, target = data.dev(name, whole)
    rows = torch.arange(len(composite))
    shown = shown_of(composite, rows, composite.pixels.float() / 255.0)
    colors, source = shown.foreground, composite.source
    wanted = target.pixels[:, : SIDES[0]].float() / 255.0
    if network is None:
        behind = shown.pixels[:, SIDES[0] : sum(SIDES)].mean(1, keepdim=True)
        change = colors * (behind / colors.mean(1, keepdim=True).clamp_min(1 / 255)) ** 0.3 - colors
    else:
        change = apply_transform(colors, change_of(network, shown, source)) - colors

    def errors(of: Tensor) -> Tensor:
        return per_composite((of - wanted).square().mean((-1, -2)) * 255.0**2, source)

    base = errors(colors)
    kept = base < LEADING if name == "dev-real" else torch.ones_like(base, dtype=torch.bool)
    size = per_composite(change.square().mean((-1, -2)) * 255.0**2, source)
    found: dict[str, Any] = {"ratio": [], "worse": []}
    numbers = torch.unique(source, return_inverse=True)[1]
    for caution in CAUTIONS if network is not None else (0.0,):
        share = (size / (size + caution**2).clamp_min(1e-9))[numbers].view(-1, 1, 1)
        error = errors((colors + share * change).clamp(0.0, 1.0))
        found["ratio"].append(float(error[kept].sum() / base[kept].sum()))
        found["worse"].append(float((error > base)[kept].float().mean()))
    luma = per_composite(luma_of(wanted - colors).mean(1), source)[kept]
    made = per_composite(luma_of(change).mean(1), source)[kept]
    found["luma_slope"] = float((luma * made).sum() / luma.square().sum())
    return found


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--sets", type=Path, required=True, help="folder of the made dev sets")
    parser.add_argument("--cache", type=Path, required=True, help="folder that keeps the banks")
    parser.add_argument(
        "--plan", type=Path, default=ROOT / "configs" / "ablations" / "evidence.yaml"
    )
    parser.add_argument("--only", nargs="*", help="names of trials")
    parser.add_argument("--seeds", nargs="*", type=int)
    parser.add_argument(
        "--packaged", action="store_true", help="no trials; score the packaged weights anew"
    )
    parser.add_argument("-o", "--output", type=Path, help="folder that keeps the trials' networks")
    parser.add_argument(
        "--json", type=Path, default=Path(__file__).parent / "results" / "evidence-trials.jsonl"
    )
    args = parser.parse_args()
    plan = yaml.safe_load(args.plan.read_text())
    recipe = read_config(Recipe, ROOT / plan["recipe"])
    more = {"root": str(args.data), "cache": str(args.cache), **plan["data"]}
    recipe = dataclasses.replace(recipe, data=dataclasses.replace(recipe.data, **more))
    data = Data(recipe, args.sets, args.cache)
    trials = {
        name: trial
        for name, trial in read_trials(args.plan).items()
        if not args.packaged and (not args.only or name in args.only)
    }
    if args.packaged:
        _forget(args.json, [f"packaged {name}" for name in PACKAGED])
    for seed in args.seeds or plan["seeds"]:
        looks = None
        for course in dict.fromkeys(trial.course for trial in trials.values()):
            done = _done(args.json)
            wanted = {
                name: trial
                for name, trial in trials.items()
                if trial.course == course and (name, seed) not in done
            }
            if not wanted:
                continue
            first = next(iter(wanted.values()))
            bank = data.training(first.samples, first.draws.clip_frames)
            looks = looks or data.looks(seed)
            for name, network in train(wanted, bank, looks, seed).items():
                if args.output is not None:
                    args.output.mkdir(parents=True, exist_ok=True)
                    torch.save(network.state_dict(), args.output / f"{name}.{seed}.pt")
                _write(args.json, name, seed, scores_of(network, data))
    for name, network_of in references().items():
        if (name, 0) not in _done(args.json):
            _write(args.json, name, 0, scores_of(network_of(), data))


def references() -> dict[str, Callable[[], Packaged | None]]:
    """What stands beside the trials."""
    packaged = {f"packaged {name}": functools.partial(Packaged, name) for name in PACKAGED}
    return {**packaged, "gains of .3": lambda: None}


def read_trials(path: Path) -> dict[str, EvidenceTrial]:
    """The trials of a plan by their names."""
    plan = yaml.safe_load(path.read_text())
    return {
        name: build(EvidenceTrial, {**plan["settings"], **changes}, f"{path}: {name}")
        for name, changes in plan["trials"].items()
    }


def scores_of(network: Network | Packaged | None, data: Data) -> dict[str, Any]:
    return {
        kind: {name: score(network, data, name, kind == "whole shots") for name in SETS}
        for kind in ("frames", "whole shots")
    }


def _done(path: Path) -> set[tuple[str, int]]:
    lines = path.read_text().splitlines() if path.exists() else []
    return {(row["trial"], row["seed"]) for row in map(json.loads, lines)}


def _forget(path: Path, names: list[str]) -> None:
    """Take rows out of what is done."""
    lines = path.read_text(encoding="utf-8").splitlines() if path.exists() else []
    kept = [line for line in lines if json.loads(line)["trial"] not in names]
    path.write_text("".join(f"{line}\n" for line in kept), encoding="utf-8")


def _write(path: Path, name: str, seed: int, scores: dict[str, Any]) -> None:
    row = {"trial": name, "seed": seed, "scores": rounded(scores), "hardware": describe()}
    with path.open("a", encoding="utf-8") as file:
        file.write(json.dumps(row) + "\n")
    frames = scores["frames"]
    at = 3 if len(frames["dev-two"]["ratio"]) > 1 else 0
    told = {key: f"{value['ratio'][at]:.3f}" for key, value in frames.items()}
    print(name, seed, told, flush=True)


if __name__ == "__main__":
    main()
