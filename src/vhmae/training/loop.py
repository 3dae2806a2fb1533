"""The training loop: stages one after the other, resumable at any step, deterministic for a seed, a precision and a kind of device.

Randomness never lives in a generator that would have to be saved: each step seeds its own from (seed, step).
"""

from __future__ import annotations

import copy
import dataclasses
import functools
import math
import os
import pickle
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import torch
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn
from torch import Tensor, nn
from torch.optim.swa_utils import get_ema_multi_avg_fn

from vhmae.color import statistics
from vhmae.color.lut import read_lut_bank
from vhmae.config import build, to_tree
from vhmae.data.looks import LookSampler, read_cameras
from vhmae.data.synthesis import SceneSampler, StackedScenes, make_batch
from vhmae.errors import InputError, VhmaeError
from vhmae.model.precision import Precision, choose_device, choose_precision
from vhmae.model.vhmae import VHMAE
from vhmae.model.weights import count_parameters, load_model, save_model
from vhmae.training.journal import Journal
from vhmae.training.objective import batch_losses, look_losses
from vhmae.training.parallel import Processes
from vhmae.training.recipe import LookStage, Recipe, Stage
from vhmae.training.sources import (
    LookBank,
    SceneBatches,
    bank_file,
    cut_scenes,
    iterate_batches,
    load_packs,
    load_scenes,
    make_sampler,
    scenes_folder,
    split_dev,
)  # fmt: skip
from vhmae.training.validation import DevSet

CHECKPOINT = "checkpoint.pt"
Part = Callable[[], dict[str, Tensor]]
"""Computes the losses of a part of a step's batch."""


@dataclasses.dataclass
class RunState:
    """Where a run stands: everything that a checkpoint keeps beside the tensors."""

    step: int = 0
    """Steps done, over all stages."""
    trained_seconds: float = 0.0
    """Time spent in steps, summed over resumed runs."""
    precision: Precision = "fp32"


