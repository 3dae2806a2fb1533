"""A set's manifest (one JSON line a composite) and its list; written by a build, an export of
decisions, or both at once."""

from __future__ import annotations

import contextlib
import json
import math
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from vhmae.data.hyoutube import COMPOSITE, MASK, TEST_LIST
from vhmae.errors import InputError, VhmaeError
from vhmae.memory import bounded
from vhmae.partial_output import OutputLock, write_text_whole
from vhmae.rcvh.composite import OBJECT
from vhmae.web.records import NotReadable, parse_json

MANIFEST, _LOCK = "manifest.jsonl", "manifest"
WAIT_SECONDS = 60.0
_ODD_NAMES = "surrogateescape"
"""Files may have names that are not UTF-8."""
_NAME = re.compile(r"[A-Za-z0-9_-][A-Za-z0-9_.-]{0,63}")

Line = dict[str, Any]


def read_manifest(out: Path, unfinished: bool = False) -> list[Line]:
    """The lines of a set's manifest.

    Args:
        unfinished: leave out a last line that breaks off, as a killed build leaves it: its
            composite is built again.
    Raises:
        InputError: for a line that is damaged, by its number; no line is ever passed over.
    """
    path = out / MANIFEST
    try:
        texts = bounded(path).read_text(encoding="utf-8", errors=_ODD_NAMES).split("\n")
    except FileNotFoundError:
        return []
    except OSError as error:
        raise InputError(
            f"{path}: cannot be read ({error.strerror}); check its permissions"
        ) from None
    lines: list[Line] = []
    places: dict[str, int] = {}
    for number, text in enumerate(texts, 1):
        if not text.strip():
            continue
        try:
            line = parse_json(text)
            wrong = _wrong(line)
        except NotReadable as error:
            if (
                number == len(texts) and unfinished
            ):  # every line that was written whole ends with a line break
                continue
            line, wrong = {}, str(error)
        if wrong is None and places.setdefault(line["name"], number) != number:
            if line == lines[[one["name"] for one in lines].index(line["name"])]:
                continue
            wrong = (
                f"has the name {line['name']}, as line {places[line['name']]} has, and says "
                "something else"
            )
        if wrong is not None:
            remedy = (
                "run vhmae rcvh build again to go on"
                if number == len(texts)
                else "mend the line, or restore the file from a copy"
            )
            raise InputError(f"{path}: line {number} is damaged ({wrong}); {remedy}")
        lines.append(line)
    return lines


def _wrong(line: Any) -> str | None:
    """What keeps a line from being a composite's; a set may come from elsewhere, so its names are
    looked at, too."""
    if not isinstance(line, dict):
        return f"is a {type(line).__name__}, not keys with values"
    name, ratio = line.get("name"), line.get("foreground_ratio")
    if not isinstance(name, str) or not _NAME.fullmatch(name):
        return "'name' is no name of a composite, as in 00012"
    if (
        isinstance(ratio, bool)
        or not isinstance(ratio, (int, float))
        or not math.isfinite(ratio)
        or not 0.0 <= ratio <= 1.0
    ):
        return "'foreground_ratio' is not a number from 0 to 1"
    review = line.get("review", {})
    if not isinstance(review, dict):
        return "'review' is not what an export of decisions writes"
    for part in ("foreground", "background"):
        if part in line and not (
            isinstance(line[part], dict) and isinstance(line[part].get("source"), str)
        ):
            return f"'{part}' names no source"
    return None


def add_line(out: Path, line: Line) -> None:
    """Add a composite that was built."""
    with _alone(out), (out / MANIFEST).open("a", encoding="utf-8", errors=_ODD_NAMES) as file:
        file.write(json.dumps(line, ensure_ascii=False) + "\n")


def rewrite(
    out: Path,
    change: Callable[[list[Line]], list[Line]] = lambda lines: lines,
    unfinished: bool = False,
) -> list[Line]:
    """Write the manifest anew, in the order of its names, and the list of what is not rejected;
    returns the lines.

    Args:
        unfinished: as in :func:`read_manifest`.
    Raises:
        InputError: for a damaged line; the file is left as it is.
        VhmaeError: if another process holds it for a minute.
    """
    with _alone(out):
        known = {line["name"]: line for line in read_manifest(out, unfinished)}
        lines = change([known[name] for name in sorted(known)])
        write_lines(out / MANIFEST, lines)
        _write_list(
            out, [line for line in lines if line.get("review", {}).get("verdict") != "reject"]
        )
    return lines


def write_lines(path: Path, lines: list[Line]) -> None:
    """Write a file of JSON lines, whole or not at all."""
    text = "".join(json.dumps(line, ensure_ascii=False) + "\n" for line in lines)
    write_text_whole(path, text, errors=_ODD_NAMES)


def _write_list(out: Path, lines: list[Line]) -> None:
    """Write the list of the HYouTube layout: no target (-), mask, composite."""
    text = "".join(
        f"- {MASK}/{line['name']}/{OBJECT} {COMPOSITE}/{line['name']}/{OBJECT}\n" for line in lines
    )
    write_text_whole(out / TEST_LIST, text, errors=_ODD_NAMES)


@contextlib.contextmanager
def _alone(out: Path) -> Iterator[None]:
    try:
        lock = OutputLock(out / _LOCK, WAIT_SECONDS)
    except InputError:
        raise VhmaeError(
            f"{out}: another process writes the manifest since {WAIT_SECONDS:.0f} s; look whether "
            "it hangs"
        ) from None
    with lock:
        yield
