"""Decoded sets: the pictures of a composite as memory-mapped arrays, decoded once."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import cv2
import numpy as np

from vhmae.data.hyoutube import Sample
from vhmae.errors import InputError

Array = np.ndarray
PARTS = ("composite", "target", "mask")


def read_decoded(sample: Sample, cache: Path | None = None, size: int | None = None) -> tuple[Array, Array, Array]:
    """Read a composite as :meth:`Sample.read` does, from a cache where it has been read before.

    Args:
        cache: folder of decoded composites; None decodes anew.
        size: side of the square that pictures are resized to; None leaves them as they are.
    Returns:
        Composite and target (T, H, W, 3) uint8 RGB, mask (T, H, W) bool; read-only where they come from a cache.
    """
    if cache is not None and cache.exists() and not cache.is_dir():
        raise InputError(f"--cache {cache}: is a file; give a folder")
    if cache is None:
        return _resized(sample.read(), size)
    folder = cache / _key(sample, size)
    if not (folder / f"{PARTS[-1]}.npy").exists():  # written last
        folder.mkdir(parents=True, exist_ok=True)
        for name, array in zip(PARTS, _resized(sample.read(), size), strict=True):
            part = folder / f".{name}.part.npy"
            np.save(part, array)
            part.replace(folder / f"{name}.npy")
    composite, target, mask = (np.load(folder / f"{name}.npy", mmap_mode="r") for name in PARTS)
    return composite, target, mask


def _key(sample: Sample, size: int | None) -> str:
    """Where a composite lies in a cache: another once its files change."""
    facts = []
    for folder in (folder for folder in (sample.composite, sample.real, sample.mask) if folder is not None):
        stats = [(file.name, file.stat()) for file in sorted(folder.iterdir())]
        facts.append([str(folder.resolve()), [(name, stat.st_size, stat.st_mtime_ns) for name, stat in stats]])
    digest = hashlib.sha256(json.dumps([facts, size]).encode()).hexdigest()[:16]
    return f"{sample.name.replace('/', '__')}-{size or 'full'}-{digest}"


def _resized(arrays: tuple[Array, Array, Array], size: int | None) -> tuple[Array, Array, Array]:
    if size is None:
        return arrays
    composite, target, mask = arrays
    small = [np.stack([cv2.resize(frame, (size, size), interpolation=cv2.INTER_AREA) for frame in clip]) for clip in (composite, target)]
    holes = [cv2.resize(hole.astype(np.uint8), (size, size), interpolation=cv2.INTER_NEAREST) > 0 for hole in mask]
    return small[0], small[1], np.stack(holes)
