"""ONNX Runtime and torch side by side, in one run: what they take on the disk, how soon they
answer, how fast they harmonize, and how much memory they need.

python benchmarks/bench_backends.py --data DATA [--lines 480,1080] [--frames N] [--rounds N]
[--wheels] [--json FILE]

All that is compared is taken in turn; only ratios are comparable between machines. Where others
work on the machine (``load_at_start``), times alone say little. ``--wheels`` measures nothing: it
asks PyPI for the sizes of the wheels that pip would fetch for either, torch as PyPI has it, and
puts them into FILE, where they stay when all else is measured anew.

The renderer is measured compiled, its code kept from a run before, and by the plain way that it is
tested against.
"""

from __future__ import annotations

import argparse
import json
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from bench_harmonize import run
from bench_video import CLIP, CRF, write_clip
from hardware import describe
from installed import installed_mib, wheels

BACKENDS = ("onnx", "torch")
PRESET = "medium"
WAYS = ("compiled", "plain")
"""How frames are rendered: by what numba compiled, or by numpy alone."""
ASKED = 20
"""Windows that are answered for a measurement."""
RENDERED = 20
"""Frames that are rendered for a measurement."""
LARGE = (0.4, 0.5)
"""Half axes of an ellipse, in shares of the frame: a mask of 63 %."""


