"""A set's manifest (one JSON line a composite) and its list; written by a build, an export of decisions, or both at once."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout

from vhmae.data.hyoutube import COMPOSITE, MASK, TEST_LIST
from vhmae.errors import VhmaeError
from vhmae.rcvh.composite import OBJECT

MANIFEST, _LOCK = "manifest.jsonl", ".manifest.lock"
WAIT_SECONDS = 60.0
_ODD_NAMES = "surrogateescape"
"""Files may have names that are not UTF-8."""

Line = dict[str, Any]


def read_manifest(out: Path) -> list[Line]:
    """The lines of a set's manifest; half a line, left by a kill, is not one."""
    path = out / MANIFEST
    lines = []
    for text in path.read_text(encoding="utf-8", errors=_ODD_NAMES).split("\n") if path.exists() else []:
        with contextlib.suppress(ValueError):
            lines.append(json.loads(text))
    return lines


def add_line(out: Path, line: Line) -> None:
    """Add a composite that was built."""
    with _alone(out), (out / MANIFEST).open("a", encoding="utf-8", errors=_ODD_NAMES) as file:
        file.write(json.dumps(line, ensure_ascii=False) + "\n")


def rewrite(out: Path, change: Callable[[list[Line]], list[Line]] = lambda lines: lines) -> list[Line]:
    """Write the manifest anew, in the order of its names, and the list of what is not rejected; returns the lines.

    Raises:
        VhmaeError: if another process holds it for a minute.
    """
    with _alone(out):
        known = {line["name"]: line for line in read_manifest(out)}
        lines = change([known[name] for name in sorted(known)])
        write_lines(out / MANIFEST, lines)
        _write_list(out, [line for line in lines if line.get("review", {}).get("verdict") != "reject"])
    return lines


def write_lines(path: Path, lines: list[Line]) -> None:
    """Write a file of JSON lines, whole or not at all."""
    part = path.with_name(f".{path.name}.part")
    part.write_text("".join(json.dumps(line, ensure_ascii=False) + "\n" for line in lines), encoding="utf-8", errors=_ODD_NAMES)
    part.replace(path)


def _write_list(out: Path, lines: list[Line]) -> None:
    """Write the list of the HYouTube layout: no target (-), mask, composite."""
    text = "".join(f"- {MASK}/{line['name']}/{OBJECT} {COMPOSITE}/{line['name']}/{OBJECT}\n" for line in lines)
    part = out / f".{TEST_LIST}.part"
    part.write_text(text, encoding="utf-8", errors=_ODD_NAMES)
    part.replace(out / TEST_LIST)


@contextlib.contextmanager
def _alone(out: Path) -> Iterator[None]:
    try:
        with FileLock(out / _LOCK, timeout=WAIT_SECONDS, is_singleton=False):
            yield
    except Timeout:
        raise VhmaeError(f"{out}: another process writes the manifest since {WAIT_SECONDS:.0f} s; look whether it hangs") from None
