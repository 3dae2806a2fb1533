"""Table 1 on equal terms: every compared method trained on composites of one kind, scored by the
same code.

python benchmarks/table1.py [--data DATA] [--runs RUNS] [--work WORK] [--sets FOLDER] [--only ...]

RUNS holds a folder for each recipe of configs/comparators, with the weights that `vhmae train` left
there; a row whose weights are not there is left out, and said. WORK keeps the whole report of each
row and set, and each row's cost: what is there, for the same weights and set, is not measured again
(delete ROW.cost.json to time a row anew). How far the classical methods go is chosen on dev-two;
nothing is chosen on val. Writes benchmarks/results/table1.json
and each composite's error beside it (table1-composites.json) after each row (rows that are not run
anew are kept), and at the end docs/table1.md and its picture from them; with `--json` elsewhere,
those files alone.
"""

from __future__ import annotations

import argparse
import dataclasses
import functools
import json
import os
import re
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import table1_composites
from hardware import chosen, describe
from look_scores import REAL_LIGHT, make_set
from method_cost import timed
from table1_rows import BENEATH, PACKAGED, REFERENCE, ROWS, Row

from vhmae.data.aligned import LEADING_BELOW
from vhmae.data.digests import set_digest, settings_digest
from vhmae.data.hyoutube import read_list
from vhmae.evaluation.classical import as_map
from vhmae.evaluation.clip import Clip, Method
from vhmae.evaluation.methods import find_method
from vhmae.evaluation.pooling import paired_difference
from vhmae.evaluation.protocols import PROTOCOLS
from vhmae.evaluation.runner import METRICS, evaluate
from vhmae.evaluation.tables import format_report
from vhmae.partial_output import write_text_whole

SETS = ("val-one", "val-two", "val-camera", "val-large", "val-real")
DEV = "dev-two"
SWAPPED = "val-two"
MIXES = (0.025, 0.05, 0.1, 0.15, 0.2, 0.25, 0.3, 0.5, 0.75, 1.0)
"""How far classical methods may go; dev-two chooses."""
SIZES = {"training size": (128, 128, 8), "1080 lines": (1920, 1080, 2)}
"""Width, height and frames of the clips that are timed."""
MAPS = {row.name for row in ROWS if row.is_map}
"""Rows that were not scored twice: they are their own colors alone."""
RESULT = Path(__file__).resolve().parent / "results" / "table1.json"
PAGE = "docs/table1.md"
Report = dict[str, Any]
PARTS: dict[str, Report] = {"sets": {}, "colors": {}, "swapped": {}}
"""A row without reports."""


@dataclasses.dataclass(frozen=True)
class Places:
    """Where a run finds and leaves things."""

    runs: Path
    """Trained weights, a folder a row."""
    sets: Path
    work: Path
    """Whole reports."""
    cache: Path | None = None
    """Decoded sets."""


class KeptFrames:
    """A method whose results are kept on the disk, to be scored a second time without running
    it."""

    def __init__(self, method: Method, folder: Path) -> None:
        self.method, self.folder = method, folder

    def as_method(self) -> Method:
        return dataclasses.replace(self.method, harmonize=self._harmonize)

    def _harmonize(self, clip: Clip) -> Any:
        assert clip.sample is not None
        path = self.folder / f"{clip.sample.name.replace('/', '__')}.npy"
        if not path.exists():
            np.save(path, self.method.harmonize(clip))
        return np.load(path)


def score(
    method: Method,
    data: Path,
    wanted: Sequence[str],
    kept: Path,
    cache: Path | None = None,
    swap: bool = False,
) -> Report:
    """Score a method on a set, or read its report where the same one was scored before.

    Args:
        kept: JSON file of the report.
        cache: folder of decoded sets.
        swap: put another video's background behind each foreground.
    Returns:
        The report of ``evaluate``, and ``hardware`` of where and when it was made.
    """
    if kept.exists():
        report: Report = json.loads(kept.read_text())
        if is_of_today(report, method, data, wanted):
            report.setdefault("hardware", {"commit": None, "date": date_of(kept)})
            return report
    report = evaluate(data, method, wanted, swap_background=swap, cache=cache)
    report["hardware"] = describe()
    write_text_whole(kept, json.dumps(report) + "\n")
    print(format_report(report), flush=True)
    return report


