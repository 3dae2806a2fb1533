"""ONNX Runtime and torch side by side, in one run: what they take on the disk, how soon they
answer, how fast they harmonize, and how much memory they need.

python benchmarks/bench_backends.py --data DATA [--lines 480,1080] [--frames N] [--rounds N]
[--wheels] [--json FILE]

All that is compared is taken in turn; only ratios are comparable between machines. ``--wheels``
asks PyPI for the sizes of the wheels that pip would fetch for either, too, torch as PyPI has it.
"""

from __future__ import annotations

import argparse
import importlib.metadata
import json
import re
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
from bench_harmonize import run
from bench_video import CLIP, CRF, write_clip
from hardware import describe

from vhmae.engine.backends import open_network
from vhmae.video.pictures import write_still
from vhmae.video.reader import read_rgb_frames

BACKENDS = ("onnx", "torch")
PRESET = "medium"
ASKED = 20
"""Windows that are answered for a measurement."""


def installed_mib(extra: str) -> float:
    """What the package and all that it requires take on the disk here, in MiB."""
    return sum(map(_size, _closure("vhmae", extra))) / 2**20


def _closure(name: str, extra: str, seen: set[str] | None = None) -> set[str]:
    """Names of installed distributions that one requires, itself included."""
    seen = set() if seen is None else seen
    key = f"{_same(name)}[{extra}]"
    try:
        lines = importlib.metadata.requires(name) or []
    except importlib.metadata.PackageNotFoundError:  # for other platforms
        return {one for one in seen if "[" not in one}
    if key not in seen:
        seen |= {key, _same(name)}
        for line in lines:
            wanted, _, marker = line.partition(";")
            asked = re.search(r"extra\s*==\s*['\"]([\w-]+)", marker)
            found = re.match(r"\s*([\w.-]+)(?:\[([\w-]+)\])?", wanted)
            if found and (asked is None or asked[1] == extra):
                _closure(found[1], found[2] or "", seen)
    return {one for one in seen if "[" not in one}


def _same(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


def _size(name: str) -> int:
    try:
        files = importlib.metadata.files(name) or []
    except importlib.metadata.PackageNotFoundError:
        return 0
    paths = (Path(str(file.locate())) for file in files if file.suffix != ".pyc")
    return sum(path.stat().st_size for path in paths if path.is_file())


def wheel_mb(requirements: Iterable[str]) -> float:
    """The wheels that pip would fetch, in MB."""
    command = [sys.executable, "-m", "pip", "install", "--quiet", "--dry-run", "--report", "-"]
    command += ["--ignore-installed", "--isolated", "--index-url", "https://pypi.org/simple"]
    told = subprocess.run([*command, *requirements], capture_output=True, text=True, check=True)
    total = 0
    for one in json.loads(told.stdout)["install"]:
        address = one["download_info"]["url"]
        if address.startswith("https:"):
            request = urllib.request.Request(address, method="HEAD")
            with urllib.request.urlopen(request, timeout=60) as answer:
                total += int(answer.headers["Content-Length"])
    return total / 1e6


def wheels() -> dict[str, float]:
    """MB of wheels with ONNX Runtime alone, and with torch as PyPI has it beside what was needed
    before."""
    lines = importlib.metadata.requires("vhmae") or []
    required = [line for line in lines if "extra ==" not in line]
    torch = ["torch", *(line for line in required if not line.startswith("onnxruntime"))]
    return {"onnx": wheel_mb(required), "torch": wheel_mb(torch)}


def ask(backend: str) -> None:
    """In a process of its own: CPU ms a window, printed."""
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
    parser.add_argument("--json", type=Path)
    args = parser.parse_args()
    if args.ask:
        ask(args.ask)
        return
    windows: dict[str, dict[str, Any]] = {}
    for backend in BACKENDS:
        command = [sys.executable, __file__, "--ask", backend]
        told = subprocess.run(command, capture_output=True, text=True, check=True).stdout
        windows[backend] = json.loads(told)
    disk = {"onnx": installed_mib(""), "torch": installed_mib("torch")}
    result: dict[str, Any] = {
        "schema": 1,
        "hardware": describe(),
        "installed_mib": {**disk, "ratio": disk["onnx"] / disk["torch"]},
        "window": {
            **windows,
            "cpu_ratio": windows["onnx"]["cpu_ms"] / windows["torch"]["cpu_ms"],
        },
    }
    if args.wheels:
        fetched = wheels()
        result["wheels_mb"] = {**fetched, "ratio": fetched["onnx"] / fetched["torch"]}
    if args.data is not None:
        with tempfile.TemporaryDirectory() as temporary:
            result["sizes"] = list(sizes(args, Path(temporary)))
    text = json.dumps(rounded(result), indent=1)
    if args.json is not None:
        args.json.write_text(text + "\n")
    print(text)


if __name__ == "__main__":
    main()
