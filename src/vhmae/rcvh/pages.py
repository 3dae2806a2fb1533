"""The review's page: plays one composite after the other, keep or reject by a key."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Annotated, Any, Literal

from fastapi import FastAPI, HTTPException, Request, Response
from fastapi.responses import FileResponse
from pydantic import BaseModel, ConfigDict, Field, StringConstraints

from vhmae.rcvh.composite import VIDEOS
from vhmae.rcvh.decisions import Review
from vhmae.web.application import Admission, Pages, Site, make_application

Word = Annotated[str, StringConstraints(max_length=200)]


class Body(BaseModel):
    """What a request brings; nothing beyond it is taken."""

    model_config = ConfigDict(extra="forbid", strict=True)


class SignIn(Body):
    """A reviewer comes."""

    name: Annotated[str, StringConstraints(min_length=1, max_length=60, strip_whitespace=True, pattern=r"^[^\x00-\x1f]+$")]
    token: Word


class Say(Body):
    """A decision; null takes it back."""

    name: Word
    decision: Literal["keep", "reject"] | None = Field(default=None)


def make_review_application(review: Review, rate: int = 600, https_only: bool = False) -> FastAPI:
    """The application of one review."""
    secrets = review.secrets
    site = Site(f"Review of {review.folder.name}", secrets.session_key, secrets.token, f"review-{secrets.set_id[:12]}", rate, https_only)
    app, pages = make_application(Path(__file__).parent, site)
    _add_routes(app, pages, review, Admission(secrets.token))
    return app


def _add_routes(app: FastAPI, pages: Pages, review: Review, admission: Admission) -> None:
    names = {item.name for item in review.items("")}

    def reviewer_of(request: Request) -> str:
        admission.require(request)
        return str(request.session.get("reviewer", "organizer"))

    @app.get("/", include_in_schema=False)
    def start(request: Request) -> Response:
        if not admission.is_in(request):
            explanation = "The token was printed where the review is served. Your name tells your decisions from others'."
            return pages.show("sign_in.html", 401, heading="Review", explanation=explanation, next="/", asks_name=True)
        return pages.show("review.html", reviewer=reviewer_of(request))

    @app.post("/api/admin/session", status_code=204)
    def sign_in(request: Request, body: SignIn) -> Response:
        """Sign in as a reviewer."""
        if not admission.admit(request, body.token):
            raise HTTPException(401, "this token is not the review's")
        request.session["reviewer"] = body.name
        return Response(status_code=204)

    @app.get("/media/{name}.mp4", response_class=FileResponse, responses={206: {}, 416: {}})
    def media(request: Request, name: str) -> FileResponse:
        admission.require(request)
        if name not in names:  # so that no other path can be reached
            raise HTTPException(404, "no such composite")
        file = review.folder / VIDEOS / f"{name}.mp4"
        if not file.exists():
            raise HTTPException(404, "its video is gone")
        headers = {"cache-control": "private, no-cache"}  # every set has a 00000: what is kept is asked for again by its tag
        return FileResponse(file, media_type="video/mp4", headers=headers)

    @app.get("/api/composites")
    def composites(request: Request) -> list[dict[str, Any]]:
        """All composites, with the reviewer's own decision and how many others there are."""
        return [dataclasses.asdict(item) for item in review.items(reviewer_of(request))]

    @app.post("/api/decisions", status_code=204)
    def decide(request: Request, say: Say) -> Response:
        """Keep, reject, or take back."""
        reviewer = reviewer_of(request)
        if say.name not in names:
            raise HTTPException(404, "no such composite")
        review.decide(reviewer, say.name, None if say.decision is None else say.decision == "keep")
        return Response(status_code=204)

    @app.post("/api/export")
    def export(request: Request) -> dict[str, int]:
        """Write the decisions into the manifest."""
        reviewer_of(request)
        return review.export()
