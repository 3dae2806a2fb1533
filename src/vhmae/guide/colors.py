"""The few words of color mathematics that a guide needs, in float64 and numpy alone.

The basis is that of ``color.transform``: r, g, b, 1, r^2, g^2, b^2, rg, gb, br. A map is (3, 10),
output channel by term; laid out in a row it is (30,), red's terms first.
"""

from __future__ import annotations

import numpy as np

from vhmae.arrays import Color, ColorMap, Colors, Numbers, UnitColors

TERMS = 10
SIZE = 3 * TERMS
"""Numbers of a quadratic map."""
LUMA = np.array([0.2126, 0.7152, 0.0722])
"""Rec. 709's weights of red, green and blue, as the renderer takes them."""
LEVELS = 255.0


def basis(colors: UnitColors) -> Numbers:
    """The ten terms at colors: (..., 3) -> (..., 10) float64."""
    red, green, blue = np.moveaxis(np.asarray(colors, np.float64), -1, 0)
    terms = [red, green, blue, np.ones_like(red), red * red, green * green, blue * blue]
    return np.stack([*terms, red * green, green * blue, blue * red], axis=-1)


def rows_at(color: Color) -> Numbers:
    """Phi: what a map's 30 numbers add to one color (3,), as a matrix (3, 30)."""
    return np.kron(np.eye(3), basis(color))


def added(colors: UnitColors, numbers: ColorMap) -> UnitColors:
    """What a map adds to colors.

    Args:
        colors: (..., 3) sRGB-encoded.
        numbers: (30,) or (3, 10), residual.
    Returns:
        (..., 3), to be added to the colors; not clipped.
    """
    return basis(colors) @ np.reshape(numbers, (3, TERMS)).T


def fit_added(colors: Colors, change: Colors, ridge: float) -> ColorMap:
    """The map that comes nearest to a change of colors, by ridge regression: (30,).

    Args:
        colors, change: (P, 3).
        ridge: weight of the pull towards no change, in squared units of the basis per pixel.
    """
    terms = basis(colors)
    normal = terms.T @ terms + ridge * len(terms) * np.eye(TERMS)
    return np.linalg.solve(normal, terms.T @ change).T.ravel()


def to_light(values: UnitColors) -> UnitColors:
    """sRGB values -> linear light (IEC 61966-2-1); below 0 there is no light, above 1 the curve
    goes on."""
    values = np.maximum(values, 0.0)
    return np.where(values <= 0.04045, values / 12.92, ((values + 0.055) / 1.055) ** 2.4)


def from_light(light: UnitColors) -> UnitColors:
    """Linear light -> sRGB values; the inverse of :func:`to_light`."""
    light = np.maximum(light, 0.0)
    return np.where(light <= 0.0031308, 12.92 * light, 1.055 * light ** (1 / 2.4) - 0.055)
