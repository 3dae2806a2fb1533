"""The way of a video: sources -> harmonizers (``analysis``) -> renderer -> writer, overlapped."""

from __future__ import annotations

import contextlib
import dataclasses
import tempfile
import time
from collections.abc import Generator, Iterator, Sequence
from concurrent.futures import Future
from pathlib import Path
from typing import Any, Unpack

import numpy as np

from vhmae.arrays import to_unit
from vhmae.engine.backends import network_for
from vhmae.engine.memory import Snapshot
from vhmae.engine.networks import WindowNetwork
from vhmae.engine.rendering import RENDERERS, load_compiled, render_planes
from vhmae.errors import InputError, did_you_mean
from vhmae.guide.document import Guide
from vhmae.guide.options import GuideOptions
from vhmae.memory import check_memory, give_back, how_many
from vhmae.options import build_options, options_of, values_to_json
from vhmae.overlap import begin, map_ahead, run_ahead
from vhmae.progress import Progress, Told
from vhmae.video.frame_writer import FrameWriter
from vhmae.video.matte import layered
from vhmae.video.planes import PlanarFrame
from vhmae.video.probe import VideoInfo
from vhmae.video.reader import TimedFrame
from vhmae.video.recode import deepened
from vhmae.video.segments import SegmentedWriter
from vhmae.video.sequence import older_pictures
from vhmae.work.analysis import BACKGROUND, Analysis, Ready, told_of_move
from vhmae.work.guiding import guided_report, hear_guide
from vhmae.work.job import HarmonizeJob, HarmonizeOptions, MaskMaker
from vhmae.work.masking import half_masked, masked_job
from vhmae.work.output import Output
from vhmae.work.reading import read_whole
from vhmae.work.report import Report, Tally, where_it_runs
from vhmae.work.resume import Standing, as_stopped, job_identity, restore, snapshot_of
from vhmae.work.shot_pixels import Needed
from vhmae.work.sources import Payload, Sources, check_composite, check_guide

Changed = tuple[Ready, Snapshot | None]
"""A frame with what is to be done to it, and the harmonizers' memory now and then."""
FRAMES_AHEAD = 4
"""Frames that wait between two stages, where they are not too large."""
FEW_AHEAD = 2
"""Those of more than :data:`AHEAD_BYTES`: what encodes them takes so long that others catch up."""
AHEAD_BYTES = 12 << 20
IN_WORK = 2
"""Frames that are decoded, rendered or encoded, at the least; the former twice where they are read
again."""
MOST_PLAIN_PIXELS = 1 << 21
"""A still of up to so many pixels is done by the plain way before the compiled one is loaded."""
CHECKPOINT_FRAMES = 250
"""Frames after which a run that can be resumed closes a segment."""


def harmonize_video(
    composite: str | Path,
    output: str | Path,
    *,
    mask: str | Path | Sequence[str | Path] = (),
    on_progress: Told | None = None,
    **options: Unpack[HarmonizeOptions],
) -> dict[str, Any]:
    """Harmonize a video file.

    Args:
        composite: the video whose foreground is to be harmonized.
        output: the file to write; appears whole or not at all.
        mask: white where the foreground is, grey where it is soft; a video, a picture, a folder, a
            sequence or .npz. Several masks are several objects; none takes the composite's own
            alpha.
        on_progress: called in this thread with the frames that are done and the frames of the
            video (None: not known); less than before means that another pass has begun. What it
            raises stops the work, and nothing half-written is left.
        options: other options of :class:`HarmonizeJob` (``quality``, ``strength``, ``weights``,
            ...), those of its parts too; ``guide`` may be a :class:`vhmae.Guide`.
    Returns:
        The report of docs/cli.md: frames, fps, seconds by stage, mean change, warnings.
    Raises:
        InputError: for what the caller can mend; names the file and the remedy.
    """
    masks = [mask] if isinstance(mask, str | Path) else mask
    keywords = HarmonizeOptions.__annotations__
    known = {one.name: one for one in options_of(HarmonizeJob) if one.name in keywords}
    given: dict[str, Any] = dict(options)
    guide = given.pop("guide") if isinstance(given.get("guide"), Guide) else None
    for name, value in given.items():
        if name not in known:
            close = did_you_mean(name, [*known, "mask", "on_progress"])
            told = f"unknown option{close}; see HarmonizeOptions"
            raise InputError(told, field=name, value=value)
        given[name] = known[name].from_python(value)
    files = {"composite": Path(composite), "masks": tuple(map(Path, masks)), "output": Path(output)}
    with contextlib.ExitStack() as until:
        if guide is not None:
            folder = until.enter_context(tempfile.TemporaryDirectory(prefix="vhmae-"))
            given["guide"] = Path(folder) / "guide.json"
            guide.write(given["guide"])
        job = build_options(HarmonizeJob, {**given, **files})
        report = harmonize_job(job, on_progress=on_progress)
    if guide is not None:  # its file is gone; the report holds all that it says
        del report["job"]["guide"]
    return report


