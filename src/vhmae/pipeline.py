"""The way of a video: reader and mattes -> harmonizer (``analysis``) -> renderer -> writer, overlapped."""

from __future__ import annotations

import dataclasses
import hashlib
import itertools
import time
from collections.abc import Generator, Iterator, Sequence
from pathlib import Path
from typing import Any, Literal, get_args

import numpy as np
import torch
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

from vhmae import __version__
from vhmae.analysis import Analysis, AnalysisJob, Payload, Ready
from vhmae.errors import InputError, did_you_mean
from vhmae.harmonizer import Snapshot
from vhmae.model.vhmae import VHMAE
from vhmae.rendering import RENDERERS, as_matte, render_planes
from vhmae.video.encoders import ENCODERS, choose_encoder, holds_alpha, pixel_format
from vhmae.video.exr import is_exr
from vhmae.video.matte import has_alpha, layer_info, layered
from vhmae.video.overlap import map_ahead, run_ahead
from vhmae.video.pictures import open_pictures, picture_encoder
from vhmae.video.planes import PlanarFrame
from vhmae.video.probe import VideoInfo, sound_codecs
from vhmae.video.reader import TimedFrame
from vhmae.video.segments import SegmentedWriter
from vhmae.video.sequence import PICTURES, check_picture_output, files_of, has_number
from vhmae.video.writer import FrameWriter, VideoWriter, check_output

Array = np.ndarray
Layer = Literal["composite", "foreground"]
FRAMES_AHEAD = 4
"""Frames that wait between two stages: enough to overlap them, few enough for 4K."""
CHECKPOINT_FRAMES = 250
"""Frames after which a run that can be gone on with closes a segment."""
_FREE_TO_CHANGE = ("output", "resume", "strict", "verify", "progress", "threads", "weights")
"""Fields of a job that another run may have and still write the same frames."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class HarmonizeJob(AnalysisJob):
    """One video to harmonize; the fields are the options of ``vhmae harmonize``."""

    output: Path
    """The file to write, or a numbered name of pictures."""
    layer: Layer = "composite"
    """"foreground" writes the harmonized foreground alone, with the matte as its alpha channel (straight)."""
    codec: str | None = None
    """Output codec or encoder; None takes the input's family."""
    crf: int | None = None
    """Quality of x264, x265, VP9 and AV1; None is 16."""
    preset: str | None = None
    """Speed preset of the encoder."""
    pix_fmt: str | None = None
    """Output pixel format; None takes the input's."""
    resume: bool = False
    """Write so that a stopped run can be gone on with, and go on where one was stopped."""
    verify: bool = True
    """Read the written file again and compare its frames, time stamps and audio with what was meant."""
    progress: bool = False
    """Show a bar on stderr."""

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.layer not in get_args(Layer):
            raise InputError(f"--layer {self.layer}: unknown{did_you_mean(self.layer, get_args(Layer))}; expected composite or foreground")


def harmonize_video(
    composite: str | Path, output: str | Path, *, mask: str | Path | Sequence[str | Path] = (), **options: Any
) -> dict[str, Any]:
    """Harmonize a video file.

    Args:
        composite: the video whose foreground is to be harmonized.
        output: the file to write; appears whole or not at all.
        mask: white where the foreground is, grey where it is soft; a video, a picture, a folder, a sequence or .npz. Several masks are
            several objects; none takes the composite's own alpha channel.
        options: other fields of :class:`HarmonizeJob` (``quality``, ``strength``, ``weights``, ...).
    Returns:
        The report of docs/cli.md: frames, fps, seconds by stage, mean change, warnings.
    Raises:
        InputError: for what the caller can mend; names the file and the remedy.
    """
    masks = [mask] if isinstance(mask, str | Path) else mask
    known = {field.name for field in dataclasses.fields(HarmonizeJob)}
    for name, value in options.items():
        if name not in known:
            raise InputError(f"{name}={value!r}: unknown option{did_you_mean(name, known)}; see HarmonizeJob")
        if name in ("cuts", "reference", "foreground") and isinstance(value, str):
            options[name] = Path(value)
    return harmonize_job(HarmonizeJob(composite=Path(composite), masks=tuple(map(Path, masks)), output=Path(output), **options))


