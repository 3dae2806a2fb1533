"""Whether a run that was stopped may go on by a recipe: only by what it was started with."""

from __future__ import annotations

import pickle
from pathlib import Path, PurePath
from typing import Any

import torch

from vhmae.config import to_tree
from vhmae.errors import InputError

FREE = frozenset(
    {
        "data.root",
        "data.cache",
        "data.workers",
        "data.decoded_mib",
        "data.prior_sets",
        "data.licence",
        "train.threads",
        "train.accumulate",
        "train.compile",
        "train.log_every_steps",
        "train.norms_every_steps",
        "train.validate_every_steps",
        "train.checkpoint_every_seconds",
        "train.kept_shares",
    }
)
"""Keys that say where and how a run works, what it tells on the way, and what is done with its
weights afterwards; not what is learned."""
BY_NAME = frozenset({"data.leave_out", "data.only", "data.dev_list"})
"""Lists that are the same wherever they lie: the recipe may be named from another folder."""
FROM_HERE = frozenset({"model.head", "train.loss.reconstruction", "train.loss.more", "backbone"})
"""What may be FILE:NAME from where one stands: the run may be gone on with from elsewhere."""


CHECKPOINT = "checkpoint.pt"


def check_run_folder(run_dir: Path, resume: bool) -> None:
    """Refuse a folder that a run cannot be begun in.

    Raises:
        InputError: for a file, and for a folder that holds a run that is not to be resumed.
    """
    if run_dir.exists() and not run_dir.is_dir():
        raise InputError(f"{run_dir}: is a file; give a folder for the run")
    if (run_dir / CHECKPOINT).exists() and not resume:
        raise InputError(
            f"{run_dir}: holds a run already; pass `resume` to go on, or choose a new folder"
        )


def load_checkpoint(path: Path, device: torch.device) -> dict[str, Any]:
    """What a stopped run kept.

    Raises:
        InputError: where it is not there, or damaged.
    """
    if not path.exists():
        raise InputError(f"{path}: no checkpoint to resume from; start without `resume`")
    try:
        saved: dict[str, Any] = torch.load(path, map_location=device, weights_only=True)
    except (OSError, RuntimeError, ValueError, EOFError, pickle.UnpicklingError) as error:
        reason = " ".join(str(error).split())[:100]
        weights = path.parent / "weights.safetensors"
        hint = f" from {weights}" if weights.exists() else ""
        raise InputError(f"{path}: is damaged ({reason}); start a new run{hint}") from None
    return saved


def write_checkpoint(state: dict[str, Any], path: Path) -> None:
    """Write a checkpoint.

    Raises:
        OSError: as the disk says it; torch's own writer hides that.
    """
    try:
        with path.open("wb") as file:
            torch.save(state, file)
    except RuntimeError as error:  # of the archive that could not be ended
        if isinstance(error.__context__, OSError):
            raise error.__context__ from None
        raise


def require_same_recipe(checkpoint: Path, before: Any, now: Any) -> None:
    """Refuse to resume a run by a recipe that would go on with another one.

    Args:
        checkpoint: the stopped run's.
        before: the recipe that it was started with.
        now: the recipe of the same kind that is to go on.
    Raises:
        InputError: naming the first key that decides what is learned and differs.
    """
    was, wanted = _keys(to_tree(before)), _keys(to_tree(now))
    for key in [*was, *(key for key in wanted if key not in was)]:
        if was.get(key) != wanted.get(key):
            whose = "model configuration" if key.startswith("model.") else "recipe"
            raise InputError(
                f"{checkpoint}: belongs to another {whose}: {key} was {was.get(key)!r}, now it is "
                f"{wanted.get(key)!r}; resume with what it was started with"
            )


def _keys(tree: dict[str, Any], prefix: str = "") -> dict[str, Any]:
    """The values that decide what is learned, by their dotted keys."""
    found: dict[str, Any] = {}
    for name, value in tree.items():
        key = f"{prefix}{name}"
        if isinstance(value, dict):
            found |= _keys(value, f"{key}.")
        elif key in BY_NAME:
            found[key] = value and Path(value).name
        elif key in FROM_HERE:
            found[key] = _without_folders(value)
        elif key not in FREE:
            found[key] = value
    return found


def _without_folders(value: Any) -> Any:
    """A name of a file's class or function without the file's folder, wherever one stands in a
    value."""
    if isinstance(value, dict):
        return {key: _without_folders(one) for key, one in value.items()}
    if isinstance(value, list):
        return [_without_folders(one) for one in value]
    return PurePath(value).name if isinstance(value, str) else value
