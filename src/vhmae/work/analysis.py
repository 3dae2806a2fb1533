"""Asking the network what is to be done to a video: what harmonizing, previews and grades begin
with."""

from __future__ import annotations

import bisect
import contextlib
import functools
from collections.abc import Callable, Generator, Iterator
from typing import Any, NamedTuple

from vhmae.arrays import Array
from vhmae.engine.backends import idle_gpu
from vhmae.engine.harmonizer import Harmonizer
from vhmae.engine.moving import Move, outside
from vhmae.engine.networks import WindowNetwork
from vhmae.engine.priors import told_of_skin
from vhmae.engine.remarks import told_of_borrowed
from vhmae.engine.rendering import ColorChange, Released
from vhmae.engine.settings import HarmonizerSettings
from vhmae.engine.sight import MINIMUM_BACKGROUND, Thumbnail, shows_background
from vhmae.engine.survey import ShotSurvey, Survey
from vhmae.errors import InputError, counted
from vhmae.overlap import BusyTimes, run_ahead
from vhmae.video.cuts import ShotCounter
from vhmae.work.job import AnalysisJob
from vhmae.work.sources import Payload, Sources, check_guide, read_still
from vhmae.work.waiting import Again, Waiting, is_kept

STAGES = ("decode", "network", "render", "encode")
SURVEYED_AHEAD = 2
"""Frames read ahead of a look at whole shots."""
BACKGROUND = 0
"""What reports call the background where they number objects, from 1."""


class Ready(NamedTuple):
    """A frame with what is to be done to each of its parts that move."""

    payload: Payload
    covers: tuple[Array, ...]
    """The matte of each part: those of the objects, then that of the background, as they move."""
    changes: tuple[ColorChange | None, ...]
    """None for a part that is not in the frame."""
    shot: int
    """Number of its shot, from 0."""
    shares: tuple[float, ...]
    """How much of what is said of the shot each change holds: less of it in a fade."""


