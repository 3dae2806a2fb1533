"""Options of commands that serve pages, importable without their libraries."""

from __future__ import annotations

import dataclasses
import os

from vhmae.options import NATURAL, Form, option

SERVED = "where pages are served"


def _below(text: str) -> str:
    path = text.strip().strip("/")
    return f"/{path}" if path else ""


BELOW = Form("a path as /study", _below)
"""``study/`` as ``/study``."""


def _named_database() -> str | None:
    return os.environ.get("VHMAE_DATABASE") or None


@dataclasses.dataclass(frozen=True, kw_only=True)
class DatabaseOptions:
    """Where rows are kept."""

    database: str | None = option(
        factory=_named_database, metavar="URL", group="where rows are kept"
    )
    """postgresql://... (VHMAE_DATABASE, or SQLite in the folder)."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class ServeOptions(DatabaseOptions):
    """Where pages are served."""

    host: str = option("127.0.0.1", group=SERVED)
    """Where to listen; 0.0.0.0 is everywhere."""
    port: int = option(8000, metavar="N", form=NATURAL, group=SERVED)
    """0 takes any that is free."""
    rate: int = option(600, metavar="N", form=NATURAL, group=SERVED)
    """Requests a minute and address; 0 is no limit."""
    https: bool = option(False, group=SERVED)
    """Behind a proxy that ends TLS: send cookies over https alone."""
    prefix: str = option("", metavar="PATH", form=BELOW, group=SERVED)
    """Behind a proxy: where it shows the pages, as /study."""
