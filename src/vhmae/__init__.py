"""Video harmonization with masked autoencoders: makes a composite look as if it had been shot at
once."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

from vhmae.version import __version__

# Imported at first use: `import vhmae` and `vhmae --help` do not wait for torch.
_HOMES = {
    "Harmonizer": "vhmae.engine.harmonizer",
    "harmonize_video": "vhmae.work.harmonize",
    "VHMAE": "vhmae.model.vhmae",
    "ModelConfig": "vhmae.model.vhmae",
    "load_model": "vhmae.model.weights",
    "Lut3D": "vhmae.color.lut",
    "VhmaeError": "vhmae.errors",
    "InputError": "vhmae.errors",
}

if TYPE_CHECKING:
    from vhmae.color.lut import Lut3D
    from vhmae.engine.harmonizer import Harmonizer
    from vhmae.errors import InputError, VhmaeError
    from vhmae.model.vhmae import VHMAE, ModelConfig
    from vhmae.model.weights import load_model
    from vhmae.work.harmonize import harmonize_video

__all__ = [
    "VHMAE",
    "Harmonizer",
    "InputError",
    "Lut3D",
    "ModelConfig",
    "VhmaeError",
    "__version__",
    "harmonize_video",
    "load_model",
]


def __dir__() -> list[str]:
    return sorted([*globals(), *_HOMES])


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module 'vhmae' has no attribute {name!r}")
    return getattr(importlib.import_module(_HOMES[name]), name)
