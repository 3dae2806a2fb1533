"""The application: who is let in, what pages and calls there are, and how they say no."""

from __future__ import annotations

import dataclasses
import errno
import hmac
import json
import re
import secrets
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.responses import FileResponse, JSONResponse, RedirectResponse
from starlette.exceptions import HTTPException as StarletteHTTPException
from starlette.staticfiles import StaticFiles

from vhmae.app.calls import add_file_calls
from vhmae.app.document import LARGEST_BYTES
from vhmae.app.events import Events
from vhmae.app.folder import Folder
from vhmae.app.project import AppContext
from vhmae.app.project_calls import add_project_calls
from vhmae.app.projects import Projects
from vhmae.app.refusals import Refused
from vhmae.app.render_calls import add_render_calls
from vhmae.app.renders import Renders
from vhmae.app.run import RunFolder
from vhmae.app.uploads import CHUNK_BYTES, Uploads
from vhmae.app.worker import OPENING, Worker
from vhmae.engine.settings import HarmonizerSettings
from vhmae.errors import DISK_ERRORS, InputError, VhmaeError
from vhmae.matting.networks import FILES, find_network
from vhmae.version import __version__
from vhmae.web.admission import Admission
from vhmae.web.application import Site, make_application, told_of_body
from vhmae.web.bodies import SignIn
from vhmae.web.guards import BARE, HEADERS
from vhmae.web.secrets import Secrets, new_secrets

ROOM = Path(__file__).parent
LANGUAGES = ("en", "de")
ENVELOPE_BYTES = 64 * 1024
"""For what stands around a piece or a document."""
LARGEST_BODY = CHUNK_BYTES + ENVELOPE_BYTES
LARGER_BODIES = {r"/api/projects/[^/]+/document$": LARGEST_BYTES + ENVELOPE_BYTES}
CSRF_HEADER = "x-csrf-token"
LOOPBACK = ("127.0.0.1", "localhost", "[::1]")
PAGE_HEADERS = {
    # Pictures that scripts have made are shown by addresses of their own.
    "content-security-policy": HEADERS["content-security-policy"].replace(
        "img-src 'self' data:", "img-src 'self' data: blob:"
    )
}
OPEN_CALLS = ("/api/session", "/api/catalogue/", "/healthz")
"""Calls that need no sign-in."""


@dataclasses.dataclass(frozen=True)
class Limits:
    """What a server takes."""

    upload_bytes: int = 8 << 30
    """Of all files that are sent, together."""
    projects: int = 8
    """Clips that are open at a time."""
    rate: int = 0
    """Requests a minute and address; 0 sets no limit."""


REMOTE = Limits(upload_bytes=2 << 30, projects=4, rate=6000)


