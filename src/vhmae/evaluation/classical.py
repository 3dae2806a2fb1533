"""Methods without a network: color statistics carried over, and oracles that know the target."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable

import numpy as np
import torch

from vhmae.arrays import Array
from vhmae.color.basis import QUADRATIC, apply_transform, fit_transform
from vhmae.color.transfer import match_histograms, monge_kantorovich, reinhard
from vhmae.errors import InputError
from vhmae.evaluation.clip import Clip, Method
from vhmae.evaluation.grammar import ORACLES

RIDGE = 1e-6
"""Of fits whose answer is known: enough for a foreground of one color, too little to be seen."""
PIXELS_A_CLIP = 20_000
"""Colors that fits and statistics are taken from; evenly spaced among the clip's."""


def classical_method(name: str, mix: float = 1.0) -> Method:
    """Reinhard, histogram matching, MKL or gains to the background's mean.

    Args:
        mix: how far they go, 0 (untouched) to 1: the share of each color's change, and of ``gain``
            the power of the gains.
    """
    label = name if mix == 1.0 else f"{name}, mix {mix:g}"
    if name == "gain":
        # The form tells it from the share of a gain that went by this name before.
        facts = {"mix": mix, "form": "power of means"}
        return Method(label, lambda clip: _gained(clip, mix), facts=facts)
    transfer = _TRANSFERS[name]
    return Method(label, lambda clip: _transferred(clip, transfer, mix), facts={"mix": mix})


def oracle_method(name: str) -> Method:
    """The best map of ``ORACLES`` for each clip."""
    size = ORACLES[name]
    return Method(name, lambda clip: _oracle(clip, size), takes_other_backgrounds=False)


def map_method(name: str, coefficients: torch.Tensor) -> Method:
    """One color map (3, 10) for all clips."""
    return Method(name, lambda clip: _paste(clip, lambda colors: _mapped(colors, coefficients)))


def as_map(method: Method) -> Method:
    """A method judged by its colors alone: in each frame, the quadratic map that is nearest to what
    it made of the foreground takes the place of that. Blur and lost detail go, and so does light
    that differs from place to place."""

    def harmonize(clip: Clip) -> Array:
        out = clip.composite.copy()
        for frame, made, inside in zip(out, method.run(clip), clip.mask, strict=True):
            if inside.any():
                frame[inside] = _nearest_map(frame[inside], made[inside])
        return out

    return dataclasses.replace(
        method,
        name=f"{method.name}, colors alone",
        harmonize=harmonize,
        facts={**method.facts, "colors_alone": True},
    )


def _nearest_map(colors: Array, made: Array) -> Array:
    """Colors (P, 3) uint8 under the map that takes them as near as it can to others."""
    coefficients = torch.from_numpy(
        fit_transform(_spread(colors), _spread(made), QUADRATIC, ridge=RIDGE)
    )
    mapped = _mapped(colors.astype(np.float32) / np.float32(255.0), coefficients)
    return np.asarray(np.rint(np.clip(mapped, 0.0, 1.0) * 255.0), np.uint8)


def _spread(colors: Array) -> Array:
    """Evenly spaced colors of many: (P, 3) float32 in [0, 1]."""
    picks = np.linspace(0, len(colors) - 1, min(PIXELS_A_CLIP, len(colors))).astype(int)
    return colors[picks].astype(np.float32) / np.float32(255.0)


def _paste(clip: Clip, recolor: Callable[[Array], Array]) -> Array:
    """Recolor the foreground of a clip: colors (P, 3) float32 in [0, 1] -> the same."""
    out = clip.composite.copy()
    mapped = recolor(clip.composite[clip.mask].astype(np.float32) / np.float32(255.0))
    out[clip.mask] = np.rint(np.clip(mapped, 0.0, 1.0) * 255.0).astype(np.uint8)
    return out


def _mapped(colors: Array, coefficients: torch.Tensor) -> Array:
    """Apply residual coefficients to colors (P, 3)."""
    return apply_transform(torch.from_numpy(colors), coefficients.float()).numpy()


def _monge_kantorovich(colors: Array, source: Array, reference: Array) -> Array:
    coefficients = monge_kantorovich(torch.from_numpy(source), torch.from_numpy(reference))
    return _mapped(colors, coefficients)


_TRANSFERS = {
    "reinhard": reinhard,
    "histogram": match_histograms,
    "mkl": _monge_kantorovich,
}


def _transferred(clip: Clip, transfer: Callable[[Array, Array, Array], Array], mix: float) -> Array:
    """Take the foreground's statistics a part of the way to the background's; one map a clip."""
    inside, outside = clip.composite[clip.mask], clip.composite[~clip.mask]
    if len(inside) < 2 or len(outside) < 2:
        return clip.composite
    source, reference = _spread(inside), _spread(outside)

    def recolor(colors: Array) -> Array:
        return colors + np.float32(mix) * (transfer(colors, source, reference) - colors)

    return _paste(clip, recolor)


def _gained(clip: Clip, mix: float) -> Array:
    """Each channel times a power of what takes its mean to the background's.

    The power, not a share of the gain: a dark foreground before a bright background has a gain
    without a bound, and so has a share of it.
    """
    inside, outside = clip.composite[clip.mask], clip.composite[~clip.mask]
    if not len(inside) or not len(outside):
        return clip.composite
    gains = (outside.mean(axis=0) / np.maximum(inside.mean(axis=0), 1.0)) ** mix
    return _paste(clip, lambda colors: colors * gains.astype(np.float32))


def _oracle(clip: Clip, size: int) -> Array:
    if clip.target is None:
        raise InputError("an oracle needs the target; it cannot be used on clips without one")
    if not clip.mask.any():
        return clip.composite
    clips = (clip.composite, clip.target)
    source, wanted = (torch.from_numpy(_spread(frames[clip.mask])) for frames in clips)
    coefficients = fit_transform(source, wanted, size, ridge=RIDGE)
    return _paste(clip, lambda colors: _mapped(colors, coefficients))
