"""Reading a video with its mattes and asking the network what is to be done to it: what harmonizing and grading begin with."""

from __future__ import annotations

import dataclasses
import functools
import itertools
import math
from collections.abc import Callable, Iterator
from fractions import Fraction
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from vhmae.color.yuv import Matrix
from vhmae.errors import InputError, did_you_mean
from vhmae.harmonizer import HarmonizerSettings, Released
from vhmae.model.vhmae import VHMAE
from vhmae.rendering import ColorChange
from vhmae.survey import MINIMUM_BACKGROUND, Thumbnail, shows_background
from vhmae.video.cuts import THUMBNAIL, CutDetector, read_cuts
from vhmae.video.layers import LayeredSource, Placement
from vhmae.video.matte import MatteSource, alpha_matte, has_alpha, open_matte
from vhmae.video.overlap import BusyTimes, run_ahead
from vhmae.video.probe import VideoInfo, probe_video
from vhmae.video.reader import TimedFrame, planar_frame, read_frames
from vhmae.video.sequence import is_pictures, probe_pictures, read_pictures

Array = np.ndarray
MATRICES = ("bt601", "bt709", "bt2020")
STAGES = ("decode", "network", "render", "encode")


class Payload(NamedTuple):
    """A frame with the matte of each of its objects."""

    timed: TimedFrame
    mattes: tuple[Array, ...]


class Ready(NamedTuple):
    """A frame with what is to be done to each of its objects."""

    payload: Payload
    changes: tuple[ColorChange | None, ...]
    """None for an object that is not in the frame."""
    shot: int
    """Number of its shot, from 0."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class AnalysisJob(HarmonizerSettings):
    """A video to look at."""

    composite: Path
    masks: tuple[Path, ...] = ()
    """A mask for each object; without any, the composite's own alpha channel."""
    foreground: Path | None = None
    """A foreground to lay over the composite, which is the background alone then: by its alpha channel, or the mask."""
    placement: Placement = dataclasses.field(default_factory=Placement)
    start: float = 0.0
    """Seconds from which frames are kept, counted from the first frame."""
    end: float | None = None
    """Seconds up to which frames are kept."""
    cuts: Path | None = None
    """File with the numbers of the frames that begin a shot."""
    colorspace: Matrix | None = None
    rate: Fraction | None = None
    """Frames a second of pictures, which do not say; None takes 24."""
    reference: Path | None = None
    """A picture to harmonize to, in the place of the composite's background."""
    hold_last_mask: bool = False
    strict: bool = False

    def __post_init__(self) -> None:
        if self.colorspace is not None and self.colorspace not in MATRICES:
            hint = did_you_mean(self.colorspace, MATRICES)
            raise InputError(f"--colorspace {self.colorspace}: unknown{hint}; expected {', '.join(MATRICES)}")
        if self.threads is not None and self.threads < 1:
            raise InputError(f"--threads {self.threads}: expected at least 1")

    def inputs(self) -> dict[str, Path]:
        """The files that the work depends on, by their part in it."""
        masks = {f"mask {place}": mask for place, mask in enumerate(self.masks)}
        others = {"cuts": self.cuts, "reference": self.reference, "foreground": self.foreground}
        return {"composite": self.composite, **masks, **{name: path for name, path in others.items() if path is not None}}


