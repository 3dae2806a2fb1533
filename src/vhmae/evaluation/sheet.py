"""Picture sheets like Figs. 5 and 6: one row a method; two successive frames, an enlarged part, and
a map of errors."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

import cv2
import numpy as np

from vhmae.arrays import Array, Frames, Mask, Picture
from vhmae.errors import InputError
from vhmae.evaluation.methods import Clip
from vhmae.video.labels import write_label

CELL_HEIGHT = 240
GAP = 6
LOUDEST_LEVELS = 64.0
"""Errors of this size, in levels of 255, have the last color of the map."""


@dataclasses.dataclass(frozen=True)
class Row:
    """One row of a sheet."""

    label: str
    frames: Frames
    """(2, H, W, 3) uint8 RGB: two successive frames."""


def make_sheet(rows: Sequence[Row], mask: Mask, reference: Frames, error_name: str) -> Picture:
    """Draw a sheet.

    Args:
        mask: (2, H, W) bool; the enlarged part lies around it.
        reference: (2, H, W, 3) uint8: what errors are taken against (the target, or the input where
            there is none).
        error_name: heading of the last column.
    Returns:
        (h, w, 3) uint8 RGB.
    """
    top, left, height, width = _zoom_box(mask[0])
    lines = [
        _strip(
            [_caption(title) for title in ("frame", "next frame", "enlarged", error_name)],
            mask.shape[1:],
        )
    ]
    for row in rows:
        part = row.frames[0][top : top + height, left : left + width]
        error = np.abs(row.frames[0].astype(np.float32) - reference[0]).mean(axis=-1)
        cells = [row.frames[0], row.frames[1], part, _heat(error)]
        lines.append(_strip(cells, mask.shape[1:], row.label))
    return np.vstack(lines)


def pick_frames(clip: Clip, frame: int) -> list[int]:
    """Two successive frames: the asked-for one and the next; a clip of one frame shows it twice."""
    count = len(clip.mask)
    if not 0 <= frame < count:
        raise InputError(f"the clip has frames 0 to {count - 1}", field="frame", value=frame)
    first = min(frame, max(0, count - 2))
    return [first, min(first + 1, count - 1)]


def _zoom_box(mask: Mask) -> tuple[int, int, int, int]:
    """A box of the frame's aspect around the foreground's middle, a third of the frame or less."""
    height, width = mask.shape
    ys, xs = np.nonzero(mask)
    center = (float(ys.mean()), float(xs.mean())) if len(ys) else (height / 2, width / 2)
    rows, columns = max(1, height // 3), max(1, width // 3)
    top = int(np.clip(center[0] - rows / 2, 0, height - rows))
    left = int(np.clip(center[1] - columns / 2, 0, width - columns))
    return top, left, rows, columns


def _heat(error: Array) -> Array:
    levels = np.clip(error / LOUDEST_LEVELS * 255.0, 0, 255).astype(np.uint8)
    return np.ascontiguousarray(
        np.asarray(cv2.applyColorMap(levels, cv2.COLORMAP_INFERNO))[..., ::-1]
    )


def _caption(text: str) -> Array:
    cell = np.full((24, 400, 3), 255, np.uint8)
    cv2.putText(cell, text, (6, 17), cv2.FONT_HERSHEY_SIMPLEX, 0.5, (0, 0, 0), 1, cv2.LINE_AA)
    return cell


def _strip(cells: Sequence[Array], size: tuple[int, ...], label: str | None = None) -> Array:
    """Cells side by side at one size; captions keep their height."""
    width = round(CELL_HEIGHT * size[1] / size[0])
    height = CELL_HEIGHT if label is not None else 24
    shown: list[Array] = []
    for cell in cells:
        if label is None:
            fitted: Array = np.full((height, width, 3), 255, np.uint8)
            fitted[:, : min(width, cell.shape[1])] = cell[:height, :width]
        else:
            shrinks = cell.shape[0] > height
            fitted = cv2.resize(
                cell, (width, height), interpolation=cv2.INTER_AREA if shrinks else cv2.INTER_CUBIC
            )
        shown += [fitted, np.full((height, GAP, 3), 255, np.uint8)]
    strip = np.hstack(shown[:-1])
    if label is not None:
        write_label(strip, label, 8, height - 10, 0.6)
        strip = np.vstack([strip, np.full((GAP, strip.shape[1], 3), 255, np.uint8)])
    return strip
