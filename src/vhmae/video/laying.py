"""Which matte of a mask belongs to which frame: by the numbers in the names, by the times, or one
after the other."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from fractions import Fraction
from pathlib import Path
from typing import NamedTuple, Protocol

import numpy as np

from vhmae.arrays import Array, Numbers
from vhmae.errors import InputError
from vhmae.video.mask_meaning import MaskReading
from vhmae.video.pairing import Pairs, check_partners, pair_up
from vhmae.video.probe import VideoInfo
from vhmae.video.sequence import told_numbers

RATE_TOLERANCE = 0.001
"""Rates that differ by a smaller share are the same: 24 and 23.976 are such."""


class MatteFacts(NamedTuple):
    """What a mask says of itself."""

    numbers: tuple[int, ...] | None = None
    """Those in the names of its pictures."""
    rate: Fraction | None = None
    """Frames a second; None where it does not say."""
    seconds: Numbers | None = None
    """When each frame is shown, counted from the first."""
    warnings: tuple[str, ...] = ()


class Laid(Protocol):
    """A mask, as far as it matters here."""

    path: Path
    frames: int | None
    reading: MaskReading
    facts: MatteFacts


def lay(composite: VideoInfo, mask: Laid) -> Pairs:
    """For each frame of the composite the number of its matte, by the numbers in the names or
    by the times; places None: one after the other."""
    if mask.frames is None:
        return Pairs(None)
    if composite.files is not None and mask.facts.numbers is not None:
        pairs = pair_up(
            (composite.path, numbers_told(composite)),
            (mask.path, mask.facts.numbers),
            mask.reading.pair,
            (composite.frames, mask.frames),
        )
        if pairs.places is not None or pairs.warning:
            return pairs
    elif mask.reading.pair == "overlap":
        raise InputError(
            f"is for numbered pictures; {composite.path} and {mask.path} are not both such",
            field="pair",
            value="overlap",
        )
    return _by_time(composite, mask)


def _by_time(composite: VideoInfo, mask: Laid) -> Pairs:
    own = mask.reading.rate or mask.facts.rate
    if own is None or (composite.files is not None and mask.reading.rate is None):
        return Pairs(None)
    if abs(float(own / composite.fps) - 1.0) <= RATE_TOLERANCE:
        return Pairs(None)
    told = (
        f"{mask.path} has {float(own):.3f} frames a second, {composite.path.name} "
        f"{float(composite.fps):.3f}"
    )
    if not composite.frames:  # a stream, whose end nobody knows
        return Pairs(None, f"{told}: they are paired one by one")
    if mask.frames == composite.frames and mask.reading.rate is None:
        return Pairs(None, f"{told}, but as many frames: they were paired one by one")
    shown = seconds_of(composite)
    begins = (
        np.arange(mask.frames or 1) / float(own)
        if mask.reading.rate is not None or mask.facts.seconds is None
        else mask.facts.seconds
    )
    # Containers round their times, some to a millisecond: a tenth of a frame is forgiven.
    places = np.searchsorted(begins, shown + 0.1 / float(own), side="right") - 1
    return Pairs(
        tuple(int(place) for place in np.maximum(places, 0)),
        f"{told}: each frame takes the mask that is shown at its time",
    )


def numbers_told(info: VideoInfo) -> tuple[int, ...] | None:
    """The numbers of a sequence's pictures; None for one picture, a video, and where their names
    have none."""
    told = info.files is not None and told_numbers(info.path, info.files) is not None
    return info.numbers if told else None


def picked(info: VideoInfo, places: Sequence[int]) -> VideoInfo:
    """A sequence of some of its pictures alone, by their places."""
    if info.files is None or info.numbers is None:
        return info
    return dataclasses.replace(
        info,
        files=tuple(info.files[place] for place in places),
        numbers=tuple(info.numbers[place] for place in places),
        frames=len(places),
        duration_seconds=len(places) / float(info.fps),
    )


def check_numbers(
    composite: VideoInfo, mask: Laid, places: tuple[int, ...], hold_last: bool | None
) -> str | None:
    """Refuse frames without a matte of their number, but those after the last one where it is to
    stand still; returns what is to be said then."""
    partners, numbers = mask.facts.numbers, composite.numbers
    assert partners is not None
    assert numbers is not None
    if hold_last and all(
        place >= 0 or number > max(partners) for number, place in zip(numbers, places, strict=True)
    ):
        lonely = sum(place < 0 for place in places)
        told = f"{mask.path} ends at number {max(partners)}: the last mask stands still"
        return told if lonely else None
    check_partners((composite.path, numbers), mask.path, partners, places)
    return None


def check_times(
    composite: VideoInfo, mask: Laid, warning: str | None, hold_last: bool | None
) -> str | None:
    """Refuse a mask that ends before the composite does; returns what is to be said."""
    rate = mask.reading.rate or mask.facts.rate or composite.fps
    ends = float(seconds_of(composite)[-1]) + 1.0 / float(composite.fps)
    lacking = ends - (mask.frames or 1) / float(rate)
    if lacking > 0.5 / float(composite.fps) and not hold_last:
        remedy = "" if hold_last is None else " or pass `hold_last_mask`"
        raise InputError(
            f"{warning}; it ends {lacking:.2f} s before the frames do: export it whole{remedy}"
        )
    return warning


def seconds_of(composite: VideoInfo) -> Numbers:
    """When each frame is shown, in seconds after the first."""
    if composite.timestamps is None or composite.time_base is None:
        return np.arange(composite.frames) / float(composite.fps)
    shown: Array = (composite.timestamps - composite.timestamps[0]) * float(composite.time_base)
    return shown
