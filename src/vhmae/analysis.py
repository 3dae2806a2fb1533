"""Reading a video with its mattes and asking the network what is to be done to it: what harmonizing and grading begin with."""

from __future__ import annotations

import dataclasses
import itertools
import math
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path

import numpy as np

from vhmae.color.yuv import Matrix
from vhmae.errors import InputError
from vhmae.harmonizer import MINIMUM_BACKGROUND, HarmonizerSettings, Released, Thumbnail
from vhmae.video.cuts import THUMBNAIL, CutDetector, read_cuts
from vhmae.video.matte import open_matte
from vhmae.video.overlap import BusyTimes
from vhmae.video.probe import VideoInfo, probe_video
from vhmae.video.reader import TimedFrame, read_frames
from vhmae.video.sequence import is_pictures, probe_pictures

Array = np.ndarray
STAGES = ("decode", "network", "render", "encode")
Payload = tuple[TimedFrame, Array]
"""A frame and its matte."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class AnalysisJob(HarmonizerSettings):
    """A video to look at."""

    composite: Path
    mask: Path
    start: float = 0.0
    """Seconds from which frames are kept, counted from the first frame."""
    end: float | None = None
    """Seconds up to which frames are kept."""
    cuts: Path | None = None
    """File with the numbers of the frames that begin a shot."""
    colorspace: Matrix | None = None
    rate: Fraction | None = None
    """Frames a second of pictures, which do not say; None takes 24."""
    hold_last_mask: bool = False
    strict: bool = False


class Analysis:
    """A job's sources and its harmonizer at work."""

    def __init__(self, job: AnalysisJob) -> None:
        self.source = job
        self.info = _probe(job)
        self.mattes = open_matte(job.mask)
        self.check_output()
        _check_range(job, self.info)
        self.cuts = read_cuts(job.cuts, self.info.frames) if job.cuts else frozenset()
        fits = self.mattes.check_fits(self.info, job.hold_last_mask)
        self.first_warnings = [fits] if fits else []
        detects = job.cut_detection and job.cuts is None
        self.harmonizer = job.load(cut_detection=detects, find_background=self._find_background)
        self.busy = BusyTimes(STAGES)
        self.skipped_before = 0
        self.skipped_after = 0
        self._check_foreground()

    def check_output(self) -> None:
        """Refuse, before the work, an output that cannot be written."""

    # --- the stages

    def frames(self, first: int = 0, count: bool = False) -> Iterator[Payload]:
        """The frames within --start and --end from a number on, each with its matte."""
        job, info = self.source, self.info
        mattes = self.mattes.read(info, first)
        at = first - 1
        for timed in read_frames(info, first=first):
            matte = next(itertools.islice(mattes, timed.index - at - 1, None))
            at = timed.index
            seconds = timed.index / float(info.fps) if timed.seconds is None else timed.seconds - info.start_seconds
            if job.end is not None and seconds >= job.end - 1e-6:
                break
            if seconds < job.start - 1e-6:
                self.skipped_before += count
                continue
            yield timed, matte
        else:
            return
        self.skipped_after += (info.frames - at) if count else 0

    def harmonized(self, frames: Iterator[Payload]) -> Iterator[Released]:
        """Frames with their changes of colour, as they become ready."""
        for timed, matte in frames:
            with self.busy.working("network"):
                ready = self.harmonizer.push((timed, matte), timed.image.thumbnail, matte, cut=timed.index in self.cuts)
            yield from ready
        yield from self.busy.drawing("network", self.harmonizer.drain_lazily())

    # --- where little is seen

    def _check_foreground(self) -> None:
        """Refuse a mask that marks nothing, or everything, before the work."""
        job = self.source
        mattes = itertools.islice(self.mattes.read(self.info), self.mattes.frames or 1)
        marked = [self.harmonizer.shows_background(matte) for matte in itertools.islice((m for m in mattes if m.any()), 1)]
        if not marked:
            raise InputError(f"{job.mask}: has no foreground in any frame; white must mark the foreground, check the mask")
        if not marked[0] and not any(m.any() and self.harmonizer.shows_background(m) for m in mattes):
            raise InputError(f"{job.mask}: covers every frame whole, so nothing of the background is seen; check the mask")
        if not (job.start or job.end is not None):
            return
        frames = 0
        for _, matte in self.frames():
            frames += 1
            if matte.any():
                return
        if not frames:
            raise InputError(f"--start {job.start} --end {job.end}: no frame is shown within; choose a longer part")
        raise InputError(f"{job.mask}: has no foreground between --start and --end; choose another part or check the mask")

    def _find_background(self, payload: tuple[TimedFrame, Array]) -> tuple[Thumbnail, Array]:
        """Read ahead from a frame without background to the next one of its shot that shows some."""
        begins = payload[0]
        detector = CutDetector()
        for timed, matte in self.frames(begins.index):
            cut = timed.index in self.cuts
            if self.harmonizer.cut_detection:
                cut = detector.step(timed.image.thumbnail(*THUMBNAIL)) or cut
            if cut and timed.index > begins.index:
                break
            if matte.any() and self.harmonizer.shows_background(matte):
                return timed.image.thumbnail, matte
        raise InputError(
            f"{self.source.mask}: shows no background in the shot at {begins.index / float(self.info.fps):.2f} s (frame {begins.index}); "
            f"{MINIMUM_BACKGROUND:.1%} of a frame is enough: check the mask there"
        )

    def warnings(self, seen: int, damaged: int) -> list[str]:
        """What the user should know of the finished work: of frames that were seen whole, and those that are damaged."""
        job, info, found = self.source, self.info, list(self.first_warnings)
        lost = info.frames - self.skipped_before - self.skipped_after - seen
        if lost:
            found.append(f"{job.composite} is damaged: {lost} of its {info.frames} frames could not be decoded and were left out")
        if damaged:
            found.append(f"{job.composite} is damaged: {damaged} of its frames were decoded in part")
        if self.harmonizer.borrowed:
            found.append(f"{self.harmonizer.borrowed} frames show no background and took the transform of the nearest frame that does")
        if info.guessed_matrix and info.height >= 720:
            found.append(f"{job.composite} does not say its colour matrix; took {info.encoding.matrix}, --colorspace overrules it")
        return found


def _probe(job: AnalysisJob) -> VideoInfo:
    if is_pictures(job.composite):
        return probe_pictures(job.composite, "composite", job.colorspace, job.rate)
    if job.rate is not None:
        raise InputError(f"--rate {job.rate}: is for pictures; {job.composite} has a rate of its own, leave it out")
    return probe_video(job.composite, "composite", job.colorspace)


def _check_range(job: AnalysisJob, info: VideoInfo) -> None:
    if job.start < 0 or not math.isfinite(job.start) or job.start >= info.duration_seconds:
        raise InputError(f"--start {job.start}: the video has {info.duration_seconds:.2f} s; choose a start within it")
    if job.end is not None and not job.start < job.end:
        raise InputError(f"--end {job.end}: lies before --start {job.start}; choose a later end")
