"""What a look path could read beside the statistics, and how sure it could say that it is: the
parts of evidence_trials.py.

Letters: B batch, M members, K answers of a member, P drawn pixels, T frames.
"""

from __future__ import annotations

import dataclasses

import torch
from torch import Tensor, nn
from torch.nn import functional

from vhmae.color import statistics
from vhmae.color.basis import QUADRATIC, apply_transform
from vhmae.color.transform import luma_of
from vhmae.model.look import MemberLinear
from vhmae.model.weights import load_model
from vhmae.training.sources import LookBank

SIDES = statistics.PIXELS[:2]
"""Pixels of the foreground and of the background: those that are drawn with a neighbor."""
DRAWN = sum(statistics.PIXELS)
LEVEL = 1.0 / 255.0
EVIDENCE = ("tone", "illuminant")


# --- what is drawn


def draw_bank(
    frames: Tensor,
    region: Tensor,
    mask: Tensor,
    source: Tensor,
    added: Tensor | None = None,
    generator: torch.Generator | None = None,
) -> LookBank:
    """Draw pixels of scenes, and after them a neighbor of each of the first two sets.

    Args:
        frames: (B, T, S, S, 3) uint8.
        region, mask: (B, T, S, S) bool.
        source: (B,) int64.
        added: (B, T, 5, S, S) of ``layer_planes``; None where nothing is laid over the pixels.
        generator: of random places; None takes the middle of each interval.
    Returns:
        A bank with ``layers``: places in [-1, 1], and what a whole Poisson blend would add.
    """
    side = frames.shape[2]
    axis = torch.linspace(-1.0, 1.0, side)
    place = torch.stack(torch.meshgrid(axis, axis, indexing="xy"), dim=-1)
    layers = place.expand(*frames.shape[:4], 2)
    layers = (
        torch.cat([layers, torch.zeros_like(layers), torch.zeros_like(layers[..., :1])], dim=-1)
        if added is None
        else added.permute(0, 1, 3, 4, 2)
    )
    own = torch.cat([frames.float(), region.unsqueeze(-1).float(), layers], dim=-1)
    columns = torch.arange(side)
    right, left = (columns + 1).clamp_max(side - 1), (columns - 1).clamp_min(0)
    same = (mask == mask[..., right]).unsqueeze(-1)  # a neighbor lies on the same side
    every = torch.cat([own, torch.where(same, own[:, :, :, right], own[:, :, :, left])], dim=-1)
    members = statistics.pixel_set_masks(mask.unsqueeze(2))
    drawn = []
    for number, count in enumerate(statistics.PIXELS):
        offset = torch.rand(len(frames), count, generator=generator) if generator else 0.5
        drawn.append(statistics.draw_pixels(every.flatten(1, 3), members[:, number], count, offset))
    pixels = torch.cat(drawn, dim=1)
    numbers = own.shape[-1]
    pixels = torch.cat([pixels[..., :numbers], pixels[:, : sum(SIDES), numbers:]], dim=1)
    shares = members.float().mean(dim=2)
    return LookBank(
        pixels[..., :3].round().byte(),
        pixels[..., 3] > 0.5,
        shares,
        source,
        layers=pixels[..., 4:].half(),
    )


@dataclasses.dataclass(frozen=True)
class Shown:
    """Drawn pixels of composites, as a look path sees them."""

    pixels: Tensor
    """(B, DRAWN + sum(SIDES), 3) in [0, 1]: the four sets, then neighbors of the first two."""
    places: Tensor
    """(B, DRAWN, 2): x and y in [-1, 1]."""
    shares: Tensor
    """(B, S) of the frame."""

    @property
    def foreground(self) -> Tensor:
        return self.pixels[:, : SIDES[0]]

    def sides(self) -> list[tuple[Tensor, Tensor, Tensor]]:
        """Foreground and background: colors, their neighbors' and their places."""
        near = self.pixels[:, DRAWN:].split(SIDES, dim=1)
        places = self.places[:, : sum(SIDES)].split(SIDES, dim=1)
        colors = self.pixels[:, : sum(SIDES)].split(SIDES, dim=1)
        return list(zip(colors, near, places, strict=True))

    def recolored(self, coefficients: Tensor) -> Shown:
        """The same with a map (B, 3, QUADRATIC) over the foreground."""
        own = [
            torch.full((count,), name in statistics.FOREGROUND_SETS)
            for name, count in zip(statistics.SETS, statistics.PIXELS, strict=True)
        ]
        own += [torch.full((count,), number == 0) for number, count in enumerate(SIDES)]
        changed = apply_transform(self.pixels, coefficients).clamp(0.0, 1.0)
        kept = torch.where(torch.cat(own).view(1, -1, 1), changed, self.pixels)
        return dataclasses.replace(self, pixels=kept)


