"""Other people's methods: a function in a module, in a file, or of an installed package, or what
an installed package makes of a file of weights.

The function takes ``(composite, mask)``, (T, H, W, 3) uint8 RGB and (T, H, W) bool, and gives
frames of the composite's shape and type. One that takes a single argument gets the :class:`Clip`
instead, which knows where the frames lie. It never sees the target.
"""

from __future__ import annotations

import contextlib
import dataclasses
import functools
import hashlib
import inspect
from collections.abc import Callable
from importlib.metadata import EntryPoint, entry_points
from pathlib import Path
from typing import Any

import numpy as np

from vhmae.arrays import Array
from vhmae.digest import file_digest
from vhmae.errors import InputError
from vhmae.evaluation.clip import Clip, Method
from vhmae.outside import file_of, load_outside, neighbor_digests, neighbors_of, told

GROUP = "vhmae.methods"
"""Entry points of this group are methods by their names."""
LOADERS = "vhmae.method_loaders"
"""Entry points of this group make a method out of a file: ``NAME:PATH``."""


def installed_methods() -> dict[str, EntryPoint]:
    """The methods that installed packages offer, by name."""
    return {point.name: point for point in entry_points(group=GROUP)}


def installed_method(label: str, point: EntryPoint) -> Method:
    """A method that an installed package offers."""
    return _as_method(label, _loaded(point), point.value)


def _loaded(point: EntryPoint) -> Any:
    try:
        return point.load()
    except Exception as error:
        raise InputError(
            f"{point.value} cannot be loaded ({told(error)}); mend that package",
            field="methods",
            value=point.name,
        ) from error


def installed_loaders() -> dict[str, EntryPoint]:
    """What installed packages make methods of files with, by name."""
    return {point.name: point for point in entry_points(group=LOADERS)}


def loaded_method(
    label: str, point: EntryPoint, path: Path, device: str, threads: int | None
) -> Method:
    """A file of weights as the method that its package makes of it.

    Args:
        device, threads: where it runs, for loaders that have arguments of these names.
    Raises:
        InputError: if there is no such file, or the package cannot read it.
    """
    if not path.is_file():
        raise InputError(
            f"{path}: no such file; expected weights for {point.name}", field="methods"
        )
    load = _loaded(point)
    try:
        found = load(path, **_taken(load, {"device": device, "threads": threads}))
    except InputError:
        raise
    except Exception as error:
        raise InputError(
            f"{path}: {point.value} cannot read it ({told(error)})", field="methods"
        ) from error
    method = _as_method(label, found, point.value)
    return dataclasses.replace(
        method, facts={**method.facts, "weights": str(path), "weights_sha256": file_digest(path)}
    )


def function_method(label: str, source: str) -> Method:
    """The method behind ``module:function`` or ``FILE.py:function``.

    Raises:
        InputError: if it is not there, or its module cannot be imported.
    """
    return _as_method(label, load_outside(source, "method", "function"), source)


def _as_method(label: str, found: Any, source: str) -> Method:
    file = file_of(source)
    if isinstance(found, Method):
        digest = _code_digest(found.harmonize, file)
        facts = {**found.facts, "function": source, "code_sha256": digest}
        return dataclasses.replace(found, name=label, harmonize=_blind(found, file), facts=facts)
    if not callable(found):
        raise InputError(
            f"is no function ({type(found).__name__}); name one of (composite, mask)",
            field="methods",
            value=source,
        )
    takes_clip = _takes_one(found)

    def harmonize(clip: Clip) -> Array:
        with contextlib.nullcontext() if file is None else neighbors_of(file):
            if takes_clip:
                return np.asarray(found(Clip(clip.composite, clip.mask, clip.sample)))
            return np.asarray(found(clip.composite, clip.mask))

    return Method(
        label, harmonize, facts={"function": source, "code_sha256": _code_digest(found, file)}
    )


def _blind(method: Method, file: Path | None) -> Callable[[Clip], Array]:
    """What somebody's method makes of clips whose target it does not see."""

    def harmonize(clip: Clip) -> Array:
        with contextlib.nullcontext() if file is None else neighbors_of(file):
            return np.asarray(method.harmonize(Clip(clip.composite, clip.mask, clip.sample)))

    return harmonize


def _parameters(function: Any) -> tuple[inspect.Parameter, ...]:
    """What a function takes; nothing where it does not say, as some that are written in C."""
    try:
        return tuple(inspect.signature(function).parameters.values())
    except (TypeError, ValueError):
        return ()


def _taken(function: Any, offered: dict[str, Any]) -> dict[str, Any]:
    """Those of some arguments that a function has by name."""
    named = {one.name for one in _parameters(function)}
    return {name: value for name, value in offered.items() if name in named}


def _takes_one(function: Any) -> bool:
    """Whether a function wants one argument, the clip."""
    parameters = _parameters(function)
    places = (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)
    if any(one.kind is inspect.Parameter.VAR_POSITIONAL for one in parameters):
        return False
    return sum(one.kind in places and one.default is one.empty for one in parameters) == 1


def _class_of(called: Any) -> Any:
    return called if inspect.isclass(called) else type(called)


def _code_digest(function: Any, file: Path | None) -> str | None:
    """Digest of the file that a function stands in, or the class of an object that is called, with
    what is bound to it and the neighbors that its file imported as it was loaded; None where that
    is not known."""
    bound: list[str] = []
    plain = inspect.unwrap(function)
    while isinstance(plain, functools.partial):
        bound += map(_told_value, (*plain.args, *sorted(plain.keywords.items())))
        plain = inspect.unwrap(plain.func)
    try:
        source = inspect.getsourcefile(plain if inspect.isroutine(plain) else _class_of(plain))
    except TypeError:
        return None
    if source is None or not Path(source).is_file():
        return None
    digest = file_digest(Path(source))
    beside = [] if file is None else neighbor_digests(file)
    if not bound and not beside:
        return digest
    return hashlib.sha256("\n".join([digest, *bound, *beside]).encode()).hexdigest()


def _told_value(value: Any) -> str:
    """A value that is bound to a function, the same in every run: of an object that says no more
    than where it lies, its class."""
    told = repr(value)
    return type(value).__qualname__ if " at 0x" in told else told
