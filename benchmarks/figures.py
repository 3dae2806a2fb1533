"""Draws the figures of docs/results.md and docs/paper.md into docs/pictures.

python benchmarks/figures.py results                     plots from benchmarks/results/*.json
python benchmarks/figures.py table1                      docs/table1.md, from results/table1.json
python benchmarks/figures.py masking --demo DEMO         Fig. 2: the maskings, on the demo's
photographs python benchmarks/figures.py seams --demo DEMO --weights NAME=FILE ...    Fig. 4: what
models of the pixel head draw there

DEMO is a folder that ``vhmae demo`` wrote: no frame of any data set is drawn.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

import cv2
import matplotlib as mpl
import numpy as np
import torch
from score_tables import clean_scores
from tables import ROOT
from trial_tables import ablation_runs, trial_scores

from vhmae.engine.harmonizer import Harmonizer
from vhmae.model.masking import mask_tokens
from vhmae.model.weights import load_model
from vhmae.video.matte import open_matte
from vhmae.video.probe import probe_video
from vhmae.video.reader import read_rgb_frames

mpl.use("agg")
from matplotlib import pyplot

Array = np.ndarray
PICTURES = ROOT / "docs" / "pictures"
SIZE, PATCH = 256, 16
FRAMES = (30, 36)
"""Two frames of the demo's first shot."""
ENLARGED = 4
WORST = 2.0
"""Ratios beyond are marked at the edge of Table 1's panels."""
UPRIGHT = 480 / 854
"""Height of a pixel of the demo, squeezed to a square, to its width."""
COLORS = {
    "vhmae": "#1f5a94",
    "constant": "#a9a290",
    "mkl": "#c8742c",
    "reinhard": "#8a8a8a",
    "composite": "#cccccc",
}


def _demo(folder: Path, size: int) -> tuple[Array, Array]:
    """Two frames of the demo, squeezed to a square: (T, size, size, 3) uint8, (T, size, size)
    bool."""
    composite = folder / "composite.mp4"
    info = probe_video(composite)
    pictures = [
        cv2.resize(frame, (size, size), interpolation=cv2.INTER_AREA)
        for frame in read_rgb_frames(composite, FRAMES)
    ]
    mattes = [next(open_matte(folder / "mask.mp4").read(info, number)) for number in FRAMES]
    return np.stack(pictures), np.stack(
        [cv2.resize(matte, (size, size), interpolation=cv2.INTER_AREA) > 127 for matte in mattes]
    )