def harmonize_job(
    job: HarmonizeJob,
    network: WindowNetwork | None = None,
    said_of: HarmonizeJob | None = None,
    on_progress: Told | None = None,
) -> dict[str, Any]:
    """Run a job and return its report (docs/cli.md).

    Args:
        network: that of its weights, if it is open.
        said_of: the job whose frames its guide names, where that is another shot of the scene.
        on_progress: as :func:`harmonize_video` takes it.
    """
    job.words.read()  # what nobody can mean is refused before a mask is made
    if job.matte is not None:
        return _harmonize_matted(job, job.matte, network, said_of, on_progress)
    if said_of is not None and said_of.matte is not None:
        if job.check:
            bare = harmonize_job(dataclasses.replace(job, words=GuideOptions()), network)
            unheard = (
                f"`guide`: is said of {said_of.composite}, whose mask the work makes: not heard"
            )
            return {**bare, "job": values_to_json(job), "warnings": [*bare["warnings"], unheard]}
        # The shot that the guide was said of is looked at again, and its mask is gone: made anew
        # each time, it is no file that a stopped run could find again.
        job = dataclasses.replace(job, resume=False)
        _opened(dataclasses.replace(job, words=GuideOptions()), network, None)
        place = job.output.with_name(f"{job.output.name}.scene")
        with masked_job(said_of, said_of.matte, place) as led:
            return harmonize_job(job, network, led, on_progress)
    began = time.monotonic()
    if job.resume:
        job = as_stopped(job)
    analysis, output = _opened(job, network, said_of)
    sources, first = analysis.sources, analysis.harmonizers[0]
    older = None
    if output.is_pictures:
        numbers = sources.info.numbers or range(1, sources.info.frames + 1)
        older = older_pictures(job.output, numbers)
    if job.check:
        return checked(analysis, output, began, said_of, on_progress, older)
    renderer = Renderer(analysis, output)
    if runs_compiled(analysis):
        bits = 16 if output.is_deeper else sources.info.encoding.bits
        renderer.loading = begin(load_compiled, bits)
    tally = Tally()
    with output.open(job_identity(job, first, said_of) if job.resume else {}) as writer:
        if isinstance(writer, SegmentedWriter) and writer.saved is not None:
            renderer.resumed = Standing.of(*writer.saved)
            tally, sources.skipped_before = renderer.resumed.tally, renderer.resumed.skipped_before
            sources.overlapping = renderer.resumed.overlapping
        begun, size = writer.frames, 0  # those of a stopped run
        pace = (job.progress, renderer.pace)
        more: dict[str, Any] = {"size": lambda: size, "told": on_progress}
        with Progress("harmonize", sources.info.frames, *pace, **more) as progress:
            analysis.survey(progress)
            heard = hear_guide(analysis, said_of=said_of)
            told = [] if heard is None else heard.warnings
            known = [
                *analysis.told_of_prior(),
                *sources.warnings,
                *told,
                *([older] if older else []),
            ]
            known += _told_of_form(job.output, writer.recoded, writer.left_out)
            check_strict(job.strict, known)
            if heard is not None and heard.guide["shots"] == "all":
                renderer.needed = Needed(analysis)
            with contextlib.closing(renderer.rendered()) as rendered:
                give_back()  # what looking at the files and opening the network took
                for done in rendered:
                    with analysis.busy.working("encode"):
                        _write(writer, done, tally, sources)
                    size = writer.size_bytes
                    progress(writer.frames + sources.skipped_before)
        warnings = analysis.warnings(writer.frames, tally.damaged) + output.losses(tally.cut)
        warnings += told
        warnings += _told_of_form(job.output, writer.recoded, writer.left_out)
        warnings += [older] if older else []
        check_strict(job.strict, warnings)
        warnings += told_of_move(job)
        with analysis.busy.working("encode"):
            writer.flush()
    seconds = time.monotonic() - began
    return Report(
        frames=writer.frames,
        fps=round((writer.frames - begun) / seconds, 3),
        seconds=round(seconds, 3),
        size_bytes=writer.size_bytes,
        seconds_by_stage=analysis.busy.rounded(),
        mean_change=tally.mean_change,
        outside_change=tally.outside_change,
        passed_through=tally.passed_through,
        skipped=sources.skipped_before + sources.skipped_after,
        warnings=warnings,
        **where_it_runs(first.network),
        quality=job.quality,
        latency_frames=first.latency_frames,
        input_space=sources.info.space_name,
        output_space=output.space_name,
        job=values_to_json(job),
        **guided_report(heard),
        needed=None if renderer.needed is None else renderer.needed.rows(),
    ).as_dict()


