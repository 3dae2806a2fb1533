"""Every kind of look there is, by name.

``LOOKS`` is the one place where a kind is made known: the sets of ``vhmae synthesize`` name its
keys in ``shifts``, and the mixture that training draws from (mixture.py) has a share for each.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence

import numpy as np
import torch
from torch import Tensor

from vhmae.color.lut import Lut3D
from vhmae.data.looks.camera import CameraRendering, CameraScene
from vhmae.data.looks.enhancement import Enhancement
from vhmae.data.looks.parametric import ParametricLook
from vhmae.data.looks.photographic import PhotographicLook
from vhmae.data.looks.spatial import ADDED
from vhmae.errors import InputError

ColorMap = Callable[[Tensor], Tensor]
"""Colors (..., 3) in [0, 1] -> the same, clipped to [0, 1]."""


@dataclasses.dataclass(frozen=True)
class Look:
    """A map of colors that goes ``strength`` of the way from the identity."""

    map: ColorMap | None
    """None is the identity."""
    strength: float = 1.0
    name: str = "identity"

    def __call__(self, rgb: Tensor) -> Tensor:
        """Apply to colors (..., 3) in [0, 1]."""
        return rgb if self.map is None else rgb + self.strength * (self.map(rgb) - rgb)


IDENTITY = Look(None)


@dataclasses.dataclass(frozen=True, kw_only=True)
class LookSources:
    """What looks are drawn from; a kind that needs an empty one cannot be drawn."""

    luts: Sequence[Lut3D] = ()
    cameras: Sequence[CameraScene] = ()

    def lut(self, rng: np.random.Generator) -> Lut3D:
        return self.luts[int(rng.integers(len(self.luts)))]


@dataclasses.dataclass(frozen=True)
class AfterLook:
    """A map after a look, as in a grade that ends in a LUT."""

    first: Look | ColorMap
    then: ColorMap

    def __call__(self, rgb: Tensor) -> Tensor:
        return self.then(self.first(rgb))


Named = tuple[ColorMap, str]
"""A map at full strength with its name for the set's journal."""


@dataclasses.dataclass(frozen=True)
class LookKind:
    """A kind of look."""

    draw: Callable[[np.random.Generator, LookSources, ColorMap | None], Named]
    """Generator, sources and the look on the other side of the composite, if there is one."""
    needs: str = ""
    """The field of :class:`LookSources` that must not be empty."""


def _lut(rng: np.random.Generator, sources: LookSources, beside: ColorMap | None) -> Named:
    lut = sources.lut(rng)
    return lut, lut.name


def _blended_lut(rng: np.random.Generator, sources: LookSources, beside: ColorMap | None) -> Named:
    """A random blend of two LUTs, also a little beyond either: looks that no file holds."""
    first, second = sources.lut(rng), sources.lut(rng)
    size = max(first.size, second.size)
    tables = first.resampled(size).table, second.resampled(size).table
    blend = torch.lerp(*tables, float(rng.uniform(-0.3, 1.3))).clamp(0.0, 1.0)
    name = f"{first.name}+{second.name}"
    return Lut3D(blend, name), name


def _graded_lut(rng: np.random.Generator, sources: LookSources, beside: ColorMap | None) -> Named:
    """A LUT after a mild parametric look."""
    mild = Look(ParametricLook.draw(rng), float(rng.uniform(0.2, 0.7)))
    lut = sources.lut(rng)
    return AfterLook(mild, lut), f"parametric, {lut.name}"


def _enhanced_lut(rng: np.random.Generator, sources: LookSources, beside: ColorMap | None) -> Named:
    """A LUT before HYouTube's own enhancement."""
    lut = sources.lut(rng)
    return AfterLook(lut, Enhancement()), f"{lut.name}, enhanced"


def _camera(rng: np.random.Generator, sources: LookSources, beside: ColorMap | None) -> Named:
    """A rendering of a real camera; beside another one, a different rendering of the same scene."""
    if isinstance(beside, CameraRendering):
        rendering = beside.scene.draw(rng, other_than=beside.index)
    else:
        rendering = sources.cameras[int(rng.integers(len(sources.cameras)))].draw(rng)
    return rendering, f"scene {rendering.scene.number}, rendering {rendering.index}"


def _parametric(rng: np.random.Generator, sources: LookSources, beside: ColorMap | None) -> Named:
    return ParametricLook.draw(rng), "parametric"


def _photo(rng: np.random.Generator, sources: LookSources, beside: ColorMap | None) -> Named:
    return PhotographicLook.draw(rng), "photographic"


LOOKS: dict[str, LookKind] = {
    "lut": LookKind(_lut, "luts"),
    "blended_lut": LookKind(_blended_lut, "luts"),
    "graded_lut": LookKind(_graded_lut, "luts"),
    "enhanced_lut": LookKind(_enhanced_lut, "luts"),
    "camera": LookKind(_camera, "cameras"),
    "photo": LookKind(_photo),
    "parametric": LookKind(_parametric),
}
SHIFTS = (*LOOKS, *ADDED)
"""What ``shifts`` of a set may name: looks, and what is added to the foreground alone."""


def draw_look(
    rng: np.random.Generator,
    sources: LookSources,
    shifts: Sequence[str],
    strength: tuple[float, float],
    beside: Look | None = None,
) -> Look:
    """Draw a look for evaluation: one kind out of ``shifts``, its strength uniform in the range.

    Args:
        beside: the look of the composite's other side: renderings of a camera come from one scene.
    Raises:
        InputError: where ``shifts`` names no look, or one whose source is empty.
    """
    kinds = [shift for shift in shifts if shift in LOOKS]
    if not kinds:
        added, known = " or ".join(f"'{name}'" for name in ADDED), ", ".join(LOOKS)
        raise InputError(f"needs a look beside {added}; add one of {known}", field="shifts")
    kind = kinds[int(rng.integers(len(kinds)))]
    amount = float(rng.uniform(*strength))
    needs = LOOKS[kind].needs
    if needs and not getattr(sources, needs):
        raise InputError(
            f"no {needs} were given; pass --{needs} FILE or another `shifts`",
            field="shifts",
            value=kind,
        )
    color_map, name = LOOKS[kind].draw(rng, sources, None if beside is None else beside.map)
    return Look(color_map, amount, name)
