"""How fast and in how much memory ``vhmae harmonize`` runs, as a process of its own.

python benchmarks/bench_harmonize.py --data DATA [--precision fp32]

The clip is clips/davis__camel (854x480), its foreground recolored by a held-out LUT first,
repeated to 100, 1000 and 3000 frames. Prints one JSON object and writes
benchmarks/results/harmonize.json.
"""

from __future__ import annotations

import argparse
import itertools
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import av
import numpy as np
import torch
from hardware import describe

from vhmae.color.lut import read_lut_bank
from vhmae.data.clips import read_mask_bits, write_mask_bits
from vhmae.video.reader import read_rgb_frames

CLIP = "davis__camel"


def recolored(data: Path, folder: Path, frames: int) -> tuple[Path, Path]:
    """Write the clip with its foreground under a held-out LUT, played to and fro up to a number of
    frames."""
    mask = read_mask_bits(data / "clips" / f"{CLIP}.mask.npz")
    pictures = read_rgb_frames(data / "clips" / f"{CLIP}.mp4", list(range(len(mask))))
    look = read_lut_bank(data / "luts" / "hyoutube_luts.npz", "heldout")[3]
    shown = []
    for picture, hole in zip(pictures, mask, strict=True):
        seen = (look(torch.from_numpy(picture).float() / 255.0) * 255.0).round().byte().numpy()
        shown.append(np.where(hole[..., None], seen, picture))
    order = list(
        itertools.islice(itertools.cycle([*range(len(mask)), *range(len(mask) - 2, 0, -1)]), frames)
    )
    composite = folder / f"composite{frames}.mp4"
    with av.open(str(composite), "w") as container:
        stream = container.add_stream(
            "libx264", rate=24, options={"crf": "16", "preset": "veryfast"}
        )
        stream.height, stream.width = pictures[0].shape[:2]
        stream.pix_fmt = "yuv420p"
        for index in order:
            container.mux(stream.encode(av.VideoFrame.from_ndarray(shown[index], format="rgb24")))
        container.mux(stream.encode(None))
    write_mask_bits(mask[order], folder / f"mask{frames}.npz")
    return composite, folder / f"mask{frames}.npz"


def run(command: list[str]) -> tuple[float, float, float]:
    """Run a process: wall seconds, CPU seconds, peak memory in MiB."""
    start = time.monotonic()
    process = subprocess.Popen(command)
    peak = 0.0
    # The kernel's own high-water mark; rusage would count what this process held when it forked.
    while os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOHANG | os.WNOWAIT) is None:
        status = Path(f"/proc/{process.pid}/status").read_text()
        peak = max(
            [
                peak,
                *(
                    int(line.split()[1]) / 1024
                    for line in status.splitlines()
                    if line.startswith("VmHWM")
                ),
            ]
        )
        time.sleep(0.02)
    _, status_code, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status_code)
    if process.returncode:
        sys.exit(f"failed: {' '.join(command)}")
    return time.monotonic() - start, usage.ru_utime + usage.ru_stime, peak


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--precision", default="fp32")
    parser.add_argument("--qualities", default="fast,balanced,best")
    parser.add_argument(
        "--json", type=Path, default=Path(__file__).parent / "results" / "harmonize.json"
    )
    args = parser.parse_args()
    rows: list[dict[str, Any]] = []
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        jobs = [(100, quality) for quality in args.qualities.split(",")] + [
            (1000, "balanced"),
            (3000, "balanced"),
        ]
        clips = {
            frames: recolored(args.data, folder, frames)
            for frames in {frames for frames, _ in jobs}
        }
        for frames, quality in jobs:
            composite, mask = clips[frames]
            report = folder / "report.json"
            command = [
                sys.executable,
                "-m",
                "vhmae",
                "harmonize",
                str(composite),
                "--mask",
                str(mask),
                "-o",
                str(folder / "out.mp4"),
            ]
            command += [
                "--quality",
                quality,
                "--precision",
                args.precision,
                "--json",
                str(report),
                "--quiet",
            ]
            wall, cpu, peak = run(command)
            rows.append(
                {
                    "frames": frames,
                    "quality": quality,
                    "fps_with_start_up": round(frames / wall, 2),
                    "cpu_ms_per_frame": round(1000 * cpu / frames, 1),
                    "peak_mib": round(peak),
                    "report": json.loads(report.read_text()),
                }
            )
    result = {
        "schema": 1,
        "hardware": describe(),
        "clip": CLIP,
        "size": "854x480",
        "precision": args.precision,
        "runs": rows,
    }
    args.json.write_text(json.dumps(result, indent=1) + "\n")
    print(json.dumps(result))


if __name__ == "__main__":
    main()
