"""The prior that belongs to weights."""

from __future__ import annotations

from vhmae.digest import file_digest
from vhmae.engine.backends import open_network
from vhmae.engine.moving import Move
from vhmae.engine.networks import WindowNetwork
from vhmae.engine.settings import FOR_EVERYONE, HarmonizerSettings
from vhmae.guide.prior import Prior, prior_beside, read_prior
from vhmae.model.files import PREFIX, find_card, find_weights, packaged_weights

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
    of_hub = weights.startswith(PREFIX)
    if of_hub:
        return _widened(f"{weights}: has no prior of its own (nothing beside it)")
    file = find_weights(weights)
    path = prior_beside(file)
    if path.exists():
        prior = read_prior(path)
        fitted_to = prior.provenance.get("weights_sha256")
        if fitted_to in (None, file_digest(file)):
            return prior, []
        told = f"{path}: was fitted to other weights than {file.name}, and is taken twice as wide"
        return prior.widened(WIDENED), [f"{told}; fit it anew by vhmae fit-prior"]
    return _widened(f"{weights}: has no prior of its own (no {path.name} beside it)")


def told_of_skin(settings: HarmonizerSettings, network: WindowNetwork) -> list[str]:
    """What is to be said of the prior that skin is heard by: nothing where it is the weights' own,
    or where none is heard, as where no foreground moves by color maps."""
    heard = settings.skin and Move.parse(settings.move).foreground
    return find_prior(settings.weights)[1] if heard and network.holds_between_key_frames else []


def prior_of(network: WindowNetwork, weights: str | None) -> tuple[Prior, list[str]]:
    """The prior of a network, likewise.

    Args:
        weights: what it was opened from; None is a network that was given: it may know that itself,
            or still have the numbers of packaged weights.
    """
    opened = weights or getattr(network, "weights", None)
    known = opened or next((name for name in packaged_weights() if _is_of(network, name)), None)
    if known is not None:
        return find_prior(known)
    return _widened("the model that was given: its numbers are those of no packaged weights")


def _is_of(network: WindowNetwork, name: str) -> bool:
    """Whether a network answers by the numbers of packaged weights."""
    if find_card(name).config != network.config:
        return False
    if network.backend == "torch":
        from vhmae.engine.torch_network import TorchNetwork
        from vhmae.model.weights import load_model

        if isinstance(network, TorchNetwork):
            return network.has_numbers_of(load_model(name))
    where = network.backend, network.device, network.precision
    return open_network(name, *where).digest() == network.digest()


def _widened(why: str) -> tuple[Prior, list[str]]:
    """The prior of others, with care, and what is to be said of that."""
    told = f"that of the weights {FALLBACK} was taken, twice as wide; fit one by vhmae fit-prior"
    usual = read_prior(prior_beside(packaged_weights()[FALLBACK]))
    return usual.widened(WIDENED), [f"{why}; {told}"]