# --- what is read of it

Reading = dict[str, Tensor]
"""Numbers by the name of what tells them, (B, F) each."""


@torch.no_grad()
def read(shown: Shown, evidence: tuple[str, ...] = EVIDENCE) -> Reading:
    """The statistics of the look path, and what of ``EVIDENCE`` is asked for."""
    sets = list(shown.pixels[:, :DRAWN].split(statistics.PIXELS, dim=1))
    numbers = statistics.of_each_set(statistics.set_statistics, sets)
    found = {
        "statistics": torch.cat([*numbers, shown.shares.sqrt()], dim=1),
        "histograms": torch.cat(statistics.of_each_set(statistics.set_histogram, sets), dim=1),
    }
    if evidence:
        found |= {
            name: torch.cat([_READINGS[name](*side) for side in shown.sides()], dim=1)
            for name in evidence
        }
    return found


NOISE_BANDS = 6


def _tone(colors: Tensor, near: Tensor, places: Tensor) -> Tensor:
    """What tells of a tone curve: how black and white end, what is clipped, and how much neighbors
    differ at each brightness. A curve's slope scales noise and fine texture."""
    ordered = torch.cat([colors, luma_of(colors).unsqueeze(-1)], -1).sort(dim=1).values
    count = colors.shape[1]
    shares = (0.004, 0.01, 0.03, 0.97, 0.99, 0.996)
    ends = [ordered[:, round(share * (count - 1))] for share in shares]
    levels = (0.5, 3.5, 10.5)
    clipped = [(colors <= level * LEVEL).float().mean(1) for level in levels]
    clipped += [(colors >= 1.0 - level * LEVEL).float().mean(1) for level in levels]
    middle = (luma_of(colors) + luma_of(near)) / 2
    band = (middle * NOISE_BANDS).long().clamp(0, NOISE_BANDS - 1)
    inside = functional.one_hot(band, NOISE_BANDS).to(colors.dtype)  # (B, P, bands)
    share = inside.mean(dim=1)
    step = (luma_of(colors) - luma_of(near)).abs()
    kinds = torch.stack(
        [
            step.clamp_max(3 * LEVEL) / (3 * LEVEL),
            step.clamp_max(12 * LEVEL) / (12 * LEVEL),
            (step < 0.5 * LEVEL).to(colors.dtype),
            (colors - near).std(dim=-1).clamp_max(6 * LEVEL) / (6 * LEVEL),
        ],
        dim=-1,
    )
    noise = inside.transpose(1, 2) @ kinds / count / (share + 0.01).unsqueeze(-1)
    return torch.cat([*ends, *clipped, noise.flatten(1), share], dim=1)


def _illuminant(colors: Tensor, near: Tensor, places: Tensor) -> Tensor:
    """What tells warm light from a warm wall: five estimates of the light's color, how far they
    agree, and how the chroma spreads over luma and over the frame."""
    light = colors.clamp_min(0.0) ** 2.2 + 1e-4

    def chroma(of: Tensor) -> Tensor:
        logs = of.clamp_min(1e-6).log()
        return torch.stack([logs[..., 0] - logs[..., 1], logs[..., 2] - logs[..., 1]], dim=-1)

    luma = luma_of(colors)
    usable = (colors.amax(-1) < 0.98).to(colors.dtype)
    bright = (usable * (luma >= luma.quantile(0.9, dim=1, keepdim=True))).unsqueeze(-1)
    own = chroma(light)  # (B, P, 2)
    saturation = (colors.amax(-1) - colors.amin(-1)) / (colors.amax(-1) + 0.03)
    dull = saturation.quantile(0.15, dim=1, keepdim=True)
    neutral = (saturation <= dull).to(colors.dtype).unsqueeze(-1)
    estimates = torch.stack(
        [
            chroma(light.mean(1)),
            chroma((light**6).mean(1) ** (1 / 6)),
            chroma((light * bright).sum(1) / bright.sum(1).clamp_min(1.0) + 1e-4),
            chroma((colors - near).abs().mean(1) + 0.1 * LEVEL),
            (own * neutral).sum(1) / neutral.sum(1).clamp_min(1.0),
        ],
        dim=1,
    )  # (B, 5, 2)
    mean = own.mean(1, keepdim=True)
    centered, depth = own - mean, luma - luma.mean(1, keepdim=True)
    slope = (centered * depth.unsqueeze(-1)).mean(1) / (depth.square().mean(1, keepdim=True) + 1e-3)
    spread = torch.stack(
        [
            centered[..., 0].square().mean(1),
            centered[..., 1].square().mean(1),
            (centered[..., 0] * centered[..., 1]).mean(1),
        ],
        dim=1,
    )
    quarter = (places[..., 0] > 0).long() * 2 + (places[..., 1] > 0).long()
    inside = functional.one_hot(quarter, 4).to(colors.dtype)
    share = inside.mean(1)
    values = torch.cat([own, luma.unsqueeze(-1)], -1)
    parts = inside.transpose(1, 2) @ values / colors.shape[1] / (share + 0.02).unsqueeze(-1)
    differ = parts - parts.mean(1, keepdim=True)
    return torch.cat(
        [
            estimates.flatten(1),
            (estimates - estimates.mean(1, keepdim=True)).flatten(1),
            estimates.std(dim=1),
            dull,
            slope,
            spread,
            differ.std(dim=1),
            share,
        ],
        dim=1,
    )


