"""The application that every room with pages starts from: templates, static files, signed sessions, errors in words."""

from __future__ import annotations

import dataclasses
import hashlib
import hmac
import secrets
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import jinja2
from fastapi import FastAPI, HTTPException, Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.responses import HTMLResponse, JSONResponse
from fastapi.staticfiles import StaticFiles
from pydantic import BaseModel
from starlette.exceptions import HTTPException as StarletteHTTPException
from starlette.middleware.sessions import SessionMiddleware

from vhmae.web.guards import Buckets, Guards

WEB = Path(__file__).parent
SESSION_DAYS = 30
LOGINS_A_MINUTE = 20


class Refusal(BaseModel):
    """How a call says no."""

    detail: str


REFUSALS: dict[int | str, dict[str, Any]] = {code: {"model": Refusal} for code in (400, 401, 403, 404, 409, 413, 422, 429)}


@dataclasses.dataclass(frozen=True)
class Site:
    """What a room's pages are served with."""

    title: str
    secret: str
    """Signs the sessions; whoever has it can make them up."""
    admin_token: str
    name: str
    """Of its cookie: two sites on one host, at different ports, share their cookies."""
    rate: int = 600
    """Requests a minute and address; 0 sets no limit."""
    https_only: bool = False
    """Send the session's cookie over https alone: behind a proxy that ends TLS."""


class Pages:
    """Renders the templates of a room and of this one, everything escaped."""

    def __init__(self, room: Path, site: Site) -> None:
        loader = jinja2.FileSystemLoader([room / "templates", WEB / "templates"])
        self.environment = jinja2.Environment(loader=loader, autoescape=True, undefined=jinja2.StrictUndefined)
        self.site = site

    def show(self, name: str, code: int = 200, **values: Any) -> HTMLResponse:
        """A page."""
        return HTMLResponse(self.environment.get_template(name).render(site=self.site, **values), code)


def make_application(room: Path, site: Site) -> tuple[FastAPI, Pages]:
    """An application without routes of its own, and its pages.

    Args:
        room: folder of the room, with ``templates`` and ``static`` in it.
    """
    # The pages of FastAPI that show the schema load scripts from elsewhere; the schema itself stays at /openapi.json.
    app = FastAPI(title=site.title, docs_url=None, redoc_url=None, responses=REFUSALS)
    pages = Pages(room, site)
    app.mount("/static/web", StaticFiles(directory=WEB / "static"), name="web")
    app.mount("/static/room", StaticFiles(directory=room / "static"), name="room")
    app.add_middleware(
        SessionMiddleware, secret_key=site.secret, session_cookie=f"session-{site.name}", max_age=SESSION_DAYS * 86400, same_site="lax",
        https_only=site.https_only,
    )  # fmt: skip
    app.add_middleware(Guards, rate=site.rate)  # added last, so it stands first

    @app.exception_handler(StarletteHTTPException)
    async def refuse(request: Request, error: StarletteHTTPException) -> Response:
        if not _wants_page(request):
            return JSONResponse({"detail": error.detail}, error.status_code, headers=error.headers)
        return pages.show("error.html", error.status_code, status=error.status_code, reason=error.detail)

    @app.exception_handler(RequestValidationError)
    async def misread(request: Request, error: RequestValidationError) -> Response:
        reasons = "; ".join(f"{'.'.join(map(str, one['loc']))}: {one['msg']}" for one in error.errors()[:3])
        if not _wants_page(request):
            return JSONResponse({"detail": reasons}, 422)
        return pages.show("error.html", 422, status=422, reason=reasons)

    @app.get("/healthz", include_in_schema=False)
    def healthz() -> Mapping[str, str]:
        return {"status": "ok"}

    return app, pages


def own_link(request: Request, site: Site, name: str, **values: str) -> str:
    """The address of a page of this site, as people are to use it."""
    link = request.url_for(name, **values)
    return str(link.replace(scheme="https") if site.https_only else link)


def _wants_page(request: Request) -> bool:
    """Whether a browser goes somewhere, rather than a page or a program calling."""
    return "text/html" in request.headers.get("accept", "")


# --- the organizer


def new_token() -> str:
    """A secret that nobody guesses."""
    return secrets.token_urlsafe(24)


def fingerprint(token: str) -> str:
    """What a table or a session keeps of a secret: it can be checked, not read back."""
    return hashlib.sha256(token.encode()).hexdigest()


class Admission:
    """Lets the organizer in, by the token once and by the session from then on."""

    def __init__(self, token: str) -> None:
        self.fingerprint = fingerprint(token)
        self.attempts = Buckets(LOGINS_A_MINUTE)

    def admit(self, request: Request, token: str) -> bool:
        """Check a token that was given; remembers in the session that it was right.

        Raises:
            HTTPException: 429 after too many attempts.
        """
        client = request.client.host if request.client else ""
        if not self.attempts.has(client):
            raise HTTPException(429, "too many attempts; wait a minute")
        if not hmac.compare_digest(fingerprint(token), self.fingerprint):
            self.attempts.take(client)  # only what is wrong counts
            return False
        request.session["admin"] = self.fingerprint
        return True

    def is_in(self, request: Request) -> bool:
        """Whether the organizer asks: by session or ``Authorization: Bearer TOKEN``."""
        kept = request.session.get("admin")
        if isinstance(kept, str) and hmac.compare_digest(kept, self.fingerprint):
            return True
        scheme, _, token = request.headers.get("authorization", "").partition(" ")
        return scheme.lower() == "bearer" and self.admit(request, token.strip())

    def require(self, request: Request) -> None:
        """Refuse anybody else."""
        if not self.is_in(request):
            raise HTTPException(401, "this page needs the organizer's token", headers={"WWW-Authenticate": "Bearer"})
