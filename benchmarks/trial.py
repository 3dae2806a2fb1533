"""One way to train the look path: what a trial of look_trials.py is made of, and how it is fitted
to drawn pixels."""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Iterator, Sequence
from typing import Literal

import numpy as np
import torch
from torch import Tensor, nn

from vhmae.color import statistics
from vhmae.color.basis import AFFINE, QUADRATIC, color_basis
from vhmae.color.lut import apply_luts
from vhmae.color.transform import LUMA_NODES, luma_basis
from vhmae.data.looks import LookMixture, LookSampler
from vhmae.model.config import LookConfig
from vhmae.model.look import LookPath, MemberLinear
from vhmae.training.fitting import Course, Part, Trained, fit
from vhmae.training.sources import LookBank

Basis = Literal["affine", "quadratic", "luma"]
TERMS = {"affine": AFFINE, "quadratic": QUADRATIC, "luma": AFFINE * LUMA_NODES}
NUMBERS = {
    "moments": range(18),
    "quantiles": range(18, 53),
    "luma bands": range(53, 71),
    "clipped": range(71, 77),
}
"""Where each kind of number stands among ``statistics.STATISTICS``."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class Trial:
    """One way to train the look path."""

    sets: tuple[str, ...] = statistics.SETS
    """Pixel sets that are shown."""
    numbers: tuple[str, ...] = tuple(NUMBERS)
    histograms: bool = True
    basis: Basis = "quadratic"
    """Of the answer; ``luma`` is an affine map at each of three luma nodes, interpolated: a
    bilateral grid without places."""
    told: Literal["quadratic", "luma"] = "quadratic"
    """The look path's own ``basis``: what stands behind a quadratic answer."""
    members: int = 4
    width: int = 256
    steps: int = 1500
    batch_size: int = 256
    samples: int = 40000
    loss: Literal["relative", "l1", "lab", "likelihood"] = "relative"
    """``relative`` to the composite's error + floor (a large floor is the plain squared error);
    ``lab`` squares distances in CIELAB;
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
    pasted: float = 0.0
    """Share of training composites whose background is another scene's, under the same look: what
    pasting does."""
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
    path = LookPath(LookConfig(members=trial.members, width=trial.width, basis=trial.told))
    shown = torch.zeros(len(statistics.SETS), statistics.STATISTICS)
    seen = torch.tensor([name in trial.sets for name in statistics.SETS])
    for name in trial.numbers:
        shown[:, list(NUMBERS[name])] = 1.0
    shown *= seen.unsqueeze(-1)
    path.normalize = nn.Sequential(path.normalize, Keep(torch.cat([shown.flatten(), seen.float()])))  # type: ignore[assignment]  # another module in its place
    cells = (seen * float(trial.histograms)).repeat_interleave(statistics.HISTOGRAM_BINS**3)
    path.read_histogram = nn.Sequential(Keep(cells), path.read_histogram)  # type: ignore[assignment]  # another module in its place
    terms = TERMS[trial.told if trial.basis == "quadratic" else trial.basis]
    path.answer = MemberLinear(
        trial.members, trial.width, 3 * terms + 3 * (trial.loss == "likelihood")
    )
    nn.init.zeros_(path.answer.weight)
    return path


def evaluate_basis(rgb: Tensor, basis: Basis) -> Tensor:
    """Colors (..., 3) -> (..., terms)."""
    return luma_basis(rgb) if basis == "luma" else color_basis(rgb, TERMS[basis])


def to_lab(rgb: Tensor) -> Tensor:
    """sRGB (..., 3) in [0, 1] -> CIELAB over 100, the white of D65."""
    linear = torch.where(rgb <= 0.04045, rgb / 12.92, ((rgb.clamp_min(0.0) + 0.055) / 1.055) ** 2.4)
    matrix = rgb.new_tensor(
        [[0.4124, 0.3576, 0.1805], [0.2126, 0.7152, 0.0722], [0.0193, 0.1192, 0.9505]]
    )
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
    """(B, P): the recolored pixels, sums to one."""
    source: Tensor

    def squared(self, colors: Tensor) -> Tensor:
        """Mean squared error (..., B)."""
        return ((colors - self.target).square().mean(-1) * self.weight).sum(-1)

    def other_background(self) -> Pairs:
        """Each foreground before the background of another clip."""
        order = torch.argsort(self.source, stable=True)
        other = order[(torch.argsort(order) + len(order) // 2) % len(order)]
        own = [name in statistics.FOREGROUND_SETS for name in statistics.SETS]
        sets = [
            colors if mine else colors[other] for colors, mine in zip(self.sets, own, strict=True)
        ]
        return dataclasses.replace(self, sets=sets)


def make_pairs(
    bank: LookBank,
    rows: Tensor,
    background: Tensor,
    foreground: Tensor,
    behind: Tensor | None = None,
) -> Pairs:
    """Scenes of a bank under drawn looks (``vhmae.training.objective.look_losses``); ``behind`` are
    other scenes for the backgrounds."""
    pixels, region = bank.pixels[rows].float() / 255.0, bank.region[rows]
    if behind is not None:
        own = torch.cat(
            [
                torch.full((count,), name in statistics.FOREGROUND_SETS)
                for name, count in zip(statistics.SETS, statistics.PIXELS, strict=True)
            ]
        )
        pixels = torch.where(own.view(1, -1, 1), pixels, bank.pixels[behind].float() / 255.0)
        region = torch.where((behind == rows).unsqueeze(1), region, region & own)
    target = apply_luts(pixels, background).clamp(0.0, 1.0)
    composite = torch.where(
        region.unsqueeze(-1), apply_luts(pixels, foreground).clamp(0.0, 1.0), target
    )
    count = statistics.PIXELS[0]
    weight = region[:, :count].float()
    weight = weight / weight.sum(1, keepdim=True).clamp_min(1.0)
    return Pairs(
        list(composite.split(statistics.PIXELS, dim=1)),
        bank.shares[rows],
        target[:, :count],
        weight,
        bank.source[rows],
    )


def answers(
    path: LookPath, pairs: Pairs, basis: Basis, shares: Sequence[float] = (1.0,)
) -> tuple[Tensor, Tensor]:
    """The members' harmonized colors (M, B, P, 3), and what they say of their error's variance (M,
    B).

    Args:
        shares: one for each time that the composite is shown, each time as harmonized so far: how
            much of the answer is added.
    """
    said = path.read(pairs.sets, pairs.shares).member_coefficients
    terms = evaluate_basis(pairs.sets[0][:, :1], basis).shape[-1]
    total = shares[0] * said[..., :terms]
    for share in shares[1:]:
        shown = [
            recolored(colors, total.mean(0).detach(), basis)
            if name in statistics.FOREGROUND_SETS
            else colors
            for name, colors in zip(statistics.SETS, pairs.sets, strict=True)
        ]
        again = path.read(shown, pairs.shares).member_coefficients
        total = total.mean(0, keepdim=True).detach() + share * again[..., :terms]
    return recolored(pairs.sets[0], total, basis, clip=False), said[..., terms:].sum((-1, -2))


def recolored(colors: Tensor, coefficients: Tensor, basis: Basis, clip: bool = True) -> Tensor:
    changed = colors + evaluate_basis(colors, basis) @ coefficients.transpose(-1, -2)
    return changed.clamp(0.0, 1.0) if clip else changed


def loss_of(trial: Trial, path: LookPath, pairs: Pairs) -> Tensor:
    if trial.passes > 1:
        return torch.stack(
            [_loss_of(trial, path, pairs, (1.0,) * count) for count in range(1, trial.passes + 1)]
        ).mean()
    return _loss_of(trial, path, pairs, (1.0,))


def _loss_of(trial: Trial, path: LookPath, pairs: Pairs, shares: Sequence[float]) -> Tensor:
    harmonized, log_variance = answers(path, pairs, trial.basis, shares)
    untouched = pairs.squared(pairs.sets[0])
    if trial.loss == "l1":
        return ((harmonized - pairs.target).abs().mean(-1) * pairs.weight).sum(-1).mean()
    if trial.loss == "lab":
        return (
            ((to_lab(harmonized) - to_lab(pairs.target)).square().mean(-1) * pairs.weight)
            .sum(-1)
            .mean()
        )
    error = pairs.squared(harmonized)
    if (
        trial.loss == "likelihood"
    ):  # the mean is fitted as ever; the deviation learns from its errors
        spread = (log_variance - 5.0).clamp(-12.0, 2.0)
        return (error / (untouched + trial.floor)).mean() + 0.1 * (
            error.detach() * (-spread).exp() + spread
        ).mean()
    harm = trial.harm_weight * (error - untouched).clamp_min(0.0)
    return ((error + harm) / (untouched + trial.floor)).mean()


class TrialStage:
    """A trial as a stage of training: the look path of its own making, on drawn pixels."""

    name = "trial"

    def __init__(
        self,
        trial: Trial,
        path: LookPath,
        bank: LookBank,
        rows: Tensor,
        looks: LookSampler,
        seed: int,
    ) -> None:
        self.trial, self.path, self.bank, self.rows, self.looks, self.seed = (
            trial,
            path,
            bank,
            rows,
            looks,
            seed,
        )
        self.course = Course(steps=trial.steps, learning_rate=1e-3, ema=0.998, betas=(0.9, 0.999))

    def trained(self) -> list[Trained]:
        return [Trained(dict(self.path.named_parameters()))]

    def begin(self) -> nn.Module:
        return self.path.train()

    def parts(self, steps: range) -> Iterator[list[Part]]:
        for step in steps:
            rng = np.random.default_rng([self.seed, step, 1])
            picks = self.rows[
                torch.from_numpy(rng.integers(len(self.rows), size=self.trial.batch_size))
            ]
            tables = self.looks.draw_pairs(rng, len(picks))
            pasted = (
                torch.from_numpy(rng.random(len(picks)) < self.trial.pasted)
                if self.trial.pasted
                else None
            )
            behind = None if pasted is None else torch.where(pasted, picks.roll(1), picks)
            yield [functools.partial(self._losses, make_pairs(self.bank, picks, *tables, behind))]

    def _losses(self, pairs: Pairs) -> dict[str, Tensor]:
        return {"loss": loss_of(self.trial, self.path, pairs)}


def train(trial: Trial, bank: LookBank, rows: Tensor, looks: LookSampler, seed: int) -> LookPath:
    """Fit a trial's look path; the averaged weights."""
    torch.manual_seed(seed)
    path = make_path(trial)
    average = make_path(trial).eval()
    average.load_state_dict(path.state_dict())
    fit(TrialStage(trial, path, bank, rows, looks, seed), path, average)
    return average
