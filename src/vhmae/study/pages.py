"""The pages of a study: consent, ranking, thanks, and the organizer's."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any, Literal

from fastapi import FastAPI, HTTPException, Request, Response
from fastapi.responses import RedirectResponse
from pydantic import Field

from vhmae.errors import InputError
from vhmae.study.ballots import AlreadyRanked, Ballots, Incomplete, NotYours
from vhmae.study.folder import VIDEOS, Description
from vhmae.study.job import Question
from vhmae.study.media import open_videos, video_answer
from vhmae.study.report import participants_table, rankings_table, read_rankings, study_report
from vhmae.web.admission import Admission, add_sign_in
from vhmae.web.application import Pages, Site, make_application, own_link
from vhmae.web.bodies import Body, SignIn, Word
from vhmae.web.database import Database
from vhmae.web.secrets import Secrets
from vhmae.web.sheets import csv_text


class Entry(Body):
    """Somebody wants to take part."""

    consent: Literal[True]
    answers: dict[Word, Word] = Field(default_factory=dict, max_length=50)


class Ranking(Body):
    """A ballot as it is handed in."""

    ballot: Word
    ranking: list[Word] = Field(min_length=1, max_length=50)
    """Tokens, best first."""


class Shown(Body):
    """A ballot whose videos play."""

    ballot: Word


def make_study_application(
    folder: Path,
    description: Description,
    secrets: Secrets,
    database: Database,
    rate: int = 600,
    https_only: bool = False,
    prefix: str = "",
) -> FastAPI:
    """The application of one study.

    Args:
        folder: the study's, with its videos.
        description: what is asked, of what.
        secrets: of the sign-in and of the orders that ballots are shown in.
        rate: requests a minute and address.
        https_only: whether cookies go over https alone.
        prefix: path below which the application stands.
    """
    site = Site(description.title, secrets, description.id[:12], rate, https_only, prefix)
    app, pages = make_application(Path(__file__).parent, site)
    ballots = Ballots(database, description.id)
    _add_participation(app, pages, ballots, folder, description)
    _add_organizing(app, pages, ballots, database, description)
    return app


def _add_participation(
    app: FastAPI, pages: Pages, ballots: Ballots, folder: Path, description: Description
) -> None:
    videos = open_videos(folder / VIDEOS, *ballots.videos())
    prefix = pages.site.prefix

    def participant_of(request: Request) -> int | None:
        key = request.session.get("participant")
        return ballots.find(key) if isinstance(key, str) else None

    def required(request: Request) -> int:
        participant = participant_of(request)
        if participant is None:
            raise HTTPException(401, "take part first: open the start page, or your personal link")
        return participant

    @app.get("/", include_in_schema=False)
    def start(request: Request) -> Response:
        if participant_of(request) is not None:
            return RedirectResponse(f"{prefix}/rank", 303)
        return pages.show("start.html", study=description)

    @app.get("/p/{key}", include_in_schema=False)
    def resume(request: Request, key: str) -> Response:
        """The personal link."""
        if ballots.find(key) is None:
            raise HTTPException(
                404, "this personal link is not known; check that it was copied whole"
            )
        request.session["participant"] = key
        return RedirectResponse(f"{prefix}/rank", 303)

    @app.get("/rank", include_in_schema=False)
    def rank(request: Request) -> Response:
        participant = participant_of(request)
        if participant is None:
            return RedirectResponse(f"{prefix}/", 303)
        link = own_link(request, pages.site, "resume", key=request.session["participant"])
        return pages.show("rank.html", study=description, link=link)

    @app.get(
        "/media/{token}.mp4",
        response_class=Response,
        responses={200: {"content": {"video/mp4": {}}}, 206: {}, 416: {}},
    )
    def media(request: Request, token: str) -> Response:
        if participant_of(request) is None and "admin" not in request.session:
            raise HTTPException(401, "take part first")
        if token not in videos:  # so that no other path can be reached
            raise HTTPException(404, "no such video")
        return video_answer(request, videos[token])

    @app.post("/api/participants", status_code=201)
    def enter(request: Request, entry: Entry) -> dict[str, str]:
        """Take part; the session and the personal link are the way back."""
        key = ballots.enter(_checked(entry.answers, description.questions))
        request.session["participant"] = key
        return {"link": own_link(request, pages.site, "resume", key=key)}

    @app.post("/api/leave", status_code=204)
    def leave(request: Request) -> Response:
        """Let another person take part on the same device."""
        request.session.pop("participant", None)
        return Response(status_code=204)

    @app.get("/api/ballot")
    def ballot(request: Request) -> dict[str, Any]:
        """The next clip; ``done`` at the end."""
        found = ballots.next(required(request))
        return {"done": True} if found is None else {"done": False, **dataclasses.asdict(found)}

    @app.post("/api/playing", status_code=204)
    def playing(request: Request, shown: Shown) -> Response:
        """Say that a clip's videos play now."""
        try:
            ballots.playing(required(request), shown.ballot)
        except NotYours as error:
            raise HTTPException(404, str(error)) from None
        return Response(status_code=204)

    @app.post("/api/rankings", status_code=201)
    def submit(request: Request, ranking: Ranking) -> dict[str, bool]:
        """Hand in a ranking."""
        try:
            ballots.submit(required(request), ranking.ballot, ranking.ranking)
        except NotYours as error:
            raise HTTPException(404, str(error)) from None
        except AlreadyRanked as error:
            raise HTTPException(409, str(error)) from None
        except Incomplete as error:
            raise HTTPException(422, str(error)) from None
        return {"kept": True}


