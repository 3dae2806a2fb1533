"""The demo's clip for the app: two shots, the astronaut as another camera would have rendered
her."""

from __future__ import annotations

import json
from importlib import resources
from pathlib import Path

import numpy as np

from vhmae.arrays import Array
from vhmae.errors import InputError
from vhmae.work.demo import write_inputs

COMPOSITE, MASK = "composite.mp4", "mask.mp4"
CAMERA = "camera.json"
SUBJECT = "astronaut.png"
"""Who is rendered by another camera; the second shot's subject is left as it is."""


def make_demo(folder: Path) -> Path:
    """Write the demo's clip into a folder, which is made, unless it is there; returns the
    composite.

    Raises:
        InputError: where the folder cannot be made or written, or holds a file of one's own by the
            name of one of the demo's.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise InputError(
            f"{folder}: cannot be made ({error.strerror}); name another folder"
        ) from None
    composite, mask = folder / COMPOSITE, folder / MASK
    there = [path for path in (composite, mask) if path.exists()]
    if not there:
        write_inputs(composite, mask, _seen)
    elif len(there) == 1:
        raise InputError(f"{there[0]}: is in the way of the demo; name another folder")
    return composite


def _seen(photograph: str, colors: Array) -> Array:
    return rendered(colors, camera_map()) if photograph == SUBJECT else colors


def camera_map() -> Array:
    """A camera rendering as a map of colors: (9, 3), as of ``data.looks.camera``."""
    file = resources.files("vhmae") / "assets" / "demo" / CAMERA
    return np.array(json.loads(file.read_text(encoding="utf-8"))["map"], np.float64)


def rendered(colors: Array, coefficients: Array) -> Array:
    """Colors (..., 3) in [0, 1] as the camera renders them."""
    red, green, blue = np.moveaxis(np.asarray(colors, np.float64), -1, 0)
    squares = [red * red, green * green, blue * blue]
    products = [red * green, red * blue, green * blue]
    terms = np.stack([red, green, blue, *squares, *products], axis=-1)
    return np.clip(terms @ coefficients, 0.0, 1.0)
