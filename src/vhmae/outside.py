"""Code that stands outside the package, by the name that a user typed: ``module:name`` or
``FILE.py:name``.

Only what a user names on a command line comes here. What a weights file, a recipe or a checkpoint
names is never imported: such files are passed from hand to hand.
"""

from __future__ import annotations

import contextlib
import hashlib
import importlib
import importlib.util
import os
import re
import sys
import traceback
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

from vhmae.errors import InputError, did_you_mean

FORM = re.compile(r"(?:.*\.py|\w+(?:\.\w+)*):[^\W\d]\w*")
"""``module:name`` or ``FILE.py:name``."""


def load_outside(source: str, field: str, what: str) -> Any:
    """The object behind ``module:name`` or ``FILE.py:name``; a file finds its neighbors, whatever
    neighbors of other files are called.

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
        named = hashlib.sha256(os.fsencode(path)).hexdigest()[:8]
        spec = importlib.util.spec_from_file_location(f"_vhmae_{field}_{path.stem}_{named}", path)
        assert spec is not None
        assert spec.loader is not None
        module = importlib.util.module_from_spec(spec)
        sys.modules[spec.name] = module  # dataclasses look their module up
        with neighbors_of(path.parent):
            spec.loader.exec_module(module)
        if str(path.parent) not in sys.path:  # for what it imports only as it works
            sys.path.append(str(path.parent))
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
    except (Exception, SystemExit) as error:
        raise InputError(
            f"cannot be imported ({told(error)}); mend it", field=field, value=source
        ) from error


def folder_of(source: str) -> Path | None:
    """Where the file of ``FILE.py:name`` lies; None for a module."""
    place = source.rpartition(":")[0]
    return Path(place).resolve().parent if place.endswith(".py") else None


_NEIGHBORS: dict[Path, dict[str, ModuleType]] = {}
"""Of folders that files were loaded from, the modules that lie there and were imported, by name."""


@contextlib.contextmanager
def neighbors_of(folder: Path) -> Iterator[None]:
    """Have the modules of a folder found first, as a script's neighbors are, and those of other
    folders not taken for them: two files may have neighbors of one name."""
    own = _NEIGHBORS.setdefault(folder, {})
    names = {path.stem for path in folder.glob("*.py")}
    names |= {path.parent.name for path in folder.glob("*/__init__.py")}
    names -= {"vhmae"}

    def take_out() -> dict[str, ModuleType]:
        found = [name for name in sys.modules if name.partition(".")[0] in names]
        return {name: sys.modules.pop(name) for name in found}

    others = take_out()
    sys.modules.update(own)
    sys.path.insert(0, str(folder))
    try:
        yield
    finally:
        sys.path.remove(str(folder))
        own.update(take_out())
        sys.modules.update(others)


def neighbors(folder: Path) -> list[Path]:
    """The files beside a file that were imported by it so far."""
    files = {getattr(one, "__file__", None) for one in _NEIGHBORS.get(folder, {}).values()}
    return sorted(Path(one) for one in files if one is not None)


def told(error: BaseException) -> str:
    """An error of somebody else's code in a few words, with its place."""
    frames = traceback.extract_tb(error.__traceback__)
    where = f", {Path(frames[-1].filename).name} line {frames[-1].lineno}" if frames else ""
    text = " ".join(str(error).split())[:100]
    return f"{type(error).__name__}: {text}{where}"
