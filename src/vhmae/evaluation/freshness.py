"""Whether a figure is of today: a report's digests against today's weights, protocols and sets."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, get_args

from vhmae.data.digests import set_digest, settings_digest
from vhmae.data.hyoutube import read_list
from vhmae.data.job import Looks
from vhmae.errors import InputError
from vhmae.evaluation.constant import map_digest, read_constant
from vhmae.evaluation.network import weights_digest
from vhmae.evaluation.protocols import PROTOCOLS


def outdated(report: Mapping[str, Any], data: Path | None = None) -> tuple[str, ...]:
    """What of a report of ``evaluate`` is not as it is today: out of "weights", "map", "protocol",
    "set".

    Moving code makes nothing stale; other weights under the same name, another fitted constant map,
    a protocol whose version has changed, and other pictures do. Reports of before there were
    digests count as of version 1, and nothing is known of their weights and sets. A report that
    has digests but does not say of which weights or settings is as they are no more.

    Args:
        data: where the set lies; without it the set is not looked at.
    """
    digests = report.get("digests")
    stale = []
    if digests is None:
        protocol = PROTOCOLS.get(report["protocol"])
        return ("protocol",) if protocol is None or protocol.version > 1 else ()
    facts, settings = report.get("method_facts", {}), report.get("settings", {})
    if digests["weights"] is not None:
        try:
            today = weights_digest(facts["weights"]) if "weights" in facts else None
        except InputError:  # they are not here any more
            today = None
        if today != digests["weights"]:
            stale.append("weights")
    fitted = facts.get("map_sha256")
    maps = [map_digest(read_constant(looks)) for looks in get_args(Looks)] if fitted else []
    if fitted not in (None, *maps):
        stale.append("map")
    protocol = PROTOCOLS.get(settings.get("protocol", ""))
    if protocol is None or digests["protocol"] != settings_digest(
        {**settings, "version": protocol.version}
    ):
        stale.append("protocol")
    if data is not None and set_digest(read_list(data)) != digests["set"]:
        stale.append("set")
    return tuple(stale)
