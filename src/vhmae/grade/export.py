"""``vhmae export``: the grades of a video's shots in the form that a suite loads."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from vhmae.color.cube import write_cube
from vhmae.engine.moving import Move
from vhmae.errors import InputError
from vhmae.grade.cdl import FORMATS, fit_cdl, require_ocio, require_scipy, write_cdls
from vhmae.grade.dctl import MOST_KEYS, write_dctl
from vhmae.grade.job import ExportJob
from vhmae.grade.media import Media, media_of, plain
from vhmae.grade.shots import ShotGrade, bake, grade_shots
from vhmae.grade.timeline import require_otio, write_edl, write_otio
from vhmae.partial_output import check_folder, partial_name, take_places
from vhmae.video.probe import VideoInfo
from vhmae.work.analysis import told_of_move
from vhmae.work.guiding import Heard, guided_report
from vhmae.work.harmonize import check_strict

SUFFIXES: dict[str, tuple[str, ...]] = {
    "cube": (".cube",),
    "dctl": (".dctl",),
    "cdl": tuple(FORMATS),
    "edl": (".edl",),
    "otio": (".otio",),
}
DROPPED = {
    "cube": "what differs from place to place in a frame, and over a shot; the matte",
    "dctl": "what differs from place to place in a frame; the matte",
    "cdl": (
        "all but slope, offset, power and saturation; what differs from place to place and over a "
        "shot; the matte"
    ),
    "edl": "all but slope, offset, power and saturation of each shot; LUTs; the matte",
    "otio": (
        "nothing of CDL and LUT; suites read one of both; what differs from place to place and "
        "over a shot; the matte"
    ),
}
"""What each form cannot hold."""
LEAST_CHANGE = 0.01
"""Levels; of a smaller change there is no share to speak of."""
KEY_FRAMES = 24
"""Frames from one key map to the next where a form holds several."""


def export_grades(job: ExportJob) -> dict[str, Any]:
    """Write the grades of a video's shots and return the report of docs/grades.md.

    Where there are several shots (or key frames), the files are numbered: ``look.cube`` becomes
    ``look.shot002.cube``, and ``look.shot002.000048.cube`` for the map around frame 48. Where both
    sides move, each has files of its own: ``look.foreground.cube``, ``look.background.cube``; and
    so has each of several objects: ``look.object2.cube``.

    Raises:
        InputError: for what the caller can mend; nothing is left half-written.
    """
    _check(job)
    every = (job.key_frames or KEY_FRAMES) if job.kind == "dctl" else job.key_frames
    media: dict[Path, Media] = {}

    def look_at(info: VideoInfo) -> None:  # what a file cannot say is refused before the work
        if job.kind == "dctl" and info.encoding.space is not None and info.codec != "exr":
            raise InputError(
                f"{info.path}: is {info.space_name}, whose curve a DCTL of ours does not hold; "
                "export cube"
            )
        if job.kind in ("edl", "otio"):
            media[info.path] = media_of(info, job.output)

    guided: dict[str, Any] = {}

    def heard_by(heard: Heard | None) -> None:
        guided.update(guided_report(heard))

    is_timed = every is not None or job.kind in ("edl", "otio")
    most_keys = MOST_KEYS if job.kind == "dctl" else None
    grades, infos, warnings = grade_shots(job, every, look_at, heard_by, most_keys, is_timed)
    warnings = [*warnings, *(warning for one in media.values() for warning in one.warnings)]
    if most_keys is not None:
        warnings += _told_of_keys(grades, every)
    check_strict(job.strict, warnings)
    warnings += told_of_move(job)
    warnings += [
        f"{info.path}: grades of OpenEXR are for sRGB of Rec. 709 in [0, 1], whatever its values "
        "are: convert before and behind them"
        for info in infos.values()
        if info.codec == "exr"
    ]
    several = len(job.masks) > 1 and bool(Move.parse(job.move).foreground)
    two = bool(Move.parse(job.move).foreground and Move.parse(job.move).background)
    sides = [
        [grade for grade in grades if grade.object_number == object_number]
        for object_number in dict.fromkeys(grade.object_number for grade in grades)
    ]
    files = [
        _Files(_named(job.output, _laid_over(side[0], several, two)), len(side)) for side in sides
    ]
    left: list[float] = []
    try:
        for side, written in zip(sides, files, strict=True):
            info = infos[side[0].side]
            left += _write(job, side, info, written, media.get(info.path))
        for written in files:
            written.finish()
    except BaseException:
        for written in files:
            written.abandon()
        raise
    shots = [
        {
            "shot": grade.number,
            **({} if job.move == "foreground" else {"side": grade.side}),
            **({"object": grade.object_number} if several else {}),
            "first": grade.first,
            "last": grade.last,
            "change": round(grade.change_levels, 3),
            "left": round(levels, 3),
            "share_left": _share(levels, grade.change_levels),
        }
        for grade, levels in zip(grades, left, strict=True)
    ]
    return {
        "schema": 1,
        "kind": job.kind,
        "files": [str(path) for written in files for path in written.named],
        "shots": shots,
        "dropped": DROPPED[job.kind],
        "warnings": warnings,
        **guided,
    }


def _share(left: float, change: float) -> float:
    """How much of a change is left; 0 where there is none to speak of."""
    return round(left / change, 4) if change >= LEAST_CHANGE else 0.0


def _told_of_keys(grades: Sequence[ShotGrade], every: int | None) -> list[str]:
    """What is to be said of shots that are too long for keys so near to one another."""
    told = []
    for grade in grades:
        wanted = -(-(grade.last + 1 - grade.first) // (every or 1))
        if len(grade.keys) < wanted:
            told.append(
                f"shot {grade.number}: {wanted} key maps are more than the constant memory of "
                f"every GPU holds; wrote {len(grade.keys)}, {grade.keys[1].index - grade.first} "
                "frames apart"
            )
    return told


def _write(
    job: ExportJob, grades: list[ShotGrade], info: VideoInfo, files: _Files, media: Media | None
) -> list[float]:
    """Write the files of a kind; the levels that each shot's grade leaves undone."""
    note = f"{plain(info.path.name)}, harmonized by vhmae"
    if job.kind == "cube":
        left = []
        for grade in grades:
            tables = []
            for key in grade.keys:
                numbered = "" if job.key_frames is None else f".{key.index:06d}"
                name = f"{info.path.stem} shot {grade.number}{numbered}"
                tables.append(bake(key.coefficients, name, grade.space))
                write_cube(tables[-1], files.part(grade.number, numbered))
            left.append(grade.levels_left(grade.graded_by_tables(tables)))
        return left
    if job.kind == "dctl":
        for grade in grades:
            write_dctl(grade, f"{note}, shot {grade.number}", files.part(grade.number))
        return [grade.levels_left(grade.graded_by_keys()) for grade in grades]
    cdls = [fit_cdl(grade.values(grade.before), grade.values(grade.after)) for grade in grades]
    if job.kind == "cdl":
        named = {f"shot{grade.number:03d}": cdl for grade, cdl in zip(grades, cdls, strict=True)}
        if job.output.suffix.lower() == ".cc":  # holds one
            for grade, (name, cdl) in zip(grades, named.items(), strict=True):
                write_cdls({name: cdl}, note, files.part(grade.number))
        else:
            write_cdls(named, note, files.whole())
    else:
        assert media is not None
        if job.kind == "edl":
            write_edl(grades, cdls, media, files.output.stem, files.whole())
        else:
            luts = [files.named_as(grade.number, ".cube") for grade in grades]
            for grade in grades:
                write_cube(grade.lut(), files.part(grade.number, suffix=".cube"))
            write_otio(grades, cdls, luts, media, files.output.stem, files.whole())
    return [
        grade.levels_left(grade.shown(cdl.apply(grade.values(grade.before))))
        for grade, cdl in zip(grades, cdls, strict=True)
    ]


