"""``vhmae harmonize`` beside a plain transcode and FFmpeg's lut3d, at 480, 1080 and 2160 lines,
each as a process of its own.

python benchmarks/bench_video.py --data DATA [--sizes 480,1080,2160] [--rounds N] [--json FILE]

The clip is clips/harmonizer__orange.foreground (1080p, with its mask video), played to and fro; 480
lines are scaled down and 2160 lines scaled UP from it. All runs of a size and preset are taken in
turn, with x264 at the same crf, preset and pixel format. CPU time added is that of harmonize minus
the plain transcode's and the decoding of the mask. Each runs on the clip and on its first fifth
too, so that rates are stated with start-up and without it. About 15 minutes a round.
"""

from __future__ import annotations

import argparse
import functools
import itertools
import json
import statistics
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import av
import cv2
import numpy as np
from bench_harmonize import run
from hardware import describe

from vhmae.color.cube import write_cube
from vhmae.color.lut import Lut3D
from vhmae.video.reader import read_rgb_frames

CLIP = "harmonizer__orange"
CRF = "18"
QUALITIES = ("fast", "balanced", "best")
FRAMES = {480: 600, 1080: 500, 2160: 120}
PRESETS = {480: ("veryfast",), 1080: ("veryfast", "medium"), 2160: ("veryfast",)}
LONG = 2000
"""Frames of the run that shows that memory does not grow."""


def write_clip(frames: list[np.ndarray], size: tuple[int, int], count: int, path: Path) -> Path:
    """Frames to and fro at another size, as x264."""
    order = itertools.islice(
        itertools.cycle([*range(len(frames)), *range(len(frames) - 2, 0, -1)]), count
    )
    with av.open(str(path), "w") as container:
        stream = container.add_stream(
            "libx264", rate=25, options={"crf": "14", "preset": "veryfast"}
        )
        stream.width, stream.height, stream.pix_fmt = *size, "yuv420p"
        shrinks = size[1] < frames[0].shape[0]
        for index in order:
            picture = cv2.resize(
                frames[index], size, interpolation=cv2.INTER_AREA if shrinks else cv2.INTER_CUBIC
            )
            container.mux(
                stream.encode(
                    av.VideoFrame.from_ndarray(np.ascontiguousarray(picture), format="rgb24")
                )
            )
        container.mux(stream.encode(None))
    return path


def measured(command: list[str]) -> dict[str, float]:
    wall, cpu, peak = run(command)
    return {"wall": wall, "cpu": cpu, "peak_mib": round(peak)}


def rated(runs: dict[int, list[dict[str, float]]]) -> dict[str, float]:
    """Rates of the longer clip, and of what it is longer by (start-up out): medians of the rounds,
    of times that were taken in turn."""
    short, long = sorted(runs)
    few, many = (
        {key: statistics.median(run[key] for run in runs[count]) for key in runs[count][0]}
        for count in (short, long)
    )
    more = long - short
    return {
        "fps_with_start_up": round(long / many["wall"], 2),
        "fps": round(more / (many["wall"] - few["wall"]), 2),
        "cpu_ms_per_frame_with_start_up": round(1000 * many["cpu"] / long, 1),
        "cpu_ms_per_frame": round(1000 * (many["cpu"] - few["cpu"]) / more, 1),
        "peak_mib": round(many["peak_mib"]),
    }


def warm_up(clips: dict[int, dict[str, Path]], folder: Path) -> None:
    """Run once before anything is timed: the renderer is compiled at its first use, and files are
    in the system's cache then."""
    run([*command_of(clips[min(clips)]), "-o", str(folder / "out.mp4"), "-q"])


def command_of(paths: dict[str, Path]) -> list[str]:
    """Harmonizing a clip, but for its options."""
    files = [str(paths["composite"]), "--mask", str(paths["mask"])]
    return [sys.executable, "-m", "vhmae", "harmonize", *files]


