"""OpenEXR pictures as their library writes and reads them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import OpenEXR


def write(path: Path, channels: dict[str, np.ndarray], **header: Any) -> None:
    OpenEXR.File(
        {"compression": OpenEXR.ZIP_COMPRESSION, "type": OpenEXR.scanlineimage, **header},
        dict(channels),  # its values become the library's own
    ).write(str(path))


def channels_of(path: Path) -> dict[str, np.ndarray]:
    return {
        name: channel.pixels
        for name, channel in OpenEXR.File(str(path), separate_channels=True).channels().items()
    }
