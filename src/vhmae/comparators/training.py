"""Training of the compared methods: the house's samplers and moving average, published optimisers.

A step's scenes and looks depend on the seed and the step alone, as in the house's own training, so
that all methods see the same composites where clip length and batch size are the same.
"""

from __future__ import annotations

import contextlib
import copy
import dataclasses
import functools
import math
import sys
import time
from collections.abc import Generator
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from vhmae.comparators.catalogue import Entry, find_comparator
from vhmae.comparators.comparator import SIGNED, Comparator, FrameComparator
from vhmae.comparators.critic import Critic, adversarial_loss, critic_losses
from vhmae.comparators.huang import Huang
from vhmae.comparators.recipe import ComparatorRecipe, Course
from vhmae.comparators.weights import load_backbone, load_comparator, save_comparator
from vhmae.config import build, to_tree
from vhmae.data.looks import LookSampler
from vhmae.data.pairs import PairSampler
from vhmae.data.synthesis import Scene, StackedScenes, TrainingBatch, make_batch
from vhmae.digest import file_digest
from vhmae.errors import InputError, VhmaeError
from vhmae.model.precision import (
    Precision,
    autocast,
    choose_training_precision,
    warn_of_another_precision,
)
from vhmae.partial_output import whole_file
from vhmae.progress import Progress, ProgressMode
from vhmae.training.clock import ProcessorClock
from vhmae.training.fitting import update_average
from vhmae.training.journal import Journal, facts_of
from vhmae.training.resuming import (
    CHECKPOINT,
    check_run_folder,
    load_checkpoint,
    require_same_recipe,
    write_checkpoint,
)
from vhmae.training.seeds import LOOKS, PAIRS, step_seed
from vhmae.training.sources import Batches, Draws, iterate_batches
from vhmae.training.stages import batch_of_pairs, mixed_with_pairs


def comparator_losses(
    model: Comparator,
    batch: TrainingBatch,
    critic: Critic | None = None,
    generator: torch.Generator | None = None,
    precision: Precision = "fp32",
) -> dict[str, Tensor]:
    """The losses of one batch, as the method's publication has them.

    Args:
        model: any compared method.
        batch: composites, targets and masks; the method sees the mask that a user would give.
        critic: for DoveNet and RainNet: its two scores join the loss.
        generator: draws the critic's places between pictures.
        precision: of the generator's convolutions and products; errors and critics are in fp32.
    Returns:
        ``loss`` is what the method minimises. With a critic, ``critic_loss`` is what the critic
        minimises; neither has a gradient for the other's parameters, so they may be summed.
    """
    lower = functools.partial(autocast, batch.composite.device, precision)
    if critic is None:
        with lower():
            return model.losses(batch.composite, batch.mask, batch.target)
    if not isinstance(model, FrameComparator):
        raise InputError("critics: this method has none; for dovenet and rainnet")
    composite, target = batch.composite.flatten(0, 1), batch.target.flatten(0, 1)
    mask = batch.mask.flatten(0, 1).float()
    with lower():
        predicted = model.predict(composite, mask)
    found = model.frame_losses(predicted, composite, mask, target)
    drawn = SIGNED.scale(model.judged(predicted, composite, mask)).float()
    critic.requires_grad_(False)
    adversarial = adversarial_loss(critic, drawn, mask)
    critic.requires_grad_(True)
    of_critic = critic_losses(critic, SIGNED.scale(target), drawn, mask, generator)
    return {
        **found,
        "loss": found["loss"] + adversarial,
        "adversarial": adversarial,
        **{f"critic_{name}": value for name, value in of_critic.items()},
    }


def draw_batches(
    sampler: Draws[Scene] | None,
    looks: LookSampler | None,
    course: Course,
    steps: range,
    device: torch.device,
    pairs: PairSampler | None = None,
    pairs_share: float = 0.0,
    workers: int = 0,
) -> Generator[TrainingBatch, None, None]:
    """The batches of steps: those that the house's own training draws for this seed.

    Args:
        sampler, looks: of scenes, and what they are shown under; None where all comes from pairs.
        pairs_share: share of a batch that comes from ``pairs``.
        workers: processes that cut ahead.
    """
    seed, rows, size = course.seed, range(course.batch_size), course.batch_size
    shape = (course.clip_frames, course.image_size)
    kept = scenes = None
    if pairs is not None:
        kept = iterate_batches(Batches(pairs, seed, rows, *shape), steps, workers)
    if sampler is not None and looks is not None:
        scenes = iterate_batches(Batches(sampler, seed, rows, *shape), steps, workers)
    for step in steps:
        given = None if kept is None else batch_of_pairs(next(kept), device)
        if scenes is None or looks is None:
            assert given is not None, "either scenes or pairs"
            yield given
            continue
        cut = StackedScenes.of(next(scenes)).to(device)
        made = make_batch(cut, looks, np.random.default_rng([seed, step, LOOKS]))
        if given is None:
            yield made
            continue
        rng = np.random.default_rng([seed, step, PAIRS])
        yield mixed_with_pairs(given, made, pairs_share, rng, rows, size)


