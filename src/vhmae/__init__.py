"""Video harmonization with masked autoencoders: makes a composite look as if it had been shot at
once."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

from vhmae.errors import InputError, VhmaeError, lacks_torch, needs_torch
from vhmae.version import __version__

# Imported at first use: `import vhmae` and `vhmae --help` do not wait for torch.
_HOMES = {
    "Harmonizer": "vhmae.engine.harmonizer",
    "harmonize_video": "vhmae.work.harmonize",
    "VHMAE": "vhmae.model.vhmae",
    "ModelConfig": "vhmae.model.config",
    "load_model": "vhmae.model.weights",
    "HarmonizerSettings": "vhmae.engine.settings",
    "HarmonizeJob": "vhmae.work.job",
    "Guide": "vhmae.guide.document",
    "Point": "vhmae.guide.document",
    "Choice": "vhmae.guide.document",
    "read_guide": "vhmae.guide.reading",
    "Dials": "vhmae.guide.dials",
    "evaluate": "vhmae.evaluation.runner",
    "Clip": "vhmae.evaluation.clip",
    "Method": "vhmae.evaluation.clip",
    "find_method": "vhmae.evaluation.methods",
    "read_list": "vhmae.data.hyoutube",
    "Trainer": "vhmae.training.loop",
    "Recipe": "vhmae.training.recipe",
    "read_config": "vhmae.config",
    "Lut3D": "vhmae.color.lut",
}

if TYPE_CHECKING:
    from vhmae.color.lut import Lut3D
    from vhmae.config import read_config
    from vhmae.data.hyoutube import read_list
    from vhmae.engine.harmonizer import Harmonizer
    from vhmae.engine.settings import HarmonizerSettings
    from vhmae.evaluation.clip import Clip, Method
    from vhmae.evaluation.methods import find_method
    from vhmae.evaluation.runner import evaluate
    from vhmae.guide.dials import Dials
    from vhmae.guide.document import Choice, Guide, Point
    from vhmae.guide.reading import read_guide
    from vhmae.model.config import ModelConfig
    from vhmae.model.vhmae import VHMAE
    from vhmae.model.weights import load_model
    from vhmae.training.loop import Trainer
    from vhmae.training.recipe import Recipe
    from vhmae.work.harmonize import harmonize_video
    from vhmae.work.job import HarmonizeJob

__all__ = [
    "VHMAE",
    "Choice",
    "Clip",
    "Dials",
    "Guide",
    "HarmonizeJob",
    "Harmonizer",
    "HarmonizerSettings",
    "InputError",
    "Lut3D",
    "Method",
    "ModelConfig",
    "Point",
    "Recipe",
    "Trainer",
    "VhmaeError",
    "__version__",
    "evaluate",
    "find_method",
    "harmonize_video",
    "load_model",
    "read_config",
    "read_guide",
    "read_list",
]


def __dir__() -> list[str]:
    from vhmae.engine.backends import torch_is_here  # what it needs is slow to import

    return sorted([*globals(), *(_HOMES if torch_is_here() else filter(_runs_here, _HOMES))])


def _runs_here(name: str) -> bool:
    """Whether a public name needs nothing that is not installed."""
    try:
        __getattr__(name)
    except InputError:
        return False
    return True


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module 'vhmae' has no attribute {name!r}")
    try:
        return getattr(importlib.import_module(_HOMES[name]), name)
    except ModuleNotFoundError as error:
        if not lacks_torch(error):
            raise
        # No AttributeError: of that `from vhmae import Trainer` would make an ImportError of its
        # own, which does not say what to install.
        raise InputError(needs_torch(f"vhmae.{name}")) from None
