"""The constant map: what a set gives away without a look at the background."""

from __future__ import annotations

import json
import shlex
from importlib import resources
from pathlib import Path
from typing import Any

import numpy as np
import torch

from vhmae.color.basis import QUADRATIC, fit_transform
from vhmae.data.digests import set_digest, settings_digest
from vhmae.data.hyoutube import read_list, require_foreground
from vhmae.errors import InputError
from vhmae.partial_output import write_text_whole
from vhmae.version import __version__

COLORS_A_COMPOSITE = 4000
"""Evenly spaced colors of each foreground, so that each composite counts the same."""


def constant_file() -> Path:
    """Where the packaged maps lie."""
    return Path(str(resources.files("vhmae") / "assets" / "constant.json"))


def looks_of(data: Path) -> str:
    """'one' or 'two': how a set was made; sets that do not say (HYouTube) are one-look."""
    recipe = _recipe_of(data)
    try:
        return "one" if recipe is None else str(recipe["looks"])
    except (KeyError, TypeError) as error:
        raise InputError(
            f"{data}: its recipe says no looks ({error}); synthesize the set again"
        ) from None


def _recipe_of(data: Path) -> Any:
    """The recipe that a set was synthesized by; None where it was not."""
    path = data / "synthesis.json"
    if not path.exists():
        return None
    try:
        return json.loads(path.read_text(encoding="utf-8"))["recipe"]
    except (ValueError, KeyError, TypeError, OSError) as error:
        raise InputError(f"{path}: cannot be read ({error}); synthesize the set again") from None


def read_constant(looks: str, path: Path | None = None) -> torch.Tensor:
    """The fitted constant map of a mode: residual coefficients (3, 10)."""
    path = path or constant_file()
    try:
        coefficients = json.loads(path.read_text(encoding="utf-8"))[looks]["coefficients"]
        return torch.tensor(coefficients, dtype=torch.float64)
    except (OSError, ValueError, KeyError) as error:
        raise InputError(
            f"{path}: has no constant map for '{looks}' ({error}); fit it with: vhmae fit-constant"
        ) from None


def map_digest(coefficients: torch.Tensor) -> str:
    """What tells one constant map from another."""
    return settings_digest({"coefficients": coefficients.tolist()})


def fit_constant(data: Path, looks: str, output: Path) -> int:
    """Fit the constant map of a mode by least squares over the foregrounds of training composites.

    The file says of each map what it was fitted on: the set's digest, the recipe that the set was
    synthesized by, and the command that fits it again, with the set's place in it.

    Returns:
        The number of composites.
    Raises:
        InputError: if the set cannot be read, a composite has no foreground, or ``output`` holds
            something else.
    """
    fitted = _kept_maps(output)
    if _recipe_of(data) is not None and (made := looks_of(data)) != looks:
        told = f"{data} was made with `looks` {made}; name that"
        raise InputError(f"is not what the set has: {told}", field="looks", value=looks)
    sources, targets = [], []
    samples = read_list(data)
    for sample in samples:
        composite, target, mask = sample.read()
        require_foreground(sample, mask)
        inside, wanted = composite[mask], target[mask]
        picks = np.linspace(0, len(inside) - 1, COLORS_A_COMPOSITE).astype(int)
        sources.append(inside[picks])
        targets.append(wanted[picks])
    pairs = (sources, targets)
    colors, truth = (torch.from_numpy(np.concatenate(part)).double() / 255.0 for part in pairs)
    coefficients = fit_transform(colors, truth, QUADRATIC, ridge=1e-6)
    again = ["vhmae", "fit-constant", "--data", str(data), "--looks", looks, "-o", str(output)]
    fitted[looks] = {
        "composites": len(samples),
        "set_sha256": set_digest(samples),
        "recipe": _recipe_of(data),
        "command": shlex.join(again),
        "vhmae": __version__,
        "coefficients": coefficients.tolist(),
    }
    write_text_whole(output, json.dumps(fitted, indent=1) + "\n")
    return len(samples)


def _kept_maps(output: Path) -> dict[str, Any]:
    """The maps of other modes that a file holds already."""
    if not output.parent.is_dir():
        raise InputError(f"{output}: the folder {output.parent} does not exist; make it first")
    if not output.exists():
        return {}
    try:
        maps = dict(json.loads(output.read_text(encoding="utf-8")))
        if not all("coefficients" in one for one in maps.values()):
            raise ValueError
        return maps
    except (OSError, ValueError, TypeError):
        raise InputError(
            f"{output}: holds something else than fitted maps; give another file"
        ) from None