def _opened(
    job: HarmonizeJob, network: WindowNetwork | None, said_of: HarmonizeJob | None
) -> tuple[Analysis, Output]:
    """A job's files and its network, with all refused that can be before a frame is read."""
    opening = None
    if network is None and all(path.exists() for path in (job.composite, *job.masks)):
        # Opening a network takes as long as looking at the files. What is refused about these is
        # told at once: weights that come over the net may take minutes.
        opening = begin(network_for, job)
    sources = Sources(job)
    output = Output(job, sources.info)
    sources.check()
    guide = check_guide(sources, said_of)
    if opening is not None:
        network = opening.result()
    analysis = Analysis(sources, network)
    if guide:
        analysis.harmonizers[0].require_maps()
    check_memory(
        job.composite,
        waiting_bytes(analysis),
        "make it smaller, or harmonize a part of it (`start`, `end`) or in `quality` best",
    )
    return analysis, output


def _write(writer: FrameWriter, done: Done, tally: Tally, sources: Sources) -> None:
    """Write a frame and count it; where it ends a segment, keep how the run stands."""
    writer.write(done.timed, done.image)
    tally.count(done.moved, done.outside)
    tally.damaged += done.timed.decoded.is_corrupt
    tally.cut += done.timed.cut
    if done.snapshot is not None and isinstance(writer, SegmentedWriter):
        known = sources.skipped_before, sources.overlapping
        standing = Standing(done.timed.index + 1, *known, tally, done.snapshot)
        writer.checkpoint(*standing.saved())


def _told_of_form(output: Path, recoded: str | None, left_out: Sequence[str]) -> list[str]:
    """What is to be said of the form that an output takes."""
    told = [] if recoded is None else [f"{output}: {recoded}"]
    return told + told_left_out(output, left_out)


def _harmonize_matted(job: HarmonizeJob, way: MaskMaker, *more: Any) -> dict[str, Any]:
    """Cut the foreground out first; the mask is gone afterwards. ``more`` is what
    :func:`harmonize_job` takes."""
    Output(job, check_composite(job))  # what is wrong is told before a mask is made
    network = more[0] or network_for(job)
    if job.check:
        return _checked_unmasked(job, way, network)
    with masked_job(job, way, job.output) as masked:
        report = harmonize_job(masked, network, *more[1:])
    advice = (
        f"the mask was made by {way}: look at it (vhmae matte {job.composite} -o matte.mkv "
        f"--with {way})"
    )
    return {**report, "job": values_to_json(job), "warnings": [*report["warnings"], advice]}


