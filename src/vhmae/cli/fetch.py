"""``--allow-url``: files named by http(s) addresses are fetched into a temporary folder before the work; other protocols stay refused."""

from __future__ import annotations

import contextlib
import re
import shutil
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path

from vhmae.errors import InputError

TIMEOUT_SECONDS = 30.0


@contextlib.contextmanager
def fetched(paths: Sequence[Path], allowed: bool) -> Iterator[list[Path]]:
    """The paths, with files that were fetched in the place of addresses, as long as the context lasts.

    Raises:
        InputError: for an address that cannot be fetched.
    """
    if not allowed or not any(_address(path) for path in paths):
        yield list(paths)
        return
    with tempfile.TemporaryDirectory(prefix="vhmae-") as folder:
        yield [_fetch(path, Path(folder) / str(number)) for number, path in enumerate(paths)]


def _address(path: Path) -> str | None:
    """The address that a path stands for: a path keeps one of the two slashes alone."""
    match = re.fullmatch(r"(https?):/+(.+)", str(path))
    return f"{match[1]}://{match[2]}" if match else None


def _fetch(path: Path, folder: Path) -> Path:
    address = _address(path)
    if address is None:
        return path
    import urllib.error
    import urllib.parse
    import urllib.request

    name = Path(urllib.parse.unquote(urllib.parse.urlsplit(address).path)).name
    if not name:
        raise InputError(f"{address}: names no file; give the address of a video")
    folder.mkdir()
    try:
        with urllib.request.urlopen(address, timeout=TIMEOUT_SECONDS) as source, (folder / name).open("wb") as file:
            shutil.copyfileobj(source, file)
    except (OSError, ValueError, urllib.error.URLError) as error:
        raise InputError(
            f"{address}: cannot be fetched ({getattr(error, 'reason', None) or error}); download it and name the file"
        ) from None
    return folder / name
