"""Looks for tests."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from vhmae.color.lut import Lut3D


def luts(count: int = 4) -> list[Lut3D]:
    torch.manual_seed(0)
    grid = Lut3D.identity(9).table
    return [
        Lut3D((grid ** float(gamma)).clamp(0, 1), f"lut{n:03d}")
        for n, gamma in enumerate(np.linspace(0.6, 1.5, count), 1)
    ]


def camera_maps(scenes: int) -> Tensor:
    """Maps near the identity, another for each scene and rendering."""
    generator = torch.Generator().manual_seed(0)
    maps = 0.05 * torch.randn(scenes, 10, 9, 3, generator=generator)
    maps[:, :, :3] += torch.eye(3)
    return maps
