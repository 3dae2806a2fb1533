"""JSON that lay about, or came from elsewhere: read in one place, whatever befell it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from vhmae.memory import bounded


class NotReadable(ValueError):
    """Text that is no JSON, or is nested so deep that no reader follows."""


def parse_json(text: str) -> Any:
    """Read a text.

    Raises:
        NotReadable: says why in a few words.
    """
    try:
        return json.loads(text)
    except json.JSONDecodeError as error:
        raise NotReadable(f"{error.msg} at letter {error.pos + 1}") from None
    except RecursionError:
        raise NotReadable("brackets within brackets without end") from None
    except ValueError as error:  # a number of thousands of digits
        raise NotReadable(str(error)[:80]) from None


def is_whole(tree: Any) -> bool:
    """Whether a tree can be written as JSON that every reader takes: without NaN and infinities,
    which Python reads, and without halves of letters, which no encoding has."""
    try:
        json.dumps(tree, allow_nan=False, ensure_ascii=False).encode()
    except (ValueError, RecursionError):
        return False
    return True


def read_object(path: Path) -> dict[str, Any]:
    """Read a file that holds one JSON object.

    Raises:
        OSError: if it cannot be read, and for a pipe or a device.
        NotReadable: if it holds something else.
    """
    try:
        tree = parse_json(bounded(path).read_text(encoding="utf-8"))
    except UnicodeDecodeError:
        raise NotReadable("is no text in UTF-8") from None
    if not isinstance(tree, dict):
        raise NotReadable(f"holds a {type(tree).__name__} in the place of keys with values")
    return tree
