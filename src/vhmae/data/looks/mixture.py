"""How training draws looks: shares of the kinds in ``LOOKS``, baked into tables.

For training every look is baked into one small 3-D table, so that a batch of looks is a single
trilinear look-up on whatever device trains.
"""

from __future__ import annotations

import dataclasses
import itertools
from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from vhmae.color.lut import Lut3D
from vhmae.data.looks.camera import CameraScene
from vhmae.data.looks.kinds import LOOKS, ColorMap, LookSources
from vhmae.data.looks.spatial import ADDED
from vhmae.errors import InputError

TABLE_SIZE = 17
"""Grid of the baked tables; the shortest LUTs of the HYouTube bank have 16 points."""
SCENE_PAIRS = 4
"""One pair of renderings of a scene is baked for so many looks of the pool."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class LookMixture:
    """How training draws its looks, and how composites pair them (two-look synthesis)."""

    strength: tuple[float, float] = (0.0, 1.0)
    """Range of the way from the identity; from 0, since real pastes are mostly mild mismatches."""
    lut: float = 0.35
    """Share of plain LUTs."""
    blended_lut: float = 0.2
    """Share of random blends of two LUTs: looks that no file holds."""
    graded_lut: float = 0.15
    """Share of LUTs after a mild parametric look; the rest of the shares is parametric."""
    enhanced_lut: float = 0.0
    """Share of LUTs before HYouTube's own enhancement."""
    camera: float = 0.0
    """Share of renderings of real cameras; needs data.cameras."""
    photo: float = 0.0
    """Share of photographic looks."""
    one_look: float = 0.25
    """Share of composites in HYouTube's way: A is the identity, B goes the whole way."""
    same_look: float = 0.15
    """Share of composites with A = B, where the right answer is to do nothing, but for what is laid
    over the foreground (``lighting`` and those below it)."""
    one_scene: float = 0.0
    """Share of composites whose looks are two renderings of one scene, at full strength."""
    lighting: float = 0.15
    """Share of foregrounds with a smooth gradient of light across them, those of ``same_look``
    among them; of the look path's own stage with ``train.look.layers`` alone."""
    poisson: float = 0.0
    """Share of foregrounds that are blended by gradients into another place of their scene before
    they get their look (random Poisson blending): light that differs within the subject. Of the
    look path's own stage as ``lighting``."""
    haze: float = 0.0
    """Share of foregrounds behind a veil that grows across the frame; of the look path's own stage
    as ``lighting``."""
    noise: float = 0.0
    """Share of foregrounds with a sensor's noise, which the background does not have; of the look
    path's own stage as ``lighting``."""
    blur: float = 0.0
    """Share of foregrounds that are softer than the background, in scenes alone: drawn pixels have
    no neighbors."""
    compression: float = 0.0
    """Share of foregrounds that went through a JPEG of quality 20 to 90, in scenes alone."""

    def __post_init__(self) -> None:
        for names in ((*LOOKS,), ("one_look", "one_scene", "same_look")):
            shares = [getattr(self, name, 0.0) for name in names]
            if not (all(share >= 0.0 for share in shares) and sum(shares) <= 1.0 + 1e-9):
                raise InputError(
                    f"looks: the shares of {', '.join(names)} are {shares}; expected 0 or more, at "
                    "most 1 in all"
                )
        for name, share in {**self.layers, "poisson": self.poisson}.items():
            if not 0.0 <= share <= 1.0:
                raise InputError(f"looks.{name}: {share} is no share; expected 0 to 1")
        low, high = self.strength
        if not 0.0 <= low <= high <= 1.0:
            raise InputError(
                f"looks.strength: [{low:g}, {high:g}]; expected [LOW, HIGH] with 0 <= LOW <= HIGH "
                "<= 1"
            )

    @property
    def layers(self) -> dict[str, float]:
        """Share of each kind in ``ADDED`` that the mixture has a field for."""
        return {name: float(getattr(self, name)) for name in ADDED if hasattr(self, name)}

    @property
    def shares(self) -> dict[str, float]:
        """Share of each kind in ``LOOKS``; what the others leave is parametric."""
        # A kind that somebody added has no share here until the mixture has a field for it.
        others = {name: float(getattr(self, name, 0.0)) for name in LOOKS if name != "parametric"}
        return {**others, "parametric": max(0.0, 1.0 - sum(others.values()))}


