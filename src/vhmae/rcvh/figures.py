"""What a set holds: its areas and sources as a picture, and a sheet of its composites."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import cv2
import numpy as np

from vhmae.video.pictures import write_still
from vhmae.video.reader import read_rgb_frames

PANEL = (320, 240)


def draw_statistics(lines: list[dict[str, Any]], path: Path) -> None:
    """Histograms of foreground shares and of how often each source is used."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(9, 3.2), layout="constrained")
    areas, uses = figure.subplots(1, 2)
    areas.hist(
        [100.0 * line["foreground_ratio"] for line in lines],
        bins=np.arange(0, 101, 5),
        color="#21598f",
        edgecolor="white",
    )
    areas.set_xlabel("foreground, % of the frame")
    areas.set_ylabel("composites")
    for part, color in (("foreground", "#21598f"), ("background", "#c9a66b")):
        sources = [line[part]["source"] for line in lines if part in line]
        counts = sorted((sources.count(source) for source in set(sources)), reverse=True)
        uses.step(
            range(1, len(counts) + 1),
            counts,
            where="mid",
            color=color,
            label=f"{part}s: {len(counts)} sources",
        )
    uses.set_xlabel("source, most used first")
    uses.set_ylabel("composites")
    uses.legend(frameon=False)
    for axes in (areas, uses):
        axes.spines[["top", "right"]].set_visible(False)
    figure.savefig(path, dpi=150)


def draw_sheet(out: Path, lines: list[dict[str, Any]], path: Path, columns: int = 5) -> None:
    """The middle frames of composites, each with its number and foreground share."""
    panels = []
    for line in lines:
        (frame,) = read_rgb_frames(out / line["composite"], [line["frames"] // 2])
        scale = min(PANEL[0] / frame.shape[1], PANEL[1] / frame.shape[0])
        size = (round(frame.shape[1] * scale), round(frame.shape[0] * scale))
        panel = np.full((PANEL[1], PANEL[0], 3), 40, np.uint8)
        top, left = (PANEL[1] - size[1]) // 2, (PANEL[0] - size[0]) // 2
        panel[top : top + size[1], left : left + size[0]] = cv2.resize(
            frame, size, interpolation=cv2.INTER_AREA
        )
        text = f"{line['name']}  {100 * line['foreground_ratio']:.0f} %"
        (across, down), _ = cv2.getTextSize(text, cv2.FONT_HERSHEY_SIMPLEX, 0.45, 1)
        panel[: down + 12, : across + 12] = 0
        cv2.putText(
            panel,
            text,
            (6, down + 5),
            cv2.FONT_HERSHEY_SIMPLEX,
            0.45,
            (255, 255, 255),
            1,
            cv2.LINE_AA,
        )
        panels.append(panel)
    panels += [np.full_like(panels[0], 40)] * (-len(panels) % columns)
    write_still(
        path,
        np.vstack(
            [np.hstack(panels[row : row + columns]) for row in range(0, len(panels), columns)]
        ),
    )
