"""The stages of ``vhmae train``: the look path alone on drawn pixels, then the whole network on
scenes."""

from __future__ import annotations

import functools
import itertools
import os
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from vhmae.color import statistics
from vhmae.data.looks import LookSampler
from vhmae.data.pairs import PairSampler, PairWindow
from vhmae.data.synthesis import SceneSampler, StackedScenes, TrainingBatch, make_batch
from vhmae.model.look import LookPath
from vhmae.model.masking import DRAWN, TokenGrid
from vhmae.model.precision import Precision
from vhmae.model.vhmae import VHMAE
from vhmae.training.fitting import Course, Part, Trained
from vhmae.training.likeness import draw_likes
from vhmae.training.objective import batch_losses, look_losses
from vhmae.training.parallel import Processes
from vhmae.training.recipe import LookStage, Recipe, Stage, TrainConfig
from vhmae.training.seeds import LOOKS, MASKING, PAIRS, PICKS, step_seed
from vhmae.training.sources import (
    Batches,
    LookBank,
    bank_file,
    cut_scenes,
    iterate_batches,
    load_scenes,
    scenes_folder,
    tensors_digest,
)
from vhmae.training.terms import Term


def _course(stage: Stage | LookStage, train: TrainConfig, **more: Any) -> Course:
    """What stages share: their own length and rate, and what the recipe says of all."""
    return Course(
        steps=stage.steps,
        learning_rate=stage.learning_rate,
        warmup_steps=train.warmup_steps,
        weight_decay=train.weight_decay,
        clip_norm=train.clip_norm,
        **more,
    )


class LookPathStage:
    """The look path alone, on a bank of drawn pixels; small enough for every process to do all of
    it."""

    name = "look path"

    def __init__(
        self, stage: LookStage, recipe: Recipe, model: VHMAE, looks: LookSampler, bank: LookBank
    ) -> None:
        train = recipe.train
        self.stage, self.recipe, self.model, self.looks, self.bank = (
            stage,
            recipe,
            model,
            looks,
            bank,
        )
        self.course = _course(stage, train, ema=stage.ema, betas=(0.9, 0.999))

    def trained(self) -> list[Trained]:
        path, others = split_parameters(self.model)
        return [Trained(path), Trained(others, rate=0.0)]

    def begin(self) -> nn.Module:
        return self.model.train()

    def parts(self, steps: range) -> Iterator[list[Part]]:
        path, train = self.model.look_path, self.recipe.train
        assert path is not None
        for step in steps:
            rng = np.random.default_rng([train.seed, step, LOOKS])
            rows = torch.from_numpy(rng.integers(len(self.bank), size=self.stage.batch_size))
            more = (train.loss, train.cross_fit, self.stage.shown)
            yield [functools.partial(look_losses, path, self.bank, self.looks, rows, rng, *more)]


