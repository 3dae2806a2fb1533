"""The one mixture of looks that all rows of the table are trained on.

Half of the composites: two looks out of LUTs. A quarter: one look, in HYouTube's manner. A quarter:
two renderings of one camera scene. configs/comparators/README.md says it in words.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from vhmae.color.lut import Lut3D
from vhmae.data.looks import TABLE_SIZE, LookMixture, LookSampler
from vhmae.errors import DAMAGED_ARCHIVE, InputError

CAMERA_SHARE = 0.25
LUT_MIXTURE = LookMixture(
    lut=0.5, blended_lut=0.3, graded_lut=0.2, one_look=1.0 / 3.0, same_look=0.0, lighting=0.0
)
"""Of the three quarters that are no camera renderings: one look is a third of them."""


class FixedMixture(LookSampler):
    """Pairs of looks out of LUTs, and of renderings of one camera scene."""

    cameras: Tensor
    share: float

    @classmethod
    def of(cls, looks: LookSampler, cameras: Tensor, share: float = CAMERA_SHARE) -> FixedMixture:
        """Mix in camera renderings.

        Args:
            looks: LUTs and a pool that is drawn under ``LUT_MIXTURE``.
            cameras: polynomial maps (scenes, renderings, 9, 3), see :func:`read_camera_maps`.
            share: of the composites that are camera renderings.
        """
        mixed = cls(looks.luts, looks.pool, looks.mixture)
        mixed.cameras, mixed.share = cameras.to(looks.pool.device), share
        return mixed

    def to(self, device: torch.device) -> FixedMixture:
        return FixedMixture.of(super().to(device), self.cameras, self.share)

    def draw_pairs(self, rng: np.random.Generator, count: int) -> tuple[Tensor, Tensor]:
        """Draw the tables of A and B, each (count, n, n, n, 3)."""
        scenes, renderings = self.cameras.shape[:2]
        background, foreground = super().draw_pairs(rng, count)
        of_camera = rng.random(count) < self.share
        scene = rng.integers(scenes, size=count)
        first = rng.integers(renderings, size=count)
        second = (first + rng.integers(1, renderings, size=count)) % renderings  # another one
        rows = np.flatnonzero(of_camera)
        place = torch.from_numpy(rows).to(background.device)
        for tables, rendering in ((background, first), (foreground, second)):
            maps = self.cameras[scene[rows], rendering[rows]]
            tables[place] = bake_polynomials(maps).to(tables.dtype)
        return background, foreground


def bake_polynomials(maps: Tensor) -> Tensor:
    """Polynomial maps (N, 9, 3) of (r, g, b, r², g², b², rg, rb, gb) as tables (N, n, n, n, 3)."""
    grid = Lut3D.identity(TABLE_SIZE).table.to(maps)
    red, green, blue = grid.unbind(-1)
    squares = [red * red, green * green, blue * blue]
    terms = torch.stack([red, green, blue, *squares, red * green, red * blue, green * blue], dim=-1)
    return torch.einsum("zyxk,nkc->nzyxc", terms, maps).clamp(0.0, 1.0)


def read_camera_maps(path: Path) -> Tensor:
    """Read camera renderings for training: (scenes, renderings, 9, 3) float32.

    Scenes whose number is a multiple of 5 are left out: they are for measuring.

    Raises:
        InputError: if the file cannot be read or holds something else.
    """
    try:
        with np.load(path, allow_pickle=False) as file:
            maps = torch.from_numpy(file["maps"].astype(np.float32))
    except FileNotFoundError:
        raise InputError(f"{path}: no such file; give the .npz of camera renderings") from None
    except DAMAGED_ARCHIVE as error:
        raise InputError(f"{path}: holds no camera renderings ({error})") from None
    if maps.ndim != 4 or maps.shape[1] < 2 or maps.shape[2:] != (9, 3):
        raise InputError(
            f"{path}: its maps are {tuple(maps.shape)}; expected (scenes, 2 or more, 9, 3)"
        )
    return maps[torch.arange(len(maps)) % 5 != 0]
