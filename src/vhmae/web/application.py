"""The application that every room with pages starts from: templates, static files, signed sessions,
errors in words."""

from __future__ import annotations

import dataclasses
import logging
import re
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import jinja2
from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.responses import HTMLResponse, JSONResponse
from fastapi.staticfiles import StaticFiles
from pydantic import BaseModel
from starlette.exceptions import HTTPException as StarletteHTTPException
from starlette.middleware.sessions import SessionMiddleware

from vhmae.errors import InputError
from vhmae.web.guards import LARGEST_BODY_BYTES, Guards, Prefix
from vhmae.web.secrets import Secrets
from vhmae.web.trouble import DatabaseTrouble

WEB = Path(__file__).parent
SESSION_DAYS = 30
TOLD_EVERY_SECONDS = 60.0
"""How often the same trouble is written to the terminal of whoever serves."""
TAKEN = ("admin", "api", "assets", "healthz", "media", "openapi.json", "p", "rank", "static")
"""First parts of the addresses of our own pages: as a prefix one could not be told from the
page."""


class Refusal(BaseModel):
    """How a call says no."""

    detail: str


def told_of_body(error: RequestValidationError) -> str:
    """What is wrong with a call's body, in one line."""
    return "; ".join(
        f"{'.'.join(map(str, one['loc']))}: {one['msg']}" for one in error.errors()[:3]
    )


REFUSALS: dict[int | str, dict[str, Any]] = {
    code: {"model": Refusal} for code in (400, 401, 403, 404, 409, 413, 422, 429, 500, 503, 507)
}


@dataclasses.dataclass(frozen=True)
class Site:
    """What a room's pages are served with."""

    title: str
    secrets: Secrets
    name: str
    """Of its cookie: two sites on one host, at different ports, share their cookies."""
    rate: int = 600
    """Requests a minute and address; 0 sets no limit."""
    https_only: bool = False
    """Send the session's cookie over https alone: behind a proxy that ends TLS."""
    prefix: str = ""
    """The path, ``/study``, below which a proxy shows the pages; whether the proxy takes it away or
    leaves it in does not matter."""
    largest_body_bytes: int = LARGEST_BODY_BYTES
    """Of a request."""
    larger_bodies: Mapping[str, int] = dataclasses.field(default_factory=dict)
    """Regular expressions of paths that take larger ones, with their bytes."""

    def __post_init__(self) -> None:
        first = self.prefix.split("/")[1] if self.prefix.startswith("/") else ""
        if self.prefix and (
            not re.fullmatch(r"(/[\w.~-]*[\w~][\w.~-]*)+", self.prefix, re.ASCII) or first in TAKEN
        ):
            raise InputError(
                f"`prefix` {self.prefix}: expected a path as in /study, that is no page of the "
                "site's own"
            )


class Pages:
    """Renders the templates of a room and of this one, everything escaped."""

    def __init__(self, room: Path, site: Site) -> None:
        loader = jinja2.FileSystemLoader([room / "templates", WEB / "templates"])
        self.environment = jinja2.Environment(
            loader=loader, autoescape=True, undefined=jinja2.StrictUndefined
        )
        self.site = site

    def show(self, name: str, code: int = 200, **values: Any) -> HTMLResponse:
        """A page."""
        return HTMLResponse(
            self.environment.get_template(name).render(site=self.site, **values), code
        )


def make_application(room: Path, site: Site) -> tuple[FastAPI, Pages]:
    """An application without routes of its own, and its pages.

    Args:
        room: folder of the room, with ``templates`` and ``static`` in it.
    """
    # The pages of FastAPI that show the schema load scripts from elsewhere; the schema itself stays
    # at /openapi.json.
    app = FastAPI(title=site.title, docs_url=None, redoc_url=None, responses=REFUSALS)
    pages = Pages(room, site)
    app.mount("/static/web", StaticFiles(directory=WEB / "static"), name="web")
    app.mount("/static/room", StaticFiles(directory=room / "static"), name="room")
    app.add_middleware(
        SessionMiddleware,
        secret_key=site.secrets.session_key,
        session_cookie=f"session-{site.name}",
        max_age=SESSION_DAYS * 86400,
        path=site.prefix or "/",
        same_site="lax",
        https_only=site.https_only,
    )
    app.add_middleware(
        Guards,
        rate=site.rate,
        largest_body_bytes=site.largest_body_bytes,
        larger=site.larger_bodies,
    )
    app.add_middleware(Prefix, prefix=site.prefix)  # added last, so it stands first
    last_told: dict[str, float] = {}

    @app.exception_handler(StarletteHTTPException)
    async def refuse(request: Request, error: StarletteHTTPException) -> Response:
        if not _wants_page(request):
            return JSONResponse({"detail": error.detail}, error.status_code, headers=error.headers)
        return pages.show(
            "error.html", error.status_code, status=error.status_code, reason=error.detail
        )

    @app.exception_handler(RequestValidationError)
    async def misread(request: Request, error: RequestValidationError) -> Response:
        reasons = told_of_body(error)
        if not _wants_page(request):
            return JSONResponse({"detail": reasons}, 422)
        return pages.show("error.html", 422, status=422, reason=reasons)

    @app.exception_handler(DatabaseTrouble)
    async def troubled(request: Request, error: DatabaseTrouble) -> Response:
        said, now = str(error), time.monotonic()
        if now - last_told.get(said, -TOLD_EVERY_SECONDS) >= TOLD_EVERY_SECONDS:
            last_told[said] = now
            logging.getLogger("vhmae.web").warning("vhmae: warning: %s", said)
        headers = {"retry-after": "30"}
        if not _wants_page(request):
            return JSONResponse({"detail": error.public}, error.status, headers=headers)
        page = pages.show("error.html", error.status, status=error.status, reason=error.public)
        page.headers.update(headers)
        return page

    @app.get("/healthz", include_in_schema=False)
    async def healthz() -> Mapping[
        str, str
    ]:  # in no thread: answers, too, while all of them wait for a database
        return {"status": "ok"}

    return app, pages


def own_link(request: Request, site: Site, name: str, **values: str) -> str:
    """The address of a page of this site, as people are to use it."""
    link = request.url_for(name, **values)
    return str(link.replace(scheme="https") if site.https_only else link)


def _wants_page(request: Request) -> bool:
    """Whether a browser goes somewhere, rather than a page or a program calling."""
    return "text/html" in request.headers.get("accept", "")