def draw_masking(demo: Path) -> Path:
    """The four maskings of Fig. 2 in two successive frames, at the share that the foreground
    has."""
    pictures, mask = _demo(demo, SIZE)
    given = torch.from_numpy(mask)[None, :, None]
    share = float(mask_tokens("foreground", given, PATCH).float().mean())
    figure, axes = pyplot.subplots(2, 5, figsize=(10, 2.7), layout="constrained")
    names = ["input", "foreground", "random", "tube", "block"]
    for column, name in enumerate(names):
        shown = pictures.copy()
        if column:
            masked = mask_tokens(name, given, PATCH, share, torch.Generator().manual_seed(3))  # type: ignore[arg-type]  # one of its names
            hidden = (
                masked.reshape(len(pictures), SIZE // PATCH, SIZE // PATCH)
                .numpy()
                .repeat(PATCH, 1)
                .repeat(PATCH, 2)
            )
            shown[hidden] = 128
        for row, picture in enumerate(shown):
            axes[row, column].imshow(picture, aspect=UPRIGHT)
            axes[row, column].set_axis_off()
        axes[0, column].set_title(name, fontsize=10)
    return _save(figure, "masking.png")


def draw_seams(demo: Path, weights: list[str]) -> Path:
    """What models draw of one frame, and a part of it enlarged: patch borders show where balancing
    is missing."""
    models = {name: load_model(file) for name, _, file in (text.partition("=") for text in weights)}
    size = next(iter(models.values())).config.image_size
    pictures, mask = _demo(demo, size)
    shown = {"input": pictures[0]}
    for name, model in models.items():
        harmonizer = Harmonizer(model, quality="best", caution=0.0, precision="fp32")
        shown[name] = next(iter(harmonizer.harmonize(pictures, mask)))
    rows, columns = (np.flatnonzero(mask[0].any(axis=axis)) for axis in (1, 0))
    part = size // ENLARGED + size // 8
    top = max(0, min(size - part, int(rows.mean()) - part // 2))
    left = max(0, min(size - part, int(columns.mean()) - part // 2))
    figure, axes = pyplot.subplots(
        2, len(shown), figsize=(3.4 * len(shown), 4.2), layout="constrained"
    )
    for column, (name, picture) in enumerate(shown.items()):
        axes[0, column].imshow(picture, aspect=UPRIGHT)
        axes[0, column].set_title(name, fontsize=10)
        axes[1, column].imshow(
            picture[top : top + part, left : left + part], interpolation="nearest", aspect=UPRIGHT
        )
        for axis in axes[:, column]:
            axis.set_axis_off()
    return _save(figure, "seams.png")


def draw_results() -> list[Path]:
    """Plots of the numbers in docs/results.md."""
    return [_draw_thirds(), _draw_shares(), _draw_ablation(), _draw_dial()]


def _draw_thirds() -> Path:
    """Where harmonizing helps: by the strength of the mismatch, of each set's composites."""
    figure, axes = pyplot.subplots(1, 3, figsize=(9, 3), sharey=True, layout="constrained")
    for axis, name in zip(axes, ("val-two", "val-one", "val-mild"), strict=True):
        for method in ("vhmae", "constant", "mkl"):
            row = next(
                row
                for row in clean_scores()
                if (row["data"], row["method"], row["swap_background"]) == (name, method, False)
            )
            ratios = [third["ratio"]["fmse"] for third in row["thirds"]]
            axis.plot(
                ["weakest", "middle", "strongest"], ratios, "o-", color=COLORS[method], label=method
            )
        axis.axhline(1.0, color="black", linewidth=0.8, linestyle=":")
        axis.set_yscale("log")
        axis.set_yticks([0.25, 0.5, 1, 2, 4, 8, 16], ["0.25", "0.5", "1", "2", "4", "8", "16"])
        axis.minorticks_off()
        axis.set_title(name, fontsize=10)
        axis.set_xlabel("third by mismatch")
    axes[0].set_ylabel("fMSE, of the untouched composite's")
    axes[0].legend(fontsize=8, frameon=False)
    return _save(figure, "by-strength.png")


def _draw_shares() -> Path:
    """By foreground share: bins of at least eight videos."""
    figure, axis = pyplot.subplots(figsize=(5.5, 3.2), layout="constrained")
    styles = {
        "val-two": ("o-", "#1f5a94"),
        "val-one": ("s-", "#c8742c"),
        "val-large": ("^-", "#4d8b57"),
        "val-light": ("d-", "#8a5fa8"),
    }
    for name, (style, color) in styles.items():
        row = next(
            row
            for row in clean_scores()
            if (row["data"], row["method"], row["swap_background"]) == (name, "vhmae", False)
        )
        bins = [one for one in row["bins"] if one["videos"] >= 8]
        centers = [50 * (one["from"] + one["to"]) for one in bins]
        axis.plot(centers, [one["ratio"]["fmse"] for one in bins], style, color=color, label=name)
    plain = ablation_runs()["A, content"]
    for name in ("val-two", "val-large"):
        bins = [[one for one in run[name]["bins"] if one["videos"] >= 8] for run in plain]
        centers = [50 * (one["from"] + one["to"]) for one in bins[0]]
        means = [
            float(np.mean([one["ratio"]["fmse"] for one in alike]))
            for alike in zip(*bins, strict=True)
        ]
        axis.plot(
            centers,
            means,
            styles[name][0][0] + "--",
            color=styles[name][1],
            alpha=0.5,
            label=f"{name}, plain model at 128 px",
        )
    axis.axhline(1.0, color="black", linewidth=0.8, linestyle=":")
    axis.set_ylim(0.0, 2.2)
    axis.set_xlabel("foreground, % of the frame (middle of the bin)")
    axis.set_ylabel("fMSE, of the untouched composite's")
    axis.legend(fontsize=8, frameon=False)
    return _save(figure, "by-share.png")


def _draw_ablation() -> Path:
    """The paper's plain model in its variants: every run a point."""
    runs = ablation_runs()
    names = list(runs)
    figure, axis = pyplot.subplots(figsize=(7, 3.6), layout="constrained")
    for name, (style, color) in {
        "val-two": ("o", "#1f5a94"),
        "val-one": ("s", "#c8742c"),
        "val-large": ("^", "#4d8b57"),
    }.items():
        points = [
            (place, run[name]["ratio"]["fmse"])
            for place, key in enumerate(names)
            for run in runs[key]
        ]
        axis.plot(*zip(*points, strict=True), style, color=color, label=name, markersize=5)
    axis.axhline(1.0, color="black", linewidth=0.8, linestyle=":")
    axis.set_yscale("log")
    axis.set_yticks([1, 2, 3, 4, 5], ["1", "2", "3", "4", "5"])
    axis.minorticks_off()
    axis.set_xticks(range(len(names)), names, rotation=30, ha="right", fontsize=8)
    axis.set_ylabel("fMSE, of the untouched composite's")
    axis.legend(fontsize=8, frameon=False)
    return _save(figure, "ablation.png")


def _draw_dial() -> Path:
    """What being good on strong mismatches costs on weak ones: each curve is one network under more
    and more caution."""
    figure, axes = pyplot.subplots(
        1, 2, figsize=(9, 3.6), sharex=True, sharey=True, layout="constrained"
    )
    losses = {
        "floor 0.003": "#4d8b57",
        "all": "#1f5a94",
        "floor 0.2": "#8a5fa8",
        "squared error": "#c8742c",
    }
    curves = [
        (axes[0], name, 1, color, name.replace("all", "floor 0.03"))
        for name, color in losses.items()
    ]
    times = {1: "shown once", 2: "shown twice", 3: "three times"}
    curves += [
        (axes[1], "all", passes, color, label)
        for (passes, label), color in zip(times.items(), losses.values(), strict=False)
    ]
    curves += [(axes[1], "trained shown twice", 2, "#c8742c", "trained and shown twice")]
    for axis, name, passes, color, label in curves:
        points = [
            point for point in trial_scores()[name][0]["careful"] if point["passes"] == passes
        ]
        axis.plot(
            [one["weakest"] for one in points],
            [one["strongest"] for one in points],
            "o-",
            markersize=3,
            color=color,
            label=label,
        )
    for axis, title in zip(axes, ("losses", "how often the composite is shown"), strict=True):
        axis.axvline(1.0, color="black", linewidth=0.8, linestyle=":")
        axis.set_title(title, fontsize=10)
        axis.set_xlabel("weakest third, of the untouched composite's")
        axis.legend(fontsize=8, frameon=False)
    axes[0].set_ylabel("strongest third")
    return _save(figure, "dial.png")


def draw_table1() -> Path:
    """Table 1 on equal terms: one panel a set, one line a method; as drawn and by colors alone."""
    from table1_tables import HEADS, SETS, left, named, scored

    rows = [(row, found) for row, found in scored() if row.group not in ("untouched", "time")][::-1]
    height = 1.2 + 0.22 * len(rows)
    figure, axes = pyplot.subplots(
        1, len(SETS), figsize=(12, height), sharey=True, layout="constrained"
    )
    for axis, name, head in zip(axes, SETS, HEADS, strict=True):
        for place, (row, found) in enumerate(rows):
            color = "#1f5a94" if row.group in ("ours", "packaged") else "#c8742c"
            drawn, colors = found["sets"][name], found["colors"].get(name)
            ratio, interval, _ = left(colors or drawn)
            axis.plot(interval, [place, place], "-", color=color, alpha=0.5)
            axis.plot(*_within(ratio, place, "o"), color=color, markersize=5)
            if ratio > WORST:
                axis.text(WORST, place, f"{ratio:.1f} ", fontsize=7, ha="right", va="bottom")
            if colors is not None:
                axis.plot(*_within(left(drawn)[0], place, "|"), color=color, markersize=8)
        axis.axvline(1.0, color="black", linewidth=0.8, linestyle=":")
        axis.set_xlim(0.0, WORST)
        axis.set_title(head, fontsize=10)
    axes[0].set_yticks(range(len(rows)), [named(row, found) for row, found in rows], fontsize=8)
    figure.supxlabel(
        "fMSE, of the untouched composite's (dot: colors alone, with its interval; bar: as drawn)",
        fontsize=9,
    )
    return _save(figure, "table1.png")


def _within(ratio: float, place: int, mark: str) -> tuple[list[float], list[int], str]:
    """A mark of a method at its ratio, and an arrow at the edge where it lies beyond."""
    return ([ratio], [place], mark) if ratio <= WORST else ([WORST], [place], ">")


def _save(figure: Any, name: str) -> Path:
    path = PICTURES / name
    figure.savefig(path, dpi=110, metadata={"Software": None})
    pyplot.close(figure)
    return path


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("kind", choices=["results", "table1", "masking", "seams"])
    parser.add_argument(
        "--demo", type=Path, default=Path("demo"), help="folder that vhmae demo wrote"
    )
    parser.add_argument(
        "--weights",
        nargs="+",
        default=[],
        metavar="NAME=FILE",
        help="seams: models of the pixel head, by their captions",
    )
    args = parser.parse_args()
    if args.kind == "results":
        drawn = draw_results()
    elif args.kind == "table1":
        drawn = [draw_table1()]
    elif args.kind == "masking":
        drawn = [draw_masking(args.demo)]
    else:
        drawn = [draw_seams(args.demo, args.weights)]
    print("\n".join(str(path.relative_to(ROOT)) for path in drawn))


if __name__ == "__main__":
    main()
