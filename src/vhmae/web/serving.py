"""Serve an application until Ctrl-C."""

from __future__ import annotations

import socket
from collections.abc import Callable

import uvicorn
from fastapi import FastAPI

from vhmae.errors import InputError
from vhmae.web.connections import Room, in_room, most_connections

LARGEST_WAIT_SECONDS = 5
QUEUE = 2048
"""Connections that wait in the system until they are looked at."""
AT_ONCE = 16
"""Connections that are taken from the queue at one go: some rounds of them fit into the descriptors
that are spared."""


def listen(host: str, port: int) -> socket.socket:
    """Take an address; port 0 takes any that is free.

    Raises:
        InputError: if it is taken or not ours.
    """
    bound = None
    try:
        family = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0][0]
        bound = socket.socket(family, socket.SOCK_STREAM)
        bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        bound.bind((host, port))
        bound.listen(QUEUE)  # from now on requests wait, until they are answered
    except (OSError, OverflowError) as error:
        if bound is not None:
            bound.close()
        raise InputError(
            f"`host` {host} `port` {port}: cannot be listened on ({error}); choose another port"
        ) from None
    return bound


def address_of(bound: socket.socket) -> str:
    """The address as a browser takes it."""
    host, port = bound.getsockname()[:2]
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


class _Server(uvicorn.Server):
    def __init__(self, config: uvicorn.Config, ending: Callable[[], None]) -> None:
        super().__init__(config)
        self.ending = ending

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        for one in sockets or []:
            one.listen(QUEUE)  # the server shortened it to what it takes at one go

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        self.ending()
        await super().shutdown(sockets)


def serve(
    app: FastAPI,
    bound: socket.socket,
    room: Room | None = None,
    ending: Callable[[], None] = lambda: None,
) -> None:
    """Answer requests until the process is told to stop; open requests are answered first.

    Args:
        ending: called before they are waited for: ends those that go on without end.
    """
    room = room or Room(most_connections())
    config = uvicorn.Config(
        app,
        log_level="error",
        access_log=False,
        server_header=False,
        timeout_graceful_shutdown=LARGEST_WAIT_SECONDS,
        backlog=AT_ONCE,
        http=in_room(room),
        ws="none",
    )
    _Server(config, ending).run(sockets=[bound])
