"""Which picture goes with which: by the numbers in their names, or one after the other."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path
from typing import Literal, NamedTuple

from vhmae.errors import InputError

Pairing = Literal["number", "order", "overlap"]
NUMBER = re.compile(r"(?:(?<![^._])-)?[0-9]+")
"""A number within a name: a minus is its sign after a dot or an underscore, or at the beginning
alone (shot.-012.png); elsewhere it is a dash."""


class Pairs(NamedTuple):
    """Partners, found."""

    places: tuple[int, ...] | None
    """For each picture the place of its partner, -1 where it has none; None: in their order."""
    warning: str | None = None


def numbers_of(files: Sequence[Path]) -> tuple[int, ...] | None:
    """The numbers of files: the last digits in their names that tell them apart; None where none
    do."""
    digits = [NUMBER.findall(file.name) for file in files]
    for place in range(-1, -1 - min(map(len, digits), default=0), -1):
        numbers = tuple(int(one[place]) for one in digits)
        if len(set(numbers)) == len(files):
            return numbers
    return None


def natural_order(path: Path) -> list[tuple[int, str]]:
    """What to sort files by, so that 9 comes before 10, and -2 before 1."""
    name, order, at = path.name, [], 0
    for number in NUMBER.finditer(name):
        order += [(-1 << 62, name[at : number.start()]), (int(number[0]), "")]
        at = number.end()
    return [*order, (-1 << 62, name[at:])]


def pair_up(
    wanted: tuple[Path, tuple[int, ...] | None],
    given: tuple[Path, tuple[int, ...] | None],
    how: Pairing,
    lengths: tuple[int, int],
) -> Pairs:
    """Find a partner for each of a sequence's pictures.

    Args:
        wanted, given: the sequences: what the user calls them, and their numbers (None: they have
            none).
        lengths: of both, in pictures.
    Returns:
        By number where the ranges of both overlap, else in their order.
    Raises:
        InputError: where ``overlap`` is asked for and no number is in both.
    """
    (name, numbers), (other, partners) = wanted, given
    if how == "order":
        return Pairs(None)
    if numbers is None or partners is None:
        if how == "overlap":
            what = name if numbers is None else other
            raise InputError(
                f"{what} has no numbers; name numbered pictures, or leave it out",
                field="pair",
                value=how,
            )
        return Pairs(None)
    if max(min(numbers), min(partners)) > min(max(numbers), max(partners)):
        if how == "overlap":
            raise InputError(
                f"{name} has the numbers {_range(numbers)}, {other} {_range(partners)}: none is in "
                "both; pair them by order",
                field="pair",
                value=how,
            )
        if lengths[0] != lengths[1]:
            raise InputError(
                f"{other}: has the numbers {_range(partners)} but {name} {_range(numbers)}, and "
                "they are not equally many; renumber one, or pass `pair` order"
            )
        return Pairs(
            None,
            f"{other} has the numbers {_range(partners)}, {name} {_range(numbers)}: they were "
            "paired by their order",
        )
    places = {number: place for place, number in enumerate(partners)}
    return Pairs(tuple(places.get(number, -1) for number in numbers))


def check_partners(
    wanted: tuple[Path, Sequence[int]], given: Path, partners: Sequence[int], places: Sequence[int]
) -> None:
    """Refuse pictures that have no partner, by number.

    Args:
        wanted: the sequence and its numbers.
        partners: the other one's numbers.
        places: as :class:`Pairs` has them.
    """
    name, numbers = wanted
    lonely = [number for number, place in zip(numbers, places, strict=True) if place < 0]
    if lonely:
        others = f" (and {len(lonely) - 1} more)" if len(lonely) > 1 else ""
        raise InputError(
            f"{given}: has no number {lonely[0]}{others}, which {name} has; it has "
            f"{_range(partners)}: make it, or pass `pair` overlap or order"
        )


def _range(numbers: Sequence[int]) -> str:
    return f"{min(numbers)} to {max(numbers)}" if len(numbers) > 1 else str(numbers[0])
