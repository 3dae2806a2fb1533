"""Serve an application until Ctrl-C."""

from __future__ import annotations

import socket

import uvicorn
from fastapi import FastAPI

from vhmae.errors import InputError

LARGEST_WAIT_SECONDS = 5


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
        bound.listen(2048)  # from now on requests wait, until they are answered
    except (OSError, OverflowError) as error:
        if bound is not None:
            bound.close()
        raise InputError(f"--host {host} --port {port}: cannot be listened on ({error}); choose another port") from None
    return bound


def address_of(bound: socket.socket) -> str:
    """The address as a browser takes it."""
    host, port = bound.getsockname()[:2]
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


def serve(app: FastAPI, bound: socket.socket) -> None:
    """Answer requests until the process is told to stop; open requests are answered first."""
    config = uvicorn.Config(
        app, log_level="warning", access_log=False, server_header=False, timeout_graceful_shutdown=LARGEST_WAIT_SECONDS, backlog=2048
    )
    uvicorn.Server(config).run(sockets=[bound])
