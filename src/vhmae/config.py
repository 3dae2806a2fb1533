"""Recipes: YAML files read into frozen dataclasses, with dotted overrides from the command line.

Plain PyYAML and dataclasses, so that training starts on a bare GPU machine too.
"""

from __future__ import annotations

import contextlib
import dataclasses
import math
import types
import typing
from collections.abc import Mapping
from pathlib import Path
from typing import Any, TypeVar

import yaml

from vhmae.errors import InputError, did_you_mean
from vhmae.options import field_docs

T = TypeVar("T")


def read_config(kind: type[T], path: Path | str, overrides: Mapping[str, Any] | None = None) -> T:
    """Read a YAML recipe into a dataclass.

    Args:
        kind: the dataclass of the whole recipe.
        overrides: dotted keys with values, ``{"train.steps": 3}``; those that are text are read as
            YAML.
    Raises:
        InputError: if the file cannot be read or is empty, or a key or value is wrong; names the
            key and the remedy.
    """
    path = Path(path)
    tree = _read_whole(kind, path)
    for dotted, text in (overrides or {}).items():
        try:
            is_text = isinstance(text, str) and text != ""
            _override(tree, dotted, yaml.safe_load(text) if is_text else text)
        except yaml.YAMLError:
            raise InputError(
                "is not a YAML value; quote lists and sections as one word",
                field=dotted,
                value=text,
            ) from None
    return build(kind, tree, str(path))


EXTENDS = "extends"
"""A recipe's key for the recipe, beside it, that it changes."""


def _read_whole(kind: type[Any], path: Path, before: tuple[Path, ...] = ()) -> dict[str, Any]:
    """A recipe's tree over those of the recipes that it extends: sections key by key, all else as
    the last one says."""
    if path.resolve() in before:
        raise InputError(f"{path}: extends itself; take one {EXTENDS} out")
    tree = _read_tree(path)
    extended = tree.pop(EXTENDS, None)
    _place(kind, tree, path.parent)
    if extended is None:
        return tree
    if not isinstance(extended, str):
        raise InputError(f"{path}: {EXTENDS} names no file; expected one recipe")
    whole = _read_whole(kind, path.parent / extended, (*before, path.resolve()))
    _lay_over(whole, tree)
    return whole


def _lay_over(tree: dict[str, Any], changes: dict[str, Any]) -> None:
    for key, value in changes.items():
        if isinstance(value, dict) and isinstance(tree.get(key), dict):
            _lay_over(tree[key], value)
        else:
            tree[key] = value


def read_section(path: Path, key: str, before: tuple[Path, ...] = ()) -> Any:
    """One key of a YAML recipe, or of those that it extends; None where they have none."""
    tree = _read_tree(path)
    extended = tree.get(EXTENDS)
    if key in tree or not isinstance(extended, str) or path.resolve() in before:
        return tree.get(key)
    return read_section(path.parent / extended, key, (*before, path.resolve()))