class SceneStage:
    """The whole network at one size and clip length, on scenes under freshly drawn looks and on
    pairs."""

    def __init__(
        self,
        stage: Stage,
        recipe: Recipe,
        model: VHMAE,
        looks: LookSampler | None,
        sampler: SceneSampler | None,
        pairs: PairSampler | None,
        cache: Path,
        precision: Precision = "fp32",
        processes: Processes | None = None,
        terms: Mapping[str, Term] = MappingProxyType({}),
    ) -> None:
        train = recipe.train
        self.terms = terms
        self.name = f"{stage.image_size} px"
        self.stage, self.recipe, self.model, self.looks = stage, recipe, model, looks
        self.sampler, self.pairs, self.cache, self.precision = sampler, pairs, cache, precision
        self.processes = processes or Processes()
        self.device = next(model.parameters()).device
        self.course = _course(stage, train, ema=train.ema)
        self._wrapped: nn.Module | None = None

    def trained(self) -> list[Trained]:
        path, others = split_parameters(self.model)
        return [Trained(path, rate=self.recipe.train.look_rate), Trained(others)]

    def begin(self) -> nn.Module:
        if (
            self._wrapped is None
        ):  # anew for each stage: which parameters have gradients is settled then
            self._wrapped = self.processes.wrap(self.model, self.device)
        self.model.train()
        if self.model.look_path is not None and self.recipe.train.look_rate == 0.0:
            self.model.look_path.eval()  # frozen: its running statistics and dropout too
        return self._wrapped

    def parts(self, steps: range) -> Iterator[list[Part]]:
        divided = self.processes.rows(self.stage.batch_size, self.recipe.train.accumulate)
        own = range(divided[0].start, divided[-1].stop)
        share = self.recipe.data.pairs_share
        scenes = self._scenes(own, steps) if share < 1.0 else itertools.repeat(None, len(steps))
        pairs = self._pairs(own, steps) if share > 0.0 else itertools.repeat(None, len(steps))
        for step, cut, given in zip(steps, scenes, pairs, strict=True):
            yield [
                functools.partial(self._losses, cut, given, step, rows, own.start)
                for rows in divided
            ]

    def _pairs(self, own: range, steps: range) -> Iterator[TrainingBatch]:
        """Composites with their answers for this process's rows of the steps' batches."""
        assert self.pairs is not None
        stage = self.stage
        batches = Batches(
            self.pairs, self.recipe.train.seed, own, stage.clip_frames, stage.image_size
        )
        for windows in iterate_batches(batches, steps, self.recipe.data.workers):
            yield batch_of_pairs(windows, self.device)

    def _scenes(self, own: range, steps: range) -> Iterator[StackedScenes]:
        """The scenes of this process's rows of the steps' batches, on the device that trains."""
        assert self.sampler is not None
        seed, stage = self.recipe.train.seed, self.stage
        if stage.kept_scenes:
            kept = self._kept_scenes()
            for step in steps:
                picks = np.random.default_rng([seed, step, PICKS]).integers(
                    len(kept), size=stage.batch_size
                )
                yield kept.rows(torch.from_numpy(picks[own.start : own.stop]).to(self.device))
            return
        batches = Batches(self.sampler, seed, own, stage.clip_frames, stage.image_size)
        for scenes in iterate_batches(batches, steps, self.recipe.data.workers):
            yield StackedScenes.of(scenes).to(self.device)

    def _kept_scenes(self) -> StackedScenes:
        recipe = self.recipe
        assert self.sampler is not None
        folder = self.cache / scenes_folder(
            recipe.data, recipe.scenes, self.stage, recipe.train.seed
        )
        if self.processes.leads and not folder.exists():
            cut_scenes(self.sampler, self.stage, recipe.train.seed, os.cpu_count() or 1, folder)
        self.processes.wait()
        return load_scenes(folder).to(self.device)

    def _batch(
        self,
        scenes: StackedScenes | None,
        pairs: TrainingBatch | None,
        step: int,
        rows: range,
        first: int,
    ) -> TrainingBatch:
        """Rows of a step's batch: scenes under looks, pairs, or each row one of both by the pairs'
        share."""
        seed, size = self.recipe.train.seed, self.stage.batch_size
        place = slice(rows.start - first, rows.stop - first)
        given = None if pairs is None else pairs.rows(place)
        if scenes is None:
            assert given is not None
            return given
        assert self.looks is not None
        made = make_batch(
            scenes.rows(place), self.looks, np.random.default_rng([seed, step, LOOKS]), rows, size
        )
        if given is None:
            return made
        share = self.recipe.data.pairs_share
        return mixed_with_pairs(
            given, made, share, np.random.default_rng([seed, step, PAIRS]), rows, size
        )

    def _losses(
        self,
        scenes: StackedScenes | None,
        pairs: TrainingBatch | None,
        step: int,
        rows: range,
        first: int,
    ) -> dict[str, Tensor]:
        """The losses of rows of a step's batch; their randomness comes from the seed and the step
        alone."""
        train, size = self.recipe.train, self.stage.batch_size
        generator = torch.Generator(self.device).manual_seed(step_seed(train.seed, step))
        jitter = torch.rand(size, sum(statistics.PIXELS), generator=generator, device=self.device)
        masked = self._masked(step)
        return batch_losses(
            self.begin(),
            self._batch(scenes, pairs, step, rows, first),
            train.loss,
            self.recipe.model.patch_size,
            self.precision,
            jitter[rows.start : rows.stop],
            train.cross_fit,
            None if masked is None else masked[rows.start : rows.stop].to(self.device),
            self.terms,
        )

    def _masked(self, step: int) -> Tensor | None:
        """What a masking that draws hides of a step's whole batch: (B, L) bool, of which parts and
        processes take their rows; None where the foreground decides."""
        config, stage = self.recipe.model, self.stage
        if config.masking not in DRAWN:
            return None
        drawn = np.random.default_rng([self.recipe.train.seed, step, MASKING]).integers(2**63)
        side = stage.image_size // config.patch_size
        tokens = TokenGrid(stage.batch_size, stage.clip_frames, side, side)
        generator = torch.Generator().manual_seed(int(drawn))
        return DRAWN[config.masking](tokens, config.masking_ratio, generator)


