"""Color maps as tables, and the .cube file that holds one: importable without torch.

Tables are indexed [blue][green][red] (red runs fastest, as in a .cube file) and hold RGB.
"""

from __future__ import annotations

import dataclasses
import itertools
from pathlib import Path
from typing import Any, Literal, Protocol

import numpy as np

from vhmae.arrays import Colors, TableColors

Split = Literal["train", "heldout", "all"]
"""Which LUTs of a bank: those that training draws, those kept for testing, or both."""


class Table(Protocol):
    """A 3-D look-up table: a :class:`Cube`, or ``color.lut.Lut3D``."""

    @property
    def table(self) -> Any:
        """(n, n, n, 3), an array or a tensor on the CPU."""

    @property
    def name(self) -> str: ...


@dataclasses.dataclass(frozen=True, eq=False)
class Cube:
    """A 3-D look-up table to be written."""

    table: TableColors
    """(n, n, n, 3) float32, indexed [blue][green][red]."""
    name: str

    def apply(self, colors: Colors) -> Colors:
        """What the table makes of colors (P, 3) in [0, 1], between its nodes in straight lines."""
        last = len(self.table) - 1
        at = np.clip(colors, 0.0, 1.0) * np.float32(last)
        low = np.minimum(at.astype(np.int64), last - 1)
        share = (at - low).astype(np.float32)
        made = np.zeros_like(colors, dtype=np.float32)
        for corner in itertools.product((0, 1), repeat=3):
            weight = np.where(corner, share, 1.0 - share).prod(axis=1)
            red, green, blue = (low + corner).T
            made += weight[:, None] * self.table[blue, green, red]
        return made


def grid_colors(size: int) -> TableColors:
    """The colors at the nodes of a table, (size, size, size, 3) float32: the identity."""
    axis = np.linspace(0.0, 1.0, size, dtype=np.float32)
    blue, green, red = np.meshgrid(axis, axis, axis, indexing="ij")
    return np.stack([red, green, blue], axis=-1)


def write_cube(lut: Table, path: Path) -> None:
    """Write a .cube file that Resolve, Premiere, Nuke and ffmpeg load (red fastest, domain 0 to
    1)."""
    table = np.asarray(lut.table)
    # All that readers agree on.
    title = " ".join(lut.name.replace('"', "'").split()).encode("ascii", "replace").decode()
    domain = "DOMAIN_MIN 0.0 0.0 0.0\nDOMAIN_MAX 1.0 1.0 1.0\n"
    header = f'TITLE "{title}"\nLUT_3D_SIZE {len(table)}\n{domain}'
    rows = "\n".join(
        f"{red:.7f} {green:.7f} {blue:.7f}" for red, green, blue in table.reshape(-1, 3).tolist()
    )
    path.write_text(header + rows + "\n", encoding="ascii")