class Analysis:
    """A job's sources, and a harmonizer for each of its objects at work."""

    def __init__(self, job: AnalysisJob, model: VHMAE | None = None) -> None:
        self.source = job
        self.info = _probe(job)
        self.mattes = [open_matte(path) for path in job.masks]
        self.layers: LayeredSource | None = None
        if job.foreground is not None:
            self.layers = _open_layers(job, self.info, self.mattes)
            self.info = self.layers.background
        if self.layers is None and not self.mattes and not has_alpha(self.info):
            raise InputError(f"--mask: missing, and {job.composite} has no alpha channel of its own; give a mask of the foreground")
        self.check_output()
        _check_range(job, self.info)
        self.cuts = read_cuts(job.cuts, self.info.frames) if job.cuts else frozenset()
        shown = self.info if self.layers is None else self.layers.foreground
        fits = [mattes.check_fits(shown, job.hold_last_mask) for mattes in self.mattes]
        fits += [mattes.doubt(shown) for mattes in self.mattes]
        self.first_warnings = [warning for warning in fits if warning] + (self.layers.warnings if self.layers is not None else [])
        detects = job.cut_detection and job.cuts is None
        more: dict[str, Any] = {"cut_detection": detects, "reference": read_still(job.reference) if job.reference else None}
        if model is not None:
            more["model"] = model
        first = job.load(**more, find_background=functools.partial(self._find_background, 0))
        self.harmonizers = [first]
        for place in range(1, 1 if self.layers is not None else len(self.mattes)):
            find = functools.partial(self._find_background, place)
            self.harmonizers.append(job.load(**{**more, "model": first.model}, find_background=find))
        self.busy = BusyTimes(STAGES)
        self.skipped_before = 0
        self.skipped_after = 0
        for place in range(len(self.harmonizers)):
            self._check_foreground(place)

    def check_output(self) -> None:
        """Refuse, before the work, an output that cannot be written."""

    # --- the stages

    def frames(self, first: int = 0, count: bool = False) -> Iterator[Payload]:
        """The frames within --start and --end from a number on, each with its mattes."""
        job, info = self.source, self.info
        begin = max(first, _frame_at(info, job.start))
        self.skipped_before += (begin - first) if count else 0
        at = begin - 1
        for timed, mattes in self._with_mattes(begin):
            at = timed.index
            seconds = timed.index / float(info.fps) if timed.seconds is None else timed.seconds - info.start_seconds
            if job.end is not None and seconds >= job.end - 1e-6:
                break
            if seconds < job.start - 1e-6:
                self.skipped_before += count
                continue
            yield Payload(timed, mattes)
        else:
            return
        self.skipped_after += (info.frames - at) if count else 0

    def _with_mattes(self, first: int) -> Iterator[Payload]:
        """All frames from a number on, each with its mattes."""
        if self.layers is not None:
            for timed, matte in self.layers.read(first):
                yield Payload(timed, (matte,))
            return
        sources = [mattes.read(self.info, first) for mattes in self.mattes]
        at = first - 1
        for timed in read_frames(self.info, first=first):
            mattes = tuple(next(itertools.islice(source, timed.index - at - 1, None)) for source in sources)
            at = timed.index
            yield Payload(timed, mattes or (alpha_matte(timed.image),))

    def survey(self, advance: Callable[[int], None] = lambda frames: None) -> None:
        """Look at whole shots where the quality asks for it, before all frames are harmonized; ``advance`` is told of the frames seen."""
        wanting = [harmonizer for harmonizer in self.harmonizers if harmonizer.wants_survey and harmonizer.surveyed is None]
        if not wanting:
            return
        surveys = [harmonizer.begin_survey() for harmonizer in wanting]
        with self.busy.working("network"):
            for number, (timed, mattes) in enumerate(run_ahead(self.frames(), 2), 1):
                for survey, matte in zip(surveys, mattes, strict=True):
                    survey.look_at(timed.image.thumbnail, matte, timed.index in self.cuts)
                advance(number)
        for harmonizer, survey in zip(wanting, surveys, strict=True):
            harmonizer.surveyed = survey

    def harmonized(self, frames: Iterator[Payload]) -> Iterator[Ready]:
        """Frames with their changes of colour, as they become ready."""
        for payload in frames:
            timed = payload.timed
            with self.busy.working("network"):
                ready = [
                    harmonizer.push(payload, timed.image.thumbnail, matte, cut=timed.index in self.cuts)
                    for harmonizer, matte in zip(self.harmonizers, payload.mattes, strict=True)
                ]
            yield from map(_together, zip(*ready, strict=True))
        rest = zip(*(harmonizer.drain_lazily() for harmonizer in self.harmonizers), strict=True)
        yield from self.busy.drawing("network", map(_together, rest))

    # --- where little is seen

    def _name(self, place: int) -> Path:
        """The file that an object's matte comes from."""
        return self.source.masks[place] if self.mattes else self.source.foreground or self.source.composite

    def _check_foreground(self, place: int) -> None:
        """Refuse a mask that marks nothing, or everything, before the work."""
        job, name = self.source, self._name(place)
        if self.mattes and self.layers is None:
            source = self.mattes[place]
            mattes: Iterator[Array] = itertools.islice(source.read(self.info), source.frames or 1)
        else:
            mattes = (payload.mattes[0] for payload in self.frames())
        marked = [shows_background(matte) for matte in itertools.islice((m for m in mattes if m.any()), 1)]
        if not marked:
            raise InputError(f"{name}: has no foreground in any frame; white must mark the foreground, check the mask")
        if job.reference is None and not marked[0] and not any(m.any() and shows_background(m) for m in mattes):
            raise InputError(f"{name}: covers every frame whole, so nothing of the background is seen; check the mask")
        if not (job.start or job.end is not None):
            return
        frames = 0
        for payload in self.frames():
            frames += 1
            if payload.mattes[place].any():
                return
        if not frames:
            raise InputError(f"--start {job.start} --end {job.end}: no frame is shown within; choose a longer part")
        raise InputError(f"{name}: has no foreground between --start and --end; choose another part or check the mask")

    def _find_background(self, place: int, payload: Payload) -> tuple[Thumbnail, Array]:
        """Read ahead from a frame without background to the next one of its shot that shows some."""
        begins, harmonizer = payload.timed, self.harmonizers[place]
        detector = CutDetector()
        for timed, mattes in self.frames(begins.index):
            cut = timed.index in self.cuts
            if harmonizer.cut_detection:
                cut = detector.step(timed.image.thumbnail(*THUMBNAIL)) or cut
            if cut and timed.index > begins.index:
                break
            if mattes[place].any() and shows_background(mattes[place]):
                return timed.image.thumbnail, mattes[place]
        raise InputError(
            f"{self._name(place)}: shows no background in the shot at {begins.index / float(self.info.fps):.2f} s (frame {begins.index}); "
            f"{MINIMUM_BACKGROUND:.1%} of a frame is enough: check the mask there"
        )

    def warnings(self, seen: int | None = None, damaged: int = 0) -> list[str]:
        """What the user should know of the work: of frames decoded (None: not all were asked for), and those of them that are damaged."""
        job, info, found = self.source, self.info, list(self.first_warnings)
        lost = 0 if seen is None else info.frames - self.skipped_before - self.skipped_after - seen
        if lost:
            found.append(f"{job.composite} is damaged: {lost} of its {info.frames} frames could not be decoded and were left out")
        if damaged:
            found.append(f"{job.composite} is damaged: {damaged} of its frames were decoded in part")
        borrowed = max(harmonizer.borrowed for harmonizer in self.harmonizers)
        if borrowed:
            found.append(f"{borrowed} frames show no background and took the transform of the nearest frame that does")
        if info.guessed_matrix and info.height >= 720:
            found.append(f"{job.composite} does not say its colour matrix; took {info.encoding.matrix}, --colorspace overrules it")
        return found