def bench_size(
    lines: int, preset: str, clips: dict[int, dict[str, Path]], folder: Path, lut: Path, rounds: int
) -> list[dict[str, Any]]:
    """All ways at one size and preset, the transcode first; each round runs all of them in turn."""
    output, report = folder / "out.mp4", folder / "report.json"
    encoding = ["--crf", CRF, "--preset", preset]

    def transcode(paths: dict[str, Path], source: str, *options: str) -> list[str]:
        return [
            sys.executable,
            str(Path(__file__).with_name("transcode.py")),
            str(paths[source]),
            str(output),
            *options,
        ]

    def harmonize(paths: dict[str, Path], quality: str) -> list[str]:
        return [
            *command_of(paths),
            "--quality",
            quality,
            *encoding,
            "--json",
            str(report),
            "-q",
            "-o",
            str(output),
        ]

    commands: dict[str, Callable[[dict[str, Path]], list[str]]] = {
        "transcode": lambda paths: transcode(paths, "composite", *encoding),
        "mask": lambda paths: transcode(paths, "mask", "--decode-only"),
        "lut3d": lambda paths: transcode(paths, "composite", *encoding, "--lut", str(lut)),
        **{quality: functools.partial(harmonize, quality=quality) for quality in QUALITIES},
    }
    runs: dict[str, dict[int, list[dict[str, float]]]] = {
        way: {count: [] for count in clips} for way in commands
    }
    told: dict[str, dict[str, Any]] = {}
    for _ in range(rounds):
        for way, command in commands.items():
            for count, paths in clips.items():
                runs[way][count].append(measured(command(paths)))
            if way in QUALITIES:
                work = json.loads(report.read_text())
                told[way] = {key: work[key] for key in ("seconds_by_stage", "precision")}
    found = {way: rated(times) for way, times in runs.items()}
    plain, mask = found["transcode"], found.pop("mask")
    base = {
        "lines": lines,
        "preset": preset,
        "crf": int(CRF),
        "frames": max(clips),
        "rounds": rounds,
    }
    rows: list[dict[str, Any]] = []
    for way, rates in found.items():
        added = {
            name.replace("_per_frame", "_added"): round(rates[name] - plain[name] - mask[name], 1)
            for name in ("cpu_ms_per_frame_with_start_up", "cpu_ms_per_frame")
            if way in QUALITIES
        }
        rows.append({**base, "way": way, **rates, **added, **told.get(way, {})})
    for row in rows:
        row["ratio_with_start_up"] = round(row["fps_with_start_up"] / plain["fps_with_start_up"], 3)
        row["ratio"] = round(row["fps"] / plain["fps"], 3)
        print(row, flush=True)
    return rows


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--sizes", default="480,1080,2160")
    parser.add_argument(
        "--rounds", type=int, default=1, help="times that all is run in turn; medians are kept (1)"
    )
    parser.add_argument(
        "--no-long", action="store_true", help=f"leave out the run of {LONG} frames"
    )
    parser.add_argument(
        "--json", type=Path, default=Path(__file__).parent / "results" / "video.json"
    )
    args = parser.parse_args()
    sources = {
        "composite": args.data / "clips" / f"{CLIP}.foreground.mp4",
        "mask": args.data / "clips" / f"{CLIP}.mask.mp4",
    }
    frames = {name: read_rgb_frames(path, list(range(75))) for name, path in sources.items()}
    area = float(np.mean([picture[..., 1] > 127 for picture in frames["mask"]]))
    rows: list[dict[str, Any]] = []
    long: dict[str, Any] | None = None
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        lut = folder / "look.cube"
        write_cube(Lut3D.identity(33), lut)
        for lines in map(int, args.sizes.split(",")):
            size, count = (lines * 16 // 9 // 2 * 2, lines), FRAMES[lines]
            clips = {
                length: {
                    name: write_clip(
                        frames[name], size, length, folder / f"{name}{lines}.{length}.mp4"
                    )
                    for name in sources
                }
                for length in (count // 5, count)
            }
            warm_up(clips, folder)
            for preset in PRESETS[lines]:
                rows += bench_size(lines, preset, clips, folder, lut, args.rounds)
        if not args.no_long:
            made = {
                name: write_clip(frames[name], (1920, 1080), LONG, folder / f"{name}-long.mp4")
                for name in sources
            }
            command = [
                sys.executable,
                "-m",
                "vhmae",
                "harmonize",
                str(made["composite"]),
                "--mask",
                str(made["mask"]),
            ]
            command += ["-o", str(folder / "h.mp4"), "--crf", CRF, "--preset", "veryfast", "-q"]
            long = {
                "lines": 1080,
                "preset": "veryfast",
                "way": "balanced",
                "frames": LONG,
                **measured(command),
            }
    result = {
        "schema": 1,
        "hardware": describe(),
        "clip": CLIP,
        "mask_area": round(area, 3),
        "runs": rows,
        "long": long,
    }
    args.json.write_text(json.dumps(result, indent=1) + "\n")
    print(json.dumps(result))


if __name__ == "__main__":
    main()