def _checked(answers: dict[str, str], questions: tuple[Question, ...]) -> dict[str, str]:
    """Answers to what was asked; to nothing else."""
    known = {question.label: question for question in questions}
    for label, answer in answers.items():
        if label not in known:
            raise HTTPException(422, "that was not asked")
        if known[label].choices and answer not in known[label].choices:
            raise HTTPException(422, f"{label}: choose one of the answers")
        if "\0" in answer:
            raise HTTPException(422, f"{label}: holds what is no text")
    missing = [label for label in known if not answers.get(label, "").strip()]
    if missing:
        raise HTTPException(422, f"{missing[0]}: please answer this too")
    return answers


def _add_organizing(
    app: FastAPI, pages: Pages, ballots: Ballots, database: Database, description: Description
) -> None:
    admission = Admission(pages.site.secrets.token)
    prefix = pages.site.prefix
    add_sign_in(app, admission, SignIn, "this token is not the study's")

    @app.get("/admin", include_in_schema=False)
    def admin(request: Request, token: str = "") -> Response:
        if token:
            if admission.admit(request, token):
                # So that the token leaves the address.
                return RedirectResponse(f"{prefix}/admin", 303)
            raise HTTPException(401, "this token is not the study's")
        if not admission.is_in(request):
            explanation = "vhmae study serve prints the token where it is started."
            return pages.show(
                "sign_in.html",
                401,
                heading="The organizer's page",
                explanation=explanation,
                next="/admin",
                asks_name=False,
            )
        people, handed_in, all_ballots = ballots.progress()
        try:
            report, nothing = study_report(read_rankings(database, description), resamples=200), ""
        except InputError as error:
            report, nothing = None, str(error)
        return pages.show(
            "admin.html",
            study=description,
            people=people,
            handed_in=handed_in,
            all_ballots=all_ballots,
            report=report,
            nothing=nothing,
            start=own_link(request, pages.site, "start"),
        )

    @app.get(
        "/admin/rankings.csv",
        response_class=Response,
        responses={200: {"content": {"text/csv": {}}}},
    )
    def rankings(request: Request) -> Response:
        """Every ranking, one method a line."""
        admission.require(request)
        return _download("rankings.csv", rankings_table(read_rankings(database, description)))

    @app.get(
        "/admin/participants.csv",
        response_class=Response,
        responses={200: {"content": {"text/csv": {}}}},
    )
    def participants(request: Request) -> Response:
        """Every participant: rankings handed in, flags, answers."""
        admission.require(request)
        return _download("participants.csv", participants_table(database, description))


def _download(name: str, rows: Iterable[Sequence[Any]]) -> Response:
    headers = {"content-disposition": f'attachment; filename="{name}"'}
    return Response(csv_text(rows), media_type="text/csv; charset=utf-8", headers=headers)
