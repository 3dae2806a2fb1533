"""What numba compiles. Importing it takes as long as all else that harmonizing imports: what needs
it imports it at its first use."""

from __future__ import annotations

from typing import Any

import numba
import numpy as np

from vhmae.arrays import Numbers


def compiled(function: Any) -> Any:
    """Compile at first use, and keep the result where there is a place for it."""
    try:
        return numba.njit(nogil=True, fastmath=True, cache=True)(function)
    except RuntimeError:  # neither the package's folder nor the user's cache can be written
        return numba.njit(nogil=True, fastmath=True)(function)


@compiled
def look_up(values: Numbers, table: Numbers, roots: int, out: Numbers) -> None:
    """Read values (N,) off a table of [0, 1], with straight lines between its entries."""
    last = len(table) - 1
    for at in range(len(values)):
        inside = min(max(values[at], np.float32(0.0)), np.float32(1.0))
        for _ in range(roots):
            inside = np.sqrt(inside)
        place = inside * np.float32(last)
        low = min(int(place), last - 1)
        out[at] = table[low] + (place - np.float32(low)) * (table[low + 1] - table[low])
