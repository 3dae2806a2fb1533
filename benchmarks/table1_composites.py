"""The error of each composite under each method of Table 1, kept beside the table.

Differences between two methods are taken over the same composites. With these kept, a method can be
compared with one that is trained on another day, though its weights and whole reports are gone.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from vhmae.partial_output import write_text_whole

METRIC = "fmse"
KINDS = ("sets", "colors")
Report = dict[str, Any]


def keep(path: Path, rows: Mapping[str, Report]) -> None:
    """Write the composites of all rows.

    Args:
        path: the file.
        rows: for each row its reports, by kind (``KINDS``) and set: those of ``evaluate``, or what
            ``kept`` gave back.
    """
    sets: dict[str, Report] = {}
    values: dict[str, Report] = {}
    for row, kind, data, report in _each(rows):
        detail = report["composites_detail"]
        sets[report["digests"]["set"]] = {
            "data": data,
            "pooling": report["pooling"],
            "composites": [
                [one["name"], one["video"], one["frames"], one["untouched"].get(METRIC)]
                for one in detail
            ],
        }
        values.setdefault(row, {}).setdefault(kind, {})[data] = {
            "method": report["method"],
            "digests": report["digests"],
            METRIC: [_short(one["values"].get(METRIC)) for one in detail],
        }
    write_text_whole(path, json.dumps({"schema": 1, "sets": sets, "rows": values}) + "\n")


def kept(path: Path) -> dict[str, Report]:
    """What ``keep`` wrote: for each row its reports by kind and set, each with what
    ``paired_difference`` needs of one; empty where there is no file."""
    if not path.exists():
        return {}
    file = json.loads(path.read_text())
    found: dict[str, Report] = {}
    for row, kind, data, told in _each(file["rows"]):
        known = file["sets"][told["digests"]["set"]]
        composites = zip(known["composites"], told[METRIC], strict=True)
        found.setdefault(row, {}).setdefault(kind, {})[data] = {
            "method": told["method"],
            "pooling": known["pooling"],
            "digests": told["digests"],
            "composites_detail": [
                {
                    "name": name,
                    "video": video,
                    "frames": frames,
                    "untouched": {METRIC: untouched},
                    "values": {METRIC: value},
                }
                for (name, video, frames, untouched), value in composites
            ],
        }
    return found


def _each(rows: Mapping[str, Report]) -> Iterator[tuple[str, str, str, Report]]:
    for row, kinds in rows.items():
        for kind in KINDS:
            for data, report in kinds.get(kind, {}).items():
                yield row, kind, data, report


def _short(value: float | None) -> float | None:
    return None if value is None else float(f"{value:.6g}")