_READINGS = {"tone": _tone, "illuminant": _illuminant}


# --- what says the answer


@dataclasses.dataclass(frozen=True)
class Answer:
    """What the members say of composites."""

    coefficients: Tensor
    """(M, B, K, 3, QUADRATIC)."""
    log_share: Tensor
    """(M, B, K): how likely each answer is, its logarithm."""
    log_variance: Tensor
    """(M, B, K): of an answer's error."""

    @property
    def member_means(self) -> Tensor:
        """(M, B, 3, QUADRATIC): each member's mean answer."""
        return (self.coefficients * self.log_share.exp()[..., None, None]).sum(2)


class Path(nn.Module):
    """The look path of ``vhmae.model.look`` with more evidence and several answers a member."""

    def __init__(
        self, members: int, width: int, answers: int, evidence: tuple[str, ...], example: Reading
    ) -> None:
        super().__init__()
        self.members, self.answers = members, answers
        self.told = ("statistics", *evidence)
        numbers = sum(example[name].shape[1] for name in self.told)
        self.normalize = nn.BatchNorm1d(numbers, affine=False)
        self.read_histogram = MemberLinear(members, example["histograms"].shape[1], 128)
        self.first = MemberLinear(members, numbers + 128, width)
        self.second = MemberLinear(members, width, width)
        self.answer = MemberLinear(members, width, answers * (3 * QUADRATIC + 2))
        nn.init.zeros_(self.answer.weight)
        if answers > 1:  # or else they would stay one and the same
            nn.init.normal_(self.answer.bias, std=0.03)

    def forward(self, reading: Reading) -> Answer:
        numbers = self.normalize(torch.cat([reading[name] for name in self.told], 1))
        told = numbers.clamp(-4.0, 4.0).expand(self.members, -1, -1)
        cells = reading["histograms"].expand(self.members, -1, -1)
        cells = functional.dropout(cells, 0.3, self.training)
        hidden = functional.gelu(self.first(torch.cat([told, self.read_histogram(cells)], -1)))
        hidden = functional.gelu(self.second(functional.dropout(hidden, 0.2, self.training)))
        said = self.answer(functional.dropout(hidden, 0.2, self.training))
        said = said.unflatten(-1, (self.answers, -1))
        maps, more = said[..., : 3 * QUADRATIC], said[..., 3 * QUADRATIC :]
        return Answer(
            maps.unflatten(-1, (3, QUADRATIC)), more[..., 0].log_softmax(-1), more[..., 1]
        )

    def say(self, shown: Shown) -> Tensor:
        """The members' mean answer, (B, 3, QUADRATIC)."""
        return self(read(shown, self.told[1:])).member_means.mean(0)


class Packaged:
    """The look path of weights, which reads the statistics alone."""

    def __init__(self, name: str) -> None:
        path = load_model(name).look_path
        assert path is not None
        self.path = path.eval()

    def say(self, shown: Shown) -> Tensor:
        """(B, 3, QUADRATIC)."""
        sets = list(shown.pixels[:, :DRAWN].split(statistics.PIXELS, dim=1))
        return self.path.read(sets, shown.shares).coefficients
