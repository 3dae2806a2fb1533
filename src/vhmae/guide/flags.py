"""Short forms on the command line, read into the same guide that a file holds.

``--match X,Y=X,Y[@FRAME]`` (``X,Y=reference:X,Y`` names a place of the reference),
``--target X,Y=#RRGGBB[@FRAME]``, ``--keep-color X,Y[@FRAME]``, ``--neutral X,Y[@FRAME]``,
``--brightness X,Y=STOPS[@FRAME]``, ``--dial NAME=VALUE``; each may be repeated.
"""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Mapping, Sequence
from typing import NoReturn

from vhmae.errors import InputError, did_you_mean
from vhmae.guide.dials import DIALS, Dials
from vhmae.guide.document import Color, Guide, Kind, Place, Point, Source
from vhmae.guide.reading import color_of

OF_REFERENCE = "reference:"
"""Before a place that the reference shows."""
NUMBER = r"[-+]?(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d+)?"
PLACE = re.compile(rf"({NUMBER}),({NUMBER})")


@dataclasses.dataclass(frozen=True)
class ShortForm:
    """A flag that says a point."""

    flag: str
    kind: Kind
    form: str
    """What is written behind it."""
    example: str


SHORT_FORMS = (
    ShortForm("match", "match", "X,Y=X,Y[@FRAME]", "120,80=400,90"),
    ShortForm("target", "target", "X,Y=#RRGGBB[@FRAME]", "120,80=#e4002b"),
    ShortForm("keep-color", "keep", "X,Y[@FRAME]", "120,80"),
    ShortForm("neutral", "neutral", "X,Y[@FRAME]", "120,80"),
    ShortForm("brightness", "brightness", "X,Y=STOPS[@FRAME]", "120,80=+0.5"),
)
DIAL_FORM = ShortForm("dial", "keep", "NAME=VALUE", "exposure=+0.3")


def guide_of_flags(words: Mapping[str, Sequence[str]], dials: Sequence[str] = ()) -> Guide:
    """The guide that short forms say.

    Args:
        words: for each flag of ``SHORT_FORMS``, without its dashes, what was written behind it.
        dials: what was written behind ``--dial``.
    Raises:
        InputError: for what does not have the form, in one line.
    """
    points = [parse_point(form, text) for form in SHORT_FORMS for text in words.get(form.flag, ())]
    return Guide(points=tuple(points), dials=parse_dials(dials))


def parse_point(form: ShortForm, text: str) -> Point:
    """The point that a short form says."""
    said, has_frame, frame = text.partition("@")
    if has_frame and not (frame.isascii() and frame.isdigit()):
        _refuse(form, text, f"'{frame}' is not the number of a frame")
    left, _, right = said.partition("=")
    at = _place(left, form, text)
    goal: Place | Color | float | None = None
    picture: Source = "composite"
    if form.kind in ("keep", "neutral"):
        if "=" in said:
            _refuse(form, text, "takes one place alone")
    elif form.kind == "match":
        if right.startswith(OF_REFERENCE):
            picture, right = "reference", right.removeprefix(OF_REFERENCE)
        goal = _place(right, form, text)
    elif form.kind == "target":
        try:
            goal = color_of(right)
        except InputError as error:
            _refuse(form, text, str(error).partition(";")[0])
    elif re.fullmatch(NUMBER, right):
        goal = float(right)
    else:
        _refuse(form, text, f"'{right}' is not a number of stops")
    try:
        return Point(kind=form.kind, at=at, frame=int(frame or 0), to=goal, to_picture=picture)
    except (InputError, ValueError) as error:
        raise InputError(f"--{form.flag} {text}: {error}") from None


def parse_dials(texts: Sequence[str]) -> Dials:
    """What ``--dial NAME=VALUE`` says, each dial once."""
    turned: dict[str, float] = {}
    for text in texts:
        name, _, value = text.partition("=")
        if name not in DIALS:
            hint = did_you_mean(name, DIALS)
            known = ", ".join(DIALS)
            raise InputError(
                f"unknown dial{hint}; expected one of {known}", field="dial", value=text
            )
        if name in turned:
            raise InputError(f"{name} is turned twice; give one of them", field="dial", value=text)
        if not re.fullmatch(NUMBER, value):
            _refuse(DIAL_FORM, text, f"'{value}' is not a number")
        turned[name] = float(value)
        try:
            Dials(**turned)
        except InputError as error:
            raise InputError(f"{error}", field="dial", value=text) from None
    return Dials(**turned)


def _place(text: str, form: ShortForm, whole: str) -> Place:
    found = PLACE.fullmatch(text)
    if not found:
        _refuse(form, whole, f"'{text}' is not a place X,Y")
    return float(found[1]), float(found[2])


def _refuse(form: ShortForm, text: str, why: str) -> NoReturn:
    raise InputError(f"--{form.flag} {text}: {why}; expected {form.form}, such as {form.example}")
