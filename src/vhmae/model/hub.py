"""Weights in the form of the Hugging Face hub, written through the hub's own mixin, which adds a
card; they are read without it (``model.weights``): the mixin would fall back to a pickle."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from vhmae.config import build, to_tree
from vhmae.errors import InputError
from vhmae.model.config import ModelConfig
from vhmae.model.files import CONFIG_FILE, HUB_MISSING
from vhmae.model.vhmae import VHMAE


def _hub_class() -> Any:
    try:
        from huggingface_hub import PyTorchModelHubMixin
        from huggingface_hub.utils import logging
    except ImportError:
        raise InputError(HUB_MISSING) from None

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
            super().__init__(build(ModelConfig, config, CONFIG_FILE))

    return HubVHMAE


def save_for_hub(model: VHMAE, folder: Path) -> None:
    """Write a model as the hub keeps it; ``huggingface-cli upload`` takes the folder as it is."""
    copy = _hub_class()(to_tree(model.config))
    copy.load_state_dict(model.state_dict())
    copy.save_pretrained(folder, config=to_tree(model.config))
