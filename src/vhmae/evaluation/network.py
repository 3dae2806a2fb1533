"""The network as a method: which weights, how careful, and the look path alone."""

from __future__ import annotations

import dataclasses
import hashlib
from typing import Any

import numpy as np
import torch

from vhmae.data.digests import file_digest
from vhmae.errors import InputError
from vhmae.evaluation.clip import Array, Clip, Method
from vhmae.harmonizer import CAUTION_LEVELS, Harmonizer, Quality
from vhmae.model.heads import PhotometricHead
from vhmae.model.hub import PREFIX
from vhmae.model.vhmae import VHMAE, ModelConfig
from vhmae.model.weights import DEFAULT, find_weights, load_model


@dataclasses.dataclass(frozen=True, kw_only=True)
class NetworkSettings:
    """How the network is run where it is one of the methods."""

    weights: str = DEFAULT
    """A packaged name, a file, or ``hf:owner/name``."""
    device: str = "auto"
    precision: Any = "auto"
    threads: int | None = None
    quality: Quality = "balanced"
    caution: float | None = None
    """Levels of 255; None is that of the weights (:func:`caution_of`)."""


def caution_of(config: ModelConfig) -> float:
    """How careful weights are to be, in levels of 255.

    Caution was chosen for color maps. Drawn pixels replace the composite's (Sec. 3.3): to mix them
    with the untouched composite would be another method than the paper's.
    """
    return 0.0 if config.head == "pixel" else CAUTION_LEVELS


def network_method(name: str, settings: NetworkSettings, look_alone: bool = False) -> Method:
    """The network as a method.

    Args:
        name: what the method is called.
        look_alone: take the tokens' answer out, so that the look path alone decides.
    Raises:
        InputError: for unknown weights or settings, and for weights that have no look path to be
        left alone.
    """
    own = {} if settings.caution is None else {"caution": settings.caution}
    harmonizer = Harmonizer.from_pretrained(
        settings.weights,
        device=settings.device,
        precision=settings.precision,
        threads=settings.threads,
        quality=settings.quality,
        cut_detection=False,  # a sample is one shot; its frames may lie far apart
        **own,
    )
    if settings.caution is None:
        harmonizer.caution = caution_of(harmonizer.model.config)
    if look_alone:
        silence_tokens(harmonizer.model, settings.weights)
    facts = {
        "weights": settings.weights,
        "weights_sha256": weights_digest(settings.weights),
        "quality": settings.quality,
        "caution": harmonizer.caution,
        "look_alone": look_alone,
        "precision": str(harmonizer.precision),
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
    if model.look_path is None or not isinstance(model.head, PhotometricHead):
        raise InputError(
            f"--method vhmae-look: {name} has no look path that could answer alone; take vhmae"
        )
    layers = (model.head.overall, model.head.local, model.head.trust)
    with torch.no_grad():
        for layer in layers:
            if layer is not None:
                layer.weight.zero_()
                layer.bias.zero_()


def weights_digest(name: str) -> str:
    """SHA-256 of a weights file; of the tensors' bytes where the hub keeps the file."""
    if not name.startswith(PREFIX):
        return file_digest(find_weights(name))
    total = hashlib.sha256()
    for key, value in sorted(load_model(name).state_dict().items()):
        total.update(key.encode() + value.cpu().numpy().tobytes())
    return total.hexdigest()