def _together(released: tuple[Released, ...]) -> Ready:
    """What the harmonizers of all objects say of one frame."""
    return Ready(released[0].payload, tuple(one.change for one in released), released[0].shot)


def _open_layers(job: AnalysisJob, background: VideoInfo, mattes: list[MatteSource]) -> LayeredSource:
    assert job.foreground is not None
    if len(mattes) > 1:
        raise InputError(f"--mask {job.masks[1]}: a foreground layer is one object; lay others over the result")
    path = job.foreground
    foreground = probe_pictures(path, "foreground") if is_pictures(path) else probe_video(path, "foreground")
    placement = job.placement
    if placement.premultiplied and foreground.codec == "exr":  # multiplied in light, not in what a display is sent
        foreground, placement = dataclasses.replace(foreground, associated=True), dataclasses.replace(placement, premultiplied=False)
    needed = background.frames if job.end is None else min(background.frames, math.ceil(job.end * float(background.fps)))
    return LayeredSource(background, foreground, mattes[0] if mattes else None, placement, needed)


def _probe(job: AnalysisJob) -> VideoInfo:
    if is_pictures(job.composite):
        return probe_pictures(job.composite, "composite", job.colorspace, job.rate)
    if job.rate is not None:
        raise InputError(f"--rate {job.rate}: is for pictures; {job.composite} has a rate of its own, leave it out")
    return probe_video(job.composite, "composite", job.colorspace)


def read_still(path: Path) -> Array:
    """Read one picture: (H, W, 3) float32 RGB in [0, 1]."""
    info = probe_pictures(path, "reference")
    if info.frames != 1:
        raise InputError(f"--reference {path}: means {info.frames} pictures; name one")
    _, frame, _ = next(read_pictures(info))
    return planar_frame(frame, info).rgb()


def _frame_at(info: VideoInfo, seconds: float) -> int:
    """The number of the first frame that is shown so many seconds after the first, or later; 0 where the file does not say."""
    if info.files is not None:
        return max(0, math.ceil((seconds - 1e-6) * float(info.fps)))
    if info.timestamps is None or info.time_base is None:
        return 0
    shown = (info.timestamps - info.timestamps[0]) * float(info.time_base)
    return int(np.searchsorted(shown, seconds - 1e-6))


def _check_range(job: AnalysisJob, info: VideoInfo) -> None:
    if job.start < 0 or not math.isfinite(job.start) or job.start >= info.duration_seconds:
        raise InputError(f"--start {job.start}: the video has {info.duration_seconds:.2f} s; choose a start within it")
    if job.end is not None and not job.start < job.end:
        raise InputError(f"--end {job.end}: lies before --start {job.start}; choose a later end")
