"""One definition of each option: a field of a frozen dataclass, with its meaning written under it.

The command line's flags, the columns of a table of jobs, the keys of a job file, the report and the
reference page are read off these fields, so that an option is written in one place. Nothing here
imports torch: ``vhmae --help`` is made of it.
"""

from __future__ import annotations

import ast
import dataclasses
import functools
import inspect
import itertools
import math
import textwrap
import types
import typing
from collections.abc import Callable, Mapping, Sequence
from fractions import Fraction
from numbers import Integral, Rational, Real
from pathlib import Path
from typing import Any, Literal, TypeVar

import numpy as np

from vhmae.errors import InputError, did_you_mean

T = TypeVar("T")
MISSING: Any = dataclasses.MISSING
Role = Literal["input", "output", "plain"]
"""What a file is to the work: read (addresses may be fetched), written, or neither."""


@dataclasses.dataclass(frozen=True)
class Form:
    """How values are written where their type alone does not say it."""

    expected: str
    """What a value looks like, in a word or two."""
    read: Callable[[str], Any]
    """The value that a text stands for; raises ``ValueError`` where it stands for none."""
    between: str = ""
    """What stands between the parts of a value that has several."""


def _whole_from(least: int, text: str) -> int:
    if not text.isdigit() or int(text) < least:
        raise ValueError
    return int(text)


def _range(text: str) -> tuple[float, float]:
    low, colon, high = text.partition(":")
    return float(low), float(high if colon else low)


def _words(text: str) -> tuple[str, ...]:
    return tuple(word.strip() for word in text.split(",") if word.strip())


NATURAL = Form("a number from 0 up", functools.partial(_whole_from, 0))
POSITIVE = Form("a number from 1 up", functools.partial(_whole_from, 1))
RANGE = Form("LOW:HIGH", _range, ":")
WORDS = Form("words with commas between them", _words, ",")


def option(
    default: Any = MISSING,
    *,
    factory: Any = MISSING,
    flag: str = "",
    positional: bool = False,
    metavar: str = "",
    form: Form | None = None,
    group: str = "",
    role: Role = "plain",
    same_frames: bool = False,
    without: str = "",
    ways: tuple[str, ...] = (),
    together: bool = False,
) -> Any:
    """A field that is an option.

    Args:
        default, factory: as :func:`dataclasses.field` takes them.
        flag: its name on the command line, where it is not that of the field; short forms first.
        positional: whether it stands on the command line by its place, without a name.
        metavar: what stands for the value in the help.
        form: how the value is written, where its type does not say it.
        group: the heading under which the help lists it.
        role: what a file is to the work.
        same_frames: whether another value still writes the same frames, so that a stopped run may
            be resumed with it.
        without: of what is done by default, what the flag that leaves it out says.
        ways: of several ways to do the work, those that heed it; see :func:`check_ways`.
        together: whether one flag takes all values of a list, and not one flag each.
    """
    told = {
        "flag": flag,
        "positional": positional,
        "metavar": metavar,
        "form": form,
        "group": group,
        "role": role,
        "same_frames": same_frames,
        "without": without,
        "ways": ways,
        "together": together,
    }
    return dataclasses.field(default=default, default_factory=factory, metadata=told)


