"""The way of a video: reader and mattes -> harmonizer -> renderer -> writer. The only loop over a file's frames."""

from __future__ import annotations

import dataclasses
import itertools
import math
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Literal

import numpy as np
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

from vhmae.color.yuv import Matrix
from vhmae.errors import InputError
from vhmae.harmonizer import CAUTION_LEVELS, MINIMUM_BACKGROUND, Harmonizer, Quality, as_matte
from vhmae.rendering import ColorChange, render_planes
from vhmae.video.matte import MatteSource, open_matte
from vhmae.video.probe import VideoInfo, probe_video
from vhmae.video.reader import TimedFrame, read_frames
from vhmae.video.writer import VideoWriter, check_output

Array = np.ndarray


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
    """Seconds from which frames are kept."""
    end: float | None = None
    """Seconds up to which frames are kept."""
    codec: str | None = None
    crf: int | None = None
    preset: str | None = None
    pix_fmt: str | None = None
    colorspace: Matrix | None = None
    hold_last_mask: bool = False
    strict: bool = False
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


class _Stopwatch:
    """Seconds by stage."""

    def __init__(self) -> None:
        self.seconds = dict.fromkeys(("decode", "network", "render", "encode"), 0.0)
        self._at = time.monotonic()

    def book(self, stage: str) -> None:
        """Book the time since the last booking to a stage."""
        now = time.monotonic()
        self.seconds[stage] += now - self._at
        self._at = now


@dataclasses.dataclass
class _Tally:
    """What the report says of the frames."""

    decoded: int = 0
    passed_through: int = 0
    skipped: int = 0
    change: float = 0.0
    changed_frames: int = 0


def harmonize_job(job: HarmonizeJob) -> dict[str, Any]:
    """Run a job and return its report (docs/cli.md)."""
    began = time.monotonic()
    info = probe_video(job.composite, "composite", job.colorspace)
    mattes = open_matte(job.mask)
    check_output(job.output, [job.composite, job.mask])
    _check_range(job, info)
    warnings = [warning for warning in (mattes.check_fits(info, job.hold_last_mask),) if warning]
    harmonizer = Harmonizer.from_pretrained(
        job.weights,
        device=job.device,
        precision=job.precision,
        threads=job.threads,
        quality=job.quality,
        strength=job.strength,
        caution=job.caution,
    )
    _prime(harmonizer, info, mattes, job)
    watch, tally = _Stopwatch(), _Tally()
    writer = VideoWriter(
        job.output, info, codec=job.codec, crf=job.crf, preset=job.preset, pix_fmt=job.pix_fmt,
        start_seconds=job.start, end_seconds=job.end,
    )  # fmt: skip
    with writer, _progress(job, info) as progress:
        for (timed, matte), transform in _transforms(harmonizer, info, mattes, job, watch, tally):
            image = timed.image
            if transform is None:
                tally.passed_through += 1
            else:
                image, change = render_planes(image, as_matte(matte), transform)
                tally.change += change
                tally.changed_frames += 1
            watch.book("render")
            writer.write(timed, image)
            watch.book("encode")
            progress()
        if not tally.changed_frames:
            raise InputError(f"{job.mask}: has no foreground in any frame; white must mark the foreground, check the mask")
        if job.end is None and tally.decoded < info.frames:
            warnings.append(f"{job.composite} is damaged: {info.frames - tally.decoded} of its {info.frames} frames could not be decoded")
        if harmonizer.borrowed:
            warnings.append(f"{harmonizer.borrowed} frames show no background and took the transform of the nearest frame that does")
        if harmonizer.unread:
            warnings.append(f"{harmonizer.unread} frames stand in shots that had shown no background yet and were left untouched")
        if info.guessed_matrix and info.height >= 720:
            warnings.append(f"{job.composite} does not say its colour matrix; took {info.encoding.matrix}, --colorspace overrules it")
        if job.strict and warnings:
            raise InputError(f"--strict: {warnings[0]}; mend it or leave --strict out")
    watch.book("encode")
    seconds = time.monotonic() - began
    return {
        "schema": 1,
        "frames": writer.frames,
        "fps": round(writer.frames / seconds, 3),
        "seconds": round(seconds, 3),
        "seconds_by_stage": {stage: round(spent, 3) for stage, spent in watch.seconds.items()},
        "mean_change": round(tally.change / tally.changed_frames, 3),
        "passed_through": tally.passed_through,
        "skipped": tally.skipped,
        "warnings": warnings,
        "device": str(harmonizer.device),
        "precision": harmonizer.precision,
        "quality": job.quality,
        "latency_frames": harmonizer.latency_frames,
    }


