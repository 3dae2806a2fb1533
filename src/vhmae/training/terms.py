"""The terms of a loss by name: those of the paper (Eq. 1, 3, 4), our own, and whose you like.

``TERMS`` is the one place where a term is made known. A term takes what the network made of a batch
and gives a scalar, differentiable; Eq. 6 weighs them (``train.loss``).
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

from torch import Tensor

from vhmae.data.synthesis import TrainingBatch
from vhmae.errors import InputError, did_you_mean
from vhmae.model import losses
from vhmae.model.masking import patchify
from vhmae.model.vhmae import Harmonized

if TYPE_CHECKING:
    from vhmae.training.recipe import LossConfig


@dataclasses.dataclass(frozen=True)
class Made:
    """What a term reads."""

    batch: TrainingBatch
    """``composite``, ``target`` (B, T, 3, H, W) in [0, 1]; ``mask``, ``region`` (B, T, 1, H, W)
    bool."""
    result: Harmonized
    """What the network made of it."""
    harmonized: Tensor
    """(B, T, 3, H, W) float32, not clipped: the frames as the reconstruction term counts them."""
    patch_size: int
    """P, in pixels."""
    config: LossConfig
    """The recipe's ``train.loss``."""


Term = Callable[[Made], Tensor]
"""Gives a scalar: the mean over the batch."""


def masked_patches(made: Made) -> Tensor:
    """Eq. 1: squared errors of the foreground's patches, each as it was drawn."""
    predicted, truth = (
        patchify(video, made.patch_size) for video in (made.harmonized, made.batch.target)
    )
    frames = made.batch.composite.shape[1]
    return losses.reconstruction_loss(predicted, truth, made.result.foreground, frames)


def relative(made: Made) -> Tensor:
    """Each sample's error over the recolored region against its composite's (ours)."""
    batch, config = made.batch, made.config
    return losses.relative_error(
        made.harmonized,
        batch.composite,
        batch.target,
        batch.region,
        config.floor,
        config.harm_weight,
    )


def alignment(made: Made) -> Tensor:
    """Eq. 3: distance of the Gram matrices of foreground and background."""
    result = made.result
    return losses.alignment_loss(
        result.foreground_features,
        result.background_features,
        result.foreground,
        made.batch.composite.shape[1],
        made.config.reduction,
        result.visible_background,
    )


def balance(made: Made) -> Tensor:
    """Eq. 4: differences between neighboring pixels."""
    config = made.config
    return losses.patch_balancing_loss(
        made.harmonized, made.patch_size, config.balance, made.batch.target, config.reduction
    )


WHOLE_PATCHES = ("masked_patches",)
"""Terms that, as the reconstruction, count patches as they were drawn; others count the output,
whose background is the composite's."""
TERMS: dict[str, Term] = {
    "masked_patches": masked_patches,
    "relative": relative,
    "alignment": alignment,
    "balance": balance,
}
"""The package's terms. A function outside goes by ``module:function`` or ``FILE.py:function`` and
is handed over by whoever names it: what a recipe names is never imported."""


def find_term(name: str, given: Mapping[str, Term]) -> Term:
    """A term by its name.

    Args:
        given: terms from outside the package, by their names.
    Raises:
        InputError: for an unknown name, and for a function outside that was not handed over.
    """
    term = TERMS.get(name) or given.get(name)
    if term is not None:
        return term
    if ":" in name:
        raise InputError(
            f"train.loss: the term {name} stands outside the package, and what a file names is "
            f"never imported; pass `loss` {name}"
        )
    raise InputError(
        f"train.loss: {name} is no term{did_you_mean(name, TERMS)}; expected {', '.join(TERMS)}, "
        "module:function or FILE.py:function"
    )
