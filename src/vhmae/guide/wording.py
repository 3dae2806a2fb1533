"""The six dials in a compositor's words."""

from __future__ import annotations

from vhmae.guide.dials import DIALS, Dials

WORDS = {
    "exposure": ("{:.2f} stops brighter", "{:.2f} stops darker"),
    "temperature": ("{:.0f} warmer", "{:.0f} cooler"),
    "tint": ("{:.0f} greener", "{:.0f} pinker"),
    "contrast": ("contrast up by {:.2f}", "contrast down by {:.2f}"),
    "blacks": ("blacks lifted by {:.1f} %", "blacks lowered by {:.1f} %"),
    "saturation": ("saturation up by {:.2f}", "saturation down by {:.2f}"),
}
"""What is said of a dial that is turned up or down."""
NOTICED = Dials(
    exposure=0.05, temperature=2.0, tint=2.0, contrast=0.04, blacks=0.2, saturation=0.05
)
"""What is less than this goes without saying: about what an eye sees side by side."""


def in_words(dials: Dials) -> str:
    """``0.31 stops brighter, 12 warmer``; ``no change to speak of`` where all dials are near 0."""
    said = []
    for name, value, least in zip(DIALS, dials.values(), NOTICED.values(), strict=True):
        if abs(value) >= least:
            said.append(WORDS[name][value < 0.0].format(abs(value)))
    return ", ".join(said) or "no change to speak of"
