"""A guide: what a person says of a video. ``reading`` and ``flags`` make one of a file and of
options.

Places are in pixels of the composite as shown (upright), the origin top left; frames count from 0,
objects, rounds and takes from 1.
"""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal, get_args

from vhmae.errors import InputError, PointError, counted, did_you_mean
from vhmae.guide.checks import (
    check_count,
    check_number,
    check_place,
    make_plain,
    shown,
)
from vhmae.guide.colors import SIZE
from vhmae.guide.dials import DIALS, Dials
from vhmae.partial_output import write_text_whole

SCHEMA = 1
Kind = Literal["match", "target", "keep", "neutral", "brightness", "hue"]
KINDS: tuple[str, ...] = get_args(Kind)
Shots = Literal["this", "all"]
Source = Literal["composite", "reference"]
Place = tuple[float, float]
"""Column and row, in pixels."""
Color = tuple[float, float, float]
"""sRGB-encoded red, green and blue in [0, 1]."""
GOALS: dict[str, tuple[str, ...]] = {
    "match": ("place",),
    "target": ("color",),
    "keep": (),
    "neutral": (),
    "brightness": ("stops", "place", "color"),
    "hue": ("place", "color"),
}
"""What each kind of point may be told to become."""
GOAL_FORMS = {"place": "a place [x, y]", "color": 'a color "#rrggbb"', "stops": "a number of stops"}
MOST_STOPS = 8.0
MOST_WEIGHT = 100.0
MOST_TAKES = 2 + 2 * SIZE
"""Two fixed ones, and two along each direction that a map has."""
MOST_ROUNDS = 9


def one_of(known: Sequence[str]) -> str:
    """``a, b or c``."""
    return known[0] if len(known) == 1 else f"{', '.join(known[:-1])} or {known[-1]}"


@dataclasses.dataclass(frozen=True, kw_only=True)
class Point:
    """A word about one place of the foreground."""

    kind: Kind
    at: Place
    frame: int = 0
    to: Place | Color | float | None = None
    """What it should become: the place that it should look like, a color, or how many stops
    brighter."""
    to_frame: int | None = None
    """The frame that a place of ``to`` is in; None is the point's own."""
    to_picture: Source = "composite"
    """The picture that a place of ``to`` is in: a frame of the composite, or the still that the
    composite is harmonized to."""
    object: int = 1
    weight: float = 1.0
    """How sure the person is: 2 counts as much as the same point said twice."""

    def __post_init__(self) -> None:
        if self.kind not in KINDS:
            hint = did_you_mean(str(self.kind), KINDS)
            raise InputError(f"{self.kind}: unknown kind of point{hint}; expected {one_of(KINDS)}")
        make_plain(self)
        check_place(self.at, "at")
        if not _is_goal(self.to):
            wanted = "a place (x, y), a color (red, green, blue) or a number of stops"
            raise InputError(f"to {shown(self.to)}: expected {wanted}")
        allowed = GOALS[self.kind]
        form = self.goal
        if form not in allowed and (form is not None or allowed):
            wanted = one_of([GOAL_FORMS[name] for name in allowed]) if allowed else "nothing"
            came = "nothing" if form is None else GOAL_FORMS[form]
            raise InputError(f"{self.kind}: is told {came} to become; expected {wanted}")
        if type(self.to_frame) is int and self.to_frame == self.frame:  # as it is without
            object.__setattr__(self, "to_frame", None)
        if self.to_picture not in get_args(Source):
            told = f"expected {one_of(get_args(Source))}"
            raise InputError(f"to_picture {shown(self.to_picture)}: {told}")
        if self.place is not None:
            check_place(self.place, "to")
        for name in ("to_frame", "to_picture") if self.place is None else ():
            if _unlike_default(self, (name,)):
                raise InputError(f"{name}: goes with a place in 'to' alone; leave it out")
        if self.to_picture == "reference" and self.to_frame is not None:
            raise InputError("to_frame: a reference has one picture; leave it out")
        if isinstance(self.to, tuple) and len(self.to) == 3:
            for value in self.to:
                check_number(value, "color", 0.0, 1.0)
        if form == "stops":
            check_number(self.to, "stops", -MOST_STOPS, MOST_STOPS)
        check_count(self.frame, "frame", 0)
        check_count(0 if self.to_frame is None else self.to_frame, "to_frame", 0)
        check_count(self.object, "object", 1)
        if not check_number(self.weight, "weight", 0.0, MOST_WEIGHT) > 0.0:
            raise InputError("weight 0: says nothing; leave the point out")

    @property
    def goal(self) -> str | None:
        """The form of ``to``: place, color, stops or None."""
        if self.to is None:
            return None
        if self.place is not None:
            return "place"
        return "color" if isinstance(self.to, tuple) else "stops"

    @property
    def place(self) -> Place | None:
        """``to``, where it is a place."""
        return (
            (self.to[0], self.to[1]) if isinstance(self.to, tuple) and len(self.to) == 2 else None
        )

    @property
    def color(self) -> Color | None:
        """``to``, where it is a color: as a guide's file holds it, in 8 bits, so that a word is the
        same by file and by Python."""
        if not isinstance(self.to, tuple) or len(self.to) != 3:
            return None
        red, green, blue = (round(255.0 * value) / 255.0 for value in self.to)
        return red, green, blue

    @property
    def stops(self) -> float | None:
        """``to``, where it is a number of stops."""
        return None if self.to is None or isinstance(self.to, tuple) else float(self.to)

    @property
    def goal_frame(self) -> int:
        """The frame that a place of ``to`` is in."""
        return self.frame if self.to_frame is None else self.to_frame

    @property
    def frames(self) -> tuple[int, ...]:
        """The frames that must be seen to know what the point means."""
        return tuple(dict.fromkeys((self.frame, self.goal_frame)))

    def error(self, number: int, reason: str, outside_mask: bool = False) -> PointError:
        """What is wrong with the point, by its number in the guide and in words."""
        return PointError(reason, number=number, point=self.words(), outside_mask=outside_mask)

    def words(self) -> str:
        """The point in a few words, for messages and reports."""
        where = "{:g},{:g}".format(*self.at) + f" of frame {self.frame}"
        if self.stops is not None:
            return f"{where} is {self.stops:+g} stops brighter"
        if self.color is not None:
            said = hex_of(self.color)
        elif self.place is not None:
            said = "{:g},{:g}".format(*self.place)
            said += "" if self.goal_frame == self.frame else f" of frame {self.to_frame}"
            said += "" if self.to_picture == "composite" else " of the reference"
        else:
            return f"{where} " + ("stays as it came" if self.kind == "keep" else "is gray")
        verbs = {"brightness": "is as bright as", "hue": "has the hue of"}
        return f"{where} {verbs.get(self.kind, 'looks like')} {said}"

    def to_tree(self) -> dict[str, Any]:
        tree: dict[str, Any] = {"frame": self.frame, "at": list(self.at), "is": self.kind}
        if self.color is not None:
            tree["to"] = hex_of(self.color)
        elif self.place is not None:
            tree["to"] = list(self.place)
        elif self.to is not None:
            tree["to"] = self.to
        return tree | _unlike_default(self, ("to_frame", "to_picture", "object", "weight"))