class Analysis:
    """A job's sources, with a harmonizer for each of its parts that move."""

    def __init__(self, sources: Sources, network: WindowNetwork | None = None) -> None:
        """Load what the job names.

        Args:
            network: that of the job's weights, where it is open already.
        """
        job = sources.job
        self.sources = sources
        self.busy = BusyTimes(STAGES)
        self.reference = read_still(job.reference) if job.reference else None
        more: dict[str, Any] = {
            "cut_detection": job.cut_detection and job.cuts is None,
            "reference": self.reference,
        }
        self.move = Move.parse(job.move)
        self.harmonizers: list[Harmonizer] = []
        self.objects: list[int] = []
        """What each harmonizer is of: the number of an object, or ``BACKGROUND``."""
        self._surveys: list[Survey] = []
        """Of each harmonizer, once whole shots have been looked at."""
        self._begins: list[int] = []
        """The first frame of each shot that was surveyed."""
        self._bare = range(0)
        """Frames of the shot looked at last in which no foreground was found."""
        for side in self.move.sides:
            of_foreground = side.of == "foreground"
            for number in range(1, sources.objects + 1) if of_foreground else [BACKGROUND]:
                find = functools.partial(self._other_side_of, len(self.harmonizers))
                strength = job.strength * self.move.share(side)
                own = {"move": "foreground", "side": side, "strength": strength, **more}
                harmonizer = Harmonizer.from_settings(job, network, find_background=find, **own)
                self.harmonizers.append(harmonizer)
                self.objects.append(number)
                network = harmonizer.network

        self._again = Again(sources)
        waiting = min(sources.info.frames, 1 + max(one.latency_frames for one in self.harmonizers))
        self.keeps_frames = is_kept(sources, waiting)
        """Whether frames wait for the network as they are; else they are read again."""

    def covers(self, mattes: tuple[Array, ...]) -> tuple[Array, ...]:
        """The matte of what each harmonizer moves, by those of the objects."""
        moving = mattes if self.move.foreground else ()
        return (*moving, *((outside(mattes),) if self.move.background else ()))

    def dial_sides(
        self, place: int, mattes: tuple[Array, ...], covers: tuple[Array, ...]
    ) -> tuple[Array, ...]:
        """The mattes that a frame must show for a part's dials to be fitted in it: a background
        needs a foreground, too."""
        if self.objects[place] == BACKGROUND and covers[place].any():
            return mattes
        return (covers[place],)

    def survey(self, advance: Callable[[int], None] = lambda frames: None) -> None:
        """Look at whole shots where the quality asks for it, before all frames are harmonized;
        ``advance`` is told of the frames seen."""
        for number in self.survey_lazily():
            advance(number)

    def survey_lazily(self) -> Iterator[int]:
        """As :meth:`survey`, one frame at a time; gives their number so far."""
        wanting = [
            harmonizer
            for harmonizer in self.harmonizers
            if harmonizer.wants_survey and harmonizer.surveyed is None
        ]
        if not wanting:
            return
        surveys = [harmonizer.begin_survey() for harmonizer in wanting]
        begins: list[int] = []
        with self.busy.working("network"):
            frames = run_ahead(self.sources.frames(), self.sources.ahead(SURVEYED_AHEAD))
            for number, (timed, mattes) in enumerate(frames, 1):
                for survey, matte in zip(surveys, self.covers(mattes), strict=True):
                    survey.look_at(timed.image.thumbnail, matte, timed.index in self.sources.cuts)
                if surveys[0].shot == len(begins):
                    begins.append(timed.index)
                yield number
        for harmonizer, survey in zip(wanting, surveys, strict=True):
            harmonizer.surveyed = survey
        self._surveys, self._begins = surveys, begins

    def surveyed_at(self, index: int, place: int) -> ShotSurvey | None:
        """What is known of the whole shot of a frame, for a stream that begins in the midst of it;
        None where whole shots have not been looked at.

        Args:
            place: of the part that moves, from 0.
        """
        if not self._surveys:
            return None
        shot = bisect.bisect_right(self._begins, index) - 1
        return ShotSurvey(self._surveys[place].sets_of(shot))

    def harmonized(self, frames: Iterator[Payload]) -> Iterator[Ready]:
        """Frames with their changes of color, as they become ready."""
        try:
            for payload in frames:
                yield from self.pushed(payload)
            yield from self.drained()
        finally:
            self.close()

    def pushed(self, payload: Payload) -> list[Ready]:
        """Take the next frame; what is ready by now, at most one."""
        timed, waiting = payload.timed, self.waiting(payload)
        cut = timed.index in self.sources.cuts
        with self.busy.working("network"):
            ready = [
                harmonizer.push(waiting, timed.image.thumbnail, matte, cut=cut)
                for harmonizer, matte in zip(
                    self.harmonizers, self.covers(payload.mattes), strict=True
                )
            ]
        return [self._together(one) for one in zip(*ready, strict=True)]

    def drained(self) -> Iterator[Ready]:
        """The frames that wait, at the end of the stream."""
        rest = zip(*(harmonizer.drain_lazily() for harmonizer in self.harmonizers), strict=True)
        yield from map(self._together, self.busy.drawing("network", rest))

    def by_shot(
        self, frames: Generator[Payload, None, None]
    ) -> Generator[tuple[Payload, int], None, None]:
        """Frames, each with the number of its shot."""
        shots = ShotCounter(self.harmonizers[0].cut_detection, self.sources.cuts)
        with contextlib.closing(frames):
            for payload in frames:
                shots.step(payload.timed.index, payload.timed.image.thumbnail)
                yield payload, shots.shot

    def waiting(self, payload: Payload) -> Waiting:
        """A frame as it waits for the network: the harmonizers' payload."""
        return Waiting.of(payload, self.keeps_frames, self._again)

    def close(self) -> None:
        """Let go what waits to be read again."""
        self._again.close()

    def _together(self, released: tuple[Released, ...]) -> Ready:
        """What all harmonizers say of one frame."""
        waiting: Waiting = released[0].payload
        with self.busy.working("decode"):
            payload = waiting.payload
        self._again.drop()
        changes = tuple(one.change for one in released)
        shares = tuple(one.share for one in released)
        return Ready(payload, self.covers(payload.mattes), changes, released[0].shot, shares)

    def _other_side_of(self, place: int, waiting: Waiting) -> tuple[Thumbnail, Array] | None:
        return self.find_other_side(place, waiting.index)

    def find_other_side(self, place: int, begin: int) -> tuple[Thumbnail, Array] | None:
        """Read ahead from a frame that shows nothing of the other side to the next one of its shot
        that does; a background whose shot shows no foreground has none to be fitted to.

        Args:
            place: of the part that moves, from 0.
            begin: number of the frame.
        """
        harmonizer = self.harmonizers[place]
        of_background = self.objects[place] == BACKGROUND
        if of_background and begin in self._bare:
            return None
        last = begin
        shots = ShotCounter(harmonizer.cut_detection, self.sources.cuts)
        for timed, mattes in self.sources.frames(begin):
            if shots.step(timed.index, timed.image.thumbnail):
                break
            cover, last = self.covers(mattes)[place], timed.index
            if cover.any() and shows_background(cover):
                return timed.image.thumbnail, cover
        if of_background:
            self._bare = range(begin, last + 1)
            return None
        at = begin / float(self.sources.info.fps)
        name = self.sources.name_of(self.objects[place] - 1)
        raise InputError(
            f"{name}: shows no background in the shot at {at:.2f} s (frame {begin}); "
            f"{MINIMUM_BACKGROUND:.1%} of a frame is enough: check the mask there"
        )

    def told_of_prior(self) -> list[str]:
        """What is to be said of the prior that skin is heard by, where it is another's."""
        return told_of_skin(self.sources.job, self.harmonizers[0].network)

    def warnings(self, seen: int | None = None, damaged: int = 0) -> list[str]:
        """What the user should know of the work: of frames decoded (None: not all were asked for),
        and those of them that are damaged."""
        job, info, found = self.sources.job, self.sources.info, list(self.sources.warnings)
        lost = (
            0
            if seen is None
            else info.frames - self.sources.skipped_before - self.sources.skipped_after - seen
        )
        if lost:
            found.append(
                f"{job.composite} is damaged: {lost} of its {info.frames} frames could not be "
                f"decoded and {'was' if lost == 1 else 'were'} left out"
            )
        if damaged:
            found.append(
                f"{job.composite} is damaged: {damaged} of its frames "
                f"{'was' if damaged == 1 else 'were'} decoded in part"
            )
        if self.sources.layers is not None:
            found += self.sources.layers.told_of_lost()
        if self.sources.overlapping:
            found.append(
                "masks overlap: where they do, the later one is in front, and its object's change "
                "is made alone"
            )
        found += self.told_of_prior()
        found += idle_gpu(self.harmonizers[0].network, job.device)
        behind = [one for one in self.harmonizers if one.side.of == "background"]
        in_front = [one for one in self.harmonizers if one.side.of == "foreground"]
        borrowed = max([harmonizer.borrowed for harmonizer in in_front], default=0)
        bare = sum(harmonizer.unread for harmonizer in behind)
        if bare:
            found.append(
                f"{counted(bare, 'frame')} {'stands' if bare == 1 else 'stand'} in shots without "
                "foreground: their background has nothing to "
                "be fitted to and was left as it is"
            )
        found += told_of_borrowed(borrowed)
        if info.guessed_matrix and info.height >= 720:
            found.append(
                f"{job.composite} does not say its color matrix; took {info.encoding.matrix}, "
                "`colorspace` overrules it"
            )
        return found


def open_analysis(job: AnalysisJob, network: WindowNetwork | None = None) -> Analysis:
    """A job's sources, checked, with its harmonizers."""
    sources = Sources(job)
    sources.check()
    guide = check_guide(sources)
    analysis = Analysis(sources, network)
    if guide:
        analysis.harmonizers[0].require_maps()
    return analysis


def told_of_move(job: HarmonizerSettings) -> list[str]:
    """What is given up where the background moves; no fault that ``strict`` would refuse, since it
    was asked for."""
    if not Move.parse(job.move).background:
        return []
    return [f"`move` {job.move}: the background is changed, nothing outside the mask is untouched"]
