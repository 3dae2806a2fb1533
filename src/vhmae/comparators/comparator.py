"""What every compared method is: a composite clip and its mask in, harmonized frames out.

Letters: B batch, T frames of a clip, F = B * T frames side by side, H and W rows and columns.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import Literal

import torch
from torch import Tensor, nn

from vhmae.errors import InputError, ShapeError


@dataclasses.dataclass(frozen=True)
class ValueScale:
    """The values that a network works in: (value - mean) / deviation, a channel each."""

    mean: tuple[float, float, float]
    deviation: tuple[float, float, float]

    def scale(self, frames: Tensor) -> Tensor:
        """Take frames (F, 3, H, W) in [0, 1] to the network's values."""
        return (frames - _channels(self.mean, frames)) / _channels(self.deviation, frames)

    def unscale(self, values: Tensor) -> Tensor:
        """Take the network's values (F, 3, H, W) back to [0, 1]; not clipped."""
        return values * _channels(self.deviation, values) + _channels(self.mean, values)


def _channels(numbers: tuple[float, float, float], like: Tensor) -> Tensor:
    return like.new_tensor(numbers).view(1, 3, 1, 1)


IMAGENET = ValueScale((0.485, 0.456, 0.406), (0.229, 0.224, 0.225))
"""Mean and deviation of ImageNet's pictures."""
SIGNED = ValueScale((0.5, 0.5, 0.5), (0.5, 0.5, 0.5))
"""[0, 1] to [-1, 1]."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class Schedule:
    """The optimiser of a publication and the course of its rate.

    A run of another length follows the same course, stretched or shrunk.
    """

    optimizer: Literal["adam", "adamw"] = "adam"
    learning_rate: float
    betas: tuple[float, float] = (0.9, 0.999)
    eps: float = 1e-8
    weight_decay: float = 0.0
    batch_size: int | None
    """As published, None where that is not known; recipes may take another one."""
    epochs: int
    flat_epochs: int | None = None
    """Epochs at the full rate, which then falls in a straight line to nothing; None for steps."""
    milestones: tuple[int, ...] = ()
    """Epochs after which the rate is a tenth of what it was."""

    def factor(self, progress: float) -> float:
        """The share of the learning rate that holds at ``progress`` (0 to 1) of the course."""
        epoch = progress * self.epochs
        if self.flat_epochs is not None:
            return min(1.0, (self.epochs - epoch) / max(1, self.epochs - self.flat_epochs))
        return float(0.1 ** sum(epoch >= milestone for milestone in self.milestones))

    def make_optimizer(self, parameters: list[nn.Parameter]) -> torch.optim.Optimizer:
        kind = {"adam": torch.optim.Adam, "adamw": torch.optim.AdamW}[self.optimizer]
        return kind(
            parameters,
            lr=self.learning_rate,
            betas=self.betas,
            eps=self.eps,
            weight_decay=self.weight_decay,
        )


class Comparator(nn.Module):
    """A compared method."""

    def forward(self, composite: Tensor, mask: Tensor) -> Tensor:
        """Harmonize clips.

        Args:
            composite: (B, T, 3, H, W) in [0, 1], sRGB-encoded RGB.
            mask: (B, T, 1, H, W) bool, True = foreground.
        Returns:
            (B, T, 3, H, W) in [0, 1]; outside the mask the composite.
        Raises:
            ShapeError: if the shapes do not belong together, or the network cannot take the size.
        """
        raise NotImplementedError

    def losses(self, composite: Tensor, mask: Tensor, target: Tensor) -> dict[str, Tensor]:
        """What the publication minimises, by name; ``loss`` is their weighted sum.

        Args:
            composite, mask: as :meth:`forward` takes them.
            target: (B, T, 3, H, W) in [0, 1].
        """
        raise NotImplementedError


FRAMES_AT_ONCE = 16
"""Frames that a network in evaluation sees at once; it bounds the memory, not the result."""


@dataclasses.dataclass(frozen=True)
class FramePrediction:
    """What a network for pictures says of frames."""

    frames: Tensor
    """(F, 3, H, W), nominally in [0, 1], as drawn by the network: neither blended nor clipped."""
    features: Tensor
    """(F, C, rows, columns), of any size: what stands before the last layer. CO2Net reads it."""


class FrameComparator(Comparator):
    """A method for pictures: it sees each frame of a clip alone."""

    value_scale: ValueScale
    """The values that it is trained in."""
    feature_channels: int
    """C of :class:`FramePrediction`."""
    takes_any_size = False
    """Whether it draws frames at their full size; the change of others is carried up from squares
    of the size that they were trained at."""
    blends_before_loss = True
    """Whether its losses see the output blended with the composite, or as drawn."""

    def predict(self, frames: Tensor, mask: Tensor) -> FramePrediction:
        """Draw frames.

        Args:
            frames: composites (F, 3, H, W) in [0, 1].
            mask: (F, 1, H, W) float, 1 = foreground; soft ones are taken as they are.
        """
        raise NotImplementedError

    def frame_losses(
        self, predicted: FramePrediction, composite: Tensor, mask: Tensor, target: Tensor
    ) -> dict[str, Tensor]:
        """The losses of a prediction.

        Args:
            composite, target: (F, 3, H, W) in [0, 1].
            mask: (F, 1, H, W) float.
        """
        raise NotImplementedError

    def judged(self, predicted: FramePrediction, composite: Tensor, mask: Tensor) -> Tensor:
        """The frames (F, 3, H, W) that losses and critics see; not clipped."""
        if self.blends_before_loss:
            return blend(predicted.frames, composite, mask)
        return predicted.frames

    def forward(self, composite: Tensor, mask: Tensor) -> Tensor:
        check_clip(composite, mask)
        frames, cover = composite.flatten(0, 1), mask.flatten(0, 1).to(composite.dtype)
        # Norms of batches see all frames while they train; else each frame stands alone.
        at_once = len(frames) if self.training else FRAMES_AT_ONCE
        parts = zip(frames.split(at_once), cover.split(at_once), strict=True)
        drawn = torch.cat([self.predict(*part).frames for part in parts])
        return blend(drawn, frames, cover).clamp(0.0, 1.0).reshape(composite.shape)

    def losses(self, composite: Tensor, mask: Tensor, target: Tensor) -> dict[str, Tensor]:
        check_clip(composite, mask)
        frames, cover = composite.flatten(0, 1), mask.flatten(0, 1).to(composite.dtype)
        return self.frame_losses(self.predict(frames, cover), frames, cover, target.flatten(0, 1))


def blend(drawn: Tensor, composite: Tensor, mask: Tensor) -> Tensor:
    """pred m + comp (1 - m): the drawn frames inside a mask (F, 1, H, W), soft or hard."""
    return drawn * mask + composite * (1.0 - mask)


def check_clip(composite: Tensor, mask: Tensor) -> None:
    """Refuse clips and masks that do not belong together."""
    expected = (*composite.shape[:2], 1, *composite.shape[3:])
    if composite.ndim != 5 or composite.shape[2] != 3 or mask.shape != expected:
        raise ShapeError(
            f"expected (B, T, 3, H, W) and (B, T, 1, H, W), got {tuple(composite.shape)} and "
            f"{tuple(mask.shape)}"
        )


def check_multiple(frames: Tensor, multiple: int, least: int, method: str) -> None:
    """Refuse frames (F, C, H, W) whose sides a network cannot halve often enough."""
    height, width = frames.shape[-2:]
    if height % multiple or width % multiple or min(height, width) < least:
        raise ShapeError(
            f"{method}: takes sides that are multiples of {multiple} and at least {least}, got "
            f"{height}x{width}; resize the frames first"
        )


def check_side(image_size: int, multiple: int, least: int, method: str) -> None:
    """Refuse to build a method for squares whose side it cannot halve often enough."""
    if image_size % multiple or image_size < least:
        raise InputError(
            f"{method}: image_size={image_size}; expected a multiple of {multiple}, {least} or more"
        )


def initialize_normal(module: nn.Module, deviation: float = 0.02) -> None:
    """Weights of convolutions and linear layers from a normal distribution, biases zero."""
    _initialize(module, lambda weight: nn.init.normal_(weight, std=deviation))


def initialize_xavier(module: nn.Module, magnitude: float) -> None:
    """Weights from a normal distribution of variance ``magnitude`` / mean fan, biases zero."""
    _initialize(module, lambda weight: nn.init.xavier_normal_(weight, gain=magnitude**0.5))


def _initialize(module: nn.Module, draw: Callable[[Tensor], Tensor]) -> None:
    for layer in module.modules():
        if isinstance(layer, nn.Conv2d | nn.ConvTranspose2d | nn.Linear):
            drawn = getattr(layer, "parametrizations", None)  # of a spectral norm: what it divides
            draw(layer.weight if drawn is None else drawn.weight.original)
            if layer.bias is not None:
                nn.init.zeros_(layer.bias)
