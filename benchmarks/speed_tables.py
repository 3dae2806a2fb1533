"""The tables of speed and memory: what benchmarks/tables.py puts into the docs from the results of
the bench_*.py scripts."""

from __future__ import annotations

import json
from pathlib import Path

RESULTS = Path(__file__).parent / "results"


def training_table() -> str:
    """Where a training step's time goes."""
    result = json.loads((RESULTS / "train.json").read_text())
    training, variants = result["training"], result["variants"]
    rate = ", ".join(f"{name} {value:.0f}" for name, value in result["matrix_gflops"].items())
    lines = [
        f"`{result['config']}`, {training['image_size']} pixels, {training['clip_frames']} frames, "
        f"batch {training['batch_size']}, "
        f"{result['precision']} on {result['device']}; measured matrix rates in GFLOP/s: {rate}.",
        "",
        f"- {training['samples_per_second']:.2f} samples/s; scenes and looks alone, in one "
        "process: "
        f"{training['samples_per_second_without_model_one_process']:.1f}.",
        f"- Waiting for scenes: {training['waiting_share']:.1%} of the time; looks: "
        f"{training['synthesis_share']:.1%}.",
        f"- The step reaches **{training['flop_utilisation']:.0%}** of the measured rate of "
        f"{result['precision']} products.",
        "- Seconds a step: "
        + ", ".join(f"{name} {seconds:.3f}" for name, seconds in variants.items())
        + ".",
        "",
        "| foreground | packed, s | key-masked, s | ratio |",
        "|---|---|---|---|",
    ]
    for row in result["by_foreground_share"]:
        lines.append(
            f"| {row['foreground']:.0%} | {row['packed']:.3f} | {row['masked']:.3f} | "
            f"{row['ratio']:.2f} |"
        )
    lines += ["", "| stage | seconds a sample |", "|---|---|"]
    lines += [f"| {row['stage']} | {row['seconds_per_sample']:.4f} |" for row in result["by_size"]]
    return "\n".join(lines)


def backend_table() -> str:
    """ONNX Runtime beside torch, and the renderer with and without numba."""
    result = json.loads((RESULTS / "backends.json").read_text())
    disk, wheels, window = result["installed_mib"], result["wheels"], result["window"]
    lines = [
        f"Medians of {result['rounds']} rounds in which all were run in turn; the load of the "
        f"machine was {result['hardware']['load_at_start']:.1f} when they began, and ratios count "
        "more than times.",
        "",
        "| | ONNX Runtime | torch | ratio |",
        "|---|---|---|---|",
    ]

    def row(words: str, ours: float, theirs: float, digits: int = 0) -> None:
        numbers = f"{ours:.{digits}f} | {theirs:.{digits}f} | {ours / theirs:.3f}"
        lines.append(f"| {words} | {numbers} |")

    for more, way in (("", "onnx"), (", numba left out", "onnx_without_numba")):
        row(f"MiB installed, torch's CPU build{more}", disk[way], disk["torch"])
        sizes, torch = wheels[way], wheels["torch"]
        unpacked = "MiB of wheels unpacked, torch as PyPI has it"
        row(f"{unpacked}{more}", sizes["unpacked_mib"], torch["unpacked_mib"])
        row(f"MB fetched for that{more}", sizes["fetched_mb"], torch["fetched_mb"])
    row("CPU ms a window", window["onnx"]["cpu_ms"], window["torch"]["cpu_ms"])
    named = {
        "first_still_seconds": ("seconds from the command to the first still", 2),
        "first_still_cpu_seconds": ("CPU seconds of that", 2),
        "fps_over_transcode": ("frames a second over those of the plain transcode", 2),
        "cpu_ms_added": ("CPU ms a frame added to the transcode", 1),
        "peak_mib": ("peak memory, MiB", 0),
    }
    for size in result["sizes"]:
        for key, (words, digits) in named.items():
            ours, theirs = (size[backend][key] for backend in ("onnx", "torch"))
            row(f"{size['lines']} lines: {words}", ours, theirs, digits)
    ways = result["renderer"]
    lines += [
        "",
        f"The renderer on 1080p, a mask of {ways['plain']['mask_area']:.0%} of the frame:",
        "",
        "| | compiled by numba | numpy alone |",
        "|---|---|---|",
    ]
    told = {
        "first_ms": "ms of the first frame",
        "cpu_ms": "CPU ms of each further frame",
    }
    for key, words in told.items():
        cells = " | ".join(f"{ways[way][key]:.0f}" for way in ("compiled", "plain"))
        lines.append(f"| {words} | {cells} |")
    return "\n".join(lines)


