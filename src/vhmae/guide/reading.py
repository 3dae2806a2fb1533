"""Guide files, read strictly: what nobody meant to say is refused with one line that names the file
and the remedy."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from vhmae.errors import InputError, did_you_mean
from vhmae.guide.checks import shown
from vhmae.guide.dials import DIALS, Dials
from vhmae.guide.document import (
    GOAL_FORMS,
    KINDS,
    SCHEMA,
    Choice,
    Color,
    Guide,
    Point,
    one_of,
)

LARGEST_BYTES = 10_000_000
"""A guide of a thousand points takes a hundredth of it: a larger file is a picture or a video."""
WHOLE = ("schema", "points", "choices", "dials", "shots")
OF_POINT = ("frame", "at", "is", "to", "to_frame", "to_picture", "object", "weight")
OF_CHOICE = ("frame", "round", "of", "chosen", "object", "after_points")


def read_guide(path: str | Path) -> Guide:
    """Read a guide file; the report of a run and a project hold a guide, too.

    Raises:
        InputError: where it cannot be read, or says what no guide can say.
    """
    source = f"`guide` {path}"
    try:
        with Path(path).open("rb") as file:
            data = file.read(LARGEST_BYTES + 1)
        text = data.decode("utf-8-sig")
    except OSError as error:
        raise InputError(f"{source}: cannot be read ({error.strerror}); check the path") from None
    except UnicodeDecodeError:
        raise InputError(f"{source}: is not text; give a guide file (JSON)") from None
    if len(data) > LARGEST_BYTES:
        raise InputError(f"{source}: is too large to be a guide; give a guide file (JSON)")
    return parse_guide(text, source)


def parse_guide(text: str, source: str) -> Guide:
    """A guide from its text; ``source`` names it in messages."""
    try:
        tree = json.loads(text, parse_constant=_refuse_constant, object_pairs_hook=_distinct)
    except json.JSONDecodeError as error:
        where = f"line {error.lineno}, column {error.colno}"
        raise InputError(f"{source}: is not JSON ({error.msg} in {where}); mend it there") from None
    except RecursionError:
        raise InputError(f"{source}: is nested too deep to be a guide; write it anew") from None
    except (InputError, ValueError) as error:  # ValueError: numbers of thousands of digits
        raise InputError(f"{source}: {error}") from None
    try:
        inner = _inner(tree)
    except InputError as error:
        raise InputError(f"{source}: {error}") from None
    return guide_from(inner, source)


def _inner(tree: Any) -> Any:
    """The guide within what holds one among other things: the report of a run, a project."""
    if not isinstance(tree, dict) or "points" in tree:
        return tree
    if "guide" not in tree and ("warnings" in tree or "job" in tree):
        raise InputError("is the report of a run that heard no guide; give a guide file")
    return tree["guide"] if isinstance(tree.get("guide"), dict) else tree


def guide_from(tree: Any, source: str) -> Guide:
    """A guide from dictionaries and lists, such as the body of a request.

    Raises:
        InputError: for anything that no guide can say.
    """
    where = source
    try:
        if not isinstance(tree, dict) or "schema" not in tree:
            raise InputError(f'is no guide; expected {{"schema": {SCHEMA}, "points": [...], ...}}')
        if tree["schema"] != SCHEMA or isinstance(tree["schema"], bool):
            version = f"has schema {_shown(tree['schema'])}, this version reads {SCHEMA}"
            raise InputError(f"{version}; write the guide anew, or take the version that wrote it")
        _check_keys(tree, WHOLE)
        points: list[Point] = []
        for at, one in enumerate(_listed(tree, "points"), 1):
            where = f"{source}: point {at}"
            points.append(_point(one))
        choices: list[Choice] = []
        for at, one in enumerate(_listed(tree, "choices"), 1):
            where = f"{source}: choice {at}"
            choices.append(_choice(one))
        where = f"{source}: dials"
        dials = tree.get("dials", {})
        _check_keys(dials, DIALS)
        turned = Dials(**dials)
        where = source
        guide = Guide(
            points=tuple(points),
            choices=tuple(choices),
            dials=turned,
            shots=tree.get("shots", "this"),
        )
    except InputError as error:
        raise InputError(f"{where}: {error}") from None
    return guide


def color_of(text: Any) -> Color:
    """The color of ``#rrggbb`` (or ``#rgb``)."""
    digits = text.removeprefix("#") if isinstance(text, str) else ""
    if len(digits) == 3:
        digits = "".join(2 * digit for digit in digits)
    if not re.fullmatch(r"[0-9a-fA-F]{6}", digits) or not text.startswith("#"):
        raise InputError(f"{_shown(text)}: is no color; expected #rrggbb, such as #e4002b")
    red, green, blue = (int(digits[at : at + 2], 16) / 255.0 for at in (0, 2, 4))
    return red, green, blue


