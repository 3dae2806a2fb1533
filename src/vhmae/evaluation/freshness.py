"""Whether a figure is of today: a report's digests against today's weights, protocols and sets."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from vhmae.data.digests import set_digest, settings_digest
from vhmae.data.hyoutube import read_list
from vhmae.errors import InputError
from vhmae.evaluation.network import weights_digest
from vhmae.evaluation.protocols import PROTOCOLS


def outdated(report: Mapping[str, Any], data: Path | None = None) -> tuple[str, ...]:
    """What of a report of ``evaluate`` is not as it is today: out of "weights", "protocol", "set".

    Moving code makes nothing stale; other weights under the same name, a protocol whose version has
    changed, and other pictures do. Reports of before there were digests count as of version 1, and
    nothing is known of their weights and sets.

    Args:
        data: where the set lies; without it the set is not looked at.
    """
    digests = report.get("digests")
    stale = []
    if digests is None:
        protocol = PROTOCOLS.get(report["protocol"])
        return ("protocol",) if protocol is None or protocol.version > 1 else ()
    if digests["weights"] is not None:
        try:
            today = weights_digest(report["method_facts"]["weights"])
        except InputError:  # they are not here any more
            today = None
        if today != digests["weights"]:
            stale.append("weights")
    protocol = PROTOCOLS.get(report["settings"]["protocol"])
    if protocol is None or digests["protocol"] != settings_digest(
        {**report["settings"], "version": protocol.version}
    ):
        stale.append("protocol")
    if data is not None and set_digest(read_list(data)) != digests["set"]:
        stale.append("set")
    return tuple(stale)
