"""Methods by name. A method is any callable: a composite clip and its mask in, harmonized frames out.

Our model, classical maps and a folder of somebody else's results are scored by the same code.
"""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Callable
from importlib import resources
from pathlib import Path
from typing import Any

import numpy as np
import torch

from vhmae.color.transfer import monge_kantorovich
from vhmae.color.transform import QUADRATIC, apply_transform, fit_transform
from vhmae.data.hyoutube import Sample, find_picture, read_list, read_picture
from vhmae.errors import InputError, did_you_mean
from vhmae.harmonizer import CAUTION_LEVELS, Harmonizer, Quality

Array = np.ndarray
METHODS = ("composite", "constant", "mkl", "vhmae", "folder:PATH")
PIXELS_A_CLIP = 20_000
"""Colours that fits and statistics are taken from; evenly spaced among the clip's."""


@dataclasses.dataclass(frozen=True)
class Clip:
    """What a method is given: a composite (T, H, W, 3) uint8 RGB and its mask (T, H, W) bool, with the sample they come from."""

    composite: Array
    mask: Array
    sample: Sample | None = None


@dataclasses.dataclass(frozen=True)
class Method:
    """A named method."""

    name: str
    harmonize: Callable[[Clip], Array]
    """Clip -> frames (T, H, W, 3) uint8; pixels outside the mask are the composite's."""
    takes_other_backgrounds: bool = True
    """False where results were made beforehand, so that the background cannot be swapped."""


def find_method(
    name: str, data: Path, weights: str = "default", device: str = "auto", precision: Any = "auto", threads: int | None = None,
    quality: Quality = "balanced", caution: float = CAUTION_LEVELS,
) -> Method:  # fmt: skip
    """Find a method by its name.

    Args:
        data: the data set; decides which constant map is meant.
    """
    if name == "composite":
        return Method(name, lambda clip: clip.composite)
    if name == "constant":
        return _color_map(name, read_constant(looks_of(data)))
    if name == "mkl":
        return Method(name, _mkl)
    if name == "vhmae":
        harmonizer = Harmonizer.from_pretrained(
            weights, device=device, precision=precision, threads=threads, quality=quality, caution=caution
        )
        return Method(name, lambda clip: np.stack(list(harmonizer.harmonize(clip.composite, clip.mask))))
    if name.startswith("folder:"):
        folder = Path(name.removeprefix("folder:"))
        if not folder.is_dir():
            raise InputError(f"--method {name}: {folder} is not a folder; expected results as VIDEO/object_k/00000.jpg")
        return Method(name, lambda clip: _read_results(folder, clip), takes_other_backgrounds=False)
    raise InputError(f"--method {name}: unknown{did_you_mean(name, METHODS)}; expected one of {', '.join(METHODS)}")


def _spread(colors: Array) -> torch.Tensor:
    """Evenly spaced colours of many, in [0, 1]."""
    picks = np.linspace(0, len(colors) - 1, min(PIXELS_A_CLIP, len(colors))).astype(int)
    return torch.from_numpy(colors[picks]).double() / 255.0


def _paste(clip: Clip, coefficients: torch.Tensor) -> Array:
    """Apply one colour map to the foreground of a clip."""
    out = clip.composite.copy()
    colors = torch.from_numpy(clip.composite[clip.mask]).float() / 255.0
    mapped = apply_transform(colors, coefficients.float()).clamp(0.0, 1.0)
    out[clip.mask] = (mapped * 255.0).round().byte().numpy()
    return out


def _color_map(name: str, coefficients: torch.Tensor) -> Method:
    return Method(name, lambda clip: _paste(clip, coefficients))


def _mkl(clip: Clip) -> Array:
    inside, outside = clip.composite[clip.mask], clip.composite[~clip.mask]
    if len(inside) < 2 or len(outside) < 2:
        return clip.composite
    return _paste(clip, monge_kantorovich(_spread(inside), _spread(outside)))


def _read_results(folder: Path, clip: Clip) -> Array:
    sample = clip.sample
    if sample is None:
        raise InputError(f"folder:{folder}: holds results of a list, not of other clips; use a method that runs")
    results = np.stack([read_picture(find_picture(folder / sample.name, name)) for name in sample.frame_names()])
    if results.shape != clip.composite.shape:
        raise InputError(
            f"{folder / sample.name}: frames are {results.shape[1:3]}, the composite's are {clip.composite.shape[1:3]} (height, width)"
        )
    return results


# --- the constant map: what a set gives away without a look at the background


def constant_file() -> Path:
    return Path(str(resources.files("vhmae") / "assets" / "constant.json"))


def looks_of(data: Path) -> str:
    """'one' or 'two': how a set was made; sets that do not say (HYouTube) are one-look."""
    path = data / "synthesis.json"
    if not path.exists():
        return "one"
    try:
        return str(json.loads(path.read_text(encoding="utf-8"))["recipe"]["looks"])
    except (ValueError, KeyError, OSError) as error:
        raise InputError(f"{path}: cannot be read ({error}); synthesize the set again") from None


def read_constant(looks: str, path: Path | None = None) -> torch.Tensor:
    """The fitted constant map of a mode: residual coefficients (3, 10)."""
    path = path or constant_file()
    try:
        return torch.tensor(json.loads(path.read_text(encoding="utf-8"))[looks]["coefficients"], dtype=torch.float64)
    except (OSError, ValueError, KeyError) as error:
        raise InputError(f"{path}: has no constant map for '{looks}' ({error}); fit it with: vhmae fit-constant") from None


def fit_constant(data: Path, looks: str, output: Path) -> int:
    """Fit the constant map of a mode by least squares over the foregrounds of training composites, each counting the same."""
    sources, targets = [], []
    samples = read_list(data)
    for sample in samples:
        composite, target, mask = sample.read()
        inside, wanted = composite[mask], target[mask]
        picks = np.linspace(0, len(inside) - 1, 4000).astype(int)
        sources.append(inside[picks])
        targets.append(wanted[picks])
    colors, wanted = (torch.from_numpy(np.concatenate(parts)).double() / 255.0 for parts in (sources, targets))
    coefficients = fit_transform(colors, wanted, QUADRATIC, ridge=1e-6)
    fitted: dict[str, Any] = {}
    if output.exists():
        fitted = json.loads(output.read_text(encoding="utf-8"))
    fitted[looks] = {"composites": len(samples), "coefficients": coefficients.tolist()}
    output.write_text(json.dumps(fitted, indent=1) + "\n", encoding="utf-8")
    return len(samples)
