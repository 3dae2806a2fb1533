"""Code that stands outside the package, by the name that a user typed: ``module:name`` or
``FILE.py:name``.

Only what a user names on a command line comes here. What a weights file, a recipe or a checkpoint
names is never imported: such files are passed from hand to hand.
"""

from __future__ import annotations

import contextlib
import dataclasses
import hashlib
import importlib
import importlib.machinery
import importlib.util
import os
import re
import sys
import traceback
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

from vhmae.digest import file_digest
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
        _NEIGHBORS.pop(path, None)  # they may have changed since, as the file may
        with neighbors_of(path):
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


def file_of(source: str) -> Path | None:
    """The file of ``FILE.py:name``; None for a module."""
    place = source.rpartition(":")[0]
    return Path(place).resolve() if place.endswith(".py") else None


@dataclasses.dataclass
class _Neighbors:
    """What a file has imported of the modules that lie beside it."""

    modules: dict[str, ModuleType] = dataclasses.field(default_factory=dict)
    digests: dict[Path, str] = dataclasses.field(default_factory=dict)
    """Of their files, as they were when they were imported."""


_NEIGHBORS: dict[Path, _Neighbors] = {}
"""By file."""
_PUT_BACK: dict[str, ModuleType] = {}
"""Neighbors that stand among all modules, by name: those of the file that was loaded last."""


@contextlib.contextmanager
def neighbors_of(file: Path) -> Iterator[None]:
    """Have the modules beside a file found first, as a script's neighbors are, and those of other
    files not taken for them: two files may have neighbors of one name."""
    own, folder = _NEIGHBORS.setdefault(file, _Neighbors()), file.parent
    names = {path.stem for path in folder.glob("*.py")}
    plain = {path.parent.name for path in folder.glob("*/*.py")}
    packages = {path.parent.name for path in folder.glob("*/__init__.py")}
    # A folder that is no package comes after any module of its name, as in Python's own search.
    names |= packages | {name for name in plain - packages if not _is_elsewhere(name, folder)}
    names -= {"vhmae", "__main__", "__init__"}

    def take_out() -> dict[str, ModuleType]:
        found = [name for name in sys.modules if name.partition(".")[0] in names]
        return {name: sys.modules.pop(name) for name in found}

    others = {name: one for name, one in take_out().items() if _PUT_BACK.get(name) is not one}
    sys.modules.update(own.modules)
    sys.path.insert(0, str(folder))
    try:
        yield
    finally:
        sys.path.remove(str(folder))
        own.modules.update(take_out())
        sys.modules.update(others)
        for name, module in own.modules.items():
            path = Path(getattr(module, "__file__", None) or "")
            if path.is_file():
                own.digests.setdefault(path, file_digest(path))
            # Where nothing else has the name, it may be asked for by it: to be pickled, or later.
            if name not in sys.modules and not _is_elsewhere(name.partition(".")[0], folder):
                sys.modules[name] = _PUT_BACK[name] = module


def _is_elsewhere(name: str, folder: Path) -> bool:
    """Whether a module of a name is found outside a folder."""
    if name in sys.builtin_module_names:
        return True
    places = [place for place in sys.path if Path(place or ".").resolve() != folder]
    spec = importlib.machinery.PathFinder.find_spec(name, places)
    return spec is not None and spec.origin is not None  # a folder of plain files is nobody's


def neighbor_digests(file: Path) -> list[str]:
    """Digests of the modules beside a file that it imported as it was loaded."""
    own = _NEIGHBORS.get(file, _Neighbors())
    return [own.digests[path] for path in sorted(own.digests)]


def told(error: BaseException) -> str:
    """An error of somebody else's code in a few words, with its place."""
    frames = traceback.extract_tb(error.__traceback__)
    where = f", {Path(frames[-1].filename).name} line {frames[-1].lineno}" if frames else ""
    text = " ".join(str(error).split())[:100]
    return f"{type(error).__name__}: {text}{where}"