def _laid_over(grade: ShotGrade, several: bool, two: bool) -> str:
    """What a grade's files are told apart by: its object of several, its side of two."""
    if several and grade.object_number:
        return f"object{grade.object_number}"
    return grade.side if several or two else ""


def _named(output: Path, side: str) -> Path:
    """The name of a file of one object or side, where there are more."""
    return output.with_name(f"{output.stem}.{side}{output.suffix}") if side else output


class _Files:
    """The files of an export: written beside their places, put there all together at the end."""

    def __init__(self, output: Path, shots: int) -> None:
        self.output = output
        self.shots = shots
        self.named: list[Path] = []
        self._parts: list[Path] = []

    def named_as(self, shot: int, suffix: str | None = None, numbered: str = "") -> Path:
        which = f".shot{shot:03d}" if self.shots > 1 else ""
        return self.output.with_name(
            f"{self.output.stem}{which}{numbered}{suffix or self.output.suffix}"
        )

    def part(self, shot: int, numbered: str = "", suffix: str | None = None) -> Path:
        """Where a shot's file is written for the time being."""
        return self._add(self.named_as(shot, suffix, numbered))

    def whole(self) -> Path:
        """Where the one file of all shots is written for the time being."""
        return self._add(self.output)

    def _add(self, path: Path) -> Path:
        part = partial_name(path)
        self.named.append(path)
        self._parts.append(part)
        return part

    def finish(self) -> None:
        take_places([*zip(self._parts, self.named, strict=True)])

    def abandon(self) -> None:
        for part in self._parts:
            part.unlink(missing_ok=True)


def _check(job: ExportJob) -> None:
    """Refuse an output that cannot be written, before any work."""
    known = SUFFIXES[job.kind]
    if job.output.suffix.lower() not in known:
        raise InputError(
            f"{job.output}: export {job.kind} writes {' or '.join(known)}; give such a name"
        )
    check_folder(job.output)
    for source in job.inputs().values():
        if job.output.exists() and source.exists() and job.output.samefile(source):
            raise InputError(
                f"{job.output}: is one of the inputs; choose another name for the output"
            )
    if job.key_frames is not None and job.kind not in ("cube", "dctl"):
        raise InputError(
            f"{job.kind} holds one grade a shot; leave it out, or export cube or dctl",
            field="key_frames",
        )
    if job.kind in ("cdl", "edl", "otio"):
        require_scipy(job.kind)
    if job.kind == "cdl":
        require_ocio()
    if job.kind == "otio":
        require_otio()
