"""The one mixture of looks that all rows of the table are trained on
(configs/comparators/README.md)."""

from __future__ import annotations

from vhmae.data.looks import LookMixture

MIXTURE = LookMixture(
    lut=0.5,
    blended_lut=0.3,
    graded_lut=0.2,
    one_look=0.25,
    one_scene=0.25,
    same_look=0.0,
    lighting=0.0,
)
"""Half of the composites: two looks out of LUTs. A quarter: one look, in HYouTube's manner. A
quarter: two renderings of one camera scene."""