def _point(tree: Any) -> Point:
    _check_keys(tree, OF_POINT, needed=("at", "is"))
    kind = tree["is"]
    if not isinstance(kind, str) or kind not in KINDS:
        hint = did_you_mean(str(kind), KINDS)
        raise InputError(f"is {_shown(kind)}: unknown{hint}; expected {one_of(KINDS)}")
    rest = {
        name: tree[name] for name in OF_POINT if name in tree and name not in ("at", "is", "to")
    }
    goal = _goal(tree["to"]) if tree.get("to") is not None else None
    return Point(kind=kind, at=_place(tree["at"], "at"), to=goal, **rest)  # type: ignore[arg-type]  # one of KINDS, checked above


def _goal(said: Any) -> tuple[float, ...] | float:
    if isinstance(said, str):
        return color_of(said)
    if isinstance(said, list):
        return _place(said, "to")
    if isinstance(said, bool) or not isinstance(said, int | float):
        raise InputError(f"to {_shown(said)}: expected {one_of(list(GOAL_FORMS.values()))}")
    return _float(said, "to")


def _place(said: Any, name: str) -> tuple[float, float]:
    numbers = isinstance(said, list) and [type(value) for value in said]
    if not numbers or len(numbers) != 2 or not set(numbers) <= {int, float}:
        raise InputError(f"{name} {_shown(said)}: expected a place [x, y] in pixels")
    return _float(said[0], name), _float(said[1], name)


def _float(said: float, name: str) -> float:
    try:
        return float(said)
    except OverflowError:  # whole numbers of hundreds of digits
        raise InputError(f"{name} {_shown(said)}: is too large to be meant; mend it") from None


def _choice(tree: Any) -> Choice:
    _check_keys(tree, OF_CHOICE, needed=("chosen",))
    return Choice(**tree)


def _listed(tree: dict[str, Any], name: str) -> list[Any]:
    found = tree.get(name, [])
    if not isinstance(found, list):
        raise InputError(f"{name} {_shown(found)}: expected a list [...]")
    return found


def _check_keys(tree: Any, known: Sequence[str], needed: Iterable[str] = ()) -> None:
    if not isinstance(tree, dict):
        raise InputError(f"{_shown(tree)}: expected {{...}} with some of {', '.join(known)}")
    for key in tree:
        if key not in known:
            hint = did_you_mean(key, known)
            raise InputError(f"'{key}': unknown{hint}; expected some of {', '.join(known)}")
    for key in needed:
        if key not in tree:
            raise InputError(f"'{key}': missing; add it")


def _distinct(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    tree: dict[str, Any] = {}
    for key, value in pairs:
        if key in tree:
            raise InputError(f"'{shown(key)}': is said twice; leave one out")
        tree[key] = value
    return tree


def _refuse_constant(word: str) -> float:
    raise InputError(f"{word}: is no number that can be meant; mend it")


def _shown(value: Any) -> str:
    """A value in a message, cut short."""
    try:
        text = json.dumps(value)
    except (TypeError, ValueError):
        text = str(value)
    return text if len(text) <= 40 else f"{text[:37]}..."
