"""Calls about clips: opening them, their frames and maps, what is said of them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any, Literal

from fastapi import FastAPI, Query, Response

from vhmae.app.bodies import Asked, Opened, Said, Saved, Stood
from vhmae.app.glance import glance
from vhmae.app.layers import layer_picture
from vhmae.app.pictures import PREVIEW_LINES, png, reduced
from vhmae.app.played import MOST_FRAMES
from vhmae.app.project import Project
from vhmae.app.projects import Projects, Wanted
from vhmae.app.refusals import Refused
from vhmae.app.renders import Renders
from vhmae.engine.moving import Move
from vhmae.errors import InputError
from vhmae.guide.document import Guide
from vhmae.guide.reading import guide_from
from vhmae.guide.update import EYE_LEVELS, MAP_LEVELS
from vhmae.options import MISSING, Option, options_of
from vhmae.work.analysis import BACKGROUND
from vhmae.work.job import HarmonizeJob

MOST_MAPS = 64
Size = Literal["preview", "full"]


def add_project_calls(app: FastAPI, projects: Projects, renders: Renders, demo: str) -> None:
    """Add them; ``demo`` is the demo's composite, where there is one."""

    @app.get("/api/options")
    def options() -> Sequence[Mapping[str, Any]]:
        """The options that a document's job may hold."""
        return [_told(one) for one in options_of(HarmonizeJob)]

    @app.post("/api/projects", status_code=201)
    def open_clip(body: Opened) -> Mapping[str, Any]:
        """Open a clip, or the project of one."""
        project = _opened(projects, body, demo)
        renders.adopt(project)
        return project.facts()

    @app.get("/api/projects")
    def opened() -> Sequence[Mapping[str, Any]]:
        """The clips that are open."""
        return projects.briefly()

    @app.get("/api/projects/{number}")
    def facts(number: str) -> Mapping[str, Any]:
        """All that is known of a clip."""
        return projects.get(number).facts()

    @app.delete("/api/projects/{number}", status_code=204)
    def close(number: str) -> Response:
        """Close a clip, unless something of it is still to be exported."""
        renders.check_free(projects.get(number))
        projects.forget(number)
        return Response(status_code=204)

    @app.put("/api/projects/{number}/document")
    def save(number: str, body: Saved) -> Mapping[str, Any]:
        """Save the document."""
        return projects.get(number).change(body.revision, body.document, body.mark)

    @app.get("/api/projects/{number}/path")
    def named(number: str, of: str) -> Mapping[str, str]:
        """A file of the folder as the document names it."""
        return {"path": projects.named(projects.get(number), of)}

    _add_frames(app, projects)
    _add_guiding(app, projects)


def _opened(projects: Projects, body: Opened, demo: str) -> Project:
    if body.project is not None:
        return projects.open_file(body.project)
    if body.demo and demo:
        mask = Path(demo).with_name("mask.mp4").as_posix()
        return projects.open(Wanted(demo, (mask,), options=body.options))
    masks = None if body.masks is None else tuple(body.masks)
    if body.composite is not None and body.foreground is None:
        return projects.open(Wanted(body.composite, masks, options=body.options))
    if body.background is not None and body.foreground is not None:
        told = body.placement, body.options
        return projects.open(Wanted(body.background, masks, body.foreground, *told))
    raise InputError("expected a project, a composite, or a foreground with a background")


def _add_frames(app: FastAPI, projects: Projects) -> None:
    @app.get("/api/projects/{number}/glance", response_class=Response)
    def first(number: str) -> Response:
        """The first frame, before the clip has been read."""
        project = projects.get(number)
        values = project.document.tree["job"]
        path = project.context.folder.told(
            str(values.get("composite", "")), project.document.path.parent
        )
        return Response(glance(path, PREVIEW_LINES), media_type="image/jpeg")

    @app.get("/api/projects/{number}/frames/{frame}", response_class=Response)
    def picture(
        number: str,
        frame: int,
        size: Literal["preview", "full", "thumb"] = "preview",
        as_: Annotated[Literal["exact", "fast"], Query(alias="as")] = "fast",
    ) -> Response:
        """A frame."""
        clip = projects.get(number).clip
        clip.check_frame(frame)
        data, exact = clip.picture(frame, size, as_ == "exact")
        kind = "image/png" if data.startswith(b"\x89PNG") else "image/jpeg"
        return Response(data, media_type=kind, headers={"x-exact": str(int(exact))})

    @app.get("/api/projects/{number}/frames", response_class=Response)
    def played(number: str, first: int, count: int = 1, step: int = 1) -> Response:
        """Frames to be played, every ``step``-th from one on, with their mattes, in binary."""
        clip = projects.get(number).clip
        clip.check_frame(first)
        every = range(first, clip.info.frames, step) if step > 0 else range(first, -1, step or -1)
        data = clip.told_frames(every[: min(max(1, count), MOST_FRAMES)])
        return Response(data, media_type="application/octet-stream")

    @app.get("/api/projects/{number}/frames/{frame}/matte", response_class=Response)
    def matte(number: str, frame: int, size: Size = "preview", object: int = 1) -> Response:
        """The matte of an object, or of the background (0)."""
        clip = projects.get(number).clip
        clip.check_frame(frame)
        if not BACKGROUND <= object <= clip.objects:
            raise Refused("server.no-object", object=object, objects=clip.objects)
        return Response(clip.matte(frame, object, size), media_type="image/png")

    @app.get("/api/projects/{number}/frames/{frame}/pixel")
    def pixel(number: str, frame: int, x: int, y: int) -> Mapping[str, Any]:
        """The exact code values of a pixel."""
        clip = projects.get(number).clip
        clip.check_frame(frame)
        return clip.pixel(frame, x, y)

    @app.get("/api/projects/{number}/layers/{layer}/frames/{frame}", response_class=Response)
    def layer(number: str, layer: Literal["foreground", "background"], frame: int) -> Response:
        """A frame of one layer by itself."""
        clip = projects.get(number).clip
        clip.check_frame(frame)
        return Response(layer_picture(clip, layer, frame), media_type="image/png")

    @app.get("/api/projects/{number}/rendered/{frame}", response_class=Response)
    def rendered(number: str, frame: int, size: Size = "preview") -> Response:
        """A frame as the renderer makes it with the saved document."""
        project = projects.get(number)
        clip, guide = project.clip, project.document.guide
        clip.check_frame(frame)
        known = () if clip.maps.known[frame] else (frame,)
        project.ensure_looks([*known, *clip.clip_guide.named(guide, frame)])
        image = clip.rendered(clip.reel.payload(frame), guide, project.job)
        after = clip.upright(image)
        shown = after if size == "full" else reduced(after, clip.preview)
        return Response(png(shown), media_type="image/png")

    @app.get("/api/projects/{number}/maps", response_class=Response)
    def maps(number: str, first: int = 0, count: int = 1) -> Response:
        """Maps of frames, in binary."""
        found = projects.get(number).maps(first, min(max(1, count), MOST_MAPS))
        return Response(found, media_type="application/octet-stream")


