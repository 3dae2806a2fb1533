"""A guide heard by a job: the frames that it names are read first, so that a word rules its whole
shot."""

from __future__ import annotations

import dataclasses
import itertools
from typing import Any

import numpy as np

from vhmae.arrays import Array
from vhmae.engine.harmonizer import Harmonizer
from vhmae.engine.pointing import Shown, decide_shots
from vhmae.engine.priors import find_prior
from vhmae.engine.rendering import FrameTransform
from vhmae.errors import InputError
from vhmae.guide.decision import Decision
from vhmae.guide.document import Guide, Place, Point
from vhmae.guide.prior import Prior
from vhmae.guide.update import Key
from vhmae.video.cuts import THUMBNAIL, CutDetector
from vhmae.video.probe import VideoInfo
from vhmae.video.reader import to_uint8
from vhmae.work.analysis import Analysis
from vhmae.work.job import StreamJob
from vhmae.work.sources import Payload

AROUND = 24
"""Frames before and after a named one that its answer is smoothed over."""


@dataclasses.dataclass(frozen=True)
class Heard:
    """What came of a guide."""

    guide: dict[str, Any]
    """The guide, as its file would hold it."""
    points: list[dict[str, Any]]
    """For each point: what was asked, what came out, what is left."""
    warnings: list[str]
    unknown: dict[Key, Prior]
    """What is still not known of the answers that something was said of."""


def hear_guide(analysis: Analysis, first: int = 0) -> Heard | None:
    """Tell the harmonizers of a job what its guide says; None where it says nothing.

    Args:
        first: the frame that the stream will begin with; shots are counted from there.
    Raises:
        InputError: for places, frames or objects that the video does not have.
    """
    guide = analysis.sources.job.words.read()
    if not guide:
        return None
    hearing = Hearing(analysis, guide, first)
    rows: list[dict[str, Any]] = []
    unknown: dict[Key, Prior] = {}
    for place, harmonizer in enumerate(analysis.harmonizers):
        for shot, decision in hearing.decide(guide, place).items():
            own = None if shot is None else shot - hearing.named.offset
            harmonizer.tell(decision.change, own)
            rows += guided_rows(decision, guide, place + 1, shot)
            unknown[place + 1, own] = Prior(decision.covariance, np.ones(1), np.ones(1))
    return Heard(guide.to_tree(), rows, hearing.warnings, unknown)


class Hearing:
    """The frames that a guide names, looked at once: what follows from it, and from others that
    name these frames alone."""

    def __init__(self, analysis: Analysis, guide: Guide, first: int = 0) -> None:
        """Look at the frames; arguments and errors as of :func:`hear_guide`."""
        sources = analysis.sources
        info = sources.info
        width, height = info.width, info.height
        if info.turned % 180:
            width, height = height, width
        guide.check_fits(width, height, info.frames, sources.objects)
        self.analysis = analysis
        self.prior, self.warnings = find_prior(sources.job.weights)
        self.named = Named(analysis, guide, first)

    def decide(self, guide: Guide, place: int) -> dict[int | None, Decision]:
        """What is added to the maps of an object (from 0), by number of the shot; None stands for
        all shots."""
        return decide_shots(
            self.prior,
            as_stored(guide, self.analysis.sources.info),
            lambda number: self.named.shown(number, place),
            thing=place + 1,
            first=self.named.default,
            strength=self.analysis.harmonizers[place].strength,
        )


class Named:
    """The frames that a guide names, read once, each with its shot and the network's answer."""

    def __init__(self, analysis: Analysis, guide: Guide, first: int) -> None:
        self.analysis = analysis
        self.frames: dict[int, tuple[Payload, int]] = {}
        self.default = guide.frames[0] if guide.frames else -1
        self.offset = 0
        """Cuts before the stream's first frame."""
        wanted, last = set(guide.frames), max([*guide.frames, first])
        detects = analysis.harmonizers[0].cut_detection
        detector, shot = CutDetector(), 0
        for payload in analysis.sources.frames():
            index = payload.timed.index
            cut = index in analysis.sources.cuts
            if detects:
                cut = detector.step(payload.timed.image.thumbnail(*THUMBNAIL)) or cut
            shot += cut
            self.offset = shot if index <= first else self.offset
            if self.default < 0 and payload.mattes[0].any():
                self.default, wanted = index, {index}
            if index in wanted:
                self.frames[index] = payload, shot
            if index >= last and self.default >= 0:
                break
        missing = sorted(wanted - self.frames.keys())
        if missing:
            raise InputError(
                f"names frame {missing[0]}, which lies outside `start` and `end`", field="guide"
            )
        self._answers: dict[tuple[int, int], FrameTransform] = {}

    def shown(self, number: int, place: int) -> Shown:
        """A frame as an object's points see it."""
        payload, shot = self.frames[number]
        matte = payload.mattes[place]
        if not matte.any():
            raise InputError(f"frame {number} has no foreground; name another", field="guide")
        if (number, place) not in self._answers:
            answer = answer_among_neighbors(self.analysis, number, place)
            self._answers[number, place] = answer
        frame = to_uint8(payload.timed.image.rgb())
        return Shown(frame, matte, self._answers[number, place], shot)


