"""What a value of a guide must be: refused in words that stand behind the name of its file."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np

from vhmae.errors import InputError


def make_plain(given: Any) -> None:
    """Let the fields of a frozen dataclass hold plain numbers and tuples, where lists, arrays or
    numbers of numpy were given: what is compared and written to files is the same then."""
    for field in dataclasses.fields(given):
        object.__setattr__(given, field.name, _plain(getattr(given, field.name)))


def _plain(value: Any) -> Any:
    if isinstance(value, np.ndarray | np.generic):
        value = value.tolist()
    return tuple(_plain(one) for one in value) if isinstance(value, list | tuple) else value


def check_number(value: Any, name: str, low: float, high: float) -> float:
    number = isinstance(value, int | float) and not isinstance(value, bool)
    # Whole numbers are compared as they are: those of hundreds of digits are no float.
    if not (number and low <= value <= high):  # what is not finite lies nowhere
        told = f'"{shown(value)}"' if isinstance(value, str) else shown(value)  # "1" is none
        raise InputError(f"{name} {told}: expected a number from {low:g} to {high:g}")
    return float(value)


def shown(value: Any) -> str:
    """A value in a message, cut short."""
    text = str(value)
    return text if len(text) <= 40 else f"{text[:37]}..."


def check_count(value: Any, name: str, low: int, high: int | None = None) -> None:
    if (
        not isinstance(value, int)
        or isinstance(value, bool)
        or value < low
        or value > (high or value)
    ):
        reach = f"from {low} up" if high is None else f"from {low} to {high}"
        raise InputError(f"{name} {shown(value)}: expected a whole number {reach}")


def check_place(place: Any, name: str) -> None:
    if not isinstance(place, tuple) or len(place) != 2:
        raise InputError(f"{name} {shown(place)}: expected a place [x, y]")
    for value in place:
        check_number(value, name, 0.0, 1e6)
