"""Calls about files and events."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from fastapi import FastAPI, Request, Response
from fastapi.responses import StreamingResponse

from vhmae.app.bodies import Dropped, Sent
from vhmae.app.events import Events
from vhmae.app.folder import Folder
from vhmae.app.glance import glance
from vhmae.app.refusals import Refused
from vhmae.app.uploads import CHUNK_BYTES, Uploads

MOST_GLANCE_LINES = 1080


def add_file_calls(app: FastAPI, folder: Folder, uploads: Uploads, events: Events) -> None:
    """Add them."""

    @app.get("/api/files")
    def files(path: str = "") -> Mapping[str, Any]:
        """What lies in a folder."""
        return folder.listing(path)

    @app.get("/api/files/glance", response_class=Response)
    def first_frame(path: str, lines: int = 120) -> Response:
        """The first frame of a file."""
        data = glance(folder.existing(path), min(max(16, lines), MOST_GLANCE_LINES))
        return Response(data, media_type="image/jpeg")

    @app.post("/api/files/find")
    def find(body: Dropped) -> Mapping[str, Any]:
        """A dropped file, found by name, size and beginning."""
        return {"path": folder.find(body.name, body.bytes, body.head)}

    @app.post("/api/uploads", status_code=201)
    def begin(body: Sent) -> Mapping[str, Any]:
        """Begin to send a file."""
        return {"upload": uploads.begin(body.name, body.bytes), "chunk_bytes": CHUNK_BYTES}

    @app.put("/api/uploads/{number}")
    async def add(request: Request, number: str, offset: int) -> Mapping[str, Any]:
        """Send the next piece."""
        data = await request.body()
        if len(data) > CHUNK_BYTES:
            raise Refused("server.offset", received=offset)
        received, whole = uploads.add(number, offset, data)
        return {"received": received, "path": f"upload:{number}" if whole else None}

    @app.delete("/api/uploads/{number}", status_code=204)
    def forget(number: str) -> Response:
        """Remove what was sent."""
        uploads.forget(number)
        return Response(status_code=204)

    @app.get("/api/events", response_class=StreamingResponse)
    async def listen() -> Response:
        """What happens, as Server-Sent Events."""
        return StreamingResponse(
            events.listen(), media_type="text/event-stream", headers={"x-accel-buffering": "no"}
        )
