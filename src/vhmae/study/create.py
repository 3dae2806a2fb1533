"""``vhmae study create``: choose clips, cut and transcode them, and write the rows."""

from __future__ import annotations

import contextlib
import dataclasses
import itertools
import secrets
import uuid
from collections.abc import Callable, Iterable, Sequence
from fractions import Fraction
from pathlib import Path

import numpy as np

from vhmae.arrays import Array
from vhmae.data.hyoutube import TEST_LIST, Sample, read_list
from vhmae.errors import InputError, counted
from vhmae.evaluation.clip import Clip, Method
from vhmae.partial_output import working_folder
from vhmae.rcvh.manifest import read_manifest
from vhmae.study import tables
from vhmae.study.folder import VIDEOS, Description, open_rows, write_study
from vhmae.study.job import StudyJob
from vhmae.study.tables import INPUT
from vhmae.video.browser import (
    STILL_RATE,
    display_size,
    read_upright,
    resized,
    shown_size,
    write_browser_video,
)
from vhmae.video.containers import CONTAINERS
from vhmae.video.matte import ASPECT_TOLERANCE, open_matte
from vhmae.video.probe import VideoInfo
from vhmae.video.sequence import PICTURES
from vhmae.video.source import probe_source
from vhmae.web.database import now_ms
from vhmae.web.secrets import Secrets, new_secrets, new_token

MOST_METHODS, MOST_QUESTIONS = 26, 50


@dataclasses.dataclass(frozen=True)
class _Source:
    """A chosen clip: the composite and finished results."""

    name: str
    info: VideoInfo
    results: dict[str, VideoInfo]
    mask: Path | None
    count: int
    """Frames that are shown."""
    rate: Fraction
    """Of them, a second."""

    @property
    def first(self) -> int:
        """The middle of a clip is shown; of a still, the still."""
        return 0 if self.is_still else (self.info.frames - self.count) // 2

    @property
    def is_still(self) -> bool:
        return self.info.files is not None and self.info.frames == 1


def create_study(
    job: StudyJob, tell: Callable[[str], None] = lambda told: None
) -> tuple[Description, Secrets]:
    """Make a study's folder and rows; they appear whole or not at all. ``tell`` is told what the
    organizer should know.

    Raises:
        InputError: if a result is missing or does not belong to its composite, or an option is
            wrong.
    """
    _check(job)
    runs = _methods({name: text for name, text in job.methods if isinstance(text, str)}, job)
    sources = _choose(job)
    short = [
        one for one in sources if not one.is_still and one.count < 0.9 * job.seconds * one.rate
    ]
    if short:
        shown = min(float(one.count / one.rate) for one in short)
        told = "; where pictures are of another rate, `rate` says it"
        pictures = any(one.info.files is not None for one in short) and job.rate is None
        tell(
            f"{counted(len(short), 'clip')} of {len(sources)} last less than the {job.seconds:g} "
            f"seconds wanted, the shortest {shown:.2g}{told if pictures else ''}"
        )
    description = Description(
        id=uuid.uuid4().hex,
        title=job.title,
        criterion=job.criterion,
        seed=job.seed,
        methods=tuple(name for name, _ in job.methods),
        clips=tuple(source.name for source in sources),
        seconds=job.seconds,
        questions=tuple(job.questions),
        consent=job.consent,
        own_database=job.database is None,
    )
    made = dataclasses.replace(new_secrets(), site=description.id)
    output = job.output.resolve()
    with working_folder(output) as part:
        (part / VIDEOS).mkdir()
        clips = [
            _make_clip(number, source, runs, part / VIDEOS, job.lines)
            for number, source in enumerate(sources)
        ]
        write_study(part, description, made)
        database = open_rows(part, description, job.database, fresh=True)
        with contextlib.closing(database), database.writing() as session:
            drawn_from = secrets.token_hex(32)
            session.add(
                tables.Study(
                    id=description.id,
                    title=job.title,
                    seed=job.seed,
                    secret=drawn_from,
                    created_ms=now_ms(),
                    clips=clips,
                )
            )
            if job.database is not None:  # the rows are kept only if the folder takes its place
                session.flush()
                _take_place(part, output)
        if job.database is None:
            _take_place(part, output)
    return description, made


def _methods(wanted: dict[str, str], job: StudyJob) -> dict[str, Method]:
    """The methods that are run for a study, by their labels."""
    if not wanted:
        return {}
    from vhmae.evaluation.methods import find_method  # loads torch, so where one is run

    return {name: find_method(text, job.input, job.weights) for name, text in wanted.items()}


def _take_place(part: Path, output: Path) -> None:
    if output.exists():
        output.rmdir()
    part.rename(output)