def is_of_today(report: Report, method: Method, data: Path, wanted: Sequence[str]) -> bool:
    """Whether a report is of this method, this set and today's protocol, and says all that is
    asked."""
    version = PROTOCOLS["clean"].version
    settings = {"protocol": "clean", "version": version, "size": None, "resizing": None}
    expected = {
        "set": digest_of_set(data),
        "method": method.digest,
        "protocol": settings_digest(settings),
    }
    asked = [name for name in wanted if name != "temporal"]
    return (
        all(report["digests"][key] == value for key, value in expected.items())
        and all(name in report["overall"] for name in asked)
        and ("temporal" not in wanted or "temporal" in report)
    )


@functools.cache
def digest_of_set(data: Path) -> str:
    """The set's digest, made once a run: all of its pictures are read for it."""
    return set_digest(read_list(data))


def date_of(path: Path) -> str:
    """The day that a file was written: of reports that do not say themselves when they were
    made."""
    return time.strftime("%Y-%m-%d", time.gmtime(path.stat().st_mtime))


def tried_mixes(row: Row, at: Places) -> dict[float, float]:
    """What a classical method leaves on dev-two, by how far it goes."""
    found = {}
    for mix in MIXES:
        method = find_method(row.source, at.sets / DEV, mix=mix)
        kept = at.work / f"{row.name}.{DEV}.{mix:g}.json"
        report = score(method, at.sets / DEV, ("fmse",), kept, at.cache)
        found[mix] = report["ratio"]["fmse"]
    return found


def chosen_mix(title: str, tried: dict[float, float]) -> float:
    """How far a classical method goes: what leaves least on dev-two.

    A least at the lower edge of what was tried may lie below it, and is told.
    """
    best = min(tried, key=lambda mix: tried[mix])
    if best == min(tried):
        print(f"{title}: {best:g}, the least of MIXES, leaves least; try less", file=sys.stderr)
    return best


def method_of(row: Row, runs: Path, data: Path, mix: float = 1.0) -> Method:
    """The row's method, under its name in the table."""
    method = find_method(row.source.format(runs=runs), data, mix=mix)
    return dataclasses.replace(method, name=row.title)


def scores_of(row: Row, at: Places) -> Report:
    """All reports of a row: as it is, by its colors alone, before other backgrounds."""
    tried, mix = {}, 1.0
    if row.mix is not None:
        mix = row.mix
    elif row.group == "classical":
        tried = tried_mixes(row, at)
        mix = chosen_mix(row.title, tried)
    found: Report = {"mix": mix, "tried": tried, "sets": {}, "colors": {}, "swapped": {}}
    wanted = (*METRICS, "temporal") if row.over_time else METRICS
    for name in SETS:
        data = at.sets / name
        method = method_of(row, at.runs, data, mix)
        with tempfile.TemporaryDirectory() as temporary:
            frames = KeptFrames(method, Path(temporary)).as_method()
            kept = at.work / f"{row.name}.{name}.json"
            found["sets"][name] = score(frames, data, wanted, kept, at.cache)
            if not row.is_map:
                kept = at.work / f"{row.name}.{name}.colors.json"
                found["colors"][name] = score(as_map(frames), data, ("fmse",), kept, at.cache)
        if name == SWAPPED and method.takes_other_backgrounds:
            kept = at.work / f"{row.name}.{name}.swapped.json"
            found["swapped"][name] = score(method, data, ("fmse",), kept, at.cache, swap=True)
    return found


def curve_of(row: Row, at: Places) -> dict[str, float]:
    """fMSE ratios on dev-two of the weights that were kept on the way, by samples."""
    found = {}
    for samples, source in row.kept(at.runs).items():
        data = at.sets / DEV
        kept = at.work / f"{row.name}.{DEV}.{samples}.json"
        report = score(find_method(source, data), data, ("fmse",), kept, at.cache)
        found[str(samples)] = report["ratio"]["fmse"]
    return found


