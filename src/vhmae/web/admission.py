"""Who is let in: the organizer of a study, the reviewers of a set."""

from __future__ import annotations

import hmac
from collections.abc import Callable
from typing import TypeVar

from fastapi import FastAPI, HTTPException, Request, Response

from vhmae.web.bodies import SignIn
from vhmae.web.guards import Buckets
from vhmae.web.secrets import fingerprint

LOGINS_A_MINUTE = 20
Form = TypeVar("Form", bound=SignIn)


class Admission:
    """Lets people in by the token once, and by the session from then on."""

    def __init__(self, token: str) -> None:
        self.fingerprint = fingerprint(token)
        self.attempts = Buckets(LOGINS_A_MINUTE)

    def admit(self, request: Request, token: str) -> bool:
        """Check a token that was given; remembers in the session that it was right.

        Raises:
            HTTPException: 429 after too many attempts.
        """
        client = request.client.host if request.client else ""
        if not self.attempts.has(client):
            raise HTTPException(429, "too many attempts; wait a minute")
        if not hmac.compare_digest(fingerprint(token), self.fingerprint):
            self.attempts.take(client)  # only what is wrong counts
            return False
        request.session["admin"] = self.fingerprint
        return True

    def is_in(self, request: Request) -> bool:
        """Whether somebody asks who was let in: by session or ``Authorization: Bearer TOKEN``."""
        kept = request.session.get("admin")
        if isinstance(kept, str) and hmac.compare_digest(kept, self.fingerprint):
            return True
        scheme, _, token = request.headers.get("authorization", "").partition(" ")
        return scheme.lower() == "bearer" and self.admit(request, token.strip())

    def require(self, request: Request) -> None:
        """Refuse anybody else."""
        if not self.is_in(request):
            headers = {"WWW-Authenticate": "Bearer"}
            raise HTTPException(401, "this page needs the site's token", headers=headers)


def add_sign_in(
    app: FastAPI,
    admission: Admission,
    form: type[Form],
    refusal: str,
    signed_in: Callable[[Request, Form], None] = lambda request, body: None,
) -> None:
    """The call behind the sign-in page.

    Args:
        form: what the page sends.
        refusal: what is said of a wrong token.
        signed_in: told of whoever is let in.
    """

    def sign_in(request: Request, body: SignIn) -> Response:
        """Sign in."""
        assert isinstance(body, form)
        if not admission.admit(request, body.token):
            raise HTTPException(401, refusal)
        signed_in(request, body)
        return Response(status_code=204)

    sign_in.__annotations__["body"] = form  # FastAPI reads here what a request must bring
    app.post("/api/admin/session", status_code=204)(sign_in)
