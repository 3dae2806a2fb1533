"""Files of weights, found and described: importable without torch.

A file is a safetensors file that carries its own model configuration, or a folder in the hub's
form, ``config.json`` beside ``model.safetensors``.
"""

from __future__ import annotations

import dataclasses
import json
from importlib import resources
from pathlib import Path

from safetensors import SafetensorError, safe_open

from vhmae.config import build
from vhmae.digest import file_digest
from vhmae.errors import InputError, did_you_mean
from vhmae.model.config import ModelConfig

FORMAT = "vhmae-1"
DEFAULT = "default"
SUFFIX = ".safetensors"
PREFIX = "hf:"
CONFIG_FILE = "config.json"
WEIGHTS_FILE = "model.safetensors"
HUB_MISSING = f"{PREFIX}: needs huggingface_hub; install it with: pip install 'vhmae[hub]'"


@dataclasses.dataclass(frozen=True)
class WeightsCard:
    """What a weights file says of itself."""

    path: Path
    config: ModelConfig
    facts: dict[str, object]
    """Data, licence, steps, seeds: as written by training."""


def packaged_weights() -> dict[str, Path]:
    """The weights that ship with the package, by name."""
    folder = Path(str(resources.files("vhmae") / "assets"))
    return {path.stem: path for path in sorted(folder.glob(f"*{SUFFIX}"))}


def only_of(card: WeightsCard) -> dict[str, object]:
    """The table of pictures that packaged weights were trained on and on nothing else, with its
    digest; empty where they have none, and where they tell of it themselves."""
    table = card.path.with_name(f"{card.path.stem}.pictures.csv")
    if "only" in card.facts or not table.is_file():
        return {}
    return {"only": {"table": table.name, "sha256": file_digest(table)}}


def packaged_scores() -> dict[str, dict[str, dict[str, object]]]:
    """How the packaged weights score, by their name and that of the set (docs/results.md): "ratio",
    fMSE over that of the untouched composite, "ci95", its interval over videos, and "worse_share",
    the share of composites that are worse than untouched; of real light, "leading" holds these of
    the composites under "below_fmse", which its mean is not ruled by."""
    file = resources.files("vhmae") / "assets" / "scores.json"
    scores: dict[str, dict[str, dict[str, object]]] = json.loads(file.read_text(encoding="utf-8"))
    return scores


def find_weights(name: str) -> Path:
    """Resolve a packaged name or a path."""
    packaged = packaged_weights()
    if name in packaged:
        return packaged[name]
    path = Path(name)
    if path.suffix == SUFFIX and path.is_file():
        return path
    if path.is_file():
        raise InputError(
            f"{name}: is not a {SUFFIX} file; only safetensors are loaded, never pickles"
        )
    if path.suffix == SUFFIX:
        raise InputError("no such file; check the path", field="weights", value=name)
    raise InputError(
        f"unknown{did_you_mean(name, packaged)}; packaged: {', '.join(packaged) or 'none'}, or "
        f"give a {SUFFIX} file",
        field="weights",
        value=name,
    )


def read_card(name: str) -> WeightsCard:
    """Read what a weights file says of itself, without its tensors."""
    path = find_weights(name)
    try:
        with safe_open(path, framework="numpy") as file:
            metadata = file.metadata() or {}
    except (SafetensorError, OSError) as error:
        raise InputError(
            f"{path}: cannot be read as safetensors ({error}); fetch or train the weights again"
        ) from None
    if metadata.get("format") != FORMAT:
        raise InputError(
            f"{path}: holds no vhmae weights (format {metadata.get('format')!r}, expected "
            f"{FORMAT!r}); train or fetch them"
        )
    try:
        tree = json.loads(metadata["model"])
        facts = json.loads(metadata.get("facts", "{}"))
    except (KeyError, ValueError, RecursionError):
        tree = facts = None
    if not isinstance(tree, dict) or not isinstance(facts, dict):
        raise InputError(
            f"{path}: does not say its configuration; fetch or train the weights again"
        )
    return WeightsCard(path, build(ModelConfig, tree, str(path)), facts)


def find_card(name: str) -> WeightsCard:
    """As :func:`read_card`, for what the hub or a folder in its form holds, too.

    Raises:
        InputError: where the weights cannot be had, or do not say their configuration.
    """
    if not name.startswith(PREFIX):
        return read_card(name)
    try:
        config_file, weights_file = hub_files(name)
        tree = json.loads(config_file.read_text(encoding="utf-8"))
        with safe_open(weights_file, framework="numpy") as file:
            file.keys()
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
    return WeightsCard(weights_file, build(ModelConfig, tree, CONFIG_FILE), {})


def hub_files(name: str) -> tuple[Path, Path]:
    """The configuration and the weights of ``hf:owner/name``, with ``@revision`` if need be, in the
    hub's cache; or those of a folder in its form."""
    repository, _, revision = name.removeprefix(PREFIX).partition("@")
    folder = Path(repository)
    if folder.is_dir():
        return folder / CONFIG_FILE, folder / WEIGHTS_FILE
    return _fetch(repository, revision or None)


def _fetch(repository: str, revision: str | None) -> tuple[Path, Path]:
    """Have the two files of a repository of the hub in its cache."""
    try:
        from huggingface_hub import hf_hub_download
        from huggingface_hub.utils import logging
    except ImportError:
        raise InputError(HUB_MISSING) from None
    logging.set_verbosity_error()  # its retries are told by our one line, if they come to nothing
    config, weights = (
        Path(hf_hub_download(repository, file, revision=revision))
        for file in (CONFIG_FILE, WEIGHTS_FILE)
    )
    return config, weights
