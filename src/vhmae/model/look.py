"""The look path: from color statistics of both sides of the mask to a global color transform.

The tokens of Fig. 3 see content; whether a foreground fits its background is told first of all by
the colors of both (docs/decisions.md, "look path"). Several small networks ("members") read the
statistics of the four pixel sets; the mean of their answers is the global transform, their hidden
features join the mask tokens and the decoder.
Letters: B batch, M members, F features.
"""

from __future__ import annotations

import dataclasses
import math

import torch
from torch import Tensor, nn
from torch.nn import functional

from vhmae.color import statistics
from vhmae.color.basis import AFFINE, QUADRATIC, apply_transform
from vhmae.color.recording import either
from vhmae.color.transform import LUMA_NODES, luma_basis, nearest_transform
from vhmae.errors import ShapeError
from vhmae.model.config import Basis, LikenessConfig, LookConfig
from vhmae.model.likeness import PAIR, LikenessEncoder, Likes, describe_pairs, find_likes

_TERMS: dict[Basis, int] = {"quadratic": QUADRATIC, "luma": AFFINE * LUMA_NODES}


class MemberLinear(nn.Module):
    """A linear layer for each member: (M, B, in) -> (M, B, out)."""

    def __init__(self, members: int, inputs: int, outputs: int) -> None:
        super().__init__()
        bound = 1.0 / math.sqrt(inputs)
        self.weight = nn.Parameter(torch.empty(members, inputs, outputs).uniform_(-bound, bound))
        self.bias = nn.Parameter(torch.zeros(members, 1, outputs))

    def forward(self, features: Tensor) -> Tensor:
        return torch.baddbmm(self.bias, features, self.weight)


@dataclasses.dataclass(frozen=True)
class LookReading:
    """What the look path says of a window of frames."""

    member_coefficients: Tensor
    """(M, B, 3, QUADRATIC): each member's global transform."""
    hidden: Tensor
    """(B, M * width): the members' last hidden features."""
    likes: Likes | None = None
    """What of the foreground was found in the background."""

    @property
    def coefficients(self) -> Tensor:
        """(B, 3, QUADRATIC): the mean transform."""
        return self.member_coefficients.mean(dim=0)

    def packed(self) -> Tensor:
        """Both in one: (M, B, 3 * QUADRATIC + width), which :meth:`unpacked` takes apart."""
        members = len(self.member_coefficients)
        hidden = self.hidden.unflatten(1, (members, -1)).transpose(0, 1)
        return torch.cat([self.member_coefficients.flatten(2), hidden.float()], dim=2)

    @classmethod
    def unpacked(cls, packed: Tensor) -> LookReading:
        coefficients, hidden = packed.split([3 * QUADRATIC, packed.shape[2] - 3 * QUADRATIC], dim=2)
        return cls(coefficients.unflatten(2, (3, QUADRATIC)), hidden.transpose(0, 1).flatten(1))

    def of_member(self, member: Tensor) -> LookReading:
        """What one member (B,) alone says of each sample; its features stand for those of all, as
        after dropout."""
        members, batch = self.member_coefficients.shape[:2]
        chosen = member.view(1, batch, 1, 1).expand(1, -1, *self.member_coefficients.shape[2:])
        alone = functional.one_hot(member, members).to(self.hidden.dtype) * members  # (B, M)
        hidden = self.hidden.unflatten(1, (members, -1)) * alone.unsqueeze(-1)
        return dataclasses.replace(
            self,
            member_coefficients=self.member_coefficients.gather(0, chosen),
            hidden=hidden.flatten(1),
        )


class LikesReading(nn.Module):
    """Each member's summary of all pairs: read one by one, pooled by attention."""

    def __init__(self, config: LikenessConfig, members: int) -> None:
        super().__init__()
        self.first = MemberLinear(members, PAIR, config.read_width)
        self.second = MemberLinear(members, config.read_width, config.read_width)
        self.weigh = MemberLinear(members, config.read_width, config.heads)

    def forward(self, likes: Likes) -> Tensor:
        """(M, B, heads * read_width)."""
        pairs = describe_pairs(likes)  # (B, K * N, PAIR)
        batch, count = pairs.shape[:2]
        told = pairs.flatten(0, 1).expand(len(self.first.weight), -1, -1)
        read = functional.gelu(self.second(functional.gelu(self.first(told))))
        weights = self.weigh(read).unflatten(1, (batch, count)).softmax(dim=2)  # (M, B, P, heads)
        pooled = weights.transpose(2, 3) @ read.unflatten(1, (batch, count))
        return pooled.flatten(2)


