"""Training of what finds likes: one place under two looks is one place; and the bank's likes."""

from __future__ import annotations

import functools
from collections.abc import Iterator

import numpy as np
import torch
from torch import Tensor, nn

from vhmae.data.looks import LookSampler
from vhmae.data.synthesis import Scene, StackedScenes, compose
from vhmae.errors import InputError
from vhmae.model.likeness import find_likes
from vhmae.model.look import LookPath
from vhmae.model.vhmae import VHMAE
from vhmae.training.fitting import Course, Part, Trained
from vhmae.training.objective import likeness_losses
from vhmae.training.recipe import LikenessStage, Recipe
from vhmae.training.seeds import LAYERS
from vhmae.training.sources import Batches, DrawnLikes, Draws, iterate_batches


class LikenessEncoderStage:
    """The look path's encoder of likes alone; small enough for every process to do all of it."""

    name = "likeness"

    def __init__(
        self,
        stage: LikenessStage,
        recipe: Recipe,
        model: VHMAE,
        looks: LookSampler,
        sampler: Draws[Scene],
    ) -> None:
        if model.look_path is None or model.look_path.config.likeness is None:
            raise InputError(
                "train.likeness: the model looks for no likes; give model.look.likeness, or leave "
                "the stage out (null)"
            )
        self.stage, self.recipe, self.model = stage, recipe, model
        self.looks, self.sampler = looks, sampler
        self.encoder = model.look_path.likeness
        self.course = Course(
            steps=stage.steps,
            learning_rate=stage.learning_rate,
            warmup_steps=recipe.train.warmup_steps,
            weight_decay=recipe.train.weight_decay,
            clip_norm=recipe.train.clip_norm,
            ema=stage.ema,
            betas=(0.9, 0.999),
        )

    def trained(self) -> list[Trained]:
        own = {id(parameter) for parameter in self.encoder.parameters()}
        named = dict(self.model.named_parameters())
        return [
            Trained({name: p for name, p in named.items() if id(p) in own}),
            Trained({name: p for name, p in named.items() if id(p) not in own}, rate=0.0),
        ]

    def begin(self) -> nn.Module:
        return self.model.train()

    def parts(self, steps: range) -> Iterator[list[Part]]:
        stage, recipe = self.stage, self.recipe
        batches = Batches(
            self.sampler, recipe.train.seed, range(stage.batch_size), 1, stage.image_size
        )
        for step, scenes in zip(
            steps, iterate_batches(batches, steps, recipe.data.workers), strict=True
        ):
            yield [functools.partial(self._losses, StackedScenes.of(scenes), step)]

    def _losses(self, scenes: StackedScenes, step: int) -> dict[str, Tensor]:
        rng = np.random.default_rng([self.recipe.train.seed, step, LAYERS])
        generator = torch.Generator().manual_seed(int(rng.integers(2**62)))
        device = next(self.encoder.parameters()).device
        frames = scenes.frames.to(device).permute(0, 1, 4, 2, 3).float() / 255.0
        everywhere = torch.ones_like(frames[:, :, :1], dtype=torch.bool)
        pair = self.looks.draw_pairs(rng, len(frames))
        second, first = compose(frames, everywhere, *pair)
        views = []
        for view in (first, second):
            spread = torch.rand(len(view), 1, 1, 1, generator=generator) * self.stage.noise
            noise = torch.randn(view[:, 0].shape, generator=generator) * spread
            views.append((view[:, 0] + noise.to(device)).clamp(0.0, 1.0))
        return likeness_losses(self.encoder, (views[0], views[1]), self.stage, generator)


@torch.no_grad()
def draw_likes(
    path: LookPath,
    looks: LookSampler,
    scenes: StackedScenes,
    rng: np.random.Generator,
    planes: Tensor | None = None,
) -> DrawnLikes:
    """Find likes in scenes under looks drawn at random, and tell them as they were before the
    looks: training draws others, under which the same places are about as alike.

    Args:
        planes: (n, T, 5, S, S), whose means over cells are told as well.
    """
    config = path.config.likeness
    assert config is not None
    frames = scenes.frames.permute(0, 1, 4, 2, 3).float() / 255.0
    region, mask = scenes.region.unsqueeze(2), scenes.mask.unsqueeze(2)
    composite, _ = compose(frames, region, *looks.draw_pairs(rng, len(frames)))
    features = path.likeness(composite.flatten(0, 1))
    more = () if planes is None else (planes,)
    found = find_likes(features, torch.cat([frames, region.float(), *more], dim=2), mask, config)
    cells = torch.cat([found.foreground, found.background.flatten(1, 2)], dim=1)
    return DrawnLikes(
        (cells[..., :3] * 255.0).round().byte(),
        cells[..., 3] > 0.5,
        found.likeness.half(),
        None if planes is None else cells[..., 4:].half(),
    )
