"""A guide heard by a job: the frames that it names are read first, so that a word rules its whole
shot."""

from __future__ import annotations

import contextlib
import dataclasses
import itertools
from collections.abc import Callable, Generator, Iterator
from pathlib import Path
from typing import Any

import numpy as np

from vhmae.arrays import Array, Picture
from vhmae.engine.harmonizer import Harmonizer
from vhmae.engine.listening import Came
from vhmae.engine.pointing import DialFrames, Shown, decide_shots
from vhmae.engine.priors import find_prior, told_of_skin
from vhmae.engine.rendering import FrameTransform, Released
from vhmae.engine.settings import HarmonizerSettings
from vhmae.errors import InputError
from vhmae.guide.decision import Decision
from vhmae.guide.document import Guide, Place, Point
from vhmae.guide.prior import Prior
from vhmae.guide.update import Key
from vhmae.memory import check_memory
from vhmae.video.probe import VideoInfo
from vhmae.video.reader import to_uint8
from vhmae.work.analysis import Analysis, open_analysis
from vhmae.work.job import AnalysisJob, StreamJob
from vhmae.work.sources import Payload, check_fits, check_guide

AROUND = 24
"""Frames before and after a named one that its answer is smoothed over."""
HELD_BYTES = 4
"""Of each pixel of a frame that a stream's guide names: colors and matte, held to its end."""
HELD_FRAMES = 2
"""Named frames that are held at a time: a point may take after another frame."""
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
    said_of: AnalysisJob | None = None,
    until: int | None = None,
) -> Heard | None:
    """Tell the harmonizers of a job what its guide says; None where it says nothing.

    Args:
        first: the frame that the stream will begin with; shots are counted from there.
        said_of: the job whose frames the guide names, where that is another shot of the scene; the
            guide rules all shots, and what follows from it there is told here.
        until: the frame that alone is wanted: what comes after its shot need not be heard. None is
            all of them.
    Raises:
        InputError: for places, frames or objects that the video does not have.
    """
    guide = check_guide(analysis.sources, said_of)
    if not guide:
        return None
    analysis.harmonizers[0].require_maps()
    if said_of is None:
        hearing = hearing_of(analysis, guide, first, until)
        seen = hearing.analysis
    else:
        seen = _of_the_scene(analysis, said_of)
        hearing = Hearing(seen, guide, until=until, told=analysis)
    rows: list[dict[str, Any]] = []
    heard: set[int] = set()
    unknown: dict[Key, Prior] = {}
    parts = zip(analysis.objects, analysis.harmonizers, strict=True)
    for place, (thing, harmonizer) in enumerate(parts):
        if thing not in seen.objects:
            continue
        for shot, decision in hearing.decide(guide, seen.objects.index(thing), place).items():
            heard |= {row.number for row in decision.points}
            if not hearing.named.is_kept(shot):
                continue
            own = None if shot is None else shot - hearing.named.offset
            harmonizer.tell(decision.change, own)
            rows += guided_rows(decision, guide, thing, shot)
            unknown[thing, own] = Prior(decision.remaining, np.ones(1), np.ones(1))
    _check_heard(guide, heard)
    rows = meeting(rows)
    return Heard(guide.to_tree(), rows, [*hearing.warnings, *told_of_points(rows)], unknown)


def hearing_of(
    analysis: Analysis, guide: Guide, first: int = 0, until: int | None = None
) -> Hearing:
    """The frames that a guide names, looked at; those outside of what is kept are looked at in the
    whole video, since a word rules its whole shot. Arguments and errors as of :func:`hear_guide`.
    """
    kept = analysis.sources.within()
    if all(frame in kept for frame in guide.frames):
        return Hearing(analysis, guide, first, until)
    job = dataclasses.replace(analysis.sources.job, start=0.0, end=None)
    whole = open_analysis(job, analysis.harmonizers[0].network)
    whole.survey()
    return Hearing(whole, guide, max(first, kept.start), until, kept=kept)


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


def _check_heard(guide: Guide, heard: set[int]) -> None:
    """Refuse points that no part that moves has heard."""
    for number, point in enumerate(guide.points, 1):
        if number not in heard:
            raise InputError(
                f"point {number} ({point.words()}): lies neither in its object nor in the "
                "background; choose another place"
            )


