"""A guide heard by a job: the frames that it names are read first, so that a word rules its whole
shot."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import numpy as np

from vhmae.arrays import Array
from vhmae.engine.harmonizer import Harmonizer
from vhmae.engine.pointing import decide_shots
from vhmae.engine.priors import find_prior, told_of_skin
from vhmae.engine.settings import HarmonizerSettings
from vhmae.engine.solid import solid_of
from vhmae.errors import PointError
from vhmae.guide.colors import SIZE
from vhmae.guide.decision import Decision
from vhmae.guide.document import Guide, Place, Point
from vhmae.guide.prior import Prior
from vhmae.guide.update import Key
from vhmae.memory import check_memory
from vhmae.video.probe import VideoInfo
from vhmae.video.reader import to_uint8
from vhmae.video.source import shown_until
from vhmae.work.analysis import BACKGROUND, Analysis, open_analysis
from vhmae.work.job import AnalysisJob, StreamJob
from vhmae.work.named import AROUND, Named
from vhmae.work.sources import Sources, check_guide

HELD_BYTES = 4
"""Of each pixel of a frame that a stream's guide names: colors and matte, held to its end."""
Decisions = dict[int | None, Decision]
"""By number of the shot; None stands for all shots that have nothing of their own."""


@dataclasses.dataclass(frozen=True)
class Heard:
    """What came of a guide."""

    guide: dict[str, Any]
    """The guide, as its file would hold it."""
    points: list[dict[str, Any]]
    """For each point: what was asked, what came out, what is left; shots are counted from 0."""
    warnings: list[str]
    unknown: dict[Key, Prior]
    """What is still not known of the answers that something was said of."""


def hear_guide(
    analysis: Analysis,
    first: int = 0,
    scene_leader: AnalysisJob | None = None,
    until: int | None = None,
) -> Heard | None:
    """Tell the harmonizers of a job what its guide says; None where it says nothing.

    Args:
        first: the frame that the stream will begin with; shots are counted from there.
        scene_leader: the job whose frames the guide names, where that is another shot of the scene;
            the guide rules all shots, and what follows from it there is told here.
        until: the frame that alone is wanted: what comes after its shot need not be heard. None is
            all of them.
    Raises:
        InputError: for places, frames or objects that the video does not have.
    """
    guide = check_guide(analysis.sources, scene_leader)
    if not guide:
        return None
    analysis.harmonizers[0].require_maps()
    if scene_leader is None:
        hearing = guide_frames_of(analysis, guide, first, until)
        seen = hearing.analysis
    else:
        seen = _of_the_scene(analysis, scene_leader, guide)
        told = Named(analysis, Guide(), until=until)
        hearing = GuideFrames(Named(seen, guide, until=until), told)
    rows: list[dict[str, Any]] = []
    heard: set[int] = set()
    unknown: dict[Key, Prior] = {}
    parts = zip(analysis.objects, analysis.harmonizers, strict=True)
    for place, (object_number, harmonizer) in enumerate(parts):
        if object_number not in seen.objects:
            continue
        found = hearing.decide(guide, seen.objects.index(object_number), place)
        if until is not None:
            # Whatever shots are found by who begins within one: the frame gets what is its shot's.
            wanted = found.get(hearing.named.until_shot, found.get(None))
            harmonizer.tell(np.zeros(SIZE) if wanted is None else wanted.change)
        for shot, decision in found.items():
            heard |= {row.number for row in decision.points}
            if not hearing.named.is_kept(shot):
                continue
            own = None if shot is None else shot - hearing.named.offset
            if until is None:
                harmonizer.tell(decision.change, own)
            rows += guided_rows(decision, guide, object_number, shot)
            if decision.has_words:  # dials tell nothing of what is right
                unknown[object_number, own] = Prior(decision.remaining, np.ones(1), np.ones(1))
    _check_heard(guide, heard)
    rows = meeting(rows)
    return Heard(guide.to_tree(), rows, [*hearing.warnings, *told_of_points(rows)], unknown)


