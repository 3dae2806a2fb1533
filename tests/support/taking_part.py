"""A participant of a study."""

from __future__ import annotations

from typing import Any

from starlette.testclient import TestClient

ANSWERS = {"Screen": "phone", "Years": "3"}


def enter(client: TestClient, **changes: Any) -> Any:
    return client.post("/api/participants", json={"consent": True, "answers": ANSWERS, **changes})


def next_ballot(client: TestClient) -> Any:
    """The next ballot, playing."""
    ballot = client.get("/api/ballot").json()
    if not ballot["done"]:
        assert client.post("/api/playing", json={"ballot": ballot["id"]}).status_code == 204
    return ballot
