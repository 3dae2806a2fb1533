"""What a point of a guide means in a frame: the color of its place as it came and as the network
answers it."""

from __future__ import annotations

import dataclasses
import itertools
from collections.abc import Callable, Container, Iterable, Sequence
from typing import Any, NamedTuple

import numpy as np

from vhmae.arrays import Array, Color, ColorMap, Colors, Mask, Matte, Picture
from vhmae.color.basis import AFFINE, QUADRATIC
from vhmae.engine.moving import Side, is_on
from vhmae.engine.rendering import FrameTransform, kept_of
from vhmae.engine.settings import Kept
from vhmae.engine.solid import SOLID, most_of, solid_of
from vhmae.errors import MissingForeground
from vhmae.guide.colors import SIZE, added
from vhmae.guide.decision import Decision, Scene, decide, turn_shot
from vhmae.guide.document import Choice, Guide, Kind, Place, Point, Shots, require_guide
from vhmae.guide.prior import Prior
from vhmae.guide.update import Finish, Seen, as_made, by_shot
from vhmae.video.planes import Box

DISK_RADIUS = 3.0
DISK_LINES = 288
"""A place is the mean of a disk of this radius in a frame of so many lines; others in
proportion."""
MOST_COLORS = 4096


def disk_mean(picture: Picture, place: Place, inside: Mask | None = None) -> Color | None:
    """The mean color of a small disk.

    Args:
        picture: (H, W, 3) RGB, uint8 or float in [0, 1].
        place: column and row.
        inside: (H, W) bool, the pixels that count; None takes all of the disk.
    Returns:
        (3,) float64 in [0, 1]; None where no pixel counts.
    """
    height, width = picture.shape[:2]
    radius = max(1.0, DISK_RADIUS * height / DISK_LINES)
    column, row = place
    rows = slice(max(0, round(row - radius)), round(row + radius) + 1)
    columns = slice(max(0, round(column - radius)), round(column + radius) + 1)
    y, x = np.ogrid[0:height, 0:width][0][rows], np.arange(width)[None, columns]
    counts = (x - column) ** 2 + (y - row) ** 2 <= radius**2
    if inside is not None:
        counts = counts & inside[rows, columns]
    if not counts.any():
        return None
    mean: Array = picture[rows, columns][counts].astype(np.float64).mean(axis=0)
    return mean / 255.0 if picture.dtype == np.uint8 else mean


def mean_beside(picture: Picture, place: Place, matte: Matte) -> Color | None:
    """The mean color of a small disk, of what lies on the same side of a matte as its place: a wall
    right beside somebody has none of his color.

    Args:
        picture: (H, W, 3) RGB, uint8 or float in [0, 1].
        place: column and row.
        matte: (H, W).
    Returns:
        (3,) float64 in [0, 1]; None for a place outside the frame.
    """
    height, width = matte.shape
    column, row = (  # the last pixel's far half lies in the frame
        min(max(at, 0), size - 1) for at, size in zip(place, (width, height), strict=True)
    )
    solid = solid_of(matte)
    beside = solid if solid[round(row), round(column)] else ~solid
    return disk_mean(picture, (column, row), beside)


def from_reference(guide: Guide, reference: Picture | None) -> Guide:
    """A guide whose points that take after places of a reference name their colors in the place of
    them, in 8 bits.

    Args:
        reference: (H, W, 3) RGB, uint8 or float in [0, 1]; None where there is none.
    Raises:
        InputError: where there is none, or it has no such place; for what is no guide.
    """
    require_guide(guide)

    def named(number: int, point: Point) -> Point:
        if point.place is None or point.to_picture == "composite":
            return point
        if reference is None:
            raise point.error(number, "there is no reference; name a color, or give a `reference`")
        (height, width), (x, y) = reference.shape[:2], point.place
        if not (0 <= x < width and 0 <= y < height):
            size = f"{width} x {height} pixels"
            raise point.error(number, f"{x:g},{y:g} lies outside the reference, which is {size}")
        color = disk_mean(reference, point.place)
        assert color is not None, "a disk holds the pixel of its place"
        red, green, blue = color.tolist()
        kind: Kind = "target" if point.kind == "match" else point.kind
        told = dataclasses.replace(point, kind=kind, to=(red, green, blue), to_picture="composite")
        # As a file would hold it: a run and its report hear the same.
        return dataclasses.replace(told, to=told.color)

    points = tuple(itertools.starmap(named, enumerate(guide.points, 1)))
    return dataclasses.replace(guide, points=points)