@dataclasses.dataclass(frozen=True, kw_only=True)
class Choice:
    """One take that was chosen out of several."""

    chosen: int
    """From 1."""
    frame: int = 0
    """A frame of the shot: the one that was shown."""
    round: int = 1
    """The takes of a later round stand closer, round the one chosen before."""
    of: int = 6
    object: int = 1
    after_points: int = 0
    """How many of the guide's points, the first ones, had been said: the takes stand round what
    follows from them. Later ones pull from what was chosen."""

    def __post_init__(self) -> None:
        make_plain(self)
        check_count(self.frame, "frame", 0)
        check_count(self.round, "round", 1, MOST_ROUNDS)
        check_count(self.of, "of", 4, MOST_TAKES)
        if self.of % 2:
            raise InputError(f"of {self.of}: expected an even number of takes, two a direction")
        check_count(self.chosen, "chosen", 1, self.of)
        check_count(self.object, "object", 1)
        check_count(self.after_points, "after_points", 0)

    def to_tree(self) -> dict[str, Any]:
        names = ("frame", "round", "of", "chosen")
        return {name: getattr(self, name) for name in names} | _unlike_default(
            self, ("object", "after_points")
        )


@dataclasses.dataclass(frozen=True, kw_only=True)
class Guide:
    """All that a person says."""

    points: tuple[Point, ...] = ()
    choices: tuple[Choice, ...] = ()
    dials: Dials = dataclasses.field(default_factory=Dials)
    shots: Shots = "this"
    """Whether a word rules its own shot, or all of them."""

    def __post_init__(self) -> None:
        make_plain(self)
        parts = (("points", self.points, Point), ("choices", self.choices, Choice))
        for name, given, kind in parts:
            if not isinstance(given, tuple) or not all(isinstance(one, kind) for one in given):
                raise InputError(f"{name} {shown(given)}: expected {kind.__name__}s")
        if not isinstance(self.dials, Dials):
            raise InputError(f"dials {shown(self.dials)}: expected Dials(...)")
        if self.shots not in get_args(Shots):
            raise InputError(f"shots {self.shots!r}: expected this or all")
        rounds: dict[tuple[int, int], int] = {}
        for choice in self.choices:
            key = (choice.frame, choice.object)
            expected = rounds.get(key, 0) + 1
            if choice.round != expected:
                raise InputError(
                    f"{self._where(choice)}: expected round {expected} next; mend the choices"
                )
            rounds[key] = expected
            if choice.after_points > len(self.points):
                said = f"after_points {choice.after_points} of {self._where(choice)}"
                raise InputError(
                    f"{said}: there are {counted(len(self.points), 'point')}; mend the choices"
                )

    @staticmethod
    def _where(choice: Choice) -> str:
        return f"round {choice.round} of frame {choice.frame}"

    def __bool__(self) -> bool:
        return bool(self.points or self.choices or self.dials)

    @property
    def frames(self) -> tuple[int, ...]:
        """The frames that are named, in order: in files they are read first."""
        named = {frame for point in self.points for frame in point.frames}
        return tuple(sorted(named | {choice.frame for choice in self.choices}))

    def joined(self, other: Guide) -> Guide:
        """This guide and then another, whose choices were all made after the points of this one;
        dials add up, and "all" shots in either holds for both."""
        turned = [*zip(DIALS, self.dials.values(), other.dials.values(), strict=True)]
        for name, one, more in turned:
            try:
                Dials(**{name: one + more})
            except InputError as error:
                told = f"{name} {one:+g} and {name} {more:+g}, which are both said, are too much"
                raise InputError(f"{told}: {error}") from None
        before = len(self.points)
        later = (
            dataclasses.replace(choice, after_points=before + choice.after_points)
            for choice in other.choices
        )
        return Guide(
            points=self.points + other.points,
            choices=(*self.choices, *later),
            dials=Dials(**{name: one + more for name, one, more in turned}),
            shots="all" if "all" in (self.shots, other.shots) else "this",
        )

    def check_fits(self, width: int, height: int, frames: int | None, objects: int = 1) -> None:
        """Refuse what the video does not have.

        Args:
            frames: of the video; None where it is not known (pipes).
        Raises:
            InputError: for places outside the frame, and frames or objects that do not exist.
        """
        for number, point in enumerate(self.points, 1):
            shown = (point.at, point.place if point.to_picture == "composite" else None)
            for x, y in (place for place in shown if place is not None):
                if not (0 <= x < width and 0 <= y < height):
                    size = f"the frame, which is {width} x {height} pixels"
                    raise point.error(number, f"{x:g},{y:g} lies outside {size}; choose another")
            if told := _beyond(point.frames, frames):
                raise point.error(number, told)
        for number, choice in enumerate(self.choices, 1):
            if told := _beyond((choice.frame,), frames):
                raise InputError(f"choice {number}: {told}")
        self.check_objects(objects)

    def check_objects(self, objects: int) -> None:
        """Refuse what is said of objects that there are not.

        Raises:
            InputError: for the first of them.
        """
        there = f"but there are masks of {counted(objects, 'object')}; mend it"
        for number, point in enumerate(self.points, 1):
            if point.object > objects:
                raise point.error(number, f"names object {point.object}, {there}")
        for number, choice in enumerate(self.choices, 1):
            if choice.object > objects:
                raise InputError(f"choice {number}: names object {choice.object}, {there}")

    def to_tree(self) -> dict[str, Any]:
        """The guide as its file holds it."""
        return {
            "schema": SCHEMA,
            "points": [point.to_tree() for point in self.points],
            "choices": [choice.to_tree() for choice in self.choices],
            "dials": dict(zip(DIALS, self.dials.values(), strict=True)),
            "shots": self.shots,
        }

    def write(self, path: Path) -> None:
        """Write the guide; the file appears whole or not at all."""
        write_text_whole(path, json.dumps(self.to_tree(), indent=1, allow_nan=False) + "\n")


def require_guide(guide: object) -> None:
    """Refuse what is no :class:`Guide`, as a file's name or what it holds."""
    if not isinstance(guide, Guide):
        kind = type(guide).__name__
        raise InputError(f"expected a Guide, got {kind}; read_guide reads a file", field="guide")


def hex_of(color: Color) -> str:
    """``#rrggbb`` of a color."""
    return "#" + "".join(f"{round(255.0 * value):02x}" for value in color)


def _is_goal(to: Any) -> bool:
    """Whether something has the form of what a point is told to become."""
    if isinstance(to, tuple):
        return len(to) in (2, 3)
    return to is None or isinstance(to, int | float)


def _unlike_default(one: Point | Choice, names: Sequence[str]) -> dict[str, Any]:
    usual = {field.name: field.default for field in dataclasses.fields(one)}
    return {name: getattr(one, name) for name in names if getattr(one, name) != usual[name]}


def _beyond(named: Sequence[int], frames: int | None) -> str:
    """What is said of a frame that a video does not have; nothing where it has all of them."""
    gone = [frame for frame in named if frames is not None and frame >= frames]
    if frames is None or not gone:
        return ""
    return f"names frame {gone[0]} of a video of {frames}; the last is {frames - 1}"
