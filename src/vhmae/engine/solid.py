"""What of a matte counts as its object's: glass and smoke are soft all over, and still something
can be said of them."""

from __future__ import annotations

from vhmae.arrays import Mask, Matte, to_unit

SOLID = 0.5
"""Pixels count whose matte is at least this, or this share of the most that it is anywhere."""


def most_of(matte: Matte) -> float:
    """The most that a matte (H, W) is anywhere, in [0, 1]."""
    return float(to_unit(matte.max(keepdims=True)).item())


def solid_of(matte: Matte, most: float | None = None) -> Mask:
    """The pixels of a matte that count as its object's.

    Args:
        matte: (H, W), or a part of one.
        most: the most that the whole is anywhere; None is that of what is given.
    Returns:
        (H, W) bool.
    """
    most = most_of(matte) if most is None else most
    inside: Mask = (to_unit(matte) >= (SOLID if most >= SOLID else SOLID * most)) & (matte > 0)
    return inside