@dataclasses.dataclass(frozen=True)
class Option:
    """What is known of an option."""

    name: str
    """Of the field: what columns, job files and messages call it."""
    hint: Any
    """Its type, without ``None``."""
    takes_none: bool
    """Whether ``None`` is a value of it, too."""
    default: Any
    """``MISSING`` where a value must be given."""
    help: str
    """What is written under the field, as one line."""
    flags: tuple[str, ...]
    """None where it stands by its place."""
    metavar: str
    form: Form | None
    group: str
    role: Role
    same_frames: bool
    without: str
    """Of what is done by default, what the flag that leaves it out says."""
    ways: tuple[str, ...]
    """Of several ways to do the work, those that heed it; all where none is named."""
    together: bool
    """Whether one flag takes all values of a list."""

    @functools.cached_property
    def choices(self) -> tuple[str, ...]:
        """The words that it takes, where it takes certain words only."""
        hint = self.hint
        if typing.get_origin(hint) is tuple:
            hint = typing.get_args(hint)[0]
        return typing.get_args(hint) if typing.get_origin(hint) is Literal else ()

    @property
    def is_switch(self) -> bool:
        return self.hint is bool

    @property
    def is_list(self) -> bool:
        """Whether it takes any number of files or texts, one after the other."""
        origin, kinds = typing.get_origin(self.hint), typing.get_args(self.hint)
        if origin is not Sequence and (origin is not tuple or kinds[-1] is not Ellipsis):
            return False
        return kinds[0] in (Path, str) if self.form is None else not self.form.between

    def parse(self, text: str, folder: Path = Path()) -> Any:
        """The value that a text stands for: of a flag, or of a column.

        Args:
            folder: where paths count from.
        Raises:
            InputError: where it stands for none.
        """
        text = text.strip()
        hint = self.hint
        try:
            if self.form is not None:
                return self.form.read(text)
            if self.is_switch:
                return _switch(text)
            if self.is_list:
                kind = typing.get_args(hint)[0]
                kind = functools.partial(path_of, folder=folder) if kind is Path else kind
                return tuple(kind(word.strip()) for word in text.split("|") if word.strip())
            if typing.get_origin(hint) is tuple:
                return self._words(text)
            if self.choices:
                return self._choice(text)
            if hint is Path:
                return path_of(text, folder)
            return Fraction(text) if hint is Fraction else hint(text)
        except (ValueError, ZeroDivisionError):
            raise self.refuse(text, f"is not {self.expected}") from None

    @property
    def expected(self) -> str:
        """What a value looks like, in a word or two."""
        if self.form is not None:
            return self.form.expected
        if self.choices:
            return ", ".join(self.choices)
        if typing.get_origin(self.hint) is tuple:
            return self.metavar or "several words"
        names = {int: "a number", float: "a number", bool: "yes or no", Fraction: "a number"}
        return names.get(self.hint, "a file" if self.hint is Path else "a word")

    def refuse(self, value: object, why: str) -> InputError:
        """The error that says what is wrong with a value."""
        return InputError(why, field=self.name, value=value)

    def check(self, value: Any) -> None:
        """Refuse what is of another type, and words that are unknown."""
        if value is None and self.takes_none:
            return
        several = typing.get_origin(self.hint) is tuple
        values = value if several and isinstance(value, tuple) else (value,)
        kinds = self._kinds(len(values)) if several else (self.hint,)
        whole = several == isinstance(value, tuple) and len(kinds) == len(values)
        if not whole or not all(map(_is_of, kinds, values)):
            given, known = type(value).__name__, " or ".join(dict.fromkeys(map(_named, kinds)))
            told = f"a tuple of {known}" if several else known
            raise self.refuse(
                value, f"is not {self.expected}: expected {told} here, and this is {given}"
            )
        for one in values if self.choices else ():
            self._choice(one)

    def to_json(self, value: Any) -> Any:
        """The value as a job file and a report hold it."""
        if isinstance(value, tuple):
            return [self.to_json(one) for one in value]
        if isinstance(value, np.bool_):
            return bool(value)
        return str(value) if isinstance(value, Path | Fraction) else value

    def from_json(self, value: Any) -> Any:
        """The value that a job file holds.

        Raises:
            InputError: where it is none that the option takes.
        """
        if value is None and self.takes_none:
            return None
        try:
            if isinstance(value, str):
                return self.parse(value)
            if isinstance(value, list):
                return self._several(value)
            return self._plain(self.hint, value)
        except (ValueError, TypeError, OverflowError):
            raise self.refuse(value, f"is not {self.expected}") from None

    def from_python(self, value: Any) -> Any:
        """The value that a caller hands over: also texts for paths, numbers for fractions, lists
        for tuples, and one word where several may stand.

        Raises:
            InputError: where it is none that the option takes.
        """
        if isinstance(value, str | Path) and self.is_list:
            value = [value]
        elif isinstance(value, str | Path) and self.hint in (str, Path):
            return self.hint(value)
        return self.from_json(list(value) if isinstance(value, tuple) else value)

    def _several(self, values: list[Any]) -> tuple[Any, ...]:
        """Several values in the place of one; raises where they are too many, or of other types."""
        kinds = self._kinds(len(values))
        return tuple(self._plain(kind, one) for kind, one in zip(kinds, values, strict=True))

    def _kinds(self, count: int) -> tuple[Any, ...]:
        """The types of so many values in the place of one."""
        kinds = typing.get_args(self.hint)
        if typing.get_origin(self.hint) not in (tuple, Sequence):
            raise TypeError
        return kinds if Ellipsis not in kinds and len(kinds) > 1 else (kinds[0],) * count

    def _plain(self, kind: Any, value: Any) -> Any:
        """A single value of a type; raises where it is none."""
        if kind in (int, Fraction) and _is_of(float, value):
            made = kind(str(value)) if kind is Fraction else int(value)  # .1 is a tenth
            if kind is Fraction or made == value:
                return made
            raise ValueError
        if kind is Path and isinstance(value, str):
            return path_of(value)
        if not _is_of(kind, value) or (kind is float and not math.isfinite(value)):
            raise TypeError
        if typing.get_origin(kind) is Literal:
            return self._choice(value)
        return kind(value) if kind in (bool, float) else value

    def _choice(self, word: str) -> str:
        if word not in self.choices:
            known = ", ".join(self.choices)
            raise self.refuse(word, f"unknown{did_you_mean(word, self.choices)}; expected {known}")
        return word

    def _words(self, text: str) -> tuple[Any, ...]:
        kinds = typing.get_args(self.hint)
        words = [word.strip() for word in text.replace("|", ",").split(",") if word.strip()]
        if self.choices:
            return tuple(map(self._choice, words))
        if kinds[-1] is not Ellipsis and len(words) != len(kinds):
            raise ValueError
        return tuple(float(word) for word in words)


