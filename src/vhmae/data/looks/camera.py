"""Camera renderings: how real cameras would have rendered a scene at other settings.

A bank holds polynomial maps fitted to photographs that were developed from raw files in several
ways (five white balances in two picture styles; Afifi and Brown, "What Else Can Fool Deep
Learning?", ICCV 2019, whose maps are MIT). Two renderings of one scene are two looks of one
picture.
"""

from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from vhmae.data.job import CameraSplit
from vhmae.errors import DAMAGED_ARCHIVE, InputError

TERMS = 9


@dataclasses.dataclass(frozen=True, eq=False)
class CameraRendering:
    """One rendering as a map of colors."""

    coefficients: Tensor
    """(9, 3) float32; rows are r, g, b, r^2, g^2, b^2, rg, rb, gb, columns red, green, blue."""
    scene: CameraScene
    index: int

    def __call__(self, rgb: Tensor) -> Tensor:
        """Apply to sRGB colors (..., 3) in [0, 1]; clipped to [0, 1]."""
        red, green, blue = rgb.unbind(-1)
        squares = [red * red, green * green, blue * blue]
        products = [red * green, red * blue, green * blue]
        terms = torch.stack([red, green, blue, *squares, *products], dim=-1)
        return (terms @ self.coefficients.to(rgb)).clamp(0.0, 1.0)


@dataclasses.dataclass(frozen=True, eq=False)
class CameraScene:
    """A scene of a bank with its renderings."""

    number: int
    maps: Tensor
    """(renderings, 9, 3) float32."""

    def rendering(self, index: int) -> CameraRendering:
        return CameraRendering(self.maps[index], self, index)

    def draw(self, rng: np.random.Generator, other_than: int | None = None) -> CameraRendering:
        """Draw a rendering; one with another map than that which is named.

        In a quarter of the scenes two picture styles are one map, under two numbers. The next
        number whose map differs is taken then: a second draw would move all that come after it.
        """
        count = len(self.maps)
        if other_than is None:
            return self.rendering(int(rng.integers(count)))
        drawn = other_than + 1 + int(rng.integers(count - 1))
        onwards = (index % count for index in range(drawn, drawn + count))
        named = self.maps[other_than]
        return self.rendering(next(i for i in onwards if not torch.equal(self.maps[i], named)))


def in_split(number: int, split: CameraSplit) -> bool:
    """Scenes whose number is a multiple of 5 are for measuring: the even ones val, the odd dev."""
    parts: dict[CameraSplit, bool] = {
        "train": number % 5 != 0,
        "dev": number % 10 == 5,
        "val": number % 10 == 0,
        "all": True,
    }
    return parts[split]


def read_cameras(path: Path, split: CameraSplit = "all") -> list[CameraScene]:
    """Read the scenes of one split from an .npz bank.

    Args:
        path: holds ``maps``, (scenes, renderings, 9, 3) float32.
    Raises:
        InputError: where the file is missing or is no such bank, no scene is of the split, or all
            renderings of a scene are one map.
    """
    try:
        with np.load(path, allow_pickle=False) as bank:
            maps = torch.from_numpy(bank["maps"].astype(np.float32))
    except FileNotFoundError:
        raise InputError(f"{path}: no such bank of camera renderings; check its path") from None
    except DAMAGED_ARCHIVE as error:
        raise InputError(
            f"{path}: is not a bank of camera renderings with 'maps' ({error}); check its path"
        ) from None
    if maps.ndim != 4 or maps.shape[1] < 2 or maps.shape[2:] != (TERMS, 3):
        raise InputError(
            f"{path}: its maps are {tuple(maps.shape)}, not (scenes, renderings, 9, 3) with two "
            "renderings or more; give another bank"
        )
    broken = (~torch.isfinite(maps)).flatten(1).any(dim=1).nonzero().flatten().tolist()
    if broken:
        raise InputError(
            f"{path}: the maps of scene {broken[0]} are not finite; fetch or fit the bank again"
        )
    alike = (maps == maps[:, :1]).flatten(1).all(dim=1).nonzero().flatten().tolist()
    if alike:
        raise InputError(
            f"{path}: all maps of scene {alike[0]} are the same; fetch or fit the bank again"
        )
    scenes = [CameraScene(n, maps[n]) for n in range(len(maps)) if in_split(n, split)]
    if not scenes:
        raise InputError(f"{path}: has no scene of the split '{split}'; give a larger bank")
    return scenes