class LookSampler:
    """Draws looks as baked tables, from sources of training only.

    Full-strength looks are baked once into a pool (drawing each anew took longer than a training
    step); every composite takes two of them at strengths of its own.
    """

    def __init__(
        self, luts: Tensor, pool: Tensor, mixture: LookMixture, scene_pairs: Tensor | None = None
    ) -> None:
        if mixture.one_look > 0.0 and not len(luts):
            raise InputError("looks.one_look: needs LUTs; set data.luts to a bank, or it to 0")
        self.luts = luts  # (LUTs, n, n, n, 3); none where the mixture needs none
        self.pool = pool  # (looks, n, n, n, 3)
        self.mixture = mixture
        self.grid = Lut3D.identity(TABLE_SIZE).table.to(pool.device)
        self.scene_pairs = scene_pairs  # (pairs, 2, n, n, n, 3), or None where none is drawn

    @classmethod
    def from_luts(
        cls,
        luts: Sequence[Lut3D],
        mixture: LookMixture,
        pool_size: int = 4096,
        seed: int = 0,
        cameras: Sequence[CameraScene] = (),
    ) -> LookSampler:
        """Bake LUTs and a pool of looks in the shares of the mixture.

        Raises:
            InputError: where the mixture asks for renderings or LUTs and there are none.
        """
        of_luts = [name for name, kind in LOOKS.items() if kind.needs == "luts"]
        if not luts and (mixture.one_look or any(mixture.shares[name] for name in of_luts)):
            raise InputError(
                f"{', '.join(f'looks.{name}' for name in ('one_look', *of_luts))}: need LUTs; set "
                "data.luts to a bank, or these shares to 0 and data.luts to ''"
            )
        if (mixture.camera > 0.0 or mixture.one_scene > 0.0) and not cameras:
            raise InputError(
                "looks.camera, looks.one_scene: need camera renderings; set data.cameras to a bank"
            )
        rng = np.random.default_rng([seed, pool_size])
        tables = [lut.resampled(TABLE_SIZE).table.clamp(0.0, 1.0) for lut in luts]
        named = [Lut3D(table, lut.name) for table, lut in zip(tables, luts, strict=True)]
        sources = LookSources(luts=named, cameras=cameras)
        pool = torch.stack([_full_look(rng, sources, mixture) for _ in range(pool_size)])
        pairs = None
        if mixture.one_scene > 0.0:
            count = max(1, pool_size // SCENE_PAIRS)
            pairs = torch.stack([_scene_pair(rng, sources) for _ in range(count)])
        whole = torch.stack(tables) if tables else pool[:0]
        return cls(whole, pool, mixture, pairs)

    def with_mixture(self, mixture: LookMixture) -> LookSampler:
        """The same looks, paired and weakened in another way."""
        return LookSampler(self.luts, self.pool, mixture, self.scene_pairs)

    def to(self, device: torch.device) -> LookSampler:
        """The same looks on another device: their tables are made there."""
        pairs = None if self.scene_pairs is None else self.scene_pairs.to(device)
        return LookSampler(self.luts.to(device), self.pool.to(device), self.mixture, pairs)

    def draw_pairs(self, rng: np.random.Generator, count: int) -> tuple[Tensor, Tensor]:
        """Draw the tables of A (background and target) and B (foreground of the composite).

        Returns:
            Two tensors (count, n, n, n, 3).
        """
        mixture = self.mixture
        kind = rng.random(count)
        one_look = self._there(kind < mixture.one_look).view(-1, 1, 1, 1, 1)
        same = self._there(kind >= 1.0 - mixture.same_look).view(-1, 1, 1, 1, 1)
        background, foreground = self._weakened(rng, count), self._weakened(rng, count)
        picks = self._there(rng.integers(max(1, len(self.luts)), size=count))
        full = self.luts[picks] if len(self.luts) else foreground
        background = torch.where(one_look, self.grid, background)
        foreground = torch.where(same, background, torch.where(one_look, full, foreground))
        if mixture.one_scene > 0.0 and self.scene_pairs is not None:
            after = mixture.one_look
            paired = (kind >= after) & (kind < after + mixture.one_scene)
            choice = self._there(rng.integers(len(self.scene_pairs), size=count))
            pairs, there = self.scene_pairs[choice], self._there(paired).view(-1, 1, 1, 1, 1)
            background = torch.where(there, pairs[:, 0], background)
            foreground = torch.where(there, pairs[:, 1], foreground)
        return background, foreground

    def _weakened(self, rng: np.random.Generator, count: int) -> Tensor:
        looks = self.pool[self._there(rng.integers(len(self.pool), size=count))]
        strength = self._there(rng.uniform(*self.mixture.strength, count).astype(np.float32))
        return torch.lerp(self.grid, looks, strength.view(-1, 1, 1, 1, 1))

    def _there(self, numbers: np.ndarray) -> Tensor:
        return torch.from_numpy(numbers).to(self.pool.device)


def _full_look(rng: np.random.Generator, sources: LookSources, mixture: LookMixture) -> Tensor:
    """A look at full strength of a kind drawn by its share; (n, n, n, 3)."""
    names = list(mixture.shares)
    reached = itertools.accumulate(mixture.shares.values())
    kind = rng.random()
    name = next((name for name, end in zip(names, reached, strict=True) if kind < end), names[-1])
    return _baked(LOOKS[name].draw(rng, sources, None)[0])


def _scene_pair(rng: np.random.Generator, sources: LookSources) -> Tensor:
    """Two renderings of one scene; (2, n, n, n, 3)."""
    first, _ = LOOKS["camera"].draw(rng, sources, None)
    second, _ = LOOKS["camera"].draw(rng, sources, first)
    return torch.stack([_baked(first), _baked(second)])


def _baked(color_map: ColorMap) -> Tensor:
    """A map as a table; that of a LUT on the same grid as it is, for a look-up would round it."""
    if isinstance(color_map, Lut3D) and color_map.size == TABLE_SIZE:
        return color_map.table
    return color_map(Lut3D.identity(TABLE_SIZE).table)