def cost_of(row: Row, at: Places) -> tuple[Report, Report]:
    """Time and memory by size of frame, and where they were measured; read from the work folder
    where the same method was measured before."""
    kept = at.work / f"{row.name}.cost.json"
    source = row.source.format(runs=at.runs)
    digest = find_method(source, at.sets / SWAPPED).digest
    if kept.exists():
        before: Report = json.loads(kept.read_text())
        if before["method"] == digest and before["cost"].keys() == SIZES.keys():
            return before["cost"], before["hardware"]
    cost = {name: timed(source, size) for name, size in SIZES.items()}
    hardware = describe()
    told = {"method": digest, "cost": cost, "hardware": hardware}
    write_text_whole(kept, json.dumps(told) + "\n")
    return cost, hardware


def made_on(found: Report) -> list[Report]:
    """Where and when the reports of a row were made, each machine, commit and day once."""
    kinds = ("sets", "colors", "swapped")
    made = [report["hardware"] for kind in kinds for report in found[kind].values()]
    return list({(one.get("cpu"), one["commit"], one["date"]): one for one in made}.values())


# --- the table


def told(report: Report) -> Report:
    """What the table keeps of a report; the rest lies in the work folder."""
    keys = ("overall", "ratio", "ratio_ci95", "worse_share", "videos", "composites", "digests")
    more = ("leading", "temporal", "settings", "method_facts")
    kept = {key: report[key] for key in (*keys, *more) if key in report}
    if "temporal" in kept:
        kept["temporal"] = {key: kept["temporal"][key] for key in ("tl_dis", "frtc")}
    if "method_facts" in kept:
        facts = kept["method_facts"]
        named = {key: _in_runs(facts[key]) for key in ("method", "weights") if key in facts}
        kept["method_facts"] = {**facts, **named}
    return kept


def _in_runs(named: Any) -> Any:
    """A row's weights as they are called in the folder of runs, wherever that lies."""
    return re.sub(r"(^|:)/[^:]*/([^/]+/[^/]+)$", r"\1runs/\2", named) if named else named


def differences(rows: dict[str, Report]) -> list[Report]:
    """Each row less the reference's, the packaged weights' and that of the row beneath it, over the
    same composites of each set; of real light those under the limit, which lead."""
    pairs = []
    for name, found in rows.items():
        for to in dict.fromkeys((REFERENCE, PACKAGED, BENEATH.get(name, REFERENCE))):
            if to == name or to not in rows:
                continue
            for kind in ("sets", "colors"):
                for data, report in _of_kind(name, found, kind).items():
                    other = _of_kind(to, rows[to], kind).get(data)
                    if other is None or report["digests"]["set"] != other["digests"]["set"]:
                        continue
                    facts = {"row": name, "to": to, "data": data, "colors": kind == "colors"}
                    if data in REAL_LIGHT:
                        report, other = _leading(report), _leading(other)
                        facts["below_fmse"] = LEADING_BELOW
                    pairs.append({**facts, **paired_difference(report, other)})
    return pairs


def _of_kind(name: str, found: Report, kind: str) -> Report:
    """The reports of a row by set, as drawn or by its colors alone."""
    reports: Report = found["sets" if name in MAPS else kind]
    return reports


def _leading(report: Report) -> Report:
    """A report with the composites alone that lead in real light, where others rule the mean."""
    detail = [
        one for one in report["composites_detail"] if one["untouched"]["fmse"] < LEADING_BELOW
    ]
    return {**report, "composites_detail": detail}


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    known = os.environ.get("VHMAE_DATA")
    parser.add_argument(
        "--data", type=Path, default=known, required=known is None, help="(VHMAE_DATA)"
    )
    parser.add_argument(
        "--runs",
        type=Path,
        default=Path("runs"),
        help="folder of trained weights, a folder a row (runs)",
    )
    parser.add_argument(
        "--work", type=Path, default=Path("work"), help="folder that keeps whole reports (work)"
    )
    parser.add_argument("--sets", type=Path, help="folder that keeps the made sets")
    parser.add_argument("--cache", type=Path, help="folder that keeps the decoded sets")
    parser.add_argument("--only", default=",".join(row.name for row in ROWS), metavar="ROW,...")
    parser.add_argument("--json", type=Path, default=RESULT)
    args = parser.parse_args()
    only = chosen(parser, "--only", args.only, [row.name for row in ROWS])
    args.work.mkdir(parents=True, exist_ok=True)
    at = Places(args.runs, args.sets or args.work / "sets", args.work, args.cache)
    for name in (DEV, *SETS):
        make_set(name, args.data, at.sets / name)
    found: dict[str, Report] = {}
    facts: dict[str, Report] = {}
    for row in ROWS:
        if row.name not in only:
            continue
        missing = row.missing(args.runs)
        if missing is not None:
            print(f"{row.title}: no {missing}; left out", file=sys.stderr)
            continue
        found[row.name] = scores_of(row, at)
        cost, measured = cost_of(row, at)
        facts[row.name] = {
            **row.facts(args.runs),
            **{key: found[row.name][key] for key in ("mix", "tried")},
            "curve": curve_of(row, at),
            "cost": cost,
            "hardware": {"scores": made_on(found[row.name]), "cost": measured},
        }
        write(args.json, args.work, found, facts)
    if args.json.resolve() == RESULT:
        publish()