def _check(job: StudyJob) -> None:
    if job.rate is not None and job.rate <= 0:
        told = "expected more than 0 pictures a second"
        raise InputError(told, field="rate", value=job.rate)
    names = [name for name, _ in job.methods]
    if not 2 <= len(names) <= MOST_METHODS:
        raise InputError(
            f"`methods`: a ranking needs 2 to {MOST_METHODS} methods, not {len(names)}; repeat "
            "`methods` NAME=DIR"
        )
    labels = [question.label for question in job.questions]
    twice = next((label for label in labels if labels.count(label) > 1), None)
    if twice is not None or len(labels) > MOST_QUESTIONS:
        raise InputError(
            f"`questions` {twice or ''}: expected at most {MOST_QUESTIONS} questions, each once"
        )
    doubled = next((name for name in names if names.count(name) > 1), None)
    if doubled is not None or INPUT in names:
        raise InputError(
            f"`methods` {doubled or INPUT}: this name is taken; give each method a name of its own"
        )
    long = next((name for name in names if not 0 < len(name) <= 60), None)
    if long is not None:
        raise InputError(f"`methods` {long[:30]}...: names have 1 to 60 letters")
    if not 0 <= job.seed < 2**63:
        raise InputError(f"`seed` {job.seed}: is too large; expected less than 2^63")
    if job.clips < 1 or not 0.1 <= job.seconds <= 60:
        raise InputError(
            f"`clips` {job.clips} `seconds` {job.seconds:g}: expected 1 clip or more of 0.1 to 60 "
            "seconds"
        )
    if not 0 < len(job.title) <= 200:
        raise InputError("`title`: expected 1 to 200 letters")
    if not 0 < len(job.criterion) <= 200:
        raise InputError("`criterion`: expected 1 to 200 letters")
    if job.output.exists() and (not job.output.is_dir() or any(job.output.iterdir())):
        raise InputError(f"{job.output}: exists already; choose a new folder")
    if job.output.is_symlink() and not job.output.exists():
        raise InputError(
            f"{job.output}: is a link that leads nowhere; remove it, or choose a new folder"
        )
    if not job.output.absolute().parent.is_dir():
        raise InputError(
            f"{job.output}: the folder {job.output.parent} does not exist; make it first"
        )
    bare = next((name for name, what in job.methods if isinstance(what, str)), None)
    if job.masks is None and bare is not None and not _is_set(job.input):
        raise InputError(
            f"name its results, {bare}=DIR, or give `masks` so that it can be run here",
            field="methods",
            value=bare,
        )


def _is_set(path: Path) -> bool:
    """Whether a folder is a set in the HYouTube layout."""
    return (path / TEST_LIST).is_file()


def _results_in(path: Path, samples: Sequence[Sample], name: str) -> dict[str, Path]:
    """Results of a set, as ``vhmae evaluate --write`` leaves them: VIDEO/object_k."""
    if not path.is_dir():
        raise InputError(
            f"{path}: no such folder; expected the results of {name} as VIDEO/object_k/00000.png"
        )
    found = {sample.name: path / sample.name for sample in samples if (path / sample.name).is_dir()}
    if not found:
        raise InputError(
            f"{path}: holds no results of this set; expected {samples[0].name}/00000.png and so on"
        )
    return found


def _clips_in(path: Path, what: str) -> dict[str, Path]:
    """The clips of a folder by their names; a file is one clip."""
    if path.is_file():
        return {"": path}
    if not path.is_dir():
        raise InputError(
            f"{path}: no such folder; expected {what}, a folder of videos or one video"
        )
    found: dict[str, Path] = {}
    for entry in sorted(path.iterdir()):
        if entry.name.startswith(".") or not (
            entry.is_dir() or entry.suffix.lower() in (*CONTAINERS, *PICTURES, ".npz")
        ):
            continue
        name = entry.name if entry.is_dir() else entry.stem.removesuffix(".mask")
        if len(name) > 200:
            raise InputError(
                f"{path}: {name[:40]}... has a name of {len(name)} letters; shorten it to 200"
            )
        if name in found:
            raise InputError(
                f"{path}: holds two clips of the name {name}, {found[name].name} and {entry.name}; "
                "remove one"
            )
        found[name] = entry
    if not found:
        raise InputError(
            f"{path}: holds no videos; expected {what} ({', '.join(CONTAINERS)}, pictures, or "
            "folders of pictures)"
        )
    return found