class Trainer:
    """One run of a recipe in a folder: ``checkpoint.pt``, ``journal.jsonl``, ``weights.safetensors``."""

    def __init__(self, recipe: Recipe, run_dir: Path, device: str = "auto", start_from: str | None = None) -> None:
        train = recipe.train
        self.recipe = recipe
        self.run_dir = run_dir
        self.device = choose_device(device)
        self.processes = Processes.join(self.device)
        self.state = RunState(precision=self.processes.agree(choose_precision(train.precision, self.device)))
        if train.threads:
            torch.set_num_threads(train.threads)
        torch.manual_seed(train.seed)
        self.model = VHMAE(recipe.model).to(self.device)
        if start_from is not None:
            _start_from(self.model, start_from)
        self.average = copy.deepcopy(self.model).eval().requires_grad_(False)
        if train.compile:
            self.model.decoder.compile()
        self.wrapped: nn.Module = self.model
        self.optimizer: torch.optim.Optimizer | None = None
        self.scores: dict[str, float] = {}
        self.cache = Path(recipe.data.cache) if recipe.data.cache else run_dir / "cache"

    # --- what a run is made of

    def plan(self) -> list[LookStage | Stage]:
        """The stages in order."""
        train = self.recipe.train
        first: list[LookStage | Stage] = [train.look] if train.look is not None and self.model.look_path is not None else []
        return [*first, *train.stages]

    def run(self, resume: bool = False) -> RunState:
        """Train to the end of the recipe. A run that is stopped goes on from a checkpoint at most ``checkpoint_every_seconds`` old."""
        checkpoint = self.run_dir / CHECKPOINT
        if resume:
            self._load(checkpoint)
        elif checkpoint.exists():
            raise InputError(f"{self.run_dir}: holds a run already; pass --resume to go on, or choose a new folder")
        if self.run_dir.exists() and not self.run_dir.is_dir():
            raise InputError(f"{self.run_dir}: is a file; give a folder for the run")
        for planned in self.recipe.train.stages:
            self.processes.rows(planned.batch_size, self.recipe.train.accumulate)
        self.run_dir.mkdir(parents=True, exist_ok=True)
        journal = Journal(self.run_dir, self.state.step) if self.processes.leads else None
        data = self.recipe.data
        if not self.processes.leads:
            self.processes.wait()  # the first process makes the packs
        packs, dev_pack = split_dev(load_packs(data, self.cache), Path(data.dev_list) if data.dev_list else None)
        if self.processes.leads:
            self.processes.wait()
        luts = read_lut_bank(data.root_path / data.luts, "train")
        cameras = read_cameras(data.root_path / data.cameras, "train") if data.cameras else ()
        looks = LookSampler.from_luts(luts, self.recipe.looks, data.looks_pool, self.recipe.train.seed, cameras).to(self.device)
        sampler = make_sampler(packs, data, self.recipe.scenes)
        model = self.recipe.model
        dev = DevSet(dev_pack, luts, min(model.clip_frames, 4), model.image_size) if self.processes.leads else None
        if journal is not None:
            journal.write(
                "start", self.state.step, recipe=to_tree(self.recipe), device=str(self.device), precision=self.state.precision,
                parameters=count_parameters(self.model), threads=torch.get_num_threads(), processes=self.processes.count,
                torch=torch.__version__,
            )  # fmt: skip
        first = 0
        for stage in self.plan():
            last = first + stage.steps
            if self.state.step < last:
                if isinstance(stage, LookStage):
                    steps = self._look_steps(stage, first, self._bank(sampler, stage), looks)
                else:
                    steps = self._stage_steps(stage, first, sampler, looks)
                self._run_stage(stage, first, steps, dev, journal)
            first = last
        if journal is not None:
            self.save_weights()
            journal.write("end", self.state.step, trained_seconds=round(self.state.trained_seconds, 1))
        return self.state

    def _bank(self, sampler: SceneSampler, stage: LookStage) -> LookBank:
        path = self.cache / bank_file(self.recipe.data, self.recipe.scenes, stage, self.recipe.train.seed)
        if self.processes.leads and not path.exists():
            LookBank.draw(sampler, stage, self.recipe.train.seed, os.cpu_count() or 1).save(path)
        self.processes.wait()
        return LookBank.load(path).to(self.device)

    def _kept_scenes(self, sampler: SceneSampler, stage: Stage) -> StackedScenes:
        folder = self.cache / scenes_folder(self.recipe.data, self.recipe.scenes, stage, self.recipe.train.seed)
        if self.processes.leads and not folder.exists():
            cut_scenes(sampler, stage, self.recipe.train.seed, os.cpu_count() or 1, folder)
        self.processes.wait()
        return load_scenes(folder).to(self.device)

    # --- one stage

    def _look_steps(self, stage: LookStage, first: int, bank: LookBank, looks: LookSampler) -> Iterator[list[Part]]:
        """Small enough for every process to do the whole of it."""
        path = self.model.look_path
        assert path is not None
        for step in range(self.state.step, first + stage.steps):
            rng = np.random.default_rng([self.recipe.train.seed, step, 1])
            rows = torch.from_numpy(rng.integers(len(bank), size=stage.batch_size))
            train = self.recipe.train
            yield [functools.partial(look_losses, path, bank, looks, rows, rng, train.loss, train.cross_fit, stage.shown)]

    def _stage_steps(self, stage: Stage, first: int, sampler: SceneSampler, looks: LookSampler) -> Iterator[list[Part]]:
        train = self.recipe.train
        parts = self.processes.rows(stage.batch_size, train.accumulate)
        own = range(parts[0].start, parts[-1].stop)
        steps = range(self.state.step, first + stage.steps)
        for step, scenes in zip(steps, self._scenes(stage, sampler, own, steps), strict=True):
            yield [
                functools.partial(
                    self._scene_losses, scenes.rows(slice(rows.start - own.start, rows.stop - own.start)), looks, step, rows, stage
                )
                for rows in parts
            ]

    def _scenes(self, stage: Stage, sampler: SceneSampler, own: range, steps: range) -> Iterator[StackedScenes]:
        """The scenes of the steps' rows of a batch, where the model trains."""
        seed = self.recipe.train.seed
        if stage.kept_scenes:
            kept = self._kept_scenes(sampler, stage)
            for step in steps:
                picks = np.random.default_rng([seed, step, 2]).integers(len(kept), size=stage.batch_size)
                yield kept.rows(torch.from_numpy(picks[own.start : own.stop]).to(self.device))
            return
        batches = SceneBatches(sampler, seed, own, stage.clip_frames, stage.image_size)
        for scenes in iterate_batches(batches, steps, self.recipe.data.workers):
            yield StackedScenes.of(scenes).to(self.device)

    def _scene_losses(self, scenes: StackedScenes, looks: LookSampler, step: int, rows: range, stage: Stage) -> dict[str, Tensor]:
        """The losses of rows of a step of the whole network; its randomness comes from the seed and the step alone."""
        train = self.recipe.train
        batch = make_batch(scenes, looks, np.random.default_rng([train.seed, step, 1]), rows, stage.batch_size)
        generator = torch.Generator(self.device).manual_seed(train.seed * 1_000_003 + step)
        jitter = torch.rand(stage.batch_size, sum(statistics.PIXELS), generator=generator, device=self.device)[rows.start : rows.stop]
        return batch_losses(self.wrapped, batch, train.loss, self.recipe.model.patch_size, self.state.precision, jitter, train.cross_fit)

    def _run_stage(
        self, stage: LookStage | Stage, first: int, steps: Iterator[list[Part]], dev: DevSet | None, journal: Journal | None
    ) -> None:
        train = self.recipe.train
        look = isinstance(stage, LookStage)
        if self.optimizer is None or self.state.step == first:
            self.optimizer = self._make_optimizer(look)
        # Wrapped anew for each stage: which parameters have gradients is settled then.
        self.wrapped = self.model if look else self.processes.wrap(self.model, self.device)
        decay = stage.ema if isinstance(stage, LookStage) else train.ema
        saved = time.monotonic()
        sums: dict[str, float] = {}
        summed = 0
        columns = (TextColumn("{task.description}"), BarColumn(), TextColumn("{task.completed}/{task.total}"), TimeRemainingColumn())
        console = Console(stderr=True)
        with Progress(*columns, console=console, transient=True, disable=journal is None or not console.is_terminal) as progress:
            task = progress.add_task(
                "look path" if look else f"{stage.image_size} px", total=stage.steps, completed=self.state.step - first
            )
            for parts in steps:
                start = time.monotonic()
                self._set_rate(stage, self.state.step - first)
                torch.manual_seed(train.seed * 1_000_003 + self.state.step)
                values = self._update(parts, look, decay, self.state.step - first)
                self.state.step += 1
                self.state.trained_seconds += time.monotonic() - start
                summed += 1
                for key, value in values.items():
                    sums[key] = sums.get(key, 0.0) + value
                if self.state.step % train.log_every_steps == 0 and journal is not None:
                    means = {key: round(value / summed, 6) for key, value in sums.items()}
                    journal.write("train", self.state.step, **means, trained_seconds=round(self.state.trained_seconds, 1))
                    progress.update(task, description=" ".join(f"{key} {value:.4f}" for key, value in means.items()))
                    sums, summed = {}, 0
                progress.advance(task)
                due = self.state.step % train.validate_every_steps == 0 or self.state.step == first + stage.steps
                if due and dev is not None and journal is not None:
                    self.scores = dev.score(self.average, self.device, self.state.precision)
                    journal.write("validation", self.state.step, **self.scores)
                    self.save_weights()
                if due or time.monotonic() - saved > train.checkpoint_every_seconds:
                    self._save()
                    saved = time.monotonic()
        self._save()

    def _update(self, parts: list[Part], look: bool, decay: float, stage_step: int) -> dict[str, float]:
        """One step of the optimizer and of the averaged weights."""
        assert self.optimizer is not None
        self.model.train()
        if not look and self.model.look_path is not None and self.recipe.train.look_rate == 0.0:
            self.model.look_path.eval()  # frozen: its running statistics and dropout too
        self.optimizer.zero_grad(set_to_none=True)
        sums: dict[str, Any] = {}
        for number, compute in enumerate(parts, 1):
            with self.processes.holding(self.wrapped, last=number == len(parts)):
                values = compute()
                (values["loss"] / len(parts)).backward()
            for key, value in values.items():
                sums[key] = sums.get(key, 0.0) + value.detach() / len(parts)
        means = self.processes.mean(sums)
        if not math.isfinite(means["loss"]):
            raise VhmaeError(f"{self.run_dir}: the loss is not finite at step {self.state.step}; lower the learning rate and --resume")
        nn.utils.clip_grad_norm_(self.model.parameters(), self.recipe.train.clip_norm)
        self.optimizer.step()
        # Short averages at first: long ones would remember the untrained weights.
        self._average(min(decay, (stage_step + 1) / (stage_step + 10)))
        return means

    @torch.no_grad()
    def _average(self, decay: float) -> None:
        averaged, trained = list(self.average.parameters()), list(self.model.parameters())
        get_ema_multi_avg_fn(decay)(averaged, trained, None)  # in few kernels
        for kept, counted in zip(self.average.buffers(), self.model.buffers(), strict=True):
            kept.copy_(counted)

    def _make_optimizer(self, look: bool) -> torch.optim.Optimizer:
        """AdamW; biases, norms and tokens without decay; the look path at its own rate."""
        self.model.zero_grad(set_to_none=True)  # gradients of parameters that are frozen now would still count when clipping
        path = {id(p) for p in self.model.look_path.parameters()} if self.model.look_path is not None else set()
        rate = self.recipe.train.look_rate
        groups: list[dict[str, object]] = []
        for in_path in (True, False):
            factor = (1.0 if in_path else 0.0) if look else (rate if in_path else 1.0)
            members = [p for p in self.model.parameters() if (id(p) in path) == in_path]
            for parameter in members:
                parameter.requires_grad_(factor > 0.0)
            if factor > 0.0 and members:
                decay = [p for p in members if p.ndim > 1]
                groups.append({"params": decay, "weight_decay": self.recipe.train.weight_decay, "factor": factor})
                groups.append({"params": [p for p in members if p.ndim <= 1], "weight_decay": 0.0, "factor": factor})
        betas = (0.9, 0.999) if look else (0.9, 0.95)
        return torch.optim.AdamW(groups, lr=1e-3, betas=betas, fused=self.device.type in ("cpu", "cuda"))

    def _set_rate(self, stage: LookStage | Stage, step: int) -> None:
        """Linear warm-up, then a cosine to zero."""
        assert self.optimizer is not None
        warmup = min(1.0, (step + 1) / max(1, self.recipe.train.warmup_steps))
        cosine = 0.5 * (1.0 + math.cos(math.pi * step / stage.steps))
        for group in self.optimizer.param_groups:
            group["lr"] = stage.learning_rate * warmup * cosine * group["factor"]

    # --- what is kept

    def save_weights(self) -> None:
        """Write the averaged weights: what ``--weights`` takes."""
        facts: dict[str, object] = {
            "steps": self.state.step,
            "trained_seconds": round(self.state.trained_seconds),
            "seed": self.recipe.train.seed,
            "data": list(self.recipe.data.folders),
            "licence": "research use only: trained on data with research licences, see MODEL_CARD.md",
        }
        if self.scores:
            facts["dev_scores"] = self.scores
        save_model(self.average, self.run_dir / "weights.safetensors", facts)

    def _save(self) -> None:
        assert self.optimizer is not None
        if not self.processes.leads:
            return
        state = {
            "state": dataclasses.asdict(self.state),
            "recipe": to_tree(self.recipe),
            "model": self.model.state_dict(),
            "average": self.average.state_dict(),
            "optimizer": self.optimizer.state_dict(),
        }
        part = self.run_dir / f".{CHECKPOINT}.part"
        torch.save(state, part)
        part.replace(self.run_dir / CHECKPOINT)

    def _load(self, path: Path) -> None:
        if not path.exists():
            raise InputError(f"{path}: no checkpoint to resume from; start without --resume")
        try:
            saved = torch.load(path, map_location=self.device, weights_only=True)
        except (OSError, RuntimeError, ValueError, EOFError, pickle.UnpicklingError) as error:
            reason = " ".join(str(error).split())[:100]
            raise InputError(f"{path}: is damaged ({reason}); start a new run --from {path.parent / 'weights.safetensors'}") from None
        recipe = build(Recipe, saved["recipe"], str(path))
        if recipe.model != self.recipe.model:
            raise InputError(f"{path}: belongs to another model configuration; use the recipe it was started with")
        before = saved["state"]["precision"]
        if before != self.state.precision and self.recipe.train.precision == "auto":
            change = f"the run was in {before}, this machine is fastest in {self.state.precision}; going on in that"
            print(f"vhmae: warning: {change}", file=sys.stderr)
        saved["state"]["precision"] = self.state.precision
        self.state = RunState(**saved["state"])
        self.model.load_state_dict(saved["model"])
        self.average.load_state_dict(saved["average"])
        step, first = self.state.step, 0
        for stage in self.plan():
            if first < step < first + stage.steps:
                self.optimizer = self._make_optimizer(isinstance(stage, LookStage))
                self.optimizer.load_state_dict(saved["optimizer"])
            first += stage.steps


def _start_from(model: VHMAE, weights: str) -> None:
    """Start from other weights: tensors of the same name and shape are taken over."""
    source = load_model(weights).state_dict()
    own = model.state_dict()
    shared = {key: value for key, value in source.items() if key in own and own[key].shape == value.shape}
    if not shared:
        raise InputError(f"--from {weights}: shares no tensor with the recipe's model; check the model section")
    model.load_state_dict({**own, **shared})
