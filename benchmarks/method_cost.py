"""Processor time and memory of a method, measured in a process of its own.

python benchmarks/method_cost.py METHOD WIDTH HEIGHT FRAMES

Prints JSON: CPU seconds a frame of one thread, and the peak of memory of that process.
"""

from __future__ import annotations

import argparse
import json
import resource
import subprocess
import sys
import time
from pathlib import Path

import cv2
import numpy as np
import torch

from vhmae.evaluation.clip import Clip
from vhmae.evaluation.methods import find_method

STATUS = Path("/proc/self/status")


def timed(source: str, size: tuple[int, int, int]) -> dict[str, float]:
    """CPU seconds a frame and the peak of memory in MiB, in a process of its own.

    Args:
        source: by the grammar of ``--method``.
        size: width, height and frames of the clip.
    """
    command = [sys.executable, __file__, source, *map(str, size)]
    done = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True)
    measured: dict[str, float] = json.loads(done.stdout.splitlines()[-1])
    return measured


def measure(source: str, size: tuple[int, int, int]) -> dict[str, float]:
    """What :func:`timed` runs: a clip of noise under a box, once to warm up and once by the
    clock."""
    width, height, count = size
    rng = np.random.default_rng(0)
    frames = rng.integers(0, 256, (count, height, width, 3), np.uint8)
    mask = np.zeros(frames.shape[:3], bool)
    mask[:, height // 4 : height // 2, width // 4 : width // 2] = True
    clip = Clip(frames, mask, target=frames)
    # Of whatever a method computes with: not every one takes `threads`.
    torch.set_num_threads(1)
    cv2.setNumThreads(1)
    method = find_method(source, Path(), device="cpu", threads=1)
    method.harmonize(clip)
    began = time.process_time()
    method.harmonize(clip)
    seconds = (time.process_time() - began) / count
    return {"cpu_seconds_a_frame": round(seconds, 4), "peak_mib": round(peak_mib())}


def peak_mib() -> float:
    """The most memory that this process has held, in MiB.

    By VmHWM where there is one: Linux hands ``ru_maxrss`` on to what a process starts, so that a
    small child of a large process would count as large.
    """
    if STATUS.exists():
        for line in STATUS.read_text().splitlines():
            if line.startswith("VmHWM:"):
                return int(line.split()[1]) / 1024
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak / (1024 * 1024 if sys.platform == "darwin" else 1024)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("method")
    for name in ("width", "height", "frames"):
        parser.add_argument(name, type=int)
    args = parser.parse_args()
    print(json.dumps(measure(args.method, (args.width, args.height, args.frames))))


if __name__ == "__main__":
    main()
