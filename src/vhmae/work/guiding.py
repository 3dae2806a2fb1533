"""A guide heard by a job: the frames that it names are read first, so that a word rules its whole
shot."""

from __future__ import annotations

import dataclasses
import itertools
from collections.abc import Callable
from typing import Any

import numpy as np

from vhmae.arrays import Array
from vhmae.engine.harmonizer import Harmonizer
from vhmae.engine.pointing import Shown, decide_shots
from vhmae.engine.priors import find_prior
from vhmae.engine.rendering import FrameTransform
from vhmae.engine.settings import HarmonizerSettings
from vhmae.errors import InputError
from vhmae.guide.decision import Decision
from vhmae.guide.document import Guide, Place, Point
from vhmae.guide.prior import Prior
from vhmae.guide.update import Key
from vhmae.video.cuts import THUMBNAIL, CutDetector
from vhmae.video.probe import VideoInfo
from vhmae.video.reader import to_uint8
from vhmae.work.analysis import Analysis, open_analysis
from vhmae.work.job import AnalysisJob, StreamJob
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


def hear_guide(
    analysis: Analysis, first: int = 0, said_of: AnalysisJob | None = None
) -> Heard | None:
    """Tell the harmonizers of a job what its guide says; None where it says nothing.

    Args:
        first: the frame that the stream will begin with; shots are counted from there.
        said_of: the job whose frames the guide names, where that is another shot of the scene; the
            guide rules all shots, and what follows from it there is told here.
    Raises:
        InputError: for places, frames or objects that the video does not have.
    """
    guide = analysis.sources.job.words.read()
    if not guide:
        return None
    seen = analysis if said_of is None else _of_the_scene(analysis, said_of)
    hearing = Hearing(seen, guide, first if said_of is None else 0)
    rows: list[dict[str, Any]] = []
    unknown: dict[Key, Prior] = {}
    for thing, harmonizer in zip(analysis.objects, analysis.harmonizers, strict=True):
        if thing not in seen.objects:
            continue
        for shot, decision in hearing.decide(guide, seen.objects.index(thing)).items():
            own = None if shot is None else shot - hearing.named.offset
            harmonizer.tell(decision.change, own)
            rows += guided_rows(decision, guide, thing, shot)
            unknown[thing, own] = Prior(decision.covariance, np.ones(1), np.ones(1))
    _check_heard(guide, rows)
    return Heard(guide.to_tree(), meeting(rows), hearing.warnings, unknown)


def _of_the_scene(analysis: Analysis, said_of: AnalysisJob) -> Analysis:
    """Another shot of the scene, looked at as this job's is."""
    own = analysis.sources.job
    how = {
        name: getattr(own, name)
        for name in (field.name for field in dataclasses.fields(HarmonizerSettings))
        if name != "cut_detection"  # what a cut is, each video knows for itself
    }
    found = open_analysis(dataclasses.replace(said_of, **how), analysis.harmonizers[0].network)
    found.survey()
    return found