def guide_frames_of(
    analysis: Analysis, guide: Guide, first: int = 0, until: int | None = None
) -> GuideFrames:
    """The frames that a guide names, looked at; those outside of what is kept are looked at in the
    whole video, since a word rules its whole shot. Arguments and errors as of :func:`hear_guide`.
    """
    kept = analysis.sources.within()
    job = _reaching(analysis.sources, guide)
    if job is None:
        return GuideFrames(Named(analysis, guide, first, until))
    whole = open_analysis(job, analysis.harmonizers[0].network)
    whole.survey()
    return GuideFrames(Named(whole, guide, max(first, kept.start), until, kept))


def _reaching(sources: Sources, guide: Guide) -> AnalysisJob | None:
    """The job, as far as what a guide names reaches out of what is kept; None where it does not."""
    kept, job = sources.within(), sources.job
    if all(frame in kept for frame in guide.frames):
        return None
    last = max(guide.frames)
    if sources.layers is None:  # layers may end where both of them do
        last = min(last + AROUND, sources.info.frames - 1)
    end = None if job.end is None else max(job.end, shown_until(sources.info, last))
    return dataclasses.replace(job, start=0.0, end=end)


def _of_the_scene(analysis: Analysis, scene_leader: AnalysisJob, guide: Guide) -> Analysis:
    """Another shot of the scene, looked at as this job's is."""
    own = analysis.sources.job
    how = {
        name: getattr(own, name)
        for name in (field.name for field in dataclasses.fields(HarmonizerSettings))
        if name != "cut_detection"  # what a cut is, each video knows for itself
    }
    network = analysis.harmonizers[0].network
    found = open_analysis(dataclasses.replace(scene_leader, **how), network)
    if (job := _reaching(found.sources, guide)) is not None:
        found = open_analysis(job, network)
    found.survey()
    return found


def _check_heard(guide: Guide, heard: set[int]) -> None:
    """Refuse points that no part that moves has heard."""
    for number, point in enumerate(guide.points, 1):
        if number not in heard:
            raise point.error(
                number,
                "lies neither in its object nor in the background; choose another place",
            )


class GuideFrames:
    """The frames that a guide names, looked at: what follows from it, and from others that name
    these frames alone."""

    def __init__(self, named: Named, told: Named | None = None) -> None:
        """Look at frames.

        Args:
            named: the frames, of the video that is looked at.
            told: of the video that is told what follows, where it is another one.
        """
        self.named, self.told = named, told or named
        self.analysis = named.analysis
        self.prior, warnings = find_prior(self.analysis.sources.job.weights)
        self.warnings = [] if self.analysis.told_of_prior() else warnings  # once is enough

    def decide(self, guide: Guide, place: int, told: int | None = None) -> Decisions:
        """What is added to the maps of a part that moves, by number of the shot; None stands for
        all shots that have nothing of their own.

        Args:
            place: of the part, from 0.
            told: its place in the video that is told, where it is another one.
        """
        harmonizer, object_number = self.analysis.harmonizers[place], self.analysis.objects[place]
        stored = as_stored(guide, self.analysis.sources.info)
        try:
            return decide_shots(
                self.prior,
                stored,
                lambda number: self.named.shown(number, place),
                # Of the background, where it moves alone, is said what is said of the first object.
                object_number=max(object_number, 1),
                firsts=lambda: self.told.firsts(place if told is None else told),
                elsewhere=self.told is not self.named,
                strength=harmonizer.strength,
                keep=harmonizer.keep,
                side=harmonizer.side,
            )
        except PointError as error:
            more = self._whose(stored.points[error.number - 1]) if error.outside_mask else ""
            raise as_said(error, guide, more) from None

    def _whose(self, point: Point) -> str:
        """On which object a point lies that lies outside its own."""
        covers = self.analysis.covers(self.named.read(point.frame)[0].mattes)
        sizes = covers[0].shape[::-1]
        column, row = (
            min(max(round(at), 0), size - 1) for at, size in zip(point.at, sizes, strict=True)
        )
        for object_number, cover in zip(self.analysis.objects, covers, strict=True):
            if object_number not in (point.object, BACKGROUND) and solid_of(cover)[row, column]:
                return f', or say "object": {object_number} in a guide file: it lies on that one'
        return ""


def as_said(error: PointError, guide: Guide, more: str = "") -> PointError:
    """An error about a place of the stored frame, about the one that the person named."""
    point = guide.points[error.number - 1]
    return point.error(error.number, f"{error.reason}{more}", error.outside_mask)


