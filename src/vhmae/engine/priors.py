"""The prior that belongs to weights."""

from __future__ import annotations

from vhmae.engine.settings import FOR_EVERYONE
from vhmae.guide.prior import Prior, prior_beside, read_prior
from vhmae.model.files import PREFIX, find_weights, packaged_weights

FALLBACK = FOR_EVERYONE["weights"]
"""Weights without a prior of their own take that of these: whoever trains weights for any use must
not be given numbers that are for research alone."""
WIDENED = 2.0
"""So many times as wide."""


def find_prior(weights: str) -> tuple[Prior, list[str]]:
    """The prior of weights, and what is to be said where they have none of their own.

    Args:
        weights: as ``--weights`` takes them.
    """
    usual = prior_beside(packaged_weights()[FALLBACK])
    of_hub = weights.startswith(PREFIX)
    path = usual if of_hub else prior_beside(find_weights(weights))
    if path.exists() and not of_hub:
        return read_prior(path), []
    name = "nothing beside it" if of_hub else f"no {path.name} beside it"
    told = (
        f"{weights}: has no prior of its own ({name}); that of the weights {FALLBACK} was taken, "
        "twice as wide; fit one by vhmae fit-prior"
    )
    return read_prior(usual).widened(WIDENED), [told]
