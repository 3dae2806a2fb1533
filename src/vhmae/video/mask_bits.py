"""Masks as packed bits (.npz), read frame by frame."""

from __future__ import annotations

import math
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np

from vhmae.arrays import Array, Matte
from vhmae.errors import DAMAGED_ARCHIVE, InputError
from vhmae.memory import check_memory, read_array_header


def open_bits(path: Path) -> tuple[int, tuple[int, int], Callable[[int], Iterator[Matte]]]:
    """Open a packed mask.

    Returns:
        How many mattes it holds, their width and height, and what reads them from a number on.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            with archive.open("shape.npy") as member:
                if (found := read_array_header(member)[0]) != (3,):
                    raise ValueError(f"its shape has the form {found}, expected three numbers")
            with archive.open("shape.npy") as member:
                frames, height, width = (
                    int(side) for side in np.lib.format.read_array(member, allow_pickle=False)
                )
            with archive.open("bits.npy") as member:
                shape, dtype = read_array_header(member)
                held = archive.getinfo("bits.npy").file_size - member.tell()
    except FileNotFoundError:
        raise InputError(f"{path}: no such file; check the path of the mask") from None
    except PermissionError as error:
        raise InputError(
            f"{path}: cannot be read ({error.strerror}); check the permissions"
        ) from None
    except DAMAGED_ARCHIVE as error:
        raise InputError(
            f"{path}: is not a packed mask with 'bits' and 'shape' ({error}); export the mask again"
        ) from None
    if shape != (frames, height, -(-width // 8)) or dtype != np.uint8:
        raise InputError(
            f"{path}: its bits {shape} do not fit its shape ({frames}, {height}, {width}); export "
            "the mask again"
        )
    # A frame is unpacked whole, and stretched to white.
    check_memory(path, 3 * height * width, "export the mask at the composite's size")
    if held != math.prod(shape):  # by the archive's list, before anything is unpacked
        raise InputError(
            f"{path}: is damaged: holds {held} bytes of bits in the place of {math.prod(shape)}; "
            "export the mask again"
        )

    def start(first: int) -> Iterator[Array]:
        # Read frame by frame: the whole of a long mask would not fit the memory.
        with zipfile.ZipFile(path) as archive, archive.open("bits.npy") as member:
            read_array_header(member)
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