def speed_table() -> str:
    """Speed and memory of ``vhmae harmonize`` at 854x480."""
    result = json.loads((RESULTS / "harmonize.json").read_text())
    lines = [
        "| quality | frames | fps, start-up in | CPU ms a frame | peak memory, MiB | seconds: "
        "decode / network / render / encode |",
        "|---|---|---|---|---|---|",
    ]
    for run in result["runs"]:
        stages = " / ".join(
            f"{seconds:.1f}" for seconds in run["report"]["seconds_by_stage"].values()
        )
        numbers = (
            f"{run['fps_with_start_up']:.1f} | {run['cpu_ms_per_frame']:.0f} | {run['peak_mib']}"
        )
        lines.append(f"| {run['quality']} | {run['frames']} | {numbers} | {stages} |")
    return "\n".join(lines)


APP_ROWS = {
    "first_frame": ("a clip is opened: its first picture", "1 s"),
    "dial": ("a dial is turned: the next frame that is drawn", ""),
    "scrub": ("one scrubs: the harmonized frame at preview size", "150 ms"),
    "full": ("one stands still: the exact frame at 1080 lines", "1.5 s"),
    "answer": ("a point is said: what came of it", "200 ms"),
}
"""What was measured of the app, in words, and how long it may take on two cores of its own."""


def app_table() -> str:
    """How fast the app answers, in the browser."""
    result = json.loads((RESULTS / "app.json").read_text())
    lines = [
        "| from what is done to what shows it | median | worst | wanted |",
        "|---|---|---|---|",
    ]
    for name, (words, wanted) in APP_ROWS.items():
        row = result[name]
        cells = [words, *(f"{row[key]:.0f} ms" for key in ("median_ms", "worst_ms")), wanted]
        lines.append("| " + " | ".join(cells) + " |")
    lines.append(f"| it plays, at preview size | {result['played_fps']:.0f} fps | | 12 fps |")
    load = result["hardware"]["load_at_start"], result["load_at_end"]
    drawn = "by software" if result["drawn_by"] == "software" else "by a graphics card"
    lines += [
        "",
        f"{result['rounds']} times each, drawn {drawn}; the load of the machine was {load[0]:.1f} "
        f"before, {load[1]:.1f} after.",
    ]
    return "\n".join(lines)


def video_table() -> str:
    """vhmae harmonize beside a plain transcode."""
    result = json.loads((RESULTS / "video.json").read_text())
    lines = [
        f"The mask takes {result['mask_area']:.0%} of the frame.",
        "",
        "| lines | preset | way | frames | fps | ratio to the transcode | CPU ms a frame | CPU ms "
        "added | peak memory, MiB |",
        "|---|---|---|---|---|---|---|---|---|",
    ]
    for run in result["runs"]:
        cells = [run["lines"], run["preset"], run["way"], run["frames"]]
        for key, digits in (("fps", 1), ("ratio", 2), ("cpu_ms_per_frame", 0), ("cpu_ms_added", 1)):
            both = [run.get(name) for name in (key, f"{key}_with_start_up")]
            cells.append(" / ".join(f"{value:.{digits}f}" for value in both if value is not None))
        lines.append("| " + " | ".join(map(str, [*cells, run["peak_mib"]])) + " |")
    if result["long"]:
        long = result["long"]
        lines += [
            "",
            f"{long['frames']} frames at 1080 lines, veryfast, balanced: {long['peak_mib']} MiB.",
        ]
    return "\n".join(lines)


def profile_table() -> str:
    """CPU time of the parts of a frame's way, now and before they were made faster."""
    now, before = (
        json.loads((RESULTS / f"{name}.json").read_text()) for name in ("profile", "profile_before")
    )
    lines = [f"| part | before ({before['hardware']['commit']}) | now |", "|---|---|---|"]
    for part, spent in now["cpu_ms_per_frame"].items():
        lines.append(f"| {part} | {before['cpu_ms_per_frame'][part]:.1f} | {spent:.1f} |")
    own = {
        name: sum(v for part, v in one["cpu_ms_per_frame"].items() if "code" not in part)
        for name, one in (("b", before), ("n", now))
    }
    return "\n".join(
        [*lines, f"| all but decoding and encoding | {own['b']:.1f} | **{own['n']:.1f}** |"]
    )


def engine_table() -> str:
    """Network and rendering alone, on a GPU."""
    result = json.loads((RESULTS / "engine-gpu.json").read_text())
    hardware = result["hardware"]
    lines = [
        f"{hardware['gpu']}, {hardware['cores']} cores ({hardware['cpu']}), torch "
        f"{hardware['torch']}, {hardware['date']}; "
        f"{result['frames']} frames, {result['renderers']} threads that render; the mask takes "
        f"{result['rows'][0]['mask_area']:.0%}.",
        "",
        "| lines | quality | fps | network, ms a frame | rendering, ms a frame and thread |",
        "|" + "---|" * 5,
    ]
    for row in result["rows"]:
        lines.append(
            f"| {row['lines']} | {row['quality']} | **{row['fps']:.0f}** | {row['network_ms']:.1f} "
            f"| {row['rendering_ms']:.1f} |"
        )
    return "\n".join(lines)