def harmonize_job(job: HarmonizeJob, model: VHMAE | None = None) -> dict[str, Any]:
    """Run a job and return its report (docs/cli.md); ``model`` is the one of the job's weights, where it is loaded already."""
    began = time.monotonic()
    run = _Run(job, model)
    settings: dict[str, Any] = {
        "codec": _codec(job), "crf": job.crf, "preset": job.preset, "pix_fmt": job.pix_fmt, "start_seconds": job.start,
        "end_seconds": job.end, "verify": job.verify,
    }  # fmt: skip
    with _open_writer(run, settings) as writer, _progress(job, run) as advance:
        begun = writer.frames  # those of a stopped run
        run.survey(advance)
        rendered = run.rendered()
        try:
            for done in rendered:
                with run.busy.working("encode"):
                    writer.write(done.timed, done.image)
                    run.tally.count(done)
                    if done.snapshot is not None and isinstance(writer, SegmentedWriter):
                        writer.checkpoint(*run.saved_state(done))
                advance(writer.frames)
        finally:
            rendered.close()
        warnings = run.warnings(writer.frames, run.tally.damaged)
        warnings += run.losses()
        warnings += [f"{job.output}: {what} cannot be held by the container and were left out" for what in writer.left_out]
        if job.strict and warnings:
            raise InputError(f"--strict: {warnings[0]}; mend it or leave --strict out")
        with run.busy.working("encode"):
            writer.flush()
    seconds = time.monotonic() - began
    return {
        "schema": 1,
        "frames": writer.frames,
        "fps": round((writer.frames - begun) / seconds, 3),
        "seconds": round(seconds, 3),
        "seconds_by_stage": {stage: round(spent, 3) for stage, spent in run.busy.seconds.items()},
        "mean_change": round(run.tally.change / max(1, run.tally.changed_frames), 3),
        "passed_through": run.tally.passed_through,
        "skipped": run.skipped_before + run.skipped_after,
        "warnings": warnings,
        "device": str(run.harmonizers[0].device),
        "precision": run.harmonizers[0].precision,
        "quality": job.quality,
        "latency_frames": run.harmonizers[0].latency_frames,
    }


def _codec(job: HarmonizeJob) -> str | None:
    """The codec that is asked for; a layer takes one that holds alpha by itself, where its container has one."""
    by_container = {".mov": "prores_ks", ".mkv": "ffv1"}
    return job.codec or (by_container.get(job.output.suffix.lower()) if job.layer == "foreground" else None)


def _writes_pictures(job: HarmonizeJob) -> bool:
    return job.output.suffix.lower() in PICTURES or job.output.is_dir()


def _open_writer(run: _Run, settings: dict[str, Any]) -> FrameWriter:
    """The writer of a job; where a stopped run is gone on with, the run stands where that one stood."""
    if _writes_pictures(run.job):
        return open_pictures(run.job.output, run.output_info or run.info, **settings)
    if not run.job.resume:
        return VideoWriter(run.job.output, run.output_info or run.info, **settings)
    writer = SegmentedWriter(run.job.output, run.output_info or run.info, settings, run.identity())
    if writer.saved is not None:
        run.go_on_from(*writer.saved)
    return writer


@dataclasses.dataclass(frozen=True)
class _Done:
    """A frame that is ready to be written."""

    timed: TimedFrame
    image: PlanarFrame
    moved: float | None
    """Mean change inside the matte, in levels; None for a frame without foreground."""
    snapshot: Snapshot | None
    """The harmonizer's memory after this frame, now and then."""


@dataclasses.dataclass
class _Tally:
    """What the report says of the frames that were written."""

    passed_through: int = 0
    changed_frames: int = 0
    damaged: int = 0
    cut: int = 0
    """Frames of OpenEXR with light above 1."""
    change: float = 0.0

    def count(self, done: _Done) -> None:
        self.damaged += done.timed.decoded.is_corrupt
        self.cut += done.timed.cut
        if done.moved is None:
            self.passed_through += 1
        else:
            self.changed_frames += 1
            self.change += done.moved