def ask(backend: str) -> None:
    """In a process of its own: CPU ms a window, printed."""
    from vhmae.engine.backends import open_network

    network = open_network("default", backend, "cpu")  # type: ignore[arg-type]  # one of its names
    size, frames = network.config.image_size, network.config.clip_frames
    rng = np.random.default_rng(0)
    seen = rng.random((frames, size, size, 3), np.float32)
    masks = np.zeros((frames, size, size), bool)
    masks[:, size // 5 : 4 * size // 5, size // 5 : 4 * size // 5] = True
    network.ask(seen, masks)
    cpu, wall = time.process_time(), time.perf_counter()
    for _ in range(ASKED):
        network.ask(seen, masks)
    spent = time.process_time() - cpu, time.perf_counter() - wall
    told = {"cpu_ms": 1000 * spent[0] / ASKED, "ms": 1000 * spent[1] / ASKED}
    print(json.dumps({**told, "precision": network.precision}))


def render(way: str) -> None:
    """In a process of its own: what rendering 1080p takes, printed."""
    from vhmae.color.yuv import ColorEncoding
    from vhmae.engine.rendering import FrameTransform, render_planes
    from vhmae.video.planes import PlanarFrame

    rng = np.random.default_rng(0)
    sizes = ((1080, 1920), (540, 960), (540, 960))
    planes = [rng.integers(16, 235, size).astype(np.uint8) for size in sizes]
    frame = PlanarFrame(planes, ColorEncoding("bt709", False), 2, 2)
    overall, local = (
        rng.normal(0.0, 0.05, shape).astype(np.float32) for shape in ((3, 10), (6, 6, 3, 4))
    )
    change = FrameTransform(overall, local)
    down, across = np.mgrid[-0.5:0.5:1080j, -0.5:0.5:1920j]
    inside = np.hypot(down / LARGE[1], across / LARGE[0]) < 1.0
    matte = np.where(inside, np.uint8(255), np.uint8(0))
    ready = time.perf_counter()
    render_planes(frame, matte, change, plain=way == "plain")
    first = time.perf_counter() - ready
    cpu = time.process_time()
    for _ in range(RENDERED):
        render_planes(frame, matte, change, plain=way == "plain")
    told = {
        "first_ms": 1000 * first,
        "cpu_ms": 1000 * (time.process_time() - cpu) / RENDERED,
        "mask_area": float(inside.mean()),
    }
    print(json.dumps(told))


def told_by(*options: str) -> dict[str, Any]:
    """What this file prints in a process of its own."""
    command = [sys.executable, __file__, *options]
    told = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    found: dict[str, Any] = json.loads(told)
    return found


def middle(runs: list[dict[str, Any]]) -> dict[str, Any]:
    """The median of each number."""
    return {
        key: statistics.median(run[key] for run in runs) if isinstance(value, float) else value
        for key, value in runs[0].items()
    }


def harmonize(backend: str, paths: dict[str, Path], output: Path) -> list[str]:
    command = [sys.executable, "-m", "vhmae", "harmonize", str(paths["composite"]), "-q"]
    command += ["--mask", str(paths["mask"]), "-o", str(output), "--backend", backend]
    if output.suffix == ".mp4":
        command += ["--crf", CRF, "--preset", PRESET]
    return command


def transcode(source: Path, output: Path, *options: str) -> list[str]:
    tool = Path(__file__).with_name("transcode.py")
    encoding = ["--crf", CRF, "--preset", PRESET]
    return [sys.executable, str(tool), str(source), str(output), *encoding, *options]


def side_by_side(
    lines: int, clips: dict[int, dict[str, Path]], still: dict[str, Path], folder: Path, rounds: int
) -> dict[str, Any]:
    """All ways at one size, taken in turn."""
    short, long = sorted(clips)
    out, picture = folder / "out.mp4", folder / "out.png"
    spent: dict[str, list[tuple[float, float, float]]] = {}

    def note(what: str, command: list[str]) -> None:
        spent.setdefault(what, []).append(run(command))

    for backend in BACKENDS:  # compiled, and in the system's cache
        run(harmonize(backend, still, picture))
    for _ in range(rounds):
        for backend in BACKENDS:
            note(f"{backend} still", harmonize(backend, still, picture))
        for count, paths in clips.items():
            note(f"plain {count}", transcode(paths["composite"], out))
            note(f"mask {count}", transcode(paths["mask"], out, "--decode-only"))
            for backend in BACKENDS:
                note(f"{backend} {count}", harmonize(backend, paths, out))
    wall, cpu, peak = (
        {what: statistics.median(one[at] for one in times) for what, times in spent.items()}
        for at in range(3)
    )

    def grown(times: dict[str, float], what: str) -> float:
        """What a frame takes, with start-up out."""
        return (times[f"{what} {long}"] - times[f"{what} {short}"]) / (long - short)

    rows = {}
    for backend in BACKENDS:
        added = grown(cpu, backend) - grown(cpu, "plain") - grown(cpu, "mask")
        rows[backend] = {
            "first_still_seconds": wall[f"{backend} still"],
            "first_still_cpu_seconds": cpu[f"{backend} still"],
            "fps_over_transcode": grown(wall, "plain") / grown(wall, backend),
            "cpu_ms_added": 1000 * added,
            "peak_mib": peak[f"{backend} {long}"],
        }
    return {"lines": lines, "frames": long, "preset": PRESET, **rows, "ratios": ratios(rows)}


def ratios(rows: dict[str, dict[str, float]]) -> dict[str, float]:
    """ONNX Runtime's numbers over torch's."""
    ours, theirs = (rows[backend] for backend in BACKENDS)
    return {key: ours[key] / theirs[key] for key in ours if theirs[key]}


def rounded(value: Any) -> Any:
    """Numbers to four places, wherever they stand."""
    if isinstance(value, dict):
        return {key: rounded(one) for key, one in value.items()}
    if isinstance(value, list):
        return [rounded(one) for one in value]
    return round(value, 4) if isinstance(value, float) else value


def sizes(args: Any, folder: Path) -> Iterator[dict[str, Any]]:
    """The measurement of each size."""
    from vhmae.video.pictures import write_still
    from vhmae.video.reader import read_rgb_frames

    sources = {
        "composite": args.data / "clips" / f"{CLIP}.foreground.mp4",
        "mask": args.data / "clips" / f"{CLIP}.mask.mp4",
    }
    frames = {name: read_rgb_frames(path, list(range(75))) for name, path in sources.items()}
    for lines in map(int, args.lines.split(",")):
        size = (lines * 16 // 9 // 2 * 2, lines)
        clips = {
            count: {
                name: write_clip(frames[name], size, count, folder / f"{name}{lines}.{count}.mp4")
                for name in sources
            }
            for count in (args.frames // 5, args.frames)
        }
        still = {name: folder / f"{name}.png" for name in sources}
        for name, path in still.items():
            write_still(path, frames[name][0])
        yield side_by_side(lines, clips, still, folder, args.rounds)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--data", type=Path)
    parser.add_argument("--lines", default="480,1080")
    parser.add_argument("--frames", type=int, default=300, help="of a clip (300)")
    parser.add_argument("--rounds", type=int, default=3, help="medians are kept (3)")
    parser.add_argument("--wheels", action="store_true", help="ask PyPI for the sizes of wheels")
    parser.add_argument("--ask", choices=BACKENDS, help=argparse.SUPPRESS)
    parser.add_argument("--render", choices=WAYS, help=argparse.SUPPRESS)
    parser.add_argument("--json", type=Path)
    args = parser.parse_args()
    if args.ask:
        return ask(args.ask)
    if args.render:
        return render(args.render)
    before = json.loads(args.json.read_text()) if args.json and args.json.exists() else {}
    if args.wheels:
        return tell({**before, "wheels": {"date": describe()["date"], **wheels()}}, args.json)
    hardware = describe()
    rounds = range(args.rounds)
    asked = [{one: told_by("--ask", one) for one in BACKENDS} for _ in rounds]
    windows = {one: middle([told[one] for told in asked]) for one in BACKENDS}
    drawn = [{one: told_by("--render", one) for one in WAYS} for _ in rounds]
    renderers = {one: middle([told[one] for told in drawn]) for one in WAYS}
    disk = installed_mib()
    result: dict[str, Any] = {
        "schema": 2,
        "hardware": hardware,
        "rounds": args.rounds,
        "installed_mib": disk,
        "window": {
            **windows,
            "cpu_ratio": windows["onnx"]["cpu_ms"] / windows["torch"]["cpu_ms"],
        },
        "renderer": {
            **renderers,
            "cpu_ratio": renderers["plain"]["cpu_ms"] / renderers["compiled"]["cpu_ms"],
        },
    }
    if "wheels" in before:
        result["wheels"] = before["wheels"]
    if args.data is not None:
        with tempfile.TemporaryDirectory() as temporary:
            result["sizes"] = list(sizes(args, Path(temporary)))
    return tell(result, args.json)


def tell(result: dict[str, Any], path: Path | None) -> None:
    text = json.dumps(rounded(result), indent=1)
    if path is not None:
        path.write_text(text + "\n")
    print(text)


if __name__ == "__main__":
    main()
