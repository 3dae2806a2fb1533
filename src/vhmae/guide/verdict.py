"""Whether a change is worth making: what it is expected to gain, and what it risks.

With a, what is done to a color, and t, what should be done, the squared error falls by G = |t|^2 -
|t - a|^2 = 2 t'a - |a|^2, means over the foreground. What should be done is what the answer says
and what it lacks, t = c + Phi d with d as in ``prior``: at each scale G is normal, of mean
2 c'a - |a|^2 and variance 4 h'S h with h = E[Phi'a]. P colors.
"""

from __future__ import annotations

import dataclasses
import math

import numpy as np

from vhmae.arrays import Colors
from vhmae.guide.colors import LEVELS, basis
from vhmae.guide.prior import Prior


@dataclasses.dataclass(frozen=True)
class Verdict:
    """What a change is good for; squared levels of 255, means over the foreground."""

    gain: float
    """By which the squared error is expected to fall."""
    risk: float
    """By which it is expected to grow: the mean of what is lost, 0 where something is won."""
    sure: float
    """How likely the change brings the foreground nearer to the truth, 0 to 1."""

    @property
    def nothing_to_do(self) -> bool:
        """Whether the change risks more than it is expected to gain."""
        return self.gain <= self.risk


def judge(prior: Prior, colors: Colors, change: Colors, strength: float = 1.0) -> Verdict:
    """Weigh a change.

    Args:
        prior: what is not known of the answer.
        colors: (P, 3), of the foreground as it came.
        change: (P, 3), what is done to them.
        strength: the part of the answer that this is.
    """
    if strength == 0.0 or not change.any():
        return Verdict(0.0, 0.0, 0.5)
    gain = (2.0 / strength - 1.0) * float(np.square(change).sum(axis=1).mean())
    by_map = (change.T @ basis(colors) / len(colors)).ravel()
    deviation = 2.0 * math.sqrt(max(float(by_map @ prior.covariance @ by_map), 0.0))
    risk = sure = 0.0
    for scale, weight in zip(prior.scales.tolist(), prior.weights.tolist(), strict=True):
        spread = max(scale * deviation, 1e-12)
        margin = gain / spread
        lost = 0.5 * math.erfc(margin / math.sqrt(2.0))
        density = math.exp(-0.5 * margin**2) / math.sqrt(2.0 * math.pi)
        risk += weight * max(spread * density - gain * lost, 0.0)
        sure += weight * (1.0 - lost)
    levels = LEVELS**2 / 3.0  # a channel's mean, as levels are told everywhere
    return Verdict(gain * levels, risk * levels, sure)