def answer_among_neighbors(analysis: Analysis, number: int, place: int) -> FrameTransform:
    """What the network says of a frame among its neighbors, before strength and any guide.

    Args:
        place: of the object, from 0.
    Raises:
        InputError: where nothing can be said of it.
    """
    sources, own = analysis.sources, analysis.harmonizers[place]
    plain = dataclasses.replace(sources.job, strength=1.0, keep=())
    harmonizer = Harmonizer.from_settings(plain, own.network, cut_detection=own.cut_detection)
    first = max(0, number - AROUND)
    released = []
    for payload in itertools.islice(sources.frames(first), number - first + AROUND + 1):
        timed = payload.timed
        cut = timed.index in sources.cuts
        released += harmonizer.push(
            timed.index, timed.image.thumbnail, payload.mattes[place], cut=cut
        )
    for one in itertools.chain(released, harmonizer.drain_lazily()):
        if one.payload == number and isinstance(one.change, FrameTransform):
            return one.change
    raise InputError(f"frame {number}: nothing can be said of it; name another", field="guide")


def as_stored(guide: Guide, info: VideoInfo) -> Guide:
    """The guide with its places where the video stores them: files may tell players to turn
    frames."""
    if not info.turned % 360:
        return guide

    def placed(at: Place) -> Place:
        x, y = at
        last_column, last_row = info.width - 1, info.height - 1
        turns = round(info.turned / 90) % 4
        return {1: (last_column - y, x), 2: (last_column - x, last_row - y), 3: (y, last_row - x)}[
            turns
        ]

    def moved(point: Point) -> Point:
        to = point.to if point.place is None else placed(point.place)
        return dataclasses.replace(point, at=placed(point.at), to=to)

    return dataclasses.replace(guide, points=tuple(map(moved, guide.points)))


def guided_rows(
    decision: Decision, guide: Guide, thing: int, shot: int | None
) -> list[dict[str, Any]]:
    """What came of each point, for reports."""

    def levels(color: Array) -> list[float]:
        return [round(255.0 * float(value), 2) for value in color]

    return [
        {
            "point": row.number,
            "object": thing,
            "shot": shot,
            "asked": guide.points[row.number - 1].words(),
            "composite": levels(row.composite),
            "answer": levels(row.answer),
            "got": levels(row.got),
            "levels_left": round(row.levels_left, 2),
            "clipped": row.clipped,
            "contradicts": row.contradicts,
        }
        for row in decision.points
    ]


def guided_report(heard: Heard | None) -> dict[str, Any]:
    """What a report holds of a guide: the guide, so that flags become a file, and what came of each
    point."""
    return {} if heard is None else {"guide": heard.guide, "guided": heard.points}


# --- streams, of which nobody knows what comes


def hear_stream(job: StreamJob, harmonizer: Harmonizer, info: VideoInfo) -> None:
    """Have a harmonizer of a stream's frames (anything, planes, matte) hear the job's guide.

    Raises:
        InputError: for places or objects that the stream does not have.
    """
    guide = job.words.read()
    if guide:
        guide.check_fits(info.width, info.height, None)
        harmonizer.guide(guide, look=lambda payload: (to_uint8(payload[1].rgb()), payload[2]))


def stream_report(harmonizer: Harmonizer) -> dict[str, Any]:
    """As :func:`guided_report`, at the end of a stream."""
    guide, decisions = harmonizer.listener.guide, harmonizer.listener.decisions
    if not guide:
        return {}
    rows = [row for shot, one in decisions.items() for row in guided_rows(one, guide, 1, shot)]
    return {"guide": guide.to_tree(), "guided": rows}


def stream_warnings(job: StreamJob, harmonizer: Harmonizer) -> list[str]:
    """What a user should know of the guide at the end of a stream."""
    listener = harmonizer.listener
    if not listener.guide:
        return []
    frames = ", ".join(map(str, listener.unheard))
    told = f"`guide`: frames {frames} did not come or show no foreground: what names them was not "
    return [*find_prior(job.weights)[1], *([f"{told}heard"] if frames else [])]
