"""``vhmae alternatives``: numbered takes of a frame on a sheet, and beside it the guide that gives
each."""

from __future__ import annotations

import dataclasses
import math
from pathlib import Path
from typing import Any

import numpy as np

from vhmae.arrays import Array
from vhmae.engine.rendering import render_planes
from vhmae.errors import InputError, counted
from vhmae.guide.document import Choice, Guide
from vhmae.guide.reading import read_guide
from vhmae.video.browser import upright
from vhmae.video.pictures import check_still, write_still
from vhmae.video.reader import to_uint8
from vhmae.work.analysis import Analysis, open_analysis, told_of_move
from vhmae.work.guiding import GuideFrames, guide_frames_of
from vhmae.work.harmonize import check_strict
from vhmae.work.job import AlternativesJob
from vhmae.work.preview import panel
from vhmae.work.sources import said_in


def show_alternatives(job: AlternativesJob) -> dict[str, Any]:
    """Write a sheet of takes and the guide of each; returns the report of docs/cli.md.

    Raises:
        InputError: for what the caller can mend.
    """
    check_still(job.output, list(job.inputs().values()))
    analysis = open_analysis(job)
    said = said_in(job)
    job = dataclasses.replace(job, object=_object(job, said, analysis))
    guide = _chosen_so_far(job, said, analysis)
    asked = _next_choice(job, guide, analysis)
    guides = [
        dataclasses.replace(
            guide, choices=(*guide.choices, dataclasses.replace(asked, chosen=number))
        )
        for number in range(1, job.count + 1)
    ]
    paths = [take_file(job.output, number) for number in range(1, job.count + 1)]
    _check_free(paths, list(job.inputs().values()))
    hearing = guide_frames_of(analysis, guides[0], until=asked.frame)
    analysis.survey()
    warnings = [*analysis.warnings(), *hearing.warnings]
    check_strict(job.strict, warnings)
    warnings += told_of_move(job)
    try:
        hearing.named.shown(asked.frame, asked.object - 1)
    except InputError as error:
        if error.field != "guide":
            raise
        raise InputError(error.reason, field="frame", value=asked.frame) from None
    pictures, rows = [], []
    for number, (one, path) in enumerate(zip(guides, paths, strict=True), 1):
        picture, levels, word = _rendered(hearing, one, asked)
        pictures.append(panel(f"{number} {word}", picture))
        rows.append(
            {"take": number, "word": word, "guide": str(path), "mean_change": round(levels, 3)}
        )
    for one, path in zip(guides, paths, strict=True):
        one.write(path)
    write_still(job.output, _sheet(pictures))
    return {
        "schema": 1,
        "frame": asked.frame,
        "object": asked.object,
        "round": asked.round,
        "takes": rows,
        "guide": guide.to_tree(),
        "warnings": warnings,
    }


def take_file(sheet: Path, number: int) -> Path:
    """Where the guide of a take lies: ``sheet.take3.json`` beside ``sheet.png``."""
    return sheet.with_name(f"{sheet.stem}.take{number}.json")


def _object(job: AlternativesJob, guide: Guide, analysis: Analysis) -> int:
    """The object that is chosen for: the last choice's, where the job says none.

    Raises:
        InputError: where there is no such object.
    """
    asked = job.object
    if asked is None:
        asked = guide.choices[-1].object if guide.choices else 1
    objects = analysis.sources.objects if analysis.move.foreground else 1
    if not 1 <= asked <= objects:
        told = f"there are masks of {counted(objects, 'object')}"
        raise InputError(told, field="object", value=asked)
    return asked


def _frame(job: AlternativesJob, guide: Guide, analysis: Analysis) -> int:
    """The frame that is shown."""
    named = [choice.frame for choice in guide.choices if choice.object == job.object]
    if job.frame is None and named:
        return analysis.sources.frame_to_show(named[-1])
    return analysis.sources.frame_to_show(job.frame)


