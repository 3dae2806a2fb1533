"""Connections that nobody can hold for nothing: the slow are closed, a full server says so.

A server has only so many connections. Whoever opens them all and sends nothing would shut everybody
else out, so a connection must bring a whole request within seconds, take its answer at a least
pace, and make room for others while it waits. Nothing that was handed in is touched by this: rows
are written by requests that have arrived whole.
"""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
import json
import socket
import struct
import time
from typing import Any

from uvicorn.protocols.http.h11_impl import H11Protocol, RequestResponseCycle

SPARE_DESCRIPTORS = 192
"""Open files that are no connections: the database's, the videos'; and who is being refused."""
MOST_CONNECTIONS = 4000
FEWEST_CONNECTIONS = 16
LOOK_EVERY_SECONDS = 0.5
LEAST_SENT = 16 * 1024
LEAST_TAKEN = 32 * 1024
MOST_REFUSED = 64
"""Connections that are told at one time that there is no room; more are closed without a word."""


def _answer(status: str, text: str) -> bytes:
    body = json.dumps({"detail": text}) + "\n"  # what pages show of a call that was refused
    lines = (
        f"HTTP/1.1 {status}",
        "content-type: application/json",
        "retry-after: 30",
        "connection: close",
        f"content-length: {len(body)}",
    )
    return "\r\n".join([*lines, "", body]).encode()


TOO_SLOW = _answer("408 Request Timeout", "The request did not arrive in time; try again.")
FULL = _answer(
    "503 Service Unavailable",
    "Too many people are here at once; nothing that was handed in is lost: try again in a minute.",
)


@dataclasses.dataclass(frozen=True)
class Patience:
    """How long a connection is waited for, in seconds."""

    head: float = 10.0
    """For the head of a request, from when the connection was opened or the head began."""
    body: float = 20.0
    """For ``LEAST_SENT`` bytes of the body of a request, or for its end."""
    answer: float = 30.0
    """For somebody to take ``LEAST_TAKEN`` bytes of an answer."""


def most_connections() -> int:
    """How many connections the system lets this process have; asks for as many as it may."""
    try:
        import resource
    except ImportError:  # Windows counts otherwise
        return MOST_CONNECTIONS
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = MOST_CONNECTIONS + SPARE_DESCRIPTORS
    if soft < wanted:
        raised = wanted if hard == resource.RLIM_INFINITY else min(hard, wanted)
        with contextlib.suppress(OSError, ValueError):
            resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, raised), hard))
        soft = resource.getrlimit(resource.RLIMIT_NOFILE)[0]
    return max(FEWEST_CONNECTIONS, min(MOST_CONNECTIONS, soft - SPARE_DESCRIPTORS))


class Room:
    """The connections of a server."""

    def __init__(self, most: int, patience: Patience | None = None) -> None:
        self.most = most
        self.patience = patience or Patience()
        self.inside: dict[Connection, None] = {}
        """The longest here first."""
        self.refused: dict[Connection, None] = {}
        self._looking = False

    def enter(self, connection: Connection) -> None:
        """Take a connection in, in the place of one that waits if there is no other; or refuse."""
        if len(self.inside) >= self.most:
            waiting = next((one for one in self.inside if one.is_waiting), None)
            if waiting is not None:
                waiting.cut_off()
        if len(self.inside) < self.most:
            self.inside[connection] = None
        elif len(self.refused) < MOST_REFUSED:
            self.refused[connection] = None
            connection.is_refused = True
        else:
            connection.cut_off()
        if not self._looking:
            self._looking = True
            asyncio.get_running_loop().call_later(LOOK_EVERY_SECONDS, self._look)

    def leave(self, connection: Connection) -> None:
        self.inside.pop(connection, None)
        self.refused.pop(connection, None)

    def _look(self) -> None:
        """Close whoever is waited for too long."""
        now = time.monotonic()
        for connection in [*self.inside, *self.refused]:
            connection.hurry(now)
        self._looking = bool(self.inside or self.refused)
        if self._looking:
            asyncio.get_running_loop().call_later(LOOK_EVERY_SECONDS, self._look)


class Connection(H11Protocol):
    """One connection; ``in_room`` makes a kind of it that uvicorn can open."""

    room: Room

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self.is_refused = False
        self._since = time.monotonic()
        self._stage = "head"
        self._came = 0  # bytes of a body, since we began to wait
        self._left = 0  # bytes of an answer that wait to be taken

    @property
    def _request(self) -> RequestResponseCycle | None:
        """The last request; uvicorn leaves this empty until there is one."""
        last: RequestResponseCycle | None = getattr(self, "cycle", None)
        return last

    @property
    def stage(self) -> str:
        """What is waited for: "head" or "body" of a request, our "work", who takes the "answer"."""
        if self.flow.write_paused:
            return "answer"
        if self._request is None or self._request.response_complete:
            return "answer" if self.transport.get_write_buffer_size() else "head"
        return "body" if self._request.more_body else "work"

    @property
    def is_waiting(self) -> bool:
        """Whether it may have to make room: its request is not here yet."""
        return self.stage in ("head", "body")

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # as in uvicorn
        super().connection_made(transport)
        self.room.enter(self)

    def connection_lost(self, exc: Exception | None) -> None:
        self.room.leave(self)
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        if self.is_refused:
            self._say(FULL)
            return
        if self.timeout_keep_alive_task is not None:  # the first of another request
            self._since, self._stage = time.monotonic(), "head"
        if self._stage == "body":
            self._came += len(data)
            if self._came >= LEAST_SENT:
                self._since, self._came = time.monotonic(), 0
        super().data_received(data)

    def hurry(self, now: float) -> None:
        """Close it if what is waited for does not come."""
        stage, left = self.stage, self.transport.get_write_buffer_size()
        if stage != self._stage or left <= self._left - LEAST_TAKEN:
            self._since, self._stage, self._came, self._left = now, stage, 0, left
        self._left = max(self._left, left)
        patience: float | None = getattr(self.room.patience, stage, None)
        between = stage == "head" and self.timeout_keep_alive_task is not None  # uvicorn ends these
        if patience is None or between or now - self._since < patience:
            return
        if stage == "body":  # somebody who means it is told
            self._say(TOO_SLOW)
        else:
            self.cut_off()

    def cut_off(self) -> None:
        """Close it at once, and let the system forget what nobody took."""
        self.room.leave(self)
        with contextlib.suppress(OSError):
            forget = struct.pack("ii", 1, 0)
            own = self.transport.get_extra_info("socket")
            own.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, forget)
        self.transport.abort()

    def _say(self, answer: bytes) -> None:
        """Answer in the place of the application, and close."""
        self.room.leave(self)
        if self._request is not None:
            self._request.disconnected = True
            self._request.message_event.set()
        self.transport.write(answer)
        self.transport.close()


def in_room(room: Room) -> type[Connection]:
    """The kind of connection that a server opens."""
    kind: type[Connection] = type("ConnectionInRoom", (Connection,), {"room": room})
    return kind
