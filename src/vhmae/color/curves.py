"""Curves of one number by tables with straight lines between their entries, in the place of the
dozens of powers that a pixel of HDR would take."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numba
import numpy as np

from vhmae.arrays import Array

ENTRIES = 1 << 16


def compiled(function: Any) -> Any:
    """Compile at first use, and keep the result where there is a place for it."""
    try:
        return numba.njit(nogil=True, fastmath=True, cache=True)(function)
    except RuntimeError:  # neither the package's folder nor the user's cache can be written
        return numba.njit(nogil=True, fastmath=True)(function)


class Curve:
    """A function of [0, 1], read off a table; what lies outside is taken as the nearer end."""

    def __init__(self, function: Callable[[Array], Array], roots: int = 0) -> None:
        """Make the table.

        Args:
            function: of an array (N,) float64 in [0, 1].
            roots: how often the square root is taken before the table is entered, so that more of
                its entries lie where the function is steep: near 0.
        """
        places = np.linspace(0.0, 1.0, ENTRIES) ** (2.0**roots)
        self._table = function(places).astype(np.float32)
        self._roots = roots

    def __call__(self, values: Array) -> Array:
        """Values of any shape -> the function's, float32."""
        flat = np.ascontiguousarray(values, np.float32).ravel()
        out = np.empty_like(flat)
        _look_up(flat, self._table, self._roots, out)
        return out.reshape(values.shape)


@compiled
def _look_up(values: Array, table: Array, roots: int, out: Array) -> None:
    last = len(table) - 1
    for at in range(len(values)):
        inside = min(max(values[at], np.float32(0.0)), np.float32(1.0))
        for _ in range(roots):
            inside = np.sqrt(inside)
        place = inside * np.float32(last)
        low = min(int(place), last - 1)
        out[at] = table[low] + (place - np.float32(low)) * (table[low + 1] - table[low])
