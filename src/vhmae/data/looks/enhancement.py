"""HYouTube's own enhancement: what its published script offers to apply after a LUT.

Its sample script (BCMI, "LUT color transfer") filters a frame by a .cube LUT and holds a second
filter ready, pillow_lut's ``rgb_color_enhance`` on a table of 11 points with exposure .2, contrast
.1, vibrance .5 and gamma 1.3. Whether the published composites passed it is stated nowhere (the
call is commented out in the sample), so both ways are measured. Written from the parameters'
meaning:

1. contrast: slope 1 + contrast about .5;
2. vibrance: colors move away from their largest channel, the more the further that is from their
   luma;
3. exposure: light that is not there yet is raised to a power, 1 - (1 - v)^(2^exposure);
4. gamma: v^gamma.
"""

from __future__ import annotations

import dataclasses
import functools

import torch
from torch import Tensor

from vhmae.color.lut import Lut3D

POINTS = 11
"""Grid of the published script's table: between its points colors are interpolated."""
_LUMA_709 = (0.2126, 0.7152, 0.0722)


@dataclasses.dataclass(frozen=True, kw_only=True)
class Enhancement:
    """Contrast, vibrance, exposure and gamma, in this order; the defaults are HYouTube's."""

    exposure: float = 0.2
    contrast: float = 0.1
    vibrance: float = 0.5
    gamma: float = 1.3

    def exactly(self, rgb: Tensor) -> Tensor:
        """The four steps on colors (..., 3) in [0, 1], not clipped above."""
        color = (rgb - 0.5) * (1.0 + self.contrast) + 0.5
        highest = color.amax(dim=-1, keepdim=True)
        luma = (color @ color.new_tensor(_LUMA_709)).unsqueeze(-1)
        color = color + (color - highest) * (highest - luma) * (2.0 * self.vibrance)
        color = 1.0 - (1.0 - color).clamp_min(0.0) ** (2.0**self.exposure)
        return color.clamp_min(0.0) ** self.gamma

    def __call__(self, rgb: Tensor) -> Tensor:
        """Apply to colors (..., 3) in [0, 1] by a table, as the script does; clipped to [0, 1]."""
        return _baked(self)(rgb)


@functools.cache
@torch.inference_mode(False)  # a later gradient may need it
def _baked(enhancement: Enhancement) -> Lut3D:
    return Lut3D(enhancement.exactly(Lut3D.identity(POINTS).table), "enhancement")
