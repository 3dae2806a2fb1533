"""3-D look-up tables: the .cube format, banks of LUTs and trilinear look-up.

Tables are indexed [blue][green][red] (red runs fastest, as in a .cube file) and hold RGB.
"""

from __future__ import annotations

import dataclasses
import zipfile
import zlib
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from vhmae.color.cube import Split
from vhmae.errors import InputError, ShapeError, counted
from vhmae.memory import bounded


@dataclasses.dataclass(frozen=True, eq=False)
class Lut3D:
    """A 3-D look-up table of colors over the unit cube."""

    table: Tensor
    """(n, n, n, 3) float32, indexed ``[blue][green][red]``."""
    name: str = "lut"

    def __post_init__(self) -> None:
        if self.table.ndim != 4 or len({*self.table.shape[:3]}) != 1 or self.table.shape[3] != 3:
            raise ShapeError(f"a LUT is (n, n, n, 3), got {tuple(self.table.shape)}")

    @property
    def size(self) -> int:
        return self.table.shape[0]

    @classmethod
    def identity(cls, size: int = 33) -> Lut3D:
        axis = torch.linspace(0.0, 1.0, size)
        blue, green, red = torch.meshgrid(axis, axis, axis, indexing="ij")
        return cls(torch.stack([red, green, blue], dim=-1), "identity")

    def resampled(self, size: int) -> Lut3D:
        """The same map on a grid of another size (trilinear)."""
        if size == self.size:
            return self
        grid = Lut3D.identity(size).table.reshape(1, -1, 3)
        return Lut3D(apply_luts(grid, self.table[None]).reshape(size, size, size, 3), self.name)

    def __call__(self, rgb: Tensor) -> Tensor:
        """Look colors up: (..., 3) in [0, 1] -> (..., 3), clipped to [0, 1] after the look-up."""
        flat = apply_luts(rgb.reshape(1, -1, 3), self.table[None].to(rgb.device))
        return flat.reshape(rgb.shape).clamp(0.0, 1.0)


def apply_luts(rgb: Tensor, tables: Tensor) -> Tensor:
    """Trilinear look-up in one table per batch entry.

    Args:
        rgb: (B, P, 3), clipped to [0, 1] for the look-up.
        tables: (B, n, n, n, 3).
    Returns:
        (B, P, 3), not clipped.
    """
    batch, points, _ = rgb.shape
    # X is red, the fastest axis.
    grid = (rgb.clamp(0.0, 1.0) * 2.0 - 1.0).reshape(batch, 1, 1, points, 3)
    volume = tables.permute(0, 4, 1, 2, 3)  # (B, 3, blue, green, red)
    found = functional.grid_sample(
        volume, grid, mode="bilinear", padding_mode="border", align_corners=True
    )
    return found.reshape(batch, 3, points).transpose(1, 2)


def read_cube(path: Path) -> Lut3D:
    """Read a 3-D .cube file (domain 0 to 1)."""
    size = 0
    rows: list[list[float]] = []
    try:
        lines = bounded(path).read_text(encoding="utf-8-sig", errors="replace").splitlines()
        for number, line in enumerate(lines, 1):
            words = line.split()
            if not words or words[0].startswith("#"):
                continue
            if words[0] == "LUT_3D_SIZE":
                size = int(words[1])
            elif words[0] in ("LUT_1D_SIZE", "LUT_1D_INPUT_RANGE"):
                raise InputError(f"{path}: has a 1-D table; convert it to a plain 3-D .cube first")
            elif words[0] in ("DOMAIN_MIN", "DOMAIN_MAX", "LUT_3D_INPUT_RANGE"):
                expected = {
                    "DOMAIN_MIN": [0.0] * 3,
                    "DOMAIN_MAX": [1.0] * 3,
                    "LUT_3D_INPUT_RANGE": [0.0, 1.0],
                }[words[0]]
                if [float(word) for word in words[1:]] != expected:
                    raise InputError(
                        f"{path}: its domain is not 0 to 1; convert it to domain 0 to 1 first"
                    )
            elif words[0][0] in "+-.0123456789":
                if len(words) < 3:
                    raise ValueError(f"line {number} has {len(words)} of the three values of a row")
                rows.append([float(word) for word in words[:3]])
    except FileNotFoundError:
        raise InputError(f"{path}: no such file; check the path of the LUT") from None
    except (ValueError, IndexError, OSError) as error:
        raise InputError(
            f"{path}: cannot be read as a .cube file ({error}); export it again"
        ) from None
    if size < 2 or len(rows) != size**3:
        raise InputError(
            f"{path}: LUT_3D_SIZE {size} asks for {size**3} rows but has {len(rows)}; "
            "export it again"
        )
    table = torch.tensor(rows, dtype=torch.float32).reshape(size, size, size, 3)
    return Lut3D(_finite(table, str(path)), path.stem)


def _finite(table: Tensor, name: str) -> Tensor:
    """Refuse a table with values that are no numbers, or beyond float32: they would spread over
    whatever is looked up."""
    wrong = int((~torch.isfinite(table)).sum())
    if wrong:
        raise InputError(
            f"{name}: {counted(wrong, 'value')} of it {'is' if wrong == 1 else 'are'} not finite; "
            "export it again"
        )
    return table


def lut_number(name: str) -> int:
    """The number in a LUT's name (``lut015``, ``15.cube``); it decides the split."""
    digits = "".join(character for character in name if character.isdecimal())
    return int(digits) if digits else 0


def in_split(name: str, split: Split) -> bool:
    """Held-out LUTs are those whose number is a multiple of 5; no training ever sees them. Of names
    without a number a hash decides, for about a fifth of them."""
    numbered = any(character.isdecimal() for character in name)
    heldout = (lut_number(name) if numbered else zlib.crc32(name.encode())) % 5 == 0
    return split == "all" or heldout == (split == "heldout")


def read_lut_bank(source: Path, split: Split = "all") -> list[Lut3D]:
    """Read the LUTs of one split from an .npz bank (keys ``lutNNN``) or a folder of .cube files."""
    if source.is_dir():
        cubes = [file for file in source.iterdir() if file.suffix.lower() == ".cube"]
        files = sorted(cubes, key=lambda file: (lut_number(file.stem), file.stem))
        luts: Sequence[Lut3D] = [read_cube(file) for file in files if in_split(file.stem, split)]
    else:
        try:
            with np.load(source, allow_pickle=False) as bank:
                names = sorted(name for name in bank.files if in_split(name, split))
                tables = {name: torch.from_numpy(bank[name].astype(np.float32)) for name in names}
                luts = [
                    Lut3D(_finite(table, f"{source}: {name}"), name)
                    for name, table in tables.items()
                ]
        except FileNotFoundError:
            raise InputError(
                f"{source}: no such LUT bank; give an .npz bank or a folder of .cube files"
            ) from None
        except (ValueError, OSError, EOFError, zipfile.BadZipFile, zlib.error) as error:
            raise InputError(
                f"{source}: is not a LUT bank ({error}); give an .npz bank or a folder of .cube "
                "files"
            ) from None
    if not luts:
        raise InputError(
            f"{source}: has no LUT of the split '{split}', which goes by the numbers in the names, "
            "or their hash; give more LUTs, or take all of them"
        )
    return list(luts)
