"""A small set of composites with targets."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from tests.support.scenes import moving_scene
from vhmae.data.hyoutube import COMPOSITE, MASK, REAL, write_jpeg, write_mask


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """Three videos, the first with two composites; foregrounds are brightened by 10, 20, 30, 40."""
    root = tmp_path / "set"
    lines = []
    for number, (video, item) in enumerate((("v1", 1), ("v1", 2), ("v2", 1), ("v3", 1)), 1):
        frames, masks = moving_scene(3, 64 + 16 * number, 48)
        folders = [
            root / REAL / video / str(item),
            root / MASK / video / f"object_{item}",
            root / COMPOSITE / video / f"object_{item}",
        ]
        for folder in folders:
            folder.mkdir(parents=True)
        for index, (frame, mask) in enumerate(zip(frames, masks, strict=True)):
            write_jpeg(folders[0] / f"{index:05d}.jpg", frame)
            write_mask(folders[1] / f"{index:05d}.png", mask)
            bright = np.clip(frame.astype(int) + 10 * number, 0, 255).astype(np.uint8)
            write_jpeg(folders[2] / f"{index:05d}.jpg", np.where(mask[..., None], bright, frame))
        lines.append(" ".join(folder.relative_to(root).as_posix() for folder in folders))
    (root / "test_list.txt").write_text("\n".join(lines) + "\n")
    return root
