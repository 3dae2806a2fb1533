"""Skin as a word that nobody needs to say: right brightness, but of a hue that skin can have.

The word is of the *hue* kind: the two chroma parts of a color, as parts of its luma, are near those
of skin. Under colored light they are not, so that the word is weak: its spread is that of skin in
pictures of many looks. Off unless it is asked for (docs/decisions.md, "Skin").
"""

from __future__ import annotations

import numpy as np

from vhmae.arrays import Color
from vhmae.guide.colors import LUMA
from vhmae.guide.update import CHROMA, Observation

MEAN = np.array([0.269, -0.209])
"""(R - Y) / Y and (B - Y) / Y of skin, mean over the targets of dev-people that show some (172)."""
COVARIANCE = np.array([[0.0316, -0.0113], [-0.0113, 0.0265]])
"""Theirs, from picture to picture: how far off the word may be."""
LEAST_SHARE = 0.03
"""Of the foreground: with less that looks like skin, nothing is said."""


def skin_word(composite: Color, answer: Color) -> Observation:
    """What is said of a foreground's skin.

    Args:
        composite, answer: (3,), the mean colors of its skin, as it came and as it is answered.
    """
    luma = max(float(LUMA @ answer), 1e-3)
    # In units of its own deviations, in which the two parts are independent.
    scale = np.linalg.inv(np.linalg.cholesky(COVARIANCE)) / luma
    return Observation(scale @ CHROMA, scale @ (luma * MEAN), composite, answer, 1.0)