def build_comparator(recipe: ComparatorRecipe) -> Comparator:
    """The recipe's network with fresh weights, or on a trained one for pictures."""
    torch.manual_seed(recipe.train.seed)
    entry = find_comparator(recipe.comparator)
    model = entry.build(entry.config.for_size(recipe.train.image_size))
    if recipe.backbone:
        load_backbone(model, Path(recipe.backbone))
    if isinstance(model, Huang):
        model.checks_flow = recipe.train.checks_flow
    return model


@dataclasses.dataclass
class ComparatorState:
    """Where a run stands: everything that a checkpoint keeps beside the tensors."""

    step: int = 0
    trained_seconds: float = 0.0
    """Time spent in steps by the clock on the wall, summed over resumed runs."""
    processor_seconds: float | None = 0.0
    """CPU seconds of the steps, what they draw included; None where a part of the run was not
    measured so."""
    precision: Precision = "fp32"


class ComparatorTrainer:
    """One run in a folder: ``checkpoint.pt``, ``journal.jsonl``, weights at 1/4, 1/2 and the end.

    ``weights-SAMPLES.safetensors`` are the moving averages after so many samples;
    ``weights.safetensors`` is the last one.
    """

    def __init__(self, recipe: ComparatorRecipe, run_dir: Path, device: str = "cpu") -> None:
        course = recipe.train
        self.recipe, self.run_dir, self.device = recipe, run_dir, torch.device(device)
        if course.threads:
            torch.set_num_threads(course.threads)
        self.entry: Entry = find_comparator(recipe.comparator)
        self.state = ComparatorState(
            precision=choose_training_precision(course.precision, self.device)
        )
        self.model = build_comparator(recipe).to(self.device)
        self.origin: dict[str, Any] = {}
        """Digest and licence of the network that it stands on: what that learned from, too."""
        if recipe.backbone:
            facts = load_comparator(Path(recipe.backbone))[1].facts
            self.origin["backbone_sha256"] = file_digest(Path(recipe.backbone))
            self.origin["backbone_licence"] = facts.get("licence", "not told")
        self.average = copy.deepcopy(self.model).eval().requires_grad_(False)
        self._begun = False
        trained = [p for p in self.model.parameters() if p.requires_grad]
        self.rate = course.learning_rate or self.entry.schedule.learning_rate
        self.optimizers = {"model": self.entry.schedule.make_optimizer(trained)}
        self.critic: Critic | None = None
        if course.critics:
            levels = self.entry.config.for_size(course.image_size).levels
            self.critic = Critic(levels).to(self.device)
            parameters = list(self.critic.parameters())
            self.optimizers["critic"] = self.entry.schedule.make_optimizer(parameters)

    def run(
        self,
        sampler: Draws[Scene] | None,
        looks: LookSampler | None,
        resume: bool = False,
        pairs: PairSampler | None = None,
    ) -> ComparatorState:
        """Train to the end of the course; a run that was stopped goes on from its checkpoint.

        Args:
            sampler, looks: of scenes, and what they are shown under; None where all comes from
                pairs.
            pairs: composites with their answers, for the recipe's ``data.pairs_share``.
        Raises:
            InputError: if the folder holds a run already, or none to go on from.
            VhmaeError: if the loss is not finite.
        """
        self.begin(resume)
        course, data = self.recipe.train, self.recipe.data
        journal = Journal(self.run_dir, self.state.step)
        begun = facts_of(self.recipe, self.model, self.device, self.state.precision)
        journal.write("start", self.state.step, **begun)
        looks, saved = None if looks is None else looks.to(self.device), time.monotonic()
        sums: dict[str, float] = {}
        summed = 0  # fewer than a line's steps after a start from a checkpoint
        clock, told = ProcessorClock(), ""
        mode: ProgressMode = "auto" if sys.stderr.isatty() else "none"
        steps = range(self.state.step, course.steps)
        drawn = (sampler, looks, course, steps, self.device, pairs, data.pairs_share, data.workers)
        with (
            Progress(self.recipe.comparator, course.steps, mode, lambda: told, "step") as progress,
            contextlib.closing(draw_batches(*drawn)) as batches,
        ):
            for batch in batches:
                start = time.monotonic()
                torch.manual_seed(step_seed(course.seed, self.state.step))
                for name, value in self._update(batch).items():
                    sums[name] = sums.get(name, 0.0) + value
                summed += 1
                self.state.step += 1
                self.state.trained_seconds += time.monotonic() - start
                if self.state.processor_seconds is not None:
                    self.state.processor_seconds += clock.lap()
                if self.state.step % course.log_every_steps == 0:
                    means = {name: round(value / summed, 6) for name, value in sums.items()}
                    seconds = round(self.state.trained_seconds, 1)
                    journal.write("train", self.state.step, **means, trained_seconds=seconds)
                    told = " ".join(f"{name} {value:.4f}" for name, value in means.items())
                    sums, summed = {}, 0
                progress(self.state.step)
                samples = course.kept_steps().get(self.state.step)
                if samples is not None:
                    self.save_weights(f"weights-{samples}.safetensors", samples)
                late = time.monotonic() - saved > course.checkpoint_every_seconds
                if samples is not None or late:
                    self._save()
                    saved = time.monotonic()
        self.save_weights("weights.safetensors", course.steps * course.batch_size)
        seconds = round(self.state.trained_seconds, 1)
        journal.write("end", self.state.step, trained_seconds=seconds)
        return self.state

    def begin(self, resume: bool = False) -> None:
        """Look at the run's folder, before data is read: load its checkpoint, or make it.

        Raises:
            InputError: as :meth:`run`.
        """
        if self._begun:
            return
        check_run_folder(self.run_dir, resume)
        if resume:
            self._load(self.run_dir / CHECKPOINT)
        self.run_dir.mkdir(parents=True, exist_ok=True)
        self._begun = True

    def _update(self, batch: TrainingBatch) -> dict[str, float]:
        """One step of the optimisers and of the averaged weights."""
        course, step = self.recipe.train, self.state.step
        factor = self.entry.schedule.factor(step / course.steps)
        for optimizer in self.optimizers.values():
            optimizer.zero_grad(set_to_none=True)
            for group in optimizer.param_groups:
                group["lr"] = self.rate * factor
        self.model.train()
        generator = torch.Generator(self.device).manual_seed(step_seed(course.seed, step))
        try:
            losses = comparator_losses(
                self.model, batch, self.critic, generator, self.state.precision
            )
        except ValueError as error:  # torch's own, of a normalization
            if "Expected more than 1 value per channel" not in str(error):
                raise
            told = "normalizes over the batch, where one picture leaves nothing; take 2 or more"
            raise InputError(told, field="train.batch_size", value=course.batch_size) from None
        total = losses["loss"] + losses["critic_loss"] if self.critic else losses["loss"]
        total.backward()
        values = {name: float(value.detach()) for name, value in losses.items()}
        if not math.isfinite(float(total.detach())):
            raise VhmaeError(
                f"{self.run_dir}: the loss is not finite at step {step}; begin a new run with a "
                "lower train.learning_rate"
            )
        if course.clip_norm:
            nn.utils.clip_grad_norm_(self.model.parameters(), course.clip_norm)
        for optimizer in self.optimizers.values():
            optimizer.step()
        update_average(self.average, self.model, course.ema, step)
        return values

    # --- what is kept

    def save_weights(self, name: str, samples: int) -> None:
        """Write the averaged weights."""
        course = self.recipe.train
        facts = {
            "samples": samples,
            "image_size": course.image_size,
            "clip_frames": course.clip_frames,
            "seed": course.seed,
            "precision": self.state.precision,
            "trained_seconds": round(self.state.trained_seconds),
            "critics": course.critics,
            "licence": self.recipe.data.told_licence,
        }
        facts |= self.origin
        if self.state.processor_seconds is not None:
            facts["processor_seconds"] = round(self.state.processor_seconds)
        config = self.entry.config.for_size(course.image_size)
        path = self.run_dir / name
        save_comparator(self.average, self.recipe.comparator, config, path, facts)

    def _modules(self) -> dict[str, nn.Module]:
        modules: dict[str, nn.Module] = {"model": self.model, "average": self.average}
        return modules if self.critic is None else {**modules, "critic": self.critic}

    def _save(self) -> None:
        saved: dict[str, Any] = {"recipe": to_tree(self.recipe), "origin": self.origin}
        saved["state"] = dataclasses.asdict(self.state)
        saved["modules"] = {name: one.state_dict() for name, one in self._modules().items()}
        saved["optimizers"] = {name: one.state_dict() for name, one in self.optimizers.items()}
        with whole_file(self.run_dir / CHECKPOINT) as part:
            write_checkpoint(saved, part)

    def _load(self, path: Path) -> None:
        saved = load_checkpoint(path, self.device)
        before = build(ComparatorRecipe, saved["recipe"], str(path), like=self.recipe)
        require_same_recipe(path, before, self.recipe)
        if saved.get("origin", self.origin) != self.origin:  # all are called weights.safetensors
            raise InputError(
                f"{path}: stands on another backbone than {self.recipe.backbone}; resume with what "
                "it was started with"
            )
        warn_of_another_precision(saved["state"]["precision"], self.state.precision)
        known = {"processor_seconds": None, **saved["state"], "precision": self.state.precision}
        self.state = ComparatorState(**known)
        for name, module in self._modules().items():
            module.load_state_dict(saved["modules"][name])
        for name, optimizer in self.optimizers.items():
            optimizer.load_state_dict(saved["optimizers"][name])
