"""What a guide does to a clip that is looked at: its changes, what came of each point, what the
answer now is in words, and takes to choose from. The network is not asked here."""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from vhmae.app.looks import Look, Looks
from vhmae.app.maps import MapStore
from vhmae.app.refusals import Refused
from vhmae.app.samples import Samples
from vhmae.arrays import Array
from vhmae.color.yuv import ColorEncoding
from vhmae.engine.moving import Move, Side
from vhmae.engine.pointing import (
    DialFrames,
    Shown,
    check_same_shot,
    decide_shots,
    foreground_colors,
    mean_beside,
    point_of_side,
    see_point,
)
from vhmae.engine.settings import Kept
from vhmae.errors import InputError, MissingForeground, PointError
from vhmae.guide.colors import LEVELS, SIZE
from vhmae.guide.decision import Decision
from vhmae.guide.dials import DIALS, Dials
from vhmae.guide.document import Choice, Guide, Point
from vhmae.guide.prior import Prior
from vhmae.video.planes import PlanarFrame
from vhmae.video.probe import VideoInfo
from vhmae.work.analysis import BACKGROUND
from vhmae.work.diagnosis import diagnosis_of
from vhmae.work.guiding import as_stored, guided_rows, meeting

Decisions = dict[int, dict[int | None, Decision]]
"""By place of the part, from 0, and shot; None stands for all shots."""


@dataclasses.dataclass(frozen=True)
class Part:
    """A part of the composite that moves."""

    object_number: int
    """Number of an object, or ``BACKGROUND``."""
    side: Side


