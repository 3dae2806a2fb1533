"""What a figure rests on, for results that ``evaluate`` does not make."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from vhmae.data.digests import set_digest, settings_digest
from vhmae.data.hyoutube import read_list
from vhmae.evaluation.clip import Method
from vhmae.evaluation.network import weights_digest
from vhmae.evaluation.protocols import PROTOCOLS


def facts_of(weights: str, **more: Any) -> dict[str, Any]:
    """What the network's results rest on, as a method says it."""
    return {"weights": weights, "weights_sha256": weights_digest(weights), **more}


def rests_on(data: Path, facts: dict[str, Any]) -> dict[str, Any]:
    """Settings, facts and digests as in a report of ``evaluate`` under the protocol ``clean``, at
    the frames' own size.

    Args:
        data: the set.
        facts: of :func:`facts_of`.
    """
    settings = {
        "protocol": "clean",
        "version": PROTOCOLS["clean"].version,
        "size": None,
        "resizing": None,
    }
    digests = {
        "weights": facts["weights_sha256"],
        "set": set_digest(read_list(data)),
        "protocol": settings_digest(settings),
        "method": Method("", lambda clip: clip.composite, facts=facts).digest,
    }
    return {"settings": settings, "method_facts": facts, "digests": digests}