class _Run(Analysis):
    """A job at work: its sources, its harmonizer, and what the report says of the frames."""

    def __init__(self, job: HarmonizeJob, model: VHMAE | None = None) -> None:
        self.job = job
        self.output_info: VideoInfo | None = None
        super().__init__(job, model)
        self.tally = _Tally()
        self.renderers = min(RENDERERS, job.threads or RENDERERS)
        self.first = 0
        self.remembered: Snapshot | None = None

    def check_output(self) -> None:
        job = self.job
        inputs = list(job.inputs().values())
        if job.layer == "foreground":
            self.output_info = layer_info(self.info)
            encoder = picture_encoder(job.output) if _writes_pictures(job) else choose_encoder(_codec(job), self.output_info)
            if not holds_alpha(encoder, pixel_format(encoder, self.output_info, job.pix_fmt)):
                raise InputError(
                    f"--layer foreground: {encoder} holds no alpha; take --codec prores_ks (.mov) or ffv1 (.mkv), or .png pictures"
                )
        if not _writes_pictures(job):
            check_output(job.output, inputs)
            return
        check_picture_output(job.output, inputs)
        if not has_number(job.output) and self.info.frames > 1:
            raise InputError(f"{job.output}: is one picture but there are {self.info.frames} frames; name them as in frame.%04d.png")
        if job.resume:
            raise InputError("--resume: is for video files; pictures that are there already need not be made again, use --start")

    def losses(self) -> list[str]:
        """What of the composite the output cannot hold."""
        told = []
        if self.tally.cut and not is_exr(self.job.output):
            told.append(f"{self.job.output}: light above 1 became white in {self.tally.cut} frames; .exr pictures keep it")
        if _writes_pictures(self.job) and (sound := sound_codecs(self.info)):
            told.append(f"{self.job.output}: pictures hold no sound ({', '.join(sound)}), which was left out")
        if self.job.codec is None and self.output_info is None and self.info.files is None and not _writes_pictures(self.job):
            encoder = choose_encoder(None, self.info)
            if encoder != ENCODERS.get(self.info.codec):
                why = "nothing here encodes it" if self.info.codec not in ENCODERS else "its frames are not evenly spaced"
                told.append(f"{self.job.output}: {self.info.codec} became {encoder}, since {why}; --codec chooses another")
        if self.output_info is not None or not has_alpha(self.info):
            return told
        encoder = picture_encoder(self.job.output) if _writes_pictures(self.job) else choose_encoder(self.job.codec, self.info)
        if holds_alpha(encoder, pixel_format(encoder, self.info, self.job.pix_fmt)):
            return told
        return [*told, f"{self.job.output}: {encoder} holds no alpha: the composite's alpha channel was left out"]

    # --- stopping and going on

    def identity(self) -> dict[str, Any]:
        """What makes two runs the same work, to the last bit."""
        job = self.job
        facts = {key: str(value) for key, value in dataclasses.asdict(job).items() if key not in _FREE_TO_CHANGE}
        for name, path in job.inputs().items():
            stats = [(file.name, file.stat()) for file in files_of(path)]
            facts[f"{name} file"] = _digest([(file, stat.st_size, stat.st_mtime_ns) for file, stat in stats])
        weights = hashlib.sha256()
        for key, tensor in sorted(self.harmonizers[0].model.state_dict().items()):
            weights.update(key.encode() + tensor.detach().cpu().contiguous().reshape(-1).view(torch.uint8).numpy().tobytes())
        return {**facts, "weights": weights.hexdigest(), "precision": self.harmonizers[0].precision, "version": __version__}

    def go_on_from(self, numbers: dict[str, Any], arrays: dict[str, Array]) -> None:
        """Take up what :meth:`saved_state` gave."""
        self.first, self.skipped_before, self.tally = numbers["next"], numbers["skipped_before"], _Tally(**numbers["tally"])
        self.remembered = Snapshot(numbers["stream"], arrays)

    def saved_state(self, done: _Done) -> tuple[dict[str, Any], dict[str, Array]]:
        """What a later run needs to go on after a written frame."""
        assert done.snapshot is not None
        numbers = {
            "next": done.timed.index + 1, "skipped_before": self.skipped_before, "tally": dataclasses.asdict(self.tally),
            "stream": done.snapshot.numbers,
        }  # fmt: skip
        return numbers, done.snapshot.arrays

    # --- the stages, each a generator in a thread of its own

    def rendered(self) -> Generator[_Done, None, None]:
        """The frames to write, in order."""
        frames = run_ahead(self.busy.drawing("decode", self.frames(self.first, count=True)), FRAMES_AHEAD)
        changes = run_ahead(self._changes(frames), FRAMES_AHEAD)
        return run_ahead(map_ahead(self._render, changes, self.renderers), FRAMES_AHEAD)

    def _changes(self, frames: Iterator[Payload]) -> Iterator[tuple[Ready, Snapshot | None]]:
        """Frames with their changes of colour, as they become ready."""
        if self.remembered is not None:
            numbers = self.remembered.numbers["waiting"]
            waiting = list(itertools.islice(frames, len(numbers)))
            if [payload.timed.index for payload in waiting] != numbers:
                raise InputError(f"--resume: {self.job.composite} is not read as it was before; delete the parts to begin anew")
            for place, harmonizer in enumerate(self.harmonizers):
                own = {key.removeprefix(f"{place}."): array for key, array in self.remembered.arrays.items() if key.startswith(f"{place}.")}
                harmonizer.restore(Snapshot(self.remembered.numbers["objects"][place], own), waiting)
        for number, ready in enumerate(self.harmonized(frames), 1):
            due = self.job.resume and number % CHECKPOINT_FRAMES == 0
            yield ready, self._snapshot() if due else None

    def _snapshot(self) -> Snapshot:
        """The harmonizers' memory, and which frames wait."""
        snapshots = [harmonizer.snapshot() for harmonizer in self.harmonizers]
        waiting = [payload.timed.index for payload in self.harmonizers[0].waiting]
        arrays = {f"{place}.{key}": array for place, one in enumerate(snapshots) for key, array in one.arrays.items()}
        return Snapshot({"objects": [one.numbers for one in snapshots], "waiting": waiting}, arrays)

    def _render(self, changed: tuple[Ready, Snapshot | None]) -> _Done:
        ((timed, mattes), wanted, _), snapshot = changed
        image, moved = timed.image, []
        layer = self.output_info
        for matte, change in zip(mattes, wanted, strict=True):
            if change is not None:
                with self.busy.working("render", self.renderers):
                    # A layer's soft edge is blended by its alpha, not twice.
                    image, levels = render_planes(image, (matte > 0).astype(np.uint8) * np.uint8(255) if layer else matte, change)
                moved.append(levels)
        if layer is not None:
            image = layered(image, np.max([as_matte(matte) for matte in mattes], axis=0), layer.pixel_format)
        return _Done(timed, image, sum(moved) / len(moved) if moved else None, snapshot)


def _digest(facts: list[Any]) -> str:
    return hashlib.sha256(repr(facts).encode()).hexdigest()[:16]


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
        self.shown = 0

    def __enter__(self) -> Any:
        self.progress.start()
        return self._advance

    def _advance(self, frames: int) -> None:
        if frames < self.shown:  # whole shots were looked at; now the work itself begins
            self.began = time.monotonic()
            self.progress.reset(self.task)
        self.shown = frames
        rate = frames / max(1e-3, time.monotonic() - self.began)
        description = f"{rate:.1f} fps, slowest: {self.run.busy.slowest}"
        self.progress.update(self.task, completed=frames + self.run.skipped_before, description=description)

    def __exit__(self, *_: object) -> None:
        self.progress.stop()


def _progress(job: HarmonizeJob, run: _Run) -> Any:
    return _Bar(run) if job.progress else _NoProgress()