def path_of(text: str, folder: Path = Path()) -> Path:
    """The path that a text names, from a folder. What begins with ./ names a file, whatever
    follows; a path alone forgets that, and pipe:a.mkv would be taken for an address."""
    is_told = text.startswith(("./", ".\\")) and ":" in text
    return Path.cwd() / folder / text if is_told else folder / text


def _is_of(kind: Any, value: Any) -> bool:
    """Whether a value is of a type: a switch is no number, and a file may be an address."""
    is_switch = isinstance(value, bool | np.bool_)
    if is_switch or kind is bool:
        return is_switch and kind is bool
    if typing.get_origin(kind) is Literal:
        return isinstance(value, str)
    known: dict[Any, Any] = {int: Integral, float: Real, Fraction: Rational, Path: str | Path}
    return isinstance(value, known.get(kind, kind))


def _named(kind: Any) -> str:
    """A type as messages call it."""
    return "str" if typing.get_origin(kind) is Literal else str(getattr(kind, "__name__", kind))


def _switch(text: str) -> bool:
    known = {"yes": True, "true": True, "1": True, "on": True}
    known |= {"no": False, "false": False, "0": False, "off": False}
    if text.lower() not in known:
        raise ValueError
    return known[text.lower()]


def options_of(kind: type) -> tuple[Option, ...]:
    """The options of a dataclass, in their order; those of a field that is a dataclass in its
    place."""
    return _options_of(kind)


@functools.cache
def _options_of(kind: Any) -> tuple[Option, ...]:
    hints, docs = typing.get_type_hints(kind), field_docs(kind)
    found: list[Option] = []
    for field in dataclasses.fields(kind):
        hint = _without_none(hints[field.name])
        if dataclasses.is_dataclass(hint):
            found += options_of(typing.cast(type, hint))
            continue
        told = field.metadata
        made: Any = field.default_factory
        default = field.default if made is MISSING else made()
        dashed = field.name.replace("_", "-")
        usual = f"--no-{dashed}" if hint is bool and default is True else f"--{dashed}"
        flags = () if told.get("positional") else tuple((told.get("flag") or usual).split("/"))
        found.append(
            Option(
                name=field.name,
                hint=hint,
                takes_none=hint is not hints[field.name],
                default=default,
                help=docs.get(field.name, ""),
                flags=flags,
                metavar=told.get("metavar", ""),
                form=told.get("form"),
                group=told.get("group", ""),
                role=told.get("role", "plain"),
                same_frames=told.get("same_frames", False),
                without=told.get("without", ""),
                ways=told.get("ways", ()),
                together=told.get("together", False),
            )
        )
    return tuple(found)