def publish() -> None:
    """Make the page and the picture from the table's file."""
    # Here: a run elsewhere (``--json``) needs no plotting library.
    from figures import draw_table1
    from tables import fill_pages

    fill_pages((PAGE,))
    draw_table1()


def write(path: Path, work: Path, found: dict[str, Report], facts: dict[str, Report]) -> None:
    """Put rows into the table's file: those that were scored in the place of what stood there, the
    others as they were.

    Args:
        work: where whole reports lie, of which differences are made.
        found, facts: of the rows that were scored.
    """
    before = json.loads(path.read_text()) if path.exists() else {"rows": [], "paired": []}
    stood: dict[str, Report] = {row["row"]: row for row in before["rows"]}
    rows = dict(stood)
    for row in rows.values():  # of before rows said themselves where they were measured
        row.setdefault("hardware", {"scores": [before["hardware"]], "cost": before["hardware"]})
    for name, told_of in facts.items():
        kinds = ("sets", "colors", "swapped")
        parts = {kind: _each(told, found[name][kind]) for kind in kinds}
        rows[name] = {"row": name, **told_of, **parts}
    ordered = [rows[row.name] for row in ROWS if row.name in rows]
    composites = path.with_name(f"{path.stem}-composites.json")
    known = table1_composites.kept(composites)
    whole = {
        row["row"]: found.get(row["row"]) or whole_reports(row, work, known.get(row["row"], {}))
        for row in ordered
    }
    table1_composites.keep(composites, whole)
    pairs = differences(whole)
    made = {_place(pair) for pair in pairs}
    # A difference of two rows that stand is as good as it was.
    pairs += [
        pair
        for pair in before["paired"]
        if "to" in pair
        and _place(pair) not in made
        and all(
            _digests(stood, name, pair) == _digests(rows, name, pair)
            for name in (pair["row"], pair["to"])
        )
    ]
    report = {"schema": 1, "hardware": describe(), "rows": ordered, "paired": pairs}
    write_text_whole(path, json.dumps(report, indent=1) + "\n")


def _each(change: Callable[[Report], Report], reports: dict[str, Report]) -> dict[str, Report]:
    return {data: change(report) for data, report in reports.items()}


def _place(pair: Report) -> tuple[str, str, str, bool]:
    return pair["row"], pair["to"], pair["data"], pair["colors"]


def _digests(rows: dict[str, Report], name: str, pair: Report) -> Report | None:
    """Of the report of a row that a difference was made of; None where there is none."""
    kind = "colors" if pair["colors"] and name not in MAPS else "sets"
    digests: Report | None = rows.get(name, PARTS)[kind].get(pair["data"], {}).get("digests")
    return digests


def whole_reports(row: Report, work: Path, known: Report) -> Report:
    """The reports that a row of the table was made of, as far as they still lie in the work folder;
    else what was kept of their composites.

    Args:
        known: the row's reports as ``table1_composites.kept`` gives them.
    """
    found: Report = {}
    for kind, ending in (("sets", ""), ("colors", ".colors")):
        found[kind] = {}
        for data, short in row[kind].items():
            kept = work / f"{row['row']}.{data}{ending}.json"
            report = json.loads(kept.read_text()) if kept.exists() else {}
            for one in (report, known.get(kind, {}).get(data, {})):
                if one.get("digests") == short["digests"]:
                    found[kind][data] = one
                    break
    return found


if __name__ == "__main__":
    main()