def as_stored(guide: Guide, info: VideoInfo) -> Guide:
    """The guide with its places where the video stores them: files may tell players to turn
    frames."""
    if not info.turned % 360:
        return guide

    def placed(at: Place) -> Place:
        x, y = at
        last_column, last_row = info.width - 1, info.height - 1
        turns = round(info.turned / 90) % 4
        column, row = {
            1: (last_column - y, x),
            2: (last_column - x, last_row - y),
            3: (y, last_row - x),
        }[turns]
        return max(0.0, column), max(0.0, row)  # the last pixel's far half lies before the first

    def moved(point: Point) -> Point:
        to = point.to if point.place is None else placed(point.place)
        return dataclasses.replace(point, at=placed(point.at), to=to)

    return dataclasses.replace(guide, points=tuple(map(moved, guide.points)))


def guided_rows(
    decision: Decision, guide: Guide, object_number: int, shot: int | None
) -> list[dict[str, Any]]:
    """What came of each point, for reports."""

    def levels(color: Array) -> list[float]:
        return [round(255.0 * float(value), 2) for value in color]

    return [
        {
            "point": row.number,
            "object": object_number,
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
    point, shots counted from 1."""
    return {} if heard is None else {"guide": heard.guide, "guided": _from_one(heard.points)}


def _from_one(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The rows with their shots numbered as reports number shots."""
    return [row if row["shot"] is None else {**row, "shot": row["shot"] + 1} for row in rows]


def told_of_points(rows: list[dict[str, Any]]) -> list[str]:
    """What a user should know of the points: which contradict one another, and which ask for what
    is cut off."""
    told = []
    for row in rows:
        what = f"`guide`: point {row['point']} ({row['asked']})"
        left = f"{row['levels_left']:.0f} levels are left of what it asks for"
        if row["contradicts"] is not None:
            told.append(f"{what} and point {row['contradicts']} contradict each other: {left}")
        elif row["clipped"]:
            told.append(f"{what}: its color is cut off at black or white: {left}")
    return told


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
        for number, point in enumerate(guide.points, 1):
            if point.to_picture == "reference":
                raise point.error(number, "a pipe has no reference; name a color")
        held = len(guide.frames) * info.width * info.height * HELD_BYTES * len(harmonizer.moving)
        check_memory(Path("-"), held, "name fewer frames, or harmonize a file in its place")
        prior = find_prior(job.weights)[0]  # the warning comes with the others
        harmonizer.guide(guide, prior, lambda payload: (to_uint8(payload[1].rgb()), payload[2]))


def stream_report(harmonizer: Harmonizer) -> dict[str, Any]:
    """As :func:`guided_report`, at the end of a stream."""
    guide = harmonizer.moving[0].stream_guide.guide
    if not guide:
        return {}
    return {"guide": guide.to_tree(), "guided": _from_one(stream_rows(harmonizer))}


def stream_rows(harmonizer: Harmonizer) -> list[dict[str, Any]]:
    """What came of each point that was heard: in its own shot, where that has dials of its own."""
    rows: dict[tuple[int, int], dict[str, Any]] = {}
    for side in harmonizer.moving:
        stream_guide, object_number = side.stream_guide, int(side.side.of == "foreground")
        for shot, one in stream_guide.decisions.items():
            for row in guided_rows(one, stream_guide.guide, object_number, shot):
                if shot is not None or (row["point"], object_number) not in rows:
                    rows[row["point"], object_number] = row
    return meeting(list(rows.values()))


def stream_warnings(job: StreamJob, harmonizer: Harmonizer) -> list[str]:
    """What a user should know of the guide at the end of a stream."""
    listeners = [side.stream_guide for side in harmonizer.moving]
    if not listeners[0].guide:
        return told_of_skin(job, harmonizer.network)
    unheard = set.intersection(*({*stream_guide.unheard} for stream_guide in listeners))
    chosen = {choice.frame for choice in listeners[0].guide.choices}  # the first side's alone
    unheard |= chosen & {*listeners[0].unheard}
    frames = ", ".join(map(str, sorted(unheard)))
    told = f"`guide`: frames {frames} did not come or show no foreground: what names them was not "
    warnings = [*find_prior(job.weights)[1], *told_of_points(stream_rows(harmonizer))]
    return [*warnings, *([f"{told}heard"] if frames else [])]