class Hearing:
    """The frames that a guide names, looked at: what follows from it, and from others that name
    these frames alone."""

    def __init__(
        self,
        analysis: Analysis,
        guide: Guide,
        first: int = 0,
        until: int | None = None,
        told: Analysis | None = None,
        kept: range | None = None,
    ) -> None:
        """Look at the frames; arguments and errors as of :func:`hear_guide`.

        Args:
            told: the video that is told what follows, where it is another one than is looked at.
            kept: numbers of the frames that are told, where more of the video is looked at.
        """
        check_fits(guide, analysis.sources)
        self.analysis = analysis
        self.prior, warnings = find_prior(analysis.sources.job.weights)
        self.warnings = [] if analysis.told_of_prior() else warnings  # once is enough
        self.named = Named(analysis, guide, first, until, kept)
        self.told = self.named if told is None else Named(told, Guide(), until=until)

    def decide(self, guide: Guide, place: int, told: int | None = None) -> Decisions:
        """What is added to the maps of a part that moves, by number of the shot; None stands for
        all shots that have nothing of their own.

        Args:
            place: of the part, from 0.
            told: its place in the video that is told, where it is another one.
        """
        harmonizer, thing = self.analysis.harmonizers[place], self.analysis.objects[place]
        stored = as_stored(guide, self.analysis.sources.info)
        try:
            return decide_shots(
                self.prior,
                stored,
                lambda number: self.named.shown(number, place),
                # Of the background, where it moves alone, is said what is said of the first object.
                thing=max(thing, 1),
                firsts=lambda: self.told.firsts(place if told is None else told),
                elsewhere=self.told is not self.named,
                strength=harmonizer.strength,
                keep=harmonizer.keep,
                side=harmonizer.side,
            )
        except InputError as error:
            raise as_said(error, guide, stored) from None


class Named:
    """The frames that a guide names, each with its shot and the network's answer; they are read
    when they are asked for, and the last few alone are held."""

    def __init__(
        self,
        analysis: Analysis,
        guide: Guide,
        first: int = 0,
        until: int | None = None,
        kept: range | None = None,
    ) -> None:
        self.analysis = analysis
        self.until = until
        self.kept = kept
        self.offset = 0
        """Cuts before the stream's first frame, from the first that is kept."""
        self.shots: dict[int, int] = {}
        """The shots of the frames; that of the first frame that is kept is 0."""
        self._last_kept: int | None = None
        """The last shot that is kept, where frames behind it are named."""
        self._held: dict[int, tuple[Payload, Picture]] = {}
        self._answers: dict[tuple[int, int], Came] = {}
        self._firsts: list[dict[int, int]] | None = None
        wanted, last = set(guide.frames), max([*guide.frames, first])
        if last == 0 and not wanted:
            return
        before = last_kept = 0
        is_past = False
        with contextlib.closing(self.analysis.by_shot(self.analysis.sources.frames())) as frames:
            for payload, shot in frames:
                index = payload.timed.index
                self.offset = shot if index <= first else self.offset
                if kept is not None:
                    before = shot if index <= kept.start else before
                    last_kept = shot if index < kept.stop else last_kept
                    is_past |= index >= kept.stop
                if index in wanted:
                    self.shots[index] = shot
                if index >= last:
                    break
        self.shots = {index: shot - before for index, shot in self.shots.items()}
        self.offset -= before
        self._last_kept = last_kept - before if is_past else None
        missing = sorted(wanted - self.shots.keys())
        if missing:
            raise InputError(
                f"names frame {missing[0]}, which lies outside `start` and `end`; leave that word "
                "out, or keep its frame",
                field="guide",
            )

    def is_kept(self, shot: int | None) -> bool:
        """Whether any frame of a shot is kept; None stands for all shots."""
        if shot is None or self.kept is None:
            return True
        return shot >= 0 and (self._last_kept is None or shot <= self._last_kept)

    def read(self, number: int) -> tuple[Payload, Picture]:
        """A frame, and its RGB as shown, (H, W, 3) uint8."""
        if number not in self._held:
            with contextlib.closing(self.analysis.sources.frames(number)) as frames:
                payload = next(frames, None)
            if payload is None or payload.timed.index != number:
                raise InputError(f"frame {number} could not be read again", field="guide")
            while len(self._held) >= HELD_FRAMES:
                del self._held[next(iter(self._held))]
            self._held[number] = payload, to_uint8(payload.timed.image.rgb())
        return self._held[number]

    def shown(self, number: int, place: int) -> Shown:
        """A frame as the points of a part see it."""
        payload, frame = self.read(number)
        matte = self.analysis.covers(payload.mattes)[place]
        if not matte.any():
            raise InputError(f"frame {number} has no foreground; name another", field="guide")
        if (number, place) not in self._answers:
            self._answers[number, place] = came_among_neighbors(self.analysis, number, place)
        came = self._answers[number, place]
        return Shown(frame, matte, came.answer, self.shots[number], came.share)

    def firsts(self, place: int) -> Iterator[tuple[int, Shown]]:
        """For each shot that shows a part, a frame that its dials are fitted in: the first that
        shows its foreground solid somewhere, else the first that shows it at all."""
        if self._firsts is None:
            self._firsts = self._find_firsts()
        for shot, number in self._firsts[place].items():
            self.shots[number] = shot
            yield shot, self.shown(number, place)

    def _find_firsts(self) -> list[dict[int, int]]:
        analysis = self.analysis
        parts = range(len(analysis.harmonizers))
        found = DialFrames(len(parts))
        asked: int | None = None
        begin = 0 if self.kept is None else self.kept.start
        with contextlib.closing(analysis.by_shot(analysis.sources.frames(begin))) as frames:
            for payload, shot in frames:
                index, covers = payload.timed.index, analysis.covers(payload.mattes)
                if asked is not None and shot != asked:
                    break
                if self.kept is not None and index >= self.kept.stop:
                    break
                for place in parts:
                    sides = analysis.dial_sides(place, payload.mattes, covers)
                    found.look_at(place, shot, index, sides)
                if self.until is not None and index >= self.until:
                    asked = shot
                    if found.is_settled(shot):
                        break
        return [found.of(place) for place in parts]


