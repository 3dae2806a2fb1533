"""Curves of one number by tables with straight lines between their entries, in the place of the
dozens of powers that a pixel of HDR would take."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from vhmae.arrays import Numbers

ENTRIES = 1 << 16


class Curve:
    """A function of [0, 1], read off a table; what lies outside is taken as the nearer end."""

    def __init__(self, function: Callable[[Numbers], Numbers], roots: int = 0) -> None:
        """Make the table.

        Args:
            function: of an array (N,) float64 in [0, 1].
            roots: how often the square root is taken before the table is entered, so that more of
                its entries lie where the function is steep: near 0.
        """
        places = np.linspace(0.0, 1.0, ENTRIES) ** (2.0**roots)
        self._table = function(places).astype(np.float32)
        self._roots = roots

    def __call__(self, values: Numbers) -> Numbers:
        """Values of any shape -> the function's, float32."""
        from vhmae.color.compiled import look_up  # slow to import: at first use

        flat = np.ascontiguousarray(values, np.float32).ravel()
        out = np.empty_like(flat)
        look_up(flat, self._table, self._roots, out)
        return out.reshape(values.shape)