def map_at(transform: FrameTransform, place: Place, height: int, width: int) -> ColorMap:
    """The map of a frame at one pixel, overall and local together: (3, 10) float64."""
    column, row = (
        int(np.clip(round(at), 0, size - 1))
        for at, size in zip(place, (width, height), strict=True)
    )
    maps, steps, lower, share = transform.maps(Box(row, column, row + 1, column + 1), height, width)
    affine = maps[lower[0], :, 0] + share[0] * steps[lower[0], :, 0]  # overall and local terms
    found = np.zeros((3, QUADRATIC))
    found[:, :AFFINE] = affine.reshape(3, AFFINE)
    found[:, AFFINE:] = transform.overall[:, AFFINE:]
    return found


def see_point(
    point: Point,
    number: int,
    shot: int,
    frame: Picture,
    matte: Matte,
    transform: FrameTransform,
    other: tuple[Picture, Matte] | None = None,
) -> Seen:
    """What a point means.

    Args:
        number: of the point in its guide, from 1.
        frame: (H, W, 3) RGB as shown, uint8 or float in [0, 1].
        matte: (H, W), of the point's object.
        transform: the network's answer at this frame, before strength and without any guide.
        other: the frame that the point takes after, with its matte; None is its own.
    Raises:
        InputError: where the point lies outside the mask.
    """
    height, width = frame.shape[:2]
    if not _lies_in(point.at, height, width):
        told = f"lies outside the frame, which is {width} x {height} pixels"
        raise point.error(number, f"{told}; choose a place of the foreground")
    composite = disk_mean(frame, point.at, solid_of(matte))
    if composite is None:
        told = "lies outside the mask; choose a place of the foreground"
        raise point.error(number, told, outside_mask=True)
    answer = composite + added(composite, map_at(transform, point.at, *frame.shape[:2]))
    goal: Array | None = None
    if point.color is not None:
        goal = np.array(point.color)
    elif point.to_picture == "reference":
        raise point.error(number, "there is no reference; name a color")
    elif point.place is not None:
        picture, cover = other or (frame, matte)
        if not _lies_in(point.place, *cover.shape):
            raise point.error(number, "takes after a place outside the frame; choose another")
        goal = mean_beside(picture, point.place, cover)
    return Seen(point, number, shot, composite, answer, goal)


def _lies_in(place: Place, height: int, width: int) -> bool:
    """Whether a place (column, row) lies in a frame."""
    return 0 <= place[0] < width and 0 <= place[1] < height


class Shown(NamedTuple):
    """A frame that a guide names."""

    frame: Picture
    """(H, W, 3) RGB as shown, uint8 or float in [0, 1]."""
    matte: Matte
    """(H, W), of one object."""
    answer: FrameTransform
    """Before strength and without any guide; in full, where the frame fades."""
    shot: int
    share: float = 1.0
    """How much of its change the frame is given: less of it in a fade."""


Firsts = Callable[[], Iterable[tuple[int, Shown]]]
"""Gives shots by number, each with a frame whose colors its dials are fitted in."""


class DialFrames:
    """The frames that the dials of each shot are fitted in: the first that shows a part solid
    somewhere, else the first that shows it at all."""

    def __init__(self, parts: int) -> None:
        self._found: list[dict[int, tuple[int, bool]]] = [{} for _ in range(parts)]

    def look_at(self, place: int, shot: int, number: int, sides: Iterable[Matte]) -> None:
        """A frame of a shot, in order.

        Args:
            place: of the part, from 0.
            sides: mattes of what must be there: of the part itself, or of the foregrounds that a
                background is fitted to.
        """
        found = self._found[place].get(shot)
        if found is not None and found[1]:
            return
        most = max(map(most_of, sides), default=0.0)
        if most >= SOLID or (most > 0.0 and found is None):
            self._found[place][shot] = number, most >= SOLID

    def of(self, place: int) -> dict[int, int]:
        """Frames of a part, by shot."""
        return {shot: number for shot, (number, _) in list(self._found[place].items())}

    def is_settled(self, shot: int) -> bool:
        """Whether no later frame of a shot can take the place of one."""
        return all(shot in one and one[shot][1] for one in self._found)


