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

from vhmae.color.transfer import match_histograms, monge_kantorovich, reinhard
from vhmae.color.transform import AFFINE, QUADRATIC, apply_transform, fit_transform
from vhmae.data.hyoutube import Sample, find_picture, read_list, read_picture
from vhmae.engine.harmonizer import Harmonizer
from vhmae.engine.settings import Quality
from vhmae.errors import InputError, did_you_mean

Array = np.ndarray
CLASSICAL = ("reinhard", "histogram", "mkl")
ORACLES = {"oracle-affine": AFFINE, "oracle-quadratic": QUADRATIC}
"""The best global map with the target known: how much a perfect guess of the look would gain."""
METHODS = ("composite", "constant", *CLASSICAL, "vhmae", *ORACLES, "folder:PATH")
PIXELS_A_CLIP = 20_000
"""Colours that fits and statistics are taken from; evenly spaced among the clip's."""


@dataclasses.dataclass(frozen=True)
class Clip:
    """What a method is given."""

    composite: Array
    """(T, H, W, 3) uint8 RGB."""
    mask: Array
    """(T, H, W) bool."""
    sample: Sample | None = None
    """Where the clip comes from, as it lies on the disk."""
    target: Array | None = None
    """(T, H, W, 3) uint8 RGB: for the oracles alone."""


@dataclasses.dataclass(frozen=True)
class Method:
    """A named method."""

    name: str
    harmonize: Callable[[Clip], Array]
    """Clip -> frames (T, H, W, 3) uint8; pixels outside the mask are the composite's."""
    takes_other_backgrounds: bool = True
    """False for results made beforehand and for oracles: their background cannot be swapped."""


def find_method(
    name: str, data: Path, weights: str = "default", device: str = "auto", precision: Any = "auto", threads: int | None = None,
    quality: Quality = "balanced", caution: float | None = None, mix: float = 1.0,
) -> Method:  # fmt: skip
    """Find a method by its name.

    Args:
        data: the data set; decides which constant map is meant.
        mix: how far the classical methods go, 0 to 1; other methods take 1 only.
    """
    if not 0.0 <= mix <= 1.0:
        raise InputError(f"--mix {mix}: out of range; expected 0 (untouched) to 1")
    if mix != 1.0 and name not in CLASSICAL:
        raise InputError(f"--mix: {name} has no such setting; it is for {', '.join(CLASSICAL)}")
    if name == "composite":
        return Method(name, lambda clip: clip.composite)
    if name == "constant":
        return _color_map(name, read_constant(looks_of(data)))
    if name in CLASSICAL:
        transfer = _TRANSFERS[name]
        return Method(name if mix == 1.0 else f"{name}, mix {mix:g}", lambda clip: _transferred(clip, transfer, mix))
    if name in ORACLES:
        return Method(name, lambda clip: _oracle(clip, ORACLES[name]), takes_other_backgrounds=False)
    if name == "vhmae":
        harmonizer = Harmonizer.from_pretrained(
            weights, device=device, precision=precision, threads=threads, quality=quality, caution=caution,
            cut_detection=False,  # a sample is one shot; its frames may lie far apart
        )  # fmt: skip
        return Method(name, lambda clip: np.stack(list(harmonizer.harmonize(clip.composite, clip.mask))))
    if name.startswith("folder:"):
        folder = Path(name.removeprefix("folder:"))
        if not folder.is_dir():
            raise InputError(f"--method {name}: {folder} is not a folder; expected results as VIDEO/object_k/00000.jpg")
        return Method(name, lambda clip: _read_results(folder, clip), takes_other_backgrounds=False)
    raise InputError(f"--method {name}: unknown{did_you_mean(name, METHODS)}; expected one of {', '.join(METHODS)}")


def _spread(colors: Array) -> Array:
    """Evenly spaced colours of many: (P, 3) float32 in [0, 1]."""
    picks = np.linspace(0, len(colors) - 1, min(PIXELS_A_CLIP, len(colors))).astype(int)
    return colors[picks].astype(np.float32) / np.float32(255.0)


def _paste(clip: Clip, recolor: Callable[[Array], Array]) -> Array:
    """Recolour the foreground of a clip: colours (P, 3) float32 in [0, 1] -> the same."""
    out = clip.composite.copy()
    mapped = recolor(clip.composite[clip.mask].astype(np.float32) / np.float32(255.0))
    out[clip.mask] = np.rint(np.clip(mapped, 0.0, 1.0) * 255.0).astype(np.uint8)
    return out


def _mapped(colors: Array, coefficients: torch.Tensor) -> Array:
    """Apply residual coefficients to colours (P, 3)."""
    return apply_transform(torch.from_numpy(colors), coefficients.float()).numpy()


def _color_map(name: str, coefficients: torch.Tensor) -> Method:
    return Method(name, lambda clip: _paste(clip, lambda colors: _mapped(colors, coefficients)))


def _monge_kantorovich(colors: Array, source: Array, reference: Array) -> Array:
    return _mapped(colors, monge_kantorovich(torch.from_numpy(source), torch.from_numpy(reference)))


_TRANSFERS = {"reinhard": reinhard, "histogram": match_histograms, "mkl": _monge_kantorovich}


def _transferred(clip: Clip, transfer: Callable[[Array, Array, Array], Array], mix: float) -> Array:
    """Take the foreground's statistics a part of the way to the background's; one map for the whole clip."""
    inside, outside = clip.composite[clip.mask], clip.composite[~clip.mask]
    if len(inside) < 2 or len(outside) < 2:
        return clip.composite
    source, reference = _spread(inside), _spread(outside)
    return _paste(clip, lambda colors: colors + np.float32(mix) * (transfer(colors, source, reference) - colors))


def _oracle(clip: Clip, size: int) -> Array:
    if clip.target is None:
        raise InputError("an oracle needs the target; it cannot be used on clips without one")
    if not clip.mask.any():
        return clip.composite
    source, wanted = (torch.from_numpy(_spread(frames[clip.mask])) for frames in (clip.composite, clip.target))
    coefficients = fit_transform(source, wanted, size, ridge=1e-6)
    return _paste(clip, lambda colors: _mapped(colors, coefficients))


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
    fitted = _kept_maps(output)
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
    fitted[looks] = {"composites": len(samples), "coefficients": coefficients.tolist()}
    part = output.with_name(f".{output.name}.part")
    part.write_text(json.dumps(fitted, indent=1) + "\n", encoding="utf-8")
    part.replace(output)
    return len(samples)


def _kept_maps(output: Path) -> dict[str, Any]:
    """The maps of other modes that a file holds already."""
    if not output.parent.is_dir():
        raise InputError(f"{output}: the folder {output.parent} does not exist; make it first")
    if not output.exists():
        return {}
    try:
        return dict(json.loads(output.read_text(encoding="utf-8")))
    except (OSError, ValueError, TypeError):
        raise InputError(f"{output}: holds something else than fitted maps; give another file") from None