def check_ways(job: Any, way: str, named: str) -> None:
    """Refuse options that other ways to do the work heed: left unheeded they would seem to work.

    Args:
        way: the one that is taken.
        named: the option that chooses it.
    """
    values = values_of(job)
    for one in options_of(type(job)):
        if one.ways and way not in one.ways and values[one.name] not in (one.default, None):
            told = f"is for `{named}` {' or '.join(one.ways)}, not for {way}; leave it out"
            raise InputError(told, field=one.name)


def build_options(kind: type[T], values: Mapping[str, Any]) -> T:
    """Make a dataclass of its options' values, by their names; those that lack take their
    defaults."""
    own: dict[str, Any] = {}
    for name, nested in _fields_of(typing.cast(Any, kind)):
        if nested is not None:
            own[name] = build_options(nested, values)
        elif name in values:
            own[name] = values[name]
    return kind(**own)


@functools.cache
def _fields_of(kind: Any) -> tuple[tuple[str, type | None], ...]:
    """The fields of a dataclass, each with its type where that is a dataclass itself: looked up
    once, since a table holds a job a line."""
    hints = typing.get_type_hints(kind)
    types_of = {field.name: _without_none(hints[field.name]) for field in dataclasses.fields(kind)}
    return tuple(
        (name, typing.cast(type, hint) if dataclasses.is_dataclass(hint) else None)
        for name, hint in types_of.items()
    )


def values_of(settings: Any) -> dict[str, Any]:
    """The values of a dataclass's options, by their names: what :func:`build_options` takes."""
    found: dict[str, Any] = {}
    for field in dataclasses.fields(settings):
        value = getattr(settings, field.name)
        found |= values_of(value) if dataclasses.is_dataclass(value) else {field.name: value}
    return found


def values_from_json(kind: type, tree: Mapping[str, Any], origin: str) -> dict[str, Any]:
    """The values that a job file holds.

    Raises:
        InputError: for unknown names and wrong values; names the file.
    """
    known = {one.name: one for one in options_of(kind)}
    found = {}
    for name, value in tree.items():
        if name not in known:
            raise InputError(f"{origin}: unknown option {name}{did_you_mean(name, known)}")
        try:
            found[name] = known[name].from_json(value)
        except InputError as error:
            raise InputError(f"{origin}: {told_of_key(error, name)}") from None
    return found


def told_of_key(error: InputError, key: str) -> str:
    """What is wrong with a value, by the key or the column that holds it: the flag of a switch that
    is on says the opposite."""
    return str(error).replace(f"`{error.field}`", key)


def values_to_json(settings: Any) -> dict[str, Any]:
    """A dataclass's options as a job file and a report hold them."""
    values = values_of(settings)
    return {one.name: one.to_json(values[one.name]) for one in options_of(type(settings))}


def field_docs(kind: type) -> dict[str, str]:
    """What is written under each field of a dataclass, its bases' included, as one line."""
    found: dict[str, str] = {}
    for base in reversed(kind.__mro__):
        if dataclasses.is_dataclass(base):
            found |= _own_docs(base)
    return found


def _own_docs(kind: Any) -> dict[str, str]:
    tree = ast.parse(textwrap.dedent(inspect.getsource(kind))).body[0]
    found = {}
    for field, below in itertools.pairwise(tree.body if isinstance(tree, ast.ClassDef) else []):
        if not (isinstance(field, ast.AnnAssign) and isinstance(field.target, ast.Name)):
            continue
        if isinstance(below, ast.Expr) and isinstance(below.value, ast.Constant):
            found[field.target.id] = " ".join(str(below.value.value).split())
    return found


def _without_none(hint: Any) -> Any:
    if typing.get_origin(hint) in (types.UnionType, typing.Union):
        return next(one for one in typing.get_args(hint) if one is not type(None))
    return hint
