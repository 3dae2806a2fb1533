"""``vhmae preview``: one frame before and after, what changes and where the matte lies, in seconds,
before a long run."""

from __future__ import annotations

import itertools
from typing import Any

import cv2
import numpy as np

from vhmae.arrays import Array, UnitMatte, to_unit
from vhmae.engine.rendering import render_planes
from vhmae.errors import InputError
from vhmae.video.exr_changes import shown_changed
from vhmae.video.labels import write_label
from vhmae.video.pictures import check_still, write_still
from vhmae.video.planes import PlanarFrame
from vhmae.video.reader import TimedFrame, to_uint8
from vhmae.work.analysis import Analysis, open_analysis, told_of_move
from vhmae.work.guiding import guided_report, hear_guide
from vhmae.work.harmonize import check_strict
from vhmae.work.job import PreviewJob

WIDEST_PANEL = 960
AMPLIFIED = 4.0
"""The difference is shown this many times as large, about grey."""
AROUND = 24
"""Frames before and after that are looked at: about what the smoothing over time would weigh."""


def preview(job: PreviewJob) -> dict[str, Any]:
    """Write a sheet of a frame before and after, the difference and the matte; returns the report.

    Raises:
        InputError: for what the caller can mend.
    """
    check_still(job.output, list(job.inputs().values()))
    analysis = open_analysis(job)
    number = analysis.sources.frame_to_show(job.frame)
    first = max(0, number - AROUND)
    analysis.survey()
    for place, harmonizer in enumerate(analysis.harmonizers):
        harmonizer.surveyed = analysis.surveyed_at(number, place)
    heard = hear_guide(analysis, first, until=number)
    near = itertools.islice(analysis.sources.frames(first), number - first + AROUND + 1)
    for (timed, mattes), covers, changes, *_ in analysis.harmonized(near):
        if timed.index != number:
            continue
        image, levels = timed.image, [0.0] * len(covers)
        for place, (matte, change) in enumerate(zip(covers, changes, strict=True)):
            if change is not None:
                image, levels[place] = render_planes(image, matte, change)
        before, after = timed.image.rgb(), _shown(image, timed, analysis)
        cover = np.minimum(np.sum([to_unit(matte) for matte in mattes], axis=0), 1.0)
        sides = [harmonizer.side.of for harmonizer in analysis.harmonizers]
        own = [to_unit(one) for one in covers]
        # Around an object is what is of none; around the background is what stands before it.
        others = [
            cover if side == "foreground" else one for side, one in zip(sides, own, strict=True)
        ]
        objects = [
            {"object": object_number, "side": side, **_numbers(before, after, one, other, moved)}
            for object_number, side, one, other, moved in zip(
                analysis.objects, sides, own, others, levels, strict=True
            )
            if one.any()
        ]
        changed = [one for one, change in zip(levels, changes, strict=True) if change is not None]
        mean_change = round(sum(changed) / len(changed), 3) if changed else 0.0
        warnings = analysis.warnings() + (heard.warnings if heard is not None else [])
        check_strict(job.strict, warnings)
        write_still(job.output, _sheet(to_uint8(before), to_uint8(after), cover))
        warnings += told_of_move(job)
        return {
            "schema": 1,
            "frame": number,
            "mean_change": mean_change,
            "objects": objects,
            "warnings": warnings,
            **guided_report(heard),
        }
    raise InputError("could not be decoded; choose another", field="frame", value=number)


def _shown(image: PlanarFrame, timed: TimedFrame, analysis: Analysis) -> Array:
    """What a frame became, (H, W, 3) in [0, 1]: of OpenEXR as its file will hold it, since the
    planes end at white."""
    info = analysis.sources.info
    if image is timed.image or info.codec != "exr" or analysis.sources.layers is not None:
        return image.rgb()
    assert info.files is not None
    return shown_changed(info.files[timed.index], image.planes, info.held)


def _numbers(
    before: Array, after: Array, matte: UnitMatte, cover: Array, mean_change: float
) -> dict[str, Any]:
    """What was changed of an object, in levels of 255.

    Args:
        before, after: (H, W, 3) in [0, 1].
        matte: (H, W) in [0, 1], the object's.
        cover: (H, W) in [0, 1]: what is not around it.
        mean_change: that of the rendering.
    """
    moved = np.abs(after - before).max(axis=-1)[matte > 0.0]
    return {
        "share": round(float(matte.mean()), 4),
        "mean_change": round(mean_change, 3),
        "largest_change": round(255.0 * float(moved.max()), 3),
        "before": _mean_color(before, matte),
        "after": _mean_color(after, matte),
        "around": _mean_color(before, 1.0 - cover),
    }


def _mean_color(picture: Array, weights: Array) -> list[float]:
    """Mean red, green and blue in levels of 255."""
    total = max(float(weights.sum(dtype=np.float64)), 1e-6)
    sums = np.einsum("hwc,hw->c", picture, weights, dtype=np.float64)
    return [round(255.0 * float(one) / total, 2) for one in sums]


def _sheet(before: Array, after: Array, cover: Array) -> Array:
    """Four panels with their names."""
    difference = to_uint8(0.5 + AMPLIFIED * (after.astype(np.float32) - before) / 255.0)
    matte = np.repeat(to_uint8(cover)[..., None], 3, axis=-1)
    named = (
        ("before", before),
        ("after", after),
        (f"difference x{AMPLIFIED:.0f}", difference),
        ("matte", matte),
    )
    panels = [panel(name, picture) for name, picture in named]
    return np.vstack([np.hstack(panels[:2]), np.hstack(panels[2:])])


def panel(name: str, picture: Array) -> Array:
    """A picture (H, W, 3) uint8, small enough for a sheet, with its name in a corner."""
    scale = min(1.0, WIDEST_PANEL / picture.shape[1])
    size = (max(1, round(picture.shape[1] * scale)), max(1, round(picture.shape[0] * scale)))
    shown = np.ascontiguousarray(cv2.resize(picture, size, interpolation=cv2.INTER_AREA))
    write_label(shown, name, 10, 26)
    return shown
