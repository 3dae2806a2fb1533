"""Other people's methods: a function in a module, in a file, or of an installed package.

The function takes ``(composite, mask)``, (T, H, W, 3) uint8 RGB and (T, H, W) bool, and gives
frames of the composite's shape and type. One that takes a single argument gets the :class:`Clip`
instead, which knows where the frames lie. It never sees the target.
"""

from __future__ import annotations

import dataclasses
import importlib
import importlib.util
import inspect
import os
import sys
import traceback
from importlib.metadata import EntryPoint, entry_points
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np

from vhmae.data.digests import file_digest
from vhmae.errors import InputError, did_you_mean
from vhmae.evaluation.clip import Array, Clip, Method

GROUP = "vhmae.methods"
"""Entry points of this group are methods by their names."""


def installed_methods() -> dict[str, EntryPoint]:
    """The methods that installed packages offer, by name."""
    return {point.name: point for point in entry_points(group=GROUP)}


def installed_method(label: str, point: EntryPoint) -> Method:
    """A method that an installed package offers."""
    try:
        found = point.load()
    except Exception as error:
        raise InputError(
            f"{point.value} cannot be loaded ({_told(error)}); mend that package",
            field="method",
            value=point.name,
        ) from error
    return _as_method(label, found, point.value)


def function_method(label: str, source: str) -> Method:
    """The method behind ``module:function`` or ``FILE.py:function``.

    Raises:
        InputError: if it is not there, or its module cannot be imported.
    """
    place, _, name = source.rpartition(":")
    module = _module_of(place, source)
    found = getattr(module, name, None)
    if found is None:
        known = [key for key, value in vars(module).items() if callable(value)]
        raise InputError(
            f"{place} has no {name}{did_you_mean(name, known)}; name a function in it",
            field="method",
            value=source,
        )
    return _as_method(label, found, source)


def _module_of(place: str, source: str) -> ModuleType:
    try:
        if not place.endswith(".py"):
            if os.getcwd() not in sys.path:  # a command's own folder is not the one it is called in
                sys.path.append(os.getcwd())
            return importlib.import_module(place)
        path = Path(place).resolve()
        if not path.is_file():
            raise InputError(
                f"there is no file {place}; check the path", field="method", value=source
            )
        if str(path.parent) not in sys.path:  # so that it finds its neighbors, as a script does
            sys.path.append(str(path.parent))
        spec = importlib.util.spec_from_file_location(f"_vhmae_method_{path.stem}", path)
        assert spec is not None
        assert spec.loader is not None
        module = importlib.util.module_from_spec(spec)
        sys.modules[spec.name] = module  # dataclasses look their module up
        spec.loader.exec_module(module)
        return module
    except ModuleNotFoundError as error:
        if error.name == place.partition(".")[0]:
            raise InputError(
                f"no module {place} is installed or lies here; write FILE.py:function for a file",
                field="method",
                value=source,
            ) from error
        raise InputError(
            f"needs the module {error.name}; install it beside vhmae", field="method", value=source
        ) from error
    except InputError:
        raise
    except Exception as error:
        raise InputError(
            f"cannot be imported ({_told(error)}); mend it", field="method", value=source
        ) from error


def _as_method(label: str, found: Any, source: str) -> Method:
    if isinstance(found, Method):
        return dataclasses.replace(found, name=label)
    if not callable(found):
        raise InputError(
            f"is no function ({type(found).__name__}); name one of (composite, mask)",
            field="method",
            value=source,
        )
    takes_clip = _takes_one(found)

    def harmonize(clip: Clip) -> Array:
        # Copies, so that a function that works in place does not change what it is scored against.
        composite, mask = np.array(clip.composite), np.array(clip.mask)
        try:
            frames = (
                found(Clip(composite, mask, clip.sample)) if takes_clip else found(composite, mask)
            )
            frames = np.asarray(frames)
        except Exception as error:
            raise InputError(
                f"failed ({_told(error)}); mend it", field="method", value=source
            ) from error
        if frames.shape != clip.composite.shape or frames.dtype != np.uint8:
            raise InputError(
                f"gave {frames.dtype} {frames.shape}; expected uint8 {clip.composite.shape}",
                field="method",
                value=source,
            )
        return frames

    return Method(label, harmonize, facts={"function": source, "code_sha256": _code_digest(found)})


def _takes_one(function: Any) -> bool:
    """Whether a function wants one argument, the clip."""
    try:
        parameters = inspect.signature(function).parameters.values()
    except (TypeError, ValueError):  # some that are written in C do not say
        return False
    places = (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)
    if any(one.kind is inspect.Parameter.VAR_POSITIONAL for one in parameters):
        return False
    return sum(one.kind in places and one.default is one.empty for one in parameters) == 1


def _code_digest(function: Any) -> str | None:
    """Digest of the file that a function stands in; None where that is not known."""
    try:
        file = inspect.getsourcefile(inspect.unwrap(function))
    except TypeError:
        return None
    return file_digest(Path(file)) if file is not None and Path(file).is_file() else None


def _told(error: Exception) -> str:
    """An error of somebody else's code in a few words, with its place."""
    frames = traceback.extract_tb(error.__traceback__)
    where = f", {Path(frames[-1].filename).name} line {frames[-1].lineno}" if frames else ""
    text = " ".join(str(error).split())[:100]
    return f"{type(error).__name__}: {text}{where}"
