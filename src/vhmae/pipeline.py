"""The way of a video: reader and mattes -> harmonizer -> renderer -> writer, overlapped. The only loop over a file's frames."""

from __future__ import annotations

import dataclasses
import itertools
import math
import time
from collections.abc import Generator, Iterator
from pathlib import Path
from typing import Any, Literal

import numpy as np
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

from vhmae.color.yuv import Matrix
from vhmae.errors import InputError
from vhmae.harmonizer import CAUTION_LEVELS, MINIMUM_BACKGROUND, Harmonizer, Quality, Thumbnail
from vhmae.rendering import ColorChange, render_planes
from vhmae.video.cuts import THUMBNAIL, CutDetector, read_cuts
from vhmae.video.matte import open_matte
from vhmae.video.overlap import BusyTimes, run_ahead
from vhmae.video.planes import PlanarFrame
from vhmae.video.probe import VideoInfo, probe_video
from vhmae.video.reader import TimedFrame, read_frames
from vhmae.video.writer import VideoWriter, check_output

Array = np.ndarray
STAGES = ("decode", "network", "render", "encode")
FRAMES_AHEAD = 4
"""Frames that wait between two stages: enough to overlap them, few enough for 4K."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class HarmonizeJob:
    """One video to harmonize; the fields are the options of ``vhmae harmonize``."""

    composite: Path
    mask: Path
    output: Path
    quality: Quality = "balanced"
    strength: float = 1.0
    caution: float = CAUTION_LEVELS
    start: float = 0.0
    """Seconds from which frames are kept, counted from the first frame."""
    end: float | None = None
    """Seconds up to which frames are kept."""
    cuts: Path | None = None
    """File with the numbers of the frames that begin a shot."""
    cut_detection: bool = True
    codec: str | None = None
    crf: int | None = None
    preset: str | None = None
    pix_fmt: str | None = None
    colorspace: Matrix | None = None
    hold_last_mask: bool = False
    strict: bool = False
    verify: bool = True
    """Read the written file again and compare its frames, time stamps and audio with what was meant."""
    weights: str = "default"
    device: str = "auto"
    precision: Literal["auto", "fp32", "bf16", "fp16"] = "auto"
    threads: int | None = None
    progress: bool = False


def harmonize_video(composite: str | Path, output: str | Path, *, mask: str | Path, **options: Any) -> dict[str, Any]:
    """Harmonize a video file.

    Args:
        composite: the video whose foreground is to be harmonized.
        output: the file to write; appears whole or not at all.
        mask: white where the foreground is, grey where it is soft; a video, a picture, a folder, a sequence or .npz.
        options: other fields of :class:`HarmonizeJob` (``quality``, ``strength``, ``weights``, ...).
    Returns:
        The report of docs/cli.md: frames, fps, seconds by stage, mean change, warnings.
    Raises:
        InputError: for what the caller can mend; names the file and the remedy.
    """
    return harmonize_job(HarmonizeJob(composite=Path(composite), mask=Path(mask), output=Path(output), **options))


def harmonize_job(job: HarmonizeJob) -> dict[str, Any]:
    """Run a job and return its report (docs/cli.md)."""
    began = time.monotonic()
    run = _Run(job)
    writer = VideoWriter(
        job.output, run.info, codec=job.codec, crf=job.crf, preset=job.preset, pix_fmt=job.pix_fmt,
        start_seconds=job.start, end_seconds=job.end, verify=job.verify,
    )  # fmt: skip
    with writer, _progress(job, run) as advance:
        rendered = run.rendered()
        try:
            for timed, image in rendered:
                with run.busy.working("encode"):
                    writer.write(timed, image)
                advance(writer.frames)
        finally:
            rendered.close()
        warnings = run.warnings()
        if job.strict and warnings:
            raise InputError(f"--strict: {warnings[0]}; mend it or leave --strict out")
        with run.busy.working("encode"):
            writer.flush()
    seconds = time.monotonic() - began
    return {
        "schema": 1,
        "frames": writer.frames,
        "fps": round(writer.frames / seconds, 3),
        "seconds": round(seconds, 3),
        "seconds_by_stage": {stage: round(spent, 3) for stage, spent in run.busy.seconds.items()},
        "mean_change": round(run.change / max(1, run.changed_frames), 3),
        "passed_through": run.passed_through,
        "skipped": run.skipped,
        "warnings": warnings,
        "device": str(run.harmonizer.device),
        "precision": run.harmonizer.precision,
        "quality": job.quality,
        "latency_frames": run.harmonizer.latency_frames,
    }


class _Run:
    """A job at work: its sources, its harmonizer, and what the report says of the frames."""

    def __init__(self, job: HarmonizeJob) -> None:
        self.job = job
        self.info = probe_video(job.composite, "composite", job.colorspace)
        self.mattes = open_matte(job.mask)
        check_output(job.output, [job.composite, job.mask])
        _check_range(job, self.info)
        self.cuts = read_cuts(job.cuts, self.info.frames) if job.cuts else frozenset()
        fits = self.mattes.check_fits(self.info, job.hold_last_mask)
        self.first_warnings = [fits] if fits else []
        self.harmonizer = Harmonizer.from_pretrained(
            job.weights,
            device=job.device,
            precision=job.precision,
            threads=job.threads,
            quality=job.quality,
            strength=job.strength,
            caution=job.caution,
            cut_detection=job.cut_detection and job.cuts is None,
            find_background=self._find_background,
        )
        self.busy = BusyTimes(STAGES)
        self.decoded = self.damaged = self.skipped = 0
        self.passed_through = self.changed_frames = 0
        self.change = 0.0
        self._check_foreground()

    # --- the stages, each a generator in a thread of its own

    def rendered(self) -> Generator[tuple[TimedFrame, PlanarFrame], None, None]:
        """The frames to write, in order."""
        frames = run_ahead(self.busy.drawing("decode", self._frames(count=True)), FRAMES_AHEAD)
        changes = run_ahead(self._changes(frames), FRAMES_AHEAD)
        return run_ahead(self._render(changes), FRAMES_AHEAD)

    def _frames(self, first: int = 0, count: bool = False) -> Iterator[tuple[TimedFrame, Array]]:
        """The frames within --start and --end from a number on, each with its matte."""
        job, info = self.job, self.info
        mattes = self.mattes.read(info, first)
        at = first - 1
        for timed in read_frames(info, first=first):
            matte = next(itertools.islice(mattes, timed.index - at - 1, None))
            at = timed.index
            seconds = timed.index / float(info.fps) if timed.seconds is None else timed.seconds - info.start_seconds
            if job.end is not None and seconds >= job.end - 1e-6:
                break
            if count:
                self.decoded += 1
                self.damaged += timed.decoded.is_corrupt
            if seconds < job.start - 1e-6:
                self.skipped += count
                continue
            yield timed, matte
        else:
            return
        self.skipped += (info.frames - at) if count else 0

    def _changes(self, frames: Iterator[tuple[TimedFrame, Array]]) -> Iterator[tuple[tuple[TimedFrame, Array], ColorChange | None]]:
        """Frames with their changes of colour, as they become ready."""
        for timed, matte in frames:
            with self.busy.working("network"):
                ready = self.harmonizer.push((timed, matte), timed.image.thumbnail, matte, cut=timed.index in self.cuts)
            yield from ready
        yield from self.busy.drawing("network", self.harmonizer.drain_lazily())

    def _render(self, changes: Iterator[tuple[tuple[TimedFrame, Array], ColorChange | None]]) -> Iterator[tuple[TimedFrame, PlanarFrame]]:
        for (timed, matte), change in changes:
            image = timed.image
            if change is None:
                self.passed_through += 1
            else:
                with self.busy.working("render"):
                    image, moved = render_planes(image, matte, change)
                self.change += moved
                self.changed_frames += 1
            yield timed, image

    # --- where little is seen

    def _check_foreground(self) -> None:
        """Refuse a mask that marks nothing, or everything, before the work."""
        job = self.job
        mattes = itertools.islice(self.mattes.read(self.info), self.mattes.frames or 1)
        marked = [self.harmonizer.shows_background(matte) for matte in itertools.islice((m for m in mattes if m.any()), 1)]
        if not marked:
            raise InputError(f"{job.mask}: has no foreground in any frame; white must mark the foreground, check the mask")
        if not marked[0] and not any(m.any() and self.harmonizer.shows_background(m) for m in mattes):
            raise InputError(f"{job.mask}: covers every frame whole, so nothing of the background is seen; check the mask")
        if not (job.start or job.end is not None):
            return
        frames = 0
        for _, matte in self._frames():
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
        for timed, matte in self._frames(begins.index):
            cut = timed.index in self.cuts
            if self.harmonizer.cut_detection:
                cut = detector.step(timed.image.thumbnail(*THUMBNAIL, sparse=True)) or cut
            if cut and timed.index > begins.index:
                break
            if matte.any() and self.harmonizer.shows_background(matte):
                return timed.image.thumbnail, matte
        raise InputError(
            f"{self.job.mask}: shows no background in the shot at {begins.index / float(self.info.fps):.2f} s (frame {begins.index}); "
            f"{MINIMUM_BACKGROUND:.1%} of a frame is enough: check the mask there"
        )

    def warnings(self) -> list[str]:
        """What the user should know of the finished work."""
        job, info, found = self.job, self.info, list(self.first_warnings)
        lost = info.frames - self.decoded
        if job.end is None and lost:
            found.append(f"{job.composite} is damaged: {lost} of its {info.frames} frames could not be decoded and were left out")
        if self.damaged:
            found.append(f"{job.composite} is damaged: {self.damaged} of its frames were decoded in part")
        if self.harmonizer.borrowed:
            found.append(f"{self.harmonizer.borrowed} frames show no background and took the transform of the nearest frame that does")
        if info.guessed_matrix and info.height >= 720:
            found.append(f"{job.composite} does not say its colour matrix; took {info.encoding.matrix}, --colorspace overrules it")
        return found


def _check_range(job: HarmonizeJob, info: VideoInfo) -> None:
    if job.start < 0 or not math.isfinite(job.start) or job.start >= info.duration_seconds:
        raise InputError(f"--start {job.start}: the video has {info.duration_seconds:.2f} s; choose a start within it")
    if job.end is not None and not job.start < job.end:
        raise InputError(f"--end {job.end}: lies before --start {job.start}; choose a later end")


class _NoProgress:
    def __enter__(self) -> Any:
        return lambda frames: None

    def __exit__(self, *_: object) -> None:
        return None


class _Bar:
    """Frames done, frames a second, time left, and the stage that the others wait for."""

    def __init__(self, run: _Run) -> None:
        columns = (TextColumn("{task.description}"), BarColumn(), TextColumn("{task.completed}/{task.total}"), TimeRemainingColumn())
        self.run = run
        self.progress = Progress(*columns, console=Console(stderr=True), transient=True)
        self.task = self.progress.add_task("harmonize", total=run.info.frames)
        self.began = time.monotonic()

    def __enter__(self) -> Any:
        self.progress.start()
        return self._advance

    def _advance(self, frames: int) -> None:
        rate = frames / max(1e-3, time.monotonic() - self.began)
        description = f"{rate:.1f} fps, slowest: {self.run.busy.slowest}"
        self.progress.update(self.task, completed=frames + self.run.skipped, description=description)

    def __exit__(self, *_: object) -> None:
        self.progress.stop()


def _progress(job: HarmonizeJob, run: _Run) -> Any:
    return _Bar(run) if job.progress else _NoProgress()