def _add_guiding(app: FastAPI, projects: Projects) -> None:
    def strengths(project: Project, body: Said | None = None) -> tuple[float, ...]:
        """How far each part goes: as the page has it, else as it was saved."""
        strength, move = project.job.strength, project.job.move
        if body is not None:
            strength = strength if body.strength is None else body.strength
            move = body.move or move
        return project.clip.clip_guide.strengths(strength, Move.parse(move))

    def heard(project: Project, tree: dict[str, Any], frame: int) -> Guide:
        guide = guide_from(tree, "guide")
        clip = project.clip
        clip.check_frame(frame)
        for one in clip.clip_guide.pending(guide, frame):
            project.need_look(one)
        return guide

    @app.post("/api/projects/{number}/guide")
    def hear(number: str, body: Said) -> Mapping[str, Any]:
        """What follows from a guide."""
        project = projects.get(number)
        guide = heard(project, body.guide, body.frame)
        keep = project.job.keep if body.keep is None else tuple(body.keep)
        how_far = strengths(project, body)
        return project.clip.clip_guide.hear(guide, body.frame, how_far, keep, body.covariance)

    @app.post("/api/projects/{number}/takes")
    def takes(number: str, body: Asked) -> Mapping[str, Any]:
        """The next takes to choose from."""
        project = projects.get(number)
        guide = heard(project, body.guide, body.frame)
        clip = project.clip
        project.ensure_looks([body.frame, *clip.clip_guide.named(guide, body.frame)])
        return clip.clip_guide.takes(guide, body.frame, body.object, body.count, strengths(project))

    @app.get("/api/projects/{number}/colors", response_class=Response)
    def colors(number: str, frame: int | None = None, object: int = 1) -> Response:
        """The colors of a foreground that dials and takes are fitted in; without a frame, those
        that hold where nothing else is said."""
        project = projects.get(number)
        clip = project.clip
        at = clip.clip_guide.default if frame is None else frame
        clip.check_frame(at)
        project.ensure_looks([at])
        data = clip.clip_guide.colors(at, object).astype("<f4").tobytes()
        headers = {"x-frame": str(at)}
        return Response(data, media_type="application/octet-stream", headers=headers)

    @app.post("/api/projects/{number}/look", status_code=202)
    def look(number: str, body: Stood) -> Mapping[str, Any]:
        """Have a frame looked at, so that points in it are answered at once."""
        project = projects.get(number)
        project.clip.check_frame(body.frame)
        project.need_look(body.frame)
        return {"frame": body.frame}

    @app.get("/api/prior")
    def prior(project: str) -> Mapping[str, Any]:
        """What is known beforehand of the change that an answer lacks."""
        found = projects.get(project).clip.clip_guide.prior
        return {
            "covariance": found.covariance.tolist(),
            "scales": found.scales.tolist(),
            "weights": found.weights.tolist(),
            "eye_levels": EYE_LEVELS,
            "map_levels": MAP_LEVELS,
        }


def _told(one: Option) -> dict[str, Any]:
    kinds = {int: "integer", float: "number", bool: "switch"}
    if one.is_list:
        kind = "paths" if one.role != "plain" else "texts"
    elif one.choices:
        kind = "choices" if isinstance(one.default, tuple) else "choice"
    elif one.role != "plain":
        kind = "path"
    else:
        kind = kinds.get(one.hint, "numbers" if isinstance(one.default, tuple) else "text")
    default = None if one.default is MISSING else one.to_json(one.default)
    facts = {"name": one.name, "help": one.help, "type": kind, "choices": list(one.choices)}
    return facts | {"default": default, "group": one.group}
