"""The job of ``vhmae app``, importable without the libraries of its page."""

from __future__ import annotations

import dataclasses
from pathlib import Path

from vhmae.options import NATURAL, option
from vhmae.web.job import BELOW

USUAL_PORT = 8765


@dataclasses.dataclass(frozen=True, kw_only=True)
class AppJob:
    """A page to open."""

    folder: Path | None = option(None, positional=True, metavar="FOLDER")
    """Where the clips are; nothing outside it is read or written (the current one)."""
    demo: bool = False
    """Open a composite of photographs, made in FOLDER (demo)."""
    browser: bool = option(True, without="Print the address, and open no browser")
    """Open a browser where there is a screen."""
    remote: bool = False
    """Serve other machines, too: to whoever has the token that is printed."""
    host: str | None = option(None, metavar="ADDRESS")
    """Where to listen (127.0.0.1; with --remote 0.0.0.0)."""
    port: int | None = option(None, metavar="N", form=NATURAL)
    """0 takes any that is free (8765, or any)."""
    prefix: str = option("", metavar="PATH", form=BELOW)
    """Behind a proxy: where it shows the page, as /look."""
    https: bool = False
    """Behind a proxy that ends TLS: send cookies over https alone."""
    upload_limit: int | None = option(None, metavar="MB", form=NATURAL)
    """Of all files that are sent to the server, together (8192; with --remote 2048)."""
    rate: int | None = option(None, metavar="N", form=NATURAL)
    """Requests a minute and address; 0 is no limit (0; with --remote 6000)."""