class LookPath(nn.Module):
    """Statistics of foreground, background and the rings along the edge -> global transform."""

    def __init__(self, config: LookConfig) -> None:
        super().__init__()
        self.config = config
        self.seen = [
            index
            for index, name in enumerate(statistics.SETS)
            if config.background or name in statistics.FOREGROUND_SETS
        ]
        sets = len(self.seen)
        numbers = sets * (statistics.STATISTICS + 1)  # one more: the set's share of the frame
        cells = sets * statistics.HISTOGRAM_BINS**3
        # Without affine: the members' first layers scale; running means make inference independent
        # of the batch.
        self.normalize = nn.BatchNorm1d(numbers, affine=False)
        self.read_histogram = MemberLinear(config.members, cells, config.histogram_width)
        more = 0
        if config.likeness is not None:
            self.likeness = LikenessEncoder(config.likeness)
            self.read_likes = LikesReading(config.likeness, config.members)
            more = config.likeness.heads * config.likeness.read_width
        self.first = MemberLinear(
            config.members, numbers + config.histogram_width + more, config.width
        )
        self.second = MemberLinear(config.members, config.width, config.width)
        self.answer = MemberLinear(config.members, config.width, 3 * _TERMS[config.basis])
        nn.init.zeros_(self.answer.weight)  # the identity to start from

    def unseen_by(self, source: Tensor) -> Tensor:
        """The member to which scenes of these sources (B,) belong as its fold, when the members are
        fitted crosswise: (B,)."""
        return source % self.config.members

    def forward(
        self,
        frames: Tensor,
        mask: Tensor,
        jitter: Tensor | None = None,
        sets: statistics.PixelSets | None = None,
        source: Tensor | None = None,
        surveyed: Tensor | None = None,
    ) -> LookReading:
        """Read the look of a window.

        Args:
            frames: composite (B, T, 3, H, W) in [0, 1].
            mask: (B, T, 1, H, W) bool.
            jitter: (B, sum(statistics.PIXELS)) in [0, 1): random places for the drawn pixels
                (training).
            sets: read in the place of the window's own colors: those of a whole shot.
            source: (B,) numbers of the scenes' sources: the member that has not seen them answers
                alone (training).
            surveyed: () bool: whether ``sets`` are read, where a graph is recorded that does
                either.
        """
        likes = self.find_likes(frames, mask)
        if sets is not None and surveyed is not None:
            packed = either(
                surveyed,
                lambda: self.read(*sets, likes).packed(),
                lambda: self.read(*statistics.draw_pixel_sets(frames, mask), likes).packed(),
            )
            return dataclasses.replace(LookReading.unpacked(packed), likes=likes)
        reading = self.read(
            *(statistics.draw_pixel_sets(frames, mask, jitter) if sets is None else sets), likes
        )
        return reading if source is None else reading.of_member(self.unseen_by(source))

    def find_likes(self, frames: Tensor, mask: Tensor) -> Likes | None:
        """What of the foreground has its like in the background; takes what :meth:`forward`
        does."""
        if self.config.likeness is None:
            return None
        features = self.likeness(frames.flatten(0, 1))
        with torch.autocast(device_type=frames.device.type, enabled=False):
            return find_likes(features, frames.float(), mask, self.config.likeness)

    def read(self, sets: list[Tensor], shares: Tensor, likes: Likes | None = None) -> LookReading:
        """Read drawn pixel sets: one (B, P, 3) per set, their shares (B, S), and likes where the
        path looks for them."""
        config = self.config
        # Moments and logarithms lose too much in half precision.
        with torch.autocast(device_type=shares.device.type, enabled=False):
            if len(self.seen) < len(statistics.SETS):
                sets, shares = [sets[index] for index in self.seen], shares[:, self.seen]
            sets = [colors.float() for colors in sets]
            numbers = torch.cat(
                [*statistics.of_each_set(statistics.set_statistics, sets), shares.float().sqrt()],
                dim=1,
            )
            cells = torch.cat(statistics.of_each_set(statistics.set_histogram, sets), dim=1)
            numbers = self.normalize(numbers).clamp(-4.0, 4.0)
        cells = cells.expand(config.members, -1, -1)
        cells = functional.dropout(cells, config.histogram_dropout, self.training)
        told = [numbers.expand(config.members, -1, -1), self.read_histogram(cells)]
        if config.likeness is not None:
            if likes is None:
                raise ShapeError("this look path reads likes; find them in the frames first")
            told.append(functional.dropout(self.read_likes(likes), config.dropout, self.training))
        features = torch.cat(told, dim=-1)
        hidden = functional.gelu(self.first(features))
        hidden = functional.dropout(hidden, config.dropout, self.training)
        hidden = functional.gelu(self.second(hidden))  # (M, B, width)
        answer = self.answer(functional.dropout(hidden, config.dropout, self.training))
        coefficients = answer.float().unflatten(-1, (3, -1))  # (M, B, 3, terms)
        if config.basis == "luma":
            with torch.autocast(device_type=shares.device.type, enabled=False):
                coefficients = coefficients @ nearest_transform(
                    sets[0], luma_basis(sets[0])
                ).transpose(1, 2)
        return LookReading(coefficients, hidden.transpose(0, 1).flatten(1), likes)


def recolor_foreground(sets: list[Tensor], overall: Tensor) -> list[Tensor]:
    """Pixel sets (B, P, 3) as they are once an overall map (B, 3, QUADRATIC) has harmonized the
    foreground's."""
    return [
        apply_transform(colors, overall).clamp(0.0, 1.0)
        if name in statistics.FOREGROUND_SETS
        else colors
        for name, colors in zip(statistics.SETS, sets, strict=True)
    ]


def recolor_likes(likes: Likes | None, overall: Tensor) -> Likes | None:
    """Likes as they are once an overall map (B, 3, QUADRATIC) has harmonized the foreground's."""
    if likes is None:
        return None
    harmonized = apply_transform(likes.foreground, overall).clamp(0.0, 1.0)
    return dataclasses.replace(likes, foreground=harmonized)
