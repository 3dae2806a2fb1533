"""What happens, told to all pages that listen (Server-Sent Events)."""

from __future__ import annotations

import asyncio
import contextlib
import json
import threading
from collections.abc import AsyncIterator, Callable
from typing import Any

WAITING_EVENTS = 256
"""For one page; one that does not take them loses all of them, is told so, and asks anew."""
LOST = "event: lost\ndata: {}\n\n"
SILENCE_SECONDS = 15.0
"""After which a remark is sent, so that nobody takes the connection for dead."""
MOST_LISTENERS = 64

Tell = Callable[[str, dict[str, Any]], None]
"""Takes the name of an event and what is told; from any thread."""


class Events:
    """Everybody who listens."""

    def __init__(self) -> None:
        self._listeners: dict[asyncio.Queue[str | None], asyncio.AbstractEventLoop] = {}
        self._lock = threading.Lock()
        self._ended = False

    def tell(self, name: str, told: dict[str, Any]) -> None:
        """Tell everybody; from any thread."""
        text = f"event: {name}\ndata: {json.dumps(told, allow_nan=False)}\n\n"
        self._hand(text)

    def end(self) -> None:
        """The server ends: say so, and let everybody go."""
        self._ended = True
        self.tell("bye", {})
        self._hand(None)

    def _hand(self, text: str | None) -> None:
        with self._lock:
            listeners = list(self._listeners.items())
        for waiting, loop in listeners:
            with contextlib.suppress(RuntimeError):  # its loop has ended
                loop.call_soon_threadsafe(_put, waiting, text)

    async def listen(self) -> AsyncIterator[str]:
        """The events from now on, as they are sent."""
        waiting: asyncio.Queue[str | None] = asyncio.Queue(WAITING_EVENTS)
        with self._lock:
            if self._ended or len(self._listeners) >= MOST_LISTENERS:
                return
            self._listeners[waiting] = asyncio.get_running_loop()
        try:
            yield ": here\n\n"
            while True:
                try:
                    text = await asyncio.wait_for(waiting.get(), SILENCE_SECONDS)
                except TimeoutError:
                    text = ": still here\n\n"
                if text is None:
                    return
                yield text
        finally:
            with self._lock:
                self._listeners.pop(waiting, None)


def _put(waiting: asyncio.Queue[str | None], text: str | None) -> None:
    if waiting.full():
        while not waiting.empty():
            waiting.get_nowait()
        waiting.put_nowait(LOST)
    waiting.put_nowait(text)
