"""The critic of DoveNet and RainNet: does a picture look real, and are both sides of one domain?

Cong et al., CVPR 2020 ("domain verification"); the convolutions are the partial ones of Liu et
al., ECCV 2018. An option: it takes three times the time of the L1
rows.
Differs from the publication: below 256 pixels one stride-2 convolution less for each halving; no
norm on the last map, which is one pixel.
Letters: F frames, C channels, H and W rows and columns.
"""

from __future__ import annotations

import dataclasses

import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.nn.utils.parametrizations import spectral_norm

from vhmae.comparators.comparator import initialize_normal
from vhmae.errors import ShapeError

PENALTY_WEIGHT = 10.0
"""Of the gradient penalty."""


class PartialConvolution(nn.Module):
    """A 3x3 convolution over the pixels of a region alone (Liu et al., ECCV 2018)."""

    def __init__(self, inputs: int, outputs: int, stride: int) -> None:
        super().__init__()
        self.stride = stride
        # Without its bias, which is added after the sum is brought to the size of a full window.
        self.convolve = spectral_norm(nn.Conv2d(inputs, outputs, 3, stride=stride, bias=False))
        self.bias = nn.Parameter(torch.zeros(outputs))

    def forward(self, features: Tensor, region: Tensor) -> tuple[Tensor, Tensor]:
        """Convolve.

        Args:
            features: (F, C, H, W).
            region: (F, 1, H, W), 1 where features count.
        Returns:
            The sum over counted pixels, times 9 over their number, plus bias, and zero where a
            window has none; and the region of windows that have one.
        """
        ones = region.new_ones(1, 1, 3, 3)
        counted = functional.conv2d(region, ones, stride=self.stride)
        met = (counted > 0.0).to(features.dtype)
        total = self.convolve(features * region) * (9.0 / counted.clamp_min(1.0))
        return (total + self.bias.view(1, -1, 1, 1)) * met, met


class _Branch(nn.Module):
    """Partial convolutions from a picture to one vector: (F, 3, H, W) -> (F, C, 1, 1)."""

    def __init__(self, width: int, levels: int) -> None:
        super().__init__()
        widths = [width * min(2**level, 8) for level in range(levels - 1)]
        last = len(widths) - 1
        self.convolutions = nn.ModuleList(
            PartialConvolution(inputs, outputs, stride=1 if level == last else 2)
            for level, (inputs, outputs) in enumerate(zip([3, *widths[:-1]], widths, strict=True))
        )

    def forward(self, values: Tensor, region: Tensor) -> Tensor:
        last = len(self.convolutions) - 1
        for level, convolution in enumerate(self.convolutions):
            values, region = convolution(values, region)
            if 0 < level < last:
                values = functional.instance_norm(values)
            values = functional.leaky_relu(values, 0.2)
        return values


@dataclasses.dataclass(frozen=True)
class Scores:
    """What the critic says: higher is more real."""

    whole: Tensor
    """(F, 1): of the picture."""
    agreement: Tensor
    """(F, 1): of foreground and background belonging together."""


class Critic(nn.Module):
    """A global branch for the picture, a local one for its two sides."""

    def __init__(self, levels: int = 8, width: int = 64) -> None:
        super().__init__()
        self.side = 2**levels
        channels = width * min(2 ** (levels - 2), 8)
        self.globally = _Branch(width, levels)
        self.locally = _Branch(width, levels)
        self.score_whole = nn.Conv2d(channels, 1, 1)
        self.score_agreement = nn.Sequential(
            spectral_norm(nn.Conv2d(channels, channels, 1)),
            nn.LeakyReLU(0.2),
            spectral_norm(nn.Conv2d(channels, channels, 1)),
            nn.LeakyReLU(0.2),
            nn.Conv2d(channels, 1, 1),
        )
        initialize_normal(self)

    def forward(self, values: Tensor, mask: Tensor) -> Scores:
        """Score pictures (F, 3, S, S) in [-1, 1] with masks (F, 1, S, S)."""
        if values.shape[-2:] != (self.side, self.side):
            raise ShapeError(
                f"the critic takes {self.side}x{self.side}, got {tuple(values.shape[-2:])}"
            )
        whole = self.score_whole(self.globally(values, torch.ones_like(mask)))
        sides = self.locally(values, mask) * self.locally(values, 1.0 - mask)
        return Scores(whole.flatten(1), self.score_agreement(sides).flatten(1))


def critic_losses(
    critic: Critic,
    real: Tensor,
    drawn: Tensor,
    mask: Tensor,
    generator: torch.Generator | None = None,
) -> dict[str, Tensor]:
    """What the critic minimises: hinge losses of both scores, and a gradient penalty.

    Args:
        real, drawn: (F, 3, S, S) in [-1, 1]; ``drawn`` is taken as it is, without its history.
        mask: (F, 1, S, S).
        generator: draws the places between a real and a drawn picture.
    """
    drawn = drawn.detach()
    of_real, of_drawn = critic(real, mask), critic(drawn, mask)
    hinge = {
        name: (
            functional.relu(1.0 - getattr(of_real, name)).mean()
            + functional.relu(1.0 + getattr(of_drawn, name)).mean()
        )
        for name in ("whole", "agreement")
    }
    place = torch.rand(len(real), 1, 1, 1, generator=generator, device=real.device)
    between = torch.lerp(real, drawn, place).requires_grad_(True)
    scores = critic(between, mask)
    mean = 0.5 * (scores.whole + scores.agreement)
    (gradient,) = torch.autograd.grad(mean.sum(), between, create_graph=True)
    penalty = (gradient.flatten(1).norm(dim=1) - 1.0).square().mean()
    loss = hinge["whole"] + hinge["agreement"] + PENALTY_WEIGHT * penalty
    return {"loss": loss, **hinge, "penalty": penalty}


def adversarial_loss(critic: Critic, drawn: Tensor, mask: Tensor) -> Tensor:
    """What the critic adds to a generator's loss: both scores with weight 1, turned round."""
    scores = critic(drawn, mask)
    return -(scores.whole.mean() + scores.agreement.mean())