def foreground_colors(frame: Picture, matte: Matte) -> Colors:
    """Colors of the foreground, evenly spread over it: (P, 3) float64 in [0, 1], P at most
    ``MOST_COLORS``."""
    places = np.flatnonzero(solid_of(matte))
    picks = np.linspace(0, len(places) - 1, min(MOST_COLORS, len(places))).astype(int)
    picked: Array = frame.reshape(-1, 3)[places[picks]].astype(np.float64)
    return picked / 255.0 if frame.dtype == np.uint8 else picked


def decide_shots(
    prior: Prior,
    guide: Guide,
    show: Callable[[int], Shown],
    *,
    object_number: int = 1,
    first: int = 0,
    firsts: Firsts | None = None,
    elsewhere: bool = False,
    strength: float = 1.0,
    keep: Sequence[Kept] = (),
    came: Container[int] | None = None,
    side: Side | None = None,
) -> dict[int | None, Decision]:
    """What is added to the maps of an object, shot by shot; give each to ``Harmonizer.tell``.

    Args:
        show: gives a frame by its number, with the matte of the side or object.
        object_number: the object, from 1.
        first: a frame with foreground, whose colors dials are fitted in where they turn all shots
            and ``firsts`` says no more.
        firsts: for each shot a frame with foreground, in whose colors and answer the shot's own
            dials are fitted where they turn all shots.
        elsewhere: whether ``firsts`` shows the shots of another video than ``show``.
        keep: what of the colors is left as it is; the report tells what comes out.
        came: numbers of the frames that can be shown by now; what names others is left out, and
            dials wait for it. None is all.
        side: the side that this is about; None is the foreground, which moves alone. Where both
            move, dials and choices are the foreground's.
    Returns:
        Decisions by number of the shot; None stands for all shots that have none of their own.
        Dials turn the shots that points and choices name, or all of them where none is named or
        the guide rules all.
    Raises:
        InputError: where a point lies outside the mask, or takes after another shot.
    """
    side = side or Side()
    words = _words_by_shot(seen_points(guide, show, side, object_number, came), guide.shots)
    led = side.of == "foreground" or side.alone
    choices = _choices_by_shot(guide, show, side, object_number, came) if led else {}
    named = {shot: rows[0].point.frame for shot, rows in words.items()}
    named |= {shot: _frames_of(made)[-1] for shot, made in choices.items()}
    dials = guide.dials if led else None
    waits = not named and not _has_come(guide.frames, came)
    turns_all = bool(dials) and not waits and (guide.shots == "all" or not named)
    worked: dict[str, Any] = {"strength": strength, "finish": _finish(keep)}
    decisions: dict[int | None, Decision] = {}
    for shot, frame in named.items():
        scene, made = _scene_of(show(frame)), choices.get(shot, [])
        decisions[shot] = decide(
            prior,
            words.get(shot, []),
            choices=made,
            dials=None if turns_all else dials,
            colors=scene.colors,
            overall=scene.overall,
            scenes={one: _scene_of(show(one)) for one in _frames_of(made) if one != frame},
            **worked,
        )
    if not (turns_all and dials):
        return decisions
    whole = decisions.get(None, Decision(np.zeros(SIZE), prior.spread, prior.spread, ()))
    seen = words.get(None, [])
    shots: Iterable[tuple[int | None, Shown]] = (
        firsts() if firsts is not None else [(None, show(named.get(None, first)))]
    )
    rounds = sum(map(len, choices.values()))
    turned: dict[int | None, Decision] = {}
    for shot, shown in shots:
        of = [at for at, one in enumerate(seen) if shot is None or one.shot == shot]
        turned[shot] = turn_shot(
            prior,
            whole,
            dials,
            *_scene_of(shown),
            seen=seen,
            of=() if elsewhere else of,
            rounds=rounds,
            **worked,
        )
    decisions |= turned
    if None in decisions and firsts is not None:  # each point is told of once
        numbers = {row.number for own in turned.values() for row in own.points}
        untold = tuple(row for row in whole.points if row.number not in numbers)
        decisions[None] = dataclasses.replace(whole, points=untold)
    return decisions


