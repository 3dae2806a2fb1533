"""The review's page: plays one composite after the other, keep or reject by a key."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any, Literal

from fastapi import FastAPI, HTTPException, Request, Response
from fastapi.responses import FileResponse
from pydantic import Field

from vhmae.rcvh.composite import VIDEOS
from vhmae.rcvh.decisions import Review
from vhmae.web.admission import Admission, add_sign_in
from vhmae.web.application import Pages, Site, make_application
from vhmae.web.bodies import Body, NamedSignIn, Word


class Say(Body):
    """A decision; null takes it back."""

    name: Word
    decision: Literal["keep", "reject"] | None = Field(default=None)


def make_review_application(
    review: Review, rate: int = 600, https_only: bool = False, prefix: str = ""
) -> FastAPI:
    """The application of one review."""
    secrets = review.secrets
    site = Site(
        f"Review of {review.folder.name}",
        secrets,
        f"review-{secrets.site[:12]}",
        rate,
        https_only,
        prefix,
    )
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
            explanation = (
                "The token was printed where the review is served. Your name tells your decisions "
                "from others'."
            )
            return pages.show(
                "sign_in.html",
                401,
                heading="Review",
                explanation=explanation,
                next="/",
                asks_name=True,
            )
        return pages.show("review.html", reviewer=reviewer_of(request))

    def remember(request: Request, body: NamedSignIn) -> None:
        request.session["reviewer"] = body.name

    add_sign_in(app, admission, NamedSignIn, "this token is not the review's", remember)

    @app.get("/media/{name}.mp4", response_class=FileResponse, responses={206: {}, 416: {}})
    def media(request: Request, name: str) -> FileResponse:
        admission.require(request)
        if name not in names:  # so that no other path can be reached
            raise HTTPException(404, "no such composite")
        file = review.folder / VIDEOS / f"{name}.mp4"
        if not file.exists():
            raise HTTPException(404, "its video is gone")
        # Every set has a 00000: what is kept is asked for again by its tag.
        headers = {"cache-control": "private, no-cache"}
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
