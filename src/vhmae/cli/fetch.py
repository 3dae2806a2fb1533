"""``--allow-url``: files named by http(s) addresses are fetched into a temporary folder before the
work; other protocols stay refused."""

from __future__ import annotations

import contextlib
import shutil
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path

from vhmae.cli.parser import Location
from vhmae.errors import InputError

TIMEOUT_SECONDS = 30.0


@contextlib.contextmanager
def fetched(places: Sequence[Location | None], allowed: bool) -> Iterator[list[Path | None]]:
    """The paths, with files that were fetched in the place of addresses, as long as the context
    lasts.

    Raises:
        InputError: for an address that is not allowed, or cannot be fetched.
    """
    if not allowed:
        refuse_addresses(places)
    with (
        tempfile.TemporaryDirectory(prefix="vhmae-")
        if any(isinstance(place, str) for place in places)
        else contextlib.nullcontext("") as folder
    ):
        yield [
            _fetch(one, Path(folder) / str(at)) if isinstance(one, str) else one
            for at, one in enumerate(places)
        ]


def refuse_addresses(places: Sequence[Location | None]) -> None:
    """Refuse what is an address and no path."""
    for place in places:
        if isinstance(place, str):
            raise InputError(
                f"{place}: is an address, not a file; download it first, or pass --allow-url where "
                "files are read"
            )


def _fetch(address: str, folder: Path) -> Path:
    import http.client
    import urllib.error
    import urllib.parse
    import urllib.request

    try:
        parts = urllib.parse.urlsplit(address)
    except ValueError as error:
        raise InputError(f"{address}: is no address ({error}); mend it") from None
    name = Path(urllib.parse.unquote(parts.path)).name
    if not name:
        raise InputError(f"{address}: names no file; give the address of a video")
    quoted = parts._replace(path=urllib.parse.quote(parts.path, safe="/%:@+,;=~!$&'()*")).geturl()
    # Http and https alone: a redirection to another protocol is no way out.
    opener = urllib.request.OpenerDirector()
    for handler in (
        urllib.request.ProxyHandler,
        urllib.request.HTTPHandler,
        urllib.request.HTTPSHandler,
        urllib.request.HTTPRedirectHandler,
        urllib.request.HTTPErrorProcessor,
        urllib.request.HTTPDefaultErrorHandler,
        urllib.request.UnknownHandler,
    ):
        opener.add_handler(handler())
    folder.mkdir()
    try:
        with (
            opener.open(quoted, timeout=TIMEOUT_SECONDS) as source,
            (folder / name).open("wb") as file,
        ):
            shutil.copyfileobj(source, file)
            length = source.headers.get("Content-Length")
            expected = None if length is None else int(length)
    except (OSError, ValueError, urllib.error.URLError, http.client.HTTPException) as error:
        reason = getattr(error, "reason", None) or error
        raise InputError(
            f"{address}: cannot be fetched ({reason}); download it and name the file"
        ) from None
    size = (folder / name).stat().st_size
    if expected is not None and size != expected:
        raise InputError(
            f"{address}: broke off after {size} of {expected} bytes; fetch it again, or download "
            "it and name the file"
        )
    return folder / name