def _checked_unmasked(job: HarmonizeJob, way: MaskMaker, network: WindowNetwork) -> dict[str, Any]:
    """The report of a check whose mask the work will make, with another in its place."""
    with half_masked(job, way) as masked:
        report = harmonize_job(masked, network)
    told = [f"the mask is made by {way} in the work; what depends on it was not checked"]
    return {**report, "job": values_to_json(job), "warnings": report["warnings"] + told}


def waiting_bytes(analysis: Analysis) -> int:
    """The memory of the frames that there are at once at the least, in bytes: those that wait for
    the network, those between the stages, and those in work."""
    sources = analysis.sources
    kept = analysis.harmonizers[0].latency_frames if analysis.keeps_frames else IN_WORK
    frames = kept + 3 * frames_ahead(sources) + IN_WORK
    return min(sources.info.frames, frames) * sources.payload_bytes


def frames_ahead(sources: Sources) -> int:
    """Frames that wait between two stages."""
    fitting = how_many(FRAMES_AHEAD, sources.payload_bytes, AHEAD_BYTES)
    return sources.ahead(max(FEW_AHEAD, fitting))


def is_soon_done(info: VideoInfo) -> bool:
    """Whether the plain way of rendering is done before the compiled one would be loaded."""
    return info.frames == 1 and info.width * info.height <= MOST_PLAIN_PIXELS


def runs_compiled(analysis: Analysis) -> bool:
    """Whether frames are rendered by what is compiled: colour maps of what a display is sent are,
    unless something of the colours is kept."""
    info, network = analysis.sources.info, analysis.harmonizers[0].network
    by_maps = network.holds_between_key_frames and not analysis.sources.job.keep
    return by_maps and info.encoding.space is None and not is_soon_done(info)


def checked(
    analysis: Analysis,
    output: Output,
    began: float,
    said_of: HarmonizeJob | None,
    on_progress: Told | None,
    older: str | None = None,
) -> dict[str, Any]:
    """The report of a job that is to be refused or described, and not done: docs/cli.md. All that
    it reads is read once, and its guide is heard."""
    job, sources, first = output.job, analysis.sources, analysis.harmonizers[0]
    form = output.check(job_identity(job, first, said_of) if job.resume else {})
    with Progress("check", sources.info.frames, job.progress, told=on_progress) as progress:
        seen = read_whole(analysis, progress)
    heard = None
    if job.words.read():
        analysis.survey()
        heard = hear_guide(analysis, said_of=said_of)
    warnings = analysis.warnings(seen.frames, seen.damaged) + output.losses(seen.cut)
    warnings += ([] if heard is None else heard.warnings) + _told_of_form(job.output, *form)
    warnings += [older] if older else []
    check_strict(job.strict, warnings)
    warnings += told_of_move(job)
    return {
        "schema": 1,
        "check": True,
        **guided_report(heard),
        **output.described(),
        "frames": seen.frames,
        "seconds": round(time.monotonic() - began, 3),
        "warnings": warnings,
        **where_it_runs(first.network),
        "quality": job.quality,
        "latency_frames": first.latency_frames,
        "job": values_to_json(job),
    }


def told_left_out(output: Path, left_out: Sequence[str]) -> list[str]:
    """Warnings of what a container cannot hold."""
    return [f"{output}: cannot hold {what}: left out" for what in left_out]


def check_strict(strict: bool, warnings: Sequence[str]) -> None:
    """Refuse warnings where they are to count as errors."""
    if strict and warnings:
        raise InputError(f"{warnings[0]}; mend it or leave `strict` out", field="strict")


@dataclasses.dataclass(frozen=True)
class Done:
    """A frame that is ready to be written."""

    timed: TimedFrame
    image: PlanarFrame
    moved: float | None
    """Mean change inside the matte, in levels; None for a frame without foreground."""
    outside: float | None
    """Mean change outside of it; None where the background stays as it is."""
    snapshot: Snapshot | None
    """The harmonizers' memory after this frame, now and then."""


