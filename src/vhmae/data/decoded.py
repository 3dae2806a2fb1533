"""Decoded sets: the pictures of a composite as memory-mapped arrays, decoded once."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Literal, NamedTuple

import cv2
import numpy as np

from vhmae.arrays import Frames, Mask, Matte, Picture
from vhmae.data.hyoutube import Sample
from vhmae.errors import InputError
from vhmae.partial_output import whole_file

Resizing = Literal["area", "linear"]
"""How pictures are made smaller. ``area`` averages what a pixel covers, and the mask is where half
of a pixel or more is foreground; ``linear`` is OpenCV's bilinear filter without antialiasing, as
CO2Net's loader has it, and the mask is every pixel that any foreground reaches."""
_FILTERS = {"area": cv2.INTER_AREA, "linear": cv2.INTER_LINEAR}


class Pictures(NamedTuple):
    """The pictures of a composite; read-only where they come from a cache."""

    composite: Frames
    """(T, H, W, 3) uint8 RGB."""
    target: Frames
    """(T, H, W, 3) uint8 RGB."""
    mask: Mask
    """(T, H, W) bool."""
    matte: Matte
    """The soft mask: (T, H, W) uint8 in 0-255 as the files have it; once resized float32 in [0,
    1]."""


def read_decoded(
    sample: Sample, cache: Path | None = None, size: int | None = None, resizing: Resizing = "area"
) -> Pictures:
    """Read a composite as :meth:`Sample.read_soft` does, from a cache where it was read before.

    Args:
        cache: folder of decoded composites; None decodes anew.
        size: side of the square that pictures are resized to; None leaves them as they are.
        resizing: by which filter.
    Raises:
        InputError: for a cache that is a file, and for what :meth:`Sample.read` refuses.
    """
    if cache is not None and cache.exists() and not cache.is_dir():
        raise InputError("is a file; give a folder", field="cache", value=cache)
    if cache is None:
        return _resized(sample, size, resizing)
    folder = cache / _key(sample, size, resizing)
    if not (folder / f"{Pictures._fields[-1]}.npy").exists():  # written last
        folder.mkdir(parents=True, exist_ok=True)
        for name, array in _resized(sample, size, resizing)._asdict().items():
            with whole_file(folder / f"{name}.npy") as part:
                np.save(part, array)
    return Pictures(*(np.load(folder / f"{name}.npy", mmap_mode="r") for name in Pictures._fields))


def resize_frames(frames: Picture, size: int, resizing: Resizing) -> Picture:
    """Resize frames or mattes (T, H, W[, 3]) to a square of a side; their type stays."""
    return np.stack(
        [cv2.resize(frame, (size, size), interpolation=_FILTERS[resizing]) for frame in frames]
    )


def _key(sample: Sample, size: int | None, resizing: Resizing) -> str:
    """Where a composite lies in a cache: another once its files change."""
    facts = []
    for folder in (
        folder for folder in (sample.composite, sample.real, sample.mask) if folder is not None
    ):
        stats = [(file.name, file.stat()) for file in sorted(folder.iterdir())]
        facts.append(
            [
                str(folder.resolve()),
                [(name, stat.st_size, stat.st_mtime_ns) for name, stat in stats],
            ]
        )
    way = f"{size}-{resizing}" if size else "full"
    digest = hashlib.sha256(json.dumps([facts, way, Pictures._fields]).encode()).hexdigest()[:16]
    return f"{sample.name.replace('/', '__')}-{way}-{digest}"


def _resized(sample: Sample, size: int | None, resizing: Resizing) -> Pictures:
    composite, target, levels = sample.read_soft()
    if size is None:
        return Pictures(composite, target, levels > 0, levels)
    # To [0, 1] first, as CO2Net's loader: where the matte is 1 depends on the order.
    matte = resize_frames(levels.astype(np.float32) / np.float32(255.0), size, resizing)
    mask = matte >= 0.5 if resizing == "area" else matte > 0.0
    return Pictures(
        resize_frames(composite, size, resizing), resize_frames(target, size, resizing), mask, matte
    )