def _read_tree(path: Path) -> dict[str, Any]:
    try:
        tree = yaml.safe_load(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise InputError(f"{path}: no such config; the recipes lie in configs/") from None
    except (yaml.YAMLError, OSError, UnicodeDecodeError) as error:
        reason = " ".join(str(error).split())[:150]
        raise InputError(f"{path}: is not a YAML recipe ({reason}); mend that place") from None
    if not isinstance(tree, dict):
        raise InputError(
            f"{path}: is {'empty' if tree is None else 'not a YAML recipe'}; expected sections "
            "with keys, as in configs/"
        )
    return tree


def build(
    kind: type[T], tree: dict[str, Any], origin: str, prefix: str = "", like: Any = None
) -> T:
    """Build a dataclass from nested dictionaries.

    Args:
        origin: names the file in messages.
        like: a dataclass of the kind whose sections may be of classes derived from the kind's own:
            they are built as those.
    """
    kind = type(like) if isinstance(like, kind) else kind
    fields = {field.name: field for field in dataclasses.fields(kind)}  # type: ignore[arg-type]  # a TypeVar cannot say "dataclass"
    hints = typing.get_type_hints(kind)
    values = {}
    for key, value in tree.items():
        if key not in fields:
            raise InputError(f"{origin}: unknown key {prefix}{key}{did_you_mean(str(key), fields)}")
        section = getattr(like, key, None)
        values[key] = _convert(hints[key], value, origin, f"{prefix}{key}", section)
    missing = [n for n, f in fields.items() if n not in values and _is_required(f)]
    if missing:
        raise InputError(f"{origin}: lacks the key {prefix}{missing[0]}; add it")
    return kind(**values)


def to_tree(config: Any) -> dict[str, Any]:
    """The nested dictionaries of a config: what :func:`build` takes back."""
    tree = dataclasses.asdict(config)
    plain: dict[str, Any] = (
        yaml.safe_load(yaml.safe_dump(_told(tree), default_flow_style=None)) if tree else {}
    )
    return plain


def _told(value: Any) -> Any:
    """Values that YAML knows: paths as text."""
    if isinstance(value, dict):
        return {key: _told(one) for key, one in value.items()}
    if isinstance(value, list | tuple):
        return [_told(one) for one in value]
    return str(value) if isinstance(value, Path) else value


@dataclasses.dataclass(frozen=True)
class Key:
    """A key of a recipe."""

    name: str
    """With its sections: ``train.loss.floor``; ``[]`` stands after a list of sections."""
    kind: str
    """What a value looks like."""
    default: str
    """As YAML; empty where a value must be given."""
    meaning: str
    """What is written under the field."""

    def line(self) -> str:
        given = f"default {self.default}" if self.default else "must be given"
        return f"{self.name} ({self.kind}; {given})\n    {self.meaning}"


def keys_of(kind: Any, prefix: str = "", section: Any = None) -> list[Key]:
    """Every key of a recipe, those of sections in their place.

    Args:
        section: a section as its recipe has it by default; without it the kind's own defaults hold.
    """
    hints, docs = typing.get_type_hints(kind), field_docs(kind)
    found = []
    for field in dataclasses.fields(kind):
        hint, name = hints[field.name], f"{prefix}{field.name}"
        inner = [one for one in (hint, *typing.get_args(hint)) if dataclasses.is_dataclass(one)]
        listed = typing.get_origin(hint) is tuple
        default = field.default if section is None else getattr(section, field.name)
        if section is None and field.default_factory is not dataclasses.MISSING:
            default = field.default_factory()
        if not inner or listed or hint is not inner[0]:
            told = "a section, see below" if dataclasses.is_dataclass(default) else _yaml(default)
            found.append(Key(name, _worded(hint), told, docs.get(field.name, "")))
        if inner:
            whole = default if dataclasses.is_dataclass(default) else None
            found += keys_of(inner[0], f"{name}{'[]' if listed else ''}.", whole)
    return found


def _yaml(value: Any) -> str:
    if value is dataclasses.MISSING:
        return ""
    plain = list(value) if isinstance(value, tuple) else value
    text: str = yaml.safe_dump(_told(plain), default_flow_style=True, width=1000)
    return text.removesuffix("\n").removesuffix("\n...").strip()


def _worded(hint: Any) -> str:
    """A type in words."""
    arguments = typing.get_args(hint)
    container = typing.get_origin(hint)
    if dataclasses.is_dataclass(hint):
        return "section"
    if container is typing.Literal:
        return "|".join(map(str, arguments))
    if container in (types.UnionType, typing.Union):
        inner = [one for one in arguments if one is not type(None)]
        return " or ".join([*map(_worded, inner), "null"])
    if container is tuple:
        if arguments[-1] is Ellipsis:
            return f"list, each a {_worded(arguments[0])}"
        return "[" + ", ".join(map(_worded, arguments)) + "]"
    names = {int: "whole number", float: "number", bool: "true or false", str: "word", Path: "file"}
    return names.get(hint, "value")


BESIDE_RECIPE = {"beside_recipe": True}
"""Metadata of fields whose paths, in a recipe, count from the recipe's folder."""


def _place(kind: Any, tree: dict[str, Any], folder: Path) -> None:
    """Let such paths count from the file's folder; those of the command line count from where the
    user stands."""
    hints = typing.get_type_hints(kind)
    for field in dataclasses.fields(kind):
        value, hint = tree.get(field.name), hints[field.name]
        inner = [one for one in (hint, *typing.get_args(hint)) if dataclasses.is_dataclass(one)]
        if isinstance(value, dict) and inner:
            _place(inner[0], value, folder)
        elif isinstance(value, str) and value and field.metadata.get("beside_recipe"):
            tree[field.name] = str(folder / value)


def _is_required(field: dataclasses.Field[Any]) -> bool:
    return field.default is dataclasses.MISSING and field.default_factory is dataclasses.MISSING


def _override(tree: dict[str, Any], dotted: str, value: Any) -> None:
    *sections, key = dotted.split(".")
    for section in sections:
        branch = tree.setdefault(section, {})
        if not isinstance(branch, dict):
            raise InputError(
                f"{section} is a value, not a section; see the recipe's keys", field=dotted
            )
        tree = branch
    tree[key] = value


def _convert(hint: Any, value: Any, origin: str, key: str, like: Any = None) -> Any:
    """Convert a YAML value to the field's type, or say what was expected."""
    if dataclasses.is_dataclass(hint):
        if not isinstance(value, dict):
            raise InputError(f"{origin}: {key} is {value!r}; expected a section with keys")
        return build(typing.cast(type, hint), value, origin, f"{key}.", like)
    container = typing.get_origin(hint)
    choices = typing.get_args(hint)
    if container is typing.Literal:
        if value not in choices:
            allowed = ", ".join(str(choice) for choice in choices)
            raise InputError(
                f"{origin}: {key} is {value!r}; expected one of "
                f"{allowed}{did_you_mean(str(value), map(str, choices))}"
            )
        return value
    if container in (types.UnionType, typing.Union):
        inner = next(choice for choice in choices if choice is not type(None))
        if value is None or (inner is Path and value == ""):  # Path("") is the folder one stands in
            return None
        return _convert(inner, value, origin, key, like)
    if container is tuple:
        many = len(choices) == 2 and choices[1] is Ellipsis
        if not isinstance(value, (list, tuple)) or (not many and len(value) != len(choices)):
            raise InputError(
                f"{origin}: {key} is {value!r}; expected a "
                f"list{'' if many else f' of {len(choices)}'}"
            )
        kinds = [choices[0]] * len(value) if many else choices
        return tuple(
            _convert(kind, item, origin, key) for kind, item in zip(kinds, value, strict=True)
        )
    if hint is float and isinstance(value, (int, float, str)) and not isinstance(value, bool):
        with contextlib.suppress(ValueError, OverflowError):
            number = float(value)  # YAML reads 1e-3 as text
            if math.isfinite(number):
                return number
    elif hint in (int, bool, str) and type(value) is hint:
        return value
    elif hint is Path and isinstance(value, (str, Path)):
        return Path(value)
    raise InputError(f"{origin}: {key} is {value!r}; expected {getattr(hint, '__name__', hint)}")
