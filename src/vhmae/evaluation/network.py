"""The network as a method: which weights, how careful, and the look path alone."""

from __future__ import annotations

import dataclasses
import hashlib

import numpy as np

from vhmae.arrays import Array
from vhmae.digest import file_digest
from vhmae.engine.harmonizer import Harmonizer
from vhmae.engine.settings import HarmonizerSettings
from vhmae.engine.torch_network import TorchNetwork
from vhmae.errors import InputError
from vhmae.evaluation.clip import Clip, Method
from vhmae.model.files import PREFIX, find_weights
from vhmae.model.vhmae import VHMAE
from vhmae.model.weights import load_model


def network_method(name: str, settings: HarmonizerSettings, look_alone: bool = False) -> Method:
    """The network as a method.

    Args:
        name: what the method is called.
        look_alone: take the tokens' answer out, so that the look path alone decides.
    Raises:
        InputError: for unknown weights or settings, and for weights that have no look path to be
        left alone.
    """
    # A sample is one shot; its frames may lie far apart.
    settings = dataclasses.replace(settings, cut_detection=False)
    if look_alone:
        settings = dataclasses.replace(settings, backend="torch")
    harmonizer = Harmonizer.from_settings(settings)
    if isinstance(harmonizer.network, TorchNetwork) and look_alone:
        silence_tokens(harmonizer.network.model, settings.weights)
    facts = {
        "weights": settings.weights,
        "weights_sha256": weights_digest(settings.weights),
        "quality": settings.quality,
        "caution": harmonizer.caution,
        "look_alone": look_alone,
        "backend": harmonizer.network.backend,
        "precision": harmonizer.precision,
    }

    def harmonize(clip: Clip) -> Array:
        return np.stack(list(harmonizer.harmonize(clip.composite, clip.mask)))

    return Method(name, harmonize, facts=facts)


def silence_tokens(model: VHMAE, name: str) -> None:
    """Take the tokens' answer out: encoder, pattern alignment and decoder change nothing any more.

    The head's layers become zero, all that the tokens speak through; what remains is the look
    path's map.

    Raises:
        InputError: if the weights have no look path.
    """
    if model.look_path is None or not model.head.silence():
        raise InputError(
            f"`methods` vhmae-look: {name} has no look path that could answer alone; take vhmae"
        )


def weights_digest(name: str) -> str:
    """SHA-256 of a weights file; of the tensors' bytes where the hub keeps the file."""
    if not name.startswith(PREFIX):
        return file_digest(find_weights(name))
    total = hashlib.sha256()
    for key, value in sorted(load_model(name).state_dict().items()):
        total.update(key.encode() + value.cpu().numpy().tobytes())
    return total.hexdigest()
