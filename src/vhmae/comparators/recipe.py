"""What a recipe of a compared method (configs/comparators/*.yaml) can say."""

from __future__ import annotations

import dataclasses
from typing import Literal

from vhmae.comparators.catalogue import find_comparator
from vhmae.comparators.looks import MIXTURE
from vhmae.data.looks import LookMixture
from vhmae.data.synthesis import SceneRecipe
from vhmae.errors import InputError
from vhmae.training.recipe import DataConfig, check_average, check_seed


@dataclasses.dataclass(frozen=True, kw_only=True)
class Course:
    """The course of a run; its optimiser and how its rate falls are the publication's."""

    samples: int = 16_000
    """Composites, each a clip of ``clip_frames``, that are seen over all."""
    batch_size: int = 16
    """Clips in a batch; batch norm wants 8 frames or more."""
    image_size: int = 128
    """Side of the square frames."""
    clip_frames: int = 1
    """Frames of a clip; 2 or more for methods for videos."""
    learning_rate: float | None = None
    """null takes the published one."""
    ema: float = 0.999
    """Share of the moving average that a step keeps; the average is what is saved."""
    seed: int = 0
    """Of weights, scenes and looks: two runs of one seed are the same run."""
    clip_norm: float = 0.0
    """Largest norm of the gradient; 0, as published, leaves it as it is."""
    critics: bool = False
    """Train DoveNet or RainNet against a critic, too: three times the time."""
    checks_flow: bool = False
    """Leave out of Huang's consistency what flow there and back does not agree on."""
    precision: Literal["auto", "fp32", "bf16"] = "auto"
    """Of the network's convolutions and products; auto takes what the machine is fastest in."""
    threads: int = 0
    """CPU threads; 0 takes all."""
    log_every_steps: int = 20
    """Steps from one line of the journal to the next."""
    checkpoint_every_seconds: float = 120.0
    """A run that is killed loses at most so much."""

    def __post_init__(self) -> None:
        check_average("train", self.ema)
        for name in ("samples", "batch_size", "clip_frames", "image_size", "log_every_steps"):
            if getattr(self, name) < 1:
                raise InputError(f"train.{name}={getattr(self, name)}: expected 1 or more")
        for name in ("seed", "threads", "clip_norm"):
            if getattr(self, name) < 0:
                raise InputError(f"train.{name}={getattr(self, name)}: expected 0 or more")
        check_seed("train", self.seed)
        if self.learning_rate is not None and self.learning_rate <= 0.0:
            raise InputError(f"train.learning_rate={self.learning_rate}: expected more than 0")

    @property
    def steps(self) -> int:
        """Steps of the optimiser."""
        return -(-self.samples // self.batch_size)

    def kept_steps(self) -> dict[int, int]:
        """Steps after which weights are kept, with the samples seen by then: 1/4, 1/2 and all."""
        parts = (self.steps // 4, self.steps // 2, self.steps)
        return {step: step * self.batch_size for step in parts if step}


@dataclasses.dataclass(frozen=True, kw_only=True)
class ComparatorRecipe:
    """A whole recipe: one YAML file."""

    comparator: str
    """A name of the catalogue."""
    backbone: str = ""
    """Trained weights of the network that Huang et al. and CO2Net stand on, from where you stand;
    CO2Net needs them."""
    scenes: SceneRecipe = dataclasses.field(default_factory=SceneRecipe)
    data: DataConfig = dataclasses.field(
        default_factory=lambda: DataConfig(cameras="looks/wb_maps.npz")
    )
    looks: LookMixture = MIXTURE
    train: Course = dataclasses.field(default_factory=Course)

    def __post_init__(self) -> None:
        find_comparator(self.comparator).config.for_size(self.train.image_size)
        stands_on_another = self.comparator.startswith(("huang-", "co2net-"))
        if self.backbone and not stands_on_another:
            raise InputError(
                f"backbone: {self.comparator} stands on no other network; leave it out"
            )
        if self.comparator.startswith("co2net-") and not self.backbone:
            raise InputError(f"backbone: {self.comparator} needs trained weights; give their file")
        if stands_on_another and self.train.clip_frames < 2:
            raise InputError(f"train.clip_frames: {self.comparator} needs 2 or more")
        if self.data.prior_sets:
            raise InputError(
                "data.prior_sets: guides know nothing of compared methods; leave the key out"
            )
        if self.train.critics and self.comparator not in ("dovenet", "rainnet"):
            raise InputError(f"train.critics: {self.comparator} has none; for dovenet and rainnet")
        if self.train.critics and self.train.image_size > 256:
            raise InputError("train.critics: take 256 x 256 at the most; lower train.image_size")