def mixed_with_pairs(
    given: TrainingBatch,
    made: TrainingBatch,
    share: float,
    rng: np.random.Generator,
    rows: range,
    size: int,
) -> TrainingBatch:
    """Rows of a batch of ``size``, each one of a pair or one of a scene, by the pairs' share."""
    chosen = torch.from_numpy(rng.random(size)[rows.start : rows.stop] < share)
    return given.where(chosen.to(made.composite.device), made)


def batch_of_pairs(windows: Sequence[PairWindow], device: torch.device) -> TrainingBatch:
    """Windows of pairs as a batch, whose mask is the region that was recolored."""

    def frames(name: str) -> Tensor:
        stacked = torch.from_numpy(np.stack([getattr(window, name) for window in windows])).to(
            device
        )
        return stacked.permute(0, 1, 4, 2, 3).float() / 255.0

    mask = torch.from_numpy(np.stack([window.mask for window in windows])).unsqueeze(2).to(device)
    source = torch.tensor([window.source for window in windows], device=device)
    return TrainingBatch(frames("composite"), frames("target"), mask, mask, source)


def split_parameters(model: VHMAE) -> tuple[dict[str, nn.Parameter], dict[str, nn.Parameter]]:
    """The parameters of the look path, and the others."""
    path = {id(p) for p in model.look_path.parameters()} if model.look_path is not None else set()
    named = dict(model.named_parameters())
    own = {name: p for name, p in named.items() if id(p) in path}
    return own, {name: p for name, p in named.items() if name not in own}


def load_bank(
    sampler: SceneSampler,
    stage: LookStage,
    recipe: Recipe,
    cache: Path,
    processes: Processes,
    path: LookPath,
    looks: LookSampler,
) -> LookBank:
    """The look path's bank: drawn once, then read from the cache.

    Args:
        sampler: cuts the scenes that it is drawn from.
        stage, recipe: say how many of them, of what size, by which seed.
        cache: the folder that it lies in.
        processes: the one that leads draws it; the others wait.
        path: whose encoder finds likes, where it has one.
        looks: under which likes are looked for.
    """
    seed, likes = recipe.train.seed, None
    encoder = ""
    if path.config.likeness is not None:
        likes = functools.partial(draw_likes, path, looks)
        encoder = tensors_digest(path.likeness.state_dict())
    file = cache / bank_file(recipe.data, recipe.scenes, stage, seed, encoder, recipe.looks)
    if processes.leads and not file.exists():
        LookBank.draw(sampler, stage, seed, os.cpu_count() or 1, likes).save(file)
    processes.wait()
    return LookBank.load(file)