def _check_range(job: HarmonizeJob, info: VideoInfo) -> None:
    if job.start < 0 or not math.isfinite(job.start) or job.start >= info.duration_seconds:
        raise InputError(f"--start {job.start}: the video has {info.duration_seconds:.2f} s; choose a start within it")
    if job.end is not None and not job.start < job.end:
        raise InputError(f"--end {job.end}: lies before --start {job.start}; choose a later end")


def _frames(info: VideoInfo, mattes: MatteSource, job: HarmonizeJob, tally: _Tally | None = None) -> Iterator[tuple[TimedFrame, Array]]:
    """The frames within --start and --end, each with its matte."""
    for number, (timed, matte) in enumerate(zip(read_frames(info), mattes.read(info), strict=False)):
        seconds = timed.seconds if timed.seconds is not None else number / float(info.fps)
        if tally is not None:
            tally.decoded += 1
        if job.end is not None and seconds >= job.end - 1e-6:
            if tally is not None:
                tally.skipped += info.frames - number
            return
        if seconds < job.start - 1e-6:
            if tally is not None:
                tally.skipped += 1
            continue
        yield timed, matte


def _transforms(
    harmonizer: Harmonizer, info: VideoInfo, mattes: MatteSource, job: HarmonizeJob, watch: _Stopwatch, tally: _Tally
) -> Iterator[tuple[tuple[TimedFrame, Array], ColorChange | None]]:
    """Frames with their transforms, in order, as they become ready."""
    for timed, matte in _frames(info, mattes, job, tally):
        watch.book("decode")
        ready = harmonizer.push((timed, matte), timed.image.thumbnail, matte)
        watch.book("network")
        yield from ready
    watch.book("decode")
    for item in harmonizer.drain_lazily():
        watch.book("network")
        yield item


def _prime(harmonizer: Harmonizer, info: VideoInfo, mattes: MatteSource, job: HarmonizeJob) -> None:
    """Where the first foreground fills its frames, look ahead for one that shows background.

    Decodes once more up to that frame, so that a long close-up at the start needs no memory.
    """
    seen = False
    for matte in itertools.islice(mattes.read(info), mattes.frames or 1):
        if matte.any():
            seen = True
            if harmonizer.shows_background(matte):
                break
    else:
        if seen:
            raise InputError(f"{job.mask}: covers every frame whole, so nothing of the background is seen; check the mask")
        raise InputError(f"{job.mask}: has no foreground in any frame; white must mark the foreground, check the mask")
    first = next(((t, m) for t, m in _frames(info, mattes, job) if m.any()), None)
    if first is None or harmonizer.shows_background(first[1]):
        return
    for timed, matte in _frames(info, mattes, job):
        if matte.any() and harmonizer.shows_background(matte):
            harmonizer.prime(timed.image.thumbnail, matte)
            return
    raise InputError(
        f"{job.mask}: shows no background between --start and --end; choose a longer part ({MINIMUM_BACKGROUND:.1%} of a frame is enough)"
    )


class _NoProgress:
    def __enter__(self) -> Any:
        return lambda: None

    def __exit__(self, *_: object) -> None:
        return None


class _Bar:
    def __init__(self, total: int) -> None:
        columns = (TextColumn("{task.description}"), BarColumn(), TextColumn("{task.completed}/{task.total}"), TimeRemainingColumn())
        self.progress = Progress(*columns, console=Console(stderr=True), transient=True)
        self.task = self.progress.add_task("harmonize", total=total)

    def __enter__(self) -> Any:
        self.progress.start()
        return lambda: self.progress.advance(self.task)

    def __exit__(self, *_: object) -> None:
        self.progress.stop()


def _progress(job: HarmonizeJob, info: VideoInfo) -> Any:
    return _Bar(info.frames) if job.progress else _NoProgress()
