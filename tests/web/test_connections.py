"""Connections that are held for nothing: a server of its own for each way of doing it."""

from __future__ import annotations

import contextlib
import socket
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import httpx2
import pytest

from tests.support.server import serving
from vhmae.web.connections import FEWEST_CONNECTIONS, LEAST_SENT, most_connections

PATIENCE = 1.5
# An application with a call that is fast, one that takes its time, and an answer that is large.
PROGRAM = """
import asyncio, resource, sys
from pathlib import Path
from fastapi.responses import Response
from vhmae.web.application import Site, make_application
from vhmae.web.connections import Patience, Room
from vhmae.web.secrets import new_secrets
from vhmae.web.serving import address_of, listen, serve

app, _ = make_application(Path(sys.argv[1]), Site("t", new_secrets(), "t", rate=0))

@app.get("/slow")
async def slow() -> dict[str, int]:
    await asyncio.sleep(4)
    return {}

@app.get("/large")
def large() -> Response:
    return Response(bytes(8_000_000))

@app.post("/api/echo")
def echo(body: dict[str, int]) -> dict[str, int]:
    return body

bound = listen("127.0.0.1", 0)
print(address_of(bound), flush=True)
patience = float(sys.argv[3])
serve(app, bound, Room(int(sys.argv[2]), Patience(patience, patience, patience)))
"""


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Callable[..., str]]:
    for name in ("templates", "static"):
        (tmp_path / name).mkdir()
    with contextlib.ExitStack() as stack:

        def begin(most: int, patience: float = PATIENCE) -> str:
            command = [sys.executable, "-c", PROGRAM, str(tmp_path), str(most), str(patience)]
            address, _ = stack.enter_context(serving(command))
            return address

        yield begin


def port_of(address: str) -> tuple[str, int]:
    host, port = address.removeprefix("http://").split(":")
    return host, int(port)


def hold(address: str, count: int, sent: bytes) -> list[socket.socket]:
    """Connections that send something, and then nothing."""
    held = []
    for _ in range(count):
        one = socket.create_connection(port_of(address), timeout=10)
        one.sendall(sent)
        held.append(one)
    return held


def closed(held: list[socket.socket], seconds: float) -> list[bytes]:
    """What connections were told until they were closed; fails where one is not."""
    deadline = time.monotonic() + seconds
    said = []
    for one in held:
        one.settimeout(max(0.05, deadline - time.monotonic()))
        got = b""
        with one, contextlib.suppress(ConnectionResetError):
            while part := one.recv(65536):
                got += part
        said.append(got)
    return said


def is_open(one: socket.socket) -> bool:
    """Whether the server still holds a connection; reads what it said."""
    one.setblocking(False)
    try:
        while one.recv(65536):
            pass
    except BlockingIOError:
        return True
    except ConnectionResetError:
        pass
    return False


HALVES = {
    "nothing": b"",
    "half a head": b"GET / HTTP/1.1\r\nHost: a\r\nX-a: ",
    "half a body": b"POST /api/echo HTTP/1.1\r\nHost: a\r\nContent-Length: 1000\r\n\r\n{",
    "a piece": b"POST /api/echo HTTP/1.1\r\nHost:a\r\nTransfer-Encoding: chunked\r\n\r\n1\r\n{\r\n",
    "a second half": b"GET /healthz HTTP/1.1\r\nHost: a\r\n\r\nGET /healthz HTT",
}


@pytest.mark.parametrize("sent", HALVES.values(), ids=HALVES)
def test_others_are_served_beside_whoever_sends_half_a_request(
    start: Callable[..., str], sent: bytes
) -> None:
    address = start(30, patience=120)
    held = hold(address, 60, sent)  # twice as many as there is room for
    assert httpx2.get(f"{address}/healthz", timeout=100).status_code == 200
    # At once, not when the others are sent away: they are there but for the one that made room.
    assert sum(is_open(one) for one in held) == 29
    for one in held:
        one.close()


@pytest.mark.parametrize("sent", HALVES.values(), ids=HALVES)
def test_whoever_sends_half_a_request_is_sent_away(start: Callable[..., str], sent: bytes) -> None:
    address = start(30)
    held = hold(address, 60, sent)
    said = closed(held, 8 * PATIENCE)
    if sent.startswith(b"POST"):
        assert any(one.startswith(b"HTTP/1.1 408") for one in said)
    assert httpx2.get(f"{address}/healthz").status_code == 200


