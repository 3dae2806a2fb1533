"""Masks as packed bits (.npz), read frame by frame."""

from __future__ import annotations

import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import IO, Any

import numpy as np

from vhmae.errors import DAMAGED_ARCHIVE, InputError

Array = np.ndarray


def open_bits(path: Path) -> tuple[int, tuple[int, int], Callable[[int], Iterator[Array]]]:
    """Open a packed mask.

    Returns:
        How many mattes it holds, their width and height, and what reads them from a number on.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            with archive.open("shape.npy") as member:
                frames, height, width = (
                    int(side) for side in np.lib.format.read_array(member, allow_pickle=False)
                )
            with archive.open("bits.npy") as member:
                shape, dtype = _array_header(member)
    except FileNotFoundError:
        raise InputError(f"{path}: no such file; check the path of the mask") from None
    except DAMAGED_ARCHIVE as error:
        raise InputError(
            f"{path}: is not a packed mask with 'bits' and 'shape' ({error}); export the mask again"
        ) from None
    if shape != (frames, height, -(-width // 8)) or dtype != np.uint8:
        raise InputError(
            f"{path}: its bits {shape} do not fit its shape ({frames}, {height}, {width}); export "
            "the mask again"
        )

    def start(first: int) -> Iterator[Array]:
        # Read frame by frame: the whole of a long mask would not fit the memory.
        with zipfile.ZipFile(path) as archive, archive.open("bits.npy") as member:
            _array_header(member)
            for number in range(frames):
                try:
                    row = np.frombuffer(member.read(height * shape[2]), np.uint8).reshape(
                        height, shape[2]
                    )
                except DAMAGED_ARCHIVE:
                    raise InputError(
                        f"{path}: is damaged at frame {number}; export the mask again"
                    ) from None
                if number >= first:
                    yield np.unpackbits(row, axis=-1)[:, :width] * np.uint8(255)

    return frames, (width, height), start


def _array_header(member: IO[bytes]) -> tuple[tuple[int, ...], np.dtype[Any]]:
    """Read an .npy header and leave the stream at the first value."""
    version = np.lib.format.read_magic(member)
    read = (
        np.lib.format.read_array_header_1_0
        if version == (1, 0)
        else np.lib.format.read_array_header_2_0
    )
    shape, fortran, dtype = read(member)
    if fortran:
        raise ValueError("in Fortran order")
    return shape, dtype
