"""Network and rendering alone, without files: how many frames a second the engine gives, on a CPU
and on a GPU where there is one.

python benchmarks/bench_engine.py [--frames N] [--devices cpu,cuda] [--qualities NAMES] [--json
FILE]

Frames are made (8 bit 4:2:0, seeded), the matte is a soft ellipse that moves; decoding and encoding
are left out, since they are the same on every device. Both halves overlap as they do in ``vhmae
harmonize``. About two minutes.
"""

from __future__ import annotations

import argparse
import itertools
import json
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import torch
from hardware import describe

from vhmae.color.yuv import ColorEncoding
from vhmae.engine.harmonizer import Harmonizer
from vhmae.engine.rendering import RENDERERS, ColorChange, render_planes
from vhmae.engine.settings import STRIDES
from vhmae.overlap import map_ahead, run_ahead
from vhmae.video.planes import PlanarFrame

SIZES = {1080: (1920, 1080), 2160: (3840, 2160)}
AREA = 0.19
"""Of the frame: the share of the clip of bench_video.py."""
DISTINCT = 8
"""Frames that are made; they are shown in turn."""
ROUNDS = 2

Shot = tuple[PlanarFrame, np.ndarray]


def make_shots(width: int, height: int) -> list[Shot]:
    """Frames with their mattes (H, W) uint8."""
    rng = np.random.default_rng(0)
    radius = (AREA * width * height / np.pi) ** 0.5
    sizes = ((width, height), (width // 2, height // 2), (width // 2, height // 2))
    still = [
        cv2.resize(
            rng.integers(40, 215, (9, 16)).astype(np.float32), size, interpolation=cv2.INTER_CUBIC
        )
        for size in sizes
    ]
    shots = []
    for number in range(
        DISTINCT
    ):  # one picture under new noise: another one each time would be taken for a cut
        planes = [
            np.clip(plane + rng.normal(0.0, 3.0, plane.shape), 16, 235).astype(np.uint8)
            for plane in still
        ]
        matte = np.zeros((height, width), np.uint8)
        center = (round(width * (0.4 + 0.02 * number)), height // 2)
        cv2.ellipse(matte, center, (round(0.8 * radius), round(1.25 * radius)), 0, 0, 360, 255, -1)
        shots.append(
            (
                PlanarFrame(planes, ColorEncoding("bt709", False), 2, 2),
                cv2.GaussianBlur(matte, (9, 9), 0),
            )
        )
    return shots


def changes(
    harmonizer: Harmonizer, shots: list[Shot], frames: int
) -> Iterator[tuple[Shot, ColorChange | None]]:
    """The network's half: frames with what is to be done to them."""
    for number in range(frames):
        frame, matte = shot = shots[number % len(shots)]
        for payload, change, *_ in harmonizer.push(shot, frame.thumbnail, matte):
            yield payload, change
    for payload, change, part, _ in harmonizer.drain_lazily():
        assert part == 0, "a cut was found: the network would run more often than the quality says"
        yield payload, change


def render(shown: tuple[Shot, ColorChange | None]) -> None:
    """The renderer's half."""
    (frame, matte), change = shown
    if change is not None:
        render_planes(frame, matte, change)


def measure(harmonizer: Harmonizer, shots: list[Shot], frames: int) -> dict[str, float]:
    """Frames a second with both halves overlapped, and milliseconds of each half by itself (one
    thread): the best of a few rounds."""
    best = {"fps": 0.0, "network_ms": float("inf"), "rendering_ms": float("inf")}
    for number in range(ROUNDS + 1):
        harmonizer.reset()
        start = time.perf_counter()
        ready = list(changes(harmonizer, shots, frames))
        network = 1000 * (time.perf_counter() - start) / frames
        start = time.perf_counter()
        for shown in ready:
            render(shown)
        rendering = 1000 * (time.perf_counter() - start) / frames
        harmonizer.reset()
        start = time.perf_counter()
        for _ in map_ahead(render, run_ahead(changes(harmonizer, shots, frames), 4), RENDERERS):
            pass
        rate = frames / (time.perf_counter() - start)
        if number:  # the first round warms up
            best["fps"] = max(best["fps"], rate)
            best["network_ms"], best["rendering_ms"] = (
                min(best["network_ms"], network),
                min(best["rendering_ms"], rendering),
            )
    return {key: round(value, 3) for key, value in best.items()}


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--frames", type=int, default=240)
    parser.add_argument("--devices", default="cpu,cuda" if torch.cuda.is_available() else "cpu")
    parser.add_argument("--qualities", default=",".join(STRIDES))
    parser.add_argument(
        "--json", type=Path, default=Path(__file__).parent / "results" / "engine.json"
    )
    args = parser.parse_args()
    rows: list[dict[str, Any]] = []
    for lines, (width, height) in SIZES.items():
        shots = make_shots(width, height)
        area = float(np.mean([matte.mean() for _, matte in shots])) / 255.0
        for device, quality in itertools.product(
            args.devices.split(","), args.qualities.split(",")
        ):
            harmonizer = Harmonizer.from_pretrained(device=device, quality=quality)
            row = {
                "lines": lines,
                "device": device,
                "quality": quality,
                "precision": harmonizer.precision,
            }
            rows.append(
                {**row, **measure(harmonizer, shots, args.frames), "mask_area": round(area, 3)}
            )
            print(json.dumps(rows[-1]), flush=True)
    result = {
        "schema": 1,
        "hardware": describe(),
        "frames": args.frames,
        "renderers": RENDERERS,
        "rows": rows,
    }
    args.json.write_text(json.dumps(result, indent=1) + "\n")


if __name__ == "__main__":
    main()
