"""A model fitted by one stage: optimizer, rate, moving average; one update at a time.

What a stage is stands in :class:`TrainingStage`. ``vhmae train`` runs stages one after the other
and keeps checkpoints (``training.loop``); trials run one without (``fit``).
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Protocol

import torch
from torch import Tensor, nn
from torch.optim.swa_utils import get_ema_multi_avg_fn

from vhmae.errors import VhmaeError
from vhmae.training.parallel import Processes

Part = Callable[[], dict[str, Tensor]]
"""Computes the losses of a part of a step's batch; "loss" is what is minimised."""


@dataclasses.dataclass(frozen=True)
class Trained:
    """Parameters that a stage trains."""

    parameters: dict[str, nn.Parameter]
    rate: float = 1.0
    """Of the stage's learning rate; 0 freezes them."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class Course:
    """How a stage's updates are made."""

    steps: int
    """When the stage ends."""
    learning_rate: float
    """Rises over the warm-up, then falls to nothing along a cosine."""
    warmup_steps: int = 100
    weight_decay: float = 0.05
    clip_norm: float = 1.0
    """Largest norm of the gradient; 0 is no limit."""
    ema: float = 0.999
    """Share of the moving average that a step keeps; 0 keeps the weights themselves."""
    betas: tuple[float, float] = (0.9, 0.95)
    """Of AdamW; MAE's (He et al. 2022, Table 8)."""


class TrainingStage(Protocol):
    """One stage of a run: what it trains, on which samples, with which loss, and when it ends."""

    name: str
    course: Course

    def trained(self) -> list[Trained]:
        """What it trains, and what it freezes."""

    def begin(self) -> nn.Module:
        """Make the modules ready to train, at each step; returns the module whose gradients
        processes share."""

    def parts(self, steps: range) -> Iterator[list[Part]]:
        """For each step, counted over the whole run, the parts of its batch: samples and loss in
        one.

        Randomness comes from the seed and the step alone.
        """


class Fitting:
    """A model and its moving average, on the way through one stage."""

    def __init__(
        self,
        stage: TrainingStage,
        model: nn.Module,
        average: nn.Module,
        processes: Processes | None = None,
    ) -> None:
        self.stage = stage
        self.model = model
        self.average = average
        self.processes = processes or Processes()
        self.optimizer = make_optimizer(stage, model)
        self.gradient_norms: dict[str, float] = {}
        """Of the last step that was asked for them."""

    def update(self, parts: list[Part], step: int, norms: bool = False) -> dict[str, float]:
        """One step of the stage, counted from its own first; returns the means of its losses.

        Args:
            norms: put the gradient norm of each of Eq. 6's terms on the batch's first part into
                ``gradient_norms``; it costs a backward pass a term.
        Raises:
            VhmaeError: where the loss is not finite; nothing has been changed then.
        """
        course = self.stage.course
        self._set_rate(step)
        shared = self.stage.begin()
        self.optimizer.zero_grad(set_to_none=True)
        sums: dict[str, Tensor] = {}
        for number, compute in enumerate(parts, 1):
            with self.processes.holding(shared, last=number == len(parts)):
                values = compute()
                if norms and number == 1:
                    self.gradient_norms = gradient_norms(values, self.model.parameters())
                (values["loss"] / len(parts)).backward()
            for key, value in values.items():
                sums[key] = sums.get(key, torch.zeros(())).to(value.device) + value.detach() / len(
                    parts
                )
        means = self.processes.mean(sums)
        if not math.isfinite(means["loss"]):
            raise VhmaeError(
                f"the loss is not finite at step {step} of stage {self.stage.name}; begin a new "
                "run with a lower learning rate"
            )
        if course.clip_norm > 0.0:
            nn.utils.clip_grad_norm_(self.model.parameters(), course.clip_norm)
        self.optimizer.step()
        update_average(self.average, self.model, course.ema, step)
        return means

    def _set_rate(self, step: int) -> None:
        """Linear warm-up, then a cosine to zero."""
        course = self.stage.course
        warmup = min(1.0, (step + 1) / max(1, course.warmup_steps))
        cosine = 0.5 * (1.0 + math.cos(math.pi * step / course.steps))
        for group in self.optimizer.param_groups:
            group["lr"] = course.learning_rate * warmup * cosine * group["factor"]


@torch.no_grad()
def update_average(average: nn.Module, model: nn.Module, ema: float, step: int) -> None:
    """Move the averaged weights on by a step, from 0; what layers count is taken as it is.

    Args:
        ema: share of the average that a step keeps. Averages are short at first: long ones would
            remember the untrained weights.
    """
    decay = min(ema, (step + 1) / (step + 10))
    averaged, trained = list(average.parameters()), list(model.parameters())
    get_ema_multi_avg_fn(decay)(averaged, trained, None)  # in few kernels
    for kept, counted in zip(average.buffers(), model.buffers(), strict=True):
        kept.copy_(counted)


def gradient_norms(
    losses: Mapping[str, Tensor], parameters: Iterable[nn.Parameter]
) -> dict[str, float]:
    """Norm of the gradient of each of Eq. 6's terms that are among some losses, before its weight.

    The losses' graph stays, to be gone through again.
    """
    trained = [parameter for parameter in parameters if parameter.requires_grad]
    found = {}
    for name in ("reconstruction", "alignment", "balance"):
        term = losses.get(name)
        if term is not None and term.requires_grad:
            parts = torch.autograd.grad(term, trained, retain_graph=True, allow_unused=True)
            norms = [part.norm() for part in parts if part is not None]
            found[name] = float(torch.stack(norms).norm())
    return found


def make_optimizer(stage: TrainingStage, model: nn.Module) -> torch.optim.Optimizer:
    """AdamW; biases, norms and tokens without decay, as MAE is trained (docs/paper.md)."""
    # Gradients of what is frozen now would still count when clipping.
    model.zero_grad(set_to_none=True)
    groups: list[dict[str, object]] = []
    for trained in stage.trained():
        for parameter in trained.parameters.values():
            parameter.requires_grad_(trained.rate > 0.0)
        if trained.rate > 0.0 and trained.parameters:
            # By name: tokens, and the biases of members held together, are matrices, too.
            decays = {
                n for n, p in trained.parameters.items() if n.endswith("weight") and p.ndim > 1
            }
            for decay in (True, False):
                members = [p for n, p in trained.parameters.items() if (n in decays) == decay]
                weight_decay = stage.course.weight_decay if decay else 0.0
                groups.append(
                    {"params": members, "weight_decay": weight_decay, "factor": trained.rate}
                )
    device = next(model.parameters()).device
    return torch.optim.AdamW(
        groups, lr=1e-3, betas=stage.course.betas, fused=device.type in ("cpu", "cuda")
    )


def fit(stage: TrainingStage, model: nn.Module, average: nn.Module) -> None:
    """Run one stage from its first step to its last, without checkpoints; the average is what
    counts."""
    fitting = Fitting(stage, model, average)
    for step, parts in enumerate(stage.parts(range(stage.course.steps))):
        fitting.update(parts, step)