class App:
    """The app of one folder, from its opening to its end."""

    def __init__(
        self,
        folder: Path,
        settings: HarmonizerSettings,
        *,
        remote: bool = False,
        token: str = "",
        prefix: str = "",
        https_only: bool = False,
        limits: Limits | None = None,
        demo: str = "",
    ) -> None:
        """Open it.

        Args:
            remote: whoever asks must sign in with the token.
            token: empty makes one.
            demo: the composite of the demo within the folder, where the app is to begin with it.
        Raises:
            InputError: where the folder cannot be read.
        """
        self.limits = limits or (REMOTE if remote else Limits())
        self.remote, self.demo = remote, demo
        made = new_secrets()
        self.secrets = Secrets(made.session_key, token or made.token, made.site)
        self.csrf = secrets.token_urlsafe(24)
        self.events = Events()
        self.run = RunFolder()
        self.uploads = Uploads(self.run.folder("uploads"), self.limits.upload_bytes)
        try:
            self.folder = Folder(folder, self.uploads)
        except InputError:
            self.run.close()
            raise
        self.worker = Worker()
        self.context = AppContext(
            self.folder, self.run, self.worker, settings, self.events.tell, self.limits.projects
        )
        self.projects = Projects(self.context)
        self.renders = Renders(self.events.tell)
        name = self.secrets.site[:12]
        rate, bodies = self.limits.rate, (LARGEST_BODY, LARGER_BODIES)
        self.site = Site("vhmae", self.secrets, name, rate, https_only, prefix, *bodies)
        self.admission = Admission(self.secrets.token)
        self.application = self._application()

    def open_network(self) -> None:
        """Have the network opened while nobody waits for it yet; returns at once."""
        self.worker.ask(OPENING, self.context.open_network)

    def end(self) -> None:
        """Have everything end, without waiting for it: calls that wait for something are refused
        at once. What is rendered may be resumed."""
        self.events.end()
        self.projects.close()  # first: what is read of clips ends with the next frame
        self.renders.stop()
        self.worker.stop()

    def close(self) -> None:
        """End everything, and wait for it."""
        self.end()
        self.renders.end()
        self.worker.end()
        self.run.close()

    def _application(self) -> FastAPI:
        app, _ = make_application(ROOM, self.site)
        _add_refusals(app, self.folder)
        _add_gate(app, self)
        _add_pages(app, self)
        _add_session(app, self)
        add_file_calls(app, self.folder, self.uploads, self.events)
        add_project_calls(app, self.projects, self.renders, self.demo)
        add_render_calls(app, self.projects, self.renders)
        return app

    def is_in(self, request: Request) -> bool:
        """Whether somebody may use the app."""
        return not self.remote or self.admission.is_in(request)


def _add_refusals(app: FastAPI, folder: Folder) -> None:
    """How calls say no; nobody is told where the folder lies."""

    def answer(status: int, detail: str, key: str | None, values: Any) -> Response:
        told = json.loads(folder.plain(json.dumps(values)))
        if "document" in values:  # it is saved again: what it names must stay what it is
            told["document"] = values["document"]
        return JSONResponse({"detail": folder.plain(detail), "key": key, "values": told}, status)

    @app.exception_handler(Refused)
    async def refused(request: Request, error: Refused) -> Response:
        return answer(error.status, str(error), error.key, error.values)

    @app.exception_handler(VhmaeError)
    async def wrong(request: Request, error: VhmaeError) -> Response:
        return answer(400, str(error), None, {})

    @app.exception_handler(RequestValidationError)
    async def misread(request: Request, error: RequestValidationError) -> Response:
        return answer(422, told_of_body(error), None, {})

    @app.exception_handler(OSError)
    async def system(request: Request, error: OSError) -> Response:
        if error.errno in (*DISK_ERRORS, errno.EFBIG):
            full = Refused("server.disk-full")
            return answer(full.status, str(full), full.key, {})
        return answer(500, f"{error.strerror or error}", None, {})

    @app.exception_handler(StarletteHTTPException)
    async def other(request: Request, error: StarletteHTTPException) -> Response:
        told: dict[str, Any] = {"detail": error.detail, "key": None, "values": {}}
        return JSONResponse(told, error.status_code, headers=error.headers)


def _add_gate(app: FastAPI, own: App) -> None:
    """Before every call: the right host, the page's own token, and who is signed in."""

    def refusal(request: Request) -> Refused | None:
        path = request.scope["path"].removeprefix(own.site.prefix)
        if not own.remote and not _is_loopback(request.headers.get("host", "")):
            return Refused("server.host")
        if not path.startswith("/api/"):
            return None
        if request.method not in ("GET", "HEAD", "OPTIONS"):
            given = request.headers.get(CSRF_HEADER, "")
            if not hmac.compare_digest(given.encode(), own.csrf.encode()):
                return Refused("server.csrf")
        if not path.startswith(OPEN_CALLS) and not own.is_in(request):
            return Refused("server.sign-in")
        return None

    class Gate:
        """As middleware, so that no call is forgotten."""

        def __init__(self, inner: Any) -> None:
            self.inner = inner

        async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
            if scope["type"] == "http":
                try:
                    found = refusal(Request(scope))
                except StarletteHTTPException as error:  # too many wrong tokens
                    told = JSONResponse({"detail": error.detail, "key": None}, error.status_code)
                    await told(scope, receive, send)
                    return
                if found is not None:
                    await JSONResponse(found.tree(), found.status)(scope, receive, send)
                    return
            await self.inner(scope, receive, send)

    # Innermost: sessions have been read, and guards have been passed.
    app.user_middleware.append(_middleware(Gate))


