"""Weights in the form of the Hugging Face hub: ``config.json`` beside ``model.safetensors``,
through the hub's own mixin."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from vhmae.config import build, to_tree
from vhmae.errors import InputError
from vhmae.model.vhmae import VHMAE, ModelConfig

PREFIX = "hf:"


def _hub_class() -> Any:
    try:
        from huggingface_hub import PyTorchModelHubMixin
        from huggingface_hub.utils import logging
    except ImportError:
        raise InputError(
            f"{PREFIX}: needs huggingface_hub; install it with: pip install 'vhmae[hub]'"
        ) from None

    # its retries are told by our one line, where they come to nothing
    logging.set_verbosity_error()

    class HubVHMAE(
        VHMAE,
        PyTorchModelHubMixin,
        library_name="vhmae",
        license="other",
        tags=["video-harmonization"],
    ):
        def __init__(self, config: dict[str, Any]) -> None:
            super().__init__(build(ModelConfig, config, "config.json"))

    return HubVHMAE


def load_from_hub(name: str) -> VHMAE:
    """Load ``owner/name`` (with ``@revision`` if need be) from the hub, or a folder in its form; in
    evaluation mode.

    Raises:
        InputError: if it cannot be had, or holds another model.
    """
    repository, _, revision = name.removeprefix(PREFIX).partition("@")
    try:
        model: VHMAE = _hub_class().from_pretrained(repository, revision=revision or None)
    except InputError:
        raise
    except Exception as error:  # the hub's errors have no common base: network, login, names, files
        reason = " ".join(str(error).split())[:160]
        raise InputError(
            f"cannot be loaded ({reason}); check the name and the connection",
            field="weights",
            value=name,
        ) from None
    return model.eval()


def save_for_hub(model: VHMAE, folder: Path) -> None:
    """Write a model as the hub keeps it; ``huggingface-cli upload`` takes the folder as it is."""
    copy = _hub_class()(to_tree(model.config))
    copy.load_state_dict(model.state_dict())
    copy.save_pretrained(folder, config=to_tree(model.config))
