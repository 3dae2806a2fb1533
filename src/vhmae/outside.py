"""Code that stands outside the package, by the name that a user typed: ``module:name`` or
``FILE.py:name``.

Only what a user names on a command line comes here. What a weights file, a recipe or a checkpoint
names is never imported: such files are passed from hand to hand.
"""

from __future__ import annotations

import importlib
import importlib.util
import os
import re
import sys
import traceback
from pathlib import Path
from types import ModuleType
from typing import Any

from vhmae.errors import InputError, did_you_mean

FORM = re.compile(r"(?:.*\.py|\w+(?:\.\w+)*):[^\W\d]\w*")
"""``module:name`` or ``FILE.py:name``."""


def load_outside(source: str, field: str, what: str) -> Any:
    """The object behind ``module:name`` or ``FILE.py:name``; a file finds its neighbors.

    Args:
        field: the option that names it, for messages.
        what: what is looked for, as "function".
    Raises:
        InputError: if it is not there, or its module cannot be imported.
    """
    if not FORM.fullmatch(source):
        raise InputError("write module:NAME or FILE.py:NAME", field=field, value=source)
    place, _, name = source.rpartition(":")
    module = _module_of(place, source, field)
    found = getattr(module, name, None)
    if found is None:
        known = [key for key, value in vars(module).items() if callable(value)]
        raise InputError(
            f"{place} has no {name}{did_you_mean(name, known)}; name a {what} in it",
            field=field,
            value=source,
        )
    return found


def _module_of(place: str, source: str, field: str) -> ModuleType:
    try:
        if not place.endswith(".py"):
            if os.getcwd() not in sys.path:  # a command's own folder is not the one it is called in
                sys.path.append(os.getcwd())
            return importlib.import_module(place)
        path = Path(place).resolve()
        if not path.is_file():
            raise InputError(f"there is no file {place}; check the path", field=field, value=source)
        if str(path.parent) not in sys.path:  # so that it finds its neighbors, as a script does
            sys.path.append(str(path.parent))
        spec = importlib.util.spec_from_file_location(f"_vhmae_{field}_{path.stem}", path)
        assert spec is not None
        assert spec.loader is not None
        module = importlib.util.module_from_spec(spec)
        sys.modules[spec.name] = module  # dataclasses look their module up
        spec.loader.exec_module(module)
        return module
    except ModuleNotFoundError as error:
        if error.name == place.partition(".")[0]:
            raise InputError(
                f"no module {place} is installed or lies here; write FILE.py:NAME for a file",
                field=field,
                value=source,
            ) from error
        raise InputError(
            f"needs the module {error.name}; install it beside vhmae", field=field, value=source
        ) from error
    except InputError:
        raise
    except Exception as error:
        raise InputError(
            f"cannot be imported ({told(error)}); mend it", field=field, value=source
        ) from error


def told(error: Exception) -> str:
    """An error of somebody else's code in a few words, with its place."""
    frames = traceback.extract_tb(error.__traceback__)
    where = f", {Path(frames[-1].filename).name} line {frames[-1].lineno}" if frames else ""
    text = " ".join(str(error).split())[:100]
    return f"{type(error).__name__}: {text}{where}"
