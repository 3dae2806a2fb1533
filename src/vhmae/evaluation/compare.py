"""``vhmae compare``: methods side by side, on a composite of a data set or on the user's own
clip."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from pathlib import Path

import numpy as np

from vhmae.arrays import Array
from vhmae.data.hyoutube import read_list
from vhmae.errors import InputError, did_you_mean
from vhmae.evaluation.job import Comparison
from vhmae.evaluation.methods import Clip, MethodText, method_with, read_method_text
from vhmae.evaluation.sheet import Row, make_sheet, pick_frames
from vhmae.video.matte import open_matte
from vhmae.video.pictures import write_still
from vhmae.video.reader import read_frames, rgb_frames_of, to_uint8
from vhmae.video.source import probe_source

FRAMES_AROUND = 12
"""Frames on either side that methods see of a user's clip."""


def compare(comparison: Comparison, tell: Callable[[str], None] = lambda told: None) -> int:
    """Write the sheet; returns its number of rows. ``tell`` is told what the user should know of
    the clip and its mask."""
    if not comparison.output.parent.is_dir():
        raise InputError(
            f"{comparison.output}: the folder {comparison.output.parent} does not exist; make it "
            "first"
        )
    written = [read_method_text(text) for text in comparison.methods]
    results = [one.finished for one in written]
    for source in (comparison.composite, comparison.mask, comparison.target, *results):
        if source is not None and source.resolve() == comparison.output.resolve():
            raise InputError(
                f"{comparison.output}: is one of the inputs; choose another name for the sheet"
            )
    if comparison.data is not None:
        clip, first = _read_set(comparison)
    else:
        clip, first = _read_clip(comparison, tell)
    wanted = len(clip.mask) // 2 if comparison.frame is None else comparison.frame - first
    pair = pick_frames(clip, wanted)
    numbers = [first + index for index in pair]
    rows = [Row("input", clip.composite[pair])]
    for text, one in zip(comparison.methods, written, strict=True):
        shown = _shown(text, one, clip, pair, numbers, comparison)
        rows.append(Row(one.label, shown))
    reference, error_name = clip.composite, "change, 0 to 64 levels"
    if clip.target is not None:
        rows.append(Row("target", clip.target[pair]))
        reference, error_name = clip.target, "error, 0 to 64 levels"
    write_still(comparison.output, make_sheet(rows, clip.mask[pair], reference[pair], error_name))
    return len(rows)


def _shown(
    text: str,
    method: MethodText,
    clip: Clip,
    pair: list[int],
    numbers: list[int],
    comparison: Comparison,
) -> Array:
    """The two frames of a method: run, or taken out of a finished result."""
    if method.finished is not None and not (clip.sample is not None and method.finished.is_dir()):
        return _finished(method.finished, numbers, clip)
    if method.finished is not None:  # results of the whole set
        text = f"{method.label}=folder:{method.finished}"
    found = method_with(text, comparison.data or Path(), comparison.settings)
    return found.run(clip)[pair]


def _read_set(comparison: Comparison) -> tuple[Clip, int]:
    assert comparison.data is not None
    samples = {sample.name: sample for sample in read_list(comparison.data)}
    name = comparison.name or next(iter(samples))
    if name not in samples:
        raise InputError(
            f"is not in the set{did_you_mean(name, samples)}; the list names them as "
            "VIDEO/object_k",
            field="name",
            value=name,
        )
    if samples[name].real is None:
        return Clip(*samples[name].read_composite(), samples[name]), 0
    composite, target, mask = samples[name].read()
    return Clip(composite, mask, samples[name], target), 0


def _read_clip(comparison: Comparison, tell: Callable[[str], None]) -> tuple[Clip, int]:
    """The frames around the asked-for one (the middle without), and the number of the first."""
    if comparison.composite is None or comparison.mask is None:
        raise InputError(
            "compare: needs COMPOSITE and `masks`, or `data`; name what is to be shown"
        )
    info = probe_source(comparison.composite, "composite")
    mattes = open_matte(comparison.mask)
    misfit = mattes.check_fits(info, hold_last=None)
    for warning in (*info.warnings, *mattes.warnings, *([misfit] if misfit else [])):
        tell(warning)
    frame = info.frames // 2 if comparison.frame is None else comparison.frame
    if not 0 <= frame < info.frames:
        raise InputError(
            f"{comparison.composite} has frames 0 to {info.frames - 1}", field="frame", value=frame
        )
    first, last = max(0, frame - FRAMES_AROUND), min(info.frames, frame + FRAMES_AROUND + 1)
    frames = [
        to_uint8(timed.image.rgb())
        for timed in itertools.islice(read_frames(info, first=first), last - first)
    ]
    masks = [
        matte > np.iinfo(matte.dtype).max // 2
        for matte in itertools.islice(mattes.read(info, first), len(frames))
    ]
    if not any(mask.any() for mask in masks):
        raise InputError(
            f"{comparison.mask}: shows no foreground around frame {frame}; name another by `frame`"
        )
    target = None
    if comparison.target is not None:
        numbers = list(range(first, first + len(frames)))
        target = _finished(comparison.target, numbers, Clip(np.stack(frames), np.stack(masks)))
    return Clip(np.stack(frames), np.stack(masks), None, target), first


def _finished(path: Path, numbers: list[int], clip: Clip) -> Array:
    """Frames of a finished result."""
    shown = np.stack(rgb_frames_of(probe_source(path, "result"), numbers))
    if shown.shape[1:] != clip.composite.shape[1:]:
        raise InputError(
            f"{path}: is {shown.shape[2]}x{shown.shape[1]}, the composite "
            f"{clip.composite.shape[2]}x{clip.composite.shape[1]}"
        )
    return shown