def _made(job: AlternativesJob, guide: Guide, frame: int) -> list[Choice]:
    """The choices that were made at a frame."""
    return [one for one in guide.choices if (one.frame, one.object) == (frame, job.object)]


def _chosen_so_far(job: AlternativesJob, guide: Guide, analysis: Analysis) -> Guide:
    """The guide with what is chosen now, or without what is taken back."""
    frame = _frame(job, guide, analysis)
    made = _made(job, guide, frame)
    if job.chosen is None:
        return guide
    if job.chosen == 0:
        if not made:
            told = f"nothing was chosen of object {job.object} at frame {frame}"
            told += "" if guide.choices else "; give the `guide` that holds the choice"
            raise InputError(told, field="chosen", value=0)
        kept = tuple(one for one in guide.choices if one is not made[-1])
        return dataclasses.replace(guide, choices=kept)
    choice = _choice(job, guide, frame, len(made) + 1, job.chosen)
    return dataclasses.replace(guide, choices=(*guide.choices, choice))


def _next_choice(job: AlternativesJob, guide: Guide, analysis: Analysis) -> Choice:
    """The choice that the sheet asks for."""
    # What is taken back may have named the frame.
    frame = _frame(job, said_in(job) if job.chosen == 0 else guide, analysis)
    return _choice(job, guide, frame, len(_made(job, guide, frame)) + 1, 1)


def _choice(job: AlternativesJob, guide: Guide, frame: int, round_: int, take: int) -> Choice:
    try:
        return Choice(
            chosen=take,
            frame=frame,
            round=round_,
            of=job.count,
            object=job.object or 1,
            after_points=len(guide.points),
        )
    except InputError as error:
        # The document's own names stand before what is wrong: of is --count here.
        name, _, told = error.reason.partition(": ")
        field = "chosen" if name.split(" ")[0] == "chosen" else "count"
        raise InputError(told or name, field=field, value=getattr(job, field)) from None


def _rendered(hearing: GuideFrames, guide: Guide, asked: Choice) -> tuple[Array, float, str]:
    """The frame of a choice as a guide makes it, (H, W, 3) uint8, its mean change in levels, and
    what the take is in a word."""
    frame, word = asked.frame, ""
    payload, shot = hearing.named.read(frame)[0], hearing.named.shots[frame]
    image, levels = payload.timed.image, []
    covers = hearing.analysis.covers(payload.mattes)
    for place, harmonizer in enumerate(hearing.analysis.harmonizers):
        if not covers[place].any():
            continue
        decisions = hearing.decide(guide, place)
        shown = hearing.named.shown(frame, place)
        decision = decisions.get(shot, decisions.get(None))
        if decision is not None and max(hearing.analysis.objects[place], 1) == asked.object:
            word = decision.word or word
        change = shown.answer if decision is None else shown.answer.with_added(decision.change)
        image, moved = render_planes(image, covers[place], harmonizer.finished(change))
        levels.append(moved)
    picture = upright(to_uint8(image.rgb()), hearing.analysis.sources.info.turned)
    return picture, sum(levels) / max(1, len(levels)), word


def _sheet(pictures: list[Array]) -> Array:
    """Pictures of one size in rows, about as many as there are columns."""
    columns = math.ceil(math.sqrt(len(pictures)))
    blank = np.full_like(pictures[0], 128)
    rows = []
    for first in range(0, len(pictures), columns):
        row = pictures[first : first + columns]
        rows.append(np.hstack(row + [blank] * (columns - len(row))))
    return np.vstack(rows)


def _check_free(paths: list[Path], inputs: list[Path]) -> None:
    """Refuse to write over what is read, and over what is no guide."""
    for path in paths:
        if not path.exists():
            continue
        if any(source.exists() and path.samefile(source) for source in inputs):
            raise InputError(f"{path}: is the guide of a take and read here; name another sheet")
        try:
            read_guide(path)
        except InputError:
            told = "is there already and is no guide; name another sheet"
            raise InputError(f"{path}: {told}") from None
