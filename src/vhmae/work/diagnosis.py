"""``vhmae diagnose``: what harmonizing would do to each shot, in a compositor's words, how sure
that is, and whether it is worth doing."""

from __future__ import annotations

import itertools
from typing import Any

from vhmae.arrays import Array
from vhmae.engine.priors import find_prior
from vhmae.guide.dials import DIALS, dial_deviations, fit_dials
from vhmae.guide.prior import Prior
from vhmae.guide.update import found_for
from vhmae.guide.verdict import judge
from vhmae.work.analysis import open_analysis, told_of_move
from vhmae.work.guiding import guided_report, hear_guide
from vhmae.work.harmonize import check_strict
from vhmae.work.job import AnalysisJob
from vhmae.work.shot_pixels import ShotPixels, described


def diagnose(job: AnalysisJob) -> dict[str, Any]:
    """Look at a video and return the report of docs/cli.md.

    Raises:
        InputError: for what the caller can mend, as harmonizing does.
    """
    analysis = open_analysis(job)
    analysis.survey()
    heard = hear_guide(analysis)
    draws = not analysis.harmonizers[0].network.holds_between_key_frames
    prior, told = (None, []) if draws else find_prior(job.weights)
    rows: list[dict[str, Any]] = []
    seen = damaged = 0
    ready = analysis.harmonized(analysis.sources.frames(count=True))
    for number, shot in itertools.groupby(ready, lambda one: one.shot):
        objects = [ShotPixels() for _ in analysis.harmonizers]
        first = last = -1
        for (timed, _), covers, changes, _, shares in shot:
            first, last = (timed.index if first < 0 else first), timed.index
            seen, damaged = seen + 1, damaged + timed.decoded.is_corrupt
            looks = zip(objects, covers, changes, shares, strict=True)
            for pixels, matte, change, share in looks:
                if change is not None:
                    pixels.look_at(timed.index, timed.image, matte, change, share)
        facts = {"shot": number + 1, "first": first, "last": last}
        for object_number, harmonizer, pixels in zip(
            analysis.objects, analysis.harmonizers, objects, strict=True
        ):
            if pixels.seen:
                unknown = None if heard is None else found_for(heard.unknown, object_number, number)
                diagnosis = diagnosis_of(*pixels.both(), unknown or prior, harmonizer.strength)
                rows.append({**facts, "object": object_number, **diagnosis})
    heard_warnings = heard.warnings if heard is not None else []
    warnings = [*dict.fromkeys([*analysis.warnings(seen, damaged), *told, *heard_warnings])]
    check_strict(job.strict, warnings)
    warnings += told_of_move(job)
    return {"schema": 1, "shots": rows, "warnings": warnings, **guided_report(heard)}


def diagnosis_of(
    before: Array, after: Array, prior: Prior | None, strength: float
) -> dict[str, Any]:
    """What is said of an object in a shot; without a prior, nobody knows how sure it is."""
    reading = fit_dials(before, after)
    verdict = None if prior is None else judge(prior, before, after - before, strength)
    nothing = not reading.change_levels if verdict is None else verdict.nothing_to_do
    found = described(before, after)
    words = f"nothing to do ({found['words']})" if nothing else found["words"]
    found |= {"words": words, "nothing_to_do": nothing}
    if prior is None or verdict is None:
        return found
    off = dial_deviations(before, reading.dials, strength**2 * prior.spread)
    return found | {
        "deviations": dict(zip(DIALS, (round(value, 4) for value in off.values()), strict=True)),
        "sure": round(verdict.sure, 4),
        "gain": round(verdict.gain, 3),
        "risk": round(verdict.risk, 3),
    }