@dataclasses.dataclass(frozen=True)
class ClipGuide:
    """What is known of a clip, for guides to be heard."""

    info: VideoInfo
    objects: int
    """That have a mask."""
    parts: tuple[Part, ...]
    """What moves: looks, maps and samples are of these."""
    prior: Prior
    looks: Looks
    maps: MapStore
    samples: Samples
    default: int
    """A frame with foreground, whose colors dials are fitted in where nothing else is said or
    known."""
    dial_frames: DialFrames
    warnings: tuple[str, ...]

    @property
    def size(self) -> tuple[int, int]:
        """Width and height of the frame as it is shown."""
        turned = self.info.turned % 180
        return (
            (self.info.height, self.info.width) if turned else (self.info.width, self.info.height)
        )

    def named(self, guide: Guide, frame: int) -> list[int]:
        """The frames that must have been looked at, for what a guide does to a frame's shot."""
        found, shot = self._named(guide), self.shot_of(frame)
        for place in range(len(self.parts)):
            if self._turns_all(guide, place):
                fitted = self.dial_frames.of(place).get(shot)
                found += [] if fitted is None else [fitted]
        return list(dict.fromkeys(found))

    def _named(self, guide: Guide) -> list[int]:
        """The frames that a guide names, and the one that stands for none where it is wanted."""
        named = [frame for frame in guide.frames if frame < self.info.frames]
        wordless = any(self._is_wordless(guide, place) for place in range(len(self.parts)))
        return [*named, self.default] if guide.dials and wordless else named

    def _is_wordless(self, guide: Guide, place: int) -> bool:
        """Whether nothing but dials is said of a part."""
        object_number = max(self.parts[place].object_number, 1)
        named = [one.object for one in guide.points] + [one.object for one in guide.choices]
        return object_number not in named

    def _turns_all(self, guide: Guide, place: int) -> bool:
        """Whether dials turn all shots of a part, each in colors of its own."""
        is_led = guide.shots == "all" or self._is_wordless(guide, place)
        return bool(guide.dials) and is_led

    def pending(self, guide: Guide, frame: int) -> list[int]:
        """Those of them that were not looked at yet."""
        return [one for one in self.named(guide, frame) if not self.looks.has(one)]

    def shot_of(self, frame: int) -> int:
        """The shot of a frame; where nobody has come so far, that of the last one that is known."""
        if self.maps.known[frame]:
            return int(self.maps.shots[frame])
        before = np.flatnonzero(self.maps.known[:frame])
        return int(self.maps.shots[before[-1]]) if len(before) else 0

    @property
    def things(self) -> int:
        """Objects of which something can be said: of the background, where it moves alone, is said
        what is said of the first one."""
        return 1 if self.parts[0].object_number == BACKGROUND else self.objects

    def strengths(self, strength: float, move: Move) -> tuple[float, ...]:
        """How far each part goes.

        Raises:
            Refused: where others are to move; the clip is going to be opened anew.
        """
        if move.sides != tuple(dict.fromkeys(part.side for part in self.parts)):
            raise Refused("server.not-yet")
        return tuple(strength * move.share(part.side) for part in self.parts)

    # --- what is said

    def hear(
        self,
        guide: Guide,
        frame: int,
        strengths: Sequence[float],
        keep: Sequence[Kept],
        covariance: bool = False,
    ) -> dict[str, Any]:
        """What follows from a guide, as ``POST guide`` tells it."""
        sound, numbers, errors = self.sound(guide)
        decisions = self.decide(sound, strengths, self.shot_of(frame), keep)
        rows: list[dict[str, Any]] = []
        changes = []
        for place, by_shot in decisions.items():
            object_number = self.parts[place].object_number
            for shot, decision in by_shot.items():
                known = decision.covariance.tolist() if covariance else None
                change = decision.change.tolist()
                told = {"object": object_number, "shot": shot, "change": change}
                changes.append({**told, "deviation": known})
                rows += guided_rows(decision, sound, object_number, shot)
        for row in meeting(rows):
            place = [part.object_number for part in self.parts].index(row["object"])
            row["goal"] = self._goal(sound.points[row["point"] - 1], place)
            row["point"] = numbers[row["point"] - 1]
        return {
            "changes": changes,
            "points": sorted(rows, key=lambda row: row["point"]),
            "errors": errors,
            "pending": self.pending(guide, frame),
            "diagnosis": self._diagnosis(sound, decisions, frame, strengths, keep),
            "warnings": list(self.warnings),
        }

    def sound(self, guide: Guide) -> tuple[Guide, list[int], list[dict[str, Any]]]:
        """The guide without what cannot be; the numbers that its points have in the whole guide;
        and what is wrong with the others."""
        points, numbers, errors = [], [], []
        for number, point in enumerate(guide.points, 1):
            try:
                self._check_point(point, number, guide.shots)
            except InputError as error:
                outside = isinstance(error, PointError) and error.outside_mask
                key = "server.point-outside-mask" if outside else None
                errors.append({"point": number, "detail": error.reason, "key": key, "values": {}})
                continue
            points.append(point)
            numbers.append(number)
        choices: list[Choice] = []
        for number, choice in enumerate(guide.choices, 1):
            try:
                alone = dataclasses.replace(choice, round=1, after_points=0)
                Guide(choices=(alone,)).check_fits(*self.size, self.info.frames, self.objects)
                self._check_look(choice.frame, min(choice.object, self.things))
            except InputError as error:
                detail = error.reason.removeprefix("choice 1: ")  # it was looked at alone
                errors.append({"choice": number, "detail": detail, "key": None, "values": {}})
                continue
            before = sum(number <= choice.after_points for number in numbers)
            choices.append(dataclasses.replace(choice, after_points=before))
        return (
            dataclasses.replace(guide, points=tuple(points), choices=tuple(choices)),
            numbers,
            errors,
        )

    def _check_point(self, point: Point, number: int, shots: str) -> None:
        Guide(points=(point,)).check_fits(*self.size, self.info.frames, self.objects)
        for frame in point.frames:
            if (look := self.looks.get(frame)) is not None and look.trouble is not None:
                raise InputError(look.trouble)
            if frame == point.frame and not self._moves_both:
                self._check_look(frame, min(point.object, self.things))
        if all(self.looks.get(frame) is not None for frame in point.frames):
            self._check_heard(point, number, shots)

    @property
    def _moves_both(self) -> bool:
        """Whether words are about either side: one of them may be away."""
        return len({part.side.of for part in self.parts}) > 1

    def _check_look(self, frame: int, object_number: int) -> None:
        look = self.looks.get(frame)
        if look is not None and look.trouble is not None:
            raise InputError(look.trouble)
        if look is not None and look.answers[object_number - 1] is None:
            raise InputError(f"frame {frame} has no foreground; name another")

    def _check_heard(self, point: Point, number: int, shots: str) -> None:
        """Refuse a point that no part hears, and what :func:`seen_points` refuses."""
        [stored] = as_stored(Guide(points=(point,)), self.info).points
        is_heard = False
        for place, part in enumerate(self.parts):
            said = point_of_side(
                stored,
                number,
                part.side,
                max(part.object_number, 1),
                self._seeing(place),
            )
            if said is None:
                continue
            shown = self._shown(said.frame, place)
            goal = None
            if said.goal_frame != said.frame:
                other = self._shown(said.goal_frame, place)
                check_same_shot(said, number, shown, other, shots)
                goal = other.frame, other.matte
            see_point(said, number, shown.shot, *shown[:3], goal)
            is_heard = True
        if not is_heard:
            raise point.error(
                number,
                "lies neither in its object nor in the background; choose another place",
            )

    def _goal(self, point: Point, place: int) -> list[float] | None:
        """The color that a point of a part takes after, in levels."""
        color: Array | None = None
        if point.color is not None:
            color = np.array(point.color)
        [stored] = as_stored(Guide(points=(point,)), self.info).points
        look = self.looks.get(point.goal_frame)
        if stored.place is not None and look is not None:
            color = mean_beside(look.frame, stored.place, look.mattes[place])
        return None if color is None else [round(LEVELS * float(one), 2) for one in color]

    def decide(
        self,
        guide: Guide,
        strengths: Sequence[float] | None = None,
        shot: int | None = None,
        keep: Sequence[Kept] = (),
    ) -> Decisions:
        """What is added to the maps of each part; of what is named, what was looked at by now.

        Args:
            strengths: how far each part goes; None is all of the way.
            shot: the shot that is asked about; None is all of them.
            keep: what of the colors is left as it is, for what is told of points.
        """
        looked = [frame for frame in self._named(guide) if self._usable(frame)]
        said = guide
        if guide.dials and not guide.frames and not looked:
            said = dataclasses.replace(guide, dials=Dials())
        found: Decisions = {}
        for place, part in enumerate(self.parts):
            decide = functools.partial(
                decide_shots,
                self.prior,
                show=self._seeing(place),
                object_number=max(part.object_number, 1),
                strength=1.0 if strengths is None else strengths[place],
                keep=keep,
                came=looked,
                side=part.side,
            )
            found[place] = decide(as_stored(self._of(said, place), self.info), first=self.default)
            if self._turns_all(guide, place):
                firsts = list(self._firsts(place, shot))
                own = decide(as_stored(guide, self.info), firsts=functools.partial(iter, firsts))
                # Shots that nobody has come to have what the default frame gives.
                found[place] = _joined(found[place], own) if firsts else found[place]
        return found

    def _firsts(self, place: int, asked: int | None) -> Iterator[tuple[int, Shown]]:
        """Shots with the frames that their dials are fitted in, of those that were looked at."""
        for shot, number in self.dial_frames.of(place).items():
            look = self.looks.get(number) if asked in (None, shot) else None
            if look is not None and look.trouble is None and look.answers[place] is not None:
                yield shot, self._shown(number, place)

    def _of(self, guide: Guide, place: int) -> Guide:
        """The guide for an object: where it is away in the frame that dials are fitted in, they say
        nothing of it."""
        look = self.looks.get(self.default)
        away = look is not None and (look.trouble is not None or look.answers[place] is None)
        if guide.dials and self._is_wordless(guide, place) and (away or look is None):
            return dataclasses.replace(guide, dials=Dials())
        return guide

    def _usable(self, frame: int) -> bool:
        look = self.looks.get(frame)
        return look is not None and look.trouble is None

    def _seeing(self, place: int) -> Callable[[int], Shown]:
        """How frames are shown to a part."""
        return lambda frame: self._shown(frame, place)

    def _shown(self, frame: int, place: int) -> Shown:
        look = self.looks.get(frame)
        assert look is not None, "a frame that was looked at"
        answer = look.answers[place]
        if answer is None:
            raise MissingForeground(f"frame {frame} has no foreground; name another", field="guide")
        return Shown(look.frame, look.mattes[place], answer.maps, self.shot_of(frame), answer.share)

    # --- what the answer is

    def _diagnosis(
        self,
        guide: Guide,
        decisions: Decisions,
        frame: int,
        strengths: Sequence[float],
        keep: Sequence[Kept],
    ) -> list[dict[str, Any]]:
        shot = self.shot_of(frame)
        still = dataclasses.replace(guide, dials=Dials())
        plain = self.decide(still, strengths, shot) if guide.dials else decisions
        rows = []
        for place, part in enumerate(self.parts):
            decision, strength = in_shot(decisions[place], shot), strengths[place]
            both = self._both(frame, shot, place, decision, strength, keep)
            if both is None:
                continue
            prior = self.prior
            if decision is not None and decision.has_words:
                prior = Prior(decision.remaining, np.ones(1), np.ones(1))
            found = diagnosis_of(*both, prior, strength)
            row = {
                "object": part.object_number,
                "shot": shot,
                "dials": {name: found.pop(name) for name in DIALS},
                "deviations": None,
                "sure": None,
                "gain": None,
                "risk": None,
                **found,
            }
            row["plain_dials"] = row["dials"]
            if guide.dials:
                before = self._both(frame, shot, place, in_shot(plain[place], shot), strength, keep)
                if before is not None:
                    told = diagnosis_of(*before, None, strength)
                    row["plain_dials"] = {name: told[name] for name in DIALS}
            rows.append(row)
        return rows

    def _both(
        self,
        frame: int,
        shot: int,
        place: int,
        decision: Decision | None,
        strength: float,
        keep: Sequence[Kept],
    ) -> tuple[Array, Array] | None:
        said = np.zeros(SIZE) if decision is None else decision.change
        found = self.samples.both(shot, place, said, strength, keep)
        if found is not None or not self._usable(frame):
            return found
        look = self.looks.get(frame)
        assert look is not None
        answer = look.answers[place]
        if answer is None:
            return None
        own = Samples()
        own.look_at(frame, shot, place, _planes(look), look.mattes[place], answer)
        return own.both(shot, place, said, strength, keep)

    def colors(self, frame: int, object_number: int) -> Array:
        """The colors of an object that dials and takes are fitted in, (P, 3) in [0, 1].

        Raises:
            InputError: where nothing can be said of the frame.
        """
        self._check_object(object_number)
        self._check_look(frame, object_number)
        shown = self._shown(frame, object_number - 1)
        return foreground_colors(shown.frame, shown.matte)

    def _check_object(self, object_number: int) -> None:
        if not 1 <= object_number <= self.things:
            raise Refused("server.no-object", object=object_number, objects=self.things)

    # --- takes

    def takes(
        self, guide: Guide, frame: int, object_number: int, count: int, strengths: Sequence[float]
    ) -> dict[str, Any]:
        """The next round of takes of a frame, as ``POST takes`` tells it.

        Raises:
            InputError: where nothing can be said of the frame.
            Refused: where its look is gone: the clip is being closed, or opened anew.
        """
        self._check_object(object_number)
        self._check_look(frame, object_number)
        sound = self.sound(guide)[0]
        made = [one for one in sound.choices if (one.frame, one.object) == (frame, object_number)]
        shot = self.shot_of(frame)
        asked = Choice(
            chosen=1,
            frame=frame,
            round=len(made) + 1,
            of=count,
            object=object_number,
            after_points=len(sound.points),
        )
        rows = []
        for number in range(1, count + 1):
            choice = dataclasses.replace(asked, chosen=number)
            said = dataclasses.replace(sound, choices=(*sound.choices, choice))
            decision = in_shot(self.decide(said, shot=shot)[object_number - 1], shot)
            if decision is None:
                raise Refused("server.not-yet")
            word = decision.word
            assert word is not None, "a choice has a word"
            # In the whole guide points have other numbers than in what is sound of it.
            stored = dataclasses.replace(choice, after_points=len(guide.points))
            both = self._both(
                frame, shot, object_number - 1, decision, strengths[object_number - 1], ()
            )
            levels = 0.0 if both is None else LEVELS * float(np.abs(both[1] - both[0]).mean())
            rows.append(
                {
                    "take": number,
                    "key": f"take.{word.replace(' ', '-')}",
                    "word": word,
                    "change": decision.change.tolist(),
                    "choice": stored.to_tree(),
                    "mean_change": round(levels, 3),
                }
            )
        return {"frame": frame, "object": object_number, "round": asked.round, "takes": rows}


def in_shot(by_shot: Mapping[int | None, Decision], shot: int) -> Decision | None:
    """What holds in a shot: its own decision, else the one of all shots."""
    return by_shot.get(shot, by_shot.get(None))


def _joined(
    everywhere: dict[int | None, Decision], own: dict[int | None, Decision]
) -> dict[int | None, Decision]:
    """Decisions of shots, with that of all shots for those that have none; each point is told
    once."""
    if None not in everywhere:
        return {**everywhere, **own}
    points = own[None].points if None in own else ()
    return {**own, None: dataclasses.replace(everywhere[None], points=points)}


def _planes(look: Look) -> PlanarFrame:
    """The pixels of a look as planes of green, blue and red."""
    planes = [np.ascontiguousarray(look.frame[..., channel]) for channel in (1, 2, 0)]
    return PlanarFrame(planes, ColorEncoding("rgb", True))