def _check_heard(guide: Guide, rows: list[dict[str, Any]]) -> None:
    """Refuse points that no part that moves has heard."""
    heard = {row["point"] for row in rows}
    for number, point in enumerate(guide.points, 1):
        if number not in heard:
            raise InputError(
                f"point {number} ({point.words()}): lies neither in its object nor in the "
                "background; choose another place"
            )


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
        """What is added to the maps of a part that moves (from 0), by number of the shot; None
        stands for all shots."""
        harmonizer, thing = self.analysis.harmonizers[place], self.analysis.objects[place]
        return decide_shots(
            self.prior,
            as_stored(guide, self.analysis.sources.info),
            lambda number: self.named.shown(number, place),
            # Of the background, where it moves alone, is said what is said of the first object.
            thing=max(thing, 1),
            first=self.named.default,
            strength=harmonizer.strength,
            side=harmonizer.side,
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
        """A frame as the points of a part see it."""
        payload, shot = self.frames[number]
        matte = self.analysis.covers(payload.mattes)[place]
        if not matte.any():
            raise InputError(f"frame {number} has no foreground; name another", field="guide")
        if (number, place) not in self._answers:
            answer = answer_among_neighbors(self.analysis, number, place)
            self._answers[number, place] = answer
        frame = to_uint8(payload.timed.image.rgb())
        return Shown(frame, matte, self._answers[number, place], shot)


def answer_among_neighbors(
    analysis: Analysis, number: int, place: int, check: Callable[[], None] = lambda: None
) -> FrameTransform:
    """What the network says of a frame among its neighbors, before strength and any guide; of the
    whole shot, where that has been surveyed.

    Args:
        place: of the part that moves, from 0.
        check: called between frames and windows; what it raises ends the work.
    Raises:
        InputError: where nothing can be said of it.
    """
    sources, own = analysis.sources, analysis.harmonizers[place]
    plain = dataclasses.replace(sources.job, strength=1.0, keep=(), move="foreground")
    harmonizer = Harmonizer.from_settings(
        plain, own.network, cut_detection=own.cut_detection, reference=analysis.reference
    )
    harmonizer.surveyed = analysis.surveyed_at(number, place)
    first = max(0, number - AROUND)
    released = []
    for payload in itertools.islice(sources.frames(first), number - first + AROUND + 1):
        check()
        timed = payload.timed
        cut = timed.index in sources.cuts
        matte = analysis.covers(payload.mattes)[place]
        released += harmonizer.push(timed.index, timed.image.thumbnail, matte, cut=cut)
    for one in itertools.chain(released, harmonizer.drain_lazily()):
        check()
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


def meeting(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The rows; where two sides have met at a point, what is left is what lies between them."""
    for row in rows:
        others = [
            one for one in rows if one["point"] == row["point"] and one["object"] != row["object"]
        ]
        for other in others:
            apart = np.subtract(row["got"], other["got"])
            row["levels_left"] = round(float(np.sqrt(np.square(apart).mean())), 2)
    return rows


def guided_report(heard: Heard | None) -> dict[str, Any]:
    """What a report holds of a guide: the guide, so that flags become a file, and what came of each
    point."""
    return {} if heard is None else {"guide": heard.guide, "guided": heard.points}


# --- streams, of which nobody knows what comes


def hear_stream(job: StreamJob, harmonizer: Harmonizer, info: VideoInfo) -> None:
    """Have a harmonizer of a stream's frames (anything, planes, the side's matte) hear the job's
    guide.

    Raises:
        InputError: for places or objects that the stream does not have.
    """
    guide = job.words.read()
    if guide:
        guide.check_fits(info.width, info.height, None)
        harmonizer.guide(guide, look=lambda payload: (to_uint8(payload[1].rgb()), payload[2]))


def stream_report(harmonizer: Harmonizer) -> dict[str, Any]:
    """As :func:`guided_report`, at the end of a stream."""
    guide = harmonizer.moving[0].listener.guide
    if not guide:
        return {}
    rows = [
        row
        for side in harmonizer.moving
        for shot, one in side.listener.decisions.items()
        for row in guided_rows(one, guide, int(side.side.of == "foreground"), shot)
    ]
    return {"guide": guide.to_tree(), "guided": meeting(rows)}


def stream_warnings(job: StreamJob, harmonizer: Harmonizer) -> list[str]:
    """What a user should know of the guide at the end of a stream."""
    listeners = [side.listener for side in harmonizer.moving]
    if not listeners[0].guide:
        return []
    unheard = {frame for listener in listeners for frame in listener.unheard}
    frames = ", ".join(map(str, sorted(unheard)))
    told = f"`guide`: frames {frames} did not come or show no foreground: what names them was not "
    return [*find_prior(job.weights)[1], *([f"{told}heard"] if frames else [])]
