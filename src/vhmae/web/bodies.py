"""What requests bring: every field is bounded, and nothing beyond the fields is taken."""

from __future__ import annotations

from typing import Annotated

from pydantic import BaseModel, ConfigDict, StringConstraints

LONGEST_WORD = 200
Word = Annotated[str, StringConstraints(max_length=LONGEST_WORD)]


class Body(BaseModel):
    """What a request brings."""

    model_config = ConfigDict(extra="forbid", strict=True)


class SignIn(Body):
    """Somebody signs in with a site's token."""

    token: Word


class NamedSignIn(SignIn):
    """The same, where it matters who it is."""

    name: Annotated[
        str,
        StringConstraints(
            min_length=1, max_length=60, strip_whitespace=True, pattern=r"^[^\x00-\x1f]+$"
        ),
    ]
