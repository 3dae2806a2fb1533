"""How near mattes come to given masks, and what they cost (docs/results.md, "Mattes").

python benchmarks/mattes.py --data DATA [--ways rvm,salient,chroma,plate] [--frames 24] [--json
FILE]

On the clips of DATA/val, whose masks are hard and a few pixels off in places: figures near 1 mean
"as good as the mask". ``rvm`` and
``salient`` cut out the clips themselves, with network files of the user's (docs/matting.md);
``salient`` takes every fourth clip and 8 frames, since it is slow. ``chroma`` and ``plate`` cut out
composites that are made for it: the clip's foreground before a green screen with uneven light and
    spill, and before a still picture, both with noise.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from hardware import describe

from vhmae.data.clips import list_clips
from vhmae.matting.chroma import ChromaKey
from vhmae.matting.maker import MatteMaker
from vhmae.matting.networks import find_network
from vhmae.matting.plate import CleanPlate
from vhmae.matting.rvm import Rvm
from vhmae.matting.salient import Salient
from vhmae.video.matte import open_matte
from vhmae.video.probe import probe_video
from vhmae.video.reader import read_frames, to_uint8

Array = np.ndarray

NOISE = 2.0


def read_clip(video: Path, mask: Path, frames: int) -> tuple[Array, Array]:
    """The first frames of a clip with their masks: (T, H, W, 3) uint8, (T, H, W) bool."""
    info = probe_video(video)
    pictures, masks = [], []
    for timed, matte in zip(read_frames(info), open_matte(mask).read(info), strict=False):
        pictures.append(to_uint8(timed.image.rgb()))
        masks.append(matte > 127)
        if len(pictures) == frames:
            break
    return np.stack(pictures), np.stack(masks)


def on_green(frames: Array, masks: Array, rng: np.random.Generator) -> Array:
    """The foregrounds before a green screen: light falls off to the sides, and some of it falls on
    the foreground's rim."""
    height, width = masks.shape[1:]
    y, x = np.mgrid[0:height, 0:width].astype(np.float32)
    light = 0.75 + 0.25 * np.cos(2.2 * (x / width - 0.4)) * np.cos(1.4 * (y / height - 0.3))
    screen = light[..., None] * np.array([45.0, 175.0, 70.0])
    shown = []
    for frame, mask in zip(frames, masks, strict=True):
        alpha = cv2.GaussianBlur(mask.astype(np.float32), (0, 0), 0.8)[..., None]
        rim = (cv2.GaussianBlur(mask.astype(np.float32), (0, 0), 4.0) < 0.85)[..., None]
        colors = frame + 0.08 * screen * rim
        shown.append(alpha * colors + (1.0 - alpha) * screen + rng.normal(0.0, NOISE, frame.shape))
    return np.clip(np.rint(np.stack(shown)), 0, 255).astype(np.uint8)


def on_plate(frames: Array, masks: Array, plate: Array, rng: np.random.Generator) -> Array:
    """The foregrounds before a still picture."""
    shown = []
    for frame, mask in zip(frames, masks, strict=True):
        alpha = cv2.GaussianBlur(mask.astype(np.float32), (0, 0), 0.8)[..., None]
        shown.append(alpha * frame + (1.0 - alpha) * plate + rng.normal(0.0, NOISE, frame.shape))
    return np.clip(np.rint(np.stack(shown)), 0, 255).astype(np.uint8)


def measure(maker: MatteMaker, frames: Iterable[Array], masks: Array) -> dict[str, float]:
    """IoU at an alpha of one half, mean absolute error of alpha, milliseconds a frame."""
    began = time.perf_counter()
    mattes = np.stack(list(maker.mattes(frames)))
    seconds = time.perf_counter() - began
    found = mattes > 0.5
    return {
        "iou": round(float((found & masks).sum() / max(1, (found | masks).sum())), 4),
        "mae": round(float(np.abs(mattes - masks).mean()), 4),
        "ms_a_frame": round(1000.0 * seconds / len(masks), 1),
    }


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--ways", default="rvm,salient,chroma,plate")
    parser.add_argument("--frames", type=int, default=24)
    parser.add_argument(
        "--json", type=Path, default=Path(__file__).parent / "results" / "mattes.json"
    )
    args = parser.parse_args()
    kept = json.loads(args.json.read_text())["rows"] if args.json.exists() else []
    ways = args.ways.split(",")
    rows: list[dict[str, Any]] = [row for row in kept if row["with"] not in ways]
    clips = list_clips(args.data / "val")
    rng = np.random.default_rng(0)
    plates = [read_clip(clip.video, clip.mask, 1)[0][0] for clip in clips]
    for way in ways:
        for number, clip in enumerate(clips):
            if way == "salient" and number % 4:
                continue
            frames, masks = read_clip(clip.video, clip.mask, 8 if way == "salient" else args.frames)
            if way == "rvm":
                maker: MatteMaker = Rvm(find_network("rvm"))
            elif way == "salient":
                maker = Salient(find_network("salient"))
            elif way == "chroma":
                frames, maker = on_green(frames, masks, rng), ChromaKey()
            else:
                plate = cv2.resize(
                    plates[(number + 7) % len(plates)],
                    frames.shape[2:0:-1],
                    interpolation=cv2.INTER_AREA,
                )
                # The mean of 25 frames.
                noisy = np.clip(plate + rng.normal(0.0, NOISE / 5.0, plate.shape), 0, 255).astype(
                    np.uint8
                )
                frames, maker = on_plate(frames, masks, plate, rng), CleanPlate(noisy)
            row = {
                "with": way,
                "clip": clip.name,
                "size": list(frames.shape[2:0:-1]),
                "frames": len(frames),
            }
            rows.append({**row, **measure(maker, frames, masks)})
            print(rows[-1], flush=True)
        args.json.write_text(
            json.dumps({"schema": 1, "hardware": describe(), "rows": rows}, indent=1) + "\n"
        )


if __name__ == "__main__":
    main()