def _words_by_shot(seen: Sequence[Seen], shots: Shots) -> dict[int | None, list[Seen]]:
    """What points say of each shot (None: of all), in the order of saying."""
    found: dict[int | None, list[Seen]] = {}
    for (_, shot), rows in by_shot(seen, shots).items():
        found.setdefault(shot, []).extend(rows)
    for rows in found.values():  # of several objects, too
        rows.sort(key=lambda one: one.number)
    return found


def _choices_by_shot(
    guide: Guide,
    show: Callable[[int], Shown],
    side: Side,
    object_number: int,
    came: Container[int] | None,
) -> dict[int | None, list[Choice]]:
    """The choices of an object in each shot (None: for all); a background that moves alone is all
    that can be chosen for."""
    found: dict[int | None, list[Choice]] = {}
    for choice in guide.choices:
        is_of_this = choice.object == object_number or side.of == "background"
        if is_of_this and _has_come((choice.frame,), came):
            shot = None if guide.shots == "all" else show(choice.frame).shot
            found.setdefault(shot, []).append(choice)
    return found


def _frames_of(choices: Sequence[Choice]) -> list[int]:
    """The frames of choices, each once, in the order in which they were first chosen in."""
    return list(dict.fromkeys(one.frame for one in choices))


def seen_points(
    guide: Guide,
    show: Callable[[int], Shown],
    side: Side,
    object_number: int = 1,
    came: Container[int] | None = None,
) -> list[Seen]:
    """What the points of a guide mean that are about a side or object; arguments and errors as of
    :func:`decide_shots`."""
    seen = []
    for number, point in enumerate(guide.points, 1):
        if not _has_come(point.frames, came):
            continue
        said = point_of_side(point, number, side, object_number, show)
        if said is None:
            continue
        shown = show(said.frame)
        other = show(said.goal_frame) if said.goal_frame != said.frame else None
        if other is not None:
            check_same_shot(point, number, shown, other, guide.shots)
        beside = None if other is None else (other.frame, other.matte)
        one = see_point(said, number, shown.shot, *shown[:3], beside)
        seen.append(dataclasses.replace(one, share=shown.share))
    return seen


def check_same_shot(point: Point, number: int, shown: Shown, other: Shown, shots: str) -> None:
    """Refuse a point that takes after a frame of another shot, where words rule their own."""
    if other.shot != shown.shot and shots == "this":
        raise point.error(
            number,
            "takes after a frame of another shot; name one of its own, or let the guide rule all "
            '("shots": "all")',
        )


def _scene_of(shown: Shown) -> Scene:
    return Scene(foreground_colors(shown.frame, shown.matte), shown.answer.overall)


def _finish(keep: Sequence[Kept]) -> Finish:
    """What is done to a color besides, as :class:`KeepingChange` does it to pixels."""
    return (lambda composite, made: kept_of(composite, made, keep)) if keep else as_made


def point_of_side(
    point: Point, number: int, side: Side, object_number: int, show: Callable[[int], Shown]
) -> Point | None:
    """What a point says of a side; None where it says nothing of it.

    A point is about the side that it lies on. A match is a word about both of its places: where the
    side of the other one moves, it is heard there, turned round.
    """
    if side.of == "foreground" and point.object != object_number:
        return None
    if side == Side():  # nothing else moves: what lies elsewhere is refused where it is seen
        return point
    if _lies_on(point.frame, point.at, side, show):
        return point
    if point.kind == "match" and point.place is not None:
        frame = point.goal_frame
        if _lies_on(frame, point.place, side, show):
            back = None if point.frame == frame else point.frame
            return dataclasses.replace(
                point, at=point.place, frame=frame, to=point.at, to_frame=back
            )
    if side.alone:
        raise point.error(
            number,
            "lies in the foreground, which stays as it is; name a place of the background, or "
            "match it with one",
        )
    return None


def _lies_on(frame: int, place: Place, side: Side, show: Callable[[int], Shown]) -> bool:
    """Whether a place lies on a side; where nothing can be said of a frame, on none of it."""
    try:
        return is_on(show(frame).matte, place, side)
    except MissingForeground:
        if side.alone:
            raise
        return False


def _has_come(frames: Iterable[int], came: Container[int] | None) -> bool:
    return came is None or all(frame in came for frame in frames)
