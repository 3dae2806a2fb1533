"""Streams of random numbers of a run: what is drawn at a step depends on the seed and the step
alone, so that a run that is resumed draws what it would have drawn, and a compared method is shown
what our own training is shown.

A generator of numpy is seeded by ``[seed, step or number, stream]``.
"""

from __future__ import annotations

LOOKS = 1
"""The looks of a step's scenes."""
PICKS = 2
"""Which of a bank's samples a step takes."""
LIKES = 3
"""The looks under which likes are looked for."""
LAYERS = 4
"""What is laid over drawn pixels, and the second showing of the encoder that finds likes."""
PAIRS = 5
"""Which composites with their answers take the place of drawn ones."""
MASKING = 6
"""Patches that are masked at random."""
_SPREAD = 1_000_003
"""A prime above the steps of any run: seeds of two runs share no step's."""


def step_seed(seed: int, step: int) -> int:
    """The seed of torch's generators at a step."""
    return seed * _SPREAD + step
