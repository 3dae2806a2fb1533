"""The pictures of README and tutorial, out of the folder in which the tutorial's commands were run:

python tools/tutorial_pictures.py FOLDER
"""

from __future__ import annotations

import sys
from pathlib import Path

import cv2
import numpy as np

from vhmae.arrays import Array
from vhmae.video.labels import write_label
from vhmae.video.reader import read_rgb_frames

PICTURES = Path(__file__).parents[1] / "docs" / "pictures"
WIDTH = 1280
"""Of a picture of the site."""


def save(name: str, picture: Array) -> None:
    """RGB (H, W, 3) uint8, as a JPEG of at most WIDTH columns."""
    scale = min(1.0, WIDTH / picture.shape[1])
    size = (round(picture.shape[1] * scale), round(picture.shape[0] * scale))
    small = cv2.resize(picture, size, interpolation=cv2.INTER_AREA)
    path = PICTURES / f"{name}.jpg"
    cv2.imwrite(str(path), small[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, 88])
    print(path)


def main() -> None:
    if len(sys.argv) != 2 or sys.argv[1].startswith("-"):
        sys.exit("usage: python tools/tutorial_pictures.py FOLDER")
    folder = Path(sys.argv[1])
    sheets = {
        "before-after": "demo/before_after.png",
        "tutorial-preview": "look.png",
        "tutorial-takes": "takes.png",
        "research-sheet": "sheet.png",
    }
    for name, file in sheets.items():
        save(name, _read(folder / file))
    said = _read(folder / "said.png")
    save("tutorial-said", said[: len(said) // 2])
    screen, matte = (
        next(iter(read_rgb_frames(folder / file, [12])))
        for file in ("greenscreen.mp4", "matte.mkv")
    )
    pair = [screen, matte]
    for picture, label in zip(pair, ("green screen", "matte"), strict=True):
        write_label(picture, label, 16, picture.shape[0] - 18, 0.8)
    save("tutorial-key", np.hstack(pair))


def _read(path: Path) -> Array:
    picture = cv2.imread(str(path))
    if picture is None:
        sys.exit(f"{path}: cannot be read; run the tutorial's commands in {path.parent} first")
    return np.ascontiguousarray(picture[..., ::-1])


if __name__ == "__main__":
    main()
