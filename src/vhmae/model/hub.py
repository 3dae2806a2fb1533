"""Weights in the form of the Hugging Face hub: ``config.json`` beside ``model.safetensors``.

Written through the hub's own mixin, which adds a card; read without it.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from safetensors.torch import load_file
from torch import Tensor

from vhmae.config import build, to_tree
from vhmae.errors import InputError
from vhmae.model.heads import Head
from vhmae.model.vhmae import VHMAE, ModelConfig

PREFIX = "hf:"
CONFIG_FILE = "config.json"
WEIGHTS_FILE = "model.safetensors"
MISSING = f"{PREFIX}: needs huggingface_hub; install it with: pip install 'vhmae[hub]'"


def _hub_class() -> Any:
    try:
        from huggingface_hub import PyTorchModelHubMixin
        from huggingface_hub.utils import logging
    except ImportError:
        raise InputError(MISSING) from None

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


def load_from_hub(name: str, head: type[Head] | None = None) -> VHMAE:
    """Load ``owner/name`` (with ``@revision`` if need be) from the hub, or a folder in its form; in
    evaluation mode.

    ``config.json`` and ``model.safetensors`` alone are fetched and read: the hub's own mixin would
    fall back to a pickle.

    Args:
        head: the class of weights whose head stands outside the package.
    Raises:
        InputError: if it cannot be had, or holds another model.
    """
    repository, _, revision = name.removeprefix(PREFIX).partition("@")
    folder = Path(repository)
    try:
        if folder.is_dir():
            config_file, weights_file = folder / CONFIG_FILE, folder / WEIGHTS_FILE
        else:
            config_file, weights_file = _fetch(repository, revision or None)
        tree = json.loads(config_file.read_text(encoding="utf-8"))
        tensors = load_file(weights_file)
    except InputError:
        raise
    except Exception as error:  # the hub's errors have no common base: network, login, names, files
        reason = " ".join(str(error).split())[:160]
        raise InputError(
            f"cannot be loaded ({reason}); check the name and the connection: {CONFIG_FILE} and "
            f"{WEIGHTS_FILE} are read, pickles never",
            field="weights",
            value=name,
        ) from None
    model = VHMAE(build(ModelConfig, tree, CONFIG_FILE), head)
    fill(model, tensors, name)
    return model.eval()


def _fetch(repository: str, revision: str | None) -> tuple[Path, Path]:
    """Have the two files of a repository of the hub in its cache."""
    try:
        from huggingface_hub import hf_hub_download
        from huggingface_hub.utils import logging
    except ImportError:
        raise InputError(MISSING) from None
    logging.set_verbosity_error()  # its retries are told by our one line, if they come to nothing
    config, weights = (
        Path(hf_hub_download(repository, file, revision=revision))
        for file in (CONFIG_FILE, WEIGHTS_FILE)
    )
    return config, weights


def fill(model: VHMAE, tensors: dict[str, Tensor], origin: str) -> None:
    """Put tensors into a network that has exactly those.

    Raises:
        InputError: where names or shapes are others; ``origin`` says whose.
    """
    expected = model.state_dict()
    odd = sorted(tensors.keys() ^ expected.keys()) or [
        key for key, value in tensors.items() if value.shape != expected[key].shape
    ]
    if odd:
        raise InputError(
            f"{origin}: its tensors do not fit its configuration ({odd[0]}); fetch or train the "
            "weights again"
        )
    model.load_state_dict({key: value.to(expected[key].dtype) for key, value in tensors.items()})


def save_for_hub(model: VHMAE, folder: Path) -> None:
    """Write a model as the hub keeps it; ``huggingface-cli upload`` takes the folder as it is."""
    copy = _hub_class()(to_tree(model.config))
    copy.load_state_dict(model.state_dict())
    copy.save_pretrained(folder, config=to_tree(model.config))