def came_among_neighbors(
    analysis: Analysis, number: int, place: int, check: Callable[[], None] = lambda: None
) -> Came:
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
        plain,
        own.network,
        cut_detection=own.cut_detection,
        reference=analysis.reference,
        side=own.side,
        find_background=lambda index: analysis.find_other_side(place, index),
    )
    harmonizer.surveyed = analysis.surveyed_at(number, place)
    first = max(0, number - AROUND)

    def released() -> Generator[Released, None, None]:
        for payload in itertools.islice(sources.frames(first), number - first + AROUND + 1):
            check()
            timed = payload.timed
            cut = timed.index in sources.cuts
            matte = analysis.covers(payload.mattes)[place]
            yield from harmonizer.push(timed.index, timed.image.thumbnail, matte, cut=cut)
        yield from harmonizer.drain_lazily()

    with contextlib.closing(released()) as frames:
        for one in frames:
            check()
            if one.payload == number and isinstance(one.change, FrameTransform):
                came = harmonizer.listener.last
                assert came is not None, "what is changed was heard"
                return came
    raise InputError(f"frame {number}: nothing can be said of it; name another", field="guide")


def as_said(error: InputError, guide: Guide, stored: Guide) -> InputError:
    """An error about places of the stored frame, about those that the person named."""
    text = str(error)
    for number, (own, turned) in enumerate(zip(guide.points, stored.points, strict=True), 1):
        begun = f"point {number} ({turned.words()})"
        if text.startswith(begun):
            return InputError(f"point {number} ({own.words()}){text.removeprefix(begun)}")
    return error


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
        held = len(guide.frames) * info.width * info.height * HELD_BYTES * len(harmonizer.moving)
        check_memory(Path("-"), held, "name fewer frames, or harmonize a file in its place")
        prior = find_prior(job.weights)[0]  # the warning comes with the others
        harmonizer.guide(guide, prior, lambda payload: (to_uint8(payload[1].rgb()), payload[2]))


def stream_report(harmonizer: Harmonizer) -> dict[str, Any]:
    """As :func:`guided_report`, at the end of a stream."""
    guide = harmonizer.moving[0].listener.guide
    if not guide:
        return {}
    return {"guide": guide.to_tree(), "guided": _from_one(_stream_rows(harmonizer))}


def _stream_rows(harmonizer: Harmonizer) -> list[dict[str, Any]]:
    """What came of each point that was heard: in its own shot, where that has dials of its own."""
    rows: dict[tuple[int, int], dict[str, Any]] = {}
    for side in harmonizer.moving:
        listener, thing = side.listener, int(side.side.of == "foreground")
        for shot, one in listener.decisions.items():
            for row in guided_rows(one, listener.guide, thing, shot):
                if shot is not None or (row["point"], thing) not in rows:
                    rows[row["point"], thing] = row
    return meeting(list(rows.values()))


def stream_warnings(job: StreamJob, harmonizer: Harmonizer) -> list[str]:
    """What a user should know of the guide at the end of a stream."""
    listeners = [side.listener for side in harmonizer.moving]
    if not listeners[0].guide:
        return told_of_skin(job, harmonizer.network)
    unheard = {frame for listener in listeners for frame in listener.unheard}
    frames = ", ".join(map(str, sorted(unheard)))
    told = f"`guide`: frames {frames} did not come or show no foreground: what names them was not "
    warnings = [*find_prior(job.weights)[1], *told_of_points(_stream_rows(harmonizer))]
    return [*warnings, *([f"{told}heard"] if frames else [])]
