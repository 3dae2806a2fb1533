"""``vhmae diagnose``: what harmonizing would do to each shot, in a compositor's words, how sure
that is, and whether it is worth doing."""

from __future__ import annotations

import itertools
from typing import Any

import cv2
import numpy as np

from vhmae.arrays import Array, to_unit
from vhmae.engine.priors import find_prior
from vhmae.engine.rendering import ColorChange
from vhmae.guide.dials import DIALS, dial_deviations, fit_dials
from vhmae.guide.prior import Prior
from vhmae.guide.update import found_for
from vhmae.guide.verdict import judge
from vhmae.guide.wording import in_words
from vhmae.video.planes import Box, PlanarFrame
from vhmae.work.analysis import open_analysis
from vhmae.work.guiding import guided_report, hear_guide
from vhmae.work.harmonize import check_strict
from vhmae.work.job import AnalysisJob

SIDE = 64
"""A frame is looked at on a grid of this many places in a row and a column."""
EVERY_FRAMES = 6
"""Frames from one that is looked at to the next."""
MOST_PIXELS = 200_000
"""Pixels that are kept of a shot; of a longer one, every second is dropped as often as needed."""


def diagnose(job: AnalysisJob) -> dict[str, Any]:
    """Look at a video and return the report of docs/cli.md.

    Raises:
        InputError: for what the caller can mend, as harmonizing does.
    """
    analysis = open_analysis(job)
    analysis.survey()
    heard = hear_guide(analysis)
    draws = not analysis.harmonizers[0].network.holds_between_key_frames
    prior, told = (None, []) if draws else find_prior(job.weights)
    rows: list[dict[str, Any]] = []
    seen = damaged = 0
    ready = analysis.harmonized(analysis.sources.frames(count=True))
    for number, shot in itertools.groupby(ready, lambda one: one.shot):
        objects = [_Pixels() for _ in analysis.harmonizers]
        first = last = -1
        for (timed, mattes), changes, _ in shot:
            first, last = (timed.index if first < 0 else first), timed.index
            seen, damaged = seen + 1, damaged + timed.decoded.is_corrupt
            for pixels, matte, change in zip(objects, mattes, changes, strict=True):
                if change is not None:
                    pixels.look_at(timed.index, timed.image, matte, change)
        facts = {"shot": number + 1, "first": first, "last": last}
        for place, pixels in enumerate(objects):
            if pixels.seen:
                unknown = None if heard is None else found_for(heard.unknown, place + 1, number)
                diagnosis = diagnosis_of(*pixels.both(), unknown or prior, job.strength)
                rows.append({**facts, "object": place + 1, **diagnosis})
    heard_warnings = heard.warnings if heard is not None else []
    warnings = [*dict.fromkeys([*analysis.warnings(seen, damaged), *told, *heard_warnings])]
    check_strict(job.strict, warnings)
    return {"schema": 1, "shots": rows, "warnings": warnings, **guided_report(heard)}


def diagnosis_of(
    before: Array, after: Array, prior: Prior | None, strength: float
) -> dict[str, Any]:
    """What is said of an object in a shot; without a prior, nobody knows how sure it is."""
    reading = fit_dials(before, after)
    verdict = None if prior is None else judge(prior, before, after - before, strength)
    nothing = not reading.change_levels if verdict is None else verdict.nothing_to_do
    words = in_words(reading.dials)
    found: dict[str, Any] = {
        "words": f"nothing to do ({words})" if nothing else words,
        "nothing_to_do": nothing,
        **dict(zip(DIALS, (round(value, 4) for value in reading.dials.values()), strict=True)),
        "change_levels": round(reading.change_levels, 3),
        "left_levels": round(reading.left_levels, 3),
    }
    if prior is None or verdict is None:
        return found
    off = dial_deviations(before, reading.dials, strength**2 * prior.spread)
    return found | {
        "deviations": dict(zip(DIALS, (round(value, 4) for value in off.values()), strict=True)),
        "sure": round(verdict.sure, 4),
        "gain": round(verdict.gain, 3),
        "risk": round(verdict.risk, 3),
    }


class _Pixels:
    """An object's pixels in a shot, before and after, as they come in."""

    def __init__(self) -> None:
        self.seen = 0
        """Frames that were looked at."""
        self._last = -EVERY_FRAMES
        self._parts: list[Array] = []  # (P, 6) each
        self._kept_one_in = 1

    def look_at(self, index: int, image: PlanarFrame, matte: Array, change: ColorChange) -> None:
        if index - self._last < EVERY_FRAMES:
            return
        before = image.sample(SIDE, SIDE)  # (3, S, S)
        cover = cv2.resize(to_unit(matte), (SIDE, SIDE), interpolation=cv2.INTER_AREA)
        inside = cover >= min(0.5, float(cover.max()))  # what is thin fills no cell of the grid
        after = before + change.change(before, Box(0, 0, SIDE, SIDE), SIDE, SIDE)
        pixels = np.concatenate([before[:, inside], after[:, inside]]).T.astype(np.float64)
        self.seen, self._last = self.seen + 1, index
        self._parts.append(pixels[:: self._kept_one_in])
        if sum(map(len, self._parts)) > MOST_PIXELS:
            self._kept_one_in *= 2
            self._parts = [part[::2] for part in self._parts]

    def both(self) -> tuple[Array, Array]:
        """(P, 3) before and after."""
        pixels = np.concatenate(self._parts)
        return pixels[:, :3], pixels[:, 3:]