class Renderer:
    """The stages of a job from its sources to frames to write, each in a thread of its own."""

    def __init__(self, analysis: Analysis, output: Output) -> None:
        job = output.job
        self.analysis = analysis
        self.output = output
        self.threads = max(1, analysis.sources.ahead(min(RENDERERS, job.threads or RENDERERS)))
        self.deeper = output.is_deeper
        self.plain = is_soon_done(analysis.sources.info)
        self.resumed: Standing | None = None
        """Where a stopped run stood, which is resumed."""
        self.loading: Future[None] | None = None
        """What is rendered by is being compiled, which takes seconds where that was never done."""
        self.needed: Needed | None = None
        """Looks at what each shot still needs, where one guide rules all of them."""

    def pace(self) -> str:
        """What the work waits for."""
        return f"slowest: {self.analysis.busy.slowest}"

    def rendered(self) -> Generator[Done, None, None]:
        """The frames to write, in order."""
        sources, first = self.analysis.sources, self.resumed.next if self.resumed else 0
        ahead = frames_ahead(sources)
        decoded = self.analysis.busy.drawing("decode", sources.frames(first, count=True))
        changes = run_ahead(self._changes(run_ahead(decoded, ahead)), ahead)
        rendered = map_ahead(self._render, self._once_loaded(changes), self.threads)
        wake = () if self.loading is None else (self.loading.cancel,)
        return run_ahead(rendered, ahead, *wake)

    def _once_loaded(self, changes: Generator[Changed, None, None]) -> Iterator[Changed]:
        """The same, handed on once they can be rendered: whoever is stopped before does not wait
        for a compiler."""
        with contextlib.closing(changes):
            for changed in changes:
                if self.loading is not None:
                    self.loading.exception()  # it comes again where the frame is rendered
                yield changed

    def _changes(self, frames: Iterator[Payload]) -> Iterator[Changed]:
        """Frames with their changes of colour, as they become ready."""
        harmonizers = self.analysis.harmonizers
        if self.resumed is not None:
            restore(harmonizers, self.resumed.stream, map(self.analysis.waiting, frames))
            if self.needed is not None:
                self.needed.restore(self.resumed.stream)
        for number, ready in enumerate(self.analysis.harmonized(frames), 1):
            if self.needed is not None:
                self.needed.look_at(ready)
            due = self.output.job.resume and number % CHECKPOINT_FRAMES == 0
            snapshot = snapshot_of(harmonizers) if due else None
            if snapshot is not None and self.needed is not None:
                snapshot = self.needed.joined(snapshot)
            yield ready, snapshot

    def _render(self, changed: Changed) -> Done:
        ((timed, mattes), covers, wanted, *_), snapshot = changed
        image, moved, levels_outside = timed.image, [], None
        layer = self.output.job.layer
        objects = self.analysis.objects
        if self.deeper and any(change is not None for change in wanted):
            image = deepened(image)
        for number, matte, change in zip(objects, covers, wanted, strict=True):
            behind = number == BACKGROUND
            if change is None or (layer != "composite" and behind != (layer == "background")):
                continue
            cover = matte
            if layer == "foreground":  # its soft edge is blended by its alpha, not twice
                cover = (matte > 0).astype(np.uint8) * np.uint8(255)
            elif layer == "background":  # whole, so that the foreground can be laid over it
                cover = np.full(matte.shape, 255, np.uint8)
            with self.analysis.busy.working("render", self.threads):
                image, levels = render_planes(image, cover, change, self.plain)
            if behind:
                levels_outside = levels
            else:
                moved.append(levels)
        if self.output.has_alpha:
            alpha = np.minimum(np.sum([to_unit(matte) for matte in mattes], axis=0), 1.0)
            image = layered(image, alpha, self.output.info.pixel_format)
        inside = sum(moved) / len(moved) if moved else None
        return Done(timed, image, inside, levels_outside, snapshot)