def test_a_drop_now_and_then_does_not_keep_a_connection(start: Callable[..., str]) -> None:
    address = start(30)
    (one,) = hold(address, 1, b"GET / HTTP/1.1\r\nHost: a\r\nX-a: ")
    began = time.monotonic()
    with contextlib.suppress(OSError):
        while time.monotonic() - began < 10 * PATIENCE:
            one.sendall(b"a")
            time.sleep(0.2)
            one.setblocking(False)
            with contextlib.suppress(BlockingIOError):
                if not one.recv(1000) or time.monotonic() - began > 10 * PATIENCE:
                    break
            one.setblocking(True)
    assert time.monotonic() - began < 4 * PATIENCE
    one.close()


def test_a_long_body_over_a_slow_line_comes_through(start: Callable[..., str]) -> None:
    address = start(30)
    size, piece = 3 * LEAST_SENT, LEAST_SENT // 4
    with socket.create_connection(port_of(address)) as one:
        head = f"POST /api/echo HTTP/1.1\r\nHost: a\r\nContent-Length: {size}\r\n\r\n"
        one.sendall(head.encode())
        began = time.monotonic()
        for _ in range(size // piece):
            one.sendall(b" " * piece)
            time.sleep(PATIENCE / 8)
        assert time.monotonic() - began > PATIENCE
        assert not one.recv(1000).startswith(b"HTTP/1.1 408")


def test_whoever_does_not_take_an_answer_is_sent_away(start: Callable[..., str]) -> None:
    address = start(30)
    held = []
    for _ in range(40):
        one = socket.socket()
        one.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        one.connect(port_of(address))
        one.sendall(b"GET /large HTTP/1.1\r\nHost: a\r\n\r\n")
        held.append(one)
    deadline = time.monotonic() + 6 * PATIENCE
    status = 0
    while status != 200 and time.monotonic() < deadline:
        with contextlib.suppress(httpx2.HTTPError):
            status = httpx2.get(f"{address}/healthz", timeout=2).status_code
    assert status == 200
    time.sleep(4 * PATIENCE)  # whoever reads now is too late
    assert all(len(got) < 8_000_000 for got in closed(held, 8 * PATIENCE))


def test_a_slow_reader_who_goes_on_reading_gets_all(start: Callable[..., str]) -> None:
    address = start(30)
    with socket.create_connection(port_of(address)) as one:
        one.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 65536)
        one.sendall(b"GET /large HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
        count, began = 0, time.monotonic()
        while part := one.recv(400_000):
            count += len(part)
            time.sleep(0.1)
        assert time.monotonic() - began > PATIENCE
        assert count > 8_000_000


def test_a_full_server_says_so(start: Callable[..., str]) -> None:
    address = start(FEWEST_CONNECTIONS)
    busy = hold(
        address, FEWEST_CONNECTIONS, b"GET /slow HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n"
    )
    time.sleep(0.5)
    answer = httpx2.get(f"{address}/healthz")
    assert answer.status_code == 503
    assert "nothing that was handed in is lost" in answer.json()["detail"]
    assert answer.headers["retry-after"] == "30"
    assert all(one.startswith(b"HTTP/1.1 200") for one in closed(busy, 20))  # who was in is served
    assert httpx2.get(f"{address}/healthz").status_code == 200


def test_there_is_room_for_as_many_as_the_system_lets_us_have() -> None:
    import resource

    limits = resource.getrlimit(resource.RLIMIT_NOFILE)
    try:
        resource.setrlimit(resource.RLIMIT_NOFILE, (min(300, limits[0]), limits[1]))
        assert most_connections() >= FEWEST_CONNECTIONS
        assert resource.getrlimit(resource.RLIMIT_NOFILE)[0] >= most_connections()
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, limits)


def test_a_server_that_says_much_is_not_held_up() -> None:
    """Of the tests' own: a pipe that nobody reads takes 64 KiB."""
    program = "import sys; sys.stderr.write('x' * 200_000); print('http://127.0.0.1:1/')"
    with serving([sys.executable, "-c", program]) as (address, process):
        assert address == "http://127.0.0.1:1/"
        assert process.wait(timeout=20) == 0
        assert len(process.told) == 200_000