def _middleware(kind: Any) -> Any:
    from starlette.middleware import Middleware

    return Middleware(kind)


def _is_loopback(host: str) -> bool:
    """Whether a request was meant for this machine: another name may be another site's, that was
    made to lead here."""
    return re.sub(r":\d+$", "", host).lower() in LOOPBACK


def _add_pages(app: FastAPI, own: App) -> None:
    assets = ROOM / "static" / "assets"
    if assets.is_dir():
        app.mount("/assets", StaticFiles(directory=assets), name="assets")

    @app.get("/", include_in_schema=False)
    def page(request: Request, token: str = "") -> Response:
        """The page; with the token in its address, whoever opens it is let in."""
        base = own.site.prefix
        if request.scope.get(BARE):
            return RedirectResponse(f"{base}/", 307)
        if own.remote and token:
            own.admission.admit(request, token)
        built = ROOM / "static" / "index.html"
        file = built if built.is_file() else ROOM / "unbuilt.html"
        return FileResponse(file, media_type="text/html", headers=PAGE_HEADERS)


def _add_session(app: FastAPI, own: App) -> None:
    @app.get("/api/session")
    def session(request: Request) -> Mapping[str, Any]:
        """What the page begins with."""
        inside = own.is_in(request)
        told: dict[str, Any] = {
            "version": __version__,
            "csrf": own.csrf,
            "remote": own.remote,
            "signed_in": inside,
            "language": _language(request.headers.get("accept-language", "")),
        }
        if not inside:
            return told
        from vhmae.guide.dials import DIAL_RANGES
        from vhmae.work.job import HarmonizeJob

        quality = next(one for one in _options(HarmonizeJob) if one.name == "quality")
        return told | {
            "demo": bool(own.demo),
            "folder": own.folder.root.name,
            "limits": {"upload_bytes": own.limits.upload_bytes, "chunk_bytes": CHUNK_BYTES},
            "mattings": {"chroma": True, **{way: _has_network(way) for way in FILES}},
            "open": own.projects.numbers(),
            "qualities": list(quality.choices),
            "dials": DIAL_RANGES,
        }

    @app.post("/api/session", status_code=204)
    def sign_in(request: Request, body: SignIn) -> Response:
        """Sign in by the token."""
        if not own.admission.admit(request, body.token):
            raise Refused("server.wrong-token")
        return Response(status_code=204)

    @app.get("/api/catalogue/{language}")
    def catalogue(language: str) -> Mapping[str, str]:
        """All texts of a language."""
        return texts(language)


def _options(kind: type) -> Any:
    from vhmae.options import options_of

    return options_of(kind)


def texts(language: str) -> dict[str, str]:
    """The catalogue of a language: the server's texts and the page's."""
    found: dict[str, str] = {}
    for part in ("server", "page"):
        file = ROOM / "catalogue" / f"{part}.{language}.json"
        if re.fullmatch(r"[a-z]{2,3}", language) and file.is_file():
            found |= json.loads(file.read_text(encoding="utf-8"))
    if not found:
        raise Refused("server.no-file", path=language[:20])
    return found


def _language(accepted: str) -> str:
    """The best of our languages by ``Accept-Language``."""
    wanted: list[tuple[float, str]] = []
    for part in accepted.split(",")[:20]:
        name, _, weight = "".join(part.split()).partition(";q=")
        try:
            wanted.append((-float(weight or 1.0), name.partition("-")[0].lower()))
        except ValueError:
            continue
    known = [name for _, name in sorted(wanted) if name in LANGUAGES]
    return known[0] if known else LANGUAGES[0]


def _has_network(way: str) -> bool:
    try:
        find_network(way)
    except InputError:
        return False
    return True
