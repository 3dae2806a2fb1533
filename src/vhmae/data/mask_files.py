"""Packed masks made of videos and pictures: what a folder of training clips holds beside each."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

from vhmae.arrays import Array
from vhmae.data.clips import MASK_SUFFIX
from vhmae.errors import InputError
from vhmae.partial_output import whole_file
from vhmae.video.mask_meaning import MaskReading, meaning_of
from vhmae.video.matte import open_matte
from vhmae.video.probe import check_is_file
from vhmae.video.sequence import PICTURES, is_pattern


class Packed(NamedTuple):
    """What was packed."""

    frames: int
    height: int
    width: int
    warnings: list[str]
    """What the user should know of how the masks were understood."""


def pack_masks(sources: Sequence[Path], output: Path, label: int | None = None) -> Packed:
    """Write masks as one packed file; it appears whole or not at all.

    Args:
        sources: in their order: videos, pictures (one frame each), folders or numbered sequences of
            pictures. What is half white or more is foreground.
        output: ``NAME.mask.npz``, beside ``NAME.mp4``.
        label: number of the object that is the foreground, in masks that hold labels; None: all of
            them.
    Raises:
        InputError: if a mask cannot be read or has another size than the first, or no frame has a
            foreground.
    """
    if not output.name.endswith(MASK_SUFFIX):
        raise InputError(f"ends in {output.suffix!r}; write NAME{MASK_SUFFIX}", field="output")
    rows: list[Array] = []
    shape: tuple[int, ...] | None = None
    some = False
    told: list[str] = []
    for source, mask in _masks(sources, label, told):
        shape = shape or mask.shape
        if mask.shape != shape:
            raise InputError(
                f"{source}: is {mask.shape[1]}x{mask.shape[0]}, the first mask is "
                f"{shape[1]}x{shape[0]}; export all at one size"
            )
        some = some or bool(mask.any())
        rows.append(np.packbits(mask, axis=-1))
    if shape is None or not some:
        raise InputError(f"{sources[0]}: no frame has a foreground; the foreground must be white")
    height, width = int(shape[0]), int(shape[1])
    with whole_file(output) as part, part.open("wb") as file:
        np.savez_compressed(file, bits=np.stack(rows), shape=np.array([len(rows), height, width]))
    return Packed(len(rows), height, width, list(dict.fromkeys(told)))


def _masks(
    sources: Sequence[Path], label: int | None, told: list[str]
) -> Iterator[tuple[Path, Array]]:
    """Masks with their files; ``told`` takes what these tell."""
    known: set[str] = set()
    for are_pictures, group in itertools.groupby(sources, key=_is_picture):
        files = list(group)
        if are_pictures and label is not None:  # an object may be out of some frames of its clip
            for file in files:
                check_is_file(file, "mask")
            meaning = meaning_of(files[0], files, label)
            told += meaning.warnings
            yield from ((file, _is_solid(meaning.read(file))) for file in files)
            continue
        for source in files:
            opened = open_matte(source, MaskReading(label))
            for warning in opened.warnings:  # once, and not of each picture
                what = warning.replace(str(source), "")
                told += [] if what in known else [warning]
                known.add(what)
            yield from ((source, _is_solid(matte)) for matte in opened.stored())


def _is_picture(source: Path) -> bool:
    return source.suffix.lower() in PICTURES and not is_pattern(source) and not source.is_dir()


def _is_solid(matte: Array) -> Array:
    return matte >= 0.5 * (1.0 if matte.dtype.kind == "f" else float(np.iinfo(matte.dtype).max))
