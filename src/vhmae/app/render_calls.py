"""Calls about what is taken away."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from fastapi import FastAPI, Response
from fastapi.responses import FileResponse

from vhmae.app.bodies import Taken
from vhmae.app.commands import shown_job
from vhmae.app.projects import Projects
from vhmae.app.refusals import Refused
from vhmae.app.renders import Renders, command_of


def add_render_calls(app: FastAPI, projects: Projects, renders: Renders) -> None:
    """Add them."""

    @app.post("/api/projects/{number}/command")
    def command(number: str, body: Taken) -> Mapping[str, Any]:
        """The command that does the same, to be copied."""
        project = projects.get(number)
        taking = renders.taking(project, body.kind, body.output, body.options)
        project.document.ensure_saved()
        by_job = ""
        if body.kind == "video" and not body.options:
            by_job = shown_job(taking.output, project.place, project.overruled)
        folder = project.outputs.relative_to(project.context.folder.root).as_posix()
        return {"command": command_of(project, taking), "job": by_job, "folder": folder}

    @app.post("/api/projects/{number}/renders", status_code=202)
    def add(number: str, body: Taken) -> Mapping[str, Any]:
        """Put something into the queue."""
        project = projects.get(number)
        taking = renders.taking(project, body.kind, body.output, body.options)
        return renders.add(project, taking, body.overwrite).tree()

    @app.get("/api/renders")
    def queue() -> Sequence[Mapping[str, Any]]:
        """The queue."""
        return renders.list()

    @app.post("/api/renders/{render}/cancel")
    def cancel(render: str) -> Mapping[str, Any]:
        """Stop an entry."""
        return renders.cancel(render).tree()

    @app.post("/api/renders/{render}/resume")
    def resume(render: str) -> Mapping[str, Any]:
        """Go on with an entry that was stopped."""
        return renders.resume(render).tree()

    @app.delete("/api/renders/{render}", status_code=204)
    def forget(render: str) -> Response:
        """Leave an entry out."""
        renders.forget(render)
        return Response(status_code=204)

    @app.get("/api/renders/{render}/files/{place}", response_class=FileResponse)
    def download(render: str, place: int) -> Response:
        """A finished file."""
        entry = renders.get(render)
        if not 0 <= place < len(entry.files) or not entry.files[place].is_file():
            raise Refused("server.no-file", path=str(place))
        file = entry.files[place]
        return FileResponse(file, filename=file.name, media_type="application/octet-stream")
