"""What stands before every page: headers, limits, and the rule that only our own pages may change
anything."""

from __future__ import annotations

import json
import re
import time
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Mapping, MutableMapping
from typing import Any
from urllib.parse import urlsplit

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]
Application = Callable[[Scope, Receive, Send], Awaitable[None]]

HEADERS = {
    "content-security-policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; "
        "media-src 'self' blob:; connect-src 'self'; base-uri 'none'; form-action 'self'; "
        "frame-ancestors 'none'"
    ),
    "x-content-type-options": "nosniff",
    "x-frame-options": "DENY",
    "referrer-policy": "no-referrer",
    "permissions-policy": "camera=(), microphone=(), geolocation=(), interest-cohort=()",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
}
BARE = "vhmae.bare"
"""Key of a request's scope: whether it asks for the prefix alone, without a slash behind it."""
LARGEST_BODY_BYTES = 64 * 1024
MOST_ADDRESSES = 10_000


class Prefix:
    """Serves an application below a path, whether a proxy leaves the path in an address or takes it
    away."""

    def __init__(self, app: Application, prefix: str) -> None:
        self.app = app
        self.prefix = prefix

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if self.prefix and scope["type"] == "http":
            raw = scope.get("raw_path") or scope["path"].encode()
            whole, whole_raw = (
                self._below(scope["path"]),
                self._below(raw.decode("latin-1")).encode("latin-1"),
            )
            told = {"root_path": self.prefix, "path": whole, "raw_path": whole_raw}
            # Of a page with relative addresses, the path without its last slash is another place.
            scope = {**scope, **told, BARE: scope["path"] == self.prefix}
        await self.app(scope, receive, send)

    def _below(self, path: str) -> str:
        inside = path == self.prefix or path.startswith(f"{self.prefix}/")
        return f"{self.prefix}{(path.removeprefix(self.prefix) if inside else path) or '/'}"


class Guards:
    """Security headers on every answer; bodies that are too large, requests that come too fast, and
    changes asked for by other sites are refused."""

    def __init__(
        self,
        app: Application,
        rate: int,
        largest_body_bytes: int = LARGEST_BODY_BYTES,
        larger: Mapping[str, int] | None = None,
    ) -> None:
        """Guard an application.

        Args:
            rate: requests a minute and address; 0 sets no limit.
            larger: regular expressions of paths that take larger bodies, with their bytes.
        """
        self.app = app
        self.largest = largest_body_bytes
        self.larger = larger or {}
        self.buckets = Buckets(rate)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return

        async def guarded(message: MutableMapping[str, Any]) -> None:
            if message["type"] == "http.response.start":
                present = {name.lower() for name, _ in message["headers"]}
                extra = {"cache-control": "no-store", **HEADERS}
                message["headers"] = [
                    *message["headers"],
                    *(
                        (name.encode(), value.encode())
                        for name, value in extra.items()
                        if name.encode() not in present
                    ),
                ]
            await send(message)

        largest = self._largest(scope)
        refusal = self._refusal(scope, largest)
        if refusal is not None:
            await _refuse(guarded, *refusal)
            return
        try:
            body = await self._body(scope, receive, largest)
        except ConnectionResetError:  # nobody is there any more to be answered
            return
        if body is None:
            await _refuse(guarded, 413, f"the request is larger than {largest} bytes")
            return
        await self.app(scope, body, guarded)

    def _largest(self, scope: Scope) -> int:
        """How many bytes a request may bring."""
        path = scope["path"]
        return next((n for form, n in self.larger.items() if re.search(form, path)), self.largest)

    def _refusal(self, scope: Scope, largest: int) -> tuple[int, str] | None:
        client = scope["client"][0] if scope.get("client") else ""
        if not self.buckets.take(client):
            return 429, "too many requests; wait a minute"
        headers = {
            name.decode("latin-1").lower(): value.decode("latin-1")
            for name, value in scope["headers"]
        }
        foreign = "origin" in headers and _host_of(headers["origin"]) != headers.get("host")
        # Browsers say themselves whose page asks; behind a proxy the host that we are told may be
        # another than the browser's.
        asked_by = headers.get("sec-fetch-site", "cross-site" if foreign else "none")
        if scope["method"] not in ("GET", "HEAD", "OPTIONS") and asked_by not in (
            "same-origin",
            "none",
        ):
            return 403, "changes are made from this site's own pages only"
        length = headers.get("content-length", "0")
        if not length.isdigit() or int(length) > largest:
            return 413, f"the request is larger than {largest} bytes"
        return None

    async def _body(self, scope: Scope, receive: Receive, largest: int) -> Receive | None:
        """The body, read to its end and counted: a client may understate its length, or give none.

        Raises:
            ConnectionResetError: if it breaks off; half a body is none.
        """
        if scope["method"] in ("GET", "HEAD"):
            return receive
        parts: list[bytes] = []
        while True:
            message = await receive()
            if message["type"] != "http.request":
                raise ConnectionResetError
            parts.append(message.get("body", b""))
            if sum(map(len, parts)) > largest:
                return None
            if not message.get("more_body", False):
                break
        waiting = [{"type": "http.request", "body": b"".join(parts), "more_body": False}]

        async def replay() -> MutableMapping[str, Any]:
            return waiting.pop() if waiting else await receive()

        return replay


def _host_of(origin: str) -> str | None:
    try:
        return urlsplit(origin).netloc
    except ValueError:
        return None


async def _refuse(send: Send, status: int, reason: str) -> None:
    body = json.dumps({"detail": reason}).encode()
    await send(
        {
            "type": "http.response.start",
            "status": status,
            "headers": [(b"content-type", b"application/json")],
        }
    )
    await send({"type": "http.response.body", "body": body})


class Buckets:
    """A bucket of requests for each key, filled again evenly over a minute."""

    def __init__(self, per_minute: int, clock: Callable[[], float] = time.monotonic) -> None:
        self.per_minute = per_minute
        self.clock = clock
        self.left: OrderedDict[str, tuple[float, float]] = OrderedDict()

    def has(self, key: str) -> bool:
        """Whether there is one left."""
        return self.per_minute <= 0 or self._filled(key) >= 1.0

    def _filled(self, key: str) -> float:
        now = self.clock()
        left, then = self.left.get(key, (float(self.per_minute), now))
        return min(self.per_minute, left + (now - then) * self.per_minute / 60.0)

    def take(self, key: str) -> bool:
        """Whether there is one left; takes it."""
        if self.per_minute <= 0:
            return True
        left = self._filled(key)
        self.left.pop(key, None)
        self.left[key] = (left - 1.0 if left >= 1.0 else left, self.clock())
        if len(self.left) > MOST_ADDRESSES:
            self.left.popitem(last=False)  # longest unheard of
        return left >= 1.0