def _choose(job: StudyJob) -> list[_Source]:
    """Draw the clips among those that every method has a result of; all are looked at before any is
    transcoded."""
    finished = {name: path for name, path in job.methods if isinstance(path, Path)}
    masks = _clips_in(job.masks, "the masks") if job.masks is not None else None
    if _is_set(job.input):
        samples = read_list(job.input)
        composites = {sample.name: sample.composite for sample in samples}
        results = {name: _results_in(path, samples, name) for name, path in finished.items()}
        masks = masks or {sample.name: sample.mask for sample in samples}
    else:
        composites = _clips_in(job.input, "the composites")
        results = {
            name: _clips_in(path, f"the results of {name}") for name, path in finished.items()
        }
    others = {**results, **({"`masks`": masks} if masks is not None else {})}
    shared = [name for name in composites if all(name in other for other in others.values())]
    if len(shared) < job.clips:
        lacks = next(
            (
                (name, label)
                for name in composites
                for label, other in others.items()
                if name not in other
            ),
            None,
        )
        hint = f"; {lacks[1]} has no {lacks[0]}" if lacks else ""
        raise InputError(
            f"{job.input}: {counted(len(shared), 'clip')} with all results, {job.clips} wanted"
            f"{hint}; add clips or lower `clips`"
        )
    rng = np.random.default_rng(job.seed)
    chosen = sorted(rng.permutation(len(shared))[: job.clips].tolist())
    return [_examine(job, shared[index], composites, results, masks) for index in chosen]


def _examine(
    job: StudyJob,
    name: str,
    composites: dict[str, Path],
    results: dict[str, dict[str, Path]],
    masks: dict[str, Path] | None,
) -> _Source:
    info = probe_source(composites[name], "composite")
    infos = {
        method: probe_source(paths[name], f"result of {method}")
        for method, paths in results.items()
    }
    width, height = display_size(info)
    for other in infos.values():
        own_width, own_height = display_size(other)
        if other.frames != info.frames:
            raise InputError(
                f"{other.path}: has {counted(other.frames, 'frame')} but {info.path} has "
                f"{info.frames}; results keep every frame"
            )
        if abs(own_width / own_height / (width / height) - 1.0) > ASPECT_TOLERANCE:
            raise InputError(
                f"{other.path}: is shown at {own_width}x{own_height} but {info.path} at "
                f"{width}x{height}"
            )
    still = info.files is not None and info.frames == 1
    rate = Fraction(STILL_RATE) if still else _rate_of(job, name, info)
    count = round(job.seconds * rate)
    count = max(1, count if still else min(info.frames, count))
    mask = masks[name] if masks else None
    source = _Source(name or info.path.stem, info, infos, mask, count, rate)
    if source.mask is not None:
        open_matte(source.mask).check_fits(info, hold_last=False)
    return source


def _rate_of(job: StudyJob, name: str, info: VideoInfo) -> Fraction:
    """Frames of a clip a second, as they are to be shown."""
    if info.files is None:
        return Fraction(info.fps)
    if job.rate is not None:
        return job.rate
    lines = read_manifest(job.input) if job.input.is_dir() else []
    line = next((one for one in lines if one["name"] == name.partition("/")[0]), None)
    frames = 0 if line is None else line.get("frames")
    if line is None or info.frames < 2 or not isinstance(frames, int) or frames < 2:
        return Fraction(info.fps)
    try:
        rate = Fraction(str(line.get("fps")))
    except (ValueError, ZeroDivisionError):  # of a set from elsewhere
        rate = Fraction(0)
    # A set's pictures are spread over the whole composite.
    return rate * (info.frames - 1) / (frames - 1) if rate > 0 else Fraction(info.fps)


def _make_clip(
    number: int, source: _Source, runs: dict[str, Method], folder: Path, lines: int
) -> tables.StudyClip:
    """Transcode the input and all results of a clip under names that say nothing."""
    info = source.info
    rate = source.rate
    size = shown_size(*display_size(info), lines)
    shown = {INPUT: info, **source.results}
    made: dict[str, Iterable[Array]] = {
        method: read_upright(one, source.first, source.count) for method, one in shown.items()
    }
    if runs:  # these see the whole clip at once
        scene = Clip(
            np.stack(list(read_upright(info, source.first, source.count))), _read_mask(source)
        )
        made |= {method: run.run(scene) for method, run in runs.items()}
    stimuli = []
    for method, frames in made.items():
        token = new_token()
        write_browser_video(folder / f"{token}.mp4", resized(frames, size), rate)
        stimuli.append(tables.Stimulus(method=method, token=token))
    return tables.StudyClip(
        number=number, name=source.name, frames=source.count, fps=float(rate), stimuli=stimuli
    )


def _read_mask(source: _Source) -> Array:
    """The mask of the frames that are shown: (T, H, W) bool."""
    assert source.mask is not None
    mattes = open_matte(source.mask).read(source.info, source.first)
    mask = np.stack(
        [matte > np.iinfo(matte.dtype).max // 2 for matte in itertools.islice(mattes, source.count)]
    )
    if source.info.display_matrix is not None:
        raise InputError(
            f"{source.info.path}: is turned by its file; write it upright, or give finished "
            "results in the place of methods"
        )
    return mask
